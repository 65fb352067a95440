"""Runs the code blocks of the READMEs, and holds their tables against the program.

    blocks.py ROOT BINARY PYTHON

run.sh beside this says what for. A page is read from top to bottom, and each block is run
in the folder of the checkout, with a home folder and a router of the page's own:

    sh                           by bash, and every line has to succeed
    python                       by Python, with the clients' packages
    json, toml                   parsed
    yaml                         read by the router, if all of its keys are the router's
    text                         is output, and not run

A comment before a block says why it is not run like this:

    <!-- runs until it is stopped -->   it starts the router that the page's blocks talk to
    <!-- needs ... -->                  it cannot be run here, for the reason that is given
    <!-- a part of its configuration --> it is no whole file, and is not parsed

Of what is run, only this is other than what readers type: the port (of `localhost:11434`, for
that of a free one), `cargo run --release --` (for the binary), and the clone (which is this
checkout). A language that is not named here fails, and so does an unknown comment.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT, BINARY, PYTHON = (Path(argument) for argument in sys.argv[1:4])

# The pages whose blocks are run, each with a router of its own.
PAGES = ["README.md", "examples/clients", "examples/deploy"]

# How long a block may take, and the router until it answers; far more than they need.
PATIENCE = 120

STARTS = "runs until it is stopped"
PART = "a part of its configuration"
NEEDS = re.compile(r"needs .+")

# What only the packages of run.sh make possible.
PACKAGES = re.compile(r"\bpython3 \S+\.py\b|^(?:import|from) (?:ollama|openai|anthropic)\b", re.M)

failed: list[str] = []
skipped: list[str] = []


@dataclass
class Block:
    """A fenced block, with what its page says of it."""

    page: Path
    line: int
    language: str
    comment: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Takes the blocks out of a page."""
    found, lines, above = [], page.read_text(encoding="utf-8").splitlines(), None
    opened: Block | None = None
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if opened is not None:
            if bare == "```":
                found.append(opened)
                opened = None
            else:
                opened.text += line + "\n"
        elif bare.startswith("```"):
            opened = Block(page, number, bare[3:], above, "")
            above = None
        elif comment := re.fullmatch(r"<!-- (.*) -->", bare):
            above = comment[1]
        elif bare:
            above = None
    if opened is not None:
        fail(f"{opened} is never closed")
    return found


def fail(what: str) -> bool:
    """Notes what is wrong, and goes on; gives `False`."""
    failed.append(what)
    print(f"FAILED: {what}", flush=True)
    return False


class Reader:
    """Somebody who types what a page says: an empty home folder, and a router."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.router: subprocess.Popen[bytes] | None = None
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port = chosen.getsockname()[1]
        programs = home / "programs"
        programs.mkdir()
        (programs / "ollama-router").symlink_to(BINARY)
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
        self.environment = kept | {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(programs), str(PYTHON), os.environ["PATH"]]),
            "PORT": str(self.port),
            "OLLAMA_HOST": f"http://127.0.0.1:{self.port}",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1",
            "NO_PROXY": "localhost,127.0.0.1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def typed(self, text: str) -> str:
        """Says what is run for what is written."""
        text = re.sub(r"git clone \S+ && cd \S+", "true", text)
        text = text.replace("cargo run --release -- ", "ollama-router ")
        return re.sub(r"\b(localhost|127\.0\.0\.1):11434\b", rf"\1:{self.port}", text)

    def start(self, text: str = "ollama-router start --demo") -> None:
        """Starts the router with a block, and waits until it answers."""
        self.router = self.begin(["bash", "-euo", "pipefail", "-c", self.typed(text)], self.home / "router.log")
        late = time.monotonic() + PATIENCE
        while time.monotonic() < late and self.router.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as asked:
                asked.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if b"200 OK" in asked.recv(100):
                    return
            time.sleep(0.05)
        raise RuntimeError("the router does not answer:\n" + (self.home / "router.log").read_text(encoding="utf-8"))

    def begin(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Starts a command in a group of its own."""
        with log.open("wb") as out:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, command: list[str]) -> tuple[int, str]:
        """Runs a command to its end, and gives its code and what it printed."""
        log = self.home / "block.log"
        running = self.begin(command, log)
        try:
            code = running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            stop(running)
        return code, log.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Stops the router."""
        if self.router is not None:
            stop(self.router)


def stop(running: subprocess.Popen[bytes]) -> None:
    """Ends a command with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def is_marked(block: Block, reader: Reader) -> bool:
    """Tells whether a block is said not to be run here; whether bash can read it is seen here too."""
    if block.language == "text" or block.comment == PART:
        return True
    if block.comment is None or block.comment == STARTS:
        return False
    if not NEEDS.fullmatch(block.comment):
        fail(f"{block}: what does the comment `{block.comment}` mean?")
    elif block.language == "sh":
        code, said = reader.run(["bash", "-n", "-c", block.text])
        if code != 0:
            fail(f"{block}: bash cannot read this\n{said}")
    return True


