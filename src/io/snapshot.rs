//! The folder of a snapshot: `snapshot.json`, `objects.json`, `tags.json`, and the files of each checkout below `files/`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error_text;
use super::temporary::TemporaryFolder;
use crate::facts::snapshot::{RecordedScans, SNAPSHOT_VERSION, SnapshotFacts};

/// What the snapshot says of itself. It is written last: a folder without it is no snapshot.
const FACTS: &str = "snapshot.json";
/// The objects, as a List.
const OBJECTS: &str = "objects.json";
/// The tags, in the form of a recording of `tags -o json`.
const TAGS: &str = "tags.json";
/// The files of checkouts.
const FILES: &str = "files";

/// No part of a snapshot is longer.
const LIMIT: u64 = 512 << 20;

/// All that a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// What it says of itself.
    pub facts: SnapshotFacts,
    /// The objects.
    pub objects: Vec<Value>,
    /// The tags.
    pub scans: RecordedScans,
    /// The contents of files, by their paths from the snapshot's folder. Not read back: they are found by their folders.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Whether a snapshot may be written to `folder`: there is nothing, an empty folder, or a snapshot.
///
/// # Errors
///
/// There is something else; the text says what.
pub fn check_target(folder: &Path) -> Result<(), String> {
    let named = folder.display();
    match fs::metadata(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = parent(folder);
            if parent.is_dir() {
                return Ok(());
            }
            let parent = parent.display();
            Err(format!(
                "{named}: the folder {parent} isn't there: make it first"
            ))
        }
        Err(error) => Err(format!("{named}: can't be read: {}", error_text(&error))),
        Ok(metadata) if !metadata.is_dir() => Err(format!(
            "{named}: is a file, and a snapshot is a folder: name another"
        )),
        Ok(_) if is_empty(folder) || version(folder).is_some() => Ok(()),
        Ok(_) => Err(format!(
            "{named}: holds something else than a snapshot, which is not written over: name a new folder, or an empty one"
        )),
    }
}

fn parent(folder: &Path) -> PathBuf {
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// The version that a folder's `snapshot.json` names.
fn version(folder: &Path) -> Option<u64> {
    let bytes = fs::read(folder.join(FACTS)).ok()?;
    let facts: Value = serde_json::from_slice(&bytes).ok()?;
    facts["snapshotVersion"].as_u64()
}

/// Writes a snapshot so that `folder` holds it as a whole or is no snapshot. Only its owner may read what is written.
///
/// # Errors
///
/// The folder holds something else, or can't be written.
pub fn write(folder: &Path, contents: &Contents) -> Result<(), String> {
    check_target(folder)?;
    let failed = |error: std::io::Error| {
        format!(
            "{}: can't be written: {}",
            folder.display(),
            error_text(&error)
        )
    };
    let made = TemporaryFolder::create_in(&parent(folder)).map_err(failed)?;
    fill(made.path(), contents).map_err(failed)?;
    if !folder.exists() {
        return fs::rename(made.path(), folder).map_err(failed);
    }
    let remove = |path: PathBuf| match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
        Ok(_) => fs::remove_file(&path),
        Err(_) => Ok(()),
    };
    for part in [FACTS, OBJECTS, TAGS, FILES] {
        remove(folder.join(part)).map_err(failed)?;
    }
    for part in [FILES, TAGS, OBJECTS, FACTS] {
        let from = made.path().join(part);
        if from.exists() {
            fs::rename(from, folder.join(part)).map_err(failed)?;
        }
    }
    Ok(())
}

fn fill(folder: &Path, contents: &Contents) -> std::io::Result<()> {
    let objects =
        serde_json::json!({"apiVersion": "v1", "kind": "List", "items": contents.objects});
    let json = |value: &Value| {
        let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    };
    let of = |part: serde_json::Result<Value>| part.map_err(std::io::Error::other);
    write_file(folder, OBJECTS, &json(&objects))?;
    write_file(
        folder,
        TAGS,
        &json(&of(serde_json::to_value(&contents.scans))?),
    )?;
    for (path, bytes) in &contents.files {
        write_file(folder, path, bytes)?;
    }
    let facts = of(serde_json::to_value(&contents.facts))?;
    write_file(folder, FACTS, &json(&facts))
}

