//! Every way in which a policy can end on the running reflector, beside what `explain` says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use imageauto::controllers::conditions::resolved_message;
use imageauto::controllers::flux::ImageRef;
use serde_json::{Value, json};

use super::api::wait_for;
use super::clusters::ADMINISTRATOR;
use super::command_line::{Home, OURS, run};
use super::objects::{Condition, image_collection, verdict};
use super::registry::push_tags;
use super::{ControlPlane, control_plane, tell};

const NAMESPACE: &str = "outcomes";
const OWNERS: &str = "outcomes-owners";

const TAGS: [&str; 9] = [
    "1.0.0",
    "1.4.0",
    "1.4.0-rc.1",
    "2.0.0",
    "build-7",
    "build-07",
    "latest",
    "v1.4.0",
    "2.0.0.sig",
];

struct Outcomes<'p> {
    plane: &'p ControlPlane,
    home: Home,
    /// The policies by name.
    policies: Vec<(&'static str, Value)>,
}

impl<'p> Outcomes<'p> {
    fn new(plane: &'p ControlPlane) -> Self {
        plane.create_namespace(NAMESPACE);
        plane.create_namespace(OWNERS);
        let lists = [
            ("full", &TAGS[..]),
            ("empty", &[]),
            ("hidden", &["1.0.0"]),
            ("unscanned", &["1.0.0"]),
            ("changing", &["1.0.0"]),
        ];
        for (name, tags) in lists {
            plane.add_tag_lists(&json!({(format!("{NAMESPACE}/{name}")): tags}));
        }
        push_tags(plane, "outcomes/real", ["1.0.0", "1.1.0"]);
        let outcomes = Self {
            plane,
            home: Home::new(),
            policies: policies(),
        };
        outcomes.create_repositories();
        outcomes
    }

    fn create(&self, object: &Value) {
        let applied = self.plane.api.apply(object);
        applied.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    }

