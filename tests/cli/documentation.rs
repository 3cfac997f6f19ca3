//! The pages: blocks marked `console` are run, the other marks are listed, and what pages name is there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::environment::{self, Environment};

/// A fenced block of a page.
struct Block {
    mark: String,
    lines: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and all pages below `docs/`.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    pages
}

fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(mark), None) => {
                open = Some(Block {
                    mark: mark.to_owned(),
                    lines: Vec::new(),
                });
            }
            (None, Some(mut block)) => {
                block.lines.push(line.to_owned());
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    blocks
}

/// The commands of a page with what each is said to print.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for block in blocks(page).iter().filter(|block| block.mark == "console") {
        for line in &block.lines {
            match line.strip_prefix("$ ") {
                Some(command) => commands.push((command.to_owned(), Vec::new())),
                None => commands
                    .last_mut()
                    .unwrap()
                    .1
                    .push(line.trim_end().to_owned()),
            }
        }
    }
    commands
}

/// Runs commands one after the other in one shell, in a copy of the example; gives what each printed.
fn run(commands: &[(String, Vec<String>)]) -> Vec<Vec<String>> {
    const MARK: &str = "\u{1e}";
    let environment = Environment::new();
    let bin = environment.write(
        "bin/kubectl",
        "#!/bin/sh\nshift\nexec kubectl-imageauto \"$@\"\n",
    );
    fs::create_dir_all(environment.path().join("gitops")).unwrap();
    let script = commands.iter().fold(
        format!(
            "set -e\nchmod +x '{}'\ncp -R '{}' gitops/\ncd gitops\ngit init --quiet --initial-branch=main\ngit add --all\ngit commit --quiet --message First\nset +e\ngit rev-parse --short=7 HEAD\n",
            bin.display(),
            root().join("examples").display(),
        ),
        |mut script, (command, _)| {
            writeln!(script, "printf '\\036'\n{command}").unwrap();
            script
        },
    );
    let ours = Path::new(environment::program());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [bin.parent().unwrap(), ours.parent().unwrap()].map(Path::to_owned);
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path)));
    let output = environment
        .command("bash")
        .env("PATH", path.unwrap())
        .env("GIT_AUTHOR_DATE", "2026-06-02T08:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-06-02T08:00:00Z")
        .args(["-c", &format!("exec 2>&1\n{script}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    // Pages show one hash for whatever the first commit has.
    let commit = printed.lines().next().unwrap_or_default();
    let printed = printed.replace(commit, "3f2c1aa");
    let parts: Vec<Vec<String>> = printed
        .split(MARK)
        .skip(1)
        .map(|part| {
            part.lines()
                .map(|line| line.trim_end().to_owned())
                .collect()
        })
        .collect();
    assert_eq!(parts.len(), commands.len(), "{printed}");
    parts
}

/// Whether `printed` is what is shown; `…` stands for any lines.
fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| first == line && fits(rest, others)),
    }
}

#[test]
fn console_blocks_show_what_is_printed() {
    let mut run_at_all = 0;
    for page in pages() {
        let commands = commands(&page);
        if commands.is_empty() {
            continue;
        }
        for ((command, shown), printed) in commands.iter().zip(run(&commands)) {
            run_at_all += 1;
            assert!(
                fits(shown, &printed),
                "{page}: {command}\n--- shown:\n{}\n--- printed:\n{}",
                shown.join("\n"),
                printed.join("\n")
            );
        }
    }
    assert!(run_at_all >= 8, "{run_at_all} commands were run");
}

#[test]
fn blocks_that_are_not_run_are_listed_with_why() {
    let table = fs::read_to_string(root().join("docs/blocks.md")).unwrap();
    let listed: BTreeSet<(String, String)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|line| {
            let (mark, rest) = line.split_once('`').unwrap();
            let places = rest.split('|').nth(1).unwrap();
            let places = places.split(',').map(str::trim).map(str::to_owned);
            places
                .map(|place| (mark.to_owned(), place))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut found = BTreeSet::new();
    for page in pages() {
        let name = page.trim_start_matches("docs/").trim_end_matches(".md");
        for block in blocks(&page).iter().filter(|block| block.mark != "console") {
            found.insert((block.mark.clone(), name.to_owned()));
        }
    }
    assert_eq!(
        found, listed,
        "blocks of pages, and the table in docs/blocks.md"
    );
}

#[test]
fn every_page_is_in_the_book_and_links_lead_somewhere() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    for page in pages() {
        let name = page.trim_start_matches("docs/");
        if name != "SUMMARY.md" && name != "README.md" {
            assert!(
                summary.contains(&format!("]({name})")),
                "docs/SUMMARY.md lacks {name}"
            );
        }
        let folder = root().join(&page);
        let folder = folder.parent().unwrap();
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.starts_with("https://") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap();
            assert!(folder.join(file).exists(), "{page} links to {target}");
        }
    }
}
