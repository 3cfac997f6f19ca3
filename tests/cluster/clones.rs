//! Clones as the running image-automation-controller makes them: every form of a checkout ref, logins, refusals and bad servers,
//! each compared with what we predict and with what we clone ourselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imageauto::controllers::automation::{self, AutomationFailure};
use imageauto::controllers::checkout::{Switch, Target, timeout};
use imageauto::controllers::flux::{FluxVersion, ImageRef, ObjectKey};
use imageauto::controllers::git_access::{APP_USERNAME, Access, access, no_token};
use imageauto::facts::cluster::{Objects, Seen};
use imageauto::facts::git::{GitAccess, GitHubApp, GitLogin, without_secrets};
use imageauto::io::git::{Clone, CloneRequest, clone};
use imageauto::io::github_app::{TokenError, token};
use imageauto::io::manifests::{self, ManifestSource};
use imageauto::io::observer::Observer;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{agent, wait_for};
use super::objects::{Condition, image_collection, settled_policy, verdict};
use super::repository::{Repository, git, output};
use super::{ControlPlane, control_plane, in_parallel, tell};

mod logins;
mod refs;
mod servers;

/// One automation on a repository of its own.
struct Case {
    name: String,
    /// Changes the standard repository first.
    prepare: fn(&Repository),
    /// What the GitRepository's spec has besides or instead of the ordinary; null takes away.
    source: Value,
    /// The data of its Secret, where that is another than the one of the git server.
    secret: Value,
    /// A door of the git server, with a slash in front.
    door: &'static str,
    /// `spec.git.checkout.ref`, in which `{main~1}` stands for an id.
    checkout: Value,
    /// `spec.git.push`.
    push: Value,
    /// Text from which on the messages may differ: connections break in ways that vary from run to run.
    loosely_from: Option<&'static str>,
}

fn case(name: &str) -> Case {
    Case {
        name: name.to_owned(),
        prepare: |_| (),
        source: json!({}),
        secret: Value::Null,
        door: "",
        checkout: json!({"branch": "main"}),
        push: Value::Null,
        loosely_from: None,
    }
}

impl Case {
    fn refs(mut self, checkout: Value, push: &str) -> Self {
        self.checkout = checkout;
        if !push.is_empty() {
            self.push = json!({"branch": push});
        }
        self
    }

    fn prepared(mut self, prepare: fn(&Repository)) -> Self {
        self.prepare = prepare;
        self
    }

    fn source(mut self, spec: Value) -> Self {
        self.source = spec;
        self
    }

    fn secret(mut self, data: Value) -> Self {
        self.secret = data;
        self
    }

    fn loosely_from(mut self, text: &'static str) -> Self {
        self.loosely_from = Some(text);
        self
    }

    fn door(mut self, door: &'static str) -> Self {
        self.door = door;
        self
    }
}

/// The https ports of the git server, and the port that it redirects to.
#[derive(Deserialize)]
pub(super) struct Doors {
    #[serde(rename = "HTTPS")]
    pub https: String,
    #[serde(rename = "Mutual")]
    pub mutual: String,
    #[serde(rename = "Wrong")]
    pub wrong: String,
    #[serde(rename = "Authority")]
    pub authority: String,
    #[serde(rename = "Certificate")]
    pub certificate: String,
    #[serde(rename = "Key")]
    pub key: String,
    #[serde(rename = "AppKey")]
    pub app_key: String,
    #[serde(rename = "AppKeyPKCS8")]
    pub app_key_pkcs8: String,
    #[serde(rename = "OtherAppKey")]
    pub other_app_key: String,
}

/// Asks the git server about itself.
pub(super) fn about<T: serde::de::DeserializeOwned>(plane: &ControlPlane, what: &str) -> T {
    let url = format!("http://{}/{what}", plane.addresses.git.address);
    let mut answer = agent().get(url).call().expect("the git server answers");
    let text = answer
        .body_mut()
        .read_to_string()
        .expect("it answers in text");
    serde_json::from_str(&text).expect("it answers in JSON")
}

/// What we say of a case before the controller acts.
#[derive(Debug)]
enum Prediction {
    /// The clone works, and stands here.
    Cloned(Box<Clone>),
    Fails(AutomationFailure),
    /// The controller panics.
    Panics,
    /// We say that we don't know.
    Hidden(String),
}

/// Logs in as a GitHub App.
fn with_token(app: &GitHubApp, access: GitAccess) -> Result<GitAccess, TokenError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("an event loop can be started");
    let limit = Duration::from_secs(30);
    let (now, nobody) = (jiff::Timestamp::now(), Observer::nobody());
    let password = runtime.block_on(token(app, &access, now, limit, &nobody))?;
    let username = APP_USERNAME.to_owned();
    let login = GitLogin::Basic { username, password };
    Ok(GitAccess { login, ..access })
}

