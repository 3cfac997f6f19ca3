//! Generated policies: tags as teams name them, filters as they write them, ranges right and wrong.

use imageauto::controllers::flux::{ImagePolicyChoice, OrderedPolicy, SemVerPolicy, TagFilter};
use imageauto::controllers::policy::PolicySpec;
use serde_json::{Map, Value, json};

use crate::oracle::generator::Generator;
use crate::oracle::recording::PolicyQuestion;

/// An ImagePolicy over a list of tags.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyCase {
    /// The tags, as the registry lists them.
    pub tags: Vec<String>,
    /// The parts of the spec that choose.
    pub spec: PolicySpec,
}

impl PolicyCase {
    /// Whether the API server lets the object in: it knows two orders, in lower case.
    pub fn is_admitted(&self) -> bool {
        let choice = &self.spec.choice;
        [&choice.alphabetical, &choice.numerical]
            .into_iter()
            .flatten()
            .all(|policy| ["asc", "desc"].contains(&policy.order.as_str()))
    }

    /// The case for the running reflector.
    pub fn question(&self) -> PolicyQuestion {
        let mut spec = json!({ "policy": self.policy() });
        if let Some(filter) = &self.spec.filter {
            spec["filterTags"] = json!({"pattern": filter.pattern, "extract": filter.extract});
        }
        PolicyQuestion {
            tags: self.tags.clone(),
            exclusion_list: Vec::new(),
            spec,
        }
    }

    /// `spec.policy`.
    pub fn policy(&self) -> Value {
        let choice = &self.spec.choice;
        let mut policy = Map::new();
        if let Some(semver) = &choice.semver {
            policy.insert("semver".into(), json!({"range": semver.range}));
        }
        if let Some(alphabetical) = &choice.alphabetical {
            policy.insert("alphabetical".into(), json!({"order": alphabetical.order}));
        }
        if let Some(numerical) = &choice.numerical {
            policy.insert("numerical".into(), json!({"order": numerical.order}));
        }
        Value::Object(policy)
    }
}

/// The next case.
pub fn policy_case(g: &mut Generator) -> PolicyCase {
    // Versions and numbers are where most can go wrong.
    let family = [0, 0, 0, 0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 6, 7, 8][g.below(16)];
    let stray = g.chance(15).then(|| g.below(FAMILIES));
    let count = match g.below(40) {
        0 => 0,
        1..=3 => 1,
        4..=20 => 2 + g.below(5),
        _ => 5 + g.below(18),
    };
    let mut tags: Vec<String> = Vec::new();
    for _ in 0..count {
        let next = match stray {
            Some(stray) if g.chance(10) => tag(g, stray),
            _ if g.chance(30) && !tags.is_empty() => {
                let place = g.below(tags.len());
                twin(g, &tags[place], family)
            }
            _ => tag(g, family),
        };
        tags.push(next);
    }
    let (filter, kind) = if g.chance(60) {
        let (filter, kind) = fitting_filter(g, family);
        (Some(filter), kind)
    } else if g.chance(35) {
        (Some(composed_filter(g)), ALPHABETICAL)
    } else {
        let kind = match family {
            0 => SEMVER,
            4 | 6 => NUMERICAL,
            _ => ALPHABETICAL,
        };
        (None, kind)
    };
    let kind = if g.chance(85) { kind } else { g.below(3) };
    PolicyCase {
        tags,
        spec: PolicySpec {
            choice: choice(g, kind),
            filter,
        },
    }
}

const SEMVER: usize = 0;
const ALPHABETICAL: usize = 1;
const NUMERICAL: usize = 2;

const FAMILIES: usize = 9;

