//! By which name the program was called: help, errors and remedies use that name.

use std::ffi::OsString;
use std::path::Path;

/// The caller's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// `kubectl imageauto`.
    Kubectl,
    /// `flux imageauto`.
    Flux,
}

impl Invocation {
    /// By the file name of argv[0]; not by the executable's path, since krew links to it under another name.
    pub fn from_program(program: Option<&OsString>) -> Self {
        let name = program
            .map(Path::new)
            .and_then(Path::file_stem)
            .unwrap_or_default();
        if name == "flux-imageauto" {
            Self::Flux
        } else {
            Self::Kubectl
        }
    }

    /// What the user types.
    pub fn caller(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl imageauto",
            Self::Flux => "flux imageauto",
        }
    }

    /// The file that was called.
    pub fn program_name(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl-imageauto",
            Self::Flux => "flux-imageauto",
        }
    }

    /// The namespace of objects that name none: kubectl's, or flux's own.
    pub fn default_namespace(self) -> String {
        match self {
            Self::Kubectl => "default".into(),
            Self::Flux => match std::env::var("FLUX_SYSTEM_NAMESPACE") {
                Ok(namespace) if !namespace.is_empty() => namespace,
                _ => "flux-system".into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_of_argv0_decides() {
        let of = |program: &str| Invocation::from_program(Some(&OsString::from(program)));
        assert_eq!(of("/opt/plugins/flux-imageauto"), Invocation::Flux);
        assert_eq!(of("flux-imageauto.exe"), Invocation::Flux);
        assert_eq!(of("kubectl-imageauto"), Invocation::Kubectl);
        assert_eq!(Invocation::from_program(None), Invocation::Kubectl);
    }
}
