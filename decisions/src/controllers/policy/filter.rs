//! Mirrors `internal/policy/filter.go` of image-reflector-controller 1.2: the tags that match, by their keys.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::super::flux::TagFilter;
use super::Collision;
use super::parts::{ahead, in_parts};
use super::places::Places;
use crate::go::regexp::{self, Matcher, Regexp, Stop, Template, Trail};

/// The tags that match, each with the key that is compared.
#[derive(Default)]
pub(super) struct Filtered<'a> {
    /// Each key once, in the order of their first tags, with the last one.
    keys: Vec<Keyed<'a>>,
    /// The place of a key, and a tag that stood for it until another came.
    replaced: Vec<(usize, &'a str)>,
    matched: usize,
}

/// A key, and the tag that stands for it.
pub(super) struct Keyed<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) hash: u64,
    tag: &'a str,
}

impl<'a> Keyed<'a> {
    pub(super) fn new(key: Cow<'a, str>, hash: u64, tag: &'a str) -> Self {
        Self { key, hash, tag }
    }

    /// Lets the tag of another with the same key stand for it; the one that it replaces, with the key's place.
    fn give_way_to(&mut self, other: &Self, place: usize) -> Option<(usize, &'a str)> {
        let before = std::mem::replace(&mut self.tag, other.tag);
        // A registry may list one tag twice, which is no loss.
        (before != other.tag).then_some((place, before))
    }
}

impl AsRef<str> for Keyed<'_> {
    fn as_ref(&self) -> &str {
        &self.key
    }
}

impl<'a> Filtered<'a> {
    /// The tags that match a filter.
    pub(super) fn by(keying: &Keying<'_>, stored: &'a [String]) -> Result<Self, FilterError> {
        let hashes = RandomState::default();
        let keyed = |tags: &'a [String]| {
            let mut keyer = keying.keyer()?;
            let mut keyed = Vec::new();
            for tag in ahead(tags) {
                if let Some(key) = keyer.key(tag)? {
                    let hash = hashes.hash_one(&*key);
                    keyed.push(Keyed::new(key, hash, tag));
                }
            }
            Ok(keyed)
        };
        // A bound holds for all tags together.
        let parts = match keying.compiled.has_bounds() {
            true => vec![keyed(stored)],
            false => in_parts(stored, |_, tags| keyed(tags)),
        };
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(parts))
    }

    /// All parts in one list, which is the first of them: there may be many tags.
    fn of(parts: Vec<Vec<Keyed<'a>>>) -> Self {
        let matched = parts.iter().map(Vec::len).sum();
        let mut places = Places::of(matched);
        let mut replaced = Vec::new();
        let mut parts = parts.into_iter();
        let mut keys = parts.next().unwrap_or_default();
        let mut count = 0;
        for index in 0..keys.len() {
            let (before, keyed) = keys.split_at_mut(index);
            match places.place(&keyed[0], &before[..count]) {
                Some(place) => replaced.extend(before[place].give_way_to(&keyed[0], place)),
                None => {
                    keys.swap(count, index);
                    count += 1;
                }
            }
        }
        keys.truncate(count);
        for keyed in parts.flatten() {
            match places.place(&keyed, &keys) {
                Some(place) => replaced.extend(keys[place].give_way_to(&keyed, place)),
                None => keys.push(keyed),
            }
        }
        Self {
            keys,
            replaced,
            matched,
        }
    }

    /// How many tags match.
    pub(super) fn matched(&self) -> usize {
        self.matched
    }

    /// The keys, each once, in the order of their first tags.
    pub(super) fn keys(&self) -> &[Keyed<'a>] {
        &self.keys
    }

    /// The tag that stands for the key at a place.
    pub(super) fn tag(&self, place: usize) -> &'a str {
        self.keys[place].tag
    }

    /// The keys of several tags, sorted.
    pub(super) fn collisions(&self) -> Vec<Collision> {
        let mut lost: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
        for (place, tag) in &self.replaced {
            let (_, tags) = lost
                .entry(&self.keys[*place].key)
                .or_insert_with(|| (*place, Vec::new()));
            tags.push((*tag).to_owned());
        }
        let collision = |(key, (place, lost)): (&str, (usize, Vec<String>))| Collision {
            key: key.to_owned(),
            kept: self.tag(place).to_owned(),
            lost,
        };
        lost.into_iter().map(collision).collect()
    }
}

