//! Mirrors the flags of `main.go` and the gates of `internal/features/features.go` of image-reflector-controller 1.2 and
//! image-automation-controller 1.2, and those of kustomize-controller 1.9: what they say about the decisions of the controllers that run.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::flux::FluxVersion;
use super::labels::Selector;

/// Which of the two image controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ControllerKind {
    /// image-reflector-controller: scans and policies.
    Reflector,
    /// image-automation-controller: updates.
    Automation,
}

impl ControllerKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Reflector, Self::Automation];

    /// Its name, as images and Deployments have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reflector => "image-reflector-controller",
            Self::Automation => "image-automation-controller",
        }
    }

    /// The Flux release that a version `MAJOR.MINOR` of the controller belongs to; the newest known for a newer one.
    fn release(self, major: u64, minor: u64) -> FluxVersion {
        match (major, minor) {
            (0, _) => FluxVersion::V2_6,
            (1, 0) => FluxVersion::V2_7,
            (1, 1) => FluxVersion::V2_8,
            _ => FluxVersion::V2_9,
        }
    }
}

/// What tells the release whose rules a controller follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseSource {
    /// The tag of its image.
    Image,
    /// The label `app.kubernetes.io/version` of its Deployment.
    Label,
    /// Nothing: it is the newest known, or the one that was asked for.
    Assumed,
}

impl ReleaseSource {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Label => "label",
            Self::Assumed => "assumed",
        }
    }

    /// Why the release's rules are taken.
    pub fn told(self) -> &'static str {
        match self {
            Self::Image => "by the tag of its image",
            Self::Label => "by the label app.kubernetes.io/version of its Deployment",
            Self::Assumed => "neither the tag of its image nor a label tells its version",
        }
    }
}

/// One running controller, as far as its decisions hang on how it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Its version as its image says it, without `v`: `1.2.3`; `None` where the image has no such tag.
    pub version: Option<String>,
    /// The release whose rules it follows.
    pub release: FluxVersion,
    /// What tells it.
    pub release_from: ReleaseSource,
    /// Objects in other namespaces can't be referred to.
    pub no_cross_namespace_refs: bool,
    /// The objects that it looks after.
    pub watch_label_selector: Selector,
    /// The one namespace that it looks after; `None`: all.
    pub watch_namespace: Option<String>,
    /// Its feature gates as they are set.
    pub feature_gates: BTreeMap<String, bool>,
}

impl Controller {
    /// A controller of `release` without flags.
    pub fn of_release(release: FluxVersion) -> Self {
        Self {
            version: None,
            release,
            release_from: ReleaseSource::Assumed,
            no_cross_namespace_refs: false,
            watch_label_selector: Selector::default(),
            watch_namespace: None,
            feature_gates: BTreeMap::new(),
        }
    }

    /// Whether it looks after an object.
    pub fn watches(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        self.watch_namespace
            .as_deref()
            .is_none_or(|watched| watched == namespace)
            && self.watch_label_selector.matches(labels)
    }

    /// The flags by which it looks after part of the objects only; empty: it looks after all.
    pub fn watched(&self) -> String {
        let mut flags = Vec::new();
        if let Some(namespace) = &self.watch_namespace {
            flags.push(format!("--watch-all-namespaces=false in {namespace}"));
        }
        if !self.watch_label_selector.is_empty() {
            flags.push(format!(
                "--watch-label-selector={}",
                self.watch_label_selector
            ));
        }
        flags.join(" ")
    }

    /// Whether a feature gate is on, `default` being its value where it isn't set.
    pub fn gate(&self, name: &str, default: bool) -> bool {
        self.feature_gates.get(name).copied().unwrap_or(default)
    }
}

/// How a controller was started: what stands in its Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControllerProcess {
    /// The container's image.
    pub image: String,
    /// The Flux release of the Deployment's label `app.kubernetes.io/version`, without `v`.
    pub flux_release: Option<String>,
    /// The container's arguments.
    pub arguments: Vec<String>,
    /// The namespace that it runs in.
    pub namespace: String,
    /// The Deployment's name.
    pub name: String,
    /// How many of its pods are ready, and how many there should be, where that is known.
    pub pods: Option<(u64, u64)>,
}

