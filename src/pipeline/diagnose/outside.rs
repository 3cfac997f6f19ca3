//! Markers in files that no automation of their repository updates, and files that a `.sourceignore` only seems to protect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::controllers::setters::discovery::{self, Discovery};
use crate::findings::{Finding, files, references};
use crate::pipeline::checkout::{Checkout, Checkouts};
use crate::pipeline::stages::{Inputs, Preview};

/// The automations of one checkout.
struct Shared<'a> {
    checkout: &'a Arc<Checkout>,
    previews: Vec<&'a Preview>,
}

pub(super) fn look_at(
    inputs: &Inputs,
    previews: &[Preview],
    checkouts: &Checkouts,
) -> Vec<Finding> {
    let mut shared: BTreeMap<*const Checkout, Shared<'_>> = BTreeMap::new();
    for preview in previews {
        if let Some(Ok(checkout)) = checkouts.of(&preview.key) {
            shared
                .entry(Arc::as_ptr(checkout))
                .or_insert_with(|| Shared {
                    checkout,
                    previews: Vec::new(),
                })
                .previews
                .push(preview);
        }
    }
    let mut found = Vec::new();
    for shared in shared.values() {
        found.extend(shared.outside(inputs));
        found.extend(shared.ignored());
    }
    found
}

/// The text of lines of files, as far as the checkouts have them.
pub(super) fn lines(
    places: &BTreeSet<(String, usize)>,
    inputs: &Inputs,
    checkouts: &Checkouts,
) -> BTreeMap<(String, usize), String> {
    let paths: BTreeSet<&str> = places.iter().map(|(path, _)| path.as_str()).collect();
    let paths: Vec<&str> = paths.into_iter().collect();
    let mut lines = BTreeMap::new();
    let mut seen: BTreeSet<*const Checkout> = BTreeSet::new();
    for key in &inputs.automations {
        let Some(Ok(checkout)) = checkouts.of(key) else {
            continue;
        };
        if paths.is_empty() || !seen.insert(Arc::as_ptr(checkout)) {
            continue;
        }
        let entries = &checkout.tree.entries;
        let here: Vec<&str> = paths
            .iter()
            .copied()
            .filter(|path| entries.has(path))
            .collect();
        for (path, bytes) in checkout.files.read_files(&here, |_| true) {
            let Ok(bytes) = bytes else { continue };
            let text = String::from_utf8_lossy(&bytes);
            for (number, line) in text.lines().enumerate() {
                let place = (path.clone(), number + 1);
                if places.contains(&place) {
                    lines.insert(place, line.to_owned());
                }
            }
        }
    }
    lines
}

impl Shared<'_> {
    /// Markers that name a policy of one of the automations' namespaces and stand where none of them looks.
    fn outside(&self, inputs: &Inputs) -> Vec<Finding> {
        // Where an update path is missing, everything is outside of it, and the path is what is wrong.
        if self.previews.iter().any(|preview| preview.error.is_some()) {
            return Vec::new();
        }
        let tree = &self.checkout.tree;
        let Ok(whole) = discovery::discover(tree, "") else {
            return Vec::new();
        };
        let previews = self.previews.iter();
        let found: Vec<Discovery<'_>> = previews
            .filter_map(|preview| discovery::discover(tree, &preview.update_path).ok())
            .collect();
        let covered: BTreeSet<String> = found.iter().flat_map(Discovery::paths).collect();
        let outside: Vec<String> = whole
            .paths()
            .filter(|path| !covered.contains(path))
            .collect();
        let outside: Vec<&str> = outside.iter().map(String::as_str).collect();
        let read = self
            .checkout
            .files
            .read_files(&outside, discovery::may_hold_marker);
        let paths: BTreeSet<&str> = self
            .previews
            .iter()
            .map(|preview| preview.update_path.as_str())
            .collect();
        let paths: Vec<&str> = paths.into_iter().collect();
        let mut found = Vec::new();
        for (path, bytes) in &read {
            let Ok(bytes) = bytes else { continue };
            let text = String::from_utf8_lossy(bytes);
            for (line, column, setter) in files::markers_of_text(&text) {
                let is_ours = setter.split_once(':').is_some_and(|(namespace, _)| {
                    let automations = &inputs.objects.automations;
                    automations.keys().any(|key| key.namespace == namespace)
                });
                if is_ours {
                    found.push(references::marker_outside_path(
                        path, line, column, &setter, &paths,
                    ));
                }
            }
        }
        found
    }

    fn ignored(&self) -> Vec<Finding> {
        let paths = self.checkout.tree.entries.paths();
        let lists =
            paths.filter(|path| *path == ".sourceignore" || path.ends_with("/.sourceignore"));
        let marked: BTreeSet<&str> = self
            .previews
            .iter()
            .flat_map(|preview| &preview.markers.located)
            .map(|marker| marker.path.as_str())
            .collect();
        lists
            .filter_map(|list| {
                let folder = list.trim_end_matches(".sourceignore");
                let below = marked.iter().find(|path| path.starts_with(folder))?;
                Some(references::sourceignore_not_honoured(&list, below))
            })
            .collect()
    }
}