/// A pattern that does not compile, or that can't be matched here.
#[derive(Debug, thiserror::Error)]
#[error("invalid regular expression pattern '{pattern}': {why}")]
pub(super) struct FilterError {
    pattern: String,
    why: regexp::Error,
}

impl FilterError {
    fn new(pattern: &str, why: regexp::Error) -> Self {
        Self {
            pattern: pattern.to_owned(),
            why,
        }
    }

    /// Whether the controller takes the pattern.
    pub(super) fn is_ours(&self) -> bool {
        self.why.is_own_limit()
    }
}

/// The function from tags to keys that a filter is.
pub(super) struct Keying<'f> {
    pattern: &'f str,
    compiled: Regexp,
    extract: &'f str,
}

impl<'f> Keying<'f> {
    /// Compiles a filter; the error is the controller's, after `failed to filter tags: `.
    pub(super) fn of(filter: &'f TagFilter) -> Result<Self, FilterError> {
        let pattern = &filter.pattern;
        let compiled = Regexp::compile(pattern).map_err(|why| FilterError::new(pattern, why))?;
        Ok(Self {
            pattern,
            compiled,
            extract: &filter.extract,
        })
    }

    /// What makes keys of one tag after the other.
    pub(super) fn keyer(&self) -> Result<Keyer<'_>, FilterError> {
        let template = (!self.extract.is_empty()).then(|| self.compiled.template(self.extract));
        let groups = template.as_ref().map_or(&[][..], Template::groups);
        let matcher = self.compiled.matcher(groups);
        Ok(Keyer {
            pattern: self.pattern,
            matcher: matcher.map_err(|why| FilterError::new(self.pattern, why))?,
            template,
        })
    }

    /// What tells where tags stop to match; nothing for a pattern too large for that.
    pub(super) fn trail(&self) -> Option<Trail> {
        Trail::new(self.pattern).ok().flatten()
    }

    /// The pattern.
    pub(super) fn pattern(&self) -> &'f str {
        self.pattern
    }
}

/// Makes keys of one tag after the other.
pub(super) struct Keyer<'k> {
    pattern: &'k str,
    matcher: Matcher<'k>,
    template: Option<Template<'k>>,
}

impl Keyer<'_> {
    /// The key of a tag that matches.
    pub(super) fn key<'a>(&mut self, tag: &'a str) -> Result<Option<Cow<'a, str>>, FilterError> {
        let refused = |why| FilterError::new(self.pattern, why);
        let Some(template) = &self.template else {
            let matches = self.matcher.is_match(tag).map_err(refused)?;
            return Ok(matches.then_some(Cow::Borrowed(tag)));
        };
        let found = self.matcher.find_at(tag, 0).map_err(refused)?;
        Ok(found.map(|found| template.expand(tag, |group| found.group(group))))
    }
}

/// Where a tag stops to match, in words: what was matched, and what the pattern wants next.
pub(super) fn in_words(pattern: &str, tag: &str, stop: &Stop) -> String {
    let wanted: Vec<&str> = stop
        .wanted
        .iter()
        .map(|span| &pattern[span.clone()])
        .collect();
    let wanted = wanted.join(" or ");
    match stop.matched {
        None => format!("nothing in it fits {wanted}"),
        Some(place) => {
            let (matched, rest) = tag.split_at(place);
            let next = match rest.chars().next() {
                Some(next) => format!("{next} comes"),
                None => "the tag ends".to_owned(),
            };
            let after = if matched.is_empty() {
                String::new()
            } else {
                format!("after {matched} ")
            };
            format!("{after}the pattern wants {wanted}, and {next}")
        }
    }
}
