//! Flux objects from manifests on disk or standard input: YAML or JSON, several documents, `List`s.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::controllers::flux::{self, ObjectKey};
use crate::facts::cluster::{Objects, Secret};
use crate::io::error_text;

/// Where manifests come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestSource {
    /// Standard input.
    Stdin,
    /// A file, whatever its extension, or a folder.
    Path(PathBuf),
}

/// What was read, and what could not be.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The objects.
    pub objects: Objects,
    /// Objects that named no namespace, as `Kind name`, in the order of reading.
    pub without_namespace: Vec<String>,
    /// Files, documents and objects that can't be used; the others still count.
    pub problems: Vec<ManifestProblem>,
}

/// Something in a manifest that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestProblem {
    /// The file as it was named, `-` for standard input.
    pub file: String,
    /// The line, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for ManifestProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file, self.message),
            None => write!(formatter, "{}: {}", self.file, self.message),
        }
    }
}

/// Reads `sources`; objects without a namespace get `default_namespace`.
pub fn read(sources: &[ManifestSource], recursive: bool, default_namespace: &str) -> Manifests {
    let mut reading = Reading::new(default_namespace);
    for source in sources {
        match source {
            ManifestSource::Stdin => reading.stdin(),
            ManifestSource::Path(path) if path.is_dir() => reading.folder(path, recursive),
            ManifestSource::Path(path) => reading.file(path, Screening::Off),
        }
    }
    reading.manifests
}

/// Whether texts that name nothing of interest are passed over unparsed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Screening {
    On,
    Off,
}

struct Reading<'a> {
    default_namespace: &'a str,
    manifests: Manifests,
    /// Kind and key to the place and content of the first such object.
    seen: BTreeMap<(String, ObjectKey), (String, Value)>,
}

/// One YAML document of a text.
struct Document<'a> {
    /// Its first line in the text, from 1.
    line: usize,
    text: &'a str,
}

impl<'a> Reading<'a> {
    fn new(default_namespace: &'a str) -> Self {
        Self {
            default_namespace,
            manifests: Manifests::default(),
            seen: BTreeMap::new(),
        }
    }

    fn problem(&mut self, file: &str, line: Option<usize>, message: impl Into<String>) {
        let problem = ManifestProblem {
            file: file.to_owned(),
            line,
            message: message.into(),
        };
        self.manifests.problems.push(problem);
    }

    fn stdin(&mut self) {
        let mut bytes = Vec::new();
        match std::io::stdin().read_to_end(&mut bytes) {
            Ok(_) => self.text("-", &bytes, Screening::Off),
            Err(error) => self.problem(
                "-",
                None,
                format!("standard input can't be read: {}", error_text(&error)),
            ),
        }
    }

