//! Commits that `reconcile` pushes, beside those that the running automation pushes over the same objects: ours first, then the
//! repository is put back and the controller has its turn.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::wait_for;
use super::clusters::ADMINISTRATOR;
use super::command_line::{Home, OURS, Ran, run};
use super::gpg::{GpgKey, verify_gpg, verify_ssh};
use super::objects::{automation, git_repository, image_collection, settled_policy, verdict};
use super::repository::{Commit, Repository};
use super::ssh::KeyPair;
use super::{ControlPlane, control_plane, in_parallel, tell};

mod races;
mod sign_user;
mod transports;

const NAMESPACE: &str = "pushes";
const IMAGE: &str = "registry.example.com/team/app";

fn deployment(tag: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {IMAGE}:{tag} # {{\"$imagepolicy\": \"{NAMESPACE}:app\"}}\n"
    )
}

/// What differs from the ordinary case.
struct Case {
    name: &'static str,
    /// Changes the repository first.
    prepare: fn(&Repository),
    /// Merged into `spec.git`.
    git: Value,
    /// `spec.update.path`.
    path: &'static str,
}

fn case(name: &'static str, git: Value) -> Case {
    Case {
        name,
        prepare: |_| (),
        git,
        path: "./",
    }
}

impl Case {
    fn prepared(mut self, prepare: fn(&Repository)) -> Self {
        self.prepare = prepare;
        self
    }

    fn below(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }
}

/// The state that matters of a repository after a push.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    /// Every ref that is no tag, with its commit but for ids and times.
    refs: BTreeMap<String, Seen>,
    /// What hooks wrote of push options.
    options: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    commit: Commit,
    /// The kinds of signatures.
    signature: Option<String>,
}

/// One case with its objects in the cluster, the automation suspended.
struct Run<'a> {
    plane: &'a ControlPlane,
    name: String,
    repository: Repository,
    start: BTreeMap<String, String>,
}

impl<'a> Run<'a> {
    fn new(plane: &'a ControlPlane, case: &Case, secret: Option<&Value>) -> Self {
        let name = case.name.to_owned();
        let app = deployment("1.0.0");
        let repository = Repository::create(
            plane,
            &format!("pushes-{name}"),
            [
                ("app.yaml", app.as_bytes()),
                ("deep/er/app.yaml", app.as_bytes()),
                ("README", b"text\n"),
            ],
        );
        (case.prepare)(&repository);
        repository.hook(
            "pre-receive",
            "i=0; while [ $i -lt ${GIT_PUSH_OPTION_COUNT:-0} ]; do eval echo \"\\$GIT_PUSH_OPTION_$i\" >> options; i=$((i+1)); done",
        );
        let source = git_repository(NAMESPACE, &name, &repository.url);
        let mut automation = automation(NAMESPACE, &name, &name, &json!({}), "main");
        automation["spec"]["suspend"] = json!(true);
        automation["spec"]["update"]["path"] = json!(case.path);
        merge(
            &mut automation["spec"]["git"],
            &with_ids(&repository, &case.git),
        );
        for object in secret.into_iter().chain([&source, &automation]) {
            let created = plane.api.create(object);
            created.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        }
        Self {
            plane,
            start: repository.refs(),
            name,
            repository,
        }
    }

    fn reconcile(&self, home: &Home, more: &[&str]) -> Ran {
        run(&mut self.command(home, more))
    }

    fn command(&self, home: &Home, more: &[&str]) -> Command {
        let usual = [
            "reconcile",
            &self.name,
            "-n",
            NAMESPACE,
            "--tags-from",
            "status",
            "--yes",
            "-o",
            "json",
            "--timeout",
            "100s",
        ];
        let mut command = home.command(OURS, &self.plane.cluster, ADMINISTRATOR);
        command.args(usual).args(more);
        command
    }

