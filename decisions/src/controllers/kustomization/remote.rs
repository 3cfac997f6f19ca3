//! Mirrors `api/internal/git/repospec.go` and `IsRemoteFile` of `api/internal/loader/fileloader.go` of kustomize 5.8: which
//! references of a kustomization lead away from its files.

/// Whether kustomize gets a file at this reference over http.
pub fn is_remote_file(reference: &str) -> bool {
    let scheme = reference.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    })
}

/// Whether kustomize clones a repository for a folder at this reference.
pub fn is_repository(reference: &str) -> bool {
    if reference.starts_with('/') {
        return false;
    }
    let reference = reference.split('?').next().unwrap_or_default();
    let Some((path, is_file)) = path_behind_host(reference) else {
        return false;
    };
    has_repository_path(path, is_file)
}

/// What stands behind scheme, user and host, and whether it is a path of the machine's own files.
fn path_behind_host(reference: &str) -> Option<(&str, bool)> {
    let rest = without_prefix(reference, "git::").unwrap_or(reference);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let scheme = schemes
        .iter()
        .find(|scheme| without_prefix(rest, scheme).is_some());
    let rest = scheme
        .and_then(|scheme| without_prefix(rest, scheme))
        .unwrap_or(rest);
    let (user, rest) = user(rest);
    let github = ["github.com/", "github.com:"]
        .iter()
        .any(|host| without_prefix(rest, host).is_some());
    let colon_counts = scheme.is_none() && (user.is_some() || github);
    match scheme {
        None if !colon_counts => return None,
        Some(scheme) if *scheme == "file://" => return Some((rest, true)),
        _ => {}
    }
    let slash = rest.find('/');
    let colon = rest
        .find(':')
        .filter(|colon| colon_counts && slash.is_none_or(|slash| *colon > 0 && *colon < slash));
    let end = colon.or(slash);
    let (host, path) = match end {
        Some(end) => rest.split_at(end + 1),
        None => (rest, ""),
    };
    (github || !host.is_empty()).then_some((path, false))
}

fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| &text[prefix.len()..])
}

/// `name@` in front.
fn user(text: &str) -> (Option<&str>, &str) {
    match text.split_once('@') {
        Some((user, rest))
            if user.starts_with(|first: char| first.is_ascii_alphabetic())
                && user
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') =>
        {
            (Some(user), rest)
        }
        _ => (None, text),
    }
}

fn has_repository_path(path: &str, is_file: bool) -> bool {
    let (repository, folder) = if let Some(at) = path.find("_git/") {
        let (name, folder) = path[at + 5..]
            .split_once('/')
            .unwrap_or((&path[at + 5..], ""));
        (&path[..at + 5 + name.len()], folder.to_owned())
    } else if let Some((repository, folder)) = path.split_once("//") {
        (repository, folder.to_owned())
    } else if let Some(at) = path.find(".git") {
        (&path[..at + 4], path[at + 4..].to_owned())
    } else if is_file {
        (path, String::new())
    } else {
        let segments: Vec<&str> = path.split('/').collect();
        if segments.len() < 2 {
            return false;
        }
        let length = segments[0].len() + 1 + segments[1].len();
        (&path[..length], segments[2..].join("/"))
    };
    !repository.is_empty() && !leaves(&folder)
}

/// Whether a path starts above where it stands once it is cleaned.
fn leaves(folder: &str) -> bool {
    let mut depth = 0_i64;
    for part in folder.trim_start_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// Whether a component's path may stand in a Kustomization: relative, and not remote (fluxcd/pkg/kustomize).
pub fn is_local_component(path: &str) -> bool {
    let prefixes = [
        "git::",
        "gh:",
        "ssh://",
        "https://",
        "http://",
        "git@",
        "github.com:",
        "github.com/",
    ];
    let is_remote = prefixes.iter().any(|prefix| {
        path.len() > prefix.len()
            && path
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    let bare = without_prefix(path, "file://").unwrap_or(path);
    !is_remote && !bare.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_folders() {
        for reference in [
            "https://github.com/org/repo",
            "https://github.com/org/repo//folder?ref=v1",
            "github.com/org/repo/folder?ref=v1",
            "git@github.com:org/repo.git",
            "ssh://git@example.com/org/repo",
            "git::https://example.com/org/repo.git",
            "user@host.xz:path/to/repo.git/",
            "https://dev.azure.com/org/project/_git/repo",
            "HTTPS://example.com/a/b",
            "file:///srv/repo",
            "me@v1/a/b",
        ] {
            assert!(is_repository(reference), "{reference}");
        }
        for reference in [
            "../base",
            "./app",
            "app.yaml",
            "/srv/repo",
            "https://example.com/one",
            "github.com/org",
            "example.com/org/repo",
            "https://github.com/org/repo//../x",
            "git::./base",
        ] {
            assert!(!is_repository(reference), "{reference}");
        }
        assert!(is_remote_file("https://example.com/one"));
        assert!(is_remote_file("http:one"));
        assert!(!is_remote_file("ftp://example.com/one"));
        assert!(!is_remote_file("./http/a"));
    }

    #[test]
    fn components_are_local() {
        for path in ["../a", "a", "github.com/"] {
            assert!(is_local_component(path), "{path}");
        }
        for path in ["/a", "https://a/b", "GitHub.com/a/b", "file:///a", "git@x"] {
            assert!(!is_local_component(path), "{path}");
        }
    }
}
