//! What `diff` shows of one automation: the patch for stdout, and what is said before and after it.

use anstyle::{AnsiColor, Style};

use crate::controllers::automation::Branches;
use crate::controllers::flux::GitReference;
use crate::findings::{Finding, Severity};
use crate::pipeline::stages::{Preview, PreviewedFile};

use super::console::{Talk, Tone};
use super::unified_diff::{self, DiffLine, FilePair, LineKind};

/// What is said before the patch: where the files come from and where the commit would go.
pub fn opening(preview: &Preview) -> Vec<Talk> {
    let mut talk = vec![Talk::new(
        Tone::Action,
        format!(
            "update/{} ({}): {}",
            preview.key.name,
            preview.key.namespace,
            journey(preview)
        ),
    )];
    talk.extend(
        preview
            .notes
            .iter()
            .map(|note| Talk::new(Tone::Note, note.clone())),
    );
    talk
}

fn journey(preview: &Preview) -> String {
    let commit = preview
        .source
        .commit
        .as_deref()
        .map(|commit| format!("@{}", short(commit)))
        .unwrap_or_default();
    match &preview.branches {
        Some(branches) => {
            let reference = described(&branches.checkout, branches.checkout_branch.as_deref());
            let refspec = branches
                .refspec
                .as_ref()
                .map(|refspec| format!(", then with refspec {refspec}"))
                .unwrap_or_default();
            if !branches.switched {
                return format!(
                    "checks out {reference}{commit}, pushes to {}{refspec}",
                    branches.push_branch
                );
            }
            let branch = &branches.push_branch;
            let start = match (preview.push_branch_exists, &preview.parent) {
                (Some(true), Some(head)) => format!("switches to {branch}@{}", short(head)),
                (Some(false), _) => format!("makes the new branch {branch}"),
                _ => format!("switches to {branch}"),
            };
            format!("checks out {reference}{commit}, {start}, pushes there{refspec}")
        }
        None if commit.is_empty() => "its branches are not known".into(),
        None => format!(
            "its branches are not known; the work tree is at {}",
            &commit[1..]
        ),
    }
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn described(reference: &GitReference, branch: Option<&str>) -> String {
    match branch {
        Some(branch) => branch.to_owned(),
        None if !reference.commit.is_empty() => format!("commit {}", short(&reference.commit)),
        None if !reference.name.is_empty() => reference.name.clone(),
        None if !reference.tag.is_empty() => format!("tag {}", reference.tag),
        None => format!("the tag of semver {}", reference.semver),
    }
}

/// What is said after the patch: the tally, what is ignored and why, and the commit message.
pub fn closing(preview: &Preview) -> Vec<Talk> {
    let mut talk = Vec::new();
    if preview.error.is_none() && preview.unknown.is_none() {
        talk.push(Talk::new(Tone::Success, tally(preview)));
    }
    talk.extend(spared(preview).map(|text| Talk::new(Tone::Note, text)));
    for policy in &preview.without_latest {
        talk.push(Talk::new(
            Tone::Note,
            match policy.is_unknown {
                true => format!(
                    "what policy {} sets is not known: {}",
                    policy.key, policy.why
                ),
                false => format!("policy {} sets nothing: {}", policy.key, policy.why),
            },
        ));
    }
    talk.extend(preview.findings.iter().filter_map(finding_talk));
    if let Some(message) = &preview.message {
        talk.push(Talk::new(
            Tone::Detail,
            described_message(&String::from_utf8_lossy(message)),
        ));
    }
    if let Some(error) = &preview.error {
        let stalled = if error.stalled { ", Stalled" } else { "" };
        talk.push(Talk::new(
            Tone::Error,
            format!(
                "{}: the controller fails ({}{stalled}): {}",
                preview.key, error.reason, error.message
            ),
        ));
    }
    talk.extend(
        preview
            .troubles
            .iter()
            .map(|trouble| Talk::new(Tone::Error, trouble.message.clone())),
    );
    if let Some(unknown) = &preview.unknown {
        talk.push(Talk::new(
            Tone::Error,
            format!("{}: {unknown}", preview.key),
        ));
    }
    talk
}

/// What is said of a finding; a note stands in JSON alone.
pub(super) fn finding_talk(finding: &Finding) -> Option<Talk> {
    (finding.severity > Severity::Note).then(|| finding_line(finding))
}

/// A finding on one line.
pub fn finding_line(finding: &Finding) -> Talk {
    Talk::new(
        Tone::of(finding.severity),
        format!(
            "{}[{}]: {}: {}",
            finding.severity, finding.id, finding.subject, finding.message
        ),
    )
}

/// How many lines the controller would change besides the marked values, where it isn't imitated.
pub fn lines_spared(preview: &Preview) -> Option<usize> {
    let files = preview.files.iter();
    let mut counts = files.filter_map(|file| {
        let (added, removed) = unified_diff::counts(FilePair {
            path: &file.path,
            old: Some(&file.new),
            new: file.exact.as_deref()?,
        });
        Some(added.max(removed))
    });
    let first = counts.next()?;
    Some(first + counts.sum::<usize>())
}

fn spared(preview: &Preview) -> Option<String> {
    let lines = lines_spared(preview)?;
    let (noun, them) = if lines == 1 {
        ("line", "it")
    } else {
        ("lines", "them")
    };
    Some(match lines {
        0 => "--rewrite minimal spares nothing: the controller writes the same bytes".to_owned(),
        _ => format!(
            "--rewrite minimal spares {lines} {noun} of reformatting; the controller will change {them}"
        ),
    })
}

fn described_message(message: &str) -> String {
    if message.trim_end_matches('\n').contains('\n') {
        format!("message:\n{message}")
    } else {
        format!("message: {:?}", message)
    }
}

fn tally(preview: &Preview) -> String {
    let markers = &preview.markers;
    let set = match markers.applied {
        1 => "1 marker set".to_owned(),
        applied => format!("{applied} markers set"),
    };
    let mut ids: Vec<&str> = markers.ignored.iter().map(|marker| marker.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let ignored = match markers.ignored.len() {
        0 => String::new(),
        count => format!(", {count} ignored ({})", ids.join(", ")),
    };
    let files = match preview.files.len() {
        0 => "no file changes".to_owned(),
        1 => "1 file changes".to_owned(),
        count => format!("{count} files change"),
    };
    format!("{files}: {set}, {} up to date{ignored}", markers.up_to_date)
}

/// The automation's part of the patch, headed by a line that `git apply` skips; empty when nothing changes.
pub fn patch(preview: &Preview, context: usize, color: bool) -> Vec<u8> {
    if preview.files.is_empty() {
        return Vec::new();
    }
    let mut bytes = format!(
        "# ImageUpdateAutomation {}: {}\n",
        preview.key,
        destination(preview)
    )
    .into_bytes();
    for file in &preview.files {
        for line in unified_diff::lines(pair(file), context) {
            push_line(&mut bytes, &line, color);
        }
    }
    bytes
}

fn destination(preview: &Preview) -> String {
    let branch = preview
        .branches
        .as_ref()
        .map_or("an unknown branch", |branches: &Branches| {
            branches.push_branch.as_str()
        });
    match &preview.source.url {
        Some(url) => format!("{branch} of {url}"),
        None => format!("{branch} of GitRepository {}", preview.source.key),
    }
}

/// Before and after of a file, for the diff.
pub fn pair(file: &PreviewedFile) -> FilePair<'_> {
    FilePair {
        path: &file.path,
        old: file.old.as_deref(),
        new: &file.new,
    }
}

fn push_line(bytes: &mut Vec<u8>, line: &DiffLine, color: bool) {
    let style = match line.kind {
        LineKind::Header => Style::new().bold(),
        LineKind::Hunk => AnsiColor::Cyan.on_default(),
        LineKind::Removed => AnsiColor::Red.on_default(),
        LineKind::Added => AnsiColor::Green.on_default(),
        LineKind::Context | LineKind::NoNewline => Style::new(),
    };
    if !color || style == Style::new() {
        bytes.extend_from_slice(&line.text);
    } else {
        let (start, end) = line
            .emphasis
            .as_ref()
            .map_or((line.text.len(), line.text.len()), |part| {
                (part.start, part.end)
            });
        push_styled(bytes, style, &line.text[..start]);
        push_styled(bytes, style.bold().invert(), &line.text[start..end]);
        push_styled(bytes, style, &line.text[end..]);
    }
    bytes.push(b'\n');
}

fn push_styled(bytes: &mut Vec<u8>, style: Style, text: &[u8]) {
    if !text.is_empty() {
        bytes.extend_from_slice(style.render().to_string().as_bytes());
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(style.render_reset().to_string().as_bytes());
    }
}

/// The changed paths of all automations, one a line, each once.
pub fn names<'a>(previews: impl Iterator<Item = &'a Preview>) -> Vec<u8> {
    let mut paths: Vec<String> = changed_files(previews)
        .map(|file| unified_diff::quoted(&file.path))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
        .into_iter()
        .flat_map(|path| format!("{path}\n").into_bytes())
        .collect()
}

