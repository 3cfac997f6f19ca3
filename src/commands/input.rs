//! The flags that most commands share, and their typed form.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::controllers::flux::{FluxVersion, ObjectKey};
use crate::controllers::labels::Selector;
use crate::failure::Failure;
use crate::io::cluster::{Connection, Recorder};
use crate::io::manifests::ManifestSource;
use crate::io::registry::MAX_TAGS;
use crate::pipeline::replay::Replay;
use crate::pipeline::request::{
    Assumption, NamespaceScope, ObjectRequest, ObjectSource, TagSource, WorktreeSetting,
};
use crate::pipeline::session::{FOREVER, RegistryLimits, Session, SessionSettings};
use crate::pipeline::settle;

use super::connection::{ConnectionArgs, duration};
use super::interruption;
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Flags that stand before or after the command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Read Flux objects from manifests instead of the cluster: a file, a folder, or - for standard input (repeatable)
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE|DIR|-",
        global = true,
        help_heading = "Input"
    )]
    pub filename: Vec<PathBuf>,

    /// Read folders given to -f with all that is below them
    #[arg(short = 'R', long, global = true, help_heading = "Input")]
    pub recursive: bool,

    /// The namespace [default: that of the kubeconfig's context; with -f all namespaces of the manifests]
    #[arg(
        short = 'n',
        long,
        value_name = "NAMESPACE",
        global = true,
        help_heading = "Input"
    )]
    pub namespace: Option<String>,

    /// All namespaces
    #[arg(short = 'A', long, global = true, help_heading = "Input")]
    pub all_namespaces: bool,

    /// Only objects whose labels match, such as app=shop,tier in (web, api),!canary
    #[arg(
        short = 'l',
        long,
        value_name = "SELECTOR",
        global = true,
        help_heading = "Input"
    )]
    pub selector: Option<String>,

    /// Whose rules apply: a Flux release [default: what runs in the cluster; with -f 2.9, or 2.6 when the manifests hold v1beta1 or v1beta2 image objects]
    #[arg(
        long,
        value_enum,
        value_name = "RELEASE",
        global = true,
        help_heading = "Input"
    )]
    pub flux_version: Option<FluxVersionArg>,

    /// Where tags come from: the `registry`, a recording (a file), or `status`, each policy's status.latestRef [default: registry]
    #[arg(
        long,
        value_name = "registry|status|FILE",
        global = true,
        help_heading = "Input"
    )]
    pub tags_from: Option<PathBuf>,

    /// A local checkout instead of a clone of the GitRepository, its uncommitted and untracked files included (repeatable with NS/NAME=)
    #[arg(
        long,
        value_name = "[NS/NAME=]DIR",
        global = true,
        help_heading = "Input"
    )]
    pub worktree: Vec<String>,

    /// Answer from a folder that `snapshot` has written, as of the moment when it was taken: in the place of -f, --tags-from and
    /// --worktree, with no cluster, registry or git server
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "filename",
        global = true,
        help_heading = "Input"
    )]
    pub snapshot: Option<PathBuf>,

    /// As if the policy's latest image had this tag (repeatable)
    #[arg(
        long,
        value_name = "NS/POLICY=TAG[@DIGEST]",
        global = true,
        help_heading = "Input"
    )]
    pub assume: Vec<String>,

    /// The form of the result
    #[arg(
        short = 'o',
        long,
        value_enum,
        value_name = "FORMAT",
        global = true,
        help_heading = "Output"
    )]
    pub output: Option<OutputFormat>,

    /// When to use colours; NO_COLOR and CLICOLOR_FORCE count for auto
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        global = true,
        help_heading = "Output"
    )]
    pub color: ColorWhen,

    /// Say nothing but errors on stderr
    #[arg(short = 'q', long, global = true, help_heading = "Output")]
    pub quiet: bool,

    /// Tell each request and program on stderr; every level from 1 up tells the same
    #[arg(short = 'v', value_name = "LEVEL", global = true, num_args = 0..=1, require_equals = true, default_missing_value = "1", default_value = "0", hide_default_value = true, help_heading = "Output")]
    pub verbosity: u8,

    /// The same as -v
    #[arg(long, global = true, help_heading = "Output")]
    pub verbose: bool,

    /// Leave out the headers of tables
    #[arg(
        long = "no-headers",
        alias = "no-header",
        global = true,
        help_heading = "Output"
    )]
    pub no_headers: bool,

    /// Sort tables by a field, such as .metadata.creationTimestamp
    #[arg(long, value_name = "JSONPATH", global = true, help_heading = "Output")]
    pub sort_by: Option<String>,

    /// Show labels as the last column of tables
    #[arg(long, global = true, help_heading = "Output")]
    pub show_labels: bool,

    /// The limit of the whole call, such as 90s [default: 5m; none while a watch waits]
    #[arg(long, value_name = "DURATION", global = true, help_heading = "Cluster")]
    pub timeout: Option<String>,

    /// How many requests may be under way to one registry host at a time
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=256),
        global = true,
        help_heading = "Registries"
    )]
    pub max_requests_per_host: usize,

    /// How many tags an image may have; more are an error, never a shortened list
    #[arg(
        long,
        value_name = "N",
        default_value_t = MAX_TAGS,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..),
        global = true,
        help_heading = "Registries"
    )]
    pub max_tags: usize,

    /// Called as a flux plugin: take the namespace of the kubeconfig's context instead of flux-system
    #[arg(
        long,
        env = "FLUX_NS_FOLLOWS_KUBE_CONTEXT",
        value_parser = clap::builder::FalseyValueParser::new(),
        hide_env = true,
        global = true,
        help_heading = "Cluster"
    )]
    pub ns_follows_kube_context: bool,

    /// Which cluster, and who asks it
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// One name a line.
    Name,
    /// The table with more columns.
    Wide,
    /// Findings as SARIF 2.1.0.
    Sarif,
    /// Findings as JUnit test cases.
    Junit,
    /// Findings as annotations of a GitHub workflow.
    Github,
    /// Markdown for a comment.
    Markdown,
    /// Findings as metrics for a Prometheus textfile.
    Prometheus,
    /// Commits as mails for git am.
    Mbox,
}

