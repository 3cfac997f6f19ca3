//! Tests beside a policy: `# imageauto-test: 1.4.0 2.0.0 1.9.9-rc.1 => 1.4.0` in the document of an ImagePolicy says what it must
//! choose of which tags. `=> none` says that it must choose nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::controllers::flux::ImagePolicySpec;
use crate::controllers::policy::{self, Outcome, PolicySpec};
use crate::controllers::repository;
use crate::findings::{Finding, policies};
use crate::io::manifests;

use super::key_of;

const WORD: &str = "imageauto-test:";

/// Runs the tests of all manifests, given by path.
pub(super) fn run(texts: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in texts {
        if !text.contains(WORD) {
            continue;
        }
        for (first, document) in manifests::documents_of(text) {
            found.extend(of_document(path, first, document));
        }
    }
    found
}

fn of_document(path: &str, first: usize, text: &str) -> Vec<Finding> {
    let tests: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (_, comment) = line.trim_start().strip_prefix('#')?.split_once(WORD)?;
            Some((first + index, comment.trim()))
        })
        .collect();
    if tests.is_empty() {
        return Vec::new();
    }
    let spec = spec_of(text);
    tests
        .into_iter()
        .filter_map(|(line, test)| {
            let wrong = match &spec {
                Some(spec) => fails(spec, test)?,
                None => "it stands in a document that is no readable ImagePolicy".into(),
            };
            Some(policies::test_fails(path, line, test, &wrong))
        })
        .collect()
}

fn spec_of(text: &str) -> Option<PolicySpec> {
    let object: Value = manifests::parse_document(text).ok()?;
    key_of(&object, "default")?;
    if object["kind"] != "ImagePolicy" {
        return None;
    }
    let spec: ImagePolicySpec = serde_json::from_value(object["spec"].clone()).ok()?;
    Some(PolicySpec::from(&spec))
}

/// What is wrong with a test; `None`: the policy does what it says.
fn fails(spec: &PolicySpec, test: &str) -> Option<String> {
    let Some((tags, expected)) = test.split_once("=>") else {
        return Some("it is not written as TAG... => TAG".into());
    };
    let tags: Vec<String> = tags.split_whitespace().map(str::to_owned).collect();
    let stored = repository::stored_tags(&tags, &[]).unwrap_or_default();
    let decided = policy::decide(spec, &stored);
    let got = match &decided.outcome {
        Outcome::Latest { tag } => tag.clone(),
        Outcome::NotDeterministic { candidates } => {
            format!("any of {}", candidates.join(", "))
        }
        Outcome::Failed(_) => "none".into(),
    };
    let why = match &decided.outcome {
        Outcome::Failed(failure) => format!(": {}", failure.message),
        _ => String::new(),
    };
    (got != expected.trim()).then(|| format!("the policy chooses {got}{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_what_is_chosen() {
        let manifest = |test: &str| {
            let text = format!(
                "---\n# imageauto-test: {test}\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: app\nspec:\n  policy:\n    semver:\n      range: <2.0.0\n"
            );
            let texts = BTreeMap::from([("a.yaml".to_owned(), text)]);
            let found = run(&texts);
            found.into_iter().map(|found| found.message).next()
        };
        assert_eq!(manifest("1.4.0 2.0.0 1.9.9-rc.1 => 1.4.0"), None);
        assert_eq!(manifest("2.0.0 => none"), None);
        assert_eq!(
            manifest("1.4.0 1.5.0 => 1.4.0").as_deref(),
            Some("the test 1.4.0 1.5.0 => 1.4.0 fails: the policy chooses 1.5.0")
        );
        assert!(manifest("1.4.0").is_some_and(|message| message.contains("not written")));
    }
}