fn changed_files<'a>(
    previews: impl Iterator<Item = &'a Preview>,
) -> impl Iterator<Item = &'a PreviewedFile> {
    previews.flat_map(|preview| &preview.files)
}

/// One line for each file with its added and removed lines, as `git diff --stat` gives them, and their sum.
pub fn stat<'a>(previews: impl Iterator<Item = &'a Preview>) -> Vec<u8> {
    let rows: Vec<(String, usize, usize)> = changed_files(previews)
        .map(|file| {
            let (added, removed) = unified_diff::counts(pair(file));
            (unified_diff::quoted(&file.path), added, removed)
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let width = rows
        .iter()
        .map(|(path, _, _)| path.chars().count())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (path, added, removed) in &rows {
        let padding = " ".repeat(width - path.chars().count());
        text.push_str(&format!(
            " {path}{padding} | {} +{added} -{removed}\n",
            added + removed
        ));
    }
    let (added, removed) = rows.iter().fold((0, 0), |(added, removed), row| {
        (added + row.1, removed + row.2)
    });
    let files = if rows.len() == 1 {
        "1 file".to_owned()
    } else {
        format!("{} files", rows.len())
    };
    text.push_str(&format!(
        " {files} changed, {added} insertions(+), {removed} deletions(-)\n"
    ));
    text.into_bytes()
}
