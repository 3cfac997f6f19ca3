//! The user's own logins, as docker and podman keep them: in files, or with the credential helpers that these name.

mod helper;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::{OnceCell, Semaphore};

use crate::facts::registry::RegistryLogin;
use crate::go::base64;
use crate::go::reference::Repository;
use crate::io::error_text;

use helper::HelperError;

/// Docker Hub's names; the first is the one that images are resolved to.
const DOCKER_HUB: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];
/// What docker calls its Hub towards helpers.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";
/// How many helpers run at a time.
const HELPERS_AT_A_TIME: usize = 4;

/// What the user has for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserLogin {
    /// There is a login.
    Found {
        /// The login.
        login: RegistryLogin,
        /// Where it comes from, as the end of `your own credentials ...`.
        from: String,
    },
    /// There is none.
    Nothing {
        /// The helpers that could not tell, each with the reason.
        troubles: Vec<String>,
    },
}

/// Where a login may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Candidate {
    /// In a file.
    Entry {
        login: RegistryLogin,
        file: PathBuf,
        /// The key below `auths`, as it is written.
        key: String,
    },
    /// With a helper, `docker-credential-NAME`.
    Helper {
        program: String,
        /// The file that names it; `None`: it is the usual one of a cloud.
        file: Option<PathBuf>,
        /// What the helper may know the registry as.
        servers: Vec<String>,
    },
}

/// The user's logins.
#[derive(Debug)]
pub struct UserLogins {
    /// The first one counts first.
    files: Vec<PathBuf>,
    asked: Mutex<HashMap<(String, String), Arc<Answer>>>,
    turns: Semaphore,
}

/// What a helper said about a server, once for all who ask.
type Answer = OnceCell<Result<Option<RegistryLogin>, HelperError>>;

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
            let runtime = match variable("XDG_RUNTIME_DIR") {
                Some(folder) => Some(PathBuf::from(folder).join("containers")),
                None => podmans_runtime_folder(),
            };
            let settings = match variable("XDG_CONFIG_HOME") {
                Some(folder) => Some(PathBuf::from(folder)),
                None => home.as_ref().map(|home| home.join(".config")),
            };
            let settings = settings.map(|folder| folder.join("containers"));
            let folders = [runtime, settings].into_iter().flatten();
            files.extend(folders.map(|folder| folder.join("auth.json")));
        }
        Self::of_files(files)
    }

    /// These files, in this order.
    pub fn of_files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            files: files.into_iter().collect(),
            asked: Mutex::default(),
            turns: Semaphore::new(HELPERS_AT_A_TIME),
        }
    }

    /// The login for `image`: of the first file that has one, and there of the helper for its host, else of the longest
    /// key that is its host, or its host and the first parts of its path. A store, which is asked for every host, comes
    /// behind all files, and behind it the helpers that are usual for `cloud` (`aws`, `azure` or `gcp`), if they are
    /// installed.
    ///
    /// # Errors
    ///
    /// A file can't be read, or its entry for the image can't; the text names the file.
    pub async fn for_image(
        &self,
        image: &Repository,
        cloud: Option<&str>,
    ) -> Result<UserLogin, String> {
        let mut troubles = Vec::new();
        for candidate in self.candidates(image, cloud)? {
            let (program, file, servers) = match candidate {
                Candidate::Entry { login, file, key } => {
                    let from = format!("for {key} in {}", file.display());
                    return Ok(UserLogin::Found { login, from });
                }
                Candidate::Helper {
                    program,
                    file,
                    servers,
                } => (program, file, servers),
            };
            let named = file.as_ref().map_or(String::new(), |file| {
                format!(", which {} names", file.display())
            });
            for server in &servers {
                match self.asked(&program, server).await {
                    Ok(Some(login)) => {
                        let from = format!("for {server} from {program}{named}");
                        return Ok(UserLogin::Found { login, from });
                    }
                    Ok(None) => {}
                    // A cloud's helper that nobody named need not be installed.
                    Err(HelperError::NotInstalled) if file.is_none() => break,
                    Err(why) => {
                        let comma = if file.is_some() { "," } else { "" };
                        troubles.push(format!("{program}{named}{comma} {why}"));
                        break;
                    }
                }
            }
        }
        Ok(UserLogin::Nothing { troubles })
    }

    /// Asks a helper, unless that was done before.
    async fn asked(
        &self,
        program: &str,
        server: &str,
    ) -> Result<Option<RegistryLogin>, HelperError> {
        let answer = {
            let key = (program.to_owned(), server.to_owned());
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(key).or_default())
        };
        let ask = async {
            // It is closed by nobody.
            let _turn = self.turns.acquire().await.ok();
            let (program, server) = (program.to_owned(), server.to_owned());
            let asked = tokio::task::spawn_blocking(move || helper::get(&program, &server));
            asked.await.unwrap_or(Err(HelperError::Unreadable))
        };
        answer.get_or_init(|| ask).await.clone()
    }

    fn candidates(
        &self,
        image: &Repository,
        cloud: Option<&str>,
    ) -> Result<Vec<Candidate>, String> {
        let mut found = Vec::new();
        let mut stores = Vec::new();
        for file in &self.files {
            let in_file =
                in_file(file, image).map_err(|why| format!("{}: {why}", file.display()))?;
            found.extend(in_file.own);
            stores.extend(in_file.store);
        }
        found.append(&mut stores);
        for program in usual_helpers(cloud) {
            found.push(Candidate::Helper {
                program: (*program).to_owned(),
                file: None,
                servers: servers(image, None),
            });
        }
        Ok(found)
    }
}

