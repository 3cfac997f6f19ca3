//! `get markers` and `get images`: tables and names.

use crate::controllers::flux::{ImageRef, ObjectKey};
use crate::pipeline::stages::MarkerFate;
use crate::pipeline::standing::{ImageRow, MarkerRow, Standing, part_of};

use super::objects::{NONE, TableSettings, or_none, shown_digest};
use super::table::Table;

/// The table of the markers of one or several clusters.
pub fn markers(all: &[Standing], settings: TableSettings) -> Vec<u8> {
    let mut headers = leading(settings);
    headers.extend([
        "OBJECT",
        "FILE:LINE",
        "POLICY",
        "IN-GIT",
        "LATEST",
        "RUNNING",
    ]);
    if settings.wide {
        headers.extend(["UPDATE", "SOURCE", "FIELD"]);
    }
    headers.push("VERDICT");
    let mut table = Table::new(headers);
    for standing in all {
        for row in &standing.markers {
            let mut cells = places(standing, &row.automation.namespace, settings);
            cells.extend(marker(row, settings.wide));
            table.row(cells);
        }
    }
    rendered(&table, settings)
}

/// The table of the images of one or several clusters.
pub fn images(all: &[Standing], settings: TableSettings) -> Vec<u8> {
    let mut headers = leading(settings);
    headers.extend(["IMAGE", "POLICY", "IN-GIT", "LATEST", "NEWER-OUTSIDE-RANGE"]);
    if settings.wide {
        headers.extend(["REPOSITORY", "MARKERS", "FROM"]);
    }
    let mut table = Table::new(headers);
    for standing in all {
        for row in &standing.images {
            let mut cells = places(standing, &row.policy.namespace, settings);
            cells.extend(image(row, settings.wide));
            table.row(cells);
        }
    }
    rendered(&table, settings)
}

/// An empty table has no headers, as kubectl has it.
fn rendered(table: &Table, settings: TableSettings) -> Vec<u8> {
    if table.is_empty() {
        return Vec::new();
    }
    table.render(settings.headers).into_bytes()
}

fn leading(settings: TableSettings) -> Vec<&'static str> {
    let columns = [
        (settings.contexts, "CONTEXT"),
        (settings.namespaces, "NAMESPACE"),
    ];
    let shown = columns.into_iter().filter(|(shown, _)| *shown);
    shown.map(|(_, header)| header).collect()
}

fn places(standing: &Standing, namespace: &str, settings: TableSettings) -> Vec<String> {
    let mut cells = Vec::new();
    if settings.contexts {
        cells.push(or_none(standing.context.as_deref()));
    }
    if settings.namespaces {
        cells.push(namespace.to_owned());
    }
    cells
}

fn marker(row: &MarkerRow, wide: bool) -> Vec<String> {
    let part = row.setter.as_deref().map(part_of).unwrap_or_default();
    let text = |value: &Option<String>| {
        value
            .as_deref()
            .map_or(NONE.into(), |text| short(text, part))
    };
    let object = row.object.as_ref().map(|object| {
        let kind = object.kind.to_lowercase();
        match object.name.as_str() {
            "" => kind,
            name => format!("{kind}/{name}"),
        }
    });
    let mut cells = vec![
        object.unwrap_or_else(|| NONE.into()),
        place(row),
        row.policy.as_ref().map_or_else(
            || or_none(row.setter.as_deref()),
            |policy| near(policy, &row.automation.namespace),
        ),
        text(&row.in_git),
        text(&row.latest),
        row.running
            .as_ref()
            .map_or(NONE.into(), |tags| or_none(Some(&tags.join(",")))),
    ];
    if wide {
        cells.push(row.automation.name.clone());
        cells.push(near(&row.source, &row.automation.namespace));
        cells.push(if part.is_empty() { "image" } else { part }.to_owned());
    }
    cells.push(verdict(row));
    cells
}

