//! A result that can't be written.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::environment::{Environment, OFFLINE, Ran};

/// The device that is always full.
const FULL: &str = "/dev/full";

#[test]
fn a_full_disk_is_told_and_a_closed_pipe_is_not() {
    let environment = Environment::shop();
    let diff = [&["diff"][..], &OFFLINE].concat();
    let diff_json = [&diff[..], &["-o", "json"]].concat();
    for arguments in [
        &["version"][..],
        &["--help"],
        &["__complete", "get", ""],
        &["completion", "bash"],
        &["get", "-f", "objects"],
        &diff,
        &diff_json,
    ] {
        let full = OpenOptions::new().write(true).open(FULL).unwrap();
        let mut command = environment.imageauto();
        let ran = Ran::of(command.args(arguments).stdout(full)).expect(6);
        let told = ran
            .stderr
            .matches("standard output can't be written: no space left");
        assert_eq!(told.count(), 1, "{arguments:?}: {}", ran.stderr);
    }
    let mut command = environment.imageauto();
    command.args(diff_json).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(!told.contains("standard output"), "{told}");
}
