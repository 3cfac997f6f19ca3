//! The article's case on the running controllers: what `diff` predicts from files, and what they then do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::{path, wait_for};
use super::clusters::ADMINISTRATOR;
use super::command_line::{Home, OURS, Ran, flux, kubectl, run};
use super::objects::{image_collection, verdict};
use super::registry::push_tags;
use super::repository::{Repository, git, output};
use super::{ControlPlane, control_plane, tell};

const NAMESPACE: &str = "flux-system";

/// What `diff` says before the controllers act.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prediction {
    /// Policy to image, tag and digest.
    policies: BTreeMap<String, [String; 3]>,
    push_branch: String,
    /// The commit that the new one would follow.
    parent: String,
    author: String,
    message: String,
    /// The id of the tree that the patches make of the parent's.
    tree: String,
}

/// Policies as they stand in the article, or with digests looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Digests {
    /// As they stand there: none.
    Left,
    /// Looked up for every policy.
    LookedUp,
}

/// The article's case in one shape: its objects on our servers, pushed to one branch.
pub struct Case<'a> {
    plane: &'a ControlPlane,
    push_branch: &'a str,
    digests: Digests,
    repository: Repository,
    kubectl: PathBuf,
    /// Of somebody with logins of their own for the registry and the git server.
    home: Home,
    /// Of somebody with none.
    bare_home: Home,
    /// Holds the objects, the recorded tags and the clones.
    folder: tempfile::TempDir,
}

#[test]
fn the_article_migrated_does_what_diff_predicts() {
    let Some(plane) = control_plane() else { return };
    let (Some(kubectl), Some(flux)) = (kubectl(), flux()) else {
        return;
    };
    create_secrets(plane);
    for (push_branch, digests) in [
        ("main", Digests::Left),
        ("flux-image-updates", Digests::Left),
        ("main", Digests::LookedUp),
    ] {
        let case = Case::new(plane, push_branch, digests, kubectl.clone());
        case.push_recorded_tags("tags.json");
        case.apply("policies.yaml");
        case.apply("automation.yaml");
        case.compare(
            "tags.json",
            &[("checkout", "1.4.0"), ("worker", "2026.06.01-abc1234")],
        );
        case.suspend(true);
        case.push_recorded_tags("new-tags.json");
        case.request_scans();
        case.compare(
            "new-tags.json",
            &[("checkout", "1.5.0"), ("worker", "2026.06.02-0ddba11")],
        );
        case.get_shows_what_flux_shows(&flux);
        case.delete();
    }
}

/// The logins of the article's objects, for our registry and git server.
pub fn create_secrets(plane: &ControlPlane) {
    let secret =
        json!({"auths": {(&plane.addresses.registry.address): {"auth": plane.addresses.registry.basic()}}}).to_string();
    let pull = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"namespace": NAMESPACE, "name": "registry-pull"},
        "stringData": {".dockerconfigjson": secret},
    });
    let push = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": "flux-system"},
        "stringData": {"username": plane.addresses.git.user, "password": plane.addresses.git.password},
    });
    for object in [pull, push] {
        plane
            .api
            .apply(&object)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
}

