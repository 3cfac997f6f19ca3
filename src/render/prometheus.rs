//! Findings and the state of policies as metrics, in the form that node-exporter's textfile collector and a Pushgateway take.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::pipeline::diagnose::Diagnosis;

/// One family after the other, each with its help and type.
pub fn metrics(diagnosis: &Diagnosis) -> Vec<u8> {
    let mut text = String::new();
    family(
        &mut text,
        "imageauto_findings",
        "How many findings there are of an id.",
        findings(diagnosis),
    );
    let policies = &diagnosis.policies;
    family(
        &mut text,
        "imageauto_policy_latest_info",
        "The latest image of a policy as its labels; always 1.",
        policies.iter().filter_map(|policy| {
            let latest = policy.latest.as_ref()?;
            let labels = [
                ("context", policy.context.as_deref().unwrap_or_default()),
                ("namespace", &policy.key.namespace),
                ("name", &policy.key.name),
                ("image", &latest.name),
                ("tag", &latest.tag),
                ("digest", &latest.digest),
            ];
            Some((labelled(&labels), 1.0))
        }),
    );
    family(
        &mut text,
        "imageauto_policy_stuck",
        "Whether a policy is the subject of a warning or an error.",
        policies.iter().map(|policy| {
            let labels = [
                ("context", policy.context.as_deref().unwrap_or_default()),
                ("namespace", policy.key.namespace.as_str()),
                ("name", policy.key.name.as_str()),
            ];
            (labelled(&labels), f64::from(u8::from(policy.is_stuck)))
        }),
    );
    let ages = |pick: fn(&crate::pipeline::diagnose::Age) -> bool| {
        let ages = diagnosis.ages.iter().filter(move |age| pick(age));
        ages.map(|age| {
            let labels = [
                ("context", age.context.as_deref().unwrap_or_default()),
                ("namespace", age.key.namespace.as_str()),
                ("name", age.key.name.as_str()),
            ];
            (labelled(&labels), age.seconds)
        })
    };
    family(
        &mut text,
        "imageauto_last_scan_age_seconds",
        "How long ago an ImageRepository was last scanned.",
        ages(|age| age.of_scan),
    );
    family(
        &mut text,
        "imageauto_last_run_age_seconds",
        "How long ago an ImageUpdateAutomation last ran.",
        ages(|age| !age.of_scan),
    );
    text.into_bytes()
}

fn findings(diagnosis: &Diagnosis) -> impl Iterator<Item = (String, f64)> {
    let mut counts: BTreeMap<(&str, &str, String), f64> = BTreeMap::new();
    for found in &diagnosis.findings {
        let context = found.context.as_deref().unwrap_or_default();
        let severity = found.finding.severity.to_string();
        *counts
            .entry((context, found.finding.id, severity))
            .or_default() += 1.0;
    }
    counts.into_iter().map(|((context, id, severity), count)| {
        let labels = [
            ("context", context),
            ("id", id),
            ("severity", severity.as_str()),
        ];
        (labelled(&labels), count)
    })
}

fn family(text: &mut String, name: &str, help: &str, samples: impl Iterator<Item = (String, f64)>) {
    // Writing to a String can't fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    for (labels, value) in samples {
        let _ = writeln!(text, "{name}{{{labels}}} {value}");
    }
}

fn labelled(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    labels.join(",")
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(labelled(&[("a", "b\"c\\\n")]), "a=\"b\\\"c\\\\\\n\"");
    }
}
