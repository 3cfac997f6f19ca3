//! Whole folders: what a run makes of them, beside the Go program with the controller's libraries, which finds, reads and writes the
//! files itself. Ours is the program as users run it, on folders of its own.

mod answer;
mod making;
mod ours;
mod running;
mod saved;
mod shrinking;
mod theirs;
mod tree;

use std::time::{Duration, Instant};

use answer::Answer;
use making::any_tree;
use shrinking::shrink;
use theirs::Original;
pub use tree::Tree;

use crate::cluster::tell;
use crate::oracle::generator::Generator;

/// Folders that one run of ours looks at.
const AT_A_TIME: usize = 100;
/// The Go program writes its files in random order, and tells the first failure that it meets.
const RETRIES: usize = 40;

/// Whether ours is one of the answers that the original gives.
fn agrees(original: &mut Original, tree: &Tree, ours: &Answer) -> bool {
    (0..RETRIES).any(|_| original.ask(tree).agrees(ours))
}

/// The trees about which the answers differ.
fn differing(original: &mut Original, trees: &[Tree]) -> (Vec<Tree>, Tally) {
    let mut tally = Tally::default();
    let mut differing = Vec::new();
    for trees in trees.chunks(AT_A_TIME) {
        for (tree, ours) in trees.iter().zip(ours::ask(trees)) {
            let theirs = original.ask(tree);
            tally.count(tree, &theirs);
            if !theirs.agrees(&ours) && !agrees(original, tree, &ours) {
                differing.push(tree.clone());
            }
        }
    }
    (differing, tally)
}

/// What was asked.
#[derive(Debug, Default)]
struct Tally {
    asked: usize,
    failed: usize,
    changed: usize,
    unreadable: usize,
    links: usize,
}

impl Tally {
    fn count(&mut self, tree: &Tree, theirs: &Answer) {
        self.asked += 1;
        self.links += usize::from(tree.has_links());
        match theirs {
            Answer::Done {
                tree: after,
                problems,
            } => {
                self.changed += usize::from(after.entries != tree.entries);
                self.unreadable += usize::from(*problems > 0);
            }
            Answer::Failed(_) => self.failed += 1,
        }
    }
}

/// A tree made small, with both answers to it.
fn smallest(original: &mut Original, tree: Tree) -> String {
    let small = shrink(tree, Duration::from_secs(20), |tree| {
        let ours = ours::ask(std::slice::from_ref(tree)).remove(0);
        !agrees(original, tree, &ours)
    });
    let ours = ours::ask(std::slice::from_ref(&small)).remove(0);
    let theirs = original.ask(&small);
    format!(
        "{small}\n  theirs {theirs}\n  ours   {ours}\n  to be saved: {}\n\n",
        saved::to_json(&small, &theirs)
    )
}

fn check(name: &str, trees: &[Tree]) -> Tally {
    let Some(mut original) = Original::start() else {
        return Tally::default();
    };
    let started = Instant::now();
    let (differing, tally) = differing(&mut original, trees);
    tell(&format!(
        "{name}: {} asked, {} with links, {} change, {} fail, {} hold problem files, {} differ, {:.1?}",
        tally.asked,
        tally.links,
        tally.changed,
        tally.failed,
        tally.unreadable,
        differing.len(),
        started.elapsed()
    ));
    let told: String = differing
        .into_iter()
        .take(5)
        .map(|tree| smallest(&mut original, tree))
        .collect();
    assert!(told.is_empty(), "{told}");
    tally
}

#[test]
fn whole_folders_come_out_alike() {
    let mut g = Generator::new(8);
    let trees: Vec<Tree> = (0..1200).map(|_| any_tree(&mut g)).collect();
    let tally = check("folders", &trees);
    assert!(
        tally.asked == 0 || tally.changed > 200 && tally.failed > 50 && tally.unreadable > 50,
        "{tally:?}"
    );
}

#[test]
fn folders_that_came_out_differently_once_come_out_alike() {
    let Some(mut original) = Original::start() else {
        return;
    };
    let (names, trees, answers) = saved::saved();
    let ours = ours::ask(&trees);
    let done = ours::carry_out(&trees);
    for (at, name) in names.iter().enumerate() {
        let (tree, saved) = (&trees[at], &answers[at]);
        let theirs = original.ask(tree);
        assert!(agrees(&mut original, tree, saved), "{name}: {theirs}");
        assert!(ours[at].agrees(saved), "{name}: {}", ours[at]);
        assert!(done[at].agrees(saved), "{name}: {}", done[at]);
    }
}

#[test]
fn folders_are_changed_as_foretold() {
    let mut g = Generator::new(9);
    let trees: Vec<Tree> = (0..60).map(|_| any_tree(&mut g)).collect();
    let foretold = ours::ask(&trees);
    for (done, foretold) in ours::carry_out(&trees).iter().zip(foretold) {
        assert!(done.agrees(&foretold), "{foretold} {done}");
    }
}

#[test]
fn folders_come_out_as_by_the_running_controller() {
    let Some(plane) = crate::cluster::control_plane() else {
        return;
    };
    let mut g = Generator::new(10);
    let mut trees = Vec::new();
    while trees.len() < 200 {
        let tree = running::moved(any_tree(&mut g));
        // The controller doesn't even clone those with a tab or a line break in a name.
        if tree.has_plain_names() || g.chance(5) {
            trees.push(tree);
        }
    }
    let answers = running::ask(plane, &trees);
    let failed = |(_, done): &&(Answer, Answer)| matches!(done, Answer::Failed(_));
    let differing: Vec<String> = answers
        .iter()
        .filter(|(foretold, done)| !foretold.agrees(done))
        .map(|(foretold, done)| format!("theirs {done}ours {foretold}"))
        .collect();
    tell(&format!(
        "running controller: {} asked, {} fail, {} differ",
        answers.len(),
        answers.iter().filter(failed).count(),
        differing.len()
    ));
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
