#!/usr/bin/env python3
"""Writes one release archive: the program and LICENSE at the root, in this order, with the commit's time and nobody's name."""

import argparse
import gzip
import io
import os
import pathlib
import sys
import tarfile
import time
import zipfile

# Rust's targets in the words of Go, krew and flux.
SYSTEMS = {
    "x86_64-apple-darwin": ("darwin", "amd64"),
    "aarch64-apple-darwin": ("darwin", "arm64"),
    "x86_64-unknown-linux-musl": ("linux", "amd64"),
    "aarch64-unknown-linux-musl": ("linux", "arm64"),
    "x86_64-pc-windows-gnu": ("windows", "amd64"),
    "x86_64-pc-windows-msvc": ("windows", "amd64"),
}
NAME = "flux-imageauto"


def tar(members, moment, level):
    """A gzipped tar archive as bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content, mode in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, moment
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=level, mtime=0) as stream:
        stream.write(plain.getvalue())
    return packed.getvalue()


def zipped(members, moment, level):
    """A zip archive as bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content, mode in members:
            entry = zipfile.ZipInfo(name, time.gmtime(max(moment, 315532800))[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def main():
    parser = argparse.ArgumentParser()
    for name in ("version", "target", "program", "license", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--level", type=int, default=9, help="how hard to compress; tests are in a hurry")
    args = parser.parse_args()
    if args.target not in SYSTEMS:
        sys.exit(f"{args.target}: no archive is made for it, only for {', '.join(SYSTEMS)}")
    system, architecture = SYSTEMS[args.target]
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    windows = system == "windows"
    program = pathlib.Path(args.program).read_bytes()
    members = [
        (NAME + (".exe" if windows else ""), program, 0o755),
        ("LICENSE", pathlib.Path(args.license).read_bytes(), 0o644),
    ]
    suffix = "zip" if windows else "tar.gz"
    path = pathlib.Path(args.out) / f"{NAME}_{args.version}_{system}_{architecture}.{suffix}"
    path.write_bytes((zipped if windows else tar)(members, moment, args.level))
    print(f"{path}: program {len(program) / 1e6:.2f} MB, archive {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