/// A tag of a convention. Small numbers are preferred, so that tags tie and collide.
pub fn tag(g: &mut Generator, family: usize) -> String {
    match family {
        0 => version(g),
        1 => {
            let separator = g.pick(&[".", "-", ""]);
            let suffix = g.pick(&["", "", "-1", "-2", "_1", "-rc.1", "-a1b2c3d"]);
            format!(
                "202{}{separator}0{}{separator}{:02}{suffix}",
                4 + g.below(2),
                1 + g.below(3),
                1 + g.below(4)
            )
        }
        2 => hexadecimal(g),
        3 => {
            let branch = g.pick(&["main", "main", "dev", "feature-x", "v1"]);
            format!(
                "{branch}-{}-{}",
                hexadecimal(g),
                1_700_000_000 + g.below(3) * 86_400
            )
        }
        4 => {
            let prefix = g.pick(&["", "", "b", "build-", "#", "r"]);
            format!("{prefix}{}", g.below(130))
        }
        5 => format!(
            "2024010{}T0{}0000Z{}",
            1 + g.below(3),
            g.below(3),
            g.pick(&["", "-amd64", "-arm64"])
        ),
        6 => number(g),
        7 => g
            .pick(&[
                "latest",
                "stable",
                "alpine",
                "nightly",
                "1.2-alpine",
                "edge",
                "1",
                "1.0",
                "v2",
                "1.sig",
                "1.0.0.sig",
                "nan",
                "inf",
                "1.2.3-alpine3.19",
                "v1.2.3-ubuntu",
                "lts",
                "release-1.2.3",
                "release-1.2.4",
                "release-2.0.0-rc.1",
            ])
            .to_owned(),
        _ => {
            let length = 1 + g.below(9);
            noise(g, length)
        }
    }
}

/// Another tag that may mean the same as `tag`.
fn twin(g: &mut Generator, tag: &str, family: usize) -> String {
    if matches!(family, 4 | 6) {
        return g.pick(&["0", "+", "00"]).to_owned() + tag;
    }
    match g.below(6) {
        0 => format!("v{tag}"),
        1 => format!("0{tag}"),
        2 => format!("{tag}.0"),
        3 => format!("{tag}+1"),
        4 => tag.trim_start_matches('v').to_owned(),
        _ => tag.to_uppercase(),
    }
}

/// A version, mostly.
pub fn version(g: &mut Generator) -> String {
    let mut parts: Vec<String> = (0..[3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 4][g.below(12)])
        .map(|_| match g.below(16) {
            0 => "00".into(),
            1 => format!("0{}", g.below(4)),
            2 => g.below(2_000).to_string(),
            _ => g.below(3).to_string(),
        })
        .collect();
    if g.chance(1) {
        parts[0] = g
            .pick(&[
                "18446744073709551615",
                "18446744073709551616",
                "99999999999999999999",
            ])
            .to_owned();
    }
    let prefix = match g.below(24) {
        0 => "V",
        1 => "release-",
        2..=9 => "v",
        _ => "",
    };
    let prerelease = match g.below(4) {
        0 => g.pick(&[
            "-rc.1",
            "-rc.2",
            "-alpha",
            "-beta.11",
            "-0",
            "-1",
            "-01",
            "-a.b-c",
            "-rc_1",
            "-",
            "-rc..1",
            "-SNAPSHOT",
            "-3.7",
            "-99999999999999999999",
        ]),
        _ => "",
    };
    let metadata = match g.below(6) {
        0 => g.pick(&["+1", "+build.5", "+2", "_1", "+"]),
        _ => "",
    };
    format!("{prefix}{}{prerelease}{metadata}", parts.join("."))
}

/// A number in one of the notations that Go reads, or nearly one.
pub fn number(g: &mut Generator) -> String {
    let fixed = [
        "nan",
        "NaN",
        "inf",
        "-Inf",
        "+infinity",
        "0x1p4",
        "0X1.8P1",
        "1_000",
        "1e3",
        "1E+3",
        "-0",
        "0",
        "0.0",
        "+5",
        "5",
        "5.0",
        "5.",
        ".5",
        "0.5",
        "00005",
        "1e-400",
        "0x_8p0",
        "16",
        "16.0",
        "1000",
        "1e0_3",
        "-5",
        "-5.00",
    ];
    let wrong = ["0x10", "1__0", "_1", "1_", "1e", "1e309", "0b1", "+nan"];
    if g.chance(2) {
        return wrong[g.below(wrong.len())].to_owned();
    }
    match g.below(4) {
        0 => fixed[g.below(fixed.len())].to_owned(),
        1 => format!("{}.{}", g.below(4), g.below(3)),
        2 => format!("{}.{}0", g.below(4), g.below(3)),
        _ => g.below(20).to_string(),
    }
}

