//! The suites that ask the running thing: a Kubernetes API server, Flux's two image controllers, a registry and a git
//! server, built from pinned Go modules. `cargo test --test control-plane` runs them; they need Go and git besides.

mod cluster;
mod oracle;
