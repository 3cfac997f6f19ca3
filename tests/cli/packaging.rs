//! What strangers install it with: krew's and flux's rules for manifests, pinned workflows, archives, the action.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::environment::{self, Environment, Ran};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn repository() -> &'static str {
    env!("CARGO_PKG_REPOSITORY")
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// What krew's own validation demands of a manifest in a file.
fn check_krew(file: &Path) {
    let manifest = yaml(&fs::read_to_string(file).unwrap());
    assert_eq!(
        manifest["apiVersion"],
        "krew.googlecontainertools.github.com/v1alpha2"
    );
    assert_eq!(manifest["kind"], "Plugin");
    let name = manifest["metadata"]["name"].as_str().unwrap();
    assert_eq!(file.file_stem().unwrap().to_str().unwrap(), name);
    assert!(
        name.chars()
            .all(|one| one.is_ascii_alphanumeric() || "-_".contains(one))
    );
    let spec = &manifest["spec"];
    let known = [
        "version",
        "homepage",
        "shortDescription",
        "description",
        "caveats",
        "platforms",
    ];
    assert!(keys(spec).is_subset(&known.into()), "{:?}", keys(spec));
    assert_eq!(spec["version"], format!("v{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(spec["homepage"], repository());
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(!short.is_empty() && !short.contains(['\n', '\r']));
    let platforms = spec["platforms"].as_array().unwrap();
    assert!(!platforms.is_empty());
    let mut seen = BTreeSet::new();
    for platform in platforms {
        assert_eq!(keys(platform), ["selector", "uri", "sha256", "bin"].into());
        assert_eq!(keys(&platform["selector"]), ["matchLabels"].into());
        let labels = &platform["selector"]["matchLabels"];
        assert_eq!(keys(labels), ["os", "arch"].into());
        let os = labels["os"].as_str().unwrap();
        let arch = labels["arch"].as_str().unwrap();
        assert!(["darwin", "linux", "windows"].contains(&os), "{os}");
        assert!(["amd64", "arm64"].contains(&arch), "{arch}");
        // Selectors that overlap are refused.
        assert!(seen.insert((os, arch)), "{os}/{arch} twice");
        let uri = platform["uri"].as_str().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert!(
            uri.starts_with(&format!(
                "{}/releases/download/v{version}/flux-imageauto_{version}_{os}_{arch}.",
                repository()
            )),
            "{uri}"
        );
        assert!(uri.ends_with(".tar.gz") || uri.ends_with(".zip"), "{uri}");
        assert!(is_hex(platform["sha256"].as_str().unwrap(), 64));
        let program = if os == "windows" {
            "flux-imageauto.exe"
        } else {
            "flux-imageauto"
        };
        assert_eq!(platform["bin"], program);
    }
}

/// What flux's schema and code demand.
fn check_flux(manifest: &Value) {
    assert_eq!(
        keys(manifest),
        [
            "apiVersion",
            "kind",
            "name",
            "description",
            "homepage",
            "source",
            "bin",
            "versions"
        ]
        .into()
    );
    assert_eq!(manifest["apiVersion"], "cli.fluxcd.io/v1beta1");
    assert_eq!(manifest["kind"], "Plugin");
    assert_eq!(manifest["name"], "imageauto");
    assert_eq!(manifest["bin"], "flux-imageauto");
    assert_eq!(manifest["homepage"], repository());
    let newest = &manifest["versions"][0];
    assert_eq!(newest["version"], env!("CARGO_PKG_VERSION"));
    for platform in newest["platforms"].as_array().unwrap() {
        assert_eq!(keys(platform), ["os", "arch", "url", "checksum"].into());
        let checksum = platform["checksum"].as_str().unwrap();
        assert!(is_hex(checksum.strip_prefix("sha256:").unwrap(), 64));
        assert!(platform["url"].as_str().unwrap().starts_with("https://"));
    }
}

#[test]
fn the_manifests_in_the_repository_are_as_krew_and_flux_want_them() {
    let environment = Environment::new();
    let copy = environment.write("imageauto.yaml", &read("krew-manifest.yaml"));
    check_krew(&copy);
    check_flux(&yaml(&read("packaging/flux/imageauto.yaml")));
    let item = yaml(&read("packaging/flux/catalog-item.yaml"));
    assert_eq!(
        keys(&item),
        ["name", "description", "homepage", "source", "license"].into()
    );
    assert_eq!(item["license"], env!("CARGO_PKG_LICENSE"));
}

fn python(environment: &Environment, script: &str, arguments: &[&str]) -> Ran {
    Ran::of(
        environment
            .command("python3")
            .env("SOURCE_DATE_EPOCH", "1780387200")
            .current_dir(root())
            .arg(format!("scripts/packaging/{script}.py"))
            .args(arguments),
    )
}

/// Archives for some platforms around a small program, with checksums and manifests, in a folder.
fn packed(environment: &Environment, folder: &str, targets: &[&str]) -> PathBuf {
    let out = environment.path().join(folder);
    fs::create_dir_all(&out).unwrap();
    let place = out.display().to_string();
    let program = environment.write("program", "#!/bin/sh\necho it runs\n");
    let version = env!("CARGO_PKG_VERSION");
    for target in targets {
        let program = program.display().to_string();
        let arguments = [
            "--version",
            version,
            "--target",
            target,
            "--program",
            &program,
            "--license",
            "LICENSE",
            "--out",
            &place,
        ];
        let _ = python(environment, "archive", &arguments).expect(0);
    }
    let _ = python(
        environment,
        "checksums",
        &["--version", version, "--out", &place],
    )
    .expect(0);
    let sums = format!("{place}/flux-imageauto_{version}_checksums.txt");
    let manifests = python(
        environment,
        "manifests",
        &["--checksums", &sums, "--out", &place],
    )
    .expect(0);
    assert!(
        manifests.stderr.contains("left out: darwin arm64"),
        "{manifests:?}"
    );
    out
}

#[test]
fn archives_are_the_same_bytes_each_time_and_only_those_that_exist_are_named() {
    let environment = Environment::new();
    let targets = ["x86_64-unknown-linux-musl", "x86_64-pc-windows-gnu"];
    let one = packed(&environment, "one", &targets);
    let other = packed(&environment, "other", &targets);
    let version = env!("CARGO_PKG_VERSION");
    let tar = format!("flux-imageauto_{version}_linux_amd64.tar.gz");
    let zip = format!("flux-imageauto_{version}_windows_amd64.zip");
    for name in [&tar, &zip, &"krew-manifest.yaml".to_owned()] {
        assert_eq!(
            fs::read(one.join(name)).unwrap(),
            fs::read(other.join(name)).unwrap(),
            "{name}"
        );
    }
    let sums =
        fs::read_to_string(one.join(format!("flux-imageauto_{version}_checksums.txt"))).unwrap();
    assert_eq!(sums.lines().count(), 2);
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert!(is_hex(sum, 64) && (name == tar || name == zip), "{line}");
    }
    let copy = one.join("imageauto.yaml");
    fs::copy(one.join("krew-manifest.yaml"), &copy).unwrap();
    check_krew(&copy);
    let manifest = yaml(&fs::read_to_string(&copy).unwrap());
    assert_eq!(manifest["spec"]["platforms"].as_array().unwrap().len(), 2);
    let flux = yaml(&fs::read_to_string(one.join("packaging/flux/imageauto.yaml")).unwrap());
    check_flux(&flux);
    let listed = Ran::of(
        environment
            .command("tar")
            .args(["-tvzf", &one.join(&tar).display().to_string()]),
    )
    .expect(0);
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert!(
        lines[0].starts_with("-rwxr-xr-x 0/0") && lines[0].ends_with(" flux-imageauto"),
        "{listed:?}"
    );
    assert!(
        lines[1].starts_with("-rw-r--r-- 0/0") && lines[1].ends_with(" LICENSE"),
        "{listed:?}"
    );
    assert_eq!(lines.len(), 2);
}

/// `UPDATE=1` accepts what the program prints now.
#[test]
fn the_readmes_picture_shows_what_the_program_prints() {
    let environment = Environment::new();
    let out = environment.path().join("recording.svg");
    let ours = environment::program();
    let _ = python(
        &environment,
        "recording",
        &[ours, &out.display().to_string()],
    )
    .expect(0);
    let drawn = fs::read_to_string(out).unwrap();
    let kept = root().join("docs/recording.svg");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&kept, &drawn).unwrap();
    }
    assert!(
        drawn == fs::read_to_string(kept).unwrap(),
        "docs/recording.svg shows something else: UPDATE=1 cargo test --test cli picture"
    );
    assert!(read("README.md").contains("(docs/recording.svg)"));
}

