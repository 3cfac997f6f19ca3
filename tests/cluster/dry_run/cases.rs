//! Cases: folders of a repository, the Kustomization that applies each, what somebody did to the live objects, and the
//! outcomes that are expected.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::judge::{IMAGE, Stage};

/// What is expected of an object: kind, name, outcome, by.
pub type Expected = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

/// One case.
pub struct Case {
    /// Its folder, its Kustomization and, unless the spec says otherwise, its namespace.
    pub name: &'static str,
    /// The files in the folder.
    pub files: Vec<(&'static str, String)>,
    /// What the Kustomization's spec says besides.
    pub spec: Value,
    /// Objects that are there before anything is applied.
    pub given: Vec<Value>,
    /// What somebody does to live objects after the first apply: a path, and a patch.
    pub done: Vec<(String, Value)>,
    /// The rows, each of them.
    pub expected: Vec<Expected>,
    /// Whether the Kustomization is resumed only for the update.
    pub suspended: bool,
    /// No Kustomization applies the folder.
    pub plain: bool,
}

impl Case {
    fn new(
        name: &'static str,
        files: Vec<(&'static str, String)>,
        expected: Vec<Expected>,
    ) -> Self {
        Self {
            name,
            files,
            spec: json!({}),
            given: Vec::new(),
            done: Vec::new(),
            expected,
            suspended: false,
            plain: false,
        }
    }

    fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    fn spec(mut self, spec: Value) -> Self {
        self.spec = spec;
        self
    }

    fn given(mut self, objects: Vec<Value>) -> Self {
        self.given = objects;
        self
    }

    /// Somebody, as this field manager, merges a patch into an object of the namespace.
    fn done(mut self, manager: &str, kind: &str, name: &str, patch: Value) -> Self {
        let group = match kind {
            "deployments" | "statefulsets" => "apis/apps/v1",
            _ => "api/v1",
        };
        let namespace = self.name;
        self.done.push((
            format!("/{group}/namespaces/{namespace}/{kind}/{name}?fieldManager={manager}"),
            patch,
        ));
        self
    }

    fn suspended(mut self) -> Self {
        self.suspended = true;
        self
    }
}

/// The image with its marker.
fn image(stage: &str) -> String {
    format!("{IMAGE}:1.0.0 # {{\"$imagepolicy\": \"{stage}:app\"}}")
}

/// The tag with its marker.
fn tag(stage: &str) -> String {
    format!("\"1.0.0\" # {{\"$imagepolicy\": \"{stage}:app:tag\"}}")
}

fn deployment(stage: &str, metadata: &str, spec: &str, container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\n{metadata}spec:\n{spec}  selector:\n    matchLabels: {{app: app}}\n  template:\n    metadata:\n      labels: {{app: app}}\n    spec:\n      containers:\n        - name: app\n          image: {}\n{container}",
        image(stage)
    )
}

fn plain_deployment(stage: &str) -> String {
    deployment(stage, "", "", "")
}

fn config_map(name: &str, metadata: &str, rest: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{metadata}{rest}data:\n  tag: {value}\n"
    )
}

fn widget(stage: &str, metadata: &str) -> String {
    format!(
        "apiVersion: test.example.com/v1\nkind: Widget\nmetadata:\n  name: app\n{metadata}spec:\n  version: {}\n",
        tag(stage)
    )
}

/// A kind whose `spec.version` has to start with a 1 and whose `spec.fixed` never changes.
pub fn widget_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.test.example.com"},
        "spec": {
            "group": "test.example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "properties": {
                    "version": {"type": "string", "pattern": "^1[.]"},
                    "free": {"type": "string"},
                    "size": {"type": "integer", "default": 3},
                    "fixed": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "Value is immutable"}]},
                }}},
            }}}],
        },
    })
}

