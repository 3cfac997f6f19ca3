//! The user's own logins, as docker and podman keep them in files. Credential helpers are named, not asked.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::facts::registry::RegistryLogin;
use crate::go::base64;
use crate::go::reference::Repository;
use crate::io::error_text;

/// Docker Hub's names; the first is the one that images are resolved to.
const DOCKER_HUB: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

/// What the user's files say about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserLogin {
    /// There is a login.
    Found {
        /// The login.
        login: RegistryLogin,
        /// The file that it stands in.
        file: PathBuf,
        /// The key below `auths`, as it is written.
        key: String,
    },
    /// A credential helper would have to be asked.
    Helper {
        /// The file that names it.
        file: PathBuf,
        /// Its program: `docker-credential-NAME`.
        program: String,
    },
    /// There is none.
    Nothing,
}

/// The files that hold the user's logins, the first one first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserLogins {
    files: Vec<PathBuf>,
}

impl UserLogins {
    /// Docker's `config.json`, then podman's `auth.json`, where the environment says that they are.
    pub fn of_environment() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let home = env::home_dir();
        let docker = match variable("DOCKER_CONFIG") {
            Some(folder) => Some(PathBuf::from(folder)),
            None => home.as_ref().map(|home| home.join(".docker")),
        };
        let mut files: Vec<PathBuf> = docker
            .map(|folder| folder.join("config.json"))
            .into_iter()
            .collect();
        if let Some(file) = variable("REGISTRY_AUTH_FILE") {
            files.push(file.into());
        } else {
            let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
            let settings = match variable("XDG_CONFIG_HOME") {
                Some(folder) => Some(PathBuf::from(folder)),
                None => home.map(|home| home.join(".config")),
            };
            let folders = [runtime, settings].into_iter().flatten();
            files.extend(folders.map(|folder| folder.join("containers").join("auth.json")));
        }
        Self { files }
    }

    /// These files, in this order.
    pub fn of_files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }

    /// The login for `image`: of the first file that has one, and there of the longest key that is its host, or its host
    /// and the first parts of its path.
    ///
    /// # Errors
    ///
    /// A file can't be read, or its entry for the image can't; the text names the file.
    pub fn for_image(&self, image: &Repository) -> Result<UserLogin, String> {
        let mut helper = UserLogin::Nothing;
        for file in &self.files {
            let found = in_file(file, image).map_err(|why| format!("{}: {why}", file.display()))?;
            match found {
                UserLogin::Found { .. } => return Ok(found),
                UserLogin::Helper { .. } if helper == UserLogin::Nothing => helper = found,
                _ => {}
            }
        }
        Ok(helper)
    }
}

fn in_file(file: &Path, image: &Repository) -> Result<UserLogin, String> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(UserLogin::Nothing),
        Err(error) => return Err(format!("can't be read: {}", error_text(&error))),
    };
    // Its errors name places, never values.
    let document: Value =
        serde_json::from_slice(&text).map_err(|error| format!("is not JSON: {error}"))?;
    let Value::Object(document) = document else {
        return Err("is no configuration of docker or podman: it holds no JSON object".into());
    };
    let helper = |name: &str| UserLogin::Helper {
        file: file.to_owned(),
        program: format!("docker-credential-{name}"),
    };
    if let Some(name) = own_helper(&document, image) {
        return Ok(helper(&name));
    }
    let auths = document.get("auths").and_then(Value::as_object);
    let entry = auths.and_then(|auths| best(auths, image));
    if let Some((key, entry)) = entry {
        let login = login(entry).map_err(|why| format!("auths[\"{key}\"]: {why}"))?;
        if login != RegistryLogin::Anonymous {
            return Ok(UserLogin::Found {
                login,
                file: file.to_owned(),
                key: key.to_owned(),
            });
        }
    }
    // Where a store is used, the entry in the file is empty.
    let store = document.get("credsStore").and_then(Value::as_str);
    Ok(store
        .filter(|name| !name.is_empty())
        .map_or(UserLogin::Nothing, helper))
}

/// The helper for the image's host alone.
fn own_helper(document: &Map<String, Value>, image: &Repository) -> Option<String> {
    let helpers = document.get("credHelpers")?.as_object()?;
    let hosts = hosts(image);
    let mut named = helpers
        .iter()
        .filter(|(key, _)| hosts.contains(&place(key).as_str()));
    let (_, name) = named.next()?;
    Some(name.as_str()?.to_owned())
}