#[test]
fn every_command_has_a_man_page() {
    let environment = Environment::new();
    let out = environment.path().join("man");
    let ours = environment::program();
    let _ = python(&environment, "man", &[ours, &out.display().to_string()]).expect(0);
    let reference = read("docs/reference.md");
    for heading in reference
        .lines()
        .filter_map(|line| line.strip_prefix("## kubectl imageauto"))
    {
        let name = format!("kubectl-imageauto{}", heading.replace(' ', "-"));
        let page = fs::read_to_string(out.join(format!("{name}.1"))).unwrap();
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            assert!(page.contains(part), "{name} lacks {part}");
        }
        assert!(
            page.contains(&format!("{} \\- ", name.replace('-', "\\-"))),
            "{page}"
        );
    }
}

#[test]
fn a_manifest_is_not_made_without_archives() {
    let environment = Environment::new();
    let sums = environment.write("sums.txt", "");
    let out = environment.path().display().to_string();
    let ran = python(
        &environment,
        "manifests",
        &["--checksums", &sums.display().to_string(), "--out", &out],
    );
    assert_ne!(ran.status, 0);
    assert!(ran.stderr.contains("run just dist first"), "{ran:?}");
    assert!(!environment.path().join("krew-manifest.yaml").exists());
}

#[test]
fn workflows_pin_actions_by_commit_and_start_without_permissions() {
    for name in ["ci", "release"] {
        let text = read(&format!(".github/workflows/{name}.yml"));
        let workflow = yaml(&text);
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}");
        for (job, content) in workflow["jobs"].as_object().unwrap() {
            assert!(content["permissions"].is_object(), "{name}: {job}");
            for step in content["steps"].as_array().unwrap() {
                if let Some(run) = step["run"].as_str() {
                    // What others can name must not become a part of a script.
                    assert!(!run.contains("${{"), "{name}: {job}: {run}");
                }
                let Some(action) = step["uses"].as_str() else {
                    continue;
                };
                assert!(
                    is_hex(action.split_once('@').unwrap().1, 40),
                    "{name}: {action}"
                );
                if action.starts_with("actions/checkout@") {
                    assert_eq!(step["with"]["persist-credentials"], false, "{name}: {job}");
                }
            }
        }
    }
    for step in yaml(&read("action/action.yml"))["runs"]["steps"]
        .as_array()
        .unwrap()
    {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "{step}");
    }
}