/// Where podman keeps logins until the machine is started again, if no variable says another place.
#[cfg(target_os = "linux")]
fn podmans_runtime_folder() -> Option<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    Some(PathBuf::from(format!("/run/containers/{user}")))
}

#[cfg(not(target_os = "linux"))]
fn podmans_runtime_folder() -> Option<PathBuf> {
    None
}

/// The helpers that the clouds give out, and how they are called.
fn usual_helpers(cloud: Option<&str>) -> &'static [&'static str] {
    match cloud {
        Some("aws") => &["docker-credential-ecr-login"],
        Some("gcp") => &["docker-credential-gcloud", "docker-credential-gcr"],
        Some("azure") => &["docker-credential-acr-env", "docker-credential-acr"],
        _ => &[],
    }
}

/// What a helper may know the registry as: as it is written in the file, as docker calls it, and as older logins do.
fn servers(image: &Repository, written: Option<&str>) -> Vec<String> {
    let mut servers: Vec<String> = written.map(str::to_owned).into_iter().collect();
    let host = image.registry();
    let usual = if host == DOCKER_HUB[0] {
        vec![DOCKER_HUB_SERVER.to_owned()]
    } else {
        vec![host.to_owned(), format!("https://{host}")]
    };
    for server in usual {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

/// What one file says about an image.
#[derive(Default)]
struct InFile {
    /// The helper for its host, else its entry.
    own: Option<Candidate>,
    store: Option<Candidate>,
}

fn in_file(file: &Path, image: &Repository) -> Result<InFile, String> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(InFile::default());
        }
        Err(error) => return Err(format!("can't be read: {}", error_text(&error))),
    };
    // Its errors name places, never values.
    let document: Value =
        serde_json::from_slice(&text).map_err(|error| format!("is not JSON: {error}"))?;
    let Value::Object(document) = document else {
        return Err("is no configuration of docker or podman: it holds no JSON object".into());
    };
    let helper = |name: &str, servers: Vec<String>| Candidate::Helper {
        file: Some(file.to_owned()),
        program: format!("docker-credential-{name}"),
        servers,
    };
    let mut found = InFile::default();
    let auths = document.get("auths").and_then(Value::as_object);
    let entry = auths.and_then(|auths| best(auths, image));
    if let Some((key, name)) = own_helper(&document, image) {
        found.own = Some(helper(name, servers(image, Some(key))));
    } else if let Some((key, entry)) = entry {
        let login = login(entry).map_err(|why| format!("auths[\"{key}\"]: {why}"))?;
        if login != RegistryLogin::Anonymous {
            found.own = Some(Candidate::Entry {
                login,
                file: file.to_owned(),
                key: key.to_owned(),
            });
        }
    }
    // Where a store is used, the entry in the file is empty.
    let store = document.get("credsStore").and_then(Value::as_str);
    if let Some(name) = store.filter(|name| !name.is_empty()) {
        let written = entry.map(|(key, _)| key);
        found.store = Some(helper(name, servers(image, written)));
    }
    Ok(found)
}

