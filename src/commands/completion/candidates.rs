//! What may stand at the cursor: a walk over the words before it, along the program's own description of itself.

use clap::{Arg, ArgAction, Command};

/// Cobra's bits for the shell.
mod directive {
    pub(super) const FILES: u8 = 0;
    pub(super) const NO_SPACE: u8 = 2;
    pub(super) const NO_FILES: u8 = 4;
    pub(super) const FOLDERS: u8 = 16;
}

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) value: String,
    pub(super) about: Option<String>,
}

impl Candidate {
    pub(super) fn new(value: impl Into<String>, about: &str) -> Self {
        Self {
            value: value.into(),
            about: (!about.is_empty()).then(|| about.to_owned()),
        }
    }
}

/// What the shell is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) candidates: Vec<Candidate>,
    pub(super) directive: u8,
}

/// Which names are wanted, and the words that say where to look for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) of: NamesOf,
    /// The flags before the cursor that all commands share, as one word each.
    pub(super) flags: Vec<String>,
}

/// Whose names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NamesOf {
    /// The kubeconfig's contexts.
    Contexts,
    /// Namespaces.
    Namespaces,
    /// Objects of a type, with this before each name.
    Objects { word: String, before: String },
    /// Objects of the three image types.
    ImageObjects,
}

/// What stands at the cursor.
#[derive(Debug)]
pub(super) struct Wanted {
    partial: String,
    fixed: Vec<Candidate>,
    names: Option<Names>,
    directive: u8,
}

impl Wanted {
    /// The candidates that begin as the word at the cursor does; `find` gives live names.
    pub(super) fn answer(self, find: impl FnOnce(&Names) -> Vec<Candidate>) -> Answer {
        let mut candidates = self.fixed;
        if let Some(names) = &self.names {
            candidates.extend(find(names));
        }
        candidates.retain(|candidate| candidate.value.starts_with(&self.partial));
        Answer {
            candidates,
            directive: self.directive,
        }
    }
}

/// The words before the cursor, understood as far as they can be.
struct Walk<'a> {
    path: Vec<&'a Command>,
    /// The flag whose value comes next.
    pending: Option<&'a Arg>,
    positionals: Vec<String>,
    given: Vec<&'a Arg>,
    shared: Vec<String>,
    /// Whether `--` has ended the flags.
    ended: bool,
}

/// Says what is wanted at the last of `words`; `root` is built.
pub(super) fn wanted(root: &Command, words: &[String]) -> Wanted {
    let (partial, before) = match words.split_last() {
        Some((partial, before)) => (partial.as_str(), before),
        None => ("", &[][..]),
    };
    let mut walk = Walk {
        path: vec![root],
        pending: None,
        positionals: Vec::new(),
        given: Vec::new(),
        shared: Vec::new(),
        ended: false,
    };
    for word in before {
        walk.step(word);
    }
    if let Some(flag) = walk.pending {
        return walk.value(flag, partial);
    }
    if !walk.ended && partial.starts_with('-') {
        if let Some((name, value)) = partial.split_once('=') {
            return match walk.long(name.trim_start_matches('-')) {
                Some(flag) => walk.value(flag, value),
                None => nothing(),
            };
        }
        return walk.flags(partial);
    }
    walk.word(partial)
}

fn nothing() -> Wanted {
    Wanted {
        partial: String::new(),
        fixed: Vec::new(),
        names: None,
        directive: directive::NO_FILES,
    }
}

/// Whether the flag's value may stand in the next word.
fn takes_next(flag: &Arg) -> bool {
    flag.get_action().takes_values() && !flag.is_require_equals_set()
}

