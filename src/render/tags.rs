//! What `tags` shows of a repository: how many tags there are, the newest of them, and whether the controller knows them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::controllers::flux::ObjectKey;
use crate::controllers::repository::ExcludedTag;
use crate::controllers::schedule::NextScan;
use crate::controllers::view::{Changes, Currency, View};
use crate::go::age;
use crate::go::semver::Version;
use crate::pipeline::tags::{CredentialsUsed, RepositoryTags};

use super::console::{Talk, Tone, harmless};
use super::table::Table;

/// How the report is written.
#[derive(Clone, Copy, Debug)]
pub struct TagSettings {
    /// Objects are named, since there are several.
    pub named: bool,
    /// What stands for the tags that are left out.
    pub ellipsis: &'static str,
    /// The moment that ages are told from.
    pub now: Timestamp,
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// As it is.
    Plain(String),
    /// With a sign in front.
    Signed(Talk),
}

/// The width that the line of tags keeps to.
const WIDTH: usize = 100;
/// How many tags it has at most.
const SHOWN: usize = 12;

/// The report on one repository; why a list could not be had is told on stderr.
pub fn report(row: &RepositoryTags, settings: TagSettings) -> Vec<Line> {
    let mut lines = vec![Line::Plain(head(row, settings.named))];
    let newest = newest_first(row.stored());
    if !newest.is_empty() {
        lines.push(Line::Plain(newest_line(&newest, settings.ellipsis)));
    }
    lines.extend(row.digests.iter().map(|(tag, digest)| {
        let (tag, digest) = (on_one_line(tag), on_one_line(digest));
        Line::Plain(format!("  {tag}@{digest}"))
    }));
    if let Some(view) = &row.view {
        lines.push(Line::Signed(controllers_view(row, view, settings)));
    } else if row.next_scan.is_some() {
        let text = format!(
            "the controller has not scanned it yet.{}",
            next_scan(row, settings.now)
        );
        lines.push(Line::Signed(Talk::new(Tone::Note, on_one_line(&text))));
    }
    lines
}

fn head(row: &RepositoryTags, named: bool) -> String {
    let image = row
        .canonical_name
        .as_ref()
        .unwrap_or(&row.repository.spec.image);
    let image = if named {
        format!("{} ({image})", row.repository.key)
    } else {
        image.clone()
    };
    let listed = match &row.error {
        Some((reason, _)) if row.listed.is_empty() => format!("not listed ({reason})"),
        _ => format!("{}{}", count(row.listed.len()), hidden(row.excluded())),
    };
    let credentials = match &row.credentials {
        Some(CredentialsUsed::Secret(source)) => format!("; credentials: Secret {}", source.secret),
        Some(CredentialsUsed::Users(whose)) => format!("; credentials: {whose}"),
        Some(CredentialsUsed::Nobody) => "; credentials: none".into(),
        None => String::new(),
    };
    on_one_line(&format!("{image}: {listed}{credentials}"))
}

fn count(tags: usize) -> String {
    match tags {
        0 => "no tags".into(),
        1 => "1 tag".into(),
        several => format!("{several} tags"),
    }
}

/// `, 3 hidden by ^.*\.sig$`; for each pattern, the one that hides most first.
fn hidden(excluded: &[ExcludedTag]) -> String {
    let mut by_pattern: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in excluded {
        *by_pattern.entry(&tag.pattern).or_default() += 1;
    }
    let mut counted: Vec<(&str, usize)> = by_pattern.into_iter().collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counted
        .iter()
        .enumerate()
        .map(|(place, (pattern, count))| {
            let hidden = if place == 0 { " hidden" } else { "" };
            format!(", {count}{hidden} by {pattern}")
        })
        .collect()
}

fn newest_line(newest: &[&str], ellipsis: &str) -> String {
    let mut line = String::new();
    let mut shown = 0;
    for tag in newest.iter().take(SHOWN) {
        let tag = on_one_line(tag);
        if shown > 0 && line.chars().count() + 2 + tag.chars().count() > WIDTH {
            break;
        }
        if shown > 0 {
            line.push_str("  ");
        }
        line.push_str(&tag);
        shown += 1;
    }
    match newest.len() - shown {
        0 => line,
        more => format!("{line}  {ellipsis} {more} more (-o name lists all)"),
    }
}

fn controllers_view(row: &RepositoryTags, view: &View, settings: TagSettings) -> Talk {
    let (tone, word) = match view.currency {
        Currency::Current => (Tone::Success, "CURRENT"),
        Currency::Stale(_) => (Tone::Note, "STALE"),
        Currency::Unknown(_) => (Tone::Note, "UNKNOWN"),
    };
    let mut known = vec![count(usize::try_from(view.tag_count).unwrap_or(usize::MAX))];
    known.extend(
        view.revision
            .as_ref()
            .map(|revision| format!("checksum {revision}")),
    );
    known.extend(
        row.last_scan
            .map(|last| format!("{} old", age::since(last, settings.now))),
    );
    let mut text = format!("the controller's view is {word}: {}", known.join(", "));
    match &view.currency {
        Currency::Current => text.push('.'),
        Currency::Unknown(why) => text.push_str(&format!("; {why}.")),
        Currency::Stale(changes) => {
            let now = view.revision_now.as_deref().unwrap_or_default();
            text.push_str(&format!("; now {now}.{}", changed(changes)));
        }
    }
    text.push_str(&next_scan(row, settings.now));
    Talk::new(tone, on_one_line(&text))
}