/// A few letters, digits and signs, some of them such as no registry takes.
pub fn noise(g: &mut Generator, length: usize) -> String {
    let letters: Vec<char> = "ab1209.-_vxXeE+*~^<>=!|,/:@%[]()$ \t\u{e9}\u{2028}\"\\&"
        .chars()
        .collect();
    (0..length)
        .map(|_| letters[g.below(letters.len())])
        .collect()
}

/// `text` with a few characters taken out, doubled, put in or exchanged.
pub fn damaged(g: &mut Generator, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..1 + g.below(2) {
        let place = g.below(characters.len() + 1);
        let other = noise(g, 1).chars().next().unwrap_or('.');
        match g.below(4) {
            0 if place < characters.len() => {
                characters.remove(place);
            }
            1 if place < characters.len() => characters.insert(place, characters[place]),
            2 if place < characters.len() => characters[place] = other,
            _ => characters.insert(place, other),
        }
    }
    characters.into_iter().collect()
}

fn hexadecimal(g: &mut Generator) -> String {
    let all = "3f9a1c07b2de48561a2b3c4d5e6f708192a3b4c5";
    let start = g.below(4) * 5;
    all[start..start + [7, 7, 8, 12, 20][g.below(5)]].to_owned()
}

fn choice(g: &mut Generator, kind: usize) -> ImagePolicyChoice {
    let mut choice = ImagePolicyChoice::default();
    match kind {
        SEMVER => choice.semver = Some(SemVerPolicy { range: range(g) }),
        ALPHABETICAL => choice.alphabetical = Some(order(g)),
        _ => choice.numerical = Some(order(g)),
    }
    match g.below(60) {
        0 => choice.numerical = Some(order(g)),
        1 => choice.alphabetical = Some(order(g)),
        2 => choice = ImagePolicyChoice::default(),
        _ => {}
    }
    choice
}

fn order(g: &mut Generator) -> OrderedPolicy {
    let order = match g.below(20) {
        0 => g.pick(&["ASC", "Desc", "", "dESC"]),
        1 => g.pick(&["ascending", "a\u{df}c", "down", " asc"]),
        2..=8 => "desc",
        _ => "asc",
    };
    OrderedPolicy {
        order: order.into(),
    }
}

/// A range, mostly a good one.
pub fn range(g: &mut Generator) -> String {
    let ordinary = [
        "*",
        ">=1.0.0",
        ">=1.0.0 <2.0.0",
        "^1.0.0",
        "~1.2",
        "1.x",
        "x",
        "*-0",
        ">=0.0.0-0",
        "0.x || 1.x",
        "1.0.0 - 2.0.0",
        ">= 1.2, < 3.0",
        "^1.2.3-0",
        ">=1.0.0-rc.1 <1.0.1",
        "!=1.0.0",
        "v1.x.x",
        "=>1 =<2",
        "~>1.0",
    ];
    let text = match g.below(10) {
        0 | 1 => g.pick(&["*", ">=0.0.0", "x.x.x", ">=0.0.0-0"]).to_owned(),
        2 | 3 => ordinary[g.below(ordinary.len())].to_owned(),
        _ => {
            let alternatives: Vec<String> = (0..[1, 1, 1, 1, 2, 2, 3][g.below(7)])
                .map(|_| alternative(g))
                .collect();
            alternatives.join(g.pick(&["||", " || ", "|| "]))
        }
    };
    match g.below(100) {
        0..=5 => damaged(g, &text),
        6 => String::new(),
        7 => vec![text; 20].join("||"),
        8 => text + &" ".repeat(505),
        9 => {
            let length = 1 + g.below(6);
            noise(g, length)
        }
        _ => text,
    }
}

