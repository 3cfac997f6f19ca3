//! The flags that most commands share, and their typed form.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::controllers::flux::{FluxVersion, ObjectKey};
use crate::failure::Failure;
use crate::io::manifests::ManifestSource;
use crate::pipeline::request::{Assumption, NamespaceScope, TagSource, WorktreeSetting};

use super::invocation::Invocation;

/// Flags that stand before or after the command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// Read Flux objects from manifests: a file, a folder, or - for standard input (repeatable); no cluster is asked
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

    /// The namespace; with -f and without this flag all namespaces of the manifests count
    #[arg(
        short = 'n',
        long,
        value_name = "NAMESPACE",
        global = true,
        help_heading = "Input"
    )]
    pub namespace: Option<String>,

    /// All namespaces
    #[arg(
        short = 'A',
        long,
        global = true,
        conflicts_with = "namespace",
        help_heading = "Input"
    )]
    pub all_namespaces: bool,

    /// Whose rules apply: a Flux release [default: 2.9, or 2.6 when the manifests hold v1beta1 or v1beta2 image objects]
    #[arg(
        long,
        value_enum,
        value_name = "RELEASE",
        global = true,
        help_heading = "Input"
    )]
    pub flux_version: Option<FluxVersionArg>,

    /// Where tags come from: a recording (a file), or `status`, each policy's status.latestRef
    #[arg(
        long,
        value_name = "FILE|status",
        global = true,
        help_heading = "Input"
    )]
    pub tags_from: Option<PathBuf>,

    /// A local checkout that stands for the GitRepository, its uncommitted and untracked files included (repeatable with NS/NAME=)
    #[arg(
        long,
        value_name = "[NS/NAME=]DIR",
        global = true,
        help_heading = "Input"
    )]
    pub worktree: Vec<String>,

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
    /// One name a line.
    Name,
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

impl GlobalArgs {
    /// The manifests of `-f`.
    pub fn manifests(&self) -> Result<Vec<ManifestSource>, Failure> {
        if self.filename.is_empty() {
            return Err(Failure::usage(
                "reading objects from a cluster is not supported yet: name manifests with -f FILE|DIR|-",
            ));
        }
        if self
            .filename
            .iter()
            .filter(|path| path.as_os_str() == "-")
            .count()
            > 1
        {
            return Err(Failure::usage("-f -: standard input can be read only once"));
        }
        let source = |path: &PathBuf| {
            if path.as_os_str() == "-" {
                ManifestSource::Stdin
            } else {
                ManifestSource::Path(path.clone())
            }
        };
        Ok(self.filename.iter().map(source).collect())
    }

    /// The namespaces that count.
    pub fn scope(&self) -> Result<NamespaceScope, Failure> {
        match &self.namespace {
            Some(namespace) if namespace.is_empty() => {
                Err(Failure::usage("-n: the namespace is empty"))
            }
            Some(namespace) => Ok(NamespaceScope::One(namespace.clone())),
            None => Ok(NamespaceScope::All),
        }
    }

    /// What an object without a namespace gets.
    pub fn default_namespace(&self, invocation: &Invocation) -> String {
        self.namespace
            .clone()
            .unwrap_or_else(|| invocation.default_namespace())
    }
}

impl GlobalArgs {
    /// `--tags-from`.
    pub fn tags(&self) -> Result<TagSource, Failure> {
        match &self.tags_from {
            Some(path) if path.as_os_str() == "status" => Ok(TagSource::Status),
            Some(path) if path.as_os_str() == "registry" => Err(not_yet()),
            Some(path) => Ok(TagSource::Recording(path.clone())),
            None => Err(not_yet()),
        }
    }

    /// `--worktree`.
    pub fn worktrees(&self) -> Result<Vec<WorktreeSetting>, Failure> {
        self.worktree.iter().map(|text| worktree(text)).collect()
    }

    /// `--assume`.
    pub fn assumptions(&self) -> Result<Vec<Assumption>, Failure> {
        self.assume.iter().map(|text| assumption(text)).collect()
    }
}

fn not_yet() -> Failure {
    Failure::usage(
        "listing tags from a registry is not supported yet: use --tags-from FILE or --tags-from status",
    )
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
