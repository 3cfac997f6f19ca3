//! Go programs of the tests, built by the ordinary `go` client from pinned modules and kept in the user's cache folder.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use super::recipes::{Recipe, recipe};
use super::tell;

/// The Go version, or `None` where Go isn't installed, which is said loudly, and is a failure when `CI` is set.
pub fn go_version() -> Option<&'static str> {
    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let output = Command::new("go").args(["env", "GOVERSION", "GOOS", "GOARCH"]).output();
        match output {
            Ok(output) if output.status.success() => {
                Some(String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" "))
            }
            _ => {
                assert!(
                    env::var_os("CI").is_none(),
                    "these suites need Go 1.26 or newer on PATH: install it from https://go.dev/dl/"
                );
                tell("SKIPPED: Go isn't on PATH, so NOTHING of these suites was run. Install it from https://go.dev/dl/");
                None
            }
        }
    });
    version.as_deref()
}

/// The path of a program of `tests/cluster/programs` or `tests/oracle/programs`, built first when that is needed.
///
/// `None` where Go isn't installed, or the C compiler that the program needs. Panics when the build fails.
pub fn go_program(name: &str) -> Option<PathBuf> {
    go_programs(&[name]).map(|mut paths| paths.remove(0))
}

/// As [`go_program`], for several: one after the other, telling how far it is.
pub fn go_programs(names: &[&str]) -> Option<Vec<PathBuf>> {
    let version = go_version()?;
    let cache = cache_folder();
    fs::create_dir_all(&cache).expect("the cache folder can be made");
    // Held until all are built: another test binary waits instead of building the same.
    let lock = File::create(cache.join("lock")).expect("the cache folder is writable");
    lock.lock().expect("the cache folder can be locked");
    let mut paths = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let folder = program_folder(name);
        let built = cache.join(format!(
            "{name}-{:016x}",
            fingerprint(&folder, name, version)
        ));
        if !built.exists() {
            let recipe = recipe(name);
            if recipe.has_c && !has_c_compiler() {
                return None;
            }
            let minutes = recipe.minutes;
            let unit = if minutes == 1 { "minute" } else { "minutes" };
            tell(&format!(
                "building {name} ({} of {}), about {minutes} {unit} the first time",
                index + 1,
                names.len()
            ));
            let started = Instant::now();
            build(name, &folder, &built);
            tell(&format!("built {name} in {:.0?}", started.elapsed()));
        }
        paths.push(built);
    }
    Some(paths)
}

/// Asks a program that answers each line of its input with one line.
pub fn ask(program: &Path, questions: &[String]) -> Vec<String> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} can't be run: {error}", program.display()));
    let mut input = child.stdin.take().expect("the input is a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            for question in questions {
                // A program that ended early shows in the number of its answers.
                if writeln!(input, "{question}").is_err() {
                    return;
                }
            }
        });
        child
            .wait_with_output()
            .expect("the program can be waited for")
    });
    let answers: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        answers.len(),
        questions.len(),
        "{} left questions open ({})",
        program.display(),
        output.status
    );
    answers
}

/// The folder of a module in the Go module cache, downloaded and verified first when it isn't there.
///
/// `module` is a path that the `go.mod` in `tests/cluster/programs/<program>` pins.
pub fn module_folder(program: &str, module: &str) -> PathBuf {
    downloaded(
        Command::new("go")
            .current_dir(program_folder(program))
            .args(["mod", "download", "-json", module]),
    )
    .0
}

/// As [`module_folder`], for a module at a version that no `go.mod` here names; `sum` is its pinned checksum.
pub fn module_folder_at(module: &str, version: &str, sum: &str) -> PathBuf {
    let outside = tempfile::tempdir().expect("a temporary folder can be made");
    let wanted = format!("{module}@{version}");
    let (folder, found) = downloaded(
        Command::new("go")
            .current_dir(&outside)
            .args(["mod", "download", "-json", &wanted]),
    );
    assert_eq!(found, sum, "the checksum of {wanted}");
    folder
}

/// The version of a module that a program's `go.mod` pins, for the headers of recordings.
pub fn module_version(program: &str, module: &str) -> String {
    let text = fs::read_to_string(program_folder(program).join("go.mod"))
        .expect("the program has a go.mod");
    text.lines()
        .map(|line| line.trim().trim_start_matches("require "))
        .find_map(|line| line.strip_prefix(module)?.strip_prefix(' '))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or_else(|| panic!("{program}/go.mod doesn't require {module}"))
        .to_owned()
}

fn downloaded(command: &mut Command) -> (PathBuf, String) {
    let output = command.output().expect("go can be run");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("go answers in JSON");
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    (PathBuf::from(text("Dir")), text("Sum"))
}