def run(block: Block, reader: Reader) -> bool:
    """Does what a block is there for; tells whether it went well."""
    match block.language:
        case "sh" if block.comment == STARTS:
            reader.close()
            reader.start(block.text)
        case "sh" | "python":
            if reader.router is None:
                reader.start()
            text = reader.typed(block.text)
            command = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else ["python3", "-c"]
            # What curl is told is an error is none to curl.
            text = re.sub(r"^curl ", "curl --fail-with-body --silent --show-error ", text, flags=re.M)
            code, said = reader.run([*command, text])
            if code != 0:
                return fail(f"{block} ended with {code}:\n{text}\n{said}")
        case "json":
            json.loads(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "yaml":
            return settings(block, reader)
        case _:
            return fail(f"{block}: nobody knows how to run `{block.language}`; blocks.py says what may be here")
    return True


def settings(block: Block, reader: Reader) -> bool:
    """Has the router read a piece of its configuration; others' are theirs to read."""
    ours = {key.split(".")[0] for key, _ in defaults()}
    if not set(re.findall(r"^([a-z]+):", block.text, re.M)) <= ours:
        return True
    file = reader.home / "piece" / "config.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(block.text, encoding="utf-8")
    # Nothing runs at that port, which is 1; a bad configuration is 2.
    code, said = reader.run(["ollama-router", "-c", str(file), "status", "-p", "9"])
    return code == 1 or fail(f"{block}: the router does not take it:\n{said}")


def defaults() -> list[tuple[str, str]]:
    """Reads every key and its default from the example of a configuration."""
    found, path = [], []
    for line in (ROOT / "host/config.example.yaml").read_text(encoding="utf-8").splitlines():
        if read := re.fullmatch(r"( *)([a-z_0-9]+):(?: +(.*))?", line):
            path[len(read[1]) // 2 :] = [read[2]]
            if read[3] is not None:
                found.append((".".join(path), read[3].strip('"')))
    return found


def check_settings(page: Path) -> None:
    """Holds the table of settings against the example of a configuration, both ways."""
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \| `([^`]*)` \|", page.read_text(encoding="utf-8"), re.M)
    # Commands are told in a table like it, but have no dots.
    rows = [(key, default) for key, default in rows if "." in key]
    if rows != defaults():
        fail(f"{page.name}: the table of settings is not host/config.example.yaml: {set(rows) ^ set(defaults())}")


def check_translation(page: Path, translation: Path) -> None:
    """Holds a translation against its page: the same blocks, headings, rows, pictures and names."""
    told, other = page.read_text(encoding="utf-8"), translation.read_text(encoding="utf-8")
    ours, theirs = (
        [(block.language, block.comment, block.text) for block in blocks(file)] for file in (page, translation)
    )
    if ours != theirs:
        fail(f"{translation.name}: its blocks are not those of {page.name}")
    for what, pattern in [("headings", r"^#+ "), ("rows of tables", r"^\| "), ("pictures", r"^!\[")]:
        here, there = (len(re.findall(pattern, text, re.M)) for text in (told, other))
        if here != there:
            fail(f"{translation.name} has {there} {what}, {page.name} {here}")
    prose = [re.sub(r"^```.*?^```", "", text, flags=re.M | re.S) for text in (told, other)]
    ours, theirs = (set(re.findall(r"`([^`\n]+)`", text)) for text in prose)
    if ours != theirs:
        fail(f"{translation.name} and {page.name} do not name the same things: {sorted(ours ^ theirs)}")


def check_links(page: Path) -> None:
    """Finds links to files that are not there."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not link.startswith("http") and not (page.parent / link).exists():
            fail(f"{page.relative_to(ROOT)}: there is no {link}")


def pages(place: Path) -> list[Path]:
    """Lists the pages of a folder and below, or the one page."""
    return sorted(place.rglob("*.md")) if place.is_dir() else [place]


def read(page: Path) -> int:
    """Reads a page from top to bottom, and gives how many of its blocks went well."""
    well = marked = 0
    with tempfile.TemporaryDirectory() as home, contextlib.closing(Reader(Path(home))) as reader:
        for block in blocks(page):
            try:
                if is_marked(block, reader):
                    marked += 1
                elif PACKAGES.search(block.text) and not PYTHON.exists():
                    skipped.append(f"readme: {block}: the packages of Python's clients cannot be had")
                else:
                    well += run(block, reader)
            except (ValueError, RuntimeError) as error:
                fail(f"{block}: {error}")
    check_links(page)
    print(f"{page.relative_to(ROOT)}: {well} blocks went well, {marked} cannot be run here", flush=True)
    return well


def main() -> int:
    """Reads every page, and says what is wrong."""
    passed = sum(read(page) for name in PAGES for page in pages(ROOT / name))
    check_settings(ROOT / "README.md")
    check_translation(ROOT / "README.md", ROOT / "README.zh-CN.md")
    check_links(ROOT / "README.zh-CN.md")
    for line in skipped:
        print(f"SKIPPED: {line}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