fn changed(changes: &Changes) -> String {
    let mut text = String::new();
    for (what, tags) in [("New", &changes.appeared), ("Gone", &changes.disappeared)] {
        if !tags.is_empty() {
            text.push_str(&format!(" {what}: {}.", listed(tags)));
        }
    }
    if !changes.all_told {
        text.push_str(if text.is_empty() {
            " What changed is not among the tags that its status names."
        } else {
            " More changed among the tags that its status doesn't name."
        });
    }
    text
}

/// Up to five names and how many more there are.
fn listed(tags: &[String]) -> String {
    let newest = newest_first(tags);
    match newest.len() {
        0..=5 => newest.join(", "),
        several => format!("{} and {} more", newest[..4].join(", "), several - 4),
    }
}

/// ` Next scan in 57s`, or why there is none.
fn next_scan(row: &RepositoryTags, now: Timestamp) -> String {
    if row.repository.spec.suspend {
        return " It is suspended".into();
    }
    match &row.next_scan {
        None | Some(NextScan::Unknown) => String::new(),
        Some(NextScan::At(next)) => format!(" Next scan in {}", age::until(*next, now)),
        Some(NextScan::Due { reason, since }) => {
            let since = since.map_or_else(String::new, |since| {
                format!(" for {}", age::since(since, now))
            });
            format!(" Next scan due{since} ({reason})")
        }
    }
}

/// One line for each repository: what `-o wide` prints.
///
/// With `contexts` the first column tells the kubeconfig's context of each part.
pub fn table(
    parts: &[(Option<&str>, &[RepositoryTags])],
    contexts: bool,
    namespaces: bool,
    settings: TagSettings,
) -> Vec<u8> {
    let mut headers = vec![
        "NAME",
        "IMAGE",
        "TAGS",
        "HIDDEN",
        "NEWEST",
        "VIEW",
        "NEXT-SCAN",
        "CREDENTIALS",
    ];
    if namespaces {
        headers.insert(0, "NAMESPACE");
    }
    if contexts {
        headers.insert(0, "CONTEXT");
    }
    let mut table = Table::new(headers);
    let rows = parts
        .iter()
        .flat_map(|(context, rows)| rows.iter().map(move |row| (context.unwrap_or("-"), row)));
    for (context, row) in rows {
        let key = &row.repository.key;
        let known = row.error.is_none() || !row.listed.is_empty();
        let number = |count: usize| if known { count.to_string() } else { "-".into() };
        let newest = newest_first(row.stored());
        let mut cells = vec![
            key.name.clone(),
            row.repository.spec.image.clone(),
            number(row.listed.len()),
            number(row.excluded().len()),
            newest.first().map_or("-", |tag| tag).to_owned(),
            view_word(row).to_owned(),
            match &row.next_scan {
                Some(NextScan::At(next)) => age::until(*next, settings.now),
                Some(NextScan::Due { .. }) => "due".into(),
                _ => "-".into(),
            },
            match &row.credentials {
                Some(CredentialsUsed::Secret(source)) => format!("Secret {}", source.secret.name),
                Some(CredentialsUsed::Users(whose)) => whose.clone(),
                Some(CredentialsUsed::Nobody) => "none".into(),
                None => "-".into(),
            },
        ];
        if namespaces {
            cells.insert(0, key.namespace.clone());
        }
        if contexts {
            cells.insert(0, context.to_owned());
        }
        table.row(cells);
    }
    table.render(true).into_bytes()
}

fn view_word(row: &RepositoryTags) -> &'static str {
    match row.view.as_ref().map(|view| &view.currency) {
        Some(Currency::Current) => "CURRENT",
        Some(Currency::Stale(_)) => "STALE",
        Some(Currency::Unknown(_)) => "UNKNOWN",
        None if row.next_scan.is_some() => "NEVER",
        None => "-",
    }
}

/// The tags that policies see, one a line, the newest first; with `images` each behind its image's name.
pub fn names(rows: &[RepositoryTags], images: bool) -> Vec<u8> {
    let mut out = String::new();
    for row in rows {
        push_names(&mut out, row, row.stored(), images);
    }
    out.into_bytes()
}

