//! Makes a tree that shows something as small as it can be while it still shows it.

use std::time::{Duration, Instant};

use super::tree::{Entry, Tree};

/// Takes entries and lines away as long as `shows` stays true and there is time.
pub fn shrink(mut tree: Tree, limit: Duration, mut shows: impl FnMut(&Tree) -> bool) -> Tree {
    let end = Instant::now() + limit;
    let mut attempt = |tree: &mut Tree, smaller: Tree| {
        let is_smaller = Instant::now() < end && shows(&smaller);
        if is_smaller {
            *tree = smaller;
        }
        is_smaller
    };
    let mut without_path = tree.clone();
    without_path.below.clear();
    attempt(&mut tree, without_path);
    let paths: Vec<Vec<u8>> = tree.entries.keys().cloned().collect();
    for path in &paths {
        let mut smaller = tree.clone();
        smaller.entries.remove(path);
        attempt(&mut tree, smaller);
    }
    for path in &paths {
        let mut at = 0;
        while let Some(Entry::File(bytes)) = tree.entries.get(path) {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            if at >= lines.len() || Instant::now() > end {
                break;
            }
            lines.remove(at);
            let entry = Entry::File(lines.concat());
            let mut smaller = tree.clone();
            smaller.entries.insert(path.clone(), entry);
            if !attempt(&mut tree, smaller) {
                at += 1;
            }
        }
    }
    tree
}
