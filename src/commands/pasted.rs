//! Commands in hints, with the flags that make them mean the same input.

use std::path::Path;

use super::input::GlobalArgs;
use super::invocation::Invocation;

/// Which objects of the input a command in a hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of this run.
    Same,
    /// Those of all namespaces.
    Everything,
}

/// The command `words` over the same input, as it can be pasted.
pub fn command(invocation: Invocation, global: &GlobalArgs, words: &str, scope: Scope) -> String {
    let mut parts = vec![invocation.caller().to_owned()];
    if !words.is_empty() {
        parts.push(words.to_owned());
    }
    let mut flag = |name: &str, value: &str| parts.push(format!("{name} {}", shell_word(value)));
    for file in &global.filename {
        flag("-f", &told(file));
    }
    if let Some(folder) = &global.snapshot {
        flag("--snapshot", &told(folder));
    }
    for (name, value) in global.connection.kubeconfig_and_context() {
        flag(name, &value);
    }
    if scope == Scope::Same {
        if let Some(namespace) = global.namespace.as_ref().filter(|_| !global.all_namespaces) {
            flag("-n", namespace);
        }
        if let Some(selector) = &global.selector {
            flag("-l", selector);
        }
    }
    if global.recursive {
        parts.push("-R".into());
    }
    if scope == Scope::Everything || global.all_namespaces {
        parts.push("-A".into());
    }
    parts.join(" ")
}

fn told(path: &Path) -> String {
    path.display().to_string()
}

/// A word as a shell takes it, in quotes where it must be.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(shell_word("clusters/prod.yaml"), "clusters/prod.yaml");
        assert_eq!(shell_word("my files/it's"), "'my files/it'\\''s'");
        assert_eq!(shell_word("tier in (web)"), "'tier in (web)'");
        assert_eq!(shell_word(""), "''");
    }
}
