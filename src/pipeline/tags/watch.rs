//! Listing again and again until a tag appears.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::controllers::flux::ObjectKey;
use crate::failure::{Failure, FailureKind};

use super::super::session::Session;
use super::{
    DigestChoice, RepositoryInputs, RepositoryTags, TagsRequest, list_tags, load_repositories,
};

/// The first wait, and how long it grows.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A tag that policies see and that wasn't there at first.
    Any,
    /// This tag, also where it is there already, and where the exclusion list hides it.
    Tag(String),
}

/// The end of a wait.
#[derive(Debug)]
pub struct Appeared {
    /// The repositories, as they were loaded last.
    pub loaded: RepositoryInputs,
    /// Their tags.
    pub rows: Vec<RepositoryTags>,
    /// The tags that appeared, of those repositories where some did; empty where waiting makes no sense.
    pub tags: BTreeMap<ObjectKey, Vec<String>>,
}

/// What a round came to, for those who listen.
pub type Round<'r> = Result<&'r [RepositoryTags], &'r Failure>;

/// Lists the tags until one appears; `told` is called after each round that didn't bring it.
///
/// What fails in a later round is tried again in the next one.
///
/// # Errors
///
/// The first round fails, or `--timeout` ended.
pub fn await_tags(
    request: &TagsRequest,
    session: &mut Session,
    awaited: &Awaited,
    mut told: impl FnMut(Round<'_>),
) -> Result<Appeared, Failure> {
    let plain = TagsRequest {
        digests: DigestChoice::default(),
        ..request.clone()
    };
    let doing = match awaited {
        Awaited::Any => "waiting for a new tag".to_owned(),
        Awaited::Tag(tag) => format!("waiting for tag {tag}"),
    };
    let mut known: BTreeMap<ObjectKey, BTreeSet<String>> = BTreeMap::new();
    let mut is_first = true;
    let mut wait = FIRST_WAIT;
    loop {
        match round(&plain, session) {
            Ok((loaded, rows)) => {
                let tags = appeared(&rows, awaited, &mut known);
                if !tags.is_empty() || rows.iter().all(is_beyond_waiting) {
                    let rows = if request.digests == plain.digests {
                        rows
                    } else {
                        list_tags(request, &loaded, session)?
                    };
                    return Ok(Appeared { loaded, rows, tags });
                }
                told(Ok(&rows));
            }
            Err(failure) if is_first => return Err(failure),
            // Whatever it was that the time ended in, it went into waiting.
            Err(_) if session.left().is_zero() => {
                return Err(session.out_of_time(FailureKind::Registry, &doing));
            }
            Err(failure) => told(Err(&failure)),
        }
        is_first = false;
        let pause = async { tokio::time::sleep(wait).await };
        session.wait(FailureKind::Registry, &doing, pause)?;
        wait = wait.mul_f64(1.5).min(LONGEST_WAIT);
    }
}

fn round(
    request: &TagsRequest,
    session: &mut Session,
) -> Result<(RepositoryInputs, Vec<RepositoryTags>), Failure> {
    session.now = Timestamp::now();
    session.registries().forget_failures();
    let loaded = load_repositories(request, session)?;
    let rows = list_tags(request, &loaded, session)?;
    Ok((loaded, rows))
}

/// The controller fails by the objects alone: no tag ever appears.
fn is_beyond_waiting(row: &RepositoryTags) -> bool {
    row.error.is_some() && row.failures.is_empty()
}

fn appeared(
    rows: &[RepositoryTags],
    awaited: &Awaited,
    known: &mut BTreeMap<ObjectKey, BTreeSet<String>>,
) -> BTreeMap<ObjectKey, Vec<String>> {
    let mut found = BTreeMap::new();
    for row in rows {
        let key = &row.repository.key;
        let new: Vec<String> = match awaited {
            Awaited::Tag(tag) => row
                .listed
                .iter()
                .find(|listed| *listed == tag)
                .into_iter()
                .cloned()
                .collect(),
            // What couldn't be listed has no tags that are known.
            Awaited::Any if row.error.is_some() => Vec::new(),
            Awaited::Any => match known.get(key) {
                Some(known) => {
                    let new = row.stored().iter().filter(|tag| !known.contains(*tag));
                    new.cloned().collect()
                }
                None => {
                    known.insert(key.clone(), row.stored().iter().cloned().collect());
                    Vec::new()
                }
            },
        };
        if !new.is_empty() {
            found.insert(key.clone(), new);
        }
    }
    found
}
