//! Takes out of texts what may be secret: what Secrets hold, what stands in URLs and headers, and what looks like a credential.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// What stands for something secret in a text.
const MASK: &str = "***";
/// What stands for something secret in a file, where `*` would begin an alias.
const WORD: &str = "masked";

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// User and password of a URL.
static USER_INFO: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)([a-z][a-z0-9+.-]*://)([^/\s"'?#]*)@"#));
/// What a header hands over.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b((?:proxy-)?authorization\s*[:=]\s*(?:\w+\s+)?|bearer\s+|basic\s+|token\s+)([a-z0-9._~+/=-]{8,})",
    )
});
/// What a query hands over.
static QUERY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)([?&;](?:[a-z0-9_.-]*(?:token|sig|signature|password|secret|credential|key)[a-z0-9_.-]*|code)=)[^&\s"']+"#,
    )
});
/// What a flag hands over.
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(--[a-z0-9-]*(?:token|passw|passphrase|secret|credential|key)[a-z0-9-]*=)[^\s"']+"#,
    )
});
/// What some issuers' credentials look like.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|ptt|rt)-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|A(?:KIA|SIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?|AGE-SECRET-KEY-[A-Z0-9]+|dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,})",
    )
});
/// A private key.
static PEM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    )
});
/// Names of what is secret, and those that only sound so.
static SECRET_NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:passw|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|authorization|\bauth$|_auth$|connection[_-]?string|variable)",
    )
});
static SECRET_REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(?:name|names|ref|refs|namespace|path|mountpath|provider|type|enabled|key[_-]?ref|ttl|expiration|seconds|automountserviceaccounttoken)$",
    )
});

fn names_a_secret(key: &str) -> bool {
    SECRET_NAME.is_match(key) && !SECRET_REFERENCE.is_match(key)
}

/// Takes secrets out of texts.
pub(super) struct Scrubber {
    /// The texts of Secrets, the longest first.
    known: Vec<String>,
}

impl Scrubber {
    /// Takes these texts out too, wherever they stand.
    pub(super) fn new(known: BTreeSet<String>) -> Self {
        let mut known: Vec<String> = known.into_iter().collect();
        known.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { known }
    }

    /// A text without what may be secret.
    pub(super) fn text(&self, text: &str) -> String {
        self.with(text, MASK)
    }

    fn with(&self, text: &str, mask: &str) -> String {
        let mut text = text.to_owned();
        for known in &self.known {
            text = without(&text, known, mask);
        }
        let text = USER_INFO.replace_all(&text, |found: &Captures<'_>| {
            // The user of ssh is no secret, as long as there is no password behind it.
            if found[1].eq_ignore_ascii_case("ssh://") && !found[2].contains(':') {
                found[0].to_owned()
            } else {
                found[1].to_owned()
            }
        });
        let text = PEM.replace_all(&text, mask);
        let text = HEADER.replace_all(&text, |found: &Captures<'_>| {
            // Behind a mere word for a scheme may stand another word.
            let is_header = found[1].to_ascii_lowercase().contains("authorization");
            let is_word = found[2]
                .chars()
                .all(|character| character.is_ascii_alphabetic());
            if is_word && !is_header {
                found[0].to_owned()
            } else {
                format!("{}{mask}", &found[1])
            }
        });
        let text = QUERY.replace_all(&text, |found: &Captures<'_>| format!("{}{mask}", &found[1]));
        let text = FLAG.replace_all(&text, |found: &Captures<'_>| format!("{}{mask}", &found[1]));
        SHAPES.replace_all(&text, mask).into_owned()
    }

    /// Takes what may be secret out of every text of a document, and of the names of its members.
    pub(super) fn texts(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.texts(item)),
            Value::Object(members) => {
                let clean = std::mem::take(members)
                    .into_iter()
                    .map(|(key, mut member)| {
                        self.texts(&mut member);
                        (self.text(&key), member)
                    });
                *members = clean.collect();
            }
            _ => {}
        }
    }

    /// Takes what may be secret out of every text of a document; a member whose name says that it is secret loses its text.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                for (key, member) in members.iter_mut() {
                    match member {
                        Value::String(text) if names_a_secret(key) => *text = MASK.into(),
                        other => self.value(other),
                    }
                }
            }
            _ => {}
        }
    }

    /// A file without what may be secret, line by line as it was; lines with markers keep their values. `None`: it holds a Secret in a
    /// form that can't be taken apart by lines.
    pub(super) fn file(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        // A file that isn't UTF-8 is a problem file whatever it holds.
        let text = String::from_utf8_lossy(bytes);
        let is_text = matches!(&text, std::borrow::Cow::Borrowed(_));
        let mut masked = String::with_capacity(text.len());
        for document in documents(&text) {
            let secret = SECRET_KIND.is_match(document);
            if secret && FLOW.is_match(document) {
                return None;
            }
            let mut lines = Lines {
                secret,
                ..Lines::default()
            };
            masked.extend(
                document
                    .split_inclusive('\n')
                    .map(|line| lines.masked(line)),
            );
        }
        let scrubbed = self.with(&masked, WORD);
        Some(if is_text {
            scrubbed.into_bytes()
        } else {
            // One byte that is no UTF-8 makes it what it was.
            [scrubbed.as_bytes(), b"\xff"].concat()
        })
    }
}