/// Makes a namespace with the one policy that all automations here follow.
fn make_namespace(plane: &ControlPlane, namespace: &str) {
    plane.create_namespace(namespace);
    let policy = settled_policy(namespace, "app", "registry.example.com/app", "2", "");
    for written in [plane.api.create(&policy), plane.api.write_status(&policy)] {
        written.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
}

/// Runs all cases in a namespace of their own and compares.
fn compare(plane: &ControlPlane, namespace: &str, cases: &[Case]) {
    make_namespace(plane, namespace);
    let disagreements: Vec<String> = in_parallel(cases, |case| {
        let run = Run::prepare(plane, namespace, case);
        let predicted = run.predict();
        run.judge(predicted).err()
    })
    .into_iter()
    .flatten()
    .collect();
    plane
        .api
        .delete_all(&image_collection(namespace, "imageupdateautomations"));
    tell(&format!(
        "clones, {namespace}: {} of {} as predicted",
        cases.len() - disagreements.len(),
        cases.len()
    ));
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

/// A case with its objects and its repository.
struct Run<'a> {
    plane: &'a ControlPlane,
    key: ObjectKey,
    repository: Repository,
    objects: Vec<Value>,
    loosely_from: Option<&'static str>,
}

impl<'a> Run<'a> {
    fn prepare(plane: &'a ControlPlane, namespace: &str, case: &Case) -> Self {
        let name = format!("{namespace}-{}", case.name);
        let repository = standard(plane, namespace, &name);
        let checkout = with_ids(&repository, &case.checkout);
        (case.prepare)(&repository);
        let mut spec = json!({
            "interval": "24h", "secretRef": {"name": "git"},
            "url": format!("http://{}{}/{name}.git", plane.addresses.git.address, case.door),
        });
        for (key, value) in case.source.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let filled = |text: &str| {
            text.replace("{git}", &plane.addresses.git.address)
                .replace("{repository}", &format!("{name}.git"))
        };
        spec["url"] = json!(filled(spec["url"].as_str().unwrap_or_default()));
        let metadata = json!({"namespace": namespace, "name": name});
        let mut objects = Vec::new();
        if case.secret.is_object() {
            spec["secretRef"] = json!({"name": name});
            objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": case.secret}));
        }
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        let mut of_git =
            json!({"commit": {"author": {"name": "fluxcdbot", "email": "fluxcdbot@example.com"}}});
        if !checkout.is_null() {
            of_git["checkout"] = json!({"ref": checkout});
        }
        if !case.push.is_null() {
            of_git["push"] = case.push.clone();
        }
        objects.push(json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": metadata, "spec": spec}));
        objects.push(json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageUpdateAutomation", "metadata": metadata,
            "spec": {"interval": "24h", "sourceRef": {"kind": "GitRepository", "name": name}, "git": of_git,
                "update": {"path": "./", "strategy": "Setters"}},
        }));
        Self {
            plane,
            key: ObjectKey::new(namespace, name),
            repository,
            objects,
            loosely_from: case.loosely_from,
        }
    }

    /// The objects as our program reads them, with those of the namespace.
    fn facts(&self) -> Objects {
        let login = &self.plane.addresses.git;
        let mut all = self.objects.clone();
        all.extend(proxies(&self.key.namespace));
        all.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": self.key.namespace, "name": "git"},
            "stringData": {"username": login.user, "password": login.password},
        }));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("objects.yaml");
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        std::fs::write(&file, text.join("\n---\n")).expect("it can be written");
        let read = manifests::read(&[ManifestSource::Path(file)], false, "default");
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        read.objects
    }

    fn predict(&self) -> Prediction {
        let objects = self.facts();
        let automation = &objects.automations[&self.key];
        let source = &objects.git_repositories[&self.key];
        let branches = match automation::branches(automation, Some(source), FluxVersion::V2_9) {
            Ok(branches) => branches,
            Err(failure) => return Prediction::Fails(failure),
        };
        let secret = |key: &ObjectKey| {
            let found = objects.secrets.get(key).cloned();
            found.map_or(Seen::Missing, Seen::Found)
        };
        let access = match access(source, false, secret) {
            Access::Known(access) => access,
            Access::App { app, access } => match with_token(&app, access) {
                Ok(access) => access,
                Err(error) => match &error.controllers {
                    Some(cause) => return Prediction::Fails(no_token(cause)),
                    None => return Prediction::Hidden(error.to_string()),
                },
            },
            Access::Fails(failure) => return Prediction::Fails(failure),
            Access::Hidden { why } => return Prediction::Hidden(why),
        };
        let request = CloneRequest {
            url: source.spec.url.clone(),
            access,
            target: Target::of(&branches.checkout, FluxVersion::V2_9),
            switch: branches.switched.then(|| Switch {
                branch: branches.push_branch.clone(),
                all_branches: true,
            }),
            timeout: timeout(&source.spec),
        };
        let latest = ImageRef {
            name: "registry.example.com/app".into(),
            tag: "2".into(),
            digest: String::new(),
        };
        let policies = BTreeMap::from([("app".to_owned(), latest)]);
        let listed_first = automation::lists_first(automation, &branches, &policies);
        match clone(&request, &Observer::nobody()) {
            Ok(clone) => Prediction::Cloned(Box::new(clone)),
            Err(error) if error.panics(listed_first) => Prediction::Panics,
            Err(error) => match error.controller_text(listed_first) {
                Some(text) => Prediction::Fails(AutomationFailure::checkout_failed(&text)),
                None => Prediction::Hidden(error.to_string()),
            },
        }
    }

    /// Has the controller act, and compares.
    fn judge(&self, predicted: Prediction) -> Result<(), String> {
        let before = self.repository.heads();
        for object in &self.objects {
            let created = self.plane.api.create(object);
            created.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.key));
        }
        let said = self.verdict(matches!(predicted, Prediction::Panics));
        let disagree = |why: String| Err(format!("{}: {why}", self.key.name));
        match (predicted, said) {
            (Prediction::Panics, None) => Ok(()),
            (Prediction::Hidden(why), said) => disagree(format!("hidden, {why}: {said:?}")),
            (Prediction::Fails(failure), Some(said)) => {
                let ours = (
                    failure.reason,
                    failure.stalled,
                    self.compared(failure.message),
                );
                let theirs = (
                    said.reason.as_str(),
                    said.stalled,
                    self.compared(self.comparable(&said.message)),
                );
                if ours.0 == theirs.0 && ours.1 == theirs.1 && ours.2 == theirs.2 {
                    Ok(())
                } else {
                    disagree(format!("\n  ours   {ours:?}\n  theirs {theirs:?}"))
                }
            }
            (Prediction::Cloned(clone), Some(said)) if said.ready => {
                self.judge_clone(&clone, &before)
            }
            // What only the push shows is not predicted here.
            (Prediction::Cloned(_), Some(said))
                if said
                    .message
                    .starts_with("failed to update source: failed to push") =>
            {
                Ok(())
            }
            (predicted, said) => disagree(format!("{predicted:?}: {said:?}")),
        }
    }

    /// Compares a clone with the commit that was pushed.
    fn judge_clone(&self, clone: &Clone, before: &BTreeMap<String, String>) -> Result<(), String> {
        let after = self.repository.heads();
        let pushed: Vec<(&String, &String)> = after
            .iter()
            .filter(|(branch, head)| before.get(*branch) != Some(head))
            .collect();
        let [(branch, head)] = pushed[..] else {
            return Err(format!("{}: pushed {pushed:?}", self.key.name));
        };
        let commit = self.repository.commit(head);
        let (ours, theirs) = (
            (clone.branch.as_deref(), &vec![clone.head_commit.clone()]),
            (Some(branch.as_str()), &commit.parents),
        );
        if ours != theirs {
            return Err(format!(
                "{}: ours {ours:?}, theirs {theirs:?}",
                self.key.name
            ));
        }
        let files = self.repository.files(&clone.head_commit);
        let tree = clone.tree().expect("the clone can be read");
        assert_eq!(
            tree.entries.paths().collect::<BTreeSet<_>>(),
            files.keys().cloned().collect::<BTreeSet<_>>()
        );
        let plain: Vec<&str> = files
            .iter()
            .filter(|(_, (mode, _))| mode.starts_with("100"))
            .map(|(path, _)| path.as_str())
            .collect();
        for (path, bytes) in clone.read_files(&plain, |_| true) {
            assert_eq!(bytes.as_ref(), Ok(&files[&path].1), "{path}");
        }
        Ok(())
    }

    /// What the controller says; `None` when it panics, again and again, where that is expected.
    fn verdict(&self, panics: bool) -> Option<Condition> {
        let path = format!(
            "{}/{}",
            image_collection(&self.key.namespace, "imageupdateautomations"),
            self.key.name
        );
        wait_for(
            &format!("a verdict on {}", self.key),
            Duration::from_secs(120),
            || {
                let object = self
                    .plane
                    .api
                    .get(&path)
                    .unwrap_or_else(|refusal| panic!("{refusal:?}"));
                let conditions = object["status"]["conditions"].as_array();
                let retries = conditions
                    .into_iter()
                    .flatten()
                    .any(|condition| condition["reason"] == "ProgressingWithRetry");
                match verdict(&object) {
                    Some(verdict) => Some(Some(verdict)),
                    None if panics && retries => Some(None),
                    None => None,
                }
            },
        )
    }

    /// The part of a message that is compared.
    fn compared(&self, message: String) -> String {
        let end = self.loosely_from.and_then(|text| message.find(text));
        end.map_or(message.clone(), |end| message[..end].to_owned())
    }

    /// A message of the controller's without what can't be known from elsewhere, or isn't shown.
    fn comparable(&self, message: &str) -> String {
        let words = message.split(' ').map(|word| {
            let quote = if word.starts_with('\'') { "'" } else { "" };
            let inner = word.strip_prefix('\'').unwrap_or(word);
            let shown = without_secrets(inner);
            match shown.split_once("/.git/") {
                Some((_, rest)) => format!("<clone>/.git/{rest}"),
                None => format!("{quote}{shown}"),
            }
        });
        let text = words
            .collect::<Vec<_>>()
            .join(" ")
            .replace("valid for 127.0.0.9,", "valid for other names,");
        match text
            .split_once(" on ")
            .filter(|_| text.ends_with("no such host"))
        {
            Some((before, _)) => format!("{before}: no such host"),
            None => text,
        }
    }
}

