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
        // Whatever comes behind: the plugin may be installed under another name.
        if name.as_encoded_bytes().starts_with(b"flux-") {
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

    /// Flux's own namespace; a name that is no DNS label counts for nothing, as for flux.
    pub fn flux_namespace(self) -> String {
        let named = std::env::var("FLUX_SYSTEM_NAMESPACE").unwrap_or_default();
        if is_dns_label(&named) {
            named
        } else {
            "flux-system".into()
        }
    }
}

fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
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
