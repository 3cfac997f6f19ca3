//! Lists and single objects, in whichever API version the cluster serves them.

use std::sync::PoisonError;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::Value;

use crate::controllers::flux::{self, ObjectKey};
use crate::controllers::installation::ControllerProcess;
use crate::facts::cluster::{Kind, Lease};

use super::client::{Answer, Cluster, Purpose};
use super::error::ClusterError;

/// Where a list looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// In all namespaces.
    All,
    /// In this one.
    Namespace(&'a str),
}

/// What a list gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// The objects as the API sent them, with `apiVersion` and `kind`.
    pub items: Vec<Value>,
    /// From where a watch goes on.
    pub resource_version: String,
}

/// Objects a page: client-go's own choice.
const PAGE: usize = 500;

/// The labels by which both Flux's manifests and its charts tell the image controllers.
const CONTROLLERS: &str =
    "app.kubernetes.io/component in (image-reflector-controller,image-automation-controller)";

impl Cluster {
    /// Lists the objects of `kind`, page by page; `selector` is a label selector as the API takes it.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached, refuses, or doesn't serve the kind.
    pub async fn list(
        &self,
        kind: Kind,
        scope: Scope<'_>,
        selector: Option<&str>,
    ) -> Result<Listed, ClusterError> {
        let purpose = purpose("list", kind, scope);
        let mut version = self.assumed_version(kind);
        loop {
            let path = collection(kind, version, scope);
            match self.pages(&path, &purpose, selector, None).await? {
                Some(mut listed) => {
                    self.remember(kind, version);
                    fill_in(&mut listed.items, kind, version);
                    return Ok(listed);
                }
                None => version = self.other_version(kind, version).await?,
            }
        }
    }

    /// Reads one object; `None`: it isn't there.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached, refuses, or doesn't serve the kind.
    pub async fn get(&self, kind: Kind, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let scope = if kind == Kind::Namespace {
            Scope::All
        } else {
            Scope::Namespace(&key.namespace)
        };
        let mut purpose = purpose("get", kind, scope);
        if kind == Kind::Namespace {
            purpose.place = format!(" {}", key.name);
        }
        let mut version = self.assumed_version(kind);
        loop {
            let path = format!(
                "{}/{}",
                collection(kind, version, scope),
                segment(&key.name)
            );
            match self.get_json(&path, &purpose).await? {
                Answer::Json(object) => {
                    self.remember(kind, version);
                    return Ok(Some(object));
                }
                Answer::NoSuchObject | Answer::Expired => {
                    self.remember(kind, version);
                    return Ok(None);
                }
                Answer::NoSuchPath => version = self.other_version(kind, version).await?,
            }
        }
    }

    /// Sets an annotation of an object; `None`: it isn't there.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached, refuses, or doesn't serve the kind.
    pub async fn annotate(
        &self,
        kind: Kind,
        key: &ObjectKey,
        name: &str,
        value: &str,
    ) -> Result<Option<Value>, ClusterError> {
        let scope = Scope::Namespace(&key.namespace);
        let purpose = purpose("patch", kind, scope);
        let mut annotations = serde_json::Map::new();
        annotations.insert(name.to_owned(), Value::from(value));
        let part = serde_json::json!({"metadata": {"annotations": annotations}});
        let mut version = self.assumed_version(kind);
        loop {
            let path = format!(
                "{}/{}",
                collection(kind, version, scope),
                segment(&key.name)
            );
            match self.merge_json(&path, &part, &purpose).await? {
                Answer::Json(object) => return Ok(Some(object)),
                Answer::NoSuchObject | Answer::Expired => return Ok(None),
                Answer::NoSuchPath => version = self.other_version(kind, version).await?,
            }
        }
    }