/// A HelmRelease of any content.
pub fn helm_release_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "helmreleases.helm.toolkit.fluxcd.io"},
        "spec": {
            "group": "helm.toolkit.fluxcd.io", "scope": "Namespaced",
            "names": {"kind": "HelmRelease", "listKind": "HelmReleaseList", "plural": "helmreleases", "singular": "helmrelease"},
            "versions": [{"name": "v2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    })
}

/// A policy that refuses the new image in a namespace, and one that writes the image into an annotation in another.
pub fn admission_policies() -> Vec<Value> {
    let rules = json!({"resourceRules": [{
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"],
    }]});
    let in_namespace = |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let version = "admissionregistration.k8s.io/v1";
    vec![
        json!({
            "apiVersion": version, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "no-second-version"},
            "spec": {"failurePolicy": "Fail", "matchConstraints": rules, "validations": [{
                "expression": "object.spec.template.spec.containers.all(c, !c.image.endsWith(':2.0.0'))",
                "message": "the second version is not allowed here",
            }]},
        }),
        json!({
            "apiVersion": version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "no-second-version"},
            "spec": {"policyName": "no-second-version", "validationActions": ["Deny"], "matchResources": in_namespace("denied")},
        }),
        json!({
            "apiVersion": version, "kind": "MutatingAdmissionPolicy", "metadata": {"name": "stamp"},
            "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never", "matchConstraints": rules,
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {
                    "expression": "Object{metadata: Object.metadata{annotations: {'stamp': object.spec.template.spec.containers[0].image}}}",
                }}],
            },
        }),
        json!({
            "apiVersion": version, "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": "stamp"},
            "spec": {"policyName": "stamp", "matchResources": in_namespace("stamped")},
        }),
    ]
}

/// An account of the stage, and what it may in a namespace.
fn account(stage: &str, name: &str, namespace: &str, rules: Option<Value>) -> Vec<Value> {
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": stage, "name": name},
    })];
    if let Some(rules) = rules {
        let version = "rbac.authorization.k8s.io/v1";
        let metadata = json!({"namespace": namespace, "name": name});
        objects.push(
            json!({"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules}),
        );
        objects.push(json!({
            "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": stage, "name": name}],
        }));
    }
    objects
}

const CHANGED: Expected = ("Deployment", "app", "changed", None);
const DRIFTED: Expected = ("Deployment", "app", "drifted", None);
const UNCHANGED: Expected = ("Deployment", "app", "unchanged", None);

/// All cases of the stage.
pub fn cases(stage: &str) -> Vec<Case> {
    let mut cases = what_somebody_did(stage);
    cases.extend(annotations(stage));
    cases.extend(refusals(stage));
    cases.extend(builds(stage));
    cases.extend(not_checked(stage));
    cases.extend(plain_manifests(stage));
    cases
}

/// Files that no Kustomization reads.
fn plain_manifests(stage: &str) -> Vec<Case> {
    let map = |folder: &str, value: &str| {
        config_map("plain", &format!("  namespace: {folder}\n"), "", value)
    };
    let live = |folder: &str, key: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": folder, "name": "plain"},
            "data": {key: "0.9.0"},
        })
    };
    let named = |file: &'static str, text: String| vec![(file, text)];
    vec![
        Case::new(
            "owned-by-others",
            named("map.yaml", map("owned-by-others", &tag(stage))),
            vec![("ConfigMap", "plain", "conflict", None)],
        )
        .given(vec![live("owned-by-others", "tag")])
        .plain(),
        Case::new(
            "shared-with-others",
            named("map.yaml", map("shared-with-others", &tag(stage))),
            vec![("ConfigMap", "plain", "changed", None)],
        )
        .given(vec![live("shared-with-others", "other")])
        .plain(),
        Case::new(
            "template",
            named(
                "map.yaml",
                map("template", &tag(stage)).replace("name: plain", "name: '{{ .Name }}'"),
            ),
            vec![("ConfigMap", "{{ .Name }}", "notChecked", None)],
        )
        .plain(),
    ]
}

