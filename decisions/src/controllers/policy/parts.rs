//! Mirrors nothing of the controller, which looks at one tag after the other: the parts of a long list, side by side.

use std::hint::black_box;
use std::num::NonZero;
use std::panic;
use std::sync::LazyLock;
use std::thread;

/// To start a thread takes as long as some thousand tags do.
const SMALLEST_PART: usize = 8_192;

/// How many parts can be worked on at a time; asking takes long.
static MOST_PARTS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// The results of the list's parts in their order; each is told the place in the list where it begins. There is at least
/// one part.
pub(super) fn in_parts<'l, T: Sync, R: Send>(
    list: &'l [T],
    work: impl Fn(usize, &'l [T]) -> R + Sync,
) -> Vec<R> {
    let count = (list.len() / SMALLEST_PART).clamp(1, *MOST_PARTS);
    let length = list.len().div_ceil(count);
    let (first, rest) = list.split_at(length);
    thread::scope(|scope| {
        let started: Vec<_> = rest
            .chunks(length.max(1))
            .zip(1..)
            .map(|(part, number)| {
                let work = &work;
                let start = number * length;
                thread::Builder::new()
                    .spawn_scoped(scope, move || work(start, part))
                    .map_err(|_| (start, part))
            })
            .collect();
        let mut results = vec![work(0, first)];
        // What no thread could be started for is done here.
        results.extend(started.into_iter().map(|thread| {
            match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|why| panic::resume_unwind(why)),
                Err((start, part)) => work(start, part),
            }
        }));
        results
    })
}

/// The texts in their order, some being fetched together before the first of them is read: they stand anywhere in memory,
/// and to wait for one after the other takes longer than to read them.
pub(super) fn ahead<T: AsRef<str>>(list: &[T]) -> impl Iterator<Item = &T> {
    const TOGETHER: usize = 32;
    let first = |text: &T| {
        text.as_ref()
            .as_bytes()
            .first()
            .copied()
            .unwrap_or_default()
    };
    list.chunks(TOGETHER).flat_map(move |some| {
        black_box(some.iter().map(first).fold(0, |all, byte| all ^ byte));
        some
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_list() {
        for length in [0, 1, SMALLEST_PART, 3 * SMALLEST_PART + 5] {
            let list: Vec<usize> = (0..length).collect();
            let parts = in_parts(&list, |start, part| {
                assert!(part.iter().copied().eq(start..start + part.len()));
                part
            });
            assert_eq!(parts.concat(), list);
        }
    }

    #[test]
    fn what_is_fetched_ahead_is_the_list() {
        for length in [0, 1, 31, 32, 33, 100] {
            let list: Vec<String> = (0..length).map(|number| number.to_string()).collect();
            assert!(ahead(&list).eq(&list));
        }
        assert!(ahead(&["", "a"]).eq(&["", "a"]));
    }
}
