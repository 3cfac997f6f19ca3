//! Trees with all that a walk over folders can meet.

use super::tree::{Entry, Tree};
use crate::oracle::generator::Generator;
use crate::oracle::yaml::{NAMESPACE, hard_yaml, json_items, list, odd_objects, ordinary_manifest};

/// What the files of a tree hold: a run over lists and other objects together always fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Objects,
    Lists,
    Both,
}

/// A tree of any kind.
pub fn any_tree(g: &mut Generator) -> Tree {
    let mut tree = Tree::default();
    let folders = folders(g);
    let flavour = match g.below(10) {
        0..=5 => Flavour::Objects,
        6..=8 => Flavour::Lists,
        _ => Flavour::Both,
    };
    for _ in 0..2 + g.below(7) {
        let path = path(g, &folders);
        if tree.has_room_for(&path) {
            tree.entries.insert(path, Entry::File(text(g, flavour)));
        }
    }
    for _ in 0..g.below(4) {
        let path = path(g, &folders);
        if tree.has_room_for(&path) {
            let target = target(g, &tree, &path);
            tree.entries.insert(path, Entry::Link(target));
        }
    }
    if g.chance(25) {
        // A link to a folder, with a name that nothing asks for.
        let path = g.pick(&["link", "apps/link", "shop", "link.yaml"]);
        if tree.has_room_for(path.as_bytes()) {
            let target = target(g, &tree, path.as_bytes());
            tree.entries
                .insert(path.as_bytes().to_vec(), Entry::Link(target));
        }
    }
    if g.chance(2) {
        chain(g, &mut tree);
    }
    tree.below = below(g, &tree);
    tree
}

fn folders(g: &mut Generator) -> Vec<&'static str> {
    let mut folders = vec![""];
    if g.chance(5) {
        folders.push("v1..v2");
    }
    for _ in 0..1 + g.below(3) {
        folders.push(g.pick(&[
            "apps",
            "apps/prod",
            "clusters/prod",
            "shop",
            "d",
            "x.yaml",
            "apps/d.yml",
            "charts/app/templates",
            " with  blanks ",
            ".hidden",
            "Kustomization",
        ]));
    }
    folders
}

fn path(g: &mut Generator, folders: &[&str]) -> Vec<u8> {
    let folder = g.pick(folders);
    let name: &[u8] = g.pick(&[
        b"a.yaml",
        b"a.yaml",
        b"b.yaml",
        b"f.yaml",
        b"f.yaml",
        b"other.yaml",
        b"g.yml",
        b"Kustomization",
        b"kustomization.yaml",
        b"kustomization.yml",
        b"Kptfile",
        b".krmignore",
        b".sourceignore",
        b".gitignore",
        b".hidden.yaml",
        b".yaml",
        b"c.YAML",
        b"d.json",
        b"e.Yml",
        b"README.md",
        b"pod_web.yaml",
        b"deployment_web.yaml",
        b"two words.yaml",
        b"two\nlines.yaml",
        b"tab\t.yaml",
        b"quo\"te'.yaml",
        b"back\\slash.yaml",
        b"-r.yaml",
        b"#.yaml",
        b"~.yaml",
        b"*.yaml",
        b"$(x).yaml",
        b"a.yaml.bak",
        b"a.yaml ",
        b"a..yaml",
        b"null.yaml",
        b"\xc3\xbcber.yaml",
        b"\xe6\x97\xa5\xe6\x9c\xac.yml",
        b"\xf0\x9f\x9a\x80.yaml",
        b"u\xcc\x88ber.yaml",
        b"\xef\xbb\xbfbom.yaml",
    ]);
    if folder.is_empty() {
        name.to_vec()
    } else {
        [folder.as_bytes(), b"/", name].concat()
    }
}

/// What a file holds.
fn text(g: &mut Generator, flavour: Flavour) -> Vec<u8> {
    let marked = format!("image: app:v1 # {{\"$imagepolicy\": \"{NAMESPACE}:app\"}}\n");
    let has_list = match flavour {
        Flavour::Objects => false,
        Flavour::Lists => true,
        Flavour::Both => g.chance(40),
    };
    if has_list {
        return match g.below(7) {
            0 => list(g).into_bytes(),
            6 => json_items(g, true).into_bytes(),
            1 => b"kind: Pod\nmetadata:\n  name: web\n".to_vec(),
            2 => b"broken: [\n".to_vec(),
            3 => format!(
                "kind: List\nitems:\n  - kind: Pod\n    metadata:\n      name: web\n      namespace: {}\n    {marked}",
                g.pick(&["shop", "d", "link", "\"\"", "a.yaml", "new/folder"])
            )
            .into_bytes(),
            _ => format!(
                "kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: web\n    annotations:\n      config.kubernetes.io/path: {}\n  {marked}",
                elsewhere(g)
            )
            .into_bytes(),
        };
    }
    match g.below(24) {
        0..=3 => ordinary_manifest(g).into_bytes(),
        4 | 5 => hard_yaml(g).into_bytes(),
        6 => odd_objects(g).into_bytes(),
        7 => format!(
            "metadata:\n  annotations:\n    config.kubernetes.io/path: {}\n{marked}",
            elsewhere(g)
        )
        .into_bytes(),
        8 | 9 => format!(
            "kind: Kustomization\nimages:\n- name: app\n  newTag: \"1.0\" # {{\"$imagepolicy\": \"{NAMESPACE}:app:tag\"}}\n"
        )
        .into_bytes(),
        10..=17 => {
            format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  {marked}")
                .into_bytes()
        }
        _ => odd_bytes(g, &marked),
    }
}

