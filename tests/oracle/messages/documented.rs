//! The templates of the article and of Flux's documentation, by name.

use imageauto::controllers::message::{MessageError, Rules, render};

use super::case::MessageCase;
use super::compare::{Tally, compare};
use super::original::Original;
use crate::cluster::tell;
use crate::oracle::generator::Generator;

/// A template that users have read.
pub(super) struct Documented {
    /// Where it stands, and what it shows.
    pub name: &'static str,
    /// Whose data it was written for.
    pub rules: Rules,
    pub template: &'static str,
}

const fn current(name: &'static str, template: &'static str) -> Documented {
    Documented {
        name,
        rules: Rules::Current,
        template,
    }
}

const fn old(name: &'static str, template: &'static str) -> Documented {
    Documented {
        name,
        rules: Rules::Flux2_6,
        template,
    }
}

pub(super) const DOCUMENTED: &[Documented] = &[
    old(
        "article: images",
        "Auto-update images\n{{ range .Updated.Images }}\n- {{.}}\n{{ end }}\n",
    ),
    old(
        "flux create image update: images",
        "{{range .Updated.Images}}{{println .}}{{end}}",
    ),
    old(
        "v1beta1: files, objects and images",
        "Automated image update\n\nAutomation name: {{ .AutomationObject }}\n\nFiles:\n\
         {{ range $filename, $_ := .Updated.Files -}}\n- {{ $filename }}\n{{ end -}}\n\nObjects:\n\
         {{ range $resource, $_ := .Updated.Objects -}}\n- {{ $resource.Kind }} {{ $resource.Name }}\n{{ end -}}\n\n\
         Images:\n{{ range .Updated.Images -}}\n- {{.}}\n{{ end -}}\n",
    ),
    old(
        "v1beta1: functions",
        "Automated image update\n\nAutomation name: {{ .AutomationObject }}\n\nFiles:\n\
         {{ range $filename, $_ := .Updated.Files -}}\n- {{ $filename }}\n{{ end -}}\n\nObjects:\n\
         {{ range $resource, $_ := .Updated.Objects -}}\n- {{ $resource.Kind | lower }} {{ $resource.Name | lower  }}\n\
         {{ end -}}\n\nImages:\n{{ range $image, $_ := .Updated.Images -}}\n\t{{ if contains \"1.0.0\" $image -}}\n\t\t\
         - {{ $image }}\n\t{{ else -}}\n\t\t[skip ci] wrong image\n\t{{ end -}}        \n{{ end -}}        \n",
    ),
    old(
        "v1beta1: change id of Gerrit",
        "Perform automatic image update\n\nAutomation name: {{ .AutomationObject }}\n\nFiles:\n\
         {{ range $filename, $_ := .Updated.Files -}}\n- {{ $filename }}\n{{ end }}\nObjects:\n\
         {{ range $resource, $_ := .Updated.Objects -}}\n- {{ $resource.Kind }} {{ $resource.Name }}\n{{ end }}\n\
         Images:\n{{ range .Updated.Images -}}\n- {{ . }}\n{{ end }}\n\
         {{- $ChangeId := .AutomationObject -}}\n\
         {{- $ChangeId = printf \"%s%s\" $ChangeId ( .Updated.Files | toString ) -}}\n\
         {{- $ChangeId = printf \"%s%s\" $ChangeId ( .Updated.Objects | toString ) -}}\n\
         {{- $ChangeId = printf \"%s%s\" $ChangeId ( .Updated.Images | toString ) }}\n\
         Change-Id: {{ printf \"I%s\" ( sha256sum $ChangeId | trunc 40 ) }}\n",
    ),
    current("v1: plain", "Automated image update by Flux"),
    current(
        "v1: skipped by CI",
        "An automated update from FluxBot\n[ci skip]\n",
    ),
    current(
        "v1: files and objects",
        "Automated image update\n\nAutomation name: {{ .AutomationObject }}\n\nFiles:\n\
         {{ range $filename, $_ := .Changed.FileChanges -}}\n- {{ $filename }}\n{{ end -}}\n\nObjects:\n\
         {{ range $resource, $changes := .Changed.Objects -}}\n- {{ $resource.Kind }} {{ $resource.Name }}\n  Changes:\n\
         {{- range $_, $change := $changes }}\n    - {{ $change.OldValue }} -> {{ $change.NewValue }}\n{{ end -}}\n\
         {{ end -}}\n",
    ),
    current(
        "v1: functions",
        "Automated image update\n\nAutomation name: {{ .AutomationObject }}\n\nFiles:\n\
         {{ range $filename, $_ := .Changed.FileChanges -}}\n- {{ $filename }}\n{{ end -}}\n\nObjects:\n\
         {{ range $resource, $changes := .Changed.Objects -}}\n- {{ $resource.Kind | lower }} {{ $resource.Name | lower }}\n\
         \x20 Changes:\n{{- range $_, $change := $changes }}\n  {{ if contains \"5.0.3\" $change.NewValue -}}\n    \
         - {{ $change.OldValue }} -> {{ $change.NewValue }}\n  {{ else -}}\n    [skip ci] wrong image\n  {{ end -}}\n\
         {{ end -}}\n{{ end -}}\n",
    ),
    current(
        "v1: values",
        "Automated image update by Flux for cluster {{ .Values.cluster }}.",
    ),
    current(
        "v1: change id of Gerrit",
        "Perform automatic image update\n\nAutomation name: {{ .AutomationObject }}\n\n\
         {{- $ChangeId := .AutomationObject -}}\n\
         {{- $ChangeId = printf \"%s%s\" $ChangeId ( .Changed.FileChanges | toString ) -}}\n\
         {{- $ChangeId = printf \"%s%s\" $ChangeId ( .Changed.Objects | toString ) -}}\n\
         {{- $ChangeId = printf \"%s%s\" $ChangeId ( .Changed.Changes | toString ) }}\n\
         Change-Id: {{ printf \"I%s\" ( sha256sum $ChangeId | trunc 40 ) }}\n",
    ),
    current(
        "v1: old and new values",
        "{{range .Changed.Changes}}{{print .OldValue}} -> {{println .NewValue}}{{end}}",
    ),
];

