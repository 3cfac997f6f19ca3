//! `version`: reads only itself.

use clap::Args;

use crate::exit_code;
use crate::failure::Failure;

use super::input::{GlobalArgs, OutputFormat};
use super::terminal::Terminal;

/// Print the version and the controllers that it mirrors
///
/// Asks nothing of a cluster.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Accepted as kubectl's flag; the answer is always the client's own
    #[arg(long)]
    client: bool,
}

/// The controllers whose behaviour this version repeats.
const MIRRORED: [(&str, &str); 2] = [
    ("imageReflectorController", "1.2"),
    ("imageAutomationController", "1.2"),
];

/// Prints the version.
pub fn run(
    global: &GlobalArgs,
    _args: VersionArgs,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let text = match global.output {
        None => format!(
            "kubectl-imageauto v{version} (as image-reflector-controller 1.2 and image-automation-controller 1.2 of Flux 2.9)\n"
        ),
        Some(OutputFormat::Json) => {
            let mirrors: serde_json::Map<String, serde_json::Value> = MIRRORED
                .iter()
                .map(|(name, version)| ((*name).to_owned(), (*version).into()))
                .collect();
            let document = serde_json::json!({ "schemaVersion": 1, "version": version, "flux": "2.9", "mirrors": mirrors });
            format!("{document:#}\n")
        }
        Some(OutputFormat::Name) => {
            return Err(Failure::usage(
                "-o name does not fit version: use -o json or none",
            ));
        }
    };
    terminal.result(text.as_bytes());
    Ok(exit_code::FINE)
}
