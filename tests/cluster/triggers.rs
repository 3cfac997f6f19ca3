//! `trigger` on the running controllers: as predicted, suspended, refused, failing, and where no controller answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::api::wait_for;
use super::clusters::{ADMINISTRATOR, Cluster};
use super::command_line::{Home, OURS, Ran, run};
use super::definitions::Served;
use super::json_schema::violations_of;
use super::objects::{automation, git_repository, image_collection};
use super::registry::push_tags;
use super::repository::Repository;
use super::{ControlPlane, control_plane};

/// A namespace with one image, its policy, its automation and a repository with one marker.
struct Shop<'a> {
    plane: &'a ControlPlane,
    cluster: &'a Cluster,
    namespace: String,
    repository: Repository,
    home: Home,
}

impl<'a> Shop<'a> {
    fn new(plane: &'a ControlPlane, cluster: &'a Cluster, namespace: &str, git: &Value) -> Self {
        cluster.create_namespace(namespace);
        let image = format!("{}/{namespace}/app", plane.addresses.registry.address);
        push_tags(plane, &format!("{namespace}/app"), ["1.0.0", "1.1.0"]);
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n          image: {image}:1.0.0 # {{\"$imagepolicy\": \"{namespace}:app\"}}\n"
        );
        let repository = Repository::create(plane, namespace, [("app.yaml", text.as_bytes())]);
        let auths = json!({"auths": {(&plane.addresses.registry.address): {"auth": plane.addresses.registry.basic()}}});
        let pull = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"namespace": namespace, "name": "pull"},
            "stringData": {".dockerconfigjson": auths.to_string()},
        });
        let login = &plane.addresses.git;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": "git"},
            "stringData": {"username": login.user, "password": login.password},
        });
        let images = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository",
            "metadata": {"namespace": namespace, "name": "app"},
            "spec": {"image": image, "interval": "24h", "secretRef": {"name": "pull"}},
        });
        let policy = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy",
            "metadata": {"namespace": namespace, "name": "app"},
            "spec": {"imageRepositoryRef": {"name": "app"}, "policy": {"semver": {"range": ">=1.0.0"}}},
        });
        let source = git_repository(namespace, "gitops", &repository.url);
        let mut automation = automation(namespace, "images", "gitops", &json!({}), "main");
        for (key, value) in git.as_object().into_iter().flatten() {
            automation["spec"]["git"][key] = value.clone();
        }
        if git["commit"].is_object() {
            automation["spec"]["git"]["commit"]["author"] =
                json!({"name": "fluxcdbot", "email": "fluxcdbot@example.com"});
        }
        for object in [&pull, &secret, &images, &policy, &source, &automation] {
            let applied = cluster.api.apply(object);
            applied.unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
        }
        Self {
            plane,
            cluster,
            namespace: namespace.to_owned(),
            repository,
            home: Home::new(),
        }
    }

    /// Waits until the automation has pushed what there is.
    fn settle(&self) {
        wait_for("the first push", Duration::from_secs(60), || {
            let automation = self.automation();
            let pushed = automation["status"]["lastPushCommit"].as_str()?;
            let done = automation["status"]["observedSourceRevision"]
                .as_str()?
                .ends_with(pushed);
            done.then_some(())
        });
    }

    fn path(&self) -> String {
        format!(
            "{}/images",
            image_collection(&self.namespace, "imageupdateautomations")
        )
    }

    fn automation(&self) -> Value {
        self.cluster.api.get(&self.path()).unwrap_or_default()
    }

    fn change(&self, part: &Value) {
        let changed = self.cluster.api.merge(&self.path(), part);
        changed.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }

    fn push_tag(&self, tag: &str) {
        push_tags(self.plane, &format!("{}/app", self.namespace), [tag]);
    }

    fn trigger(&self, more: &[&str]) -> Ran {
        let usual = ["trigger", "-n", &self.namespace];
        run(self
            .home
            .command(OURS, self.cluster, ADMINISTRATOR)
            .args(usual)
            .args(more))
    }

    fn report(&self, more: &[&str]) -> (Ran, Value) {
        let ran = self.trigger(&[&["-o", "json", "--timeout", "60s"], more].concat());
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        assert_eq!(violations_of("trigger-v1", &report), Vec::<String>::new());
        (ran, report)
    }
}

