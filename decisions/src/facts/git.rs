//! A work tree: what a clone of it would hold; and what a client needs to clone one.

use std::collections::BTreeMap;
use std::fmt;

use super::network::{ClientTls, Proxy};

mod entries;

pub use entries::{Entries, Unordered};

/// How to log in to a git server; what is secret in it never leaves by `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum GitLogin {
    /// Without credentials.
    #[default]
    Anonymous,
    /// http: a user and a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// http: a bearer token.
    Bearer(String),
    /// ssh: a private key.
    Key {
        /// The user.
        user: String,
        /// The key, PEM.
        identity: Vec<u8>,
        /// The passphrase of the key, or empty.
        passphrase: String,
        /// The host keys that are trusted, in OpenSSH's format.
        known_hosts: Vec<u8>,
    },
    /// Whatever the user's own git would use.
    UserOwn,
}

impl fmt::Debug for GitLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::Key { .. } => "Key",
            Self::UserOwn => "UserOwn",
        })
    }
}

/// Everything that a client needs to talk to a git server as the controller would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitAccess {
    /// Who we are.
    pub login: GitLogin,
    /// Certificates of https.
    pub tls: ClientTls,
    /// The proxy of the object, not of the environment.
    pub proxy: Option<Proxy>,
}

/// A GitHub App, whose tokens log in to git over http; its key never leaves by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GitHubApp {
    /// Where its API is, as the Secret has it; empty: GitHub's own.
    pub api: String,
    /// The app.
    pub id: i64,
    /// Where it is installed.
    pub installation: AppInstallation,
    /// Its RSA key, PEM.
    pub private_key: Vec<u8>,
}

/// Where a GitHub App is installed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AppInstallation {
    /// The installation itself.
    Id(i64),
    /// An organization or a user, whose installation has to be asked for.
    Owner(String),
}

impl fmt::Debug for GitHubApp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GitHubApp")
            .field("id", &self.id)
            .field("installation", &self.installation)
            .finish_non_exhaustive()
    }
}

/// The refs that a git server advertises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteRefs {
    /// Full name to id, without `HEAD`.
    pub ids: BTreeMap<String, String>,
    /// Full names of annotated tags to the id of what they finally lead to.
    pub peeled: BTreeMap<String, String>,
    /// The id of `HEAD`; `None` where it leads nowhere.
    pub head: Option<String>,
    /// The branch that `HEAD` is, where the server tells it.
    pub default_branch: Option<String>,
}

impl RemoteRefs {
    /// Whether the repository holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.head.is_none()
    }
}

/// The URL without a user name, password or token: how URLs are shown.
pub fn without_user_info(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// The URL as the controller's texts have it, but without what may be secret: of ssh the user stays, which is no secret,
/// while a user of http may be a token.
pub fn without_secrets(url: &str) -> String {
    let user = match url.split_once("://") {
        Some(("ssh", rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            rest[..end].rsplit_once('@').map(|(user, _)| user)
        }
        _ => None,
    };
    match user {
        Some(user) if !user.contains(':') => url.to_owned(),
        _ => without_user_info(url),
    }
}

/// A commit, as git stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its id.
    pub id: String,
    /// The id of its tree.
    pub tree: String,
    /// The ids of its parents.
    pub parents: Vec<String>,
    /// `NAME <MAIL>`, without the time.
    pub author: String,
    /// `NAME <MAIL>`, without the time.
    pub committer: String,
    /// The whole message.
    pub message: Vec<u8>,
    /// Whether it is signed.
    pub signed: bool,
}

impl CommitFacts {
    /// Reads a commit's own bytes; `None` where they are none.
    pub fn parse(id: &str, bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|two| two == b"\n\n")?;
        let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut facts = Self {
            id: id.to_owned(),
            message: bytes[end + 2..].to_vec(),
            ..Self::default()
        };
        for line in header.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let person = || value[..=value.rfind('>').unwrap_or(0)].to_owned();
            match key {
                "tree" => facts.tree = value.to_owned(),
                "parent" => facts.parents.push(value.to_owned()),
                "author" if !value.is_empty() => facts.author = person(),
                "committer" if !value.is_empty() => facts.committer = person(),
                "gpgsig" => facts.signed = true,
                _ => {}
            }
        }
        (!facts.tree.is_empty()).then_some(facts)
    }
}

/// What stands at a path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEntry {
    /// An ordinary file.
    File,
    /// A symbolic link and where it points, as written in it.
    Link(String),
    /// Another repository; a clone leaves its folder empty.
    Submodule,
}

/// The files of a repository by path (relative to its top, `/` between parts), and where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkTree {
    /// Every entry; folders are implied.
    pub entries: Entries,
    /// The commit that is checked out; `None` outside a repository and before its first commit.
    pub commit: Option<String>,
    /// The branch that is checked out, if one is.
    pub branch: Option<String>,
    /// Paths that aren't UTF-8, as text with U+FFFD: they are not read.
    pub unreadable_paths: Vec<String>,
}

/// What a path of a tree leads to when no link is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// A folder.
    Folder,
    /// An entry of its own.
    Entry(&'a TreeEntry),
    /// Nothing.
    Missing,
}

impl WorkTree {
    /// What stands at `path`; the empty path is the top.
    pub fn look_up(&self, path: &str) -> Lookup<'_> {
        if path.is_empty() {
            return Lookup::Folder;
        }
        if let Some(entry) = self.entries.get(path) {
            return if *entry == TreeEntry::Submodule {
                Lookup::Folder
            } else {
                Lookup::Entry(entry)
            };
        }
        if self.entries.below(path).is_empty() {
            Lookup::Missing
        } else {
            Lookup::Folder
        }
    }
}

#[cfg(test)]
impl WorkTree {
    /// A tree of files, and of links to what stands beside their paths.
    pub(crate) fn of(entries: &[(&str, Option<&str>)]) -> Self {
        let entries = entries.iter().map(|(path, link)| {
            let entry = link.map_or(TreeEntry::File, |target| TreeEntry::Link(target.to_owned()));
            (*path, entry)
        });
        Self {
            entries: entries.collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CommitFacts, without_secrets, without_user_info};

    #[test]
    fn a_commit_is_read() {
        let bytes = b"tree 1\nparent 2\nauthor A B <a@b> 5 +0000\ncommitter C <c@d> 5 +0000\ngpgsig x\n y\n\nline\n\nmore";
        let facts = CommitFacts::parse("3", bytes).unwrap();
        assert_eq!(
            (facts.tree.as_str(), facts.author.as_str()),
            ("1", "A B <a@b>")
        );
        assert_eq!(
            (facts.message.as_slice(), facts.signed),
            (&b"line\n\nmore"[..], true)
        );
        assert_eq!(CommitFacts::parse("3", b"nothing"), None);
    }

    #[test]
    fn the_user_of_ssh_is_no_secret() {
        for (url, shown) in [
            ("ssh://git@example.com/a", "ssh://git@example.com/a"),
            ("ssh://git:x@example.com/a", "ssh://example.com/a"),
            ("ssh://example.com/a@b", "ssh://example.com/a@b"),
            ("https://token@example.com/a", "https://example.com/a"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn urls_are_shown_without_user_information() {
        assert_eq!(
            without_user_info("https://bot:p@ss@git.example.com/a@b"),
            "https://git.example.com/a@b"
        );
        assert_eq!(
            without_user_info("ssh://git@git.example.com:22/a"),
            "ssh://git.example.com:22/a"
        );
        assert_eq!(
            without_user_info("https://git.example.com"),
            "https://git.example.com"
        );
    }
}
