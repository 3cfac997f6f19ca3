//! Mirrors `plumbing/reference.go`, `internal/pathutil` and `worktree_fs.go` of go-git 5.19 as they run on Linux: which names of refs
//! and files are refused.

/// Whether a full ref name may be made.
pub fn is_valid_ref(name: &str) -> bool {
    if name == "HEAD" {
        return true;
    }
    let parts: Vec<&str> = name.split('/').collect();
    let dashed = |index: usize, part: &str| {
        let is_branch_or_tag = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
        is_branch_or_tag && index == 2 && part.starts_with('-')
    };
    !name.ends_with('.')
        && parts.len() >= 2
        && parts
            .iter()
            .enumerate()
            .all(|(index, part)| is_valid_part(part) && !dashed(index, part))
}

fn is_valid_part(part: &str) -> bool {
    let forbidden = |byte: u8| byte < b' ' || byte == 0x7f || b"~^:?*[ \\".contains(&byte);
    !part.is_empty()
        && !part.starts_with('.')
        && !part.contains("..")
        && !part.bytes().any(forbidden)
        && !part.contains("@{")
        && part != "@"
        && !part.ends_with(".lock")
}

/// Why a file or link at `path` can't be checked out, in the controller's words; `None` for a path that can.
///
/// It refuses what would be dangerous on Windows too, which includes the names of its devices (`aux.yaml`, `con/x`).
pub fn unusable_path(path: &str, is_link: bool) -> Option<String> {
    entry_names(path).or_else(|| whole_path(path)).or_else(|| {
        (is_link && is_link_to_modules(path)).then(|| "symlink: .gitmodules is a symlink".into())
    })
}

/// The check of each entry's name when trees are compared; those at the top are checked as one tree is opened beside the other.
fn entry_names(path: &str) -> Option<String> {
    let quote = crate::go::text::quote;
    for (depth, name) in path.split('/').enumerate() {
        let shown = quote(name);
        let side = if depth == 0 { "to: " } else { "" };
        if has_control_character(name) {
            return Some(format!(
                "{side}invalid path {shown}: contains control character"
            ));
        }
        let parts: Vec<&str> = parts(name).collect();
        if parts.is_empty() {
            return Some(format!("{side}invalid path: {shown}"));
        }
        for part in parts {
            if part == "." || part == ".." {
                return Some(format!(
                    "{side}invalid path {shown}: cannot use {}",
                    quote(part)
                ));
            }
            if is_git_folder(part) || is_git_folder_on_mac(part) || is_git_folder_on_windows(part) {
                return Some(format!("{side}invalid path component: {shown}"));
            }
        }
    }
    None
}

/// The check of the whole path when a file is written.
fn whole_path(path: &str) -> Option<String> {
    parts(path)
        .any(is_device)
        .then(|| format!("openfile: invalid path: {}", crate::go::text::quote(path)))
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\']).filter(|part| !part.is_empty())
}

fn has_control_character(name: &str) -> bool {
    name.bytes().any(|byte| byte < b' ' || byte == 0x7f)
}

fn is_git_folder(part: &str) -> bool {
    part.eq_ignore_ascii_case(".git") || part.eq_ignore_ascii_case("git~1")
}

/// `.git` with characters in it that HFS+ passes over.
fn is_git_folder_on_mac(part: &str) -> bool {
    let ignored = |character: &char| matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let seen: String = part
        .chars()
        .filter(|character| !ignored(character))
        .collect();
    seen.eq_ignore_ascii_case(".git")
}

/// `.git` or `git~1` with blanks, dots or a stream's name behind it, which NTFS passes over.
fn is_git_folder_on_windows(part: &str) -> bool {
    let rest = [".git", "git~1"].into_iter().find_map(|name| {
        let start = part.get(..name.len())?;
        start
            .eq_ignore_ascii_case(name)
            .then(|| &part[name.len()..])
    });
    rest.is_some_and(trails_off)
}

