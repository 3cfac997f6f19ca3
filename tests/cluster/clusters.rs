//! API servers, their users and what these may do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, path, wait_for};
use super::control_plane;
use super::definitions::{Served, definitions};
use super::objects::image_collection;

/// The user who may do everything.
pub const ADMINISTRATOR: &str = "administrator";

/// The other users that every API server knows. A test that needs a user with rights of its own adds a name here.
pub const USERS: [&str; 3] = [
    // Reads everything but Secrets.
    "reader", // Has no rights at all.
    "nobody", // Has no rights until a test gives it some.
    "tenant",
];

/// A running API server.
pub struct Cluster {
    /// Its API, as the administrator.
    pub api: Api,
    /// Its https address.
    pub server: String,
    /// The file of its certificate authority.
    pub authority: PathBuf,
    kubeconfigs: PathBuf,
    tokens: BTreeMap<String, String>,
}

/// How the supervisor tells of an API server.
#[derive(Deserialize)]
pub struct ClusterAddresses {
    api: String,
    server: String,
    authority: PathBuf,
    kubeconfigs: PathBuf,
    tokens: BTreeMap<String, String>,
}

impl Cluster {
    /// Prepares an API server that has just been started: its definitions, the namespace `flux-system`, the reader's rights.
    pub fn prepare(addresses: ClusterAddresses, served: Served) -> Self {
        let cluster = Self {
            api: Api::new(&addresses.api),
            server: addresses.server,
            authority: addresses.authority,
            kubeconfigs: addresses.kubeconfigs,
            tokens: addresses.tokens,
        };
        for definition in definitions(served) {
            definition.install(&cluster.api);
        }
        cluster.create_namespace("flux-system");
        cluster.grant("reader", None, &everything_but_secrets());
        cluster
    }

    /// A user's bearer token.
    pub fn token(&self, user: &str) -> &str {
        self.tokens
            .get(user)
            .unwrap_or_else(|| panic!("the API servers know no user called {user}"))
    }

    /// The file of a user's kubeconfig: one context, called as the user, whose namespace is `flux-system`.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        assert!(self.tokens.contains_key(user), "no user is called {user}");
        self.kubeconfigs.join(user)
    }

    /// The API as a user.
    pub fn api_as(&self, user: &str) -> Api {
        self.api.with_token(self.token(user))
    }

    /// Creates a namespace; one that exists is no error.
    pub fn create_namespace(&self, name: &str) {
        self.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }

    /// Gives a user these rights, in one namespace or in all, and waits until they hold.
    ///
    /// `rules` are those of a Role. A later call for the same user and place replaces what it had.
    pub fn grant(&self, user: &str, namespace: Option<&str>, rules: &Value) {
        let (role, binding) = match namespace {
            Some(_) => ("Role", "RoleBinding"),
            None => ("ClusterRole", "ClusterRoleBinding"),
        };
        let mut metadata = json!({"name": user});
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        let version = "rbac.authorization.k8s.io/v1";
        self.apply(
            &json!({"apiVersion": version, "kind": role, "metadata": metadata, "rules": rules}),
        );
        self.apply(&json!({
            "apiVersion": version, "kind": binding, "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": user},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }));
        let asks = self.api_as(user);
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace.unwrap_or("default")},
        });
        let what = format!("{user} to have its rights");
        wait_for(&what, Duration::from_secs(60), || {
            let answer = asks.create(&review).ok()?;
            let have = answer["status"]["resourceRules"].as_array()?;
            let wanted = rules.as_array()?.iter();
            wanted
                .filter(|rule| rule["resources"].is_array())
                .all(|rule| have.contains(rule))
                .then_some(())
        });
    }

    fn apply(&self, object: &Value) {
        self.api
            .apply(object)
            .unwrap_or_else(|refusal| panic!("{object}: {refusal:?}"));
    }
}