    fn file(&mut self, path: &Path, screening: Screening) {
        let name = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => self.text(&name, &bytes, screening),
            Err(error) => self.problem(
                &name,
                None,
                format!("can't be read: {}", error_text(&error)),
            ),
        }
    }

    fn folder(&mut self, folder: &Path, recursive: bool) {
        let listing = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match listing {
            Ok(entries) => entries,
            Err(error) => {
                return self.problem(
                    &folder.display().to_string(),
                    None,
                    format!("can't be listed: {}", error_text(&error)),
                );
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let linked_folder =
                entry.file_type().is_ok_and(|kind| kind.is_symlink()) && path.is_dir();
            if linked_folder || entry.file_name() == ".git" {
                continue;
            }
            if path.is_dir() {
                if recursive {
                    self.folder(&path, recursive);
                }
            } else if is_manifest_name(&path) {
                self.file(&path, Screening::On);
            }
        }
    }

    fn text(&mut self, file: &str, bytes: &[u8], screening: Screening) {
        if screening == Screening::On && !names_something_of_interest(bytes) {
            return;
        }
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                return self.problem(file, Some(line), "is not UTF-8 text");
            }
        };
        for document in documents(text) {
            if screening == Screening::On && !names_something_of_interest(document.text.as_bytes())
            {
                continue;
            }
            match parse(document.text) {
                Ok(Value::Null) => {}
                Ok(value) => self.value(file, document.line, value),
                Err((line, message)) => {
                    let line = line.map(|line| document.line + line - 1);
                    self.problem(
                        file,
                        line.or(Some(document.line)),
                        format!("is not readable YAML: {message}"),
                    );
                }
            }
        }
    }

    fn value(&mut self, file: &str, line: usize, value: Value) {
        let api_version = text_at(&value, "apiVersion");
        let kind = text_at(&value, "kind");
        if kind.ends_with("List")
            && let Some(Value::Array(items)) = value.get("items")
        {
            for item in items {
                self.value(file, line, item.clone());
            }
            return;
        }
        let Some(kind) = Kind::of(api_version, kind) else {
            return;
        };
        if let Err(message) = self.object(file, kind, &value) {
            let name = value
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or("without a name");
            self.problem(
                file,
                Some(line),
                format!("{} {name}: {message}", text_at(&value, "kind")),
            );
        }
    }

    fn object(&mut self, file: &str, kind: Kind, value: &Value) -> Result<(), String> {
        kind.check_version(text_at(value, "apiVersion"))?;
        let mut value = value.clone();
        remove_nulls(&mut value);
        let metadata: Metadata = match value.get("metadata") {
            Some(metadata) => read_part(metadata, "metadata")?,
            None => return Err("metadata is missing".into()),
        };
        check_name(&metadata.name, "metadata.name")?;
        let key = self.key(kind, &metadata)?;
        let content = comparable(&value, &key);
        let identity = (format!("{kind:?}"), key.clone());
        if let Some((first, seen)) = self.seen.get(&identity) {
            return if *seen == content {
                Ok(())
            } else {
                Err(format!(
                    "stands here and, with another content, in {first}: keep one"
                ))
            };
        }
        self.store(kind, &key, &metadata, &value)?;
        self.seen.insert(identity, (file.to_owned(), content));
        Ok(())
    }

    fn key(&mut self, kind: Kind, metadata: &Metadata) -> Result<ObjectKey, String> {
        if kind == Kind::Namespace {
            return Ok(ObjectKey::new("", &metadata.name));
        }
        if metadata.namespace.is_empty() {
            self.manifests
                .without_namespace
                .push(format!("{kind:?} {}", metadata.name));
            return Ok(ObjectKey::new(self.default_namespace, &metadata.name));
        }
        check_name(&metadata.namespace, "metadata.namespace")?;
        Ok(ObjectKey::new(&metadata.namespace, &metadata.name))
    }

    fn store(
        &mut self,
        kind: Kind,
        key: &ObjectKey,
        metadata: &Metadata,
        value: &Value,
    ) -> Result<(), String> {
        let objects = &mut self.manifests.objects;
        match kind {
            Kind::ImageRepository => drop(
                objects
                    .repositories
                    .insert(key.clone(), typed(key, metadata, value)?),
            ),
            Kind::ImagePolicy => drop(
                objects
                    .policies
                    .insert(key.clone(), typed(key, metadata, value)?),
            ),
            Kind::ImageUpdateAutomation => drop(
                objects
                    .automations
                    .insert(key.clone(), typed(key, metadata, value)?),
            ),
            Kind::GitRepository => drop(
                objects
                    .git_repositories
                    .insert(key.clone(), typed(key, metadata, value)?),
            ),
            Kind::Secret => drop(objects.secrets.insert(key.clone(), secret(value)?)),
            Kind::Namespace => drop(
                objects
                    .namespaces
                    .insert(metadata.name.clone(), metadata.labels.clone()),
            ),
        }
        Ok(())
    }
}

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ImageRepository,
    ImagePolicy,
    ImageUpdateAutomation,
    GitRepository,
    Secret,
    Namespace,
}

impl Kind {
    fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        match (group, kind) {
            (flux::IMAGE_GROUP, "ImageRepository") => Some(Self::ImageRepository),
            (flux::IMAGE_GROUP, "ImagePolicy") => Some(Self::ImagePolicy),
            (flux::IMAGE_GROUP, "ImageUpdateAutomation") => Some(Self::ImageUpdateAutomation),
            (flux::SOURCE_GROUP, "GitRepository") => Some(Self::GitRepository),
            ("", "Secret") => Some(Self::Secret),
            ("", "Namespace") => Some(Self::Namespace),
            _ => None,
        }
    }

    fn check_version(self, api_version: &str) -> Result<(), String> {
        let read: &[&str] = match self {
            Self::ImageRepository | Self::ImagePolicy | Self::ImageUpdateAutomation => {
                &["v1", "v1beta2", "v1beta1"]
            }
            Self::GitRepository => &["v1", "v1beta2"],
            Self::Secret | Self::Namespace => &["v1"],
        };
        let version = api_version.rsplit('/').next().unwrap_or_default();
        if read.contains(&version) {
            return Ok(());
        }
        Err(format!(
            "apiVersion {api_version} is not read, only {}: migrate it (flux migrate -f)",
            read.join(", ")
        ))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

fn typed<Spec, Status>(
    key: &ObjectKey,
    metadata: &Metadata,
    value: &Value,
) -> Result<flux::Object<Spec, Status>, String>
where
    Spec: for<'de> Deserialize<'de> + Default,
    Status: for<'de> Deserialize<'de> + Default,
{
    Ok(flux::Object {
        api_version: text_at(value, "apiVersion").to_owned(),
        key: key.clone(),
        labels: metadata.labels.clone(),
        spec: value
            .get("spec")
            .map(|spec| read_part(spec, "spec"))
            .transpose()?
            .unwrap_or_default(),
        status: value
            .get("status")
            .map(|status| read_part(status, "status"))
            .transpose()?
            .unwrap_or_default(),
    })
}

fn read_part<Part: for<'de> Deserialize<'de>>(value: &Value, name: &str) -> Result<Part, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." {
            format!("{name}: {}", error.inner())
        } else {
            format!("{name}.{path}: {}", error.inner())
        }
    })
}