fn trails_off(rest: &str) -> bool {
    let end = rest.find(':').unwrap_or(rest.len());
    rest[..end].bytes().all(|byte| byte == b'.' || byte == b' ')
}

/// The name of a device of Windows, whatever its extension.
fn is_device(part: &str) -> bool {
    const NAMED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
    let lower = part.to_ascii_lowercase();
    let numbered = ["com", "lpt"].into_iter().any(|name| {
        lower.strip_prefix(name).is_some_and(|rest| {
            rest.starts_with(|digit: char| ('1'..='9').contains(&digit)) && ends(&rest[1..])
        })
    });
    let named = NAMED
        .into_iter()
        .any(|name| lower.strip_prefix(name).is_some_and(ends));
    numbered || named
}

fn ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '.', ':'])
}

/// A link that some system would take for `.gitmodules`.
fn is_link_to_modules(path: &str) -> bool {
    parts(path).any(|part| {
        let rest = part
            .get(..".gitmodules".len())
            .filter(|start| start.eq_ignore_ascii_case(".gitmodules"))
            .map(|start| &part[start.len()..]);
        rest.is_some_and(trails_off) || is_short_for_modules(part)
    })
}

/// `gitmod~1` and the like.
fn is_short_for_modules(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("gitmod~") else {
        return false;
    };
    rest.starts_with(['1', '2', '3', '4']) && trails_off(&rest[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ref_names_are_checked_as_git_does() {
        for name in [
            "refs/heads/main",
            "refs/heads/a/b-c",
            "refs/heads/refs/heads/x",
            "refs/heads/HEAD",
            "HEAD",
            "refs/x/-y",
        ] {
            assert!(is_valid_ref(name), "{name}");
        }
        for name in [
            "main",
            "",
            "refs/heads/",
            "refs/heads/a b",
            "refs/heads/-x",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.",
            "refs/heads/a.lock",
            "refs/heads/a.lock/b",
            "refs/heads/a@{b",
            "refs/heads/@",
            "refs/heads/a\\b",
            "refs/heads/a//b",
            "refs/heads/a*",
            "refs/heads/a\u{7f}",
        ] {
            assert!(!is_valid_ref(name), "{name}");
        }
    }

    #[test]
    fn ordinary_paths_are_usable() {
        for path in [
            "a.yaml",
            "a/b c/d:e.yaml",
            "apps/.gitignore",
            ".github/x",
            "git",
            "auxiliary.yaml",
            "com0/x",
            "console.yaml",
            "x\\y",
        ] {
            assert_eq!(unusable_path(path, false), None, "{path}");
        }
        assert_eq!(unusable_path("link", true), None);
        assert_eq!(unusable_path(".gitmodules", false), None);
    }

    #[test]
    fn paths_that_are_dangerous_somewhere_are_not() {
        let said = |path| unusable_path(path, false).unwrap();
        assert_eq!(said(".."), "to: invalid path \"..\": cannot use \"..\"");
        assert_eq!(said("a/.GIT/config"), "invalid path component: \".GIT\"");
        assert_eq!(
            said("x/a\tb"),
            "invalid path \"a\\tb\": contains control character"
        );
        assert_eq!(said("git~1"), "to: invalid path component: \"git~1\"");
        assert_eq!(
            said(".git . :x"),
            "to: invalid path component: \".git . :x\""
        );
        assert_eq!(
            said(".g\u{200c}it"),
            "to: invalid path component: \".g\\u200cit\""
        );
        assert_eq!(
            said("a\tb"),
            "to: invalid path \"a\\tb\": contains control character"
        );
        assert_eq!(said("x/aux.yaml"), "openfile: invalid path: \"x/aux.yaml\"");
        assert_eq!(
            unusable_path("x/.GitModules", true).unwrap(),
            "symlink: .gitmodules is a symlink"
        );
    }
}
