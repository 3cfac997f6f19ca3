//! `version`: reads only itself, unless it is asked for what runs in the cluster.

use clap::Args;
use serde_json::json;

use crate::exit_code;
use crate::facts::cluster::Kind;
use crate::failure::Failure;
use crate::pipeline::inspect;
use crate::render::live_versions;

use super::input::{GlobalArgs, OutputFormat};
use super::invocation::Invocation;
use super::terminal::Terminal;

/// Print the version and the controllers that it mirrors
///
/// Asks nothing of a cluster without --live.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Accepted as kubectl's flag; without --live the answer is always the client's own
    #[arg(long, conflicts_with = "live")]
    client: bool,

    /// Ask the cluster too: its version, the image controllers' versions and flags, the API versions served
    #[arg(long)]
    live: bool,
}

/// The controllers whose behaviour this version repeats.
const MIRRORED: [(&str, &str); 2] = [
    ("imageReflectorController", "1.2"),
    ("imageAutomationController", "1.2"),
];

/// The commit that a release was built from; none for builds from a checkout.
const COMMIT: Option<&str> = option_env!("IMAGEAUTO_COMMIT");

/// System and architecture in the words of Go, krew and flux.
fn platform() -> (&'static str, &'static str) {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    (system, architecture)
}

/// Prints the version.
pub fn run(
    invocation: &Invocation,
    global: &GlobalArgs,
    args: &VersionArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    global.fits("version")?;
    let live = args
        .live
        .then(|| {
            let ground = global.ground(*invocation)?;
            let session = global.session(&ground, terminal)?;
            inspect(&ground.objects.flux_namespace, &session)
        })
        .transpose()?;
    let version = env!("CARGO_PKG_VERSION");
    let (system, architecture) = platform();
    let served = Kind::ImagePolicy.versions();
    let text = if global.output == Some(OutputFormat::Json) {
        let mirrors: serde_json::Map<String, serde_json::Value> = MIRRORED
            .iter()
            .map(|(name, version)| ((*name).to_owned(), (*version).into()))
            .collect();
        let mut document = json!({
            "schemaVersion": 1,
            "version": version,
            "build": { "os": system, "arch": architecture },
            "flux": "2.9",
            "apiVersions": served,
            "mirrors": mirrors,
        });
        if let Some(commit) = COMMIT {
            document["build"]["commit"] = commit.into();
        }
        if let Some(live) = &live {
            document["live"] = live_versions::json(live);
        }
        format!("{document:#}\n")
    } else {
        let own = format!(
            "kubectl-imageauto v{version} (as image-reflector-controller 1.2 and image-automation-controller 1.2 of Flux 2.9)\nbuilt for {system}/{architecture}{}, reads image.toolkit.fluxcd.io/{}\n",
            COMMIT
                .map(|commit| format!(" from {commit}"))
                .unwrap_or_default(),
            served.join(", ")
        );
        own + &live.as_ref().map(live_versions::text).unwrap_or_default()
    };
    terminal.result(text.as_bytes());
    let failures = live.map(|live| live.failures).unwrap_or_default();
    for failure in &failures {
        terminal.failure(&failure.message);
    }
    let codes = failures.iter().map(Failure::exit_code);
    Ok(codes.max().unwrap_or(exit_code::FINE))
}
