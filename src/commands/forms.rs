//! The forms of output that each command has, for its help, for completion, and for what it refuses.

use std::ffi::OsStr;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

use super::input::OutputFormat;

/// The forms of a command, by its name, beside the one for people; none for what is no command.
pub fn of(command: &str) -> &'static [OutputFormat] {
    use OutputFormat::{Github, Json, Junit, Markdown, Mbox, Name, Prometheus, Sarif, Wide, Yaml};
    match command {
        "get" => &[Wide, Json, Yaml, Name],
        "tags" => &[Json, Name, Wide],
        "diff" => &[Json, Name, Markdown, Mbox],
        "doctor" => &[Json, Sarif, Junit, Github, Markdown, Prometheus],
        "lint" => &[Json, Sarif, Junit, Github, Markdown],
        "explain" | "reconcile" | "trigger" | "version" => &[Json],
        "fmt" | "mark" => &[Name],
        _ => &[],
    }
}

/// Has the help of each command, and completion behind it, name the command's own forms.
pub fn named(mut root: Command) -> Command {
    let Some(shared) = root
        .get_arguments()
        .find(|arg| arg.get_id() == "output")
        .cloned()
    else {
        return root;
    };
    let names: Vec<String> = root
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    for name in names {
        let own = own(shared.clone(), of(&name));
        root = root.mut_subcommand(name, |command| command.arg(own));
    }
    root
}

fn own(shared: Arg, forms: &'static [OutputFormat]) -> Arg {
    shared
        .hide(forms.is_empty())
        .value_parser(FormParser { forms })
}

/// Takes every form, so that those that don't fit are refused with the ones that do; names only those.
#[derive(Clone)]
struct FormParser {
    forms: &'static [OutputFormat],
}

impl TypedValueParser for FormParser {
    type Value = OutputFormat;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OutputFormat, Error> {
        EnumValueParser::<OutputFormat>::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = self.forms.iter().map(|form| form.word());
        let known = |value: &PossibleValue| words.clone().any(|word| word == value.get_name());
        let all: Vec<PossibleValue> = EnumValueParser::<OutputFormat>::new()
            .possible_values()?
            .filter(known)
            .collect();
        Some(Box::new(all.into_iter()))
    }
}
