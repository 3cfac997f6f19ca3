//! The suites that ask the running thing: a Kubernetes API server, Flux's two image controllers, a registry and git
//! servers, built from pinned Go modules. `cargo test --test control-plane` runs them; they need Go and git besides, and
//! the git forge a C compiler and OpenSSH.

mod cluster;
mod oracle;
