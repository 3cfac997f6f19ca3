#!/usr/bin/env python3
"""Writes the README's picture: what the real program prints on examples/, as an SVG that appears command by command.

usage: recording.py PROGRAM OUT
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

COLUMNS = 112
LINE_HEIGHT = 18
CHARACTER_WIDTH = 7.8
MARGIN = 16
# How long a command is looked at before the next one appears, in seconds.
PAUSE = 4

INPUT = "-f examples/flux-system --tags-from examples/tags.json"
COMMANDS = [
    f"diff {INPUT} --worktree .",
    f"explain policy worker --tag 2026.06.01-def5678 {INPUT} --worktree .",
    "lint examples",
]
COLOURS = {"31": "#f47067", "32": "#57ab5a", "33": "#daaa3f", "34": "#539bf5", "35": "#b083f0", "36": "#39c5cf"}
PLAIN, DIM, BACKGROUND = "#adbac7", "#768390", "#22272e"


def repository(folder):
    """The examples as a repository whose commit is the same everywhere."""
    root = Path(__file__).resolve().parent.parent.parent
    shutil.copytree(root / "examples", folder / "examples")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {
            f"GIT_{role}_NAME": "team",
            f"GIT_{role}_EMAIL": "team@example.com",
            f"GIT_{role}_DATE": "2026-06-01T12:00:00Z",
        }
    for arguments in (["init", "-q", "-b", "main"], ["add", "examples"], ["commit", "-q", "-m", "Examples"]):
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True)
    return environment


def printed(program, folder, environment, command):
    """Both outputs of a command in their order."""
    ran = subprocess.run(
        [program, *command.split(), "--color=always"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode > 1:
        sys.exit(f"recording.py: {command} ends with {ran.returncode}: {ran.stdout.decode()}")
    return ran.stdout.decode()


def pieces(line):
    """The parts of a line with the styles in force: a set of SGR numbers for each."""
    styles, parts = set(), []
    for text in re.split(r"(\x1b\[[0-9;]*m)", line):
        if text.startswith("\x1b["):
            for number in text[2:-1].split(";"):
                styles = set() if number in ("", "0") else styles | {number}
        elif text:
            parts.append((text, styles))
    return parts


def rows(line):
    """A line as a terminal breaks it."""
    row, room = [], COLUMNS
    for text, styles in pieces(line):
        while len(text) > room:
            row.append((text[:room], styles))
            yield row
            text, row, room = text[room:], [], COLUMNS
        row.append((text, styles))
        room -= len(text)
    yield row


def attributes(styles):
    colour = next((COLOURS[style] for style in styles if style in COLOURS), DIM if "2" in styles else PLAIN)
    written = f'fill="{colour}"'
    if "1" in styles or "7" in styles:
        written += ' font-weight="bold"'
    if "7" in styles:
        written += ' text-decoration="underline"'
    return written


def text_of(row, y):
    spans = "".join(f"<tspan {attributes(styles)}>{escape(text, quote=False)}</tspan>" for text, styles in row)
    return f'<text x="{MARGIN}" y="{y}" xml:space="preserve">{spans}</text>'


def picture(outputs):
    y, groups = MARGIN, []
    for number, (command, output) in enumerate(outputs):
        lines = [f"\x1b[32m$\x1b[0m \x1b[1mkubectl imageauto {command}\x1b[0m", *output.splitlines(), ""]
        texts = []
        for line in lines:
            for row in rows(line):
                y += LINE_HEIGHT
                if row:
                    texts.append(text_of(row, y))
        groups.append(f'<g class="c{number}">\n' + "\n".join(texts) + "\n</g>")
    width, height = int(2 * MARGIN + COLUMNS * CHARACTER_WIDTH), y + MARGIN
    delays = "".join(f".c{number}{{animation-delay:{number * PAUSE}s}}" for number in range(len(outputs)))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
            "<title>kubectl imageauto diff, explain and lint on the example</title>",
            "<style>",
            "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}",
            "g{animation:appear .3s both}@keyframes appear{from{opacity:0}}" + delays,
            "@media (prefers-reduced-motion){g{animation:none}}",
            "</style>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            *groups,
            "</svg>\n",
        ]
    )


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, out = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = repository(folder)
        outputs = [(command, printed(program, folder, environment, command)) for command in COMMANDS]
    out.write_text(picture(outputs), encoding="utf-8")


if __name__ == "__main__":
    main()
