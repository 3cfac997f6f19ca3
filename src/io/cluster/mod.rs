//! The Kubernetes API; the only place that names kube.

mod client;
mod connection;
mod error;
mod objects;
mod proxy;
mod transport;

pub use client::Cluster;
pub use connection::{Connection, ConnectionSettings, contexts, settle};
pub use error::ClusterError;
pub use objects::{Listed, Scope};

pub use super::objects::add;
