#!/usr/bin/env python3
"""Writes man pages from the program's own help: kubectl-imageauto.1, and kubectl-imageauto-COMMAND.1 for each command."""

import pathlib
import re
import subprocess
import sys

NAME = "kubectl-imageauto"


def said(program, *words):
    return subprocess.run([program, *words], check=True, stdout=subprocess.PIPE, text=True, env={"COLUMNS": "76"}).stdout


def plain(text):
    """Text as roff wants it: nothing in it is an order."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.splitlines())


def commands(help_text):
    """The names in the list of commands."""
    block = help_text.split("\nCommands:\n", 1)[1].split("\n\n", 1)[0]
    return [name for name in re.findall(r"^  ([a-z]+) ", block, re.MULTILINE) if name != "help"]


def page(name, help_text, version, others):
    """One page."""
    about, _, rest = help_text.partition("\nUsage: ")
    usage, _, rest = rest.partition("\n\n")
    first, _, more = about.strip().partition("\n\n")
    parts = [
        f'.TH {name.upper()} 1 "" "{NAME} {version}"',
        ".SH NAME",
        f"{plain(name)} \\- {plain(' '.join(first.split()))}",
        ".SH SYNOPSIS",
        plain(" ".join(usage.split())),
    ]
    if more.strip():
        parts += [".SH DESCRIPTION", plain(re.sub(r"\n\n+", "\n.PP\n", more.strip())).replace("\\&.PP", ".PP")]
    heading = re.compile(r"^([A-Z][A-Za-z ]*):$", re.MULTILINE)
    cut = heading.split(rest)
    for title, text in zip(cut[1::2], cut[2::2]):
        parts += [f".SH {title.upper()}", ".nf", plain(text.strip("\n")), ".fi"]
    if others:
        parts += [".SH SEE ALSO", ", ".join(f"{plain(other)}(1)" for other in others)]
    return "\n".join(parts) + "\n"


def main():
    program, out = sys.argv[1], pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    version = said(program, "version").split()[1]
    top = said(program, "--help")
    names = commands(top)
    pages = {NAME: page(NAME, top, version, [f"{NAME}-{name}" for name in names])}
    for name in names:
        pages[f"{NAME}-{name}"] = page(f"{NAME}-{name}", said(program, name, "--help"), version, [NAME])
    for name, text in pages.items():
        (out / f"{name}.1").write_text(text, newline="\n")
    print(f"{out}: {len(pages)} pages")


if __name__ == "__main__":
    main()
