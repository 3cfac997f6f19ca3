//! The second stage: what registries and git servers have, asked side by side.

use crate::failure::Failure;

use super::checkout::{Checkouts, checkouts};
use super::request::Request;
use super::scan::scan;
use super::session::Session;
use super::stages::{Inputs, Scans};

/// Lists the tags that decisions hang on, and gets the files of every automation of the run.
///
/// # Errors
///
/// The recording of tags can't be read, a flag makes no sense for a source, or the cluster can't be asked for
/// credentials. A registry or a git server that fails stands in the result.
pub fn fetch(
    request: &Request,
    inputs: &Inputs,
    session: &Session,
) -> Result<(Scans, Checkouts), Failure> {
    std::thread::scope(|scope| {
        let files = scope.spawn(|| checkouts(request, inputs, session));
        let scans = scan(request, inputs, session);
        let files = files
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((scans?, files?))
    })
}