impl ControllerProcess {
    /// Which controller it is, by the last part of its image's name.
    pub fn kind(&self) -> Option<ControllerKind> {
        let name = self.image.rsplit('/').next().unwrap_or_default();
        let name = name.split([':', '@']).next().unwrap_or_default();
        ControllerKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The controller that these settings make.
    ///
    /// # Errors
    ///
    /// Its selector can't be read; the controller itself would not start.
    pub fn controller(&self, kind: ControllerKind) -> Result<Controller, String> {
        let flags = Flags(&self.arguments);
        let selector = flags.value("watch-label-selector").unwrap_or_default();
        let watch_label_selector = Selector::parse(selector)
            .map_err(|error| format!("--watch-label-selector={selector}: {error}"))?;
        if let Some(why) = watch_label_selector.unusable_for_watching() {
            return Err(format!("--watch-label-selector={selector}: {why}"));
        }
        let version = self.version();
        let by_image = version.as_deref().and_then(major_minor);
        let by_image = by_image.map(|(major, minor)| kind.release(major, minor));
        let by_label = || self.flux_release.as_deref().and_then(flux_release);
        let (release, release_from) = match (by_image, by_label()) {
            (Some(release), _) => (release, ReleaseSource::Image),
            (None, Some(release)) => (release, ReleaseSource::Label),
            (None, None) => (FluxVersion::default(), ReleaseSource::Assumed),
        };
        Ok(Controller {
            version,
            release,
            release_from,
            no_cross_namespace_refs: flags.is_set("no-cross-namespace-refs", false),
            watch_label_selector,
            watch_namespace: (!flags.is_set("watch-all-namespaces", true))
                .then(|| self.namespace.clone()),
            feature_gates: flags.feature_gates(),
        })
    }

    /// The lease by which one of its pods works at a time; `None`: it runs without one. A selector makes the name another.
    pub fn lease_name(&self, kind: ControllerKind) -> Option<String> {
        let flags = Flags(&self.arguments);
        if !flags.is_set("enable-leader-election", false) {
            return None;
        }
        let base = format!("{}-leader-election", kind.name());
        let selector = flags.value("watch-label-selector").unwrap_or_default();
        if selector.is_empty() {
            return Some(base);
        }
        let sum = Sha256::digest(selector.as_bytes());
        let start: String = sum[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("{base}-{start}"))
    }

    fn version(&self) -> Option<String> {
        let name = self.image.split('@').next().unwrap_or_default();
        let tag = name.rsplit('/').next()?.split_once(':')?.1;
        let version = tag.strip_prefix('v').unwrap_or(tag);
        major_minor(version).map(|_| version.to_owned())
    }
}

/// kustomize-controller, as far as its decisions hang on how it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KustomizeController {
    /// What it looks after; selector, namespace and gates are read as those of the image controllers.
    pub watched: Controller,
    /// The account that applies where a Kustomization names none; empty: its own.
    pub default_service_account: String,
    /// Kustomizations can't fetch anything.
    pub no_remote_bases: bool,
    /// Field managers whose fields it takes over.
    pub override_managers: Vec<String>,
    /// A variable of `postBuild` that is not set and has no default is an error.
    pub strict_substitution: bool,
}

impl KustomizeController {
    /// The image's name.
    pub const NAME: &'static str = "kustomize-controller";

    /// One of `release` without flags.
    pub fn of_release(release: FluxVersion) -> Self {
        Self {
            watched: Controller::of_release(release),
            default_service_account: String::new(),
            no_remote_bases: false,
            override_managers: Vec::new(),
            strict_substitution: release >= FluxVersion::V2_9,
        }
    }

    /// The controller that a process is; `None`: it is another one, or would not start.
    pub fn of(process: &ControllerProcess) -> Option<Self> {
        let name = process.image.rsplit('/').next().unwrap_or_default();
        if name.split([':', '@']).next() != Some(Self::NAME) {
            return None;
        }
        let flags = Flags(&process.arguments);
        let mut watched = process.controller(ControllerKind::Automation).ok()?;
        // Its minor versions are those of Flux: 1.9 came with 2.9.
        let release = process.version().as_deref().and_then(major_minor);
        watched.release = match release {
            Some((1, 9..) | (2.., _)) => FluxVersion::V2_9,
            Some((1, 8)) => FluxVersion::V2_8,
            Some((1, 7)) => FluxVersion::V2_7,
            Some(_) => FluxVersion::V2_6,
            None => watched.release,
        };
        let strict = watched.release >= FluxVersion::V2_9;
        Some(Self {
            strict_substitution: watched.gate("StrictPostBuildSubstitutions", strict),
            default_service_account: flags
                .value("default-service-account")
                .unwrap_or_default()
                .to_owned(),
            no_remote_bases: flags.is_set("no-remote-bases", false),
            override_managers: flags.values("override-manager"),
            watched,
        })
    }
}

