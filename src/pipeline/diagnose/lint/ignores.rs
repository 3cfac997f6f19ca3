//! Comments that accept a finding: `# imageauto-ignore: ID[, ID]`, on the line that it is about, on the line above, or, for a
//! finding about an object, anywhere in its document.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::findings::{Finding, Subject};

const WORD: &str = "imageauto-ignore:";

/// What is accepted, and where.
#[derive(Debug, Default)]
pub(super) struct Ignores {
    /// Path, line and id.
    places: BTreeSet<(String, usize, String)>,
    /// Kind, name and id.
    objects: BTreeSet<(String, String, String)>,
}

impl Ignores {
    /// The comments of manifests, and of the files whose lines are shown.
    pub(super) fn of(
        texts: &BTreeMap<String, String>,
        lines: &BTreeMap<(String, usize), String>,
        top: &Path,
    ) -> Self {
        let mut ignores = Self::default();
        for (path, text) in texts {
            ignores.add_places(path, text);
            for document in text.split("\n---") {
                ignores.add_object(document);
            }
        }
        let shown: BTreeSet<&String> = lines.keys().map(|(path, _)| path).collect();
        for path in shown {
            if !texts.contains_key(path)
                && let Ok(text) = fs::read_to_string(top.join(path))
            {
                ignores.add_places(path, &text);
            }
        }
        ignores
    }

    /// Whether a finding is accepted.
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        match &finding.subject {
            Subject::Place {
                path,
                line: Some(line),
                ..
            } => {
                let at = |line: usize| (path.clone(), line, finding.id.to_owned());
                self.places.contains(&at(*line)) || self.places.contains(&at(line - 1))
            }
            Subject::Place { .. } => false,
            Subject::Object { kind, key } => {
                let object = ((*kind).to_owned(), key.name.clone(), finding.id.to_owned());
                self.objects.contains(&object)
            }
        }
    }

    fn add_places(&mut self, path: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            for id in ids(line) {
                self.places
                    .insert((path.to_owned(), index + 1, id.to_owned()));
            }
        }
    }

    fn add_object(&mut self, document: &str) {
        let ids: Vec<&str> = document.lines().flat_map(ids).collect();
        if ids.is_empty() {
            return;
        }
        let field = |name: &str| {
            let mut lines = document.lines();
            lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        let name = field("  name:");
        if let (Some(kind), Some(name)) = (field("kind:"), name) {
            for id in ids {
                self.objects
                    .insert((kind.clone(), name.clone(), id.to_owned()));
            }
        }
    }
}

/// The ids behind the word in a comment.
fn ids(line: &str) -> impl Iterator<Item = &str> {
    let comment = line
        .split_once('#')
        .and_then(|(_, comment)| comment.split_once(WORD));
    let ids = comment.map_or("", |(_, ids)| ids);
    ids.split([',', ' ']).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_behind_the_word() {
        let found: Vec<&str> =
            ids("a: b # x # imageauto-ignore: list-file, reformatting").collect();
        assert_eq!(found, ["list-file", "reformatting"]);
        assert_eq!(ids("imageauto-ignore: list-file").count(), 0);
    }
}