    fn create_repositories(&self) {
        let lists = &self.plane.addresses.tag_lists;
        let registry = &self.plane.addresses.registry;
        let listed = |name: &str| format!("{lists}/{NAMESPACE}/{name}");
        let auths = json!({"auths": {(&registry.address): {"auth": registry.basic()}}});
        self.create(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": NAMESPACE, "name": "pull"},
            "stringData": {".dockerconfigjson": auths.to_string()},
        }));
        let label = json!([{"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}]);
        let other = json!([{"matchLabels": {"team": "another"}}]);
        let anyone = json!([{"matchLabels": {}}]);
        let repositories = [
            (NAMESPACE, "full", json!({"image": listed("full")})),
            (NAMESPACE, "empty", json!({"image": listed("empty")})),
            (NAMESPACE, "changing", json!({"image": listed("changing")})),
            (
                NAMESPACE,
                "hidden",
                json!({"image": listed("hidden"), "exclusionList": ["."]}),
            ),
            (
                NAMESPACE,
                "unscanned",
                json!({"image": listed("unscanned"), "exclusionList": ["("]}),
            ),
            (
                NAMESPACE,
                "scheme",
                json!({"image": format!("http://{}", listed("full"))}),
            ),
            (
                NAMESPACE,
                "tagged",
                json!({"image": format!("{}:1.0.0", listed("full"))}),
            ),
            (NAMESPACE, "unreadable", json!({"image": "UPPER/case"})),
            (
                NAMESPACE,
                "real",
                json!({
                    "image": format!("{}/outcomes/real", registry.address),
                    "secretRef": {"name": "pull"},
                }),
            ),
            (OWNERS, "closed", json!({"image": listed("full")})),
            (
                OWNERS,
                "open",
                json!({"image": listed("full"), "accessFrom": {"namespaceSelectors": label}}),
            ),
            (
                OWNERS,
                "to-others",
                json!({"image": listed("full"), "accessFrom": {"namespaceSelectors": other}}),
            ),
            (
                OWNERS,
                "to-all",
                json!({"image": listed("full"), "accessFrom": {"namespaceSelectors": anyone}}),
            ),
        ];
        for (namespace, name, mut spec) in repositories {
            spec["interval"] = json!("24h");
            self.create(&json!({
                "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
                "metadata": {"namespace": namespace, "name": name}, "spec": spec,
            }));
        }
        for namespace in [NAMESPACE, OWNERS] {
            self.verdicts(namespace, "imagerepositories", |_| true);
        }
    }

    /// Waits until the reflector has a verdict on all objects of a kind that count.
    fn verdicts(
        &self,
        namespace: &str,
        plural: &str,
        counts: impl Fn(&Value) -> bool,
    ) -> BTreeMap<String, (Condition, Value)> {
        let collection = image_collection(namespace, plural);
        let what = format!("the {plural} in {namespace}");
        wait_for(&what, Duration::from_secs(120), || {
            let objects = self.plane.api.list(&collection);
            let counting = objects.into_iter().filter(|object| counts(object));
            counting
                .map(|object| {
                    let name = object["metadata"]["name"].as_str()?.to_owned();
                    Some((name, (verdict(&object)?, object)))
                })
                .collect()
        })
    }

    /// What `doctor` finds.
    fn diagnosed(&self) -> Vec<Value> {
        let mut command = self.home.command(OURS, &self.plane.cluster, ADMINISTRATOR);
        let ran = run(command.args(["doctor", "-n", NAMESPACE, "-o", "json"]));
        let document: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        document["findings"].as_array().cloned().unwrap_or_default()
    }

    /// What `explain` says of each policy.
    fn explained(&self) -> BTreeMap<String, Value> {
        let mut command = self.home.command(OURS, &self.plane.cluster, ADMINISTRATOR);
        let ran = run(command.args(["explain", "policies", "-n", NAMESPACE, "-o", "json"]));
        let document: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let rows = document["policies"].as_array().expect("it has policies");
        rows.iter()
            .map(|row| {
                (
                    row["name"].as_str().unwrap_or_default().to_owned(),
                    row.clone(),
                )
            })
            .collect()
    }
}

/// A policy for each outcome.
fn policies() -> Vec<(&'static str, Value)> {
    let semver = |range: &str| json!({"semver": {"range": range}});
    let all = || json!({"policy": semver("*")});
    let of = |repository: &str, mut spec: Value| {
        let (namespace, name) = repository.split_once('/').unwrap_or(("", repository));
        spec["imageRepositoryRef"] = match namespace {
            "" => json!({"name": name}),
            namespace => json!({"namespace": namespace, "name": name}),
        };
        spec
    };
    let foreign = |name: &str| of(&format!("{OWNERS}/{name}"), all());
    let filtered = |pattern: &str, extract: &str, policy: Value| {
        let filter = json!({"pattern": pattern, "extract": extract});
        of("full", json!({"policy": policy, "filterTags": filter}))
    };
    let numerical = || json!({"numerical": {"order": "asc"}});
    vec![
        ("chosen", of("full", json!({"policy": semver("<2.0.0")}))),
        (
            "last",
            of(
                "full",
                json!({"policy": {"alphabetical": {"order": "desc"}}}),
            ),
        ),
        ("out-of-range", of("full", json!({"policy": semver(">=3")}))),
        ("bad-range", of("full", json!({"policy": semver("latest")}))),
        ("no-range", of("full", json!({"policy": semver("")}))),
        (
            "long-range",
            of("full", json!({"policy": semver(&"1 ".repeat(300))})),
        ),
        (
            "many-ranges",
            of("full", json!({"policy": semver(&vec!["1"; 33].join("||"))})),
        ),
        (
            "unreadable-range",
            of("full", json!({"policy": semver("1.2.3-01")})),
        ),
        ("no-order", of("full", json!({"policy": {}}))),
        ("no-numbers", of("full", json!({"policy": numerical()}))),
        (
            "by-number",
            filtered(
                "^build-([0-9]+)$",
                "$1",
                json!({"numerical": {"order": "desc"}}),
            ),
        ),
        ("tied", filtered("^v?(1.4.0)$|^(v.*)$", "$1$2", semver("*"))),
        ("collided", filtered("^v?(?P<v>1.4.0)$", "$v", semver("*"))),
        ("nothing-matches", filtered("^nothing$", "", semver("*"))),
        ("bad-pattern", filtered("(", "", semver("*"))),
        ("bad-class", filtered("[z-a]", "", semver("*"))),
        ("bad-repeat", filtered("a{1001}", "", semver("*"))),
        (
            "no-such-group",
            filtered("^build-([0-9]+)$", "$number", numerical()),
        ),
        ("missing", of("nowhere", all())),
        ("denied", foreign("closed")),
        ("granted", foreign("open")),
        ("of-another-team", foreign("to-others")),
        ("granted-to-all", foreign("to-all")),
        ("scheme", of("scheme", all())),
        ("tagged", of("tagged", all())),
        ("unreadable", of("unreadable", all())),
        ("no-tags", of("empty", all())),
        ("all-hidden", of("hidden", all())),
        ("never-scanned", of("unscanned", all())),
        // Always without an interval is what the API server refuses.
        (
            "digest",
            of(
                "real",
                json!({"policy": semver("*"), "digestReflectionPolicy": "IfNotPresent"}),
            ),
        ),
        (
            "digest-always",
            of(
                "real",
                json!({"policy": semver("*"), "digestReflectionPolicy": "Always", "interval": "1h"}),
            ),
        ),
        // The server of tag lists has no manifests.
        (
            "no-digest",
            of(
                "full",
                json!({"policy": semver("*"), "digestReflectionPolicy": "IfNotPresent"}),
            ),
        ),
        (
            "suspended",
            of("full", json!({"policy": semver("*"), "suspend": true})),
        ),
        ("stale", of("changing", all())),
    ]
}

#[test]
fn policies_end_as_explain_says() {
    let Some(plane) = control_plane() else { return };
    let outcomes = Outcomes::new(plane);
    for (name, spec) in &outcomes.policies {
        outcomes.create(&json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
            "metadata": {"namespace": NAMESPACE, "name": name}, "spec": spec,
        }));
    }
    let counts = |policy: &Value| policy["spec"]["suspend"] != json!(true);
    let verdicts = outcomes.verdicts(NAMESPACE, "imagepolicies", counts);
    plane.add_tag_lists(&json!({(format!("{NAMESPACE}/changing")): ["1.0.0", "1.1.0"]}));
    let explained = outcomes.explained();
    let diagnosed = outcomes.diagnosed();
    let mut differences = Vec::new();
    for (name, _) in &outcomes.policies {
        let failing = verdicts
            .get(*name)
            .filter(|(condition, _)| !condition.ready);
        if let Some((condition, _)) = failing
            && *name != "never-scanned"
        {
            let missing = undiagnosed(&diagnosed, "ImagePolicy", name, &condition.message);
            differences.extend(missing);
        }
        let row = &explained[*name];
        let difference = match (*name, verdicts.get(*name)) {
            ("suspended", None) => of_suspended(row),
            ("stale", Some((condition, object))) => of_stale(row, condition, object),
            ("never-scanned", Some((condition, _))) => of_never_scanned(row, condition),
            (_, Some((condition, object))) => difference(row, condition, object),
            (_, None) => Some("the reflector says nothing".to_owned()),
        };
        differences.extend(difference.map(|how| format!("{name}: {how}\n  {row}")));
    }
    let repositories = outcomes.verdicts(NAMESPACE, "imagerepositories", |_| true);
    for (name, (condition, _)) in repositories
        .iter()
        .filter(|(_, (verdict, _))| !verdict.ready)
    {
        let missing = undiagnosed(&diagnosed, "ImageRepository", name, &condition.message);
        differences.extend(missing);
    }
    // Those that fail would be tried again and again.
    plane
        .api
        .delete_all(&image_collection(NAMESPACE, "imagepolicies"));
    let asked = outcomes.policies.len();
    tell(&format!(
        "policies of every outcome: {asked} asked, {} differ",
        differences.len()
    ));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// That no finding about an object quotes the controller's words, if none does.
