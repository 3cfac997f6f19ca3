//! Mirrors how `internal/controller/imagerepository_controller.go` of image-reflector-controller 1.2 records a scan in
//! `status.lastScanResult`, read backwards: whether the controller knows the tags that there are now.

use super::flux::ImageRepository;
use super::repository::{revision, sha256_revision};

/// What the controller's last scan tells, beside the tags that there are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// How many tags it stored.
    pub tag_count: u64,
    /// Their checksum, where the controller's age has one.
    pub revision: Option<String>,
    /// The checksum of the tags that there are now, in the same form; `None` where either isn't known.
    pub revision_now: Option<String>,
    /// How the two compare.
    pub currency: Currency,
}

/// Whether the controller's view is that of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Currency {
    /// The checksums agree: it has exactly these tags.
    Current,
    /// They don't.
    Stale(Changes),
    /// There is nothing to compare; why, as a clause.
    Unknown(&'static str),
}

/// What changed since the scan, as far as the few tags that a status names can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tags that it would name if it knew them, the last in byte order first.
    pub appeared: Vec<String>,
    /// Tags that it names and that are gone.
    pub disappeared: Vec<String>,
    /// Whether these account for the difference in number.
    pub all_told: bool,
}

impl View {
    /// Whether the view is current; `None`: nobody can tell.
    pub fn is_current(&self) -> Option<bool> {
        match self.currency {
            Currency::Current => Some(true),
            Currency::Stale(_) => Some(false),
            Currency::Unknown(_) => None,
        }
    }
}

/// Compares the last scan with `stored`, what a scan would store now; `None` where there was no scan yet.
pub fn view(repository: &ImageRepository, stored: Option<&[String]>) -> Option<View> {
    let last = repository.status.last_scan_result.as_ref()?;
    let known = last.revision.as_deref().filter(|known| !known.is_empty());
    let now = known.zip(stored).map(|(known, stored)| {
        if known.starts_with("sha256:") {
            sha256_revision(stored)
        } else {
            revision(stored)
        }
    });
    let currency = match (known, &now, stored) {
        (_, _, None) => Currency::Unknown("the tags that there are now are not known"),
        (Some(known), Some(now), _) if known == now => Currency::Current,
        (Some(_), _, Some(stored)) => Currency::Stale(changes(repository, stored)),
        (None, _, Some(_)) => {
            Currency::Unknown("it recorded no checksum, as controllers before Flux 2.7")
        }
    };
    Some(View {
        tag_count: last.tag_count,
        revision: known.map(str::to_owned),
        revision_now: now,
        currency,
    })
}

fn changes(repository: &ImageRepository, stored: &[String]) -> Changes {
    let last = repository
        .status
        .last_scan_result
        .clone()
        .unwrap_or_default();
    let named = last.latest_tags;
    let is_whole = usize::try_from(last.tag_count).is_ok_and(|count| count <= named.len());
    // Below the last of them the status is silent.
    let floor = named.last().filter(|_| !is_whole);
    let mut appeared: Vec<String> = stored
        .iter()
        .filter(|tag| floor.is_none_or(|floor| *tag > floor) && !named.contains(tag))
        .cloned()
        .collect();
    appeared.dedup();
    if named.is_empty() && !is_whole {
        appeared.clear();
    }
    let disappeared: Vec<String> = named
        .into_iter()
        .filter(|tag| stored.binary_search_by(|probe| tag.cmp(probe)).is_err())
        .collect();
    let count = |number: usize| i128::try_from(number).unwrap_or_default();
    let difference = count(stored.len()) - i128::from(last.tag_count);
    Changes {
        all_told: count(appeared.len()) - count(disappeared.len()) == difference
            && !(appeared.is_empty() && disappeared.is_empty()),
        appeared,
        disappeared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{ImageRepositoryStatus, Object, ScanResult};

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A repository whose last scan stored `stored`, naming the first `named` of them.
    fn scanned(stored: &[&str], named: usize, by_sha256: bool) -> ImageRepository {
        let stored = tags(stored);
        Object {
            status: ImageRepositoryStatus {
                last_scan_result: Some(ScanResult {
                    tag_count: stored.len() as u64,
                    revision: Some(if by_sha256 {
                        sha256_revision(&stored)
                    } else {
                        revision(&stored)
                    }),
                    latest_tags: stored.iter().take(named).cloned().collect(),
                    ..ScanResult::default()
                }),
                ..ImageRepositoryStatus::default()
            },
            ..Object::default()
        }
    }

    fn stale(repository: &ImageRepository, now: &[&str]) -> Changes {
        match view(repository, Some(&tags(now))).unwrap().currency {
            Currency::Stale(changes) => changes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_same_tags_have_the_same_checksum_in_both_forms() {
        for by_sha256 in [false, true] {
            let view = view(
                &scanned(&["2", "1"], 2, by_sha256),
                Some(&tags(&["2", "1"])),
            );
            let view = view.unwrap();
            assert_eq!(view.is_current(), Some(true));
            assert_eq!(view.revision, view.revision_now);
        }
    }

    #[test]
    fn what_the_status_would_name_is_told() {
        let repository = scanned(&["4", "3", "2", "1"], 2, false);
        assert_eq!(
            stale(&repository, &["5", "4", "2", "1"]),
            Changes {
                appeared: tags(&["5"]),
                disappeared: tags(&["3"]),
                all_told: true,
            }
        );
        // What changes below the tags that are named can't be told.
        assert_eq!(
            stale(&repository, &["4", "3", "2", "15", "1"]),
            Changes::default()
        );
        assert!(!stale(&repository, &["5", "4", "3", "2", "15", "1"]).all_told);
    }

    #[test]
    fn a_status_that_names_all_tags_leaves_nothing_open() {
        let repository = scanned(&["4", "3"], 10, false);
        assert_eq!(
            stale(&repository, &["4", "3", "1"]),
            Changes {
                appeared: tags(&["1"]),
                disappeared: Vec::new(),
                all_told: true,
            }
        );
    }

    #[test]
    fn without_a_checksum_nobody_can_tell() {
        let mut repository = scanned(&["1"], 1, false);
        repository
            .status
            .last_scan_result
            .as_mut()
            .unwrap()
            .revision = None;
        let now = tags(&["1"]);
        assert_eq!(view(&repository, Some(&now)).unwrap().is_current(), None);
        assert_eq!(
            view(&scanned(&["1"], 1, false), None).unwrap().is_current(),
            None
        );
        assert_eq!(view(&ImageRepository::default(), Some(&now)), None);
    }
}