    fn outcome(&self) -> Outcome {
        let refs = self.repository.refs().into_iter();
        let refs = refs.filter(|(name, _)| !name.starts_with("refs/tags/"));
        let options = fs::read_to_string(self.repository.folder().join("options"));
        let mut options: Vec<String> = options
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        // The controller's order is random.
        options.sort();
        Outcome {
            refs: refs
                .map(|(name, id)| {
                    let seen = Seen {
                        commit: self.repository.commit(&id),
                        signature: self.repository.signature(&id),
                    };
                    (name, seen)
                })
                .collect(),
            options,
        }
    }

    fn reset(&self) {
        self.repository.set_refs(&self.start);
        drop(fs::remove_file(self.repository.folder().join("options")));
    }

    /// Lets the controller run until it has an opinion; its message where it fails.
    fn resume(&self) -> Option<String> {
        let path = format!(
            "{}/{}",
            image_collection(NAMESPACE, "imageupdateautomations"),
            self.name
        );
        let resumed = self
            .plane
            .api
            .merge(&path, &json!({"spec": {"suspend": false}}));
        resumed.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.name));
        let said = wait_for(
            &format!("a verdict on {}", self.name),
            Duration::from_secs(90),
            || verdict(&self.plane.api.get(&path).ok()?),
        );
        let stopped = self
            .plane
            .api
            .merge(&path, &json!({"spec": {"suspend": true}}));
        stopped.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.name));
        (!said.ready).then_some(said.message)
    }

    /// Both turns: whether both pushed, or what differs.
    fn compare(&self) -> Result<bool, String> {
        let ran = self.reconcile(&Home::new(), &[]);
        let ours = self.outcome();
        self.reset();
        let failed = self.resume();
        let theirs = self.outcome();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let row = &report["automations"][0];
        let pushed = theirs.refs != self.before();
        if let Some(failed) = failed {
            // What it fails with after the push is what we say before it; then nothing is pushed.
            let said = row["error"]["message"].as_str().unwrap_or_default();
            let same = said == failed && ours.refs == self.before();
            return if same {
                Ok(false)
            } else {
                Err(format!(
                    "{}: theirs fails: {failed}\n  ours {ran:?}",
                    self.name
                ))
            };
        }
        if ran.code != Some(0) || row["pushed"].as_bool() != Some(pushed) {
            return Err(format!(
                "{}: theirs pushed: {pushed}\n  ours {ran:?}",
                self.name
            ));
        }
        if ours != theirs {
            return Err(format!(
                "{}:\n  ours   {ours:?}\n  theirs {theirs:?}",
                self.name
            ));
        }
        Ok(pushed)
    }

    fn before(&self) -> BTreeMap<String, Seen> {
        let refs = self.start.iter();
        refs.filter(|(name, _)| !name.starts_with("refs/tags/"))
            .map(|(name, id)| {
                let seen = Seen {
                    commit: self.repository.commit(id),
                    signature: None,
                };
                (name.clone(), seen)
            })
            .collect()
    }
}

/// The same with the id of main's parent where `{main~1}` stands.
fn with_ids(repository: &Repository, git: &Value) -> Value {
    let text = git.to_string();
    if !text.contains("{main~1}") {
        return git.clone();
    }
    let id = repository.run(&["rev-parse", "main~1"], b"");
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    serde_json::from_str(&text.replace("{main~1}", &id)).expect("it was JSON before")
}

fn merge(value: &mut Value, part: &Value) {
    match (value, part) {
        (Value::Object(members), Value::Object(parts)) => {
            for (key, part) in parts {
                merge(members.entry(key.clone()).or_insert(Value::Null), part);
            }
        }
        (value, part) => *value = part.clone(),
    }
}

fn prepare_namespace(plane: &ControlPlane) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        plane.create_namespace(NAMESPACE);
        let policy = settled_policy(NAMESPACE, "app", IMAGE, "1.2.0", "");
        for written in [plane.api.create(&policy), plane.api.write_status(&policy)] {
            written.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        }
    });
}