/// The standard repository: three commits on `main`; `auto` beside the second; `behind` and `deep/er` at the first; tags; refs that are
/// no branches.
fn standard(plane: &ControlPlane, namespace: &str, name: &str) -> Repository {
    let marked = format!(
        "kind: Pod\nmetadata:\n  name: x\nspec:\n  image: app:1 # {{\"$imagepolicy\": \"{namespace}:app\"}}\n"
    );
    let repository = Repository::create(
        plane,
        name,
        [
            ("deploy.yaml", marked.as_bytes()),
            ("note", b"one".as_slice()),
        ],
    );
    let point =
        |place: &str, revision: &str| run(&repository, &["update-ref", place, revision], b"");
    for branch in ["behind", "deep/er", "pull"] {
        point(&format!("refs/heads/{branch}"), "main");
    }
    run(
        &repository,
        &["tag", "-a", "-m", "tag", "1.0.0", "main"],
        b"",
    );
    repository.commit_files("main", "Two", [("note", b"two".as_slice())]);
    point("refs/heads/auto", "main");
    point("refs/odd/main", "main");
    run(&repository, &["tag", "1.1.0", "main"], b"");
    repository.commit_files("main", "Three", [("note", b"three".as_slice())]);
    run(&repository, &["tag", "2.0.0-rc.1", "main"], b"");
    repository.commit_files("auto", "Auto", [("auto", b"a".as_slice())]);
    repository.commit_files("pull", "Pull", [("pull", b"p".as_slice())]);
    point("refs/pull/1/head", "pull");
    run(&repository, &["update-ref", "-d", "refs/heads/pull"], b"");
    repository
}

