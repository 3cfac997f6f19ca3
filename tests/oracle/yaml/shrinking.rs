//! Makes a case that shows something as small as it can be while it still shows it.

use std::time::{Duration, Instant};

use super::case::Case;

/// Takes files, lines and bytes away as long as `shows` stays true and there is time.
pub fn shrink(mut case: Case, limit: Duration, mut shows: impl FnMut(&Case) -> bool) -> Case {
    let end = Instant::now() + limit;
    let mut at = 0;
    while case.files.len() > 1 && at < case.files.len() {
        let mut smaller = case.clone();
        smaller.files.remove(at);
        if shows(&smaller) {
            case = smaller;
        } else {
            at += 1;
        }
    }
    for file in 0..case.files.len() {
        for split in [by_lines as fn(&[u8]) -> Vec<Vec<u8>>, by_bytes] {
            let mut size = split(&case.files[file].1).len().div_ceil(2).max(1);
            loop {
                let mut at = 0;
                let mut changed = false;
                loop {
                    let pieces = split(&case.files[file].1);
                    if at >= pieces.len() || Instant::now() > end {
                        break;
                    }
                    let to = pieces.len().min(at + size);
                    let mut smaller = case.clone();
                    smaller.files[file].1 = [&pieces[..at], &pieces[to..]].concat().concat();
                    if shows(&smaller) {
                        case = smaller;
                        changed = true;
                    } else {
                        at += size;
                    }
                }
                if size == 1 && !changed {
                    break;
                }
                if !changed {
                    size = size.div_ceil(2);
                }
                if Instant::now() > end {
                    break;
                }
            }
        }
    }
    case
}

fn by_lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

fn by_bytes(text: &[u8]) -> Vec<Vec<u8>> {
    text.iter().map(|byte| vec![*byte]).collect()
}