impl<'a> Case<'a> {
    /// Makes the repository and writes the objects; nothing is applied yet.
    pub fn new(
        plane: &'a ControlPlane,
        push_branch: &'a str,
        digests: Digests,
        kubectl: PathBuf,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let kind = match digests {
            Digests::Left => "",
            Digests::LookedUp => "-digests",
        };
        let name = format!("gitops-{push_branch}{kind}");
        let url = format!("http://{}/{name}.git", plane.addresses.git.address);
        let registry = format!("{}/{push_branch}{kind}", plane.addresses.registry.address);
        let local = |text: &str| {
            text.replace("registry.example.com", &registry)
                .replace("https://git.example.com/team/gitops.git", &url)
                .replace(
                    "push:\n      branch: main",
                    &format!("push:\n      branch: {push_branch}"),
                )
        };
        let objects = folder.path().join("objects");
        fs::create_dir(&objects).expect("the folder is new");
        for name in ["policies.yaml", "automation.yaml"] {
            fs::write(
                objects.join(name),
                local(&article(&format!("migrated/{name}"))),
            )
            .expect("it can be written");
        }
        for name in ["tags.json", "new-tags.json"] {
            fs::write(folder.path().join(name), local(&article(name))).expect("it can be written");
        }
        let files: Vec<(String, String)> =
            repository_files(&article_folder().join("repository"), "")
                .into_iter()
                .map(|path| {
                    let text = local(&article(&format!("repository/{path}")));
                    (path, text)
                })
                .collect();
        let repository = Repository::create(
            plane,
            &name,
            files
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_bytes())),
        );
        let home = Home::new();
        home.log_in(plane);
        Self {
            plane,
            push_branch,
            digests,
            repository,
            kubectl,
            home,
            bare_home: Home::new(),
            folder,
        }
    }

    /// Pushes the tags of a recording to the registry.
    pub fn push_recorded_tags(&self, recording: &str) {
        let text = fs::read_to_string(self.folder.path().join(recording)).expect("it was written");
        let images: BTreeMap<String, Vec<String>> =
            serde_json::from_str(&text).expect("it is JSON");
        for (image, tags) in images {
            let (_, repository) = image.split_once('/').expect("the image has a host");
            push_tags(self.plane, repository, tags.iter().map(String::as_str));
        }
    }

    /// Applies the objects of a file; the automation suspended, so that it acts on all policies at once.
    pub fn apply(&self, name: &str) {
        let text = fs::read_to_string(self.folder.path().join("objects").join(name))
            .expect("it was written");
        for document in text.split("---\n") {
            let mut object: Value =
                serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{name}: {error}"));
            if object["kind"] == "ImageUpdateAutomation" {
                object["spec"]["suspend"] = json!(true);
            }
            if object["kind"] == "ImagePolicy" && self.digests == Digests::LookedUp {
                object["spec"]["digestReflectionPolicy"] = match object["metadata"]["name"].as_str()
                {
                    Some("worker") => json!("IfNotPresent"),
                    _ => json!("Always"),
                };
                if object["metadata"]["name"] != "worker" {
                    object["spec"]["interval"] = json!("10m");
                }
            }
            self.plane
                .api
                .apply(&object)
                .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        }
    }

    fn suspend(&self, suspended: bool) {
        self.plane
            .api
            .merge(&automation_path(), &json!({"spec": {"suspend": suspended}}))
            .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }

    fn request_scans(&self) {
        for repository in self
            .plane
            .api
            .list(&image_collection(NAMESPACE, "imagerepositories"))
        {
            let request =
                json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "again"}}});
            self.plane
                .api
                .merge(&path(&repository), &request)
                .unwrap_or_else(|refusal| panic!("{refusal:?}"));
        }
    }

    /// Waits for the policies, predicts, resumes the automation and compares what it pushed.
    fn compare(&self, recording: &str, expected: &[(&str, &str)]) {
        let latest = self.wait_for_policies(expected);
        let before = self.repository.heads();
        let parent = before
            .get(self.push_branch)
            .or_else(|| before.get("main"))
            .expect("main exists")
            .clone();
        let prediction = self.predict_live();
        assert_eq!(prediction.policies, latest);
        assert_eq!(prediction.parent, parent);
        if self.digests == Digests::Left {
            assert_eq!(self.predict_offline(recording), prediction);
        }

        self.suspend(false);
        let pushed = wait_for("the automation to push", Duration::from_secs(120), || {
            let automation = self
                .plane
                .api
                .get(&automation_path())
                .unwrap_or_else(|refusal| panic!("{refusal:?}"));
            let verdict = verdict(&automation)?;
            assert!(verdict.ready, "{verdict:?}");
            Some(automation["status"]["lastPushCommit"].as_str()?.to_owned())
                .filter(|commit| *commit != parent)
        });
        let after = self.repository.heads();
        assert_eq!(after.get(&prediction.push_branch), Some(&pushed));
        assert_eq!(self.push_branch, prediction.push_branch);
        for (branch, head) in before
            .iter()
            .filter(|(branch, _)| *branch != self.push_branch)
        {
            assert_eq!(after.get(branch), Some(head), "{branch} stays");
        }
        let commit = self.repository.commit(&pushed);
        assert_eq!(commit.parents, [parent]);
        assert_eq!(commit.message, prediction.message);
        assert_eq!(
            commit.tree,
            prediction.tree,
            "{:?}",
            self.repository.files(&pushed)
        );
        assert_eq!(commit.author, prediction.author);
        assert_eq!(commit.committer, commit.author);
        tell(&format!(
            "article, {} to {}: as predicted",
            recording, self.push_branch
        ));
    }

    /// Waits until these policies are Ready at these tags.
    pub fn wait_for_policies(&self, expected: &[(&str, &str)]) -> BTreeMap<String, [String; 3]> {
        wait_for("the policies to be Ready", Duration::from_secs(120), || {
            let latest = self.latest_images();
            expected
                .iter()
                .all(|(name, tag)| latest.get(*name).is_some_and(|latest| latest[1] == *tag))
                .then_some(latest)
        })
    }

    fn latest_images(&self) -> BTreeMap<String, [String; 3]> {
        self.plane
            .api
            .list(&image_collection(NAMESPACE, "imagepolicies"))
            .iter()
            .filter(|policy| verdict(policy).is_some_and(|verdict| verdict.ready))
            .map(|policy| {
                (
                    text(&policy["metadata"]["name"]),
                    image(&policy["status"]["latestRef"], "name"),
                )
            })
            .collect()
    }

    /// Asks the program through kubectl, as everybody who may ask: all of them get the same answer.
    fn predict_live(&self) -> Prediction {
        let diff = |home: &Home, user: &str| {
            run(home
                .command(&self.kubectl, &self.plane.cluster, user)
                .args(["imageauto", "diff", "-o", "json", "--timeout", "60s"]))
        };
        let all = diff(&self.bare_home, ADMINISTRATOR);
        let prediction = self.prediction(&all, &["registry"]);
        let own = diff(&self.home, "reader");
        assert_eq!(self.prediction(&own, &["registry"]), prediction);
        assert!(own.stderr.contains("your own credentials"), "{own:?}");

        let without = diff(&self.bare_home, "reader");
        assert_eq!(without.code, Some(5), "{without:?}");
        let report: Value = serde_json::from_str(&without.stdout).expect("it is JSON");
        for policy in list(&report["automations"][0]["policies"]) {
            assert_eq!(policy["from"], "status", "{without:?}");
        }
        assert!(
            without.stderr.contains("cannot get resource \"secrets\""),
            "{without:?}"
        );

        let nobody = diff(&self.home, "nobody");
        assert_eq!(nobody.code, Some(3), "{nobody:?}");
        assert!(
            nobody.stderr.contains("the cluster forbids to list imageupdateautomations.image.toolkit.fluxcd.io in namespace flux-system"),
            "{nobody:?}"
        );
        prediction
    }

    /// Asks the program, offline, in a clone at the head that the automation will start from.
    fn predict_offline(&self, recording: &str) -> Prediction {
        let start = if self.repository.head(self.push_branch).is_some() {
            self.push_branch
        } else {
            "main"
        };
        let clone = self.clone_at(start);
        let ran = run(Command::new(OURS)
            .args(["diff", "-o", "json", "-f"])
            .arg(self.folder.path().join("objects"))
            .arg("--tags-from")
            .arg(self.folder.path().join(recording))
            .arg("--worktree")
            .arg(clone.path()));
        self.prediction(&ran, &["recording"])
    }

    fn clone_at(&self, revision: &str) -> tempfile::TempDir {
        let clone =
            tempfile::tempdir_in(self.folder.path()).expect("a temporary folder can be made");
        output(
            git()
                .args(["clone", "--quiet", "--no-checkout"])
                .arg(self.repository.folder())
                .arg(clone.path()),
            b"",
        );
        let all = [
            "fetch",
            "--quiet",
            "origin",
            "+refs/heads/*:refs/heads/*",
            "--update-head-ok",
        ];
        output(git().current_dir(&clone).args(all), b"");
        output(
            git()
                .current_dir(&clone)
                .args(["checkout", "--quiet", revision]),
            b"",
        );
        clone
    }

    /// What a run said, its patches applied to the parent that it names.
    fn prediction(&self, ran: &Ran, origins: &[&str]) -> Prediction {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let report: Value = serde_json::from_str(&ran.stdout).expect("diff -o json gives JSON");
        let automation = &report["automations"][0];
        assert!(automation["error"].is_null(), "{}", automation["error"]);
        let patches: String = list(&automation["files"])
            .iter()
            .map(|file| text(&file["patch"]))
            .collect();
        let parent = text(&automation["parent"]);
        let clone = self.clone_at(&parent);
        output(
            git().current_dir(&clone).args(["apply", "--index", "-"]),
            patches.as_bytes(),
        );
        let tree = output(git().current_dir(&clone).arg("write-tree"), b"");
        for policy in list(&automation["policies"]) {
            let from = text(&policy["from"]);
            assert!(origins.contains(&from.as_str()), "{policy}");
        }
        let author = &automation["author"];
        Prediction {
            policies: list(&automation["policies"])
                .iter()
                .map(|policy| (text(&policy["name"]), image(policy, "image")))
                .collect(),
            push_branch: text(&automation["pushBranch"]),
            parent,
            author: format!("{} <{}>", text(&author["name"]), text(&author["email"])),
            message: text(&automation["message"]),
            tree: String::from_utf8_lossy(&tree).trim().to_owned(),
        }
    }

    /// The same objects in the same states as `flux get images all` has them.
    fn get_shows_what_flux_shows(&self, flux: &Path) {
        let cluster = &self.plane.cluster;
        let theirs = run(self
            .home
            .command(flux, cluster, "reader")
            .args(["get", "images", "all", "-n", NAMESPACE]));
        let ours = run(self.home.command(&self.kubectl, cluster, "reader").args([
            "imageauto",
            "get",
            "all",
        ]));
        assert_eq!((theirs.code, ours.code), (Some(0), Some(0)), "{ours:?}");
        let theirs = states(&theirs.stdout, |line| {
            line.split('\t').map(str::to_owned).collect()
        });
        let ours = states(&ours.stdout, |line| {
            line.split("   ").map(str::to_owned).collect()
        });
        assert_eq!(ours.len(), 5, "{ours:?}");
        assert_eq!(ours, theirs);
    }

    /// Makes room for the next shape of the case.
    pub fn delete(&self) {
        for plural in [
            "imageupdateautomations",
            "imagepolicies",
            "imagerepositories",
        ] {
            let collection = image_collection(NAMESPACE, plural);
            self.plane.api.delete_all(&collection);
            wait_for(&format!("{plural} to go"), Duration::from_secs(60), || {
                self.plane.api.list(&collection).is_empty().then_some(())
            });
        }
    }
}