fn secret(value: &Value) -> Result<Secret, String> {
    if value.get("sops").is_some() {
        return Ok(Secret::Encrypted);
    }
    let mut data = BTreeMap::new();
    for (key, encoded) in members(value, "data") {
        let text = encoded
            .as_str()
            .ok_or_else(|| format!("data.{key} is not a string"))?;
        let bytes = decode_base64(text).ok_or_else(|| format!("data.{key} is not base64"))?;
        data.insert(key.clone(), bytes);
    }
    for (key, text) in members(value, "stringData") {
        let text = text
            .as_str()
            .ok_or_else(|| format!("stringData.{key} is not a string"))?;
        data.insert(key.clone(), text.as_bytes().to_vec());
    }
    let kind = text_at(value, "type");
    Ok(Secret::Readable {
        kind: if kind.is_empty() {
            "Opaque".into()
        } else {
            kind.to_owned()
        },
        data,
    })
}

fn members<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let compact: String = text
        .chars()
        .filter(|character| !matches!(character, '\n' | '\r'))
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .ok()
}

fn text_at<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The API server drops nulls before it fills in defaults.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

/// The object's content with its namespace filled in.
fn comparable(value: &Value, key: &ObjectKey) -> Value {
    let mut content = value.clone();
    if let Some(metadata) = content.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".into(), Value::from(key.namespace.clone()));
    }
    content
}

/// Names as the API server lets them in (RFC 1123 subdomains): nothing else may reach a path, a message or git.
fn check_name(name: &str, field: &str) -> Result<(), String> {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.is_empty() {
        return Err(format!("{field} is missing"));
    }
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(format!(
            "{field} {name:?} is not a name that Kubernetes accepts (lower-case letters, digits, '-' and '.')"
        ));
    }
    Ok(())
}

fn is_manifest_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn names_something_of_interest(bytes: &[u8]) -> bool {
    ["toolkit.fluxcd.io", "Secret", "Namespace"]
        .iter()
        .any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
}

/// Cuts `text` before each line that starts a document (`---` and then nothing, a blank, or a comment).
fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let marker = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if marker && offset > start {
            found.push(Document {
                line: start_line,
                text: &text[start..offset],
            });
            (start, start_line) = (offset, index + 1);
        }
        offset += line.len();
    }
    found.push(Document {
        line: start_line,
        text: &text[start..],
    });
    found
}

/// The document as JSON; the error has its line in the document, from 1, where it is known.
fn parse(text: &str) -> Result<Value, (Option<usize>, String)> {
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.starts_with('#') || line.trim_end() == "---")
    {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str::<Value>(text).map_err(|error| {
        let line = error
            .location()
            .map(|location| usize::try_from(location.line()).unwrap_or(usize::MAX));
        let message = error.to_string();
        (line, first_sentence(&message))
    })
}

fn first_sentence(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_know_their_first_line() {
        let text = "a: 1\n---\nb: 2\n--- # c\nc: |\n  ---\n----\n";
        let lines: Vec<usize> = documents(text)
            .iter()
            .map(|document| document.line)
            .collect();
        assert_eq!(lines, [1, 2, 4]);
        assert_eq!(documents("").len(), 1);
    }

    #[test]
    fn json_and_empty_documents_are_read() {
        assert_eq!(parse("{\"a\": \"\\/\"}"), Ok(serde_json::json!({"a": "/"})));
        assert_eq!(parse("---\n# nothing\n"), Ok(Value::Null));
    }

    #[test]
    fn names_are_those_of_kubernetes() {
        for name in ["a", "a-b.c", "1"] {
            assert_eq!(check_name(name, "metadata.name"), Ok(()), "{name}");
        }
        for name in ["", "A", "a/b", "..", "-a", "a-", "a\n", &"a".repeat(254)] {
            assert!(check_name(name, "metadata.name").is_err(), "{name}");
        }
    }

    #[test]
    fn an_encrypted_secret_is_unreadable_and_others_are_decoded() {
        let encrypted =
            serde_json::json!({"sops": {}, "data": {"password": "ENC[AES256_GCM,data:x]"}});
        assert_eq!(secret(&encrypted), Ok(Secret::Encrypted));
        let readable = serde_json::json!({"data": {"a": "eA=="}, "stringData": {"b": "y"}});
        let Ok(Secret::Readable { kind, data }) = secret(&readable) else {
            panic!("not readable")
        };
        assert_eq!(
            (kind.as_str(), data["a"].as_slice(), data["b"].as_slice()),
            ("Opaque", &b"x"[..], &b"y"[..])
        );
    }
}
