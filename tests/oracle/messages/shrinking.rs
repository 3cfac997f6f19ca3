//! Makes a case that shows something as small as it can be while it still shows it.

use std::time::Instant;

use super::case::MessageCase;

/// Takes data, then ever smaller pieces of the template away as long as `shows` stays true and there is time.
///
/// `shows` judges several candidates at once.
pub(super) fn shrunk(
    mut case: MessageCase,
    until: Instant,
    shows: impl Fn(&[&MessageCase]) -> Vec<bool>,
) -> MessageCase {
    for smaller in with_less_data(&case) {
        if shows(&[&smaller])[0] {
            case = smaller;
        }
    }
    let mut size = case.template.chars().count().div_ceil(2);
    while size > 0 && Instant::now() < until {
        let candidates = without_pieces(&case, size);
        let shown = shows(&candidates.iter().collect::<Vec<_>>());
        match candidates.into_iter().zip(shown).find(|(_, shows)| *shows) {
            Some((smaller, _)) => case = smaller,
            None => size /= 2,
        }
    }
    case
}

fn with_less_data(case: &MessageCase) -> Vec<MessageCase> {
    let mut smaller = Vec::new();
    smaller.push(MessageCase {
        values: Default::default(),
        ..case.clone()
    });
    for count in 1..case.changed.len() {
        let changed = case.changed[..count].to_vec();
        let updated_images = case.updated_images.clone();
        smaller.push(MessageCase {
            values: Default::default(),
            changed,
            updated_images,
            ..case.clone()
        });
    }
    smaller.reverse();
    smaller
}

/// The case without each piece of so many characters.
fn without_pieces(case: &MessageCase, size: usize) -> Vec<MessageCase> {
    let characters: Vec<char> = case.template.chars().collect();
    // Pieces overlap, so that what has to go together does.
    let step = size.div_ceil(2);
    (0..characters.len())
        .step_by(step)
        .map(|start| {
            let end = characters.len().min(start + size);
            let kept = characters[..start].iter().chain(&characters[end..]);
            MessageCase {
                template: kept.collect(),
                ..case.clone()
            }
        })
        .collect()
}
