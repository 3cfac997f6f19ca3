//! Mirrors kyaml 0.21.1 `kio/pkgio_writer.go` and what Linux does for it: where a path leads when links are followed, and what can be
//! written there.

use super::Standing;
use crate::facts::git::{Lookup, TreeEntry, WorkTree};

/// Links that Linux follows in one path before it takes it for a loop.
const MOST_LINKS: usize = 40;

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    /// To a folder.
    Folder,
    /// To the file at this path.
    File(String),
    /// To nothing; a file can be made at this path, if there is one.
    Nothing(Option<String>),
    /// Through a file as if it were a folder.
    NotAFolder,
    /// To a file or to nothing, by a name that ends in a slash.
    WithSlash,
    /// Through too many links.
    Loop,
}

/// Follows a path of the tree, from its top, as the operating system does. What is outside the tree counts as nothing.
pub(super) fn follow(tree: &WorkTree, path: &str) -> Followed {
    follow_among(tree, &[], path)
}

/// As [`follow`], when the folders of some files were made besides.
fn follow_among(tree: &WorkTree, made: &[String], path: &str) -> Followed {
    let is_made = |folder: &str| {
        let inside = |file: &String| {
            file.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        made.iter().any(inside)
    };
    let mut resolved: Vec<String> = Vec::new();
    let mut remaining: Vec<String> = parts_reversed(path);
    let mut links = 0;
    while let Some(part) = remaining.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                if resolved.pop().is_none() {
                    return Followed::Nothing(None);
                }
                continue;
            }
            _ => resolved.push(part),
        }
        let here = resolved.join("/");
        match tree.look_up(&here) {
            Lookup::Folder => {}
            Lookup::Missing if is_made(&here) => {}
            Lookup::Entry(TreeEntry::Link(target)) => {
                links += 1;
                if links > MOST_LINKS {
                    return Followed::Loop;
                }
                if target.starts_with('/') {
                    return Followed::Nothing(None);
                }
                resolved.pop();
                remaining.extend(parts_reversed(target));
            }
            Lookup::Entry(_) if remaining.is_empty() => return Followed::File(here),
            Lookup::Entry(_) | Lookup::Missing
                if !remaining.is_empty() && remaining.iter().all(String::is_empty) =>
            {
                return Followed::WithSlash;
            }
            Lookup::Entry(_) => return Followed::NotAFolder,
            Lookup::Missing => return Followed::Nothing(remaining.is_empty().then_some(here)),
        }
    }
    Followed::Folder
}

/// What stands where a file below `root` is to be written, and where that is, when the folders of the files `made` were made.
pub fn standing(tree: &WorkTree, made: &[String], root: &str, relative: &str) -> Standing {
    let path = joined(root, relative);
    // The controller's package is the root.
    let named = |what: &str, at: &str, why: &str| {
        let at = at[root.len()..].trim_start_matches('/');
        format!("{what} {}/{at}: {why}", super::PACKAGE)
    };
    let no_folder = |at: &str, why: &str| Standing::NoFolder(named("mkdir", at, why));
    let no_file = |why: &str| Standing::NoFile(named("open", &path, why));
    let found = follow_among(tree, made, &path);
    if found == Followed::Folder {
        return Standing::Folder;
    }
    // The folders are made first.
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut at = 0;
    while at < parent.len() {
        let end = parent[at..].find('/').map_or(parent.len(), |end| at + end);
        let folder = &parent[..end];
        match follow_among(tree, made, folder) {
            Followed::Folder => {}
            Followed::File(_) => return no_folder(folder, "not a directory"),
            Followed::Nothing(_) if tree.look_up(folder) == Lookup::Missing => {
                let behind = behind_links(tree, folder);
                return Standing::Nothing(format!("{behind}{}", &path[end..]));
            }
            // A link that leads nowhere stands in the way.
            Followed::Nothing(_) | Followed::NotAFolder | Followed::WithSlash | Followed::Loop => {
                return no_folder(folder, "file exists");
            }
        }
        at = end + 1;
    }
    match found {
        Followed::Folder => Standing::Folder,
        Followed::File(file) => Standing::File(file),
        Followed::Nothing(Some(file)) => Standing::Nothing(file),
        Followed::Nothing(None) => no_file("no such file or directory"),
        Followed::NotAFolder => no_file("not a directory"),
        // Linux says so of every name that a file could only be made under without the slash.
        Followed::WithSlash => no_file("is a directory"),
        Followed::Loop => no_file("too many levels of symbolic links"),
    }
}

