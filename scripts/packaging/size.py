#!/usr/bin/env python3
"""Tells how many bytes of a program with symbols come from which crate."""

import collections
import re
import subprocess
import sys

# What each large crate is for.
PURPOSES = {
    "std": "Rust's own library, with its generic code that others filled in",
    "core": "Rust's own library, with its generic code that others filled in",
    "alloc": "Rust's own library, with its generic code that others filled in",
    "imageauto": "this program",
    "imageauto_decisions": "what the controllers decide and write",
    "kube_client": "kubeconfig, exec plugins, the API server",
    "k8s_openapi": "types of the Kubernetes API",
    "clap_builder": "command line and help",
    "regex_automata": "policies' patterns",
    "regex_syntax": "policies' patterns, with Unicode's tables",
    "serde_saphyr": "YAML to structs",
    "saphyr_parser": "YAML to structs",
    "granit_parser": "YAML to structs",
    "serde_path_to_error": "structs from objects, with the place of what is wrong",
    "rustls": "TLS",
    "ring": "cryptography of TLS",
    "reqwest": "registries",
    "hyper": "HTTP",
    "hyper_util": "HTTP",
    "h2": "HTTP/2",
    "tokio": "waiting for many answers at once",
    "pgp": "commits signed with OpenPGP keys",
    "ssh_key": "commits signed with ssh keys",
    "rsa": "keys of signatures and GitHub Apps",
    "jiff": "time and time zones",
    "similar": "unified diffs",
}
LIMIT = 300_000


def crate(symbol):
    """The crate that a demangled symbol's code belongs to."""
    found = re.match(r"^<?(?:&?(?:mut )?)?\[?([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::", symbol)
    return found.group(1) if found else "other (C, tables, closures without a name)"


def main():
    program = sys.argv[1]
    listed = subprocess.run(["nm", "--print-size", "--demangle", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    sizes = collections.Counter()
    for line in listed.splitlines():
        # Symbols without a size have no second number.
        found = re.match(r"^[0-9a-f]+ ([0-9a-f]+) [tTrRdDwWvV] (.*)$", line)
        if found:
            sizes[crate(found.group(2))] += int(found.group(1), 16)
    for name, size in sizes.most_common():
        if size >= LIMIT:
            print(f"{size / 1e3:8.0f} kB  {name:24} {PURPOSES.get(name, '')}")


if __name__ == "__main__":
    main()