impl OutputFormat {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Name => "name",
            Self::Wide => "wide",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Github => "github",
            Self::Markdown => "markdown",
            Self::Prometheus => "prometheus",
            Self::Mbox => "mbox",
        }
    }
}

/// `--flux-version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FluxVersionArg {
    /// Flux 2.6.
    #[value(name = "2.6")]
    V2_6,
    /// Flux 2.7.
    #[value(name = "2.7")]
    V2_7,
    /// Flux 2.8.
    #[value(name = "2.8")]
    V2_8,
    /// Flux 2.9.
    #[value(name = "2.9")]
    V2_9,
}

impl From<FluxVersionArg> for FluxVersion {
    fn from(argument: FluxVersionArg) -> Self {
        match argument {
            FluxVersionArg::V2_6 => Self::V2_6,
            FluxVersionArg::V2_7 => Self::V2_7,
            FluxVersionArg::V2_8 => Self::V2_8,
            FluxVersionArg::V2_9 => Self::V2_9,
        }
    }
}

/// Where a run looks, settled: flags, kubeconfig and the name of the call together.
pub struct Ground {
    /// What every command that reads objects is told.
    pub objects: ObjectRequest,
    /// The cluster, where one is asked.
    pub connection: Option<Connection>,
    /// `--timeout`
    pub limit: Duration,
    /// The snapshot, where one answers.
    pub replay: Option<Arc<Replay>>,
    /// The moment that counts as now.
    pub now: jiff::Timestamp,
}

impl Ground {
    /// The namespace of what names none in the cluster, as kubectl has it.
    pub fn cluster_namespace(&self) -> &str {
        let connection = self.connection.as_ref();
        connection.map_or("default", |connection| &connection.namespace)
    }
}

impl GlobalArgs {
    /// Settles where objects come from and which namespaces count. Reads the kubeconfig unless there is `-f`.
    pub fn ground(&self, invocation: Invocation) -> Result<Ground, Failure> {
        if self.namespace.as_deref() == Some("") {
            return Err(Failure::usage("-n: the namespace is empty"));
        }
        let limit = duration("--timeout", self.timeout.as_deref().unwrap_or("5m"))?;
        let source = self.source()?;
        let selector = self.selector()?;
        let replay = self.snapshot.as_deref().map(Replay::read).transpose()?;
        let replay = replay.map(Arc::new);
        let connection = (self.filename.is_empty() && replay.is_none())
            .then(|| settle(&self.connection.settings()?))
            .transpose()?;
        let recorded = replay.as_ref().map(|replay| &replay.facts);
        let own = recorded.map_or_else(
            || invocation.flux_namespace(),
            |facts| facts.flux_namespace.clone(),
        );
        let default_namespace = match (&self.namespace, &connection, invocation) {
            (Some(namespace), _, _) => namespace.clone(),
            _ if recorded.is_some() => recorded
                .map(|facts| facts.namespace.clone())
                .unwrap_or_default(),
            (None, _, Invocation::Flux) if !self.ns_follows_kube_context => own.clone(),
            (None, Some(connection), _) => connection.namespace.clone(),
            (None, None, Invocation::Flux) => own.clone(),
            (None, None, Invocation::Kubectl) => "default".into(),
        };
        let objects = ObjectRequest {
            source,
            scope: self.scope(&default_namespace),
            default_namespace,
            flux_namespace: own,
            flux_version: self.flux_version.map(Into::into),
            selector,
        };
        Ok(Ground {
            objects,
            connection,
            limit,
            now: replay
                .as_ref()
                .and_then(|replay| replay.now)
                .unwrap_or_else(jiff::Timestamp::now),
            replay,
        })
    }

