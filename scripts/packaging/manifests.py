#!/usr/bin/env python3
"""Writes krew's and flux's manifests from the archives that the checksums name; a platform without an archive is left out.

All URLs come from Cargo.toml's `repository`.
"""

import argparse
import pathlib
import re
import sys

# The order that flux's catalogue asks for.
PLATFORMS = [
    ("darwin", "amd64"),
    ("darwin", "arm64"),
    ("linux", "amd64"),
    ("linux", "arm64"),
    ("windows", "amd64"),
    ("windows", "arm64"),
]
SHORT = "Preview and explain Flux image automation"
ABOUT = """\
Shows what Flux's image automation would push before it happens, explains why
a policy, a marker or a workload does not get the new image, finds what is or
will be wrong, and carries the update out when asked to. It repeats what
image-reflector-controller and image-automation-controller decide."""
CAVEATS = """\
To complete commands and names with kubectl's completion, run once:
  kubectl imageauto completion install
and before uninstalling:
  kubectl imageauto completion uninstall"""


def cargo(key):
    """A text of Cargo.toml's package."""
    found = re.search(rf'^{key} = "(.*)"$', pathlib.Path("Cargo.toml").read_text(), re.MULTILINE)
    return found.group(1) if found else sys.exit(f"Cargo.toml has no {key}")


def archives(checksums, version):
    """(os, arch, file, sha256) of each archive."""
    sums = {}
    for line in pathlib.Path(checksums).read_text().splitlines():
        digest, _, name = line.partition("  ")
        sums[name] = digest
    for system, architecture in PLATFORMS:
        suffix = "zip" if system == "windows" else "tar.gz"
        name = f"flux-imageauto_{version}_{system}_{architecture}.{suffix}"
        if name in sums:
            yield system, architecture, name, sums[name]


def indented(text, by):
    return "\n".join(" " * by + line for line in text.splitlines())


def krew(version, repository, built):
    """The manifest for krew-index."""
    lines = [
        "# Written by `just krew-manifest` from the archives that exist.",
        "apiVersion: krew.googlecontainertools.github.com/v1alpha2",
        "kind: Plugin",
        "metadata:",
        "  name: imageauto",
        "spec:",
        f"  version: v{version}",
        f"  homepage: {repository}",
        f"  shortDescription: {SHORT}",
        "  description: |",
        indented(ABOUT, 4),
        "  caveats: |",
        indented(CAVEATS, 4),
        "  platforms:",
    ]
    for system, architecture, name, digest in built:
        lines += [
            "    - selector:",
            "        matchLabels:",
            f"          os: {system}",
            f"          arch: {architecture}",
            f"      uri: {repository}/releases/download/v{version}/{name}",
            f"      sha256: {digest}",
            f"      bin: flux-imageauto{'.exe' if system == 'windows' else ''}",
        ]
    return "\n".join(lines) + "\n"


def flux(version, repository, built):
    """The manifest for the catalogue of flux plugins."""
    lines = [
        "# Written by `just krew-manifest` from the archives that exist.",
        "apiVersion: cli.fluxcd.io/v1beta1",
        "kind: Plugin",
        "name: imageauto",
        f"description: {SHORT}",
        f"homepage: {repository}",
        f"source: {repository}",
        "bin: flux-imageauto",
        "versions:",
        f"  - version: {version}",
        "    platforms:",
    ]
    for system, architecture, name, digest in built:
        lines += [
            f"      - os: {system}",
            f"        arch: {architecture}",
            f"        url: {repository}/releases/download/v{version}/{name}",
            f"        checksum: sha256:{digest}",
        ]
    return "\n".join(lines) + "\n"


def item(repository):
    """The catalogue's own entry."""
    return "\n".join(
        [
            "# Written by `just krew-manifest`; an entry of the catalogue's catalog.yaml.",
            "name: imageauto",
            f"description: {SHORT}",
            f"homepage: {repository}",
            f"source: {repository}",
            f"license: {cargo('license')}\n",
        ]
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checksums", required=True)
    parser.add_argument("--out", default=".")
    args = parser.parse_args()
    version, repository = cargo("version"), cargo("repository")
    built = list(archives(args.checksums, version))
    if not built:
        sys.exit(f"{args.checksums} names no archive of version {version}: run just dist first")
    out = pathlib.Path(args.out)
    (out / "packaging" / "flux").mkdir(parents=True, exist_ok=True)
    for path, text in [
        ("krew-manifest.yaml", krew(version, repository, built)),
        ("packaging/flux/imageauto.yaml", flux(version, repository, built)),
        ("packaging/flux/catalog-item.yaml", item(repository)),
    ]:
        (out / path).write_text(text, newline="\n")
    known = [(system, architecture) for system, architecture, _, _ in built]
    for system, architecture in PLATFORMS:
        if (system, architecture) not in known:
            print(f"left out: {system} {architecture}: no archive", file=sys.stderr)


if __name__ == "__main__":
    main()