fn build(name: &str, folder: &Path, built: &Path) {
    let recipe = recipe(name);
    let unfinished = built.with_extension(format!("building-{}", std::process::id()));
    let vendored = built.with_file_name(format!("{name}-vendored"));
    let mut command = go_in_the_background();
    command
        .args(["build", "-buildvcs=false", "-ldflags", recipe.link_flags])
        .args(["-tags", recipe.tags, "-o"])
        .arg(&unfinished);
    if recipe.left_out.is_empty() {
        command.current_dir(folder);
    } else {
        vendor(recipe, folder, &vendored);
        command.current_dir(&vendored).arg("-mod=vendor");
    }
    if recipe.has_c {
        command.env("CGO_ENABLED", "1");
    }
    let output = command
        .arg(recipe.package)
        .output()
        .expect("nice and go can be run");
    assert!(
        output.status.success(),
        "building {name} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // A rename, so that an interrupted build never leaves half a program under the final name.
    fs::rename(&unfinished, built).expect("the cache folder is writable");
    remove(&vendored);
}

/// Copies the program's modules to `vendored`, and puts there, empty, what they leave out.
///
/// The folder always has the same path, which the Go build cache goes by.
fn vendor(recipe: &Recipe, folder: &Path, vendored: &Path) {
    remove(vendored);
    fs::create_dir(vendored).expect("the cache folder is writable");
    for name in ["go.mod", "go.sum"] {
        fs::copy(folder.join(name), vendored.join(name)).expect("the cache folder is writable");
    }
    let output = go_in_the_background()
        .current_dir(vendored)
        // What is left out is an error otherwise.
        .args(["mod", "vendor", "-e"])
        .output()
        .expect("nice and go can be run");
    assert!(
        output.status.success(),
        "vendoring the modules of {} failed:\n{}",
        recipe.name,
        String::from_utf8_lossy(&output.stderr)
    );
    let left_out = vendored.join("vendor").join(recipe.left_out);
    fs::create_dir_all(left_out.parent().expect("it has a folder"))
        .and_then(|()| fs::write(&left_out, ""))
        .expect("the cache folder is writable");
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            panic!("{}: {error}", folder.display())
        }
        _ => {}
    }
}

/// The `go` client at the lowest priority: tests with a time limit may run meanwhile, and a build is in no hurry.
fn go_in_the_background() -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19", "go"]);
    command
}

/// Whether the C compiler that Go uses is there, told as [`is_there`] does.
fn has_c_compiler() -> bool {
    let output = Command::new("go")
        .args(["env", "CC"])
        .output()
        .expect("go can be run");
    let compiler = String::from_utf8_lossy(&output.stdout);
    let compiler = compiler.split_whitespace().next().unwrap_or("gcc");
    is_there(
        compiler,
        "--version",
        "install a C compiler, which the git forge is built with",
    )
}

/// Whether a program can be run; where not it is said loudly what is skipped, and is a failure when `CI` is set.
pub fn is_there(program: &str, question: &str, what_for: &str) -> bool {
    let found = Command::new(program)
        .arg(question)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        assert!(
            env::var_os("CI").is_none(),
            "{program} isn't on PATH: {what_for}"
        );
        tell(&format!(
            "SKIPPED: {program} isn't on PATH, so the tests that need it were NOT run: {what_for}"
        ));
    }
    found
}

fn cache_folder() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .expect("HOME or XDG_CACHE_HOME is set");
    base.join("kubectl-imageauto").join("programs")
}

fn program_folder(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    ["cluster", "oracle"]
        .iter()
        .map(|part| tests.join(part).join("programs").join(name))
        .find(|folder| folder.join("go.mod").exists())
        .unwrap_or_else(|| panic!("there is no Go program called {name}"))
}

/// Everything that decides a program's bytes, as an FNV-1a hash: a name in a cache, not a proof.
fn fingerprint(folder: &Path, name: &str, version: &str) -> u64 {
    let mut paths = files_below(folder);
    paths.sort();
    let recipe = recipe(name);
    let mut parts: Vec<Vec<u8>> = vec![version.into(), recipe.link_flags.into()];
    parts.extend(
        [recipe.tags, recipe.left_out]
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| part.as_bytes().to_vec()),
    );
    for path in paths {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        parts.push(relative.as_os_str().as_encoded_bytes().to_vec());
        parts.push(fs::read(&path).expect("the program's files can be read"));
    }
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.len().to_le_bytes().iter().chain(&part) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .expect("the program's folder can be read")
        .map(|entry| entry.expect("the program's folder can be read").path())
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