/// Runs git on a repository, and gives its output.
fn run(repository: &Repository, arguments: &[&str], input: &[u8]) -> String {
    let mut command = git();
    command
        .arg("--git-dir")
        .arg(repository.folder())
        .args(arguments);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Someone");
        command.env(format!("GIT_{role}_EMAIL"), "someone@example.com");
    }
    String::from_utf8_lossy(&output(&mut command, input))
        .trim()
        .to_owned()
}

/// The ref with ids for `{revision}`, or `{REVISION}` for an id in upper case.
fn with_ids(repository: &Repository, reference: &Value) -> Value {
    let mut filled = reference.clone();
    if let Some(text) = reference["commit"].as_str()
        && let Some((revision, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}'))
    {
        let lower = revision.to_lowercase();
        let id = run(repository, &["rev-parse", &lower], b"");
        let id = if lower == revision {
            id
        } else {
            id.to_uppercase()
        };
        filled["commit"] = json!(format!("{id}{rest}"));
    }
    filled
}

/// Secrets of proxies that are not there.
fn proxies(namespace: &str) -> Vec<Value> {
    let login =
        json!({"address": "socks5://127.0.0.1:9", "username": "user", "password": "hush-hush"});
    [
        ("dead", json!({"address": "http://127.0.0.1:9"})),
        ("socks", login),
        ("empty", json!({"address": ""})),
        ("none", json!({"username": "x"})),
        ("ftp", json!({"address": "ftp://127.0.0.1:9"})),
        ("junk", json!({"address": "http://[::1"})),
    ]
    .into_iter()
    .map(|(name, data)| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": format!("proxy-{name}")},
            "stringData": data,
        })
    })
    .collect()
}
