//! The Go program that runs over folders with the libraries that the controller is built from.

use super::answer::Answer;
use super::tree::Tree;
use crate::oracle::yaml::Original as Program;

use std::fs;

use tempfile::TempDir;

/// The running program.
pub struct Original {
    program: Program,
    room: TempDir,
}

impl Original {
    /// Starts it; `None` where Go isn't installed.
    pub fn start() -> Option<Self> {
        Some(Self {
            program: Program::start()?,
            room: tempfile::tempdir().expect("a temporary folder can be made"),
        })
    }

    /// Asks about one tree.
    pub fn ask(&mut self, tree: &Tree) -> Answer {
        let folder = self.room.path().join("clone");
        fs::create_dir(&folder).expect("a folder can be made");
        tree.write(&folder);
        let answer = match self.program.run_in(&folder, &tree.below) {
            Ok(problems) => Answer::Done {
                tree: tree.read(&folder),
                problems,
            },
            Err(message) => Answer::Failed(message),
        };
        fs::remove_dir_all(&folder).expect("the folder can be removed");
        answer
    }
}