/// The names of the image's registry.
fn hosts(image: &Repository) -> Vec<&str> {
    if image.registry() == DOCKER_HUB[0] {
        DOCKER_HUB.to_vec()
    } else {
        vec![image.registry()]
    }
}

/// The entry that fits the image best.
fn best<'a>(auths: &'a Map<String, Value>, image: &Repository) -> Option<(&'a str, &'a Value)> {
    let path = image.path();
    let fits = |key: &str| -> Option<usize> {
        let place = place(key);
        let rest = hosts(image)
            .into_iter()
            .find_map(|host| place.strip_prefix(host))?;
        if rest.is_empty() {
            return Some(0);
        }
        let part = rest.strip_prefix('/')?;
        let after = path.strip_prefix(part)?;
        (after.is_empty() || after.starts_with('/')).then_some(part.len())
    };
    let mut fitting: Vec<(usize, &str, &Value)> = auths
        .iter()
        .filter_map(|(key, entry)| Some((fits(key)?, key.as_str(), entry)))
        .collect();
    // An entry that holds nothing gives way to another spelling that does.
    fitting.sort_by_key(|(length, _, entry)| {
        let is_empty = entry.as_object().is_none_or(Map::is_empty);
        (is_empty, std::cmp::Reverse(*length))
    });
    fitting.first().map(|(_, key, entry)| (*key, *entry))
}

/// What a key is for: host and path, without scheme and API version.
fn place(key: &str) -> String {
    let place = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key)
        .trim_end_matches('/');
    let place = place
        .strip_suffix("/v1")
        .or_else(|| place.strip_suffix("/v2"))
        .unwrap_or(place);
    place.to_owned()
}

fn login(entry: &Value) -> Result<RegistryLogin, String> {
    let text = |name: &str| -> Result<&str, String> {
        match entry.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("{name} is no text")),
        }
    };
    let (username, password) = match text("auth")? {
        "" => (text("username")?.to_owned(), text("password")?.to_owned()),
        auth => user_and_password(auth)
            .ok_or("auth isn't the base 64 of a user, a colon and a password")?,
    };
    let basic = (!username.is_empty() && !password.is_empty()).then_some((username, password));
    let (registry_token, identity_token) = (text("registrytoken")?, text("identitytoken")?);
    if !registry_token.is_empty() {
        return Ok(RegistryLogin::RegistryToken(registry_token.to_owned()));
    }
    if !identity_token.is_empty() {
        return Ok(RegistryLogin::IdentityToken {
            token: identity_token.to_owned(),
            basic,
        });
    }
    Ok(match basic {
        Some((username, password)) => RegistryLogin::Basic { username, password },
        None => RegistryLogin::Anonymous,
    })
}

