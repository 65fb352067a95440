"""Does what the Dockerfile does before it compiles, to tell whether it would find all it needs.

    context.py FOLDER                in the checkout; FOLDER is empty and is filled

Copies what is copied, by the rules of .dockerignore, and runs what is run up to each
`cargo build`, in whose place Cargo reads the manifests: a stand-in that is missing fails
here. At the end every file that the sources include has to be there. What Docker itself
does, and whether it compiles, is for CI's job `image` to say.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])

# The stand-ins, which are made in the folder itself. Nothing else is run: what is done to
# the system of the image is nothing to do here.
STAND_INS = re.compile(r"(?:mkdir|for|touch) (?!.*[ >]/)")


def instructions() -> list[str]:
    """Reads the stage that builds, one instruction each."""
    text = Path("Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    stages = re.split(r"^(?=FROM )", text, flags=re.M)
    return next(stage for stage in stages if " AS build" in stage).splitlines()


def allowed() -> set[str]:
    """Reads what .dockerignore lets in."""
    return {line[1:] for line in Path(".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}


def copy(sources: list[str], target: str) -> None:
    """Copies as COPY does: a folder's contents, a file itself."""
    for source in sources:
        if source.split("/")[0] not in allowed():
            sys.exit(f"the Dockerfile copies {source}, which .dockerignore keeps out")
        if Path(source).is_dir():
            shutil.copytree(source, FOLDER / target, dirs_exist_ok=True)
        else:
            folder = FOLDER / target
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder)


def run(command: str) -> None:
    """Makes the stand-ins, and has Cargo read what it would build."""
    # A loop stays in one piece, since `;` and not `&&` is in it.
    parts = [part.strip() for part in command.split(" && ")]
    kept = []
    for part in parts:
        if part.startswith("cargo build"):
            kept.append("cargo metadata --locked --no-deps --format-version 1 >/dev/null")
        elif STAND_INS.match(part):
            kept.append(part)
    if kept:
        print("  " + "\n  ".join(kept), flush=True)
        subprocess.run(["sh", "-ec", "\n".join(kept)], cwd=FOLDER, check=True)


def included() -> list[str]:
    """Finds files that the sources include and that are not there."""
    missing = []
    for source in (FOLDER / "host/src").rglob("*.rs"):
        if source.name == "tests.rs":
            continue
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text(encoding="utf-8")):
            if not (source.parent / name).exists():
                missing.append(f"{source.relative_to(FOLDER)} includes {name}, which is not copied")
    return missing


def main() -> None:
    for instruction in instructions():
        word, _, rest = instruction.partition(" ")
        if word == "COPY":
            *sources, target = shlex.split(rest)
            copy(sources, target)
        elif word == "RUN":
            run(rest)
    if missing := included():
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main()
