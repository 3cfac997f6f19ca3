#!/usr/bin/env python3
"""Writes the bill of materials (CycloneDX 1.5): the crates that Cargo.lock pins for the release's targets, without dev-dependencies."""

import argparse
import datetime
import json
import os
import pathlib
import subprocess

TARGETS = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin", "x86_64-pc-windows-gnu"]


def reached(metadata):
    """The ids of the packages that the program is built from."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, waiting = set(), [metadata["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package in seen:
            continue
        seen.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return seen


def checksums():
    """The checksums of Cargo.lock, by name and version."""
    found, package = {}, {}
    for line in pathlib.Path("Cargo.lock").read_text().splitlines() + ["[[package]]"]:
        if line == "[[package]]":
            found[package.get("name"), package.get("version")] = package.get("checksum")
            package = {}
        elif " = " in line:
            key, value = line.split(" = ", 1)
            package[key] = value.strip('"')
    return found


def component(package, checksum):
    """One crate."""
    url = f"pkg:cargo/{package['name']}@{package['version']}"
    entry = {"type": "library", "bom-ref": url, "name": package["name"], "version": package["version"], "purl": url}
    if package.get("license"):
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    for target in TARGETS:
        command += ["--filter-platform", target]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    wanted = reached(metadata)
    packages = {package["id"]: package for package in metadata["packages"]}
    root = packages[metadata["resolve"]["root"]]
    sums = checksums()
    crates = sorted((packages[one] for one in wanted if one != root["id"]), key=lambda one: (one["name"], one["version"]))
    moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {**component(root, None), "type": "application"},
        },
        "components": [component(one, sums.get((one["name"], one["version"]))) for one in crates],
    }
    path = pathlib.Path(args.out) / f"flux-imageauto_{args.version}_sbom.cdx.json"
    path.write_text(json.dumps(document, indent=1) + "\n", newline="\n")
    print(f"{path}: {len(crates)} crates")


if __name__ == "__main__":
    main()