fn write_file(top: &Path, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let path = Path::new(path);
    if !is_plain(path) {
        let message = format!("{} is no path of a file", path.display());
        return Err(std::io::Error::other(message));
    }
    let file = top.join(path);
    if let Some(folder) = path.parent() {
        make_folders(top, folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(file)?, bytes)
}

fn make_folders(top: &Path, folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(top.join(folder))
}

/// Whether a path stays below where it starts.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Whether a folder of a snapshot is in it, wherever links lead; one without files isn't there.
fn is_inside(top: &Path, folder: &str) -> bool {
    let inside = || {
        let real = fs::canonicalize(top.join(folder)).ok()?;
        Some(real.starts_with(fs::canonicalize(top).ok()?))
    };
    is_plain(Path::new(folder)) && inside().unwrap_or(true)
}

/// Reads a snapshot; its files stay on disk, and the folders of its checkouts are below it.
///
/// # Errors
///
/// The folder is no snapshot, one of another form, or lacks a part; the text says which.
pub fn read(folder: &Path) -> Result<Contents, String> {
    let named = folder.display();
    if !folder.is_dir() {
        return Err(format!(
            "{named}: is no folder; the command snapshot makes one"
        ));
    }
    let facts: Value = match part(folder, FACTS) {
        Ok(facts) => facts,
        Err(_) if !folder.join(FACTS).exists() => {
            return Err(format!("{named}: is no snapshot: it has no {FACTS}"));
        }
        Err(why) => return Err(why),
    };
    match facts["snapshotVersion"].as_u64() {
        Some(version) if version == u64::from(SNAPSHOT_VERSION) => {}
        Some(version) => {
            let client = facts["versions"]["client"].as_str().unwrap_or("another");
            return Err(format!(
                "{named}: has snapshotVersion {version}, and only {SNAPSHOT_VERSION} is read: it was taken by version {client} of this program, which reads it"
            ));
        }
        None => {
            return Err(format!(
                "{named}: is no snapshot: its {FACTS} names no snapshotVersion"
            ));
        }
    }
    let facts: SnapshotFacts = typed(folder, FACTS, &facts)?;
    for source in &facts.sources {
        let checkout = source.checkout.as_ref();
        if let Some(checkout) = checkout.filter(|checkout| !is_inside(folder, &checkout.folder)) {
            return Err(format!(
                "{named}: {FACTS}: sources: {:?} is no folder of the snapshot",
                checkout.folder
            ));
        }
    }
    let mut objects: Value = part(folder, OBJECTS)?;
    let Value::Array(objects) = objects["items"].take() else {
        return Err(format!("{named}: {OBJECTS} holds no list of items"));
    };
    let scans = typed(folder, TAGS, &part(folder, TAGS)?)?;
    Ok(Contents {
        facts,
        objects,
        scans,
        files: BTreeMap::new(),
    })
}

fn part(folder: &Path, name: &str) -> Result<Value, String> {
    let named = folder.display();
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{named}: the snapshot is not complete: {name} is missing")
        }
        _ => format!("{named}: {name} can't be read: {}", error_text(&error)),
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(folder.join(name)).map_err(unreadable)?;
    file.take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{named}: {name} is not JSON: {error}"))
}

fn typed<T: DeserializeOwned>(folder: &Path, name: &str, value: &Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let named = folder.display();
        format!("{named}: {name}: {}: {}", error.path(), error.inner())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        Contents {
            facts: SnapshotFacts {
                snapshot_version: SNAPSHOT_VERSION,
                ..SnapshotFacts::default()
            },
            objects: vec![serde_json::json!({"kind": "X"})],
            scans: RecordedScans::default(),
            files: BTreeMap::from([("files/1/a/b.yaml".to_owned(), b"x: 1\n".to_vec())]),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("s");
        write(&folder, &contents()).unwrap();
        // Once more, over the first one.
        write(&folder, &contents()).unwrap();
        let read = read(&folder).unwrap();
        assert_eq!(read.objects, contents().objects);
        assert_eq!(read.facts, contents().facts);
        assert_eq!(
            fs::read(folder.join("files/1/a/b.yaml")).unwrap(),
            b"x: 1\n"
        );
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &str| {
                let metadata = fs::metadata(folder.join(path)).unwrap();
                metadata.permissions().mode() & 0o777
            };
            assert_eq!((mode(""), mode("files/1/a")), (0o700, 0o700));
            assert_eq!((mode(FACTS), mode("files/1/a/b.yaml")), (0o600, 0o600));
        }
    }

    #[test]
    fn nothing_else_is_written_over() {
        let top = tempfile::tempdir().unwrap();
        fs::write(top.path().join("mine"), "x").unwrap();
        let why = write(top.path(), &contents()).unwrap_err();
        assert!(why.contains("holds something else"), "{why}");
        let why = check_target(&top.path().join("mine")).unwrap_err();
        assert!(why.contains("is a file"), "{why}");
        let why = check_target(&top.path().join("a/b")).unwrap_err();
        assert!(why.contains("isn't there"), "{why}");
    }

    #[test]
    fn a_folder_that_is_no_snapshot_is_named() {
        let top = tempfile::tempdir().unwrap();
        let why = |text: Option<&str>| {
            if let Some(text) = text {
                fs::write(top.path().join(FACTS), text).unwrap();
            }
            read(top.path()).unwrap_err()
        };
        assert!(why(None).contains("is no snapshot"));
        assert!(why(Some("{")).contains("is not JSON"));
        assert!(why(Some("{}")).contains("names no snapshotVersion"));
        let other = r#"{"snapshotVersion": 7, "versions": {"client": "9.1.0"}}"#;
        assert!(why(Some(other)).contains("version 9.1.0 of this program"));
        let mut facts = serde_json::to_value(contents().facts).unwrap();
        assert!(why(Some(&facts.to_string())).contains("objects.json is missing"));
        facts["sources"] = serde_json::json!([{"automations": [], "failure": null, "signers": {},
            "checkout": {"folder": "../..", "heads": null, "commit": null, "branch": null, "files": [], "links": {},
                "submodules": [], "unreadablePaths": [], "usersOwn": null}}]);
        assert!(why(Some(&facts.to_string())).contains("no folder of the snapshot"));
    }
}