fn undiagnosed(findings: &[Value], kind: &str, name: &str, message: &str) -> Option<String> {
    let words = message
        .strip_prefix("retrying in ")
        .and_then(|rest| rest.split_once(" error: "))
        .map_or(message, |(_, words)| words);
    let quotes = |finding: &Value| {
        let subject = &finding["subject"];
        subject["kind"] == json!(kind)
            && subject["name"] == json!(name)
            && finding["evidence"]
                .as_str()
                .is_some_and(|text| text.contains(words))
    };
    let told: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["subject"]["name"] == json!(name))
        .collect();
    (!findings.iter().any(quotes))
        .then(|| format!("doctor doesn't quote {words:?} of {kind} {name}: {told:?}"))
}

/// What differs between an explanation and the reflector's verdict, if anything does.
fn difference(row: &Value, condition: &Condition, object: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let theirs = &object["status"]["latestRef"];
    let image = |latest: &Value, name: &str| ImageRef {
        name: text(&latest[name]),
        tag: text(&latest["tag"]),
        digest: text(&latest["digest"]),
    };
    let their_image = image(theirs, "name");
    if condition.ready {
        let message = resolved_message(&their_image, None);
        let previous = object["status"].get("observedPreviousRef");
        let previous =
            previous.map(|previous| resolved_message(&their_image, Some(&image(previous, "name"))));
        if condition.message != message && Some(&condition.message) != previous.as_ref() {
            return Some(format!("the reflector's text is {}", condition.message));
        }
        if condition.reason != "Succeeded" {
            return Some(format!("the reflector's reason is {}", condition.reason));
        }
    }
    if row["deterministic"] == json!(false) {
        let candidates = row["candidates"].as_array().cloned().unwrap_or_default();
        let is_one = candidates.contains(&json!(their_image.tag));
        return (!condition.ready || !is_one).then(|| format!("the reflector chose {their_image}"));
    }
    if row["error"].is_null() {
        let ours = image(&row["latest"], "image");
        let same = condition.ready && ours == their_image;
        return (!same).then(|| format!("the reflector says {condition:?} {their_image}"));
    }
    let (reason, message) = (
        text(&row["error"]["reason"]),
        text(&row["error"]["message"]),
    );
    let waits = reason == "DependencyNotReady"
        && condition.message.starts_with("retrying in ")
        && condition.message.ends_with(&format!("error: {message}"));
    let same = !condition.ready
        && theirs.is_null()
        && condition.reason == reason
        && (condition.message == message || waits);
    (!same).then(|| format!("the reflector says {condition:?} {their_image}"))
}