    /// A run that waits for something ends by nothing but a timeout that is asked for.
    pub fn waits(&self, ground: &mut Ground) {
        if self.timeout.is_none() {
            ground.limit = FOREVER;
        }
    }

    /// Settles the cluster for a run that asks one although its objects come from manifests.
    ///
    /// # Errors
    ///
    /// No cluster is configured.
    pub fn add_cluster(&self, ground: &mut Ground) -> Result<(), Failure> {
        if ground.connection.is_none() {
            let connection = settle(&self.connection.settings()?);
            ground.connection = Some(connection.map_err(|failure| Failure {
                message: format!("--dry-run=server asks a cluster: {failure}"),
                ..failure
            })?);
        }
        Ok(())
    }

    fn source(&self) -> Result<ObjectSource, Failure> {
        if self.filename.is_empty() {
            return Ok(ObjectSource::Cluster);
        }
        let stdin = |path: &&PathBuf| path.as_os_str() == "-";
        if self.filename.iter().filter(stdin).count() > 1 {
            return Err(Failure::usage("-f -: standard input can be read only once"));
        }
        let source = |path: &PathBuf| {
            if path.as_os_str() == "-" {
                ManifestSource::Stdin
            } else {
                ManifestSource::Path(path.clone())
            }
        };
        Ok(ObjectSource::Manifests {
            sources: self.filename.iter().map(source).collect(),
            recursive: self.recursive,
        })
    }

    fn scope(&self, default_namespace: &str) -> NamespaceScope {
        match &self.namespace {
            _ if self.all_namespaces => NamespaceScope::All,
            Some(namespace) => NamespaceScope::One(namespace.clone()),
            None if !self.filename.is_empty() => NamespaceScope::All,
            None => NamespaceScope::One(default_namespace.to_owned()),
        }
    }

    fn selector(&self) -> Result<Option<(String, Selector)>, Failure> {
        let Some(text) = self
            .selector
            .as_ref()
            .filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        let selector = Selector::parse(text)
            .map_err(|error| Failure::usage(format!("-l {text}: is no label selector: {error}")))?;
        Ok(Some((text.clone(), selector)))
    }

    /// Opens the session of a run.
    pub fn session(&self, ground: &Ground, terminal: &Terminal) -> Result<Session, Failure> {
        self.open_session(ground, terminal, ground.replay.clone(), None)
    }

    /// Opens a session whose cluster is heard, and in which `replay` answers in the place of registries and git servers.
    pub fn recording_session(
        &self,
        ground: &Ground,
        terminal: &Terminal,
        replay: Option<Arc<Replay>>,
        recorder: Recorder,
    ) -> Result<Session, Failure> {
        self.open_session(ground, terminal, replay, Some(recorder))
    }

    fn open_session(
        &self,
        ground: &Ground,
        terminal: &Terminal,
        replay: Option<Arc<Replay>>,
        recorder: Option<Recorder>,
    ) -> Result<Session, Failure> {
        interruption::watch();
        Session::open(SessionSettings {
            now: ground.now,
            replay,
            recorder,
            observer: terminal.observer(self.verbosity > 0 || self.verbose),
            limit: ground.limit,
            connection: ground.connection.clone(),
            registries: RegistryLimits {
                max_requests_per_host: self.max_requests_per_host,
                max_tags: self.max_tags,
            },
        })
    }

    /// Refuses the flags of tables, and the forms of output that a command doesn't have.
    pub fn fits(&self, command: &str) -> Result<(), Failure> {
        let forms = super::forms::of(command);
        if let Some(form) = self.output.filter(|form| !forms.contains(form)) {
            let known: Vec<&str> = forms.iter().map(|form| form.word()).collect();
            return Err(Failure::usage(format!(
                "-o {} does not fit {command}: use {}none",
                form.word(),
                match known.as_slice() {
                    [] => String::new(),
                    known => format!("{} or ", known.join(", ")),
                }
            )));
        }
        let table = [
            (self.no_headers, "--no-headers"),
            (self.sort_by.is_some(), "--sort-by"),
            (self.show_labels, "--show-labels"),
        ];
        match table.iter().find(|(given, _)| *given) {
            Some((_, flag)) if command != "get" => Err(Failure::usage(format!(
                "{flag} does not fit {command}: it is for the tables of get"
            ))),
            _ => Ok(()),
        }
    }
}

