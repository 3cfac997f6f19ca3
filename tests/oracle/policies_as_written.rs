//! Policies as people write them, over the tags that their registries hold.

use serde_json::{Value, json};

use super::generator::Generator;
use super::recording::PolicyQuestion;

const RANGES: [&str; 24] = [
    "*",
    ">=1.0.0",
    ">=1.0.0 <2.0.0",
    "1.x",
    "1.2.x",
    "^1.2",
    "^0.3.1",
    "~1.2.3",
    "~2",
    ">=1.0.0-0",
    "*-0",
    ">1.2",
    "<=1.4",
    "1.0.0 - 1.9.9",
    "1.x || 3.x",
    "!=1.2.3",
    ">=0.1.0-rc.1 <1.0.0",
    "=1.2.3",
    "v1.x",
    ">=2, <4",
    "==1",
    "",
    "1.2.3-01",
    "<0.0.1",
];

const FILTERS: [(&str, &str); 14] = [
    ("", ""),
    ("^v?[0-9.]+$", ""),
    ("^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts"),
    ("^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "${ts}"),
    ("^main-(?P<sha>[a-f0-9]+)-[0-9]+$", "$sha"),
    (
        r"^(?P<timestamp>[0-9]{4}\.[0-9]{2}\.[0-9]{2})-[a-f0-9]+$",
        "$timestamp",
    ),
    (r"^(?P<version>.*)-alpine$", "$version"),
    (
        r"^v(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)$",
        "$major.$minor.$patch",
    ),
    ("(?i)RC", ""),
    ("^build-([0-9]+)$", "$1"),
    ("^build-([0-9]+)$", "$1x"),
    ("-", ""),
    ("[", ""),
    ("nothing has this", ""),
];

/// For each habit of [`tag`], the policy and the filter (by its place above) that fit it.
const FITTING: [(&str, usize); 7] = [
    ("semver", 0),
    ("semver", 1),
    ("semver", 6),
    ("numerical", 2),
    ("alphabetical", 5),
    ("numerical", 9),
    ("alphabetical", 0),
];

/// A policy over a dozen tags of one or two habits; mostly one that fits the first.
pub fn policy_as_written(g: &mut Generator) -> PolicyQuestion {
    let habits = [g.below(FITTING.len()), g.below(FITTING.len())];
    let count = if g.chance(4) { 0 } else { 1 + g.below(15) };
    let tags = (0..count)
        .map(|_| {
            let habit = habits[usize::from(g.chance(25))];
            tag(g, habit)
        })
        .collect();
    let fits = g.chance(70);
    let (kind, fitting) = FITTING[habits[0]];
    let kind = if fits {
        kind
    } else {
        g.pick(&["semver", "numerical", "alphabetical"])
    };
    let filter = if fits {
        fitting
    } else {
        g.below(FILTERS.len())
    };
    let mut spec = json!({"policy": choice(g, kind)});
    let (pattern, extract) = FILTERS[filter];
    if !pattern.is_empty() || g.chance(20) {
        spec["filterTags"] = json!({"pattern": pattern, "extract": extract});
    }
    let exclusion_list = if g.chance(10) {
        vec![g.pick(&["^latest$", "rc", "-alpine$"]).to_owned()]
    } else {
        Vec::new()
    };
    PolicyQuestion {
        tags,
        exclusion_list,
        spec,
    }
}

fn choice(g: &mut Generator, kind: &str) -> Value {
    match (kind, g.below(5)) {
        ("semver", _) => json!({"semver": {"range": RANGES[g.below(RANGES.len())]}}),
        (_, 0) => json!({(kind): {}}),
        _ => json!({(kind): {"order": g.pick(&["asc", "desc"])}}),
    }
}

fn tag(g: &mut Generator, habit: usize) -> String {
    let (major, minor, patch) = (g.below(4), g.below(6), g.below(12));
    let hash = format!("{:07x}", g.next() & 0xfff_ffff);
    match habit {
        0 => format!("{major}.{minor}.{patch}"),
        1 => format!("v{major}.{minor}.{patch}"),
        2 => {
            let suffix = g.pick(&[
                "-rc.1", "-rc.2", "-alpha", "-alpine", "", "+build.1", "-beta.11", ".sig",
            ]);
            format!("{major}.{minor}.{patch}{suffix}").replace('+', "_")
        }
        3 => format!("main-{hash}-{}", 1_700_000_000 + g.below(1000)),
        4 => format!("2026.{:02}.{:02}-{hash}", 1 + g.below(2), 1 + g.below(9)),
        5 => format!("build-{}", g.below(300)),
        _ => g
            .pick(&[
                "latest",
                "main",
                "1",
                "1.2",
                "20240101",
                "1e3",
                "0x1F",
                "007",
                "1.10",
                "stable",
                "sha256-abc.sig",
            ])
            .to_owned(),
    }
}