fn compare_all(plane: &ControlPlane, what: &str, cases: &[Case]) {
    prepare_namespace(plane);
    let compared = in_parallel(cases, |case| Run::new(plane, case, None).compare());
    let silent: Vec<&str> = cases
        .iter()
        .zip(&compared)
        .filter(|(_, compared)| **compared == Ok(false))
        .map(|(case, _)| case.name)
        .collect();
    let disagreements: Vec<String> = compared
        .iter()
        .filter_map(|one| one.clone().err())
        .collect();
    tell(&format!(
        "pushes, {what}: {} of {} equal to the automation's; nothing pushed: {silent:?}",
        cases.len() - disagreements.len(),
        cases.len()
    ));
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

fn ahead(repository: &Repository) {
    repository.commit_files("auto", "Start", [("other", b"1" as &[u8])]);
    let main = repository.head("main").expect("main is there");
    repository.run(&["update-ref", "refs/heads/auto", &main], b"");
    repository.commit_files("auto", "More", [("auto", b"1" as &[u8])]);
}

fn behind(repository: &Repository) {
    let main = repository.head("main").expect("main is there");
    repository.run(&["update-ref", "refs/heads/auto", &main], b"");
    repository.commit_files("main", "More", [("main", b"1" as &[u8])]);
}

fn diverged(repository: &Repository) {
    behind(repository);
    repository.commit_files("auto", "Other", [("auto", b"1" as &[u8])]);
}

fn tagged(repository: &Repository) {
    let main = repository.head("main").expect("main is there");
    repository.run(&["update-ref", "refs/tags/1.0.0", &main], b"");
    repository.commit_files("main", "More", [("main", b"1" as &[u8])]);
    let main = repository.head("main").expect("main is there");
    repository.run(&["update-ref", "refs/tags/1.1.0", &main], b"");
    repository.commit_files("main", "Still more", [("main", b"2" as &[u8])]);
}

fn tagged_and_diverged(repository: &Repository) {
    tagged(repository);
    diverged(repository);
}

#[test]
fn branches_are_pushed_as_the_automation_pushes_them() {
    let Some(plane) = control_plane() else { return };
    let to = |branch: &str| json!({"push": {"branch": branch}});
    compare_all(
        plane,
        "branches",
        &[
            case("same", json!({})),
            case("no-push-branch", json!({"push": {"branch": null}})),
            case("new", to("auto")),
            case("nested", to("auto/images")),
            case("exists", to("auto")).prepared(ahead),
            case("behind", to("auto")).prepared(behind),
            case("diverged", to("auto")).prepared(diverged),
            case("sub-path", json!({})).below("./deep"),
            case("escaping-path", json!({})).below("../deep"),
            case(
                "message",
                json!({"commit": {"messageTemplate": "\n {{range .Changed.Changes}}{{.OldValue}} -> {{.NewValue}}\n{{end}}\n\n", "author": {"name": "A <b> C", "email": "x@<y>"}}}),
            ),
            case(
                "empty-message",
                json!({"commit": {"messageTemplate": "{{if false}}x{{end}}"}}),
            ),
        ],
    );
}

#[test]
fn checkout_refs_are_pushed_as_the_automation_pushes_them() {
    let Some(plane) = control_plane() else { return };
    let of = |reference: Value, push: Value| json!({"checkout": {"ref": reference}, "push": push});
    let auto = || json!({"branch": "auto"});
    let named = |reference: Value| {
        let mut all = json!({"branch": null});
        merge(&mut all, &reference);
        all
    };
    compare_all(
        plane,
        "checkout refs",
        &[
            case("tag", of(named(json!({"tag": "1.0.0"})), auto())).prepared(tagged),
            case("tag-diverged", of(named(json!({"tag": "1.0.0"})), auto()))
                .prepared(tagged_and_diverged),
            case("commit", of(named(json!({"commit": "{main~1}"})), auto())).prepared(tagged),
            case(
                "commit-diverged",
                of(json!({"commit": "{main~1}", "branch": "main"}), auto()),
            )
            .prepared(tagged_and_diverged),
            case("semver", of(named(json!({"semver": ">=1.0.0"})), auto())).prepared(tagged),
            case(
                "semver-diverged",
                of(named(json!({"semver": ">=1.0.0"})), auto()),
            )
            .prepared(tagged_and_diverged),
            case(
                "name",
                of(
                    named(json!({"name": "refs/heads/main"})),
                    json!({"branch": "main"}),
                ),
            ),
            case(
                "name-tag",
                of(named(json!({"name": "refs/tags/1.1.0"})), auto()),
            )
            .prepared(tagged),
            case(
                "name-elsewhere",
                of(
                    json!({"name": "refs/heads/auto", "branch": "main"}),
                    json!({"branch": null}),
                ),
            )
            .prepared(ahead),
            case(
                "detached",
                of(
                    json!({"tag": "1.0.0", "branch": "main"}),
                    json!({"branch": null}),
                ),
            )
            .prepared(tagged),
        ],
    );
}

#[test]
fn refspecs_and_options_are_pushed_as_the_automation_pushes_them() {
    let Some(plane) = control_plane() else { return };
    let with = |push: Value| json!({"push": push});
    compare_all(
        plane,
        "refspecs",
        &[
            case(
                "refspec",
                with(json!({"refspec": "refs/heads/main:refs/heads/copy"})),
            ),
            case(
                "refspec-for",
                with(json!({"branch": "auto", "refspec": "refs/heads/auto:refs/for/main"})),
            ),
            case(
                "refspec-forced",
                with(json!({"refspec": "+refs/heads/main:refs/heads/auto"})),
            )
            .prepared(diverged),
            case(
                "refspec-switched",
                with(json!({"branch": "auto", "refspec": "refs/heads/auto:refs/heads/main"})),
            )
            .prepared(diverged),
            case(
                "refspec-star",
                with(json!({"branch": "auto", "refspec": "refs/heads/*:refs/heads/copy/*"})),
            ),
            case(
                "options",
                with(json!({"options": {"ci.skip": "", "merge_request.title": "A title"}})),
            ),
        ],
    );
}

#[test]
fn refspecs_that_push_nothing_fail_as_the_automation_fails() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let cases = [
        ("refspec-head", "HEAD:refs/for/x"),
        ("refspec-short", "main:auto"),
        ("refspec-half", "refs/heads/main:auto"),
        ("refspec-malformed", "refs/heads/main"),
    ];
    let disagreements: Vec<String> = in_parallel(&cases, |(name, refspec)| {
        let case = case(name, json!({"push": {"refspec": refspec}}));
        let run = Run::new(plane, &case, None);
        let ran = run.reconcile(&Home::new(), &[]);
        let untouched = run.repository.refs() == run.start;
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let said = report["automations"][0]["error"]["message"].clone();
        let failed = run.resume();
        (!untouched || ran.code != Some(1) || said.as_str() != failed.as_deref())
            .then(|| format!("{name}: theirs {failed:?}, ours {ran:?}"))
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn modes_links_and_new_files_are_pushed_as_the_automation_pushes_them() {
    let Some(plane) = control_plane() else { return };
    let kinds = |repository: &Repository| {
        let app = deployment("1.0.0");
        let item = app.replace('\n', "\n  ").trim_end().to_owned();
        let list = format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n");
        let mut stream = b"commit refs/heads/main\ncommitter Someone <someone@example.com> 1700000001 +0000\ndata 5\nKinds\nfrom refs/heads/main^0\n".to_vec();
        let mut file = |mode: &str, path: &str, text: &str| {
            stream.extend(format!("M {mode} inline {path}\ndata {}\n{text}\n", text.len()).bytes());
        };
        file("100755", "script.yaml", &app);
        file("120000", "link.yaml", "real/behind.yaml");
        file("100644", "real/behind.yaml", &app);
        file("120000", "dangling.yaml", "gone");
        file("100644", ".gitignore", "ignored*\n");
        file("100644", "ignored.yaml", &app);
        file("100644", "crlf.yaml", &app.replace('\n', "\r\n"));
        file("100644", "list.yaml", &list);
        file("100644", "name with \u{e4} blank.yaml", &app);
        stream.extend(b"M 160000 1234567890123456789012345678901234567890 sub\n");
        repository.run(&["fast-import", "--quiet"], &stream);
    };
    compare_all(
        plane,
        "kinds of files",
        &[case("kinds", json!({})).prepared(kinds)],
    );
}

/// A key in a Secret, and how git judges what it signs.
enum Judge {
    Gpg(GpgKey),
    Ssh(KeyPair),
}

#[test]
fn signatures_are_those_of_the_automation() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let gpg = |parameters: &str, passphrase: &str| {
        let key = GpgKey::generate(parameters, passphrase)?;
        let mut data = json!({"git.asc": key.private});
        if !passphrase.is_empty() {
            data["passphrase"] = json!(passphrase);
        }
        Some(("gpg", data, Judge::Gpg(key)))
    };
    let ssh = |kind: &str, passphrase: &str| {
        let key = KeyPair::generate(kind, passphrase)?;
        let private = fs::read_to_string(key.private()).expect("it was made");
        let mut data = json!({"identity": private});
        if !passphrase.is_empty() {
            data["password"] = json!(passphrase);
        }
        Some(("ssh", data, Judge::Ssh(key)))
    };
    let subkey = "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: cert\nSubkey-Type: RSA\nSubkey-Length: 2048\nSubkey-Usage: sign";
    let made = [
        (
            "sign-rsa",
            gpg("Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign", ""),
        ),
        (
            "sign-ed25519",
            gpg("Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign", ""),
        ),
        (
            "sign-locked",
            gpg(
                "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign",
                "a passphrase",
            ),
        ),
        (
            "sign-nist",
            gpg("Key-Type: ECDSA\nKey-Curve: nistp256\nKey-Usage: sign", ""),
        ),
        ("sign-subkey", gpg(subkey, "")),
        ("sign-ssh-ed25519", ssh("ed25519", "")),
        ("sign-ssh-ecdsa", ssh("ecdsa", "")),
        ("sign-ssh-rsa", ssh("rsa", "")),
        ("sign-ssh-locked", ssh("ed25519", "a passphrase")),
    ];
    let mut keys = Vec::new();
    for (name, key) in made {
        let Some(key) = key else { return };
        keys.push((name, key));
    }
    let disagreements: Vec<String> = in_parallel(&keys, |(name, (kind, data, judge))| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": name},
            "stringData": data,
        });
        let signing = json!({"commit": {"signingKey": {"secretRef": {"name": name}, "type": kind}}});
        let run = Run::new(plane, &case(name, signing), Some(&secret));
        let ran = run.reconcile(&Home::new(), &["-v"]);
        let secret_text = data.to_string();
        let secret_line = secret_text.split("\\n").nth(2).unwrap_or("nothing");
        if ran.stderr.contains(secret_line) || ran.stderr.contains("a passphrase") {
            return Some(format!("{name}: the key shows: {}", ran.stderr));
        }
        let judged = |who: &str| {
            let head = run.repository.head("main").expect("main is there");
            let verified = match judge {
                Judge::Gpg(key) => verify_gpg(&run.repository, &head, key),
                Judge::Ssh(key) => verify_ssh(&run.repository, &head, key),
            };
            verified.map_err(|error| format!("{name}, {who}: {error}: {ran:?}"))
        };
        let ours = judged("ours").map(|()| run.outcome());
        run.reset();
        let failed = run.resume();
        let theirs = judged("theirs").map(|()| run.outcome());
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs => None,
            (ours, theirs) => Some(format!(
                "{name}: {failed:?}\n  ours   {ours:?}\n  theirs {theirs:?}"
            )),
        }
    })
    .into_iter()
    .flatten()
    .collect();
    tell(&format!(
        "pushes, signatures: {} of {} equal to the automation's",
        keys.len() - disagreements.len(),
        keys.len()
    ));
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn keys_that_do_not_sign_fail_as_the_automations_do() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let Some(locked) = GpgKey::generate(
        "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: cert\nSubkey-Type: RSA\nSubkey-Length: 2048\nSubkey-Usage: sign",
        "a passphrase",
    ) else {
        return;
    };
    let Some(primary) = GpgKey::generate(
        "Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: sign",
        "a passphrase",
    ) else {
        return;
    };
    let Some(cert) = GpgKey::generate("Key-Type: EDDSA\nKey-Curve: ed25519\nKey-Usage: cert", "")
    else {
        return;
    };
    let Some(ssh) = KeyPair::generate("ed25519", "a passphrase") else {
        return;
    };
    let ssh = fs::read_to_string(ssh.private()).expect("it was made");
    let both = format!("{}\n{}", cert.private, primary.private);
    let cases = [
        ("bad-missing", "gpg", Value::Null),
        ("bad-field", "gpg", json!({"identity": ssh})),
        ("bad-field-ssh", "ssh", json!({"git.asc": cert.private})),
        ("bad-locked", "gpg", json!({"git.asc": primary.private})),
        (
            "bad-passphrase",
            "gpg",
            json!({"git.asc": primary.private, "passphrase": "other"}),
        ),
        (
            "bad-subkey",
            "gpg",
            json!({"git.asc": locked.private, "passphrase": "a passphrase"}),
        ),
        ("bad-usage", "gpg", json!({"git.asc": cert.private})),
        ("bad-text", "gpg", json!({"git.asc": "no key"})),
        ("bad-ssh-locked", "ssh", json!({"identity": ssh})),
        (
            "bad-ssh-passphrase",
            "ssh",
            json!({"identity": ssh, "password": "other"}),
        ),
        ("bad-ssh-text", "ssh", json!({"identity": "no key"})),
        ("two-blocks", "gpg", json!({"git.asc": both})),
    ];
    let disagreements: Vec<String> = in_parallel(&cases, |(name, kind, data)| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": name},
            "stringData": data,
        });
        let secret = data.is_object().then_some(&secret);
        let signing = json!({"commit": {"signingKey": {"secretRef": {"name": name}, "type": kind}}});
        let run = Run::new(plane, &case(name, signing), secret);
        let ran = run.reconcile(&Home::new(), &[]);
        let untouched = run.repository.refs() == run.start;
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let said = report["automations"][0]["error"]["message"].clone();
        let failed = run.resume();
        let same = untouched && ran.code == Some(7) && said.as_str() == failed.as_deref();
        if same && !ran.stderr.contains("--sign none") {
            return Some(format!("{name}: no way out is told: {}", ran.stderr));
        }
        (!same).then(|| format!("{name}: theirs {failed:?}, ours {ran:?}"))
    })
    .into_iter()
    .flatten()
    .collect();
    tell(&format!(
        "pushes, bad keys: {} of {} as the automation says",
        cases.len() - disagreements.len(),
        cases.len()
    ));
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn several_automations_on_one_repository_push_one_after_the_other() {
    let Some(plane) = control_plane() else { return };
    prepare_namespace(plane);
    let first = Run::new(plane, &case("several-a", json!({})).below("./deep"), None);
    let mut second = automation(NAMESPACE, "several-b", "several-a", &json!({}), "main");
    second["spec"]["suspend"] = json!(true);
    let created = plane.api.create(&second);
    created.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let second = Run {
        plane,
        name: "several-b".into(),
        repository: Repository::at(
            first.repository.folder().to_owned(),
            first.repository.url.clone(),
        ),
        start: first.start.clone(),
    };
    let ran = first.reconcile(&Home::new(), &["several-b"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let history = |run: &Run<'_>| {
        let ids = run.repository.run(&["rev-list", "main"], b"");
        let ids = String::from_utf8_lossy(&ids).into_owned();
        ids.lines()
            .map(|id| {
                let commit = run.repository.commit(id);
                (commit.tree, commit.author, commit.message)
            })
            .collect::<Vec<_>>()
    };
    let ours = history(&first);
    first.reset();
    assert_eq!(first.resume(), None);
    assert_eq!(second.resume(), None);
    assert_eq!(ours.len(), 3, "{ran:?}");
    assert_eq!(ours, history(&first));
}