/// A Secret, also as an item of a list.
static SECRET_KIND: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?m)^\s*(?:-\s+)?\{?.*["']?kind["']?\s*:\s*["']?Secret["']?\s*(?:[,}#].*)?\r?$"#)
});
/// Data in one line, or a document of JSON.
static FLOW: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?m)["']?(?:data|stringData)["']?\s*:\s*[{&*]|\A(?:---.*\n|\s)*\{"#)
});

/// The documents of a file, each from the line that begins it.
fn documents(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") && offset > 0 {
            starts.push(offset);
        }
        offset += line.len();
    }
    starts.push(text.len());
    starts.windows(2).map(|two| &text[two[0]..two[1]]).collect()
}

/// `text` without `known`, where that is no part of a longer word.
fn without(text: &str, known: &str, mask: &str) -> String {
    if !text.contains(known) {
        return text.to_owned();
    }
    let is_word = |character: char| character.is_alphanumeric();
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(at) = rest.find(known) {
        let (head, tail) = rest.split_at(at);
        let behind = &tail[known.len()..];
        let previous = head.chars().next_back().or(before);
        let is_part = known.len() < 8
            && (previous.is_some_and(is_word) || behind.chars().next().is_some_and(is_word));
        kept.push_str(head);
        kept.push_str(if is_part { known } else { mask });
        before = known.chars().next_back();
        rest = behind;
    }
    kept.push_str(rest);
    kept
}

