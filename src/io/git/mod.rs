//! The only place that names git: local work trees and clones, read through the `git` program.

mod certificates;
mod clone;
mod clone_error;
mod commit;
mod fault;
mod history;
mod http_trace;
mod local;
mod local_change;
mod objects;
mod on_disk;
mod private;
mod push;
mod redirect;
mod remote;
mod revision;
mod socks;
mod ssh;
mod tree_files;
mod work_tree;

pub use clone::{Clone, CloneRequest, clone};
pub use clone_error::CloneError;
pub use commit::NewFile;
pub use fault::CloneErrorKind;
pub use history::History;
pub use local::{LocalCommit, LocalFile, LocalFolder};
pub use local_change::{FINISH, finish};
pub use push::{Expected, Push, PushError, PushErrorKind, Pushed, Pushing};
pub use revision::Revision;
pub use socks::{COMPLAINT, RELAY, relay};
pub use tree_files::TreeFiles;
pub use work_tree::{GitError, top_of};
