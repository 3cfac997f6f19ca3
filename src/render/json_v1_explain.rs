//! The public JSON of `explain`, schema version 1.

use serde::Serialize;

use crate::controllers::flux::{ImageRef, ObjectKey};
use crate::pipeline::explain::{
    AutomationChain, Explanation, LivePolicy, PolicyChain, RepositoryNames, Snippet, Step,
};

use super::json_v1::{Error, document, filled};

/// The document of `explain -o json`, ended by LF.
pub fn explain(explanations: &[Explanation]) -> Vec<u8> {
    let mut whole = ExplainDocument {
        schema_version: 1,
        policies: Vec::new(),
        automations: Vec::new(),
    };
    for explanation in explanations {
        let context = explanation.context.as_deref();
        let policies = explanation.policies.iter();
        let automations = explanation.automations.iter();
        let policies = policies.map(|chain| policy(chain, context));
        whole.policies.extend(policies);
        let automations = automations.map(|chain| automation(chain, context));
        whole.automations.extend(automations);
    }
    document(&whole)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExplainDocument {
    schema_version: u32,
    policies: Vec<PolicyRow>,
    automations: Vec<AutomationRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRow {
    context: Option<String>,
    namespace: String,
    name: String,
    repository: RepositoryRow,
    latest: Option<ImageRow>,
    from: Option<&'static str>,
    deterministic: bool,
    candidates: Vec<String>,
    error: Option<Error>,
    counts: CountsRow,
    revision: Option<String>,
    live: Option<LiveRow>,
    steps: Vec<StepRow>,
    tags: Vec<TagRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryRow {
    namespace: String,
    name: String,
    image: Option<String>,
    canonical_name: Option<String>,
}

#[derive(Serialize)]
struct ImageRow {
    image: String,
    tag: String,
    digest: Option<String>,
}

/// How many tags are left after each step; null where the step was not reached.
#[derive(Serialize)]
struct CountsRow {
    listed: Option<usize>,
    excluded: Option<usize>,
    matched: Option<usize>,
    eligible: Option<usize>,
}

#[derive(Serialize)]
struct LiveRow {
    latest: Option<ImageRow>,
    ready: Option<String>,
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Serialize)]
struct StepRow {
    step: &'static str,
    verdict: &'static str,
    id: Option<&'static str>,
    severity: Option<String>,
    text: String,
    remedy: Option<String>,
    place: Option<PlaceRow>,
    since: Option<String>,
    due: Option<String>,
}

/// A part of a line; `line` is null for a text that is no file.
#[derive(Serialize)]
struct PlaceRow {
    line: Option<usize>,
    column: usize,
    length: usize,
    text: String,
}

#[derive(Serialize)]
struct TagRow {
    tag: String,
    verdict: &'static str,
    key: Option<String>,
    detail: String,
}

#[derive(Serialize)]
struct AutomationRow {
    context: Option<String>,
    namespace: String,
    name: String,
    steps: Vec<StepRow>,
    policies: Vec<KeyRow>,
    error: Option<Error>,
}

#[derive(Serialize)]
struct KeyRow {
    namespace: String,
    name: String,
}

fn policy(chain: &PolicyChain, context: Option<&str>) -> PolicyRow {
    let ObjectKey { namespace, name } = chain.key.clone();
    PolicyRow {
        context: context.map(str::to_owned),
        namespace,
        name,
        repository: repository(&chain.repository),
        latest: chain.latest.as_ref().map(|(latest, _)| image(latest)),
        from: chain.latest.as_ref().map(|(_, origin)| origin.word()),
        deterministic: chain.is_deterministic(),
        candidates: chain.candidates.clone(),
        error: chain.error.as_ref().map(|(reason, message)| Error {
            reason: reason.clone(),
            message: message.clone(),
        }),
        counts: CountsRow {
            listed: chain.listed.map(|(listed, _)| listed),
            excluded: chain.listed.map(|(_, excluded)| excluded),
            matched: chain.counts.map(|counts| counts.matched),
            eligible: chain.counts.map(|counts| counts.eligible),
        },
        revision: chain.revision.clone(),
        live: chain.live.as_ref().map(live),
        steps: chain.steps.iter().map(step).collect(),
        tags: chain
            .tags
            .iter()
            .map(|tag| TagRow {
                tag: tag.tag.clone(),
                verdict: tag.verdict,
                key: tag.key.clone(),
                detail: tag.detail.clone(),
            })
            .collect(),
    }
}

fn repository(names: &RepositoryNames) -> RepositoryRow {
    RepositoryRow {
        namespace: names.key.namespace.clone(),
        name: names.key.name.clone(),
        image: names.image.clone(),
        canonical_name: names.canonical.clone(),
    }
}

fn image(image: &ImageRef) -> ImageRow {
    ImageRow {
        image: image.name.clone(),
        tag: image.tag.clone(),
        digest: filled(&image.digest),
    }
}

fn live(live: &LivePolicy) -> LiveRow {
    LiveRow {
        latest: live.latest.as_ref().map(image),
        ready: filled(&live.ready),
        reason: filled(&live.reason),
        message: filled(&live.message),
    }
}

fn step(step: &Step) -> StepRow {
    StepRow {
        step: step.kind.word(),
        verdict: step.verdict.word(),
        id: step.finding.map(|(id, _)| id),
        severity: step.finding.map(|(_, severity)| severity.to_string()),
        text: step.text.clone(),
        remedy: step.remedy.clone(),
        place: step.snippet.as_ref().map(place),
        since: step.since.map(|moment| moment.to_string()),
        due: step.due.map(|moment| moment.to_string()),
    }
}

fn place(snippet: &Snippet) -> PlaceRow {
    PlaceRow {
        line: snippet.line,
        column: snippet.column,
        length: snippet.length,
        text: snippet.text.clone(),
    }
}

fn automation(chain: &AutomationChain, context: Option<&str>) -> AutomationRow {
    let ObjectKey { namespace, name } = chain.key.clone();
    AutomationRow {
        context: context.map(str::to_owned),
        namespace,
        name,
        steps: chain.steps.iter().map(step).collect(),
        policies: chain
            .policies
            .iter()
            .map(|key| KeyRow {
                namespace: key.namespace.clone(),
                name: key.name.clone(),
            })
            .collect(),
        error: chain.error.as_ref().map(|error| Error {
            reason: error.reason.to_owned(),
            message: error.message.clone(),
        }),
    }
}
