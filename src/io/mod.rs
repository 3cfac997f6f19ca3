//! Fetches and stores; decides nothing, prints nothing, knows no flags.

pub mod cluster;
pub mod completion_link;
pub mod docker_config;
mod files;
pub mod git;
pub mod github_app;
pub mod kustomize;
pub mod local_file;
pub mod manifests;
mod objects;
pub mod observer;
mod program;
pub mod recording;
pub mod registry;
pub mod signing;
pub mod snapshot;
pub mod temporary;

pub(crate) use files::visit_files;

/// Ends what runs and removes what lies on disk; for the moment before an interrupted process ends.
pub fn abandon() {
    program::end_all();
    temporary::remove_all();
}

/// The error as Go prints it, without Rust's `(os error N)`.
pub(crate) fn error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default()
}