/// Rules that let read every object that the tests make, except for Secrets. Rules only add, so all else is named.
fn everything_but_secrets() -> Value {
    json!([
        {
            "apiGroups": [""],
            "resources": [
                "configmaps", "endpoints", "events", "namespaces", "nodes", "pods", "pods/log", "resourcequotas",
                "serviceaccounts", "services",
            ],
            "verbs": ["get", "list", "watch"],
        },
        {
            "apiGroups": [
                "admissionregistration.k8s.io", "apiextensions.k8s.io", "apps", "batch", "coordination.k8s.io",
                "events.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io",
                "image.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io",
            ],
            "resources": ["*"],
            "verbs": ["get", "list", "watch"],
        },
    ])
}

#[test]
fn users_may_do_what_rules_allow_them() {
    let Some(plane) = control_plane() else { return };
    let secrets = "/api/v1/namespaces/flux-system/secrets";
    let policies = image_collection("flux-system", "imagepolicies");
    let automations = image_collection("flux-system", "imageupdateautomations");
    let status = |user: &str, path: &str| match plane.cluster.api_as(user).get(path) {
        Ok(_) => 200,
        Err(refusal) => refusal.status,
    };
    for (user, path, expected) in [
        ("administrator", secrets, 200),
        ("reader", secrets, 403),
        ("reader", &policies, 200),
        ("reader", "/api/v1/namespaces/flux-system", 200),
        ("nobody", secrets, 403),
        ("nobody", &policies, 403),
        ("nobody", "/version", 200),
        ("tenant", &policies, 403),
    ] {
        assert_eq!(status(user, path), expected, "{user} {path}");
    }
    let rules = json!([{"apiGroups": ["image.toolkit.fluxcd.io"], "resources": ["imagepolicies"], "verbs": ["list"]}]);
    plane.cluster.grant("tenant", Some("flux-system"), &rules);
    assert_eq!(status("tenant", &policies), 200);
    assert_eq!(status("tenant", &automations), 403);
    let all = "/apis/image.toolkit.fluxcd.io/v1/imagepolicies";
    assert_eq!(status("tenant", all), 403);
    let stranger = plane.api.with_token("made-up").get(secrets);
    assert_eq!(stranger.expect_err("nobody has that token").status, 401);
}

#[test]
fn clusters_serve_the_versions_asked_for() {
    let Some(plane) = control_plane() else { return };
    for (served, versions) in [
        (Served::V1, &["v1"] as &[&str]),
        (Served::V1AndV1beta2, &["v1", "v1beta2"]),
        (Served::V1beta2, &["v1beta2"]),
        (Served::V1beta1, &["v1beta1"]),
        (Served::Nothing, &[]),
    ] {
        let api = plane.cluster_serving(served).api_as("reader");
        let group = api.get("/apis/image.toolkit.fluxcd.io");
        let found: Vec<String> = group
            .iter()
            .flat_map(|group| group["versions"].as_array().into_iter().flatten())
            .filter_map(|version| version["version"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(found, versions, "{served:?}");
        for version in ["v1", "v1beta2", "v1beta1"] {
            let path = format!("/apis/image.toolkit.fluxcd.io/{version}/imagepolicies");
            let status = api.get(&path).map_err(|refusal| refusal.status);
            assert_eq!(
                status.is_ok(),
                versions.contains(&version),
                "{served:?} {version} {status:?}"
            );
        }
    }
    // Nothing of one cluster shows in another.
    let old = plane.cluster_serving(Served::V1beta2);
    let policy = json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1beta2", "kind": "ImagePolicy",
        "metadata": {"namespace": "flux-system", "name": "old"},
        "spec": {"imageRepositoryRef": {"name": "none"}, "policy": {"alphabetical": {"order": "asc"}}},
    });
    old.api
        .apply(&policy)
        .unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(
        old.api_as("reader")
            .get(&path(&policy))
            .map(|found| found["spec"]["policy"].clone()),
        Ok(policy["spec"]["policy"].clone())
    );
    let elsewhere = plane.api.get(&format!(
        "{}/old",
        image_collection("flux-system", "imagepolicies")
    ));
    assert_eq!(elsewhere.map_err(|refusal| refusal.status), Err(404));
}
