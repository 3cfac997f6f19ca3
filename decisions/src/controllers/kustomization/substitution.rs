//! Mirrors `kustomize_varsub.go` of fluxcd/pkg/kustomize 1.35 and `build` of kustomize-controller 1.9: from what kustomize
//! prints to objects, with the variables of `postBuild` put in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::facts::dry_run::ObjectIdentity;
use crate::yaml::json::to_json;

use super::PostBuild;
use super::envsubst;

/// Label or annotation that keeps an object as it is built.
const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The variables of a Kustomization; what comes from Secrets never leaves by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
    secret: BTreeSet<String>,
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

impl Variables {
    /// Adds those of a ConfigMap or Secret, over those that were added before.
    pub fn add<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        is_secret: bool,
    ) {
        for (name, value) in values {
            let value = String::from_utf8_lossy(value).replace('\n', "");
            self.values.insert(name.to_owned(), value);
            if is_secret {
                self.secret.insert(name.to_owned());
            } else {
                self.secret.remove(name);
            }
        }
    }

    /// Adds those that stand in the Kustomization itself.
    pub fn add_inline(&mut self, post_build: &PostBuild) {
        let inline = post_build.substitute.iter();
        self.add(
            inline.map(|(name, value)| (name.as_str(), value.as_bytes())),
            false,
        );
    }

    /// The values that come from Secrets, not the empty ones.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let values = self.secret.iter().filter_map(|name| self.values.get(name));
        values.map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// How variables are put in.
#[derive(Clone, Copy, Debug)]
pub struct SubstitutionRules<'a> {
    /// `spec.postBuild`; none: they aren't.
    pub post_build: Option<&'a PostBuild>,
    /// The variables.
    pub variables: &'a Variables,
    /// One that is not set and has no default is an error.
    pub strict: bool,
}

/// The objects in what kustomize prints, after substitution, in its order.
///
/// # Errors
///
/// The controller fails at it; the text is what it says.
pub fn objects(printed: &str, rules: SubstitutionRules<'_>) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    let mut seen: BTreeSet<ObjectIdentity> = BTreeSet::new();
    for text in resources(printed) {
        let object =
            to_json(text.as_bytes()).map_err(|error| format!("kustomize build failed: {error}"))?;
        let identity = ObjectIdentity::of(&object);
        if identity.name.is_empty() || identity.kind.is_empty() || identity.api_version.is_empty() {
            return Err(format!(
                "failed to decode Kubernetes apiVersion, kind and name from: {}",
                text.lines().next().unwrap_or_default()
            ));
        }
        let object = match substituted(text, &object, rules) {
            Ok(changed) => changed.unwrap_or(object),
            Err(error) => {
                return Err(format!(
                    "post build failed for '{}/{}': {error}",
                    described(&identity),
                    identity.name
                ));
            }
        };
        let identity = ObjectIdentity::of(&object);
        if !seen.insert(identity.clone()) {
            return Err(format!("{identity} is built twice"));
        }
        objects.push(object);
    }
    Ok(objects
        .into_iter()
        .flat_map(listed)
        .filter(is_applied)
        .collect())
}

/// The texts of the resources, as the tool separates them.
fn resources(printed: &str) -> Vec<&str> {
    let (mut found, mut start, mut offset) = (Vec::new(), 0, 0);
    for line in printed.split_inclusive('\n') {
        if line == "---\n" {
            found.push(&printed[start..offset]);
            start = offset + line.len();
        }
        offset += line.len();
    }
    found.push(&printed[start..]);
    found.retain(|text| !text.trim().is_empty());
    found
}

/// `Deployment.v1.apps`
fn described(identity: &ObjectIdentity) -> String {
    let group = match identity.group() {
        "" => "[noGrp]",
        group => group,
    };
    format!("{}.{}.{group}", identity.kind, identity.version())
}

/// The first object that variables are put into, as the controller calls it: `Deployment.v1.apps/web`.
pub fn first_substituted(printed: &str) -> Option<String> {
    let objects = resources(printed).into_iter();
    let mut objects = objects.filter_map(|text| to_json(text.as_bytes()).ok());
    let first = objects.find(|object| !is_kept(object))?;
    let identity = ObjectIdentity::of(&first);
    Some(format!("{}/{}", described(&identity), identity.name))
}

