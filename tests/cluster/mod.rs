//! The real control plane: built once, started once for each test binary, and ended with it.
//!
//! [`control_plane`] gives it, or `None` where Go isn't installed (an error when `CI` is set).

use std::io::Write as _;

mod alerting;
pub mod api;
pub mod article;
mod clones;
pub mod clusters;
pub mod command_line;
pub mod control_plane;
pub mod definitions;
mod dry_run;
pub mod forge;
pub mod gpg;
#[path = "../json_schema.rs"]
mod json_schema;
mod live;
pub mod objects;
mod outcomes;
mod plugins;
pub mod programs;
mod pushes;
mod recipes;
mod registries;
pub mod registry;
pub mod repository;
mod scans;
mod situations;
pub mod socks;
pub mod ssh;
mod triggers;

pub use control_plane::{ControlPlane, control_plane};

/// Writes a line to the terminal, past the capture of the test harness: these suites take minutes and say where they are.
pub fn tell(line: &str) {
    // A closed stderr only costs the reader the line.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Maps `items` on a few threads, in order: most of the time goes into waiting for the other side.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const THREADS: usize = 8;
    let slice = items.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(slice)
            .map(|part| scope.spawn(|| part.iter().map(&work).collect::<Vec<R>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}