#[test]
fn the_controllers_do_what_was_predicted() {
    let Some(plane) = control_plane() else { return };
    let shop = Shop::new(plane, &plane.cluster, "triggers", &json!({}));
    shop.settle();
    shop.push_tag("1.2.0");
    let before = shop.repository.head("main").expect("main is there");
    let (ran, report) = shop.report(&["update/images"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for kind in ["repositories", "policies", "automations"] {
        assert_eq!(report[kind][0]["verdict"], "asPredicted", "{ran:?}");
    }
    assert_eq!(report["repositories"][0]["actual"]["tags"], 3, "{ran:?}");
    assert_eq!(
        report["policies"][0]["actual"]["latest"]["tag"], "1.2.0",
        "{ran:?}"
    );
    let push = &report["automations"][0]["actual"]["push"];
    let head = shop.repository.head("main").expect("main is there");
    assert_eq!(push["commit"].as_str(), Some(head.as_str()), "{ran:?}");
    assert_eq!(push["parent"].as_str(), Some(before.as_str()), "{ran:?}");

    let again = shop.trigger(&["update/images", "--timeout", "60s"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again.stdout.contains("repository/app (triggers)")
            && again.stdout.contains("3 tags, as predicted")
            && again.stdout.contains("still 1.2.0, as predicted")
            && again.stdout.contains("nothing to push, as predicted"),
        "{again:?}"
    );

    // Only what is named, and what it leans on.
    let (ran, report) = shop.report(&["repository", "app"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(report["automations"], json!([]), "{ran:?}");
    let missing = shop.trigger(&["policy/gone"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(
        missing.stderr.contains("there is no ImagePolicy gone"),
        "{missing:?}"
    );
}

#[test]
fn a_refused_push_is_told() {
    let Some(plane) = control_plane() else { return };
    let shop = Shop::new(plane, &plane.cluster, "triggers-refused", &json!({}));
    shop.settle();
    let before = shop.repository.refs();
    shop.repository.hook("pre-receive", "echo no >&2; exit 1");
    shop.push_tag("1.2.0");
    let ran = shop.trigger(&["--timeout", "60s"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("error[push-rejected]")
            && ran.stdout.contains("GitOperationFailed")
            && ran
                .stdout
                .contains("predicted pushed to main: 1 file, done GitOperationFailed"),
        "{ran:?}"
    );
    assert_eq!(shop.repository.refs(), before);
}

#[test]
fn a_failure_may_be_what_was_predicted() {
    let Some(plane) = control_plane() else { return };
    let template = json!({"commit": {"messageTemplate": "{{.Nothing}}"}});
    let shop = Shop::new(plane, &plane.cluster, "triggers-failing", &template);
    let (ran, report) = shop.report(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let row = &report["automations"][0];
    assert_eq!(row["verdict"], "asPredicted", "{ran:?}");
    assert_eq!(
        row["actual"]["error"]["reason"], "GitOperationFailed",
        "{ran:?}"
    );
}

#[test]
fn what_is_stalled_is_told() {
    let Some(plane) = control_plane() else { return };
    let shop = Shop::new(plane, &plane.cluster, "triggers-stalled", &json!({}));
    shop.settle();
    // A login with a password is none for an app of GitHub.
    let source = format!(
        "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories/gitops",
        shop.namespace
    );
    let changed = shop
        .cluster
        .api
        .merge(&source, &json!({"spec": {"provider": "github"}}));
    changed.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let ran = shop.trigger(&["--timeout", "60s"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains("InvalidSourceConfiguration")
            && ran.stdout.contains(", as predicted")
            && ran.stdout.contains("it is stalled"),
        "{ran:?}"
    );
    let (_, report) = shop.report(&["update/images"]);
    assert_eq!(report["automations"][0]["verdict"], "asPredicted");
}

#[test]
fn what_is_suspended_is_left_alone() {
    let Some(plane) = control_plane() else { return };
    let shop = Shop::new(plane, &plane.cluster, "triggers-suspended", &json!({}));
    shop.settle();
    shop.change(&json!({"spec": {"suspend": true}}));
    shop.push_tag("1.2.0");
    let before = shop.repository.refs();
    let (ran, report) = shop.report(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(report["policies"][0]["verdict"], "asPredicted", "{ran:?}");
    let row = &report["automations"][0];
    assert_eq!(row["verdict"], "skipped", "{ran:?}");
    let text = row["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("flux resume image update images -n triggers-suspended"),
        "{text}"
    );
    assert_eq!(shop.repository.refs(), before);
    let annotations = &shop.automation()["metadata"]["annotations"];
    assert!(
        annotations["reconcile.fluxcd.io/requestedAt"].is_null(),
        "{annotations}"
    );
}

#[test]
fn a_controller_that_is_down_is_told() {
    let Some(plane) = control_plane() else { return };
    // Only the first cluster has controllers.
    let cluster = plane.cluster_serving(Served::V1AndV1beta2);
    let shop = Shop::new(plane, cluster, "triggers-down", &json!({}));
    let ran = shop.trigger(&["--timeout", "8s"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout
            .contains("image-reflector-controller has not answered within")
            && ran
                .stdout
                .contains("not asked, since what it leans on was not done"),
        "{ran:?}"
    );
}

#[test]
fn an_automation_controller_that_is_down_is_told_by_its_name() {
    let Some(plane) = control_plane() else { return };
    let cluster = plane.cluster_serving(Served::V1AndV1beta2);
    let shop = Shop::new(plane, cluster, "triggers-half-down", &json!({}));
    // What the other controller would do first is out of the way.
    for plural in ["imagerepositories", "imagepolicies"] {
        let path = format!("{}/app", image_collection(&shop.namespace, plural));
        let changed = cluster
            .api
            .merge(&path, &json!({"spec": {"suspend": true}}));
        changed.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    }
    let ran = shop.trigger(&["--timeout", "10s"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout
            .contains("image-automation-controller has not answered within")
            && ran.stdout.contains("flux resume image repository app")
            && ran.stdout.contains("flux resume image policy app"),
        "{ran:?}"
    );
}

#[test]
fn who_may_not_annotate_is_told_which_right_is_missing() {
    let Some(plane) = control_plane() else { return };
    let shop = Shop::new(plane, &plane.cluster, "triggers-forbidden", &json!({}));
    shop.settle();
    let ran = run(shop.home.command(OURS, shop.cluster, "reader").args([
        "trigger",
        "-n",
        &shop.namespace,
        "repository/app",
    ]));
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr.contains("the cluster forbids to patch imagerepositories.image.toolkit.fluxcd.io in namespace triggers-forbidden"),
        "{ran:?}"
    );
}