impl GlobalArgs {
    /// Refuses a flag that asks what a snapshot can't answer.
    pub fn asks_more_than_a_snapshot(&self, flag: &str) -> Result<(), Failure> {
        match &self.snapshot {
            Some(_) => Err(Failure::usage(format!(
                "{flag} does not fit --snapshot: it asks for more than was recorded"
            ))),
            None => Ok(()),
        }
    }

    /// Refuses the flags of commands that decide something.
    pub fn decides_nothing(&self, command: &str) -> Result<(), Failure> {
        let deciding = [
            (self.tags_from.is_some(), "--tags-from"),
            (!self.worktree.is_empty(), "--worktree"),
            (!self.assume.is_empty(), "--assume"),
        ];
        match deciding.iter().find(|(given, _)| *given) {
            Some((_, flag)) => Err(Failure::usage(format!(
                "{flag} does not fit {command}: it is for commands that decide something, such as diff"
            ))),
            None => Ok(()),
        }
    }

    /// `--tags-from`.
    pub fn tags(&self) -> Result<TagSource, Failure> {
        match &self.tags_from {
            Some(path) if path.as_os_str() == "status" => Ok(TagSource::Status),
            Some(path) if path.as_os_str() == "registry" => Ok(TagSource::Registry),
            Some(path) if path.as_os_str().is_empty() => {
                Err(Failure::usage("--tags-from: the file's name is empty"))
            }
            Some(path) => Ok(TagSource::Recording(path.clone())),
            None => Ok(TagSource::Registry),
        }
    }

    /// `--worktree`.
    pub fn worktrees(&self) -> Result<Vec<WorktreeSetting>, Failure> {
        let mut settings: Vec<WorktreeSetting> = Vec::new();
        for text in &self.worktree {
            let setting = worktree(text)?;
            if settings.iter().any(|other| other.source == setting.source) {
                return Err(Failure::usage(match &setting.source {
                    Some(source) => format!("--worktree: {source} is named twice"),
                    None => "--worktree DIR stands for one GitRepository: where there are several folders, name each as --worktree NAMESPACE/NAME=DIR".into(),
                }));
            }
            settings.push(setting);
        }
        Ok(settings)
    }

    /// `--assume`.
    pub fn assumptions(&self) -> Result<Vec<Assumption>, Failure> {
        self.assume.iter().map(|text| assumption(text)).collect()
    }
}

fn worktree(text: &str) -> Result<WorktreeSetting, Failure> {
    if text.is_empty() {
        return Err(Failure::usage("--worktree: the folder is empty"));
    }
    // A folder may have a `=` of its own: only NAMESPACE/NAME before it makes it a name.
    if let Some((source, folder)) = text.split_once('=')
        && let Some(key) = object_key(source).filter(|_| !std::path::Path::new(text).exists())
    {
        return Ok(WorktreeSetting {
            source: Some(key),
            folder: folder.into(),
        });
    }
    Ok(WorktreeSetting {
        source: None,
        folder: text.into(),
    })
}

fn object_key(text: &str) -> Option<ObjectKey> {
    let (namespace, name) = text.split_once('/')?;
    let plain =
        |part: &str| !part.is_empty() && !part.contains(['/', '\\']) && part != "." && part != "..";
    (plain(namespace) && plain(name)).then(|| ObjectKey::new(namespace, name))
}

fn assumption(text: &str) -> Result<Assumption, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "--assume {text}: is not NAMESPACE/POLICY=TAG[@DIGEST]"
        ))
    };
    let (policy, image) = text.split_once('=').ok_or_else(wrong)?;
    let policy = object_key(policy).ok_or_else(wrong)?;
    let (tag, digest) = image.split_once('@').unwrap_or((image, ""));
    if tag.is_empty() || (image.contains('@') && digest.is_empty()) {
        return Err(wrong());
    }
    Ok(Assumption {
        policy,
        tag: tag.into(),
        digest: digest.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worktree_may_name_its_source() {
        let named = worktree("flux-system/gitops=../gitops").unwrap();
        assert_eq!(named.source, Some(ObjectKey::new("flux-system", "gitops")));
        assert_eq!(worktree("./a=b/c").unwrap().source, None);
        assert_eq!(
            worktree("a/b/c=d").unwrap().folder,
            PathBuf::from("a/b/c=d")
        );
    }

    #[test]
    fn an_assumption_needs_policy_and_tag() {
        let read = assumption("ns/app=1.2.3@sha256:ab").unwrap();
        assert_eq!(
            (read.tag.as_str(), read.digest.as_str()),
            ("1.2.3", "sha256:ab")
        );
        for wrong in ["app=1", "ns/app", "ns/app=", "ns/app=1@", "=1"] {
            assert!(assumption(wrong).is_err(), "{wrong}");
        }
    }
}