fn of_suspended(row: &Value) -> Option<String> {
    let stuck = row["steps"].as_array().into_iter().flatten();
    let mut ids = stuck.map(|step| &step["id"]);
    let is_told = ids.any(|id| *id == json!("suspended"));
    (!is_told || !row["latest"].is_null()).then(|| "it isn't told that it is suspended".to_owned())
}

/// The reflector's policy waits for tags; `explain` tells why there are none, which is what the repository says.
fn of_never_scanned(row: &Value, condition: &Condition) -> Option<String> {
    let waits = condition.reason == "DependencyNotReady"
        && condition.message.ends_with("error: no tags in database");
    let cause =
        "scan failed: failed to compile regex (: error parsing regexp: missing closing ): `(`";
    let told = row["error"]["message"] == json!(cause) && row["latest"].is_null();
    (!waits || !told).then(|| format!("the reflector says {condition:?}"))
}

/// The registry has moved on since the scan: the reflector still has the old tag, and `explain` tells both.
fn of_stale(row: &Value, condition: &Condition, object: &Value) -> Option<String> {
    let theirs = &object["status"]["latestRef"]["tag"];
    let told = condition.ready
        && *theirs == json!("1.0.0")
        && row["live"]["latest"]["tag"] == *theirs
        && row["latest"]["tag"] == json!("1.1.0");
    (!told).then(|| format!("the reflector says {condition:?} {theirs}"))
}
