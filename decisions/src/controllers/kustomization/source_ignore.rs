//! Mirrors fluxcd/pkg/sourceignore 0.18 (`sourceignore.go`, `gitignore/`): which files of a repository source-controller
//! puts into its artifact.

use crate::go::file_pattern;

/// Files of this name, in any folder, hold patterns.
pub const FILE_NAME: &str = ".sourceignore";

const DEFAULTS: &[&str] = &[
    ".git/",
    ".gitignore",
    ".gitmodules",
    ".gitattributes",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// Patterns in the order in which they were read; the last that matches decides.
#[derive(Clone, Debug)]
pub struct SourceIgnore(Vec<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    /// The folder that it counts in, part by part.
    domain: Vec<String>,
    parts: Vec<String>,
    includes: bool,
    folders_only: bool,
}

impl Default for SourceIgnore {
    fn default() -> Self {
        let mut ignore = Self(Vec::new());
        for pattern in DEFAULTS {
            ignore.push(pattern, "");
        }
        ignore
    }
}

impl SourceIgnore {
    /// Adds the patterns of a text that counts in `folder`; the empty folder is the top.
    pub fn read(&mut self, text: &str, folder: &str) {
        for line in text.lines() {
            if !line.starts_with('#') && !line.trim().is_empty() {
                self.push(line, folder);
            }
        }
    }

    fn push(&mut self, pattern: &str, folder: &str) {
        let includes = pattern.starts_with('!');
        let mut pattern = pattern.strip_prefix('!').unwrap_or(pattern);
        if !pattern.ends_with("\\ ") {
            pattern = pattern.trim_end_matches(' ');
        }
        let folders_only = pattern.ends_with('/');
        pattern = pattern.strip_suffix('/').unwrap_or(pattern);
        self.0.push(Pattern {
            domain: parts(folder),
            parts: pattern.split('/').map(str::to_owned).collect(),
            includes,
            folders_only,
        });
    }

    /// Whether a file stays out of the artifact.
    pub fn excludes(&self, path: &str) -> bool {
        let path = parts(path);
        let decisive = self.0.iter().rev().find(|pattern| pattern.matches(&path));
        decisive.is_some_and(|pattern| !pattern.includes)
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn part_matches(pattern: &str, name: &str) -> bool {
    file_pattern::matches(pattern.as_bytes(), name.as_bytes()) == Some(true)
}

impl Pattern {
    fn matches(&self, path: &[String]) -> bool {
        if path.len() <= self.domain.len() || !path.starts_with(&self.domain) {
            return false;
        }
        let path = &path[self.domain.len()..];
        match self.parts.as_slice() {
            [name] => self.matches_name(name, path),
            _ => self.matches_path(path),
        }
    }

    /// A pattern without a slash may match any part of the path.
    fn matches_name(&self, name: &str, path: &[String]) -> bool {
        let found = path.iter().position(|part| part_matches(name, part));
        found.is_some_and(|at| !(self.folders_only && at + 1 == path.len()))
    }

    fn matches_path(&self, mut path: &[String]) -> bool {
        let (mut matched, mut anywhere) = (false, false);
        for (index, part) in self.parts.iter().enumerate() {
            if part.is_empty() {
                anywhere = false;
                continue;
            }
            if part == "**" {
                if index + 1 == self.parts.len() {
                    break;
                }
                anywhere = true;
                continue;
            }
            if part.contains("**") || path.is_empty() {
                return false;
            }
            if !anywhere {
                if !part_matches(part, &path[0]) {
                    return false;
                }
                matched = true;
                path = &path[1..];
                continue;
            }
            anywhere = false;
            match path.iter().position(|name| part_matches(part, name)) {
                Some(at) => {
                    matched = true;
                    path = &path[at + 1..];
                }
                None => {
                    matched = false;
                    path = &[];
                }
            }
        }
        matched && !(self.folders_only && path.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::SourceIgnore;

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let mut ignore = SourceIgnore::default();
        ignore.read(
            "# no docs\n/docs/\n*.md\n!/apps/README.md\n/apps/**/secret.yaml\n",
            "",
        );
        ignore.read("local.yaml\n/top.yaml\n", "apps/one");
        for path in [
            "docs/a.yaml",
            "docs/deep/a.yaml",
            "x/README.md",
            "apps/a/b/secret.yaml",
            "apps/one/local.yaml",
            "apps/one/two/local.yaml",
            "apps/one/top.yaml",
            ".github/workflows/a.yaml",
            "a/.github/x.yaml",
            "pictures/a.png",
            "a/b/.sops.yaml",
            ".gitignore",
        ] {
            assert!(ignore.excludes(path), "{path}");
        }
        for path in [
            "apps/README.md",
            "apps/docs/a.yaml",
            "local.yaml",
            "apps/one/two/top.yaml",
            "secret.yaml",
            "a/github/x.yaml",
            ".sourceignore",
        ] {
            assert!(!ignore.excludes(path), "{path}");
        }
    }

    #[test]
    fn everything_can_be_excluded_but_one_folder() {
        let mut ignore = SourceIgnore::default();
        ignore.read("/*\n!/deploy\n", "");
        assert!(ignore.excludes("a.yaml"));
        assert!(!ignore.excludes("deploy/a/b.yaml"));
    }
}
