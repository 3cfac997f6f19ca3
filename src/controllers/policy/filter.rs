//! Mirrors `internal/policy/filter.go` of image-reflector-controller 1.2: the tags that match, by their keys.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::flux::TagFilter;
use super::Collision;
use crate::go::regexp::{self, Regexp};

/// The tags that count, each with the key that is compared.
pub(super) struct Filtered<'a> {
    entries: Vec<Entry<'a>>,
    matched: usize,
}

struct Entry<'a> {
    key: Cow<'a, str>,
    /// The tags with this key; the last stands for it.
    tags: Vec<&'a str>,
}

impl<'a> Filtered<'a> {
    /// Every tag, compared as it is.
    pub(super) fn all(stored: &'a [String]) -> Self {
        let entry = |tag: &'a String| Entry {
            key: Cow::Borrowed(tag),
            tags: vec![tag],
        };
        Self {
            entries: stored.iter().map(entry).collect(),
            matched: stored.len(),
        }
    }

    /// The tags that match a filter.
    pub(super) fn by(keying: &Keying<'_>, stored: &'a [String]) -> Self {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        let mut matched = 0;
        for tag in stored {
            let Some(key) = keying.key(tag) else { continue };
            matched += 1;
            let place = *places.entry(key).or_insert_with_key(|key| {
                entries.push(Entry {
                    key: key.clone(),
                    tags: Vec::new(),
                });
                entries.len() - 1
            });
            entries[place].tags.push(tag);
        }
        Self { entries, matched }
    }

    /// How many tags match.
    pub(super) fn matched(&self) -> usize {
        self.matched
    }

    /// The keys, each once, in the order of their first tags.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_ref())
    }

    /// The tag that stands for the key at a place.
    pub(super) fn tag(&self, place: usize) -> &'a str {
        self.entries[place].kept()
    }

    /// The keys of several tags, sorted.
    pub(super) fn collisions(&self) -> Vec<Collision> {
        let mut collisions: Vec<Collision> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let lost = entry.lost();
                (!lost.is_empty()).then(|| Collision {
                    key: entry.key.to_string(),
                    kept: entry.kept().to_owned(),
                    lost,
                })
            })
            .collect();
        collisions.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        collisions
    }
}

impl<'a> Entry<'a> {
    fn kept(&self) -> &'a str {
        self.tags.last().copied().unwrap_or_default()
    }

    /// The other tags, each once. A registry may list one tag twice, which is no loss.
    fn lost(&self) -> Vec<String> {
        let kept = self.kept();
        let mut lost: Vec<String> = self
            .tags
            .iter()
            .filter(|tag| **tag != kept)
            .map(|tag| (*tag).to_owned())
            .collect();
        // Stored tags are sorted, so equal ones stand together.
        lost.dedup();
        lost
    }
}

/// A pattern that does not compile.
#[derive(Debug, thiserror::Error)]
#[error("invalid regular expression pattern '{pattern}': {why}")]
pub(super) struct FilterError {
    pattern: String,
    why: regexp::Error,
}

impl FilterError {
    /// Whether the controller takes the pattern.
    pub(super) fn is_ours(&self) -> bool {
        self.why.is_own_limit()
    }
}

/// The function from tags to keys that a filter is.
pub(super) struct Keying<'f> {
    pattern: Regexp,
    extract: &'f str,
}

impl<'f> Keying<'f> {
    /// Compiles a filter; the error is the controller's, after `failed to filter tags: `.
    pub(super) fn of(filter: &'f TagFilter) -> Result<Self, FilterError> {
        let pattern = Regexp::compile(&filter.pattern).map_err(|why| FilterError {
            pattern: filter.pattern.clone(),
            why,
        })?;
        Ok(Self {
            pattern,
            extract: &filter.extract,
        })
    }

    /// The key of a tag that matches.
    pub(super) fn key<'a>(&self, tag: &'a str) -> Option<Cow<'a, str>> {
        if self.extract.is_empty() {
            return self.pattern.is_match(tag).unwrap_or(false).then_some(Cow::Borrowed(tag));
        }
        self.pattern.expand_first(self.extract, tag).ok().flatten().map(Cow::Owned)
    }
}
