//! The YAML dialect of kyaml 0.21.1 and go-yaml 3.0.4: bytes to documents with comments to bytes. Pure, ignorant of Flux.
