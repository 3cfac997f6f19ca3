//! Many files at a time, side by side.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error_text;

/// How many things a thread takes at a time: enough that they don't wait for each other.
const AT_A_TIME: usize = 32;

/// What is longer is read by none who writes files again.
const LONGEST: usize = 2 << 30;

/// Looks at `count` files below `top`, whose paths `path` gives, side by side, and keeps what `look` makes of them, with their numbers, in
/// order.
///
/// Only one file for each thread is in memory at a time.
pub fn visit_files<'p, T: Send>(
    top: &Path,
    count: usize,
    path: &(impl Fn(usize) -> Cow<'p, str> + Sync),
    look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
) -> Vec<(usize, T)> {
    side_by_side(count, |scratch: &mut Scratch, at| {
        let read = scratch.read(&top.join(&*path(at)), LONGEST);
        look(at, read.map_err(|error| error_text(&error)))
    })
}

/// The same for files of `longest` bytes at most, wherever they are: a longer one can't be read.
pub fn visit_files_up_to<T: Send>(
    longest: usize,
    paths: &[&Path],
    look: &(impl Fn(usize, Result<&[u8], String>) -> Option<T> + Sync),
) -> Vec<(usize, T)> {
    side_by_side(paths.len(), |scratch: &mut Scratch, at| {
        let read = scratch.read(paths[at], longest);
        look(at, read.map_err(|error| error_text(&error)))
    })
}

/// What comes of `count` things, several being looked at at a time, with their numbers, in order. Each thread has room of its own.
pub(super) fn side_by_side<R: Default, T: Send>(
    count: usize,
    look: impl Fn(&mut R, usize) -> Option<T> + Sync,
) -> Vec<(usize, T)> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
        .min(count.div_ceil(AT_A_TIME).max(1));
    let taken = AtomicUsize::new(0);
    let visit = || {
        let mut kept = Vec::new();
        let mut room = R::default();
        loop {
            let start = taken.fetch_add(AT_A_TIME, Ordering::Relaxed);
            if start >= count {
                return kept;
            }
            for at in start..count.min(start + AT_A_TIME) {
                kept.extend(look(&mut room, at).map(|made| (at, made)));
            }
        }
    };
    let kept: Vec<Vec<(usize, T)>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(visit)).collect();
        let own = visit();
        let joined = others.into_iter().map(|other| {
            other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        std::iter::once(own).chain(joined).collect()
    });
    merged(kept)
}

/// One list in order, from lists in order.
fn merged<T>(lists: Vec<Vec<(usize, T)>>) -> Vec<(usize, T)> {
    let mut all = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let first = |list: &std::vec::IntoIter<(usize, T)>| {
        let first = list.as_slice().first();
        first.map_or(usize::MAX, |(at, _)| *at)
    };
    all.extend(std::iter::from_fn(|| {
        lists.iter_mut().min_by_key(|list| first(list))?.next()
    }));
    all
}

/// Reads to the end, which comes after `longest` bytes at most.
///
/// # Errors
///
/// There is more, or it can't be read.
pub(super) fn read_up_to(longest: usize, from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(longest).map_or(u64::MAX, |longest| longest.saturating_add(1));
    from.take(most).read_to_end(&mut bytes)?;
    if bytes.len() > longest {
        return Err(too_long(longest));
    }
    Ok(bytes)
}

fn too_long(longest: usize) -> std::io::Error {
    std::io::Error::other(format!(
        "it is longer than {} MiB, and no more is read of one file: split it",
        longest >> 20
    ))
}

/// Room for one file at a time.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
}

impl Scratch {
    /// What most files fit into.
    const USUAL: usize = 1 << 16;
    /// So much room isn't kept for the next file.
    const LARGE: usize = 1 << 20;

    fn read(&mut self, path: &Path, longest: usize) -> std::io::Result<&[u8]> {
        let mut file = fs::File::open(path)?;
        if self.bytes.len() > Self::LARGE {
            self.bytes = Vec::new();
        }
        if self.bytes.is_empty() {
            self.bytes = vec![0; Self::USUAL];
        }
        let mut filled = 0;
        loop {
            if filled > longest {
                return Err(too_long(longest));
            }
            if filled == self.bytes.len() {
                let size = usize::try_from(file.metadata()?.len()).unwrap_or(0);
                let wanted = (size + 1).max(2 * filled);
                self.bytes.resize(wanted.min(longest + 1), 0);
            }
            match file.read(&mut self.bytes[filled..]) {
                Ok(0) => return Ok(&self.bytes[..filled]),
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
