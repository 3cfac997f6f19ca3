//! The Kubernetes API; the only place that names kube.

mod client;
mod connection;
mod dry_run;
mod error;
mod objects;
mod proxy;
mod recording;
mod transport;
mod watch;

pub use client::Cluster;
pub use connection::{Connection, ConnectionSettings, contexts, settle};
pub use dry_run::{DryRunRequest, KnownResources, LiveAnswer, ObjectPlace, Sent};
pub use error::ClusterError;
pub use objects::{Listed, Scope};
pub use recording::{Exchange, Heard, RecordedCluster, Recorder};
pub use watch::{WatchEnd, WatchEvent, Watched};

pub use super::objects::add;
