//! Keeps what is secret out of rows: the values of Secrets, and whatever holds a value that came from one.

use serde_json::Value;

use crate::facts::dry_run::{DryRunRow, FieldChange};

const MASK: &str = "***";

/// Values shorter than this are masked only where they are the whole of a field: they would be found everywhere.
const SHORTEST: usize = 4;

/// Masks a row; `object` is what was sent, `secrets` are the values that were put into it.
pub(super) fn mask(row: &mut DryRunRow, object: &Value, secrets: &[String]) {
    let is_secret = object["kind"] == "Secret";
    let mut known: Vec<String> = secrets.to_vec();
    if is_secret {
        known.extend(values(object));
    }
    for field in &mut row.fields {
        if is_secret && (field.field.starts_with(".data") || field.field.starts_with(".stringData"))
        {
            hide(field);
        } else if holds(&field.applied, secrets) || holds(&field.live, secrets) {
            field.live = hidden(&field.live);
            field.applied = hidden(&field.applied);
        }
    }
    for value in known.iter().filter(|value| value.len() >= SHORTEST) {
        row.message = row.message.replace(value.as_str(), MASK);
    }
}

/// A Secret's value, told apart before and after as Flux does.
fn hide(field: &mut FieldChange) {
    let both = !field.live.is_null() && !field.applied.is_null();
    for (value, mask) in [
        (&mut field.live, "*** (before)"),
        (&mut field.applied, "*** (after)"),
    ] {
        if !value.is_null() {
            *value = if both { mask.into() } else { MASK.into() };
        }
    }
}

fn hidden(value: &Value) -> Value {
    if value.is_null() {
        Value::Null
    } else {
        MASK.into()
    }
}

fn holds(value: &Value, secrets: &[String]) -> bool {
    match value {
        Value::String(text) => secrets.iter().any(|secret| {
            text == secret || (secret.len() >= SHORTEST && text.contains(secret.as_str()))
        }),
        Value::Number(_) | Value::Bool(_) => secrets.contains(&value.to_string()),
        Value::Array(items) => items.iter().any(|item| holds(item, secrets)),
        Value::Object(fields) => fields.values().any(|value| holds(value, secrets)),
        Value::Null => false,
    }
}

/// The values of a Secret as they stand in it, and decoded.
fn values(secret: &Value) -> Vec<String> {
    use base64::Engine as _;
    let mut found = Vec::new();
    for place in ["data", "stringData"] {
        let fields = secret[place].as_object().into_iter().flatten();
        for text in fields.filter_map(|(_, value)| value.as_str()) {
            found.push(text.to_owned());
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            found.extend(decoded);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::dry_run::{Cause, ObjectIdentity, Outcome};
    use serde_json::json;

    fn row(field: &str, live: Value, applied: Value, message: &str) -> DryRunRow {
        DryRunRow {
            object: ObjectIdentity::default(),
            path: String::new(),
            line: None,
            kustomization: None,
            outcome: Outcome::Changed,
            by: None,
            message: message.into(),
            fields: vec![FieldChange {
                field: field.into(),
                live,
                applied,
                cause: Cause::Update,
            }],
            fails: false,
        }
    }

    #[test]
    fn values_of_secrets_are_not_shown() {
        let mut found = row(
            ".data.key",
            json!("b2xk"),
            json!("c2VjcmV0"),
            "bad value c2VjcmV0 (secret)",
        );
        let object = json!({"kind": "Secret", "data": {"key": "c2VjcmV0"}});
        mask(&mut found, &object, &[]);
        assert_eq!(found.fields[0].live, "*** (before)");
        assert_eq!(found.fields[0].applied, "*** (after)");
        assert_eq!(found.message, "bad value *** (***)");
    }

    #[test]
    fn values_that_were_put_in_are_not_shown() {
        let secrets = ["hunter2".to_owned(), "9".to_owned()];
        let mut found = row(
            ".spec.url",
            json!("old"),
            json!({"a": ["x:hunter2@y"]}),
            "no hunter2",
        );
        mask(&mut found, &json!({}), &secrets);
        assert_eq!(found.fields[0].live, MASK);
        assert_eq!(found.fields[0].applied, MASK);
        assert_eq!(found.message, "no ***");
        let mut found = row(".spec.replicas", json!(3), json!(9), "");
        mask(&mut found, &json!({}), &secrets);
        assert_eq!(found.fields[0].applied, MASK);
        let mut found = row(".spec.replicas", json!(3), json!(90), "");
        mask(&mut found, &json!({}), &secrets);
        assert_eq!(found.fields[0].applied, 90);
    }
}