/// The path of a folder that isn't there, whose parent is: with the links to the parent followed.
fn behind_links(tree: &WorkTree, folder: &str) -> String {
    match follow(tree, folder) {
        Followed::Nothing(Some(path)) => path,
        _ => folder.to_owned(),
    }
}

/// `relative` below `root`, which may be the top.
pub fn joined(root: &str, relative: &str) -> String {
    if root.is_empty() {
        relative.to_owned()
    } else {
        format!("{root}/{relative}")
    }
}

pub(super) fn parts_reversed(path: &str) -> Vec<String> {
    path.split('/').rev().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_links_are_followed_and_no_more() {
        let mut links = WorkTree::of(&[("a.yaml", None)]);
        for number in 0..41 {
            let target = match number {
                0 => "a.yaml".to_owned(),
                _ => format!("l{}", number - 1),
            };
            let link = (format!("l{number}"), TreeEntry::Link(target));
            links.entries.extend([link]);
        }
        assert_eq!(follow(&links, "l39"), Followed::File("a.yaml".into()));
        assert_eq!(follow(&links, "l40"), Followed::Loop);
    }

    #[test]
    fn a_file_is_written_behind_the_links_to_it() {
        let tree = WorkTree::of(&[
            ("apps/a.yaml", None),
            ("shop", Some("apps")),
            ("l.yaml", Some("apps/a.yaml")),
            ("new.yaml", Some("apps/new.yaml")),
            ("lost.yaml", Some("none/x.yaml")),
            ("out", Some("..")),
            ("loop", Some("loop")),
            ("through", Some("apps/a.yaml/")),
            ("dangling", Some("none")),
            ("dangling-with-slash", Some("apps/none/")),
        ]);
        let of = |path| standing(&tree, &[], "", path);
        assert_eq!(of("apps"), Standing::Folder);
        assert_eq!(of("shop"), Standing::Folder);
        assert_eq!(of("shop/a.yaml"), Standing::File("apps/a.yaml".into()));
        assert_eq!(of("shop/b.yaml"), Standing::Nothing("apps/b.yaml".into()));
        assert_eq!(
            of("shop/x/b.yaml"),
            Standing::Nothing("apps/x/b.yaml".into())
        );
        assert_eq!(of("n/x/b.yaml"), Standing::Nothing("n/x/b.yaml".into()));
        assert_eq!(of("l.yaml"), Standing::File("apps/a.yaml".into()));
        assert_eq!(of("new.yaml"), Standing::Nothing("apps/new.yaml".into()));
        let named = |text: &str| text.replace('^', super::super::PACKAGE);
        let no_folder = |text: &str| Standing::NoFolder(named(text));
        let no_file = |text: &str| Standing::NoFile(named(text));
        assert_eq!(
            of("l.yaml/x.yaml"),
            no_folder("mkdir ^/l.yaml: not a directory")
        );
        assert_eq!(
            of("dangling/d/x.yaml"),
            no_folder("mkdir ^/dangling: file exists")
        );
        assert_eq!(
            of("through/x.yaml"),
            no_folder("mkdir ^/through: file exists")
        );
        assert_eq!(of("loop/x.yaml"), no_folder("mkdir ^/loop: file exists"));
        assert_eq!(of("out/x.yaml"), no_folder("mkdir ^/out: file exists"));
        assert_eq!(
            of("lost.yaml"),
            no_file("open ^/lost.yaml: no such file or directory")
        );
        assert_eq!(
            standing(&tree, &["none/y.yaml".to_owned()], "", "lost.yaml"),
            Standing::Nothing("none/x.yaml".into())
        );
        for with_slash in ["through", "dangling-with-slash"] {
            let told = format!("open ^/{with_slash}: is a directory");
            assert_eq!(of(with_slash), no_file(&told));
        }
        assert_eq!(
            of("loop"),
            no_file("open ^/loop: too many levels of symbolic links")
        );
    }
}
