//! What can be wrong with ImagePolicies.

use serde_json::{Value, json};

use super::stage::{Stage, image_path};

const NAMESPACE: &str = "policies";
const OWNERS: &str = "owners";

fn subject(name: &str) -> String {
    format!("ImagePolicy {NAMESPACE}/{name}")
}

fn semver(range: &str) -> Value {
    json!({"policy": {"semver": {"range": range}}})
}

fn numerical(pattern: &str, extract: &str) -> Value {
    json!({
        "policy": {"numerical": {"order": "asc"}},
        "filterTags": {"pattern": pattern, "extract": extract},
    })
}

/// Makes all of them.
pub fn make(stage: &mut Stage<'_>) {
    stage.policy("fine", "app", "app", &semver("1.x"));
    stage.namespace(NAMESPACE);
    stage.namespace(OWNERS);
    stage.listed(
        NAMESPACE,
        "app",
        &[
            "1.0.0",
            "1.4.0",
            "v1.4.0",
            "1.25",
            "2.0.0",
            "3.1.0-rc.1",
            "latest",
            "old-main-2",
            "main-1",
            "build-7",
            "build-07",
            "build-x",
            "20260528153652123",
            "20260528153652124",
        ],
        &json!({}),
    );
    stage.listed(NAMESPACE, "empty", &[], &json!({}));
    stage.listed(NAMESPACE, "gone", &["1.0.0"], &json!({}));
    stage.listed(
        NAMESPACE,
        "unscanned",
        &["1.0.0"],
        &json!({"exclusionList": ["["]}),
    );
    stage.listed(NAMESPACE, "paused", &["1.0.0"], &json!({}));
    stage.listed(OWNERS, "closed", &["1.0.0"], &json!({}));
    let others =
        json!({"accessFrom": {"namespaceSelectors": [{"matchLabels": {"team": "another"}}]}});
    stage.listed(OWNERS, "to-others", &["1.0.0"], &others);
    choices(stage);
    failures(stage);
}

fn choices(stage: &mut Stage<'_>) {
    let alphabetical = |order: &str, filter: Value| json!({"policy": {"alphabetical": {"order": order}}, "filterTags": filter});
    let tied = json!({"semver": {"range": "1.4.0"}});
    let all: [(&str, Value, &[&str]); 14] = [
        ("newer", semver("1.x"), &["newer-outside-range"]),
        (
            "short",
            semver("1.25.x"),
            &["no-version-in-range", "version-needs-three-parts"],
        ),
        ("none-in-range", semver(">=7"), &["no-version-in-range"]),
        (
            "prerelease",
            semver(">=3.0.0"),
            &["no-version-in-range", "prerelease-needs-range"],
        ),
        (
            "tied",
            json!({"policy": tied, "filterTags": {"pattern": "^v?1.4.0$"}}),
            &["choice-not-deterministic"],
        ),
        (
            "collided",
            json!({"policy": tied, "filterTags": {"pattern": "^v?(?P<v>1.4.0)$", "extract": "$v"}}),
            &["extract-collision"],
        ),
        (
            "nothing-matches",
            json!({"policy": {"semver": {"range": "*"}}, "filterTags": {"pattern": "^nothing$"}}),
            &["no-tag-matches-filter"],
        ),
        (
            "unanchored",
            alphabetical("asc", json!({"pattern": "main-[0-9]+"})),
            &["filter-unanchored"],
        ),
        (
            "no-group",
            numerical("^build-([0-9]+)$", "$number"),
            &["extract-empty"],
        ),
        (
            "no-number",
            numerical("^build-(.+)$", "$1"),
            &["numeric-parse-failure"],
        ),
        (
            "precise",
            numerical("^([0-9]{17})$", "$1"),
            &["numeric-precision", "choice-not-deterministic"],
        ),
        (
            "downwards",
            alphabetical("desc", json!({"pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"})),
            &["order-inverted"],
        ),
        (
            "floating",
            alphabetical("asc", json!({"pattern": "^latest$"})),
            &["floating-tag"],
        ),
        ("unused", semver("2.x"), &[]),
    ];
    for (name, spec, ids) in all {
        stage.policy(NAMESPACE, name, "app", &spec);
        for id in ids {
            stage.expect(id, subject(name));
        }
        stage.expect("policy-unused", subject(name));
    }
}

fn failures(stage: &mut Stage<'_>) {
    let of = |namespace: &str, name: &str| {
        let mut spec = semver("*");
        spec["imageRepositoryRef"] = json!({"namespace": namespace, "name": name});
        spec
    };
    stage.policy(NAMESPACE, "denied", "", &of(OWNERS, "closed"));
    stage.policy(NAMESPACE, "of-another-team", "", &of(OWNERS, "to-others"));
    for name in ["denied", "of-another-team"] {
        stage.expect("cross-namespace-denied", subject(name));
    }
    stage.policy(NAMESPACE, "scheme", "", &of("policies", "scheme"));
    let invalid = format!("http://{}/x", stage.plane.addresses.tag_lists);
    stage.repository(NAMESPACE, "scheme", &invalid, &json!({}));
    stage.expect_from("image-url-invalid", subject("scheme"), "image-url-invalid");
    let bad_pattern = json!({"policy": {"semver": {"range": "*"}}, "filterTags": {"pattern": "("}});
    for (name, repository, spec) in [
        ("bad-range", "app", semver("latest")),
        ("bad-pattern", "app", bad_pattern),
        ("nowhere", "nowhere", semver("*")),
        ("no-tags", "empty", semver("*")),
        ("never-scanned", "unscanned", semver("*")),
    ] {
        stage.policy(NAMESPACE, name, repository, &spec);
        stage.expect("policy-stuck-on-old-tag", subject(name));
    }
    // The server of tag lists has no manifests.
    let mut digest = semver("1.x");
    digest["digestReflectionPolicy"] = json!("IfNotPresent");
    stage.policy(NAMESPACE, "no-digest", "app", &digest);
    stage.expect("policy-stuck-on-old-tag", subject("no-digest"));
    let mut suspended = semver("1.x");
    suspended["suspend"] = json!(true);
    stage.policy(NAMESPACE, "suspended", "app", &suspended);
    stage.expect("suspended", subject("suspended"));
    stage.policy(NAMESPACE, "orphan", "gone", &semver("*"));
    stage.policy(NAMESPACE, "narrowed", "app", &semver("1.x"));
    stage.policy(NAMESPACE, "paused", "paused", &semver("1.x"));
}

/// What happens after the first choices.
pub fn change(stage: &mut Stage<'_>) {
    let has_latest = |name: &str| {
        stage.until("ImagePolicy", NAMESPACE, name, |_, object| {
            object["status"]["latestRef"]["tag"].is_string()
        })
    };
    for name in ["orphan", "narrowed", "paused"] {
        has_latest(name);
    }
    stage.delete(&image_path("ImageRepository", NAMESPACE, "gone"));
    let narrow = json!({"spec": {"policy": {"semver": {"range": ">=9"}}}});
    stage.change("ImagePolicy", NAMESPACE, "narrowed", &narrow);
    let suspended = json!({"spec": {"suspend": true}});
    stage.change("ImageRepository", NAMESPACE, "paused", &suspended);
    for name in ["orphan", "narrowed"] {
        stage.until("ImagePolicy", NAMESPACE, name, |condition, _| {
            !condition.ready
        });
        stage.expect("policy-stuck-on-old-tag", subject(name));
    }
    stage.expect("suspended", format!("ImageRepository {NAMESPACE}/paused"));
}