fn is_kept(object: &Value) -> bool {
    let is_disabled = |place: &str| object["metadata"][place][SUBSTITUTE] == "disabled";
    is_disabled("labels") || is_disabled("annotations")
}

/// The object with its variables put in; `None`: it stays as it is.
fn substituted(
    text: &str,
    object: &Value,
    rules: SubstitutionRules<'_>,
) -> Result<Option<Value>, String> {
    let Some(post_build) = rules.post_build else {
        return Ok(None);
    };
    if is_kept(object) {
        return Ok(None);
    }
    let values = &rules.variables.values;
    if values.is_empty() && post_build.substitute_strategy != "Always" {
        return Ok(None);
    }
    if let Some(name) = values.keys().find(|name| !is_variable_name(name)) {
        return Err(format!(
            "envsubst error: '{name}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
        ));
    }
    let value = |name: &str| match values.get(name) {
        Some(value) => Some(value.as_str()),
        None if rules.strict => None,
        None => Some(""),
    };
    let text = envsubst::evaluate(text, &value)
        .map_err(|error| format!("envsubst error: variable substitution failed: {error}"))?;
    // The reader's words may quote the text, and with it the value of a Secret.
    let object = to_json(text.as_bytes()).map_err(|error| {
        format!(
            "envsubst error: YAMLToJSON: line {}: {}",
            error.line, error.problem
        )
    })?;
    match object {
        Value::Object(_) => Ok(Some(object)),
        _ => Err("UnmarshalJSON: the text is no object any more".into()),
    }
}

fn is_variable_name(name: &str) -> bool {
    let starts_well = |first: char| first == '_' || first.is_ascii_alphabetic();
    name.starts_with(starts_well)
        && name
            .chars()
            .all(|character| character == '_' || character.is_ascii_alphanumeric())
}

/// A list's items, or the object itself.
fn listed(object: Value) -> Vec<Value> {
    match object.get("items") {
        Some(Value::Array(items)) => items.clone(),
        _ => vec![object],
    }
}

/// Whether the controller applies an object: one with kind, version and name that is no kustomization itself.
fn is_applied(object: &Value) -> bool {
    let identity = ObjectIdentity::of(object);
    let is_kustomization = identity.kind.eq_ignore_ascii_case("kustomization")
        && identity.api_version.starts_with("kustomize.config.k8s.io/");
    !identity.name.is_empty()
        && !identity.kind.is_empty()
        && !identity.api_version.is_empty()
        && !is_kustomization
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PRINTED: &str = "apiVersion: v1\ndata:\n  a: ${a}\n  b: ${b:=x}\n  c: '${yes}: 1'\nkind: ConfigMap\nmetadata:\n  name: one\n---\napiVersion: v1\ndata:\n  a: ${a}\nkind: ConfigMap\nmetadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n  name: two\n";

    fn run(values: &[(&str, &str)], strict: bool, always: bool) -> Result<Vec<Value>, String> {
        let post_build = PostBuild {
            substitute_strategy: if always { "Always" } else { "" }.into(),
            substitute: values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..PostBuild::default()
        };
        let mut variables = Variables::default();
        variables.add_inline(&post_build);
        let rules = SubstitutionRules {
            post_build: Some(&post_build),
            variables: &variables,
            strict,
        };
        objects(PRINTED, rules)
    }

    #[test]
    fn variables_are_put_into_the_text() {
        let built = run(&[("a", "010"), ("yes", "on")], false, false).unwrap();
        assert_eq!(
            built[0]["data"],
            json!({"a": 8, "b": "x", "c": "on: 1"}),
            "a value that looks like a number is one"
        );
        assert_eq!(built[1]["data"]["a"], "${a}");
    }

    #[test]
    fn without_variables_nothing_is_touched() {
        assert_eq!(run(&[], true, false).unwrap()[0]["data"]["b"], "${b:=x}");
        assert_eq!(run(&[], false, true).unwrap()[0]["data"]["b"], "x");
    }

    #[test]
    fn failures_are_the_controllers() {
        assert_eq!(
            run(&[("b", "1")], true, false).unwrap_err(),
            "post build failed for 'ConfigMap.v1.[noGrp]/one': envsubst error: variable substitution failed: variable not set (strict mode): \"a\""
        );
        assert!(
            run(&[("a-b", "1")], true, false)
                .unwrap_err()
                .contains("'a-b' var name is invalid")
        );
    }
}
