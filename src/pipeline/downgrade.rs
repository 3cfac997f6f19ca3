//! Markers that would move to a version that is lower by their policy's own order.

use std::collections::HashMap;

use crate::controllers::flux::{ImagePolicy, ObjectKey};
use crate::controllers::policy::{self, Outcome, PolicySpec};
use crate::controllers::setters::LocatedChange;
use crate::findings::{self, Finding};

use super::stages::{Inputs, Preview};

/// The changes of a preview that go down.
pub fn downgrades(inputs: &Inputs, preview: &Preview) -> Vec<Finding> {
    // Many files mostly change alike.
    let mut known: HashMap<[&str; 3], Option<Downgrade<'_>>> = HashMap::new();
    let changes = preview
        .files
        .iter()
        .flat_map(|file| file.changes.iter().map(move |change| (file, change)));
    changes
        .filter_map(|(file, change)| {
            let alike = [&change.setter, &change.old, &change.new].map(String::as_str);
            let downgrade = known
                .entry(alike)
                .or_insert_with(|| downgrade(inputs, change))
                .as_ref()?;
            Some(findings::automations::downgrade(
                &file.path,
                change.line,
                downgrade.old,
                downgrade.new,
                &downgrade.policy,
            ))
        })
        .collect()
}

/// A way down.
struct Downgrade<'a> {
    policy: ObjectKey,
    old: &'a str,
    new: &'a str,
}

fn downgrade<'a>(inputs: &Inputs, change: &'a LocatedChange) -> Option<Downgrade<'a>> {
    let mut parts = change.setter.splitn(3, ':');
    let key = ObjectKey::new(parts.next()?, parts.next()?);
    let policy = inputs.objects.policies.get(&key)?;
    let (old, new) = match parts.next() {
        None => (tag_of(&change.old)?, tag_of(&change.new)?),
        Some("tag") => (change.old.as_str(), change.new.as_str()),
        Some(_) => return None,
    };
    is_lower(policy, old, new).then_some(Downgrade {
        policy: key,
        old,
        new,
    })
}

/// The tag of an image as it stands in a file.
fn tag_of(image: &str) -> Option<&str> {
    let without_digest = image.split('@').next().unwrap_or_default();
    let (_, tag) = without_digest.rsplit_once(':')?;
    // What has a slash is a port's host and path.
    (!tag.contains('/')).then_some(tag)
}

/// Whether the policy, given nothing but these two, would take the old one.
fn is_lower(policy: &ImagePolicy, old: &str, new: &str) -> bool {
    if old == new {
        return false;
    }
    let mut tags = vec![old.to_owned(), new.to_owned()];
    tags.sort_unstable_by(|one, other| other.cmp(one));
    let decided = policy::decide(&PolicySpec::from(&policy.spec), &tags);
    matches!(decided.outcome, Outcome::Latest { tag } if tag == old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::flux::{ImagePolicyChoice, ImagePolicySpec, SemVerPolicy};

    #[test]
    fn the_policys_own_order_tells() {
        let policy = ImagePolicy {
            spec: ImagePolicySpec {
                policy: ImagePolicyChoice {
                    semver: Some(SemVerPolicy {
                        range: ">=1.0.0".into(),
                    }),
                    ..Default::default()
                },
                ..Default::default()
            },
            ..Default::default()
        };
        assert!(is_lower(&policy, "1.10.0", "1.9.0"));
        assert!(!is_lower(&policy, "1.9.0", "1.10.0"));
        assert!(!is_lower(&policy, "latest", "1.9.0"));
    }

    #[test]
    fn tags_are_told_from_ports() {
        assert_eq!(tag_of("localhost:5000/app:1@sha256:ab"), Some("1"));
        assert_eq!(tag_of("localhost:5000/app"), None);
    }
}
