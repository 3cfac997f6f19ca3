//! Mirrors `jsondiff/selector.go` of fluxcd/pkg/ssa 0.76: which objects a rule of `spec.ignore` is about.

use serde::Deserialize;
use serde_json::Value;

use crate::controllers::labels::Selector;
use crate::facts::dry_run::ObjectIdentity;
use crate::go::regexp::Regexp;

use super::apply::texts_at;

/// `target` of a rule: regular expressions for the whole of a field, and selectors; what is empty matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// The API group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// Annotations, in the form of a label selector.
    pub annotation_selector: String,
    /// Labels.
    pub label_selector: String,
}

impl Target {
    /// Whether an object is meant.
    ///
    /// # Errors
    ///
    /// A part of the target can't be read; the controller fails at it too.
    pub fn matches(&self, object: &Value) -> Result<bool, String> {
        let identity = ObjectIdentity::of(object);
        for (pattern, text) in [
            (&self.namespace, identity.namespace.as_str()),
            (&self.name, &identity.name),
            (&self.group, identity.group()),
            (&self.version, identity.version()),
            (&self.kind, &identity.kind),
        ] {
            if pattern.is_empty() {
                continue;
            }
            let whole = Regexp::compile(&format!("^(?:{pattern})$"));
            let matches = whole.and_then(|whole| whole.is_match(text));
            if !matches.map_err(|error| format!("invalid regex in spec.ignore: {error}"))? {
                return Ok(false);
            }
        }
        for (selector, place) in [
            (&self.label_selector, "labels"),
            (&self.annotation_selector, "annotations"),
        ] {
            if selector.is_empty() {
                continue;
            }
            let selector = Selector::parse(selector)
                .map_err(|error| format!("invalid selector in spec.ignore: {error}"))?;
            if !selector.matches(&texts_at(object, place)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_to_match_as_a_whole() {
        let object = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app-1", "namespace": "a", "labels": {"x": "y"}}});
        let target = |text: &str| -> Target { serde_json::from_str(text).unwrap() };
        for (text, expected) in [
            ("{}", true),
            (r#"{"kind": "Deploy.*", "group": "apps"}"#, true),
            (r#"{"kind": "Deploy"}"#, false),
            (r#"{"name": "app-1|b"}"#, true),
            (r#"{"labelSelector": "x in (y,z)"}"#, true),
            (r#"{"annotationSelector": "x=y"}"#, false),
        ] {
            assert_eq!(target(text).matches(&object), Ok(expected), "{text}");
        }
        assert!(target(r#"{"name": "("}"#).matches(&object).is_err());
    }
}