#[test]
fn the_repositorys_address_stands_in_one_place() {
    for file in [
        "action/install",
        "docs/book.toml",
        "docs/ci.md",
        "docs/install.md",
    ] {
        let text = read(file);
        for rest in text.split("https://github.com/").skip(1) {
            let name: String = rest
                .chars()
                .take_while(|one| !one.is_whitespace())
                .collect();
            let own = repository().trim_start_matches("https://github.com/");
            assert!(
                name.starts_with(own),
                "{file} names https://github.com/{name}"
            );
        }
    }
}

#[test]
fn the_hook_for_pre_commit_names_a_command_that_is_there() {
    let hooks = yaml(&read(".pre-commit-hooks.yaml"));
    let environment = Environment::new();
    for hook in hooks.as_array().unwrap() {
        let entry = hook["entry"].as_str().unwrap();
        let mut words = entry.split_whitespace();
        assert_eq!(words.next(), Some("kubectl-imageauto"));
        let words: Vec<&str> = words.chain(["--help"]).collect();
        let _ = environment.run(&words).expect(0);
    }
}

#[test]
fn the_action_lints_shows_the_change_and_fails_when_it_is_told_to() {
    let environment = Environment::new();
    let copied = environment
        .command("cp")
        .args(["-R", &root().join("examples").display().to_string(), "."])
        .status()
        .unwrap();
    assert!(copied.success());
    environment.commit(".");
    let step = |script: &str, variables: &[(&str, &str)]| {
        let mut command = environment.command("bash");
        let bin = environment.path().join("runner/imageauto/bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(bin).chain(std::env::split_paths(&path));
        command
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("RUNNER_TEMP", environment.path().join("runner"))
            .env("GITHUB_PATH", environment.path().join("path.txt"))
            .env("GITHUB_OUTPUT", environment.path().join("output.txt"))
            .env("GITHUB_STEP_SUMMARY", environment.path().join("summary.md"))
            .envs(variables.iter().copied())
            .arg(root().join("action").join(script));
        Ran::of(&mut command)
    };
    let installed = step("install", &[("IMAGEAUTO_PROGRAM", environment::program())]);
    let _ = installed.expect(0);
    let variables = |fail_on| {
        [
            ("IMAGEAUTO_PATH", "examples"),
            ("IMAGEAUTO_MANIFESTS", "examples/flux-system"),
            ("IMAGEAUTO_TAGS_FROM", "examples/tags.json"),
            ("IMAGEAUTO_FAIL_ON", fail_on),
        ]
    };
    // The pull request lets the next major version in.
    let git = |arguments: &[&str]| {
        let status = environment.command("git").args(arguments).status().unwrap();
        assert!(status.success());
    };
    git(&["branch", "base"]);
    let policies = "examples/flux-system/images.yaml";
    let changed = environment.read(policies);
    environment.write(policies, &changed.replace(">=1.0.0 <2.0.0", ">=1.0.0"));
    let forecast = [variables("never").as_slice(), &[("IMAGEAUTO_BASE", "base")]].concat();
    let _ = step("report", &forecast).expect(0);
    let report = environment.read("runner/imageauto/report.md");
    assert!(report.contains("merging moves 1 image"), "{report}");
    assert!(report.contains("`2.0.0` instead of `1.4.0`"), "{report}");
    environment.write(policies, &changed);
    fs::remove_file(environment.path().join("summary.md")).unwrap();

    let reported = step("report", &variables("never")).expect(0);
    assert!(
        reported.stdout.contains("worker:2026.06.01-abc1234"),
        "{reported:?}"
    );
    let report = environment.read("runner/imageauto/report.md");
    assert!(report.contains("worker:2026.06.01-abc1234"), "{report}");
    assert!(report.contains("extract-collision"), "{report}");
    assert_eq!(environment.read("summary.md"), report);
    assert!(environment.read("output.txt").starts_with("report="));
    environment.write(
        "examples/clusters/prod/dangling.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  containers:\n    - name: x\n      image: a/b:1 # {\"$imagepolicy\": \"flux-system:gone\"}\n",
    );
    let failed = step("report", &variables("warning"));
    assert_eq!(failed.status, 1, "{failed:?}");
    assert!(failed.stdout.contains("::"), "{failed:?}");
    let unknown = step(
        "install",
        &[
            ("IMAGEAUTO_VERSION", "0.1.0; id"),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
        ],
    );
    assert_eq!(unknown.status, 1, "{unknown:?}");
    assert!(unknown.stdout.contains("is no version"), "{unknown:?}");
}