/// A line of YAML with a key: what stands before its value, the key, and the value.
static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"^(\s*(?:-\s+)*["']?([\w.$/-]+)["']?\s*(?::|=)[ \t]+)(\S.*?)([\r\n]*)$"#)
});
static BARE_KEY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^(\s*(?:-\s+)*)["']?([\w.$/-]+)["']?\s*:[ \t]*[\r\n]*$"#));
/// An entry of a list of names and values.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"^(\s*)(-\s+)?["']?name["']?\s*:\s*["']?([\w.-]+)["']?"#));

/// The lines of a YAML file, one after the other.
#[derive(Default)]
struct Lines {
    /// Whether the document is a Secret.
    secret: bool,
    /// The column of the key below which all values are secret.
    below: Option<usize>,
    /// The column of the key of a text of several lines, all of which is secret.
    block: Option<usize>,
    /// The column of the entries beside a name that says that their value is secret.
    beside: Option<usize>,
}

impl Lines {
    fn masked(&mut self, line: &str) -> String {
        let body = line.trim_end_matches(['\r', '\n']);
        if body.trim().is_empty() || body.contains("$imagepolicy") {
            return line.to_owned();
        }
        let indent = body.len() - body.trim_start().len();
        let end = &line[body.len()..];
        if self.block.is_some_and(|column| indent > column) {
            return format!("{}{WORD}{end}", &body[..indent]);
        }
        self.block = None;
        if self.below.is_some_and(|column| indent > column) {
            return self.hidden(line);
        }
        self.below = None;
        if let Some(named) = NAMED.captures(body) {
            let column = named[1].len() + named.get(2).map_or(0, |dash| dash.as_str().len());
            self.beside = names_a_secret(&named[3]).then_some(column);
        }
        if let Some(key) = BARE_KEY.captures(body) {
            let is_data = self.secret && ["data", "stringData"].contains(&&key[2]);
            if is_data {
                self.below = Some(key[1].len());
            }
            return line.to_owned();
        }
        let Some(entry) = ENTRY.captures(line) else {
            return line.to_owned();
        };
        let column = entry[1].len() - entry[1].trim_start().len();
        let is_value = &entry[2] == "value" && self.beside == Some(column);
        if !(is_value || names_a_secret(&entry[2])) {
            return line.to_owned();
        }
        if entry[3].starts_with(['|', '>']) {
            self.block = Some(indent);
            return line.to_owned();
        }
        // What only groups or refers is no secret itself.
        if entry[3].starts_with(['{', '[', '&', '*', '#']) && !entry[3].starts_with("{{") {
            return format!("{}{}", &entry[1], &entry[3]) + &entry[4];
        }
        format!("{}{WORD}{}", &entry[1], &entry[4])
    }

    /// A line all of which is secret, but for the key of an entry.
    fn hidden(&mut self, line: &str) -> String {
        let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
        let indent = line.len() - line.trim_start().len();
        match ENTRY.captures(line) {
            Some(entry) if entry[3].starts_with(['|', '>']) => {
                self.block = Some(indent);
                line.to_owned()
            }
            Some(entry) => format!("{}{WORD}{end}", &entry[1]),
            None if BARE_KEY.is_match(line) => line.to_owned(),
            None => format!("{}{WORD}{end}", &line[..indent]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber() -> Scrubber {
        Scrubber::new(BTreeSet::from(["sesame".to_owned(), "open-up-long".into()]))
    }

    #[test]
    fn texts_lose_what_is_secret() {
        for (text, scrubbed) in [
            ("auth failed for sesame!", "auth failed for ***!"),
            ("sesameseed is no secret", "sesameseed is no secret"),
            ("xopen-up-longx", "x***x"),
            ("https://bot:pw@git.example/x", "https://git.example/x"),
            ("https://tok@git.example/x", "https://git.example/x"),
            ("ssh://git@git.example/x", "ssh://git@git.example/x"),
            ("ssh://git:pw@git.example/x", "ssh://git.example/x"),
            (
                "Authorization: Bearer abcdefgh12345",
                "Authorization: Bearer ***",
            ),
            ("GET /v2/?token=abc&n=1", "GET /v2/?token=***&n=1"),
            ("ghp_0123456789abcdefghij0123", "***"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\n",
                "***\n",
            ),
            ("basic authentication failed", "basic authentication failed"),
        ] {
            assert_eq!(scrubber().text(text), scrubbed);
        }
    }

    #[test]
    fn members_that_are_secret_by_name_lose_their_texts() {
        let mut value = serde_json::json!({"spec": {"secretRef": {"name": "pull"}, "secretName": "a", "options": {
            "ci.variable": "TOKEN=x", "ci.skip": ""}, "password": "x"}});
        scrubber().value(&mut value);
        assert_eq!(
            value,
            serde_json::json!({"spec": {"secretRef": {"name": "pull"}, "secretName": "a", "options": {
                "ci.variable": "***", "ci.skip": ""}, "password": "***"}})
        );
    }

    fn file(text: &str) -> String {
        String::from_utf8(scrubber().file(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn files_keep_their_lines_and_lose_their_secrets() {
        let text = "kind: Deployment\nspec:\n  image: a:1 # {\"$imagepolicy\": \"x:token\"}\n  env:\n    - name: DB_PASSWORD\n      value: hush\n    - name: LEVEL\n      value: debug\n    - name: API_TOKEN\n      valueFrom:\n        secretKeyRef:\n          name: s\n          key: token\n  tokens: |\n    hush\n    hush\n  url: https://u:hush@h/x\n";
        let masked = file(text);
        assert_eq!(masked.lines().count(), text.lines().count());
        assert!(!masked.contains("hush"), "{masked}");
        for kept in [
            "a:1 # {",
            "value: debug",
            "name: s",
            "key: token",
            "https://h/x",
        ] {
            assert!(masked.contains(kept), "{kept}: {masked}");
        }
    }

    #[test]
    fn a_secret_in_a_file_loses_its_data() {
        let text = "kind: Secret\nmetadata:\n  name: s\ndata:\n  a: aHVzaA==\nstringData:\n  b: hush\n  c: |-\n    hush\n    hush: hush\ntype: Opaque\n---\nkind: ConfigMap\ndata:\n  a: kept\n";
        let masked = file(text);
        assert!(
            !masked.contains("hush") && !masked.contains("aHVz"),
            "{masked}"
        );
        assert!(masked.contains("type: Opaque\n---\nkind: ConfigMap\ndata:\n  a: kept\n"));
        assert_eq!(masked.lines().count(), text.lines().count());
    }

    #[test]
    fn a_secret_is_known_wherever_its_kind_stands() {
        let masked = file("data:\n  a: hush\nkind: Secret\n");
        assert!(!masked.contains("hush"), "{masked}");
        let masked = file("kind: List\nitems:\n- data:\n    a: hush\n  kind: Secret\n");
        assert!(!masked.contains("hush"), "{masked}");
        for flow in [
            "kind: Secret\ndata: {a: hush}\n",
            "{\"kind\": \"Secret\", \"data\": {\"a\": \"hush\"}}\n",
        ] {
            assert_eq!(scrubber().file(flow.as_bytes()), None, "{flow}");
        }
    }

    #[test]
    fn a_file_that_is_no_text_stays_none() {
        let masked = scrubber().file(b"a: \xff # {\"$imagepolicy\": \"a:b\"}\n");
        assert!(String::from_utf8(masked.unwrap()).is_err());
    }
}
