# The index of verbs; each calls the script that CI calls.

# List the verbs.
default:
    @just --list

# Is the code formatted?
format:
    scripts/format

# Clippy, warnings as errors.
lint:
    scripts/lint

# Unit, CLI, vectors, recordings: Rust and git only.
test:
    scripts/hermetic

# reconcile killed at every step, and on full disks: strace besides.
faults:
    scripts/faults

# The suites on the real control plane: Go, a C compiler and OpenSSH besides; 25 to 35 minutes the first time.
control-plane:
    scripts/control-plane

# Ask the running controllers again and write their answers to testdata/recordings.
record:
    IMAGEAUTO_RECORD=1 scripts/control-plane

# Templates of ever new seeds against Go's own text/template and Sprig, for so many minutes (Go besides).
fuzz-template minutes="10":
    IMAGEAUTO_FUZZ_MINUTES={{minutes}} scripts/fuzz-template

# Choices among 100,000 tags, beside the controllers' libraries (Go besides).
bench-policy:
    scripts/bench-policy

# Compare generated policies with the Go libraries for some minutes, from another seed each time.
fuzz-policy minutes="10":
    scripts/fuzz-policy {{minutes}}

# The release binary.
release:
    scripts/release-build

# Start-up time and memory.
bench:
    scripts/bench

# get and diff on the article's cluster, beside flux (Go besides).
bench-live:
    scripts/bench-live

# doctor on a cluster of 2,000 image objects (Go besides), and lint over 10,000 files.
bench-doctor:
    scripts/bench-doctor

# tags behind a slow line, beside crane (Go besides).
bench-registry:
    scripts/bench-registry

# Ask the libraries of the controller about new YAML for some minutes (Go besides); what disagrees is saved.
fuzz-yaml MINUTES:
    cargo test --locked --test fuzz-yaml -- {{MINUTES}}

# Rewriting of large trees, beside a Go program with the controller's libraries and grep (Go besides).
bench-rewrite:
    scripts/bench-rewrite

# The archives, checksums and bill of materials in dist/ (python3 besides): all targets that can be built here, or `--target T`.
dist *arguments:
    scripts/dist {{arguments}}

# The tests of the command line with the static program in dist/.
dist-test:
    scripts/dist-test

# Man pages in dist/man, written from the help.
man:
    cargo build --locked --bin kubectl-imageauto
    python3 scripts/packaging/man.py "${CARGO_TARGET_DIR:-target}/debug/kubectl-imageauto" dist/man

# krew-manifest.yaml and packaging/flux from the archives in dist/.
krew-manifest:
    scripts/krew-manifest

# Do two clean clones give the same archive? Two release builds, unless nothing that decides it has changed.
reproducible *arguments:
    scripts/reproducible {{arguments}}

# Which crates take more than 300 kB of the program, and what for.
size:
    scripts/size

# What the dependencies may be.
deny:
    scripts/deny

# Accept the help and the golden files as they are now.
accept:
    UPDATE=1 cargo test --locked

# All that CI runs.
ci:
    .ci/run