/// The helper for the image's host alone: its key as it is written, and its name.
fn own_helper<'a>(
    document: &'a Map<String, Value>,
    image: &Repository,
) -> Option<(&'a str, &'a str)> {
    let helpers = document.get("credHelpers")?.as_object()?;
    let hosts = hosts(image);
    let mut named = helpers
        .iter()
        .filter(|(key, _)| hosts.contains(&place(key).as_str()));
    let (key, name) = named.next()?;
    Some((key, name.as_str().filter(|name| !name.is_empty())?))
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

    /// Where a login for `image` may be by files of these contents, as `FILE KEY USER` and `FILE PROGRAM SERVERS`.
    fn look_up(image: &str, contents: &[&str]) -> Result<Vec<String>, String> {
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
        let prefix = format!("{}/", folder.path().display());
        let found = UserLogins::of_files(files)
            .candidates(&image, None)
            .map_err(|why| why.replace(&prefix, ""))?;
        let told = |candidate| match candidate {
            Candidate::Entry {
                login: RegistryLogin::Basic { username, .. },
                file,
                key,
            } => format!("{} {key} {username}", file.display()),
            Candidate::Entry { login, file, key } => format!("{} {key} {login:?}", file.display()),
            Candidate::Helper {
                program,
                file,
                servers,
            } => format!(
                "{} {program} {}",
                file.unwrap().display(),
                servers.join(" ")
            ),
        };
        let told = found.into_iter().map(told);
        Ok(told.map(|text| text.replace(&prefix, "")).collect())
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
            let expected: Vec<String> =
                expected.then(|| format!("0 {key} u")).into_iter().collect();
            assert_eq!(login, Ok(expected), "{key} for {image}");
        }
    }

    #[test]
    fn the_longest_key_of_the_first_file_counts() {
        let first = auths(&["quay.io", "quay.io/org/app", "quay.io/org"]);
        let second = auths(&["quay.io/org/app", "ghcr.io"]);
        let image = "quay.io/org/app";
        let found = |image| look_up(image, &[&first, &second]).unwrap();
        assert_eq!(found(image), ["0 quay.io/org/app u", "1 quay.io/org/app u"]);
        assert_eq!(found("ghcr.io/org/app"), ["1 ghcr.io u"]);
    }

    #[test]
    fn helpers_come_before_entries_and_stores_behind_them() {
        let own = r#"{"auths": {"gcr.io": {"auth": "dTpw"}}, "credHelpers": {"gcr.io": "gcloud", "quay.io": ""}}"#;
        assert_eq!(
            look_up("gcr.io/a/b", &[own]).unwrap(),
            ["0 docker-credential-gcloud gcr.io https://gcr.io"]
        );
        assert_eq!(look_up("quay.io/a/b", &[own]), Ok(Vec::new()));
        let store = r#"{"auths": {"https://ghcr.io/v2/": {}, "quay.io": {"auth": "dTpw"}}, "credsStore": "desktop"}"#;
        let asked = "0 docker-credential-desktop https://ghcr.io/v2/ ghcr.io https://ghcr.io";
        assert_eq!(look_up("ghcr.io/a/b", &[store]).unwrap(), [asked]);
        assert_eq!(
            look_up("quay.io/a/b", &[store]).unwrap(),
            [
                "0 quay.io u",
                "0 docker-credential-desktop quay.io https://quay.io"
            ]
        );
        // What podman knows needs no store.
        assert_eq!(
            look_up("ghcr.io/a/b", &[store, &auths(&["ghcr.io"])]).unwrap(),
            ["1 ghcr.io u", asked]
        );
        assert_eq!(
            look_up("alpine", &[r#"{"credsStore": "pass"}"#]).unwrap(),
            ["0 docker-credential-pass https://index.docker.io/v1/"]
        );
    }

    #[test]
    fn logins_come_in_several_forms() {
        let login = |entry: &str| {
            let file = format!(r#"{{"auths": {{"ghcr.io": {entry}}}}}"#);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.json");
            fs::write(&path, file).unwrap();
            let image = Reference::parse("ghcr.io/a/b").unwrap().repository;
            match &UserLogins::of_files([path])
                .candidates(&image, None)
                .unwrap()[..]
            {
                [Candidate::Entry { login, .. }] => login.clone(),
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
        assert_eq!(look_up("quay.io/a/b", &[file]), Ok(Vec::new()));
    }
}