/// As [`names`], for these tags of each repository.
pub fn names_of(
    rows: &[RepositoryTags],
    tags: &BTreeMap<ObjectKey, Vec<String>>,
    images: bool,
) -> Vec<u8> {
    let mut out = String::new();
    for row in rows {
        let tags = tags.get(&row.repository.key).map_or(&[][..], Vec::as_slice);
        push_names(&mut out, row, tags, images);
    }
    out.into_bytes()
}

fn push_names(out: &mut String, row: &RepositoryTags, tags: &[String], images: bool) {
    for tag in newest_first(tags) {
        if images {
            out.push_str(&on_one_line(&row.repository.spec.image));
            out.push(':');
        }
        out.push_str(&on_one_line(tag));
        out.push('\n');
    }
}

/// Versions first, by their precedence; behind them the others, by their letters and the numbers in them; each time the
/// last one first.
pub fn newest_first(tags: &[String]) -> Vec<&str> {
    let mut versions = Vec::new();
    let mut others = Vec::new();
    for tag in tags {
        match Version::parse(tag) {
            Ok(version) => versions.push((version, tag.as_str())),
            Err(_) => others.push(tag.as_str()),
        }
    }
    versions.sort_by(|(one, one_tag), (other, other_tag)| {
        let precedence = other.partial_cmp(one).unwrap_or(Ordering::Equal);
        precedence.then_with(|| other_tag.cmp(one_tag))
    });
    others.sort_by(|one, other| by_numbers_in_text(other, one));
    versions
        .into_iter()
        .map(|(_, tag)| tag)
        .chain(others)
        .collect()
}

/// `build-9` before `build-10`; texts that differ only in leading zeros by their bytes.
fn by_numbers_in_text(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    loop {
        let (left_number, right_number) = (digits(left), digits(right));
        if !left_number.is_empty() && !right_number.is_empty() {
            let value = |digits: &'_ str| digits.trim_start_matches('0').to_owned();
            let (left_value, right_value) = (value(left_number), value(right_number));
            let order = left_value
                .len()
                .cmp(&right_value.len())
                .then(left_value.cmp(&right_value));
            if order != Ordering::Equal {
                return order;
            }
            left = &left[left_number.len()..];
            right = &right[right_number.len()..];
            continue;
        }
        let (mut left_rest, mut right_rest) = (left.chars(), right.chars());
        match (left_rest.next(), right_rest.next()) {
            (Some(a), Some(b)) if a == b => {
                left = left_rest.as_str();
                right = right_rest.as_str();
            }
            (None, None) => return one.cmp(other),
            (a, b) => return a.cmp(&b),
        }
    }
}

/// The number at the start of a text.
fn digits(text: &str) -> &str {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    &text[..end]
}

/// Tags come from registries, which may send anything.
fn on_one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn versions_come_first_and_the_newest_of_them_in_front() {
        let listed = tags(&[
            "latest",
            "1.8.3-rc.2",
            "build-9",
            "1.10.0",
            "1.9.0",
            "1.8.3",
            "build-10",
            "main",
            "1.8.3-rc.10",
        ]);
        assert_eq!(
            newest_first(&listed),
            [
                "1.10.0",
                "1.9.0",
                "1.8.3",
                "1.8.3-rc.10",
                "1.8.3-rc.2",
                "main",
                "latest",
                "build-10",
                "build-9",
            ]
        );
    }

    #[test]
    fn numbers_of_any_length_are_compared() {
        let order = |one: &str, other: &str| by_numbers_in_text(one, other);
        let long = "9".repeat(40);
        assert_eq!(
            order(&format!("a{long}"), &format!("a1{long}")),
            Ordering::Less
        );
        assert_eq!(order("a01", "a1"), Ordering::Less);
        assert_eq!(order("a01b", "a1a"), Ordering::Greater);
        assert_eq!(order("", "a"), Ordering::Less);
        assert_eq!(order("é", "1"), Ordering::Greater);
    }

    #[test]
    fn the_line_of_tags_has_an_end() {
        let many: Vec<String> = (0..30).map(|patch| format!("1.0.{patch}")).collect();
        let line = newest_line(&newest_first(&many), "...");
        assert!(line.starts_with("1.0.29  1.0.28  "), "{line}");
        assert!(
            line.ends_with("  ... 18 more (-o name lists all)"),
            "{line}"
        );
        let long = tags(&[&"x".repeat(120), &"y".repeat(120)]);
        let line = newest_line(&newest_first(&long), "...");
        assert!(line.contains("... 1 more"), "{line}");
    }

    #[test]
    fn patterns_are_counted() {
        let excluded: Vec<ExcludedTag> = [("a", "^a"), ("b.sig", "sig$"), ("c.sig", "sig$")]
            .into_iter()
            .map(|(tag, pattern)| ExcludedTag {
                tag: tag.into(),
                pattern: pattern.into(),
            })
            .collect();
        assert_eq!(hidden(&excluded), ", 2 hidden by sig$, 1 by ^a");
        assert_eq!(hidden(&[]), "");
    }
}
