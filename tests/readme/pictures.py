"""Draws the pictures of the READMEs: what the commands print on a terminal, as SVG.

    pictures.py BINARY FOLDER        needs: pip install rich==15.0.0, and a Unix

Starts the demo on a free port, has it answer some requests so that there is something to
see, runs each command on a pseudo-terminal, and writes a picture of each to FOLDER, which
is .github/images. Times and chance are in them: it is run when a table has changed, not
in tests. To check a picture is to look at it.
"""

import fcntl
import json
import os
import pty
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.error
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.text import Text

BINARY, FOLDER = (Path(argument).resolve() for argument in sys.argv[1:3])

COLUMNS = 118

# Lines of a picture: tables are cut below, and say so.
LINES = 22

PICTURES = {
    "list-models": ["list-models"],
    "status": ["status"],
    "policy-explain": ["policy", "explain", "--tools"],
}

# A frame around the text, and no font that is fetched from somewhere.
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" width="{terminal_width}" \
height="{terminal_height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
<rect fill="#16181d" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate({terminal_x}, 8)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def ask(address: str, path: str, body: object | None = None) -> bytes:
    """Asks the router, and takes an error for an answer too."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, data), timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()


def shown(command: list[str], environment: dict[str, str]) -> str:
    """Runs a command on a terminal, and gives what it writes there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 200, COLUMNS, 0, 0))
    running = subprocess.Popen([BINARY, *command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    running.wait()
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def draw(name: str, command: list[str], text: str) -> None:
    """Writes a picture of what a command has written."""
    lines = [f"\x1b[2m$\x1b[0m ollama-router {' '.join(command)}", *text.rstrip("\n").split("\n")]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], "\x1b[2m…\x1b[0m"]
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor")
        # The last one is below the frame's lower edge.
        for line in [*lines, ""]:
            console.print(Text.from_ansi(line), no_wrap=True, crop=True)
        drawn = console.export_svg(title="", code_format=FRAME, unique_id=name)
    tidy = "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())
    (FOLDER / f"{name}.svg").write_text(tidy, encoding="utf-8")


def main() -> None:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": os.environ["PATH"], "PORT": str(port)}
        environment |= {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        start = [BINARY, "start", "--demo"]
        router = subprocess.Popen(start, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            late = time.monotonic() + 60
            while time.monotonic() < late:
                try:
                    ask(address, "/health")
                    break
                except OSError:
                    time.sleep(0.05)
            messages = [{"role": "user", "content": "Hello!"}]
            for model in ["auto", "auto", "lumen-4-mini:free", "harness-48b:free", "prim-2b:free", "auto", "auto"]:
                ask(address, "/api/chat", {"model": model, "stream": False, "messages": messages})
            FOLDER.mkdir(parents=True, exist_ok=True)
            for name, command in PICTURES.items():
                draw(name, command, shown(command, environment))
        finally:
            router.terminate()
            router.wait()


if __name__ == "__main__":
    main()