/// Name to suspended, ready and message of tables with headers; flux has no SUSPENDED for policies.
fn states(tables: &str, cells: impl Fn(&str) -> Vec<String>) -> BTreeMap<String, [String; 2]> {
    let mut states = BTreeMap::new();
    let mut headers: Vec<String> = Vec::new();
    for line in tables.lines().filter(|line| !line.trim().is_empty()) {
        let cells: Vec<String> = cells(line)
            .iter()
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect();
        if cells[0] == "NAME" {
            headers = cells;
            continue;
        }
        let cell = |name: &str| {
            let index = headers.iter().position(|header| header == name);
            let index = index.unwrap_or_else(|| panic!("{name} in {headers:?}"));
            cells.get(index).cloned().unwrap_or_default()
        };
        states.insert(cell("NAME"), [cell("READY"), cell("MESSAGE")]);
    }
    states
}

fn automation_path() -> String {
    format!(
        "{}/flux-image-updates",
        image_collection(NAMESPACE, "imageupdateautomations")
    )
}

fn article_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/article")
}

fn article(path: &str) -> String {
    fs::read_to_string(article_folder().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn repository_files(folder: &Path, prefix: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = format!(
            "{prefix}{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        if path.is_dir() {
            files.extend(repository_files(&path, &format!("{name}/")));
        } else {
            files.push(name);
        }
    }
    files
}

fn image(reference: &Value, name: &str) -> [String; 3] {
    [
        text(&reference[name]),
        text(&reference["tag"]),
        text(&reference["digest"]),
    ]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
