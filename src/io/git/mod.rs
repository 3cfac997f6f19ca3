//! The only place that names git: local work trees, read through the `git` program.

mod work_tree;

pub use work_tree::{GitError, ignored, read_files, top_of, work_tree};
