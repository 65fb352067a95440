"""Writes the scripts of workflows to files, for shellcheck to look at.

    scripts.py FOLDER FILE...        needs: pip install PyYAML

Expressions of workflows become a word, since they are put in before a shell reads them.
Prints the names of the files, one a line.
"""

import re
import sys
from pathlib import Path

import yaml

FOLDER = Path(sys.argv[1])

for name in sys.argv[2:]:
    for job, told in yaml.safe_load(Path(name).read_text(encoding="utf-8"))["jobs"].items():
        for number, step in enumerate(told["steps"], 1):
            if "run" in step:
                file = FOLDER / f"{Path(name).stem}-{job}-{number}.sh"
                text = re.sub(r"\$\{\{.*?\}\}", "EXPRESSION", step["run"])
                file.write_text(f"#!/usr/bin/env bash\nset -e\n{text}\n", encoding="utf-8")
                print(file)