fn alternative(g: &mut Generator) -> String {
    if g.chance(12) {
        let separator = g.pick(&[" - ", " - ", "  -\t", "-", " -"]);
        return format!("{}{separator}{}", bound(g), bound(g));
    }
    let comparators: Vec<String> = (0..[1, 1, 1, 2, 2, 3][g.below(6)])
        .map(|_| comparator(g))
        .collect();
    comparators.join(g.pick(&[" ", " ", ", ", ",", "  "]))
}

fn comparator(g: &mut Generator) -> String {
    let operator = match g.below(50) {
        0 => g.pick(&["==", "><", "~^", "!"]),
        _ => g.pick(&[
            "", "", "=", "!=", ">", ">", "<", "<", ">=", ">=", "=>", "<=", "=<", "~", "~>", "^",
            "^",
        ]),
    };
    let blank = g.pick(&["", "", "", " "]);
    format!("{operator}{blank}{}", bound(g))
}

fn bound(g: &mut Generator) -> String {
    let part = |g: &mut Generator| match g.below(60) {
        0 => g
            .pick(&["1x", "xx", "1|2", "18446744073709551616"])
            .to_owned(),
        1 => g.pick(&["00", "01"]).to_owned(),
        2..=6 => g.pick(&["x", "X", "*"]).to_owned(),
        _ => g.below(3).to_string(),
    };
    let parts: Vec<String> = (0..[3, 3, 3, 3, 3, 2, 2, 2, 1, 1][g.below(10)])
        .map(|_| part(g))
        .collect();
    let prefix = match g.below(40) {
        0 => "V",
        1..=5 => "v",
        _ => "",
    };
    let suffix = match g.below(40) {
        0 => g.pick(&["-01", "-", ".0.0", "-a_b", "+"]),
        1..=10 => g.pick(&["-0", "-rc.1", "-3", "-alpha.1+b", "+build", "-rc-", "+1.2"]),
        _ => "",
    };
    format!("{prefix}{}{suffix}", parts.join("."))
}

/// A filter that suits a family of tags, and the policy that suits its keys.
fn fitting_filter(g: &mut Generator, family: usize) -> (TagFilter, usize) {
    let triples: &[(&str, &str, usize)] = match family {
        0 => &[
            (
                r"^v?(?P<version>[0-9]+\.[0-9]+\.[0-9]+)$",
                "$version",
                SEMVER,
            ),
            (r"^v?(.*)$", "$1", SEMVER),
            (r"^v?(\d+)\.(\d+)\.(\d+)", "${1}.$2.$3", SEMVER),
            (r"^\d+\.\d+\.\d+$", "", SEMVER),
            (".*", "", SEMVER),
            ("", "", SEMVER),
            (r"-rc\.(\d+)", "$1", NUMERICAL),
            ("", "", SEMVER),
            (r"^v", "", SEMVER),
        ],
        1 => &[
            (
                r"^(?P<timestamp>[0-9]{4}\.[0-9]{2}\.[0-9]{2})-[a-f0-9]+$",
                "$timestamp",
                ALPHABETICAL,
            ),
            (r"^(\d{4})[.-]?(\d{2})[.-]?(\d{2})", "$1$2$3", NUMERICAL),
            (r"^(\d{4})[.-](\d{2})[.-](\d{2})", "$1.$2.$3", SEMVER),
            (r"^[0-9]+", "", ALPHABETICAL),
        ],
        2 => &[
            (r"^[a-f0-9]{7}$", "", ALPHABETICAL),
            (r"^([a-f0-9]{7})", "$1", ALPHABETICAL),
            (r"^[0-9]", "", ALPHABETICAL),
        ],
        3 => &[
            (r"^main-[a-f0-9]+-(?P<ts>[0-9]+)", "$ts", NUMERICAL),
            (
                r"^(?:main|dev)-(?P<sha>[a-f0-9]{7,40})-(?P<ts>\d+)$",
                "${ts}",
                NUMERICAL,
            ),
            (r"^main-", "", ALPHABETICAL),
            (r"-(?P<ts>1[0-9]{9})$", "$ts", NUMERICAL),
            (r"^([a-z0-9-]+)-([a-f0-9]+)-(\d+)$", "$3.$1", ALPHABETICAL),
        ],
        4 => &[
            (r"^(?:b|build-)?(\d+)$", "$1", NUMERICAL),
            (r"^[0-9]+$", "", NUMERICAL),
            (r"(\d+)$", "$1", NUMERICAL),
            (r"^[a-z#-]*(?P<n>\d+)", "${n}", NUMERICAL),
            (r"(\d+)", "1.0.$1", SEMVER),
        ],
        5 => &[
            (r"^(?P<ts>\d{8}T\d{6}Z)-amd64$", "$ts", ALPHABETICAL),
            (r"^(\d{8})T(\d{6})Z", "$1$2", NUMERICAL),
            (r"^(\d{8})T", "${1}", NUMERICAL),
        ],
        6 => &[
            ("", "", NUMERICAL),
            ("", "", NUMERICAL),
            ("^[^n]*$", "", NUMERICAL),
            (r"^\d", "", NUMERICAL),
        ],
        _ => &[
            (".*", "", ALPHABETICAL),
            (
                r"^(?:release-)?(?P<version>\d+\.\d+\.\d+.*)",
                "$version",
                SEMVER,
            ),
            (r"(?i)LATEST|stable", "", ALPHABETICAL),
            (r"(\d+)\.(\d+)", "$2.$1.0", SEMVER),
        ],
    };
    let (pattern, extract, kind) = triples[g.below(triples.len())];
    let mut filter = TagFilter {
        pattern: pattern.into(),
        extract: extract.into(),
    };
    if g.chance(5) {
        filter.extract = template(g);
    }
    if g.chance(3) {
        filter.pattern = damaged(g, pattern);
    }
    (filter, kind)
}