    /// How the image controllers were started: the containers of their Deployments.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn controllers(
        &self,
        scope: Scope<'_>,
    ) -> Result<Vec<ControllerProcess>, ClusterError> {
        self.processes(scope, CONTROLLERS).await
    }

    /// How kustomize-controller was started, as its Deployments tell it.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn kustomize_controllers(
        &self,
        scope: Scope<'_>,
    ) -> Result<Vec<ControllerProcess>, ClusterError> {
        let component = "app.kubernetes.io/component=kustomize-controller";
        self.processes(scope, component).await
    }

    async fn processes(
        &self,
        scope: Scope<'_>,
        selector: &str,
    ) -> Result<Vec<ControllerProcess>, ClusterError> {
        let purpose = Purpose {
            verb: "list",
            resource: "deployments.apps".into(),
            place: place(scope),
        };
        let path = format!("/apis/apps/v1{}/deployments", folder(scope));
        let listed = self.pages(&path, &purpose, Some(selector), None).await?;
        Ok(listed
            .unwrap_or_default()
            .items
            .iter()
            .flat_map(processes)
            .collect())
    }

    /// The lease of a controller; `None`: there is none.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn lease(&self, key: &ObjectKey) -> Result<Option<Lease>, ClusterError> {
        let scope = Scope::Namespace(&key.namespace);
        let purpose = Purpose {
            verb: "get",
            resource: "leases.coordination.k8s.io".into(),
            place: place(scope),
        };
        let path = format!(
            "/apis/coordination.k8s.io/v1{}/leases/{}",
            folder(scope),
            segment(&key.name)
        );
        let Answer::Json(object) = self.get_json(&path, &purpose).await? else {
            return Ok(None);
        };
        let text = |field: &str| {
            object["spec"][field]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let duration = object["spec"]["leaseDurationSeconds"].as_u64();
        Ok(Some(Lease {
            holder: text("holderIdentity"),
            renewed: text("renewTime"),
            duration_seconds: duration
                .and_then(|length| length.try_into().ok())
                .unwrap_or(15),
        }))
    }

    /// The Kubernetes version, `v1.36.3`.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn kubernetes_version(&self) -> Result<Option<String>, ClusterError> {
        let purpose = Purpose {
            verb: "get",
            resource: "/version".into(),
            place: String::new(),
        };
        let answer = self.get_json("/version", &purpose).await?;
        Ok(match answer {
            Answer::Json(version) => version["gitVersion"].as_str().map(str::to_owned),
            _ => None,
        })
    }

    /// The versions of `kind` that the cluster serves and this program reads, newest first; empty: none.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn served_versions(&self, kind: Kind) -> Result<Vec<&'static str>, ClusterError> {
        let served = self.served_versions_of([kind]).await?;
        Ok(served.into_iter().flatten().collect())
    }

    /// The same of several kinds of one group, which are asked for together.
    ///
    /// # Errors
    ///
    /// The cluster can't be reached or refuses.
    pub async fn served_versions_of<const N: usize>(
        &self,
        kinds: [Kind; N],
    ) -> Result<[Vec<&'static str>; N], ClusterError> {
        let mut served = kinds.map(|_| Vec::new());
        let Some(first) = kinds.first() else {
            return Ok(served);
        };
        let group = format!("/apis/{}", first.group());
        let purpose = Purpose {
            verb: "get",
            resource: group.clone(),
            place: String::new(),
        };
        let Answer::Json(found) = self.get_json(&group, &purpose).await? else {
            return Ok(served);
        };
        let offered = |version: &str| {
            let versions = found["versions"].as_array().map_or(&[][..], Vec::as_slice);
            versions.iter().any(|offered| offered["version"] == version)
        };
        let mut known: Vec<(&str, Value)> = Vec::new();
        for (kind, served) in kinds.iter().zip(&mut served) {
            for version in kind.versions().iter().filter(|version| offered(version)) {
                if !known.iter().any(|(known, _)| known == version) {
                    let path = format!("{group}/{version}");
                    let Answer::Json(resources) = self.get_json(&path, &purpose).await? else {
                        continue;
                    };
                    known.push((version, resources));
                }
                let resources = known.iter().find(|(known, _)| known == version);
                if resources.is_some_and(|(_, resources)| lists_resource(resources, *kind)) {
                    served.push(*version);
                }
            }
        }
        Ok(served)
    }

    /// All pages of a list; `None` where the path means nothing to the server.
    pub(super) async fn pages(
        &self,
        path: &str,
        purpose: &Purpose,
        selector: Option<&str>,
        name: Option<&str>,
    ) -> Result<Option<Listed>, ClusterError> {
        let mut items = Vec::new();
        let mut token = String::new();
        let mut limited = true;
        loop {
            let path = format!("{path}?{}", query(limited, &token, selector, name));
            let mut page = match self.get_json(&path, purpose).await? {
                Answer::Json(page) => page,
                // The list is too old to be continued: it is read anew, in one piece.
                Answer::Expired if limited => {
                    items.clear();
                    token.clear();
                    limited = false;
                    continue;
                }
                _ => return Ok(None),
            };
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            let next = page.pointer("/metadata/continue").and_then(Value::as_str);
            match next.filter(|next| !next.is_empty() && *next != token) {
                Some(next) => token = next.to_owned(),
                None => {
                    let version = page.pointer("/metadata/resourceVersion");
                    let resource_version = version.and_then(Value::as_str).unwrap_or_default();
                    return Ok(Some(Listed {
                        resource_version: resource_version.to_owned(),
                        items,
                    }));
                }
            }
        }
    }

    pub(super) fn assumed_version(&self, kind: Kind) -> &'static str {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served
            .get(&kind)
            .copied()
            .unwrap_or_else(|| kind.versions().first().copied().unwrap_or("v1"))
    }

    pub(super) fn remember(&self, kind: Kind, version: &'static str) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.insert(kind, version);
    }

    /// The version to try instead of one that isn't served: only an old cluster costs these questions.
    pub(super) async fn other_version(
        &self,
        kind: Kind,
        tried: &'static str,
    ) -> Result<&'static str, ClusterError> {
        let served = self.served_versions(kind).await?;
        let other = served.iter().copied().find(|version| *version != tried);
        other.ok_or_else(|| ClusterError::NotServed(not_served(kind, &self.server())))
    }
}

