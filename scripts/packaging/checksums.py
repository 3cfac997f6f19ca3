#!/usr/bin/env python3
"""Writes flux-imageauto_VERSION_checksums.txt as sha256sum does, over the version's archives and SBOM that exist."""

import argparse
import hashlib
import pathlib


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    stem = f"flux-imageauto_{args.version}_"
    out = pathlib.Path(args.out)
    checksums = out / f"{stem}checksums.txt"
    files = sorted(path for path in out.glob(f"{stem}*") if path != checksums)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    checksums.write_text("".join(lines), newline="\n")


if __name__ == "__main__":
    main()