/// What becomes of a marker: `applied`, `upToDate`, `unknown`, or `ignored` with the finding that says why.
fn verdict(row: &MarkerRow) -> String {
    match &row.fate {
        MarkerFate::Applied { .. } => "applied".into(),
        MarkerFate::UpToDate { .. } => "upToDate".into(),
        MarkerFate::Unknown { .. } => "unknown".into(),
        MarkerFate::Ignored { id, .. } => format!("ignored ({id})"),
    }
}

fn image(row: &ImageRow, wide: bool) -> Vec<String> {
    let values = row.in_git.iter().flatten();
    // The name of an image tells nothing of its version.
    let values = values.filter(|value| value.part != "name");
    let mut values: Vec<String> = values
        .map(|value| short(&value.text, &value.part))
        .collect();
    values.dedup();
    let mut cells = vec![
        or_none(row.image.as_deref()),
        row.policy.name.clone(),
        or_none(Some(&values.join(","))),
        row.latest
            .as_ref()
            .map_or(NONE.into(), |(image, _)| chosen(image)),
        or_none(row.newer_outside_range.as_deref()),
    ];
    if wide {
        cells.push(near(&row.repository, &row.policy.namespace));
        cells.push(if row.in_git.is_some() {
            row.markers.to_string()
        } else {
            NONE.into()
        });
        cells.push(or_none(
            row.latest.as_ref().map(|(_, origin)| origin.word()),
        ));
    }
    cells
}

fn chosen(image: &ImageRef) -> String {
    match image.digest.as_str() {
        "" => image.tag.clone(),
        digest => format!("{}@{}", image.tag, shown_digest(digest, false)),
    }
}

/// A name, with its namespace where that is another than `namespace`.
fn near(key: &ObjectKey, namespace: &str) -> String {
    if key.namespace == namespace {
        key.name.clone()
    } else {
        key.to_string()
    }
}

/// What a field holds, without the name of the image: the tag, and the beginning of a digest. What is empty is told as `""`.
pub(super) fn short(text: &str, part: &str) -> String {
    if text.is_empty() {
        return r#""""#.to_owned();
    }
    let (front, digest) = match text.split_once('@') {
        Some((front, digest)) => (front, Some(shown_digest(digest, false))),
        None => (text, None),
    };
    let tag = match part {
        "" => {
            let last = front.rsplit('/').next().unwrap_or(front);
            last.split_once(':').map_or(front, |(_, tag)| tag)
        }
        "digest" => return shown_digest(text, false).to_owned(),
        _ => front,
    };
    match digest {
        Some(digest) => format!("{tag}@{digest}"),
        None => tag.to_owned(),
    }
}

fn place(row: &MarkerRow) -> String {
    format!("{}:{}", row.path, row.line)
}

/// `PATH:LINE`, one a line.
pub fn marker_names(all: &[Standing]) -> Vec<u8> {
    let rows = all.iter().flat_map(|standing| &standing.markers);
    lines(rows.map(place))
}

/// The images' names, each once.
pub fn image_names(all: &[Standing]) -> Vec<u8> {
    let rows = all.iter().flat_map(|standing| &standing.images);
    let mut names: Vec<String> = rows.filter_map(|row| row.image.clone()).collect();
    names.sort();
    names.dedup();
    lines(names.into_iter())
}

fn lines(texts: impl Iterator<Item = String>) -> Vec<u8> {
    let lines = texts.map(|text| format!("{}\n", text.replace(char::is_control, "\u{fffd}")));
    lines.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_value_is_told_by_its_version() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(short("host:5000/a/b:1.2", ""), "1.2");
        assert_eq!(
            short(&format!("a/b:1@{digest}"), ""),
            "1@sha256:aaaaaaaaaaaa"
        );
        assert_eq!(short("host:5000/a/b", ""), "host:5000/a/b");
        assert_eq!(short("1.2", "tag"), "1.2");
        // Only digests are shortened, whatever the field is for.
        let image = "registry.example.com/team/app:1.2";
        assert_eq!(short(image, "digest"), image);
        assert_eq!(short("", "digest"), "\"\"");
        assert_eq!(short(&digest, "digest"), "sha256:aaaaaaaaaaaa");
    }
}