fn composed_filter(g: &mut Generator) -> TagFilter {
    let pieces = [
        r"[0-9]+",
        r"\d+",
        r"[a-f0-9]{7}",
        r"(?P<ts>[0-9]+)",
        r"(?P<version>.*)",
        "(.*)",
        r"(\d+)",
        "v?",
        "-",
        r"\.",
        "main",
        "(main|dev)",
        "(a|b)?",
        ".+?",
        r"\w+",
        "(?i)rc",
        "[^-]+",
        r"\S*",
        r"\b",
        ".*",
        r"[[:alpha:]]+",
        "(?:x|y)",
        r"\D",
        "[0-9a-z._-]*",
        r"\Q.\E",
        "x{2,3}",
        "(?s:.)",
    ];
    let mut pattern = g.pick(&["", "^", "^"]).to_owned();
    for _ in 0..g.below(4) {
        pattern.push_str(pieces[g.below(pieces.len())]);
    }
    pattern.push_str(g.pick(&["", "$"]));
    if g.chance(10) {
        pattern = damaged(g, &pattern);
    }
    let broken = [
        "(",
        "[a",
        "a**",
        "(?P<x",
        r"\p{Foo}",
        "(?=a)",
        r"\1",
        "x{1001}",
        "(?P<a>.)(?P<a>.)",
        ")",
        r"a\",
    ];
    if g.chance(4) {
        pattern = broken[g.below(broken.len())].to_owned();
    }
    let extract = if g.chance(50) {
        String::new()
    } else {
        template(g)
    };
    TagFilter { pattern, extract }
}

fn template(g: &mut Generator) -> String {
    let pieces = [
        "$1",
        "${1}",
        "$2",
        "$ts",
        "${ts}",
        "$version",
        "$1x",
        "$$",
        "$",
        "$0",
        "v",
        ".",
        "-",
        "1.",
        "$01",
        "$10",
        "${ts",
        "$-",
        "${}",
        "$1.$2.0",
        "${version}",
    ];
    (0..1 + g.below(3))
        .map(|_| pieces[g.below(pieces.len())])
        .collect()
}
