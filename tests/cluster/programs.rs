//! Go programs of the tests, built by the ordinary `go` client from pinned modules and kept in the user's cache folder.

use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use super::tell;

/// How a program is built, where that is more than its folder's main package.
struct Recipe {
    name: &'static str,
    package: &'static str,
    link_flags: &'static str,
    /// What the first build takes on two cores; later ones take seconds.
    minutes: u32,
}

const RECIPES: [Recipe; 5] = [
    Recipe {
        name: "etcd",
        package: "go.etcd.io/etcd/server/v3",
        link_flags: "",
        minutes: 1,
    },
    Recipe {
        name: "apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        // Clients can't parse the version that it reports without this.
        link_flags: "-X k8s.io/component-base/version.gitVersion=v1.36.3",
        minutes: 6,
    },
    Recipe {
        name: "irc",
        package: "github.com/fluxcd/image-reflector-controller",
        link_flags: "",
        minutes: 3,
    },
    Recipe {
        name: "iac",
        package: "github.com/fluxcd/image-automation-controller",
        link_flags: "",
        minutes: 3,
    },
    Recipe {
        name: "registry",
        package: "github.com/distribution/distribution/v3/cmd/registry",
        link_flags: "",
        minutes: 2,
    },
];

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
/// `None` where Go isn't installed. Panics when the build fails.
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
    let paths = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let folder = program_folder(name);
            let built = cache.join(format!(
                "{name}-{:016x}",
                fingerprint(&folder, name, version)
            ));
            if !built.exists() {
                let minutes = RECIPES
                    .iter()
                    .find(|recipe| recipe.name == *name)
                    .map_or(1, |recipe| recipe.minutes);
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
            built
        })
        .collect();
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
    let recipe = RECIPES.iter().find(|recipe| recipe.name == name);
    let unfinished = built.with_extension(format!("building-{}", std::process::id()));
    let output = Command::new("go")
        .current_dir(folder)
        .args([
            "build",
            "-buildvcs=false",
            "-ldflags",
            recipe.map_or("", |recipe| recipe.link_flags),
            "-o",
        ])
        .arg(&unfinished)
        .arg(recipe.map_or(".", |recipe| recipe.package))
        .output()
        .expect("go can be run");
    assert!(
        output.status.success(),
        "building {name} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // A rename, so that an interrupted build never leaves half a program under the final name.
    fs::rename(&unfinished, built).expect("the cache folder is writable");
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
    let recipe = RECIPES.iter().find(|recipe| recipe.name == name);
    let mut parts: Vec<Vec<u8>> = vec![
        version.into(),
        recipe.map_or("", |recipe| recipe.link_flags).into(),
    ];
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