fn lists_resource(resources: &Value, kind: Kind) -> bool {
    let listed = resources["resources"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    listed
        .iter()
        .any(|resource| resource["name"] == kind.plural())
}

fn not_served(kind: Kind, server: &str) -> String {
    let components = "image-reflector-controller,image-automation-controller";
    let remedy = match kind.group() {
        flux::IMAGE_GROUP => format!(
            "install Flux's image controllers with flux bootstrap … --components-extra={components}, or apply what flux install --components-extra={components} --export prints"
        ),
        flux::SOURCE_GROUP => "install Flux with flux bootstrap or flux install".into(),
        _ => "choose another cluster with --context".into(),
    };
    format!(
        "the cluster at {server} serves no {}.{} in {}: {remedy}",
        kind.plural(),
        kind.group(),
        kind.versions().join(", ")
    )
}

pub(super) fn collection(kind: Kind, version: &str, scope: Scope<'_>) -> String {
    let group = match kind.group() {
        "" => format!("/api/{version}"),
        group => format!("/apis/{group}/{version}"),
    };
    format!("{group}{}/{}", folder(scope), kind.plural())
}

fn folder(scope: Scope<'_>) -> String {
    match scope {
        Scope::All => String::new(),
        Scope::Namespace(namespace) => format!("/namespaces/{}", segment(namespace)),
    }
}

/// A name as one part of a path: objects refer to others by names that nobody has checked.
pub(super) fn segment(name: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
    match name {
        // A client would take these two for steps in the path, however they are written.
        "." | ".." => name.replace('.', "%252E"),
        name => percent_encoding::utf8_percent_encode(name, &KEPT).to_string(),
    }
}

fn place(scope: Scope<'_>) -> String {
    match scope {
        Scope::All => " in all namespaces".into(),
        Scope::Namespace(namespace) => format!(" in namespace {namespace}"),
    }
}

pub(super) fn purpose(verb: &'static str, kind: Kind, scope: Scope<'_>) -> Purpose {
    let resource = match kind.group() {
        "" => kind.plural().to_owned(),
        group => format!("{}.{group}", kind.plural()),
    };
    Purpose {
        verb,
        resource,
        place: place(scope),
    }
}

fn query(limited: bool, token: &str, selector: Option<&str>, name: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if limited {
        query.append_pair("limit", &PAGE.to_string());
    }
    if !token.is_empty() {
        query.append_pair("continue", token);
    }
    if let Some(selector) = selector {
        query.append_pair("labelSelector", selector);
    }
    if let Some(name) = name {
        query.append_pair("fieldSelector", &format!("metadata.name={name}"));
    }
    query.finish()
}

/// Items of a list of built-in kinds have no `apiVersion` and `kind` of their own.
pub(super) fn fill_in(items: &mut [Value], kind: Kind, version: &str) {
    let api_version = match kind.group() {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.entry("apiVersion")
            .or_insert_with(|| api_version.clone().into());
        item.entry("kind").or_insert_with(|| kind.name().into());
    }
}

fn processes(deployment: &Value) -> Vec<ControllerProcess> {
    let text = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_str);
    let number = |pointer: &str, default: u64| {
        let number = deployment.pointer(pointer).and_then(Value::as_u64);
        number.unwrap_or(default)
    };
    let release = text("/metadata/labels/app.kubernetes.io~1version");
    let namespace = text("/metadata/namespace").unwrap_or_default();
    let containers = deployment
        .pointer("/spec/template/spec/containers")
        .and_then(Value::as_array);
    let process = |container: &Value| ControllerProcess {
        image: container["image"].as_str().unwrap_or_default().to_owned(),
        flux_release: release.map(|release| release.trim_start_matches('v').to_owned()),
        arguments: ["command", "args"]
            .iter()
            .filter_map(|part| container[*part].as_array())
            .flatten()
            .filter_map(|argument| argument.as_str().map(str::to_owned))
            .collect(),
        namespace: namespace.to_owned(),
        name: text("/metadata/name").unwrap_or_default().to_owned(),
        pods: Some((
            number("/status/readyReplicas", 0),
            number("/spec/replicas", 1),
        )),
    };
    containers.into_iter().flatten().map(process).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_tells_how_its_controllers_were_started() {
        let deployment = serde_json::json!({
            "metadata": {"namespace": "flux-system", "labels": {"app.kubernetes.io/version": "v2.9.3"}},
            "spec": {"template": {"spec": {"containers": [
                {"image": "ghcr.io/fluxcd/image-reflector-controller:v1.2.3", "args": ["--watch-all-namespaces=true"]},
            ]}}},
        });
        let found = processes(&deployment);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].flux_release.as_deref(), Some("2.9.3"));
        assert_eq!(found[0].arguments, ["--watch-all-namespaces=true"]);
        assert!(processes(&serde_json::json!({})).is_empty());
    }

    #[test]
    fn paths_and_queries_are_the_apis() {
        assert_eq!(
            collection(Kind::ImagePolicy, "v1", Scope::Namespace("apps")),
            "/apis/image.toolkit.fluxcd.io/v1/namespaces/apps/imagepolicies"
        );
        assert_eq!(
            collection(Kind::Secret, "v1", Scope::All),
            "/api/v1/secrets"
        );
        assert_eq!(
            query(true, "a=b", Some("x in (y)"), None),
            "limit=500&continue=a%3Db&labelSelector=x+in+%28y%29"
        );
    }
}