/// Where an object may say that it is from.
fn elsewhere(g: &mut Generator) -> &'static str {
    g.pick(&[
        "a.yaml",
        "f.yaml",
        "f.yaml",
        "other.yaml",
        "shop/pod_web.yaml",
        "new/folder/x.yaml",
        "README.md",
        "d.json",
        "x.json",
        "new/folder/x.json",
        "link/x.yaml",
        "shop",
        "apps",
        "d",
        "a.yaml/x.yaml",
        "./a.yaml",
        "apps/../a.yaml",
        "../a.yaml",
        "/a.yaml",
        "link.yaml",
        ".git/config.yaml",
        "''",
    ])
}

/// Bytes that are no manifest, and manifests in odd encodings.
fn odd_bytes(g: &mut Generator, marked: &str) -> Vec<u8> {
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    match g.below(16) {
        0 => Vec::new(),
        1 => b"\xef\xbb\xbf".to_vec(),
        2 => [b"\xef\xbb\xbf", marked.as_bytes()].concat(),
        3 => [b"\xff\xfe", &utf16[..]].concat(),
        4 => [b"name: caf\xe9\n", marked.as_bytes()].concat(),
        5 => [marked.as_bytes(), b"\0\x01\x02\n"].concat(),
        6 => b"\x7fELF\0\0\xff".to_vec(),
        7 => format!("{marked}  broken: [\n").into_bytes(),
        8 => b"broken: [\n".to_vec(),
        9 => format!("- op: replace\n  value: app:v1 # {{\"$imagepolicy\": \"{NAMESPACE}:app\"}}\n")
            .into_bytes(),
        10 => marked.replace('\n', "\r\n").into_bytes(),
        11 => format!("{{{{ if .x }}}}\n{marked}{{{{ end }}}}\n").into_bytes(),
        12 => format!("{{\"kind\": \"Pod\", \"image\": \"app:v1\" # {{\"$imagepolicy\": \"{NAMESPACE}:app\"}}\n}}\n")
            .into_bytes(),
        13 => marked.replace('"', "'").into_bytes(),
        14 => b"# {\"$imagepolicy\": \"x\"}\n".to_vec(),
        _ => format!("{marked}...\nlost: text\n").into_bytes(),
    }
}

/// Where a link at `path` may lead.
fn target(g: &mut Generator, tree: &Tree, path: &[u8]) -> Vec<u8> {
    let depth = path.iter().filter(|byte| **byte == b'/').count();
    let up = "../".repeat(depth);
    let paths: Vec<&[u8]> = tree.entries.keys().map(Vec::as_slice).collect();
    let other = g.pick(&paths);
    let parent = match other.iter().rposition(|byte| *byte == b'/') {
        Some(at) => &other[..at],
        None => b".",
    };
    let to = |target: &[u8]| [up.as_bytes(), target].concat();
    match g.below(20) {
        0 => b"none.yaml".to_vec(),
        1 => to(b"none/none.yaml"),
        2 => path
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or(path)
            .to_vec(),
        3 => to(parent),
        4 => to(&[parent, b"/"].concat()),
        5 => b"/nonexistent-folder/a.yaml".to_vec(),
        6 => format!("{}nonexistent-folder/a.yaml", "../".repeat(20)).into_bytes(),
        7 => to(&[other, b"/"].concat()),
        8 => to(&[other, b"/."].concat()),
        9 if parent != b"." => to(&[b"./", parent, b"//.././", parent, b"/./"].concat()),
        10 => to(&[other, b"/../a.yaml"].concat()),
        // Never out of the folder to one that is there: the original writes through links.
        11 if depth > 0 => b"..".to_vec(),
        12 => to(b"link/a.yaml"),
        _ => to(other),
    }
}

/// Links that lead to one another, about as many as the system follows.
fn chain(g: &mut Generator, tree: &mut Tree) {
    let length = 38 + g.below(5);
    for number in 0..length {
        let target = match number {
            0 => b"a.yaml".to_vec(),
            _ => format!("chain-{}.yaml", number - 1).into_bytes(),
        };
        let path = format!("chain-{number}.yaml").into_bytes();
        tree.entries.insert(path, Entry::Link(target));
    }
}

/// An `spec.update.path`.
fn below(g: &mut Generator, tree: &Tree) -> String {
    if g.chance(70) {
        return g.pick(&["", "", "./", "."]).to_owned();
    }
    let paths: Vec<String> = tree
        .entries
        .keys()
        .filter_map(|path| String::from_utf8(path.clone()).ok())
        .collect();
    let any = paths[g.below(paths.len())].clone();
    let parent = any.rsplit_once('/').map_or(".", |(parent, _)| parent);
    match g.below(12) {
        0 => "none".into(),
        1 => format!("./{parent}/none"),
        2 => any,
        3 => format!("{any}/x"),
        4 => format!("/{parent}"),
        5 => format!("../../{parent}"),
        6 => format!("{parent}//./"),
        7 => format!("{parent}/../{parent}"),
        8 => "link".into(),
        9 => "link/apps".into(),
        10 => "./apps".into(),
        _ => format!("./{parent}"),
    }
}