fn user_and_password(auth: &str) -> Option<(String, String)> {
    let auth = auth.trim();
    let decoded = base64::decode(auth.as_bytes(), auth.ends_with('=')).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    // Some tools fill the password up with zeros, which docker takes away too.
    let password = password.trim_matches('\0');
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::reference::Reference;

    /// Looks up `image` in files of these contents; paths in the answer are file names.
    fn look_up(image: &str, contents: &[&str]) -> Result<UserLogin, String> {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = contents
            .iter()
            .enumerate()
            .map(|(index, content)| {
                let file = folder.path().join(index.to_string());
                fs::write(&file, content).unwrap();
                file
            })
            .chain([folder.path().join("absent")])
            .collect();
        let image = Reference::parse(image).unwrap().repository;
        let name = |file: PathBuf| PathBuf::from(file.file_name().unwrap());
        let prefix = format!("{}/", folder.path().display());
        match UserLogins::of_files(files).for_image(&image) {
            Ok(UserLogin::Found { login, file, key }) => Ok(UserLogin::Found {
                login,
                file: name(file),
                key,
            }),
            Ok(UserLogin::Helper { file, program }) => Ok(UserLogin::Helper {
                file: name(file),
                program,
            }),
            other => other.map_err(|why| why.replace(&prefix, "")),
        }
    }

    fn found(file: &str, key: &str, user: &str) -> Result<UserLogin, String> {
        Ok(UserLogin::Found {
            login: RegistryLogin::Basic {
                username: user.into(),
                password: "p".into(),
            },
            file: file.into(),
            key: key.into(),
        })
    }

    fn helper(file: &str, name: &str) -> Result<UserLogin, String> {
        Ok(UserLogin::Helper {
            file: file.into(),
            program: format!("docker-credential-{name}"),
        })
    }

    // u:p
    const ENTRY: &str = r#"{"auth": "dTpw"}"#;

    fn auths(keys: &[&str]) -> String {
        let entries: Vec<String> = keys
            .iter()
            .map(|key| format!("\"{key}\": {ENTRY}"))
            .collect();
        format!("{{\"auths\": {{{}}}}}", entries.join(", "))
    }

    #[test]
    fn hosts_and_paths_are_found() {
        for (key, image, expected) in [
            ("ghcr.io", "ghcr.io/org/app", true),
            ("https://ghcr.io/v2/", "ghcr.io/org/app", true),
            ("ghcr.io/org", "ghcr.io/org/app", true),
            ("ghcr.io/org/app", "ghcr.io/org/app", true),
            ("ghcr.io/or", "ghcr.io/org/app", false),
            ("ghcr.io:443", "ghcr.io/org/app", false),
            ("https://index.docker.io/v1/", "alpine", true),
            ("docker.io", "alpine", true),
            ("docker.io/library", "alpine", true),
            ("docker.io", "ghcr.io/org/app", false),
            ("*.io", "ghcr.io/org/app", false),
        ] {
            let login = look_up(image, &[&auths(&[key])]);
            let expected = if expected {
                found("0", key, "u")
            } else {
                Ok(UserLogin::Nothing)
            };
            assert_eq!(login, expected, "{key} for {image}");
        }
    }

    #[test]
    fn the_longest_key_of_the_first_file_counts() {
        let first = auths(&["quay.io", "quay.io/org/app", "quay.io/org"]);
        let second = auths(&["quay.io/org/app", "ghcr.io"]);
        let image = "quay.io/org/app";
        assert_eq!(
            look_up(image, &[&first, &second]),
            found("0", "quay.io/org/app", "u")
        );
        assert_eq!(
            look_up("ghcr.io/org/app", &[&first, &second]),
            found("1", "ghcr.io", "u")
        );
    }

    #[test]
    fn helpers_are_named() {
        let own = r#"{"auths": {"gcr.io": {"auth": "dTpw"}}, "credHelpers": {"gcr.io": "gcloud"}}"#;
        assert_eq!(look_up("gcr.io/a/b", &[own]), helper("0", "gcloud"));
        let store =
            r#"{"auths": {"ghcr.io": {}, "quay.io": {"auth": "dTpw"}}, "credsStore": "desktop"}"#;
        assert_eq!(look_up("ghcr.io/a/b", &[store]), helper("0", "desktop"));
        assert_eq!(look_up("quay.io/a/b", &[store]), found("0", "quay.io", "u"));
        // What podman knows needs no store.
        assert_eq!(
            look_up("ghcr.io/a/b", &[store, &auths(&["ghcr.io"])]),
            found("1", "ghcr.io", "u")
        );
    }

    #[test]
    fn logins_come_in_several_forms() {
        let login = |entry: &str| {
            let file = format!(r#"{{"auths": {{"ghcr.io": {entry}}}}}"#);
            match look_up("ghcr.io/a/b", &[&file]) {
                Ok(UserLogin::Found { login, .. }) => login,
                other => panic!("{other:?}"),
            }
        };
        let basic = RegistryLogin::Basic {
            username: "u".into(),
            password: "p".into(),
        };
        assert_eq!(login(r#"{"username": "u", "password": "p"}"#), basic);
        // u:p and two zeros
        assert_eq!(login(r#"{"auth": "dTpwAAA="}"#), basic);
        assert_eq!(
            login(r#"{"identitytoken": "i", "auth": "dTo="}"#),
            RegistryLogin::IdentityToken {
                token: "i".into(),
                basic: None,
            }
        );
        assert_eq!(
            login(r#"{"registrytoken": "r"}"#),
            RegistryLogin::RegistryToken("r".into())
        );
    }

    #[test]
    fn bad_files_are_named_and_not_quoted() {
        assert_eq!(
            look_up("ghcr.io/a/b", &["{"]),
            Err("0: is not JSON: EOF while parsing an object at line 1 column 1".into())
        );
        assert_eq!(
            look_up("ghcr.io/a/b", &["[]"]),
            Err("0: is no configuration of docker or podman: it holds no JSON object".into())
        );
        let file = r#"{"auths": {"ghcr.io": {"auth": "swordfish"}}}"#;
        assert_eq!(
            look_up("ghcr.io/a/b", &[file]),
            Err(
                "0: auths[\"ghcr.io\"]: auth isn't the base 64 of a user, a colon and a password"
                    .into()
            )
        );
        // The entries of others are their own affair.
        assert_eq!(look_up("quay.io/a/b", &[file]), Ok(UserLogin::Nothing));
    }
}