fn what_somebody_did(stage: &str) -> Vec<Case> {
    let extra = json!({"spec": {"replicas": 3, "template": {"spec": {"containers": [
        {"name": "app", "image": format!("{IMAGE}:1.0.0"), "env": [{"name": "EXTRA", "value": "x"}]},
        {"name": "sidecar", "image": "registry.example.com/sidecar:1"},
    ]}}}});
    let containers =
        json!({"metadata": {"annotations": {"edited": "yes"}}, "spec": {"replicas": 3}});
    vec![
        Case::new("plainly", vec![("app.yaml", plain_deployment(stage))], vec![CHANGED]),
        // A manager that the controller knows nothing of keeps what is not in git.
        Case::new("scaled", vec![("app.yaml", plain_deployment(stage))], vec![CHANGED])
            .done("autoscaler", "deployments", "app", json!({"spec": {"replicas": 3}})),
        Case::new(
            "rescaled",
            vec![("app.yaml", deployment(stage, "", "  replicas: 1\n", ""))],
            vec![DRIFTED],
        )
        .done("autoscaler", "deployments", "app", json!({"spec": {"replicas": 3}})),
        // What kubectl set is undone, whether git has it or not.
        Case::new("edited", vec![("app.yaml", plain_deployment(stage))], vec![DRIFTED])
            .done("kubectl-edit", "deployments", "app", extra.clone()),
        Case::new("edited-slightly", vec![("app.yaml", plain_deployment(stage))], vec![DRIFTED])
            .done("kubectl-edit", "deployments", "app", containers),
        Case::new(
            "merged",
            vec![(
                "app.yaml",
                deployment(stage, "  annotations: {kustomize.toolkit.fluxcd.io/ssa: Merge}\n", "", ""),
            )],
            vec![CHANGED],
        )
        .done("kubectl-edit", "deployments", "app", json!({"spec": {"replicas": 3}})),
        Case::new(
            "ignored-fields",
            vec![("app.yaml", deployment(stage, "", "  replicas: 1\n", ""))],
            vec![CHANGED],
        )
        .spec(json!({"ignore": [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]}))
        .done("autoscaler", "deployments", "app", json!({"spec": {"replicas": 3}})),
        // What git says and is a zero value does not reach the server.
        Case::new(
            "paused",
            vec![("app.yaml", deployment(stage, "", "  paused: false\n  minReadySeconds: 0\n", ""))],
            vec![CHANGED],
        )
        .done("someone", "deployments", "app", json!({"spec": {"paused": true, "minReadySeconds": 7}})),
        Case::new("stamped", vec![("app.yaml", plain_deployment(stage))], vec![DRIFTED]),
        Case::new(
            "service",
            vec![(
                "service.yaml",
                format!(
                    "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n  annotations:\n    version: {}\nspec:\n  selector: {{app: app}}\n  ports:\n    - port: 80\n    - port: 443\n      name: tls\n      protocol: TCP\n",
                    tag(stage)
                )
                .replace("    - port: 80\n", "    - port: 80\n      name: web\n"),
            )],
            vec![("Service", "app", "drifted", None)],
        )
        .done("someone", "services", "app", json!({"spec": {"ports": [
            {"name": "web", "port": 80, "targetPort": 8080}, {"name": "tls", "port": 443, "targetPort": 443},
        ]}})),
    ]
}