fn major_minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split('.');
    let mut number = || parts.next()?.parse::<u64>().ok();
    Some((number()?, number()?))
}

fn flux_release(version: &str) -> Option<FluxVersion> {
    Some(match major_minor(version)? {
        (2, 9..) | (3.., _) => FluxVersion::V2_9,
        (2, 8) => FluxVersion::V2_8,
        (2, 7) => FluxVersion::V2_7,
        _ => FluxVersion::V2_6,
    })
}

/// Command line arguments as pflag reads them; the last one of a name counts.
struct Flags<'a>(&'a [String]);

impl<'a> Flags<'a> {
    /// The value of `--name=value` or `--name value`; a bare `--name` at the end or before another flag is empty.
    fn value(&self, name: &str) -> Option<&'a str> {
        let mut found = None;
        let mut arguments = self.0.iter().map(String::as_str).peekable();
        while let Some(argument) = arguments.next() {
            let Some(flag) = argument.strip_prefix("--") else {
                continue;
            };
            match flag.split_once('=') {
                Some((flag, value)) if flag == name => found = Some(value),
                None if flag == name => {
                    let next = arguments.next_if(|next| !next.starts_with('-'));
                    found = Some(next.unwrap_or_default());
                }
                _ => {}
            }
        }
        found
    }

    /// All values of a flag that may be given several times.
    fn values(&self, name: &str) -> Vec<String> {
        let bare = format!("--{name}");
        let with_value = format!("--{name}=");
        let found = self.0.iter().enumerate().filter_map(|(at, argument)| {
            if *argument == bare {
                return self.0.get(at + 1).map(|value| (*value).to_owned());
            }
            argument.strip_prefix(&with_value).map(str::to_owned)
        });
        found.collect()
    }

    /// A flag that needs no value.
    fn is_set(&self, name: &str, default: bool) -> bool {
        let bare = format!("--{name}");
        let with_value = format!("--{name}=");
        let last = self.0.iter().rev().find_map(|argument| {
            if *argument == bare {
                Some(true)
            } else {
                let value = argument.strip_prefix(&with_value)?;
                Some(matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
            }
        });
        last.unwrap_or(default)
    }

    fn feature_gates(&self) -> BTreeMap<String, bool> {
        let gates = self.value("feature-gates").unwrap_or_default();
        gates
            .split(',')
            .filter_map(|gate| gate.trim().split_once('='))
            .map(|(name, value)| {
                (
                    name.trim().to_owned(),
                    value.trim().eq_ignore_ascii_case("true"),
                )
            })
            .collect()
    }
}

/// The controllers whose rules apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Those that scan and decide; sharding makes several.
    pub reflectors: Vec<Controller>,
    /// Those that update.
    pub automations: Vec<Controller>,
}

impl Installation {
    /// One controller of each kind, of `release` and without flags.
    pub fn of_release(release: FluxVersion) -> Self {
        Self {
            reflectors: vec![Controller::of_release(release)],
            automations: vec![Controller::of_release(release)],
        }
    }

    /// The same controllers as if they were of `release`.
    pub fn at_release(mut self, release: FluxVersion) -> Self {
        for controller in self.reflectors.iter_mut().chain(&mut self.automations) {
            controller.release = release;
            controller.release_from = ReleaseSource::Assumed;
        }
        self
    }