impl<'a> Walk<'a> {
    fn command(&self) -> &'a Command {
        self.path.last().expect("the root is there")
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.command().get_arguments().find(|arg| {
            arg.get_long_and_visible_aliases()
                .is_some_and(|longs| longs.contains(&name))
        })
    }

    fn short(&self, letter: char) -> Option<&'a Arg> {
        self.command()
            .get_arguments()
            .find(|arg| arg.get_short() == Some(letter))
    }

    fn step(&mut self, word: &str) {
        if let Some(flag) = self.pending.take() {
            self.note(flag, Some(word));
        } else if self.ended {
            self.positionals.push(word.to_owned());
        } else if word == "--" {
            self.ended = true;
        } else if let Some(rest) = word.strip_prefix("--") {
            let (name, value) = match rest.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (rest, None),
            };
            if let Some(flag) = self.long(name) {
                self.flag(flag, value);
            }
        } else if word.len() > 1 && word.starts_with('-') {
            self.cluster(&word[1..]);
        } else if self.positionals.is_empty()
            && let Some(next) = self.command().find_subcommand(word)
        {
            self.path.push(next);
        } else {
            self.positionals.push(word.to_owned());
        }
    }

    /// Short flags in one word; the first that takes a value takes the rest.
    fn cluster(&mut self, letters: &str) {
        let mut rest = letters.chars();
        while let Some(letter) = rest.next() {
            let Some(flag) = self.short(letter) else {
                return;
            };
            if flag.get_action().takes_values() {
                let value = rest.as_str();
                let value = value.strip_prefix('=').unwrap_or(value);
                self.flag(flag, (!value.is_empty()).then_some(value));
                return;
            }
            self.flag(flag, None);
        }
    }

    fn flag(&mut self, flag: &'a Arg, value: Option<&str>) {
        if value.is_none() && takes_next(flag) {
            self.pending = Some(flag);
        } else {
            self.note(flag, value);
        }
    }

    fn note(&mut self, flag: &'a Arg, value: Option<&str>) {
        self.given.push(flag);
        if let Some(long) = flag.get_long().filter(|_| flag.is_global_set()) {
            self.shared.push(match value {
                Some(value) => format!("--{long}={value}"),
                None => format!("--{long}"),
            });
        }
    }

    fn names(&self, of: NamesOf) -> Option<Names> {
        Some(Names {
            of,
            flags: self.shared.clone(),
        })
    }

    /// The flags that can still be given.
    fn flags(&self, partial: &str) -> Wanted {
        let repeats =
            |flag: &Arg| matches!(flag.get_action(), ArgAction::Append | ArgAction::Count);
        let mut fixed = Vec::new();
        let flags = self.command().get_arguments().filter(|flag| {
            !flag.is_positional()
                && !flag.is_hide_set()
                && (repeats(flag)
                    || !self
                        .given
                        .iter()
                        .any(|given| given.get_id() == flag.get_id()))
        });
        for flag in flags {
            let about = about(flag.get_help());
            if let Some(long) = flag.get_long() {
                fixed.push(Candidate::new(format!("--{long}"), &about));
            }
            // A second dash could not follow a short flag.
            if let Some(short) = flag.get_short().filter(|_| partial == "-") {
                fixed.push(Candidate::new(format!("-{short}"), &about));
            }
        }
        Wanted {
            partial: partial.to_owned(),
            fixed,
            names: None,
            directive: directive::NO_FILES,
        }
    }

    /// The values of a flag.
    fn value(&self, flag: &Arg, partial: &str) -> Wanted {
        let mut wanted = Wanted {
            partial: partial.to_owned(),
            fixed: possible(flag),
            ..nothing()
        };
        match (self.command().get_name(), flag.get_id().as_str()) {
            (_, "namespace") => wanted.names = self.names(NamesOf::Namespaces),
            (_, "context" | "contexts") => wanted.names = self.names(NamesOf::Contexts),
            ("doctor", "explain") => {
                wanted.fixed = crate::findings::catalogue::ids()
                    .map(|id| Candidate::new(id, ""))
                    .collect();
            }
            (_, "tags_from") => {
                wanted.fixed = vec![
                    Candidate::new("registry", "ask the registries"),
                    Candidate::new("status", "what the policies' status says"),
                ];
                wanted.directive = directive::FILES;
            }
            (
                _,
                "filename"
                | "kubeconfig"
                | "client_certificate"
                | "client_key"
                | "certificate_authority"
                | "baseline",
            ) => wanted.directive = directive::FILES,
            (_, "worktree" | "dir" | "snapshot") => wanted.directive = directive::FOLDERS,
            _ => {}
        }
        wanted
    }

    /// A word that is no flag: a command, or what the command is about.
    fn word(&self, partial: &str) -> Wanted {
        let mut wanted = Wanted {
            partial: partial.to_owned(),
            ..nothing()
        };
        if self.positionals.is_empty() && !self.ended {
            for command in self
                .command()
                .get_subcommands()
                .filter(|one| !one.is_hide_set())
            {
                wanted.fixed.push(Candidate::new(
                    command.get_name(),
                    &about(command.get_about()),
                ));
            }
        }
        let objects = |word: &str, before: &str| {
            self.names(NamesOf::Objects {
                word: word.to_owned(),
                before: before.to_owned(),
            })
        };
        match self.command().get_name() {
            "tags" => wanted.names = objects("repositories", ""),
            "diff" | "reconcile" => wanted.names = objects("updates", ""),
            "lint" | "mark" | "fmt" => wanted.directive = directive::FILES,
            "snapshot" => wanted.directive = directive::FOLDERS,
            name @ ("get" | "explain" | "trigger") => self.objects(name, partial, &mut wanted),
            _ => {}
        }
        wanted
    }

    /// `TYPE NAME…`, `TYPE/NAME`, `NAME`.
    fn objects(&self, command: &str, partial: &str, wanted: &mut Wanted) {
        let mut words = self.positionals.iter().map(String::as_str);
        let first = words.find(|word| !matches!(*word, "image" | "images"));
        if let Some((word, _)) = partial.split_once('/') {
            wanted.names = self.names(NamesOf::Objects {
                word: word.to_owned(),
                before: format!("{word}/"),
            });
            return;
        }
        if let Some(word) = first.filter(|word| super::live::kind_of(word).is_some()) {
            wanted.names = self.names(NamesOf::Objects {
                word: word.to_owned(),
                before: String::new(),
            });
            return;
        }
        let types: &[(&str, &str)] = match command {
            "trigger" => &[
                ("repository/", "an ImageRepository"),
                ("policy/", "an ImagePolicy"),
                ("update/", "an ImageUpdateAutomation"),
            ],
            "explain" => &[
                ("policy/", "an ImagePolicy"),
                ("deploy/", "a Deployment"),
                ("sts/", "a StatefulSet"),
                ("ds/", "a DaemonSet"),
                ("cronjob/", "a CronJob"),
            ],
            _ if first.is_some() => &[],
            _ => &[
                ("all", "all three types"),
                ("repositories", "ImageRepositories"),
                ("policies", "ImagePolicies"),
                ("updates", "ImageUpdateAutomations"),
                ("markers", "what every marker in git holds"),
                ("images", "what every policy chooses"),
            ],
        };
        wanted.fixed.extend(
            types
                .iter()
                .map(|(word, about)| Candidate::new(*word, about)),
        );
        if command == "trigger" {
            wanted.directive |= directive::NO_SPACE;
        } else {
            wanted.names = self.names(NamesOf::ImageObjects);
        }
        if command == "explain" {
            // FILE:LINE is a subject too.
            wanted.directive = directive::FILES | directive::NO_SPACE;
        }
    }
}

fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn possible(flag: &Arg) -> Vec<Candidate> {
    let values = flag.get_possible_values();
    values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| Candidate::new(value.get_name(), &about(value.get_help())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::command;
    use super::super::super::invocation::Invocation;
    use super::*;

    fn at(line: &[&str]) -> Wanted {
        let mut root = command(&Invocation::Kubectl);
        root.build();
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        wanted(&root, &words)
    }

    /// The candidates without live ones.
    fn values(line: &[&str]) -> Vec<String> {
        let answer = at(line).answer(|_| Vec::new());
        answer.candidates.into_iter().map(|one| one.value).collect()
    }

    fn names(line: &[&str]) -> Names {
        at(line).names.expect("names are wanted")
    }

    #[test]
    fn commands_and_flags_are_those_of_the_help() {
        assert_eq!(values(&["re"]), ["reconcile"]);
        assert!(values(&[""]).contains(&"doctor".into()));
        assert_eq!(values(&["diff", "--wor"]), ["--worktree"]);
        assert_eq!(values(&["--all-n"]), ["--all-namespaces"]);
        assert!(values(&["get", "-"]).contains(&"-A".into()));
        assert!(values(&["completion", "un"]) == ["uninstall"]);
        // Given once is enough, unless it repeats.
        assert!(values(&["get", "-A", "--all-n"]).is_empty());
        assert_eq!(values(&["diff", "-f", "x", "--filen"]), ["--filename"]);
    }

    #[test]
    fn values_come_behind_a_blank_or_an_equals_sign() {
        assert_eq!(values(&["get", "-o", "js"]), ["json"]);
        assert_eq!(values(&["get", "--output=js"]), ["json"]);
        assert!(!values(&["diff", "--fail-on", ""]).is_empty());
        assert_eq!(values(&["diff", "--tags-from", "st"]), ["status"]);
        assert!(values(&["doctor", "--explain", "marker-"]).len() > 3);
        assert!(values(&["get", "--no-such-flag=x"]).is_empty());
    }

    #[test]
    fn names_are_looked_for_where_the_flags_say() {
        let wanted = names(&["-n", "apps", "diff", "--context=prod", ""]);
        assert_eq!(wanted.flags, ["--namespace=apps", "--context=prod"]);
        assert_eq!(
            wanted.of,
            NamesOf::Objects {
                word: "updates".into(),
                before: String::new()
            }
        );
        assert_eq!(names(&["get", "-n", ""]).of, NamesOf::Namespaces);
        assert_eq!(names(&["--context", ""]).of, NamesOf::Contexts);
        assert_eq!(names(&["get", ""]).of, NamesOf::ImageObjects);
        let of = |line: &[&str]| match names(line).of {
            NamesOf::Objects { word, before } => (word, before),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(&["get", "policy", ""]), ("policy".into(), String::new()));
        assert_eq!(
            of(&["get", "images", "policy", ""]),
            ("policy".into(), String::new())
        );
        assert_eq!(
            of(&["why", "deploy/w"]),
            ("deploy".into(), "deploy/".into())
        );
        assert_eq!(of(&["get", "-vA", "policy", ""]).0, "policy");
    }

    #[test]
    fn files_are_left_to_the_shell() {
        for line in [&["-f", ""][..], &["lint", ""], &["--kubeconfig", "x"]] {
            assert_eq!(at(line).answer(|_| Vec::new()).directive, 0, "{line:?}");
        }
        for line in [
            &["diff", "--worktree", ""][..],
            &["snapshot", ""],
            &["get", "--snapshot", ""],
        ] {
            let folders = at(line).answer(|_| Vec::new());
            assert_eq!(folders.directive, 16, "{line:?}");
        }
        assert_eq!(at(&["version", ""]).answer(|_| Vec::new()).directive, 4);
    }

    #[test]
    fn any_words_get_an_answer() {
        for line in [
            &[][..],
            &["--"],
            &["--", ""],
            &["-"],
            &["no-such-command", ""],
            &["get", "--", "-x"],
            &["-ñ", ""],
            &["--=", ""],
            &["--watch", "", "="],
        ] {
            at(line).answer(|_| Vec::new());
        }
    }
}