fn annotations(stage: &str) -> Vec<Case> {
    let annotated = |annotation: &str| {
        deployment(
            stage,
            &format!("  annotations: {{kustomize.toolkit.fluxcd.io/{annotation}}}\n"),
            "",
            "",
        )
    };
    vec![
        Case::new("left", vec![("app.yaml", annotated("ssa: IfNotPresent"))], vec![UNCHANGED]),
        Case::new("disabled", vec![("app.yaml", plain_deployment(stage))], vec![UNCHANGED]).done(
            "someone",
            "deployments",
            "app",
            json!({"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}}),
        ),
        Case::new(
            "generated",
            generator(stage, ""),
            vec![
                ("ConfigMap", "settings-*", "created", None),
                ("ConfigMap", "settings-*", "pruned", None),
                CHANGED,
            ],
        ),
        Case::new(
            "kept",
            generator(stage, "{annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}"),
            vec![
                ("ConfigMap", "settings-*", "created", None),
                ("ConfigMap", "settings-*", "unchanged", None),
                CHANGED,
            ],
        ),
        Case::new(
            "not-pruned",
            generator(stage, ""),
            vec![
                ("ConfigMap", "settings-*", "created", None),
                ("ConfigMap", "settings-*", "unchanged", None),
                CHANGED,
            ],
        )
        .spec(json!({"prune": false})),
    ]
}

/// A ConfigMap made of a file that holds the marker, and a Deployment that uses it.
fn generator(stage: &str, options: &str) -> Vec<(&'static str, String)> {
    let options = if options.is_empty() {
        String::new()
    } else {
        format!("generatorOptions: {options}\n")
    };
    vec![
        (
            "kustomization.yaml",
            format!(
                "resources: [app.yaml]\nconfigMapGenerator:\n  - name: settings\n    files: [settings.yaml]\n{options}"
            ),
        ),
        ("settings.yaml", format!("version: {}\n", tag(stage))),
        (
            "app.yaml",
            deployment(
                stage,
                "",
                "",
                "          envFrom: [{configMapRef: {name: settings}}]\n",
            ),
        ),
    ]
}

fn refusals(stage: &str) -> Vec<Case> {
    let fixed = config_map("fixed", "", "immutable: true\n", &tag(stage));
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: job\n  annotations: {{kustomize.toolkit.fluxcd.io/force: enabled}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: job\n          image: {}\n",
        image(stage)
    );
    let patch_deployments = json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "create", "patch", "delete"]}]);
    vec![
        Case::new(
            "fixed",
            vec![("map.yaml", fixed.clone())],
            vec![("ConfigMap", "fixed", "rejected", Some("immutable"))],
        ),
        Case::new(
            "forced",
            vec![("map.yaml", fixed)],
            vec![("ConfigMap", "fixed", "recreated", None)],
        )
        .spec(json!({"force": true})),
        Case::new(
            "forced-job",
            vec![("job.yaml", job)],
            vec![("Job", "job", "recreated", None)],
        ),
        Case::new(
            "invalid",
            vec![("widget.yaml", widget(stage, ""))],
            vec![("Widget", "app", "rejected", Some("validation"))],
        ),
        Case::new(
            "immutable-by-rule",
            vec![(
                "widget.yaml",
                widget(stage, "").replace("version:", "fixed:"),
            )],
            vec![("Widget", "app", "rejected", Some("immutable"))],
        ),
        Case::new(
            "invalid-and-forced",
            vec![(
                "widget.yaml",
                widget(
                    stage,
                    "  annotations: {kustomize.toolkit.fluxcd.io/force: Enabled}\n",
                ),
            )],
            vec![("Widget", "app", "rejected", Some("validation"))],
        ),
        Case::new(
            "unknown-field",
            vec![(
                "app.yaml",
                deployment(
                    stage,
                    "",
                    "  replicaz: 2\n",
                    "          imagePullPolize: x\n",
                ),
            )],
            vec![CHANGED],
        ),
        Case::new(
            "unknown-field-of-widget",
            vec![(
                "widget.yaml",
                widget(stage, "").replace("  version:", "  none: 1\n  free:"),
            )],
            vec![("Widget", "app", "rejected", Some("validation"))],
        ),
        Case::new(
            "unknown-kind",
            vec![(
                "thing.yaml",
                widget(stage, "").replace("kind: Widget", "kind: Gadget"),
            )],
            vec![("Gadget", "app", "unknownKind", None)],
        ),
        Case::new(
            "no-namespace",
            vec![("app.yaml", plain_deployment(stage))],
            vec![("Deployment", "app", "namespaceMissing", None)],
        )
        .spec(json!({"targetNamespace": "there-is-none"})),
        Case::new(
            "new-namespace",
            vec![
                ("app.yaml", plain_deployment(stage)),
                (
                    "namespace.yaml",
                    "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: comes-with-it\n".into(),
                ),
            ],
            vec![("Deployment", "app", "namespaceMissing", None)],
        )
        .spec(json!({"targetNamespace": "comes-with-it"}))
        .suspended(),
        Case::new(
            "denied",
            vec![("app.yaml", plain_deployment(stage))],
            vec![("Deployment", "app", "rejected", Some("admission"))],
        ),
        Case::new(
            "quota",
            generator(stage, ""),
            vec![
                ("ConfigMap", "settings-*", "rejected", Some("quota")),
                ("ConfigMap", "settings-*", "pruned", None),
                CHANGED,
            ],
        ),
        Case::new(
            "as-account",
            vec![("app.yaml", plain_deployment(stage))],
            vec![CHANGED],
        )
        .given(account(
            stage,
            "deployer",
            "as-account",
            Some(patch_deployments),
        ))
        .spec(json!({"serviceAccountName": "deployer"})),
        Case::new(
            "as-nobody",
            vec![("app.yaml", plain_deployment(stage))],
            vec![("Deployment", "app", "forbidden", None)],
        )
        .given(account(stage, "nobody", "as-nobody", None))
        .spec(json!({"serviceAccountName": "nobody"})),
    ]
}