    /// The reflector that looks after an object; `None`: none does.
    pub fn reflector(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<&Controller> {
        watching(&self.reflectors, namespace, labels)
    }

    /// The automation controller that looks after an object; `None`: none does.
    pub fn automation(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<&Controller> {
        watching(&self.automations, namespace, labels)
    }
}

fn watching<'a>(
    controllers: &'a [Controller],
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Option<&'a Controller> {
    controllers
        .iter()
        .find(|controller| controller.watches(namespace, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(image: &str, arguments: &[&str]) -> ControllerProcess {
        ControllerProcess {
            image: image.into(),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            namespace: "flux-system".into(),
            ..ControllerProcess::default()
        }
    }

    #[test]
    fn the_image_tells_kind_and_release() {
        let of = |image: &str| {
            let process = process(image, &[]);
            let kind = process.kind()?;
            Some((kind, process.controller(kind).unwrap().release))
        };
        assert_eq!(
            of("ghcr.io/fluxcd/image-reflector-controller:v1.1.1"),
            Some((ControllerKind::Reflector, FluxVersion::V2_8))
        );
        assert_eq!(
            of("mirror:5000/image-automation-controller:v0.41.2@sha256:00"),
            Some((ControllerKind::Automation, FluxVersion::V2_6))
        );
        assert_eq!(
            of("x/image-automation-controller@sha256:00"),
            Some((ControllerKind::Automation, FluxVersion::V2_9))
        );
        assert_eq!(of("ghcr.io/fluxcd/source-controller:v1.9.3"), None);
        let mut labelled = process("x/image-automation-controller@sha256:00", &[]);
        labelled.flux_release = Some("2.7.3".into());
        assert_eq!(
            labelled
                .controller(ControllerKind::Automation)
                .unwrap()
                .release,
            FluxVersion::V2_7
        );
    }

    #[test]
    fn kustomize_controller_is_read_likewise() {
        let of =
            |image: &str, arguments: &[&str]| KustomizeController::of(&process(image, arguments));
        let found = of(
            "ghcr.io/fluxcd/kustomize-controller:v1.9.5",
            &[
                "--default-service-account=default",
                "--override-manager=rancher",
                "--override-manager",
                "argocd",
                "--no-remote-bases",
            ],
        )
        .unwrap();
        assert!(found.strict_substitution && found.no_remote_bases);
        assert_eq!(found.override_managers, ["rancher", "argocd"]);
        assert_eq!(found.default_service_account, "default");
        let found = of("x/kustomize-controller:v1.8.2", &[]).unwrap();
        assert!(!found.strict_substitution);
        let gate = "--feature-gates=StrictPostBuildSubstitutions=true";
        assert!(
            of("x/kustomize-controller:v1.8.2", &[gate])
                .unwrap()
                .strict_substitution
        );
        assert_eq!(of("x/source-controller:v1.9.3", &[]), None);
    }

    #[test]
    fn each_shard_has_a_lease_of_its_own() {
        let of = |arguments: &[&str]| {
            process("x/image-reflector-controller:v1.2.3", arguments)
                .lease_name(ControllerKind::Reflector)
        };
        assert_eq!(of(&[]), None);
        let elects = "--enable-leader-election";
        assert_eq!(
            of(&[elects]).as_deref(),
            Some("image-reflector-controller-leader-election")
        );
        assert_eq!(
            of(&[
                elects,
                "--watch-label-selector=sharding.fluxcd.io/key=shard1"
            ])
            .as_deref(),
            Some("image-reflector-controller-leader-election-73fdc1be")
        );
    }

    #[test]
    fn flags_are_read_as_pflag_does() {
        let controller = process(
            "x/image-reflector-controller:v1.2.3",
            &[
                "--watch-all-namespaces=false",
                "--no-cross-namespace-refs",
                "--watch-label-selector",
                "sharding.fluxcd.io/key=shard1",
                "--feature-gates=FluxStorage=true,CacheSecretsAndConfigMaps=false",
            ],
        )
        .controller(ControllerKind::Reflector)
        .unwrap();
        assert!(controller.no_cross_namespace_refs);
        assert_eq!(controller.watch_namespace.as_deref(), Some("flux-system"));
        assert!(controller.gate("FluxStorage", false));
        assert!(!controller.gate("ObjectLevelWorkloadIdentity", false));
        let labels = BTreeMap::from([("sharding.fluxcd.io/key".to_owned(), "shard1".to_owned())]);
        assert!(controller.watches("flux-system", &labels));
        assert!(!controller.watches("apps", &labels));
        assert!(!controller.watches("flux-system", &BTreeMap::new()));
        assert_eq!(
            controller.watched(),
            "--watch-all-namespaces=false in flux-system --watch-label-selector=sharding.fluxcd.io/key=shard1"
        );
        for selector in ["a in", "a!=b"] {
            let flag = format!("--watch-label-selector={selector}");
            let process = process("x/image-reflector-controller:v1", &[&flag]);
            assert!(process.controller(ControllerKind::Reflector).is_err());
        }
    }
}