/// Each over several updates.
pub(super) fn documented_cases() -> Vec<MessageCase> {
    let mut cases = Vec::new();
    for (index, documented) in (0..).zip(DOCUMENTED) {
        for seed in 0..8 {
            let mut g = Generator::new(9000 + index * 10 + seed);
            let template = documented.template.to_string();
            cases.push(MessageCase::new(&mut g, template, documented.rules));
        }
    }
    cases
}

#[test]
fn documented_templates_give_gos_messages() {
    let Some(original) = Original::start() else {
        return;
    };
    let mut tally = Tally::default();
    let cases = documented_cases();
    for documented in DOCUMENTED {
        let own: Vec<&MessageCase> = cases
            .iter()
            .filter(|case| case.template == documented.template)
            .collect();
        let mut of_this = Tally::default();
        for verdict in compare(&original, &own) {
            of_this.count(verdict);
        }
        of_this.assert_agreement(documented.name);
        tally.add(of_this);
    }
    tell(&tally.line("documented"));
}

/// What was written for the data of old stalls the controllers of today.
#[test]
fn documented_templates_of_old_stall_today() {
    for case in documented_cases() {
        if case.rules != Rules::Flux2_6 {
            continue;
        }
        for rules in [Rules::Flux2_8, Rules::Current] {
            let today = MessageCase {
                rules,
                ..case.clone()
            };
            let outcome = render(&today.input()).outcome;
            let Err(MessageError::Removed { field, .. }) = outcome else {
                panic!("{:?}: {outcome:?}", case.template);
            };
            assert_eq!(field, ".Updated");
        }
    }
}