fn builds(stage: &str) -> Vec<Case> {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n  - target: {kind: Deployment}\n    patch: |\n      - op: add\n        path: /spec/replicas\n        value: 2\n";
    vec![
        Case::new(
            "overridden",
            vec![
                ("app/kustomization.yaml", "namePrefix: old-\nnamespace: elsewhere\nresources: [app.yaml]\nimages: [{name: other, newTag: 1.10}]\n".into()),
                ("app/app.yaml", plain_deployment(stage)),
                ("component/kustomization.yaml", component.into()),
            ],
            vec![("Deployment", "new-app-end", "changed", None)],
        )
        .spec(json!({
            "path": "./overridden/app", "namePrefix": "new-", "nameSuffix": "-end", "components": ["../component"],
            "commonMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
            "images": [{"name": IMAGE, "newName": "registry.example.com/mirrored"}],
            "patches": [{"patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: any\nspec:\n  minReadySeconds: 5\n", "target": {"kind": "Deployment"}}],
        })),
        Case::new(
            "tag-of-kustomization",
            vec![
                (
                    "kustomization.yaml",
                    format!("resources: [../base]\nimages:\n  - name: {IMAGE}\n    newTag: {}\n", tag(stage)),
                ),
                ("../base/kustomization.yaml", "resources: [app.yaml]\n".into()),
                (
                    "../base/app.yaml",
                    plain_deployment(stage).replace(" # {\"$imagepolicy\"", " # {\"unmarked\""),
                ),
            ],
            vec![CHANGED],
        ),
        Case::new(
            "substituted",
            vec![
                (
                    "app.yaml",
                    deployment(
                        stage,
                        "  annotations:\n    kept: $${kept}\n    default: ${missing:=fallback}\n    upper: ${word^^}\n    part: ${word:1:2}\n    secret: x-${password}-y\n",
                        "  replicas: ${replicas}\n",
                        "",
                    ),
                ),
                (
                    "map.yaml",
                    config_map(
                        "plain",
                        "  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}\n",
                        "",
                        &tag(stage),
                    )
                    .replace("data:\n", "data:\n  raw: ${word}\n"),
                ),
            ],
            vec![CHANGED, ("ConfigMap", "plain", "changed", None)],
        )
        .given(vec![
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": stage, "name": "variables"}, "data": {"word": "from-map", "replicas": "2"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": stage, "name": "variables"}, "stringData": {"password": "hunter2"}}),
        ])
        .spec(json!({"postBuild": {
            "substitute": {"word": "inline"},
            "substituteFrom": [
                {"kind": "ConfigMap", "name": "variables"}, {"kind": "Secret", "name": "variables"},
                {"kind": "ConfigMap", "name": "none", "optional": true},
            ],
        }})),
        Case::new(
            "not-set",
            vec![(
                "app.yaml",
                deployment(stage, "  annotations: {a: '${nothing}'}\n", "", ""),
            )],
            vec![("Deployment", "app", "notChecked", None)],
        )
        .spec(json!({"postBuild": {"substitute": {"word": "inline"}}})),
        Case::new(
            "no-such-map",
            vec![("app.yaml", plain_deployment(stage))],
            vec![("Deployment", "app", "notChecked", None)],
        )
        .spec(json!({"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "there-is-none"}]}})),
        Case::new(
            "not-buildable",
            vec![
                ("kustomization.yaml", "resources: [app.yaml, none.yaml]\n".into()),
                ("app.yaml", plain_deployment(stage)),
            ],
            vec![("Deployment", "app", "notChecked", None)],
        ),
        Case::new(
            "outside",
            vec![
                (
                    "kustomization.yaml",
                    "resources: [app.yaml]\nconfigMapGenerator: [{name: x, files: [../../../../../../../etc/hostname]}]\n".into(),
                ),
                ("app.yaml", plain_deployment(stage)),
            ],
            vec![("Deployment", "app", "notChecked", None)],
        ),
        Case::new(
            "secret",
            vec![(
                "secret.yaml",
                format!(
                    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  version: {}\n",
                    tag(stage)
                ),
            )],
            vec![("Secret", "app", "changed", None)],
        ),
        Case::new(
            "release",
            vec![(
                "release.yaml",
                format!(
                    "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app\nspec:\n  values:\n    image:\n      tag: {}\n",
                    tag(stage)
                ),
            )],
            vec![("HelmRelease", "app", "changed", None)],
        ),
        Case::new(
            "cluster-wide",
            vec![(
                "role.yaml",
                format!(
                    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: dry-run-role\n  annotations:\n    version: {}\nrules:\n  - apiGroups: [\"\"]\n    resources: [pods]\n    verbs: [get]\n",
                    tag(stage)
                ),
            )],
            vec![("ClusterRole", "dry-run-role", "changed", None)],
        ),
    ]
}

fn not_checked(stage: &str) -> Vec<Case> {
    let encrypted = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: keys\ndata:\n  a: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\nsops:\n  mac: ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]\n";
    vec![
        Case::new(
            "encrypted",
            vec![
                ("app.yaml", plain_deployment(stage)),
                ("keys.yaml", encrypted.into()),
            ],
            vec![("Deployment", "app", "notChecked", None)],
        ),
        Case::new(
            "other-cluster",
            vec![("app.yaml", plain_deployment(stage))],
            vec![("Deployment", "app", "notChecked", None)],
        )
        .spec(json!({"kubeConfig": {"secretRef": {"name": "elsewhere"}}})),
        Case::new(
            "remote",
            vec![
                (
                    "kustomization.yaml",
                    "resources: [app.yaml, 'http://127.0.0.1:1/remote.yaml']\n".into(),
                ),
                ("app.yaml", plain_deployment(stage)),
            ],
            vec![("Deployment", "app", "notChecked", None)],
        ),
        Case::new(
            "ignored-file",
            vec![
                ("app.yaml", plain_deployment(stage)),
                (
                    "local/map.yaml",
                    config_map("local", "  namespace: ignored-file\n", "", &tag(stage)),
                ),
                (".sourceignore", "local/\n".into()),
            ],
            vec![CHANGED, ("ConfigMap", "local", "created", None)],
        ),
    ]
}

/// The files of all cases, by path.
pub fn files(cases: &[Case]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for case in cases {
        for (path, text) in &case.files {
            let path = match path.strip_prefix("../") {
                Some(path) => path.to_owned(),
                None => format!("{}/{path}", case.name),
            };
            files.insert(path, text.clone());
        }
    }
    files
}

/// Puts the objects of all cases there: namespaces, what is given, and the Kustomizations.
pub fn set_up(stage: &Stage<'_>, cases: &[Case]) {
    for case in cases {
        stage.cluster.create_namespace(case.name);
        stage.apply(&case.given);
        if case.plain {
            continue;
        }
        let mut spec = case.spec.clone();
        for (name, value) in [
            ("targetNamespace", json!(case.name)),
            ("path", json!(format!("./{}", case.name))),
        ] {
            if spec[name].is_null() {
                spec[name] = value;
            }
        }
        spec["suspend"] = json!(case.suspended);
        let path = spec["path"].as_str().unwrap_or_default().to_owned();
        stage.apply(&[stage.kustomization(case.name, &path, &spec)]);
    }
}
