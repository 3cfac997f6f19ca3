//! The certificates of a connection as git wants them: in files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::facts::network::{ClientIdentity, ClientTls};
use crate::go::pem;

/// Where systems keep the authorities that they trust, as Go looks for them.
const SYSTEM_BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Writes the authorities of `tls` and the system's own into one file, since git trusts either these or those; `None` without any.
pub(super) fn bundle(folder: &Path, tls: &ClientTls) -> io::Result<Option<PathBuf>> {
    let Some(authorities) = &tls.authorities else {
        return Ok(None);
    };
    let mut text = system_bundle();
    // What isn't a certificate is passed over, as the controller does.
    for block in pem::blocks(authorities).filter(|block| block.kind == "CERTIFICATE") {
        text.extend(b"\n");
        text.extend(block.text.bytes());
    }
    text.extend(b"\n");
    let path = folder.join("authorities.pem");
    fs::write(&path, text)?;
    Ok(Some(path))
}

fn system_bundle() -> Vec<u8> {
    if let Some(path) = std::env::var_os("SSL_CERT_FILE") {
        return fs::read(path).unwrap_or_default();
    }
    let mut bundles = SYSTEM_BUNDLES.iter().map(fs::read);
    bundles.find_map(Result::ok).unwrap_or_default()
}

/// A client's certificate and key in files that go with this value: git reads them from nowhere else.
///
/// The key is in memory where the system has such files (Linux), so that nothing is left of it whatever ends us. Elsewhere it is the one
/// secret that is ever on disk, readable by its owner only and no longer than one command runs.
pub(super) struct IdentityFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// What holds the key, where that is no file on disk.
    in_memory: Option<fs::File>,
}

impl IdentityFiles {
    /// Writes them, into `folder`, which only its owner may enter, where they are on disk.
    pub fn write(folder: &Path, identity: &ClientIdentity) -> io::Result<Self> {
        let (key, in_memory) = match file_in_memory(&identity.key) {
            Some((path, file)) => (path, Some(file)),
            None => (folder.join("client.key"), None),
        };
        let files = Self {
            certificate: folder.join("client.crt"),
            key,
            in_memory,
        };
        write_for_owner(&files.certificate, &identity.certificate)?;
        if files.in_memory.is_none() {
            write_for_owner(&files.key, &identity.key)?;
        }
        Ok(files)
    }
}

impl Drop for IdentityFiles {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.certificate));
        if self.in_memory.is_none() {
            drop(fs::remove_file(&self.key));
        }
    }
}

/// A file that is nowhere but in memory, and the path by which the programs that are started meanwhile read it.
#[cfg(target_os = "linux")]
fn file_in_memory(bytes: &[u8]) -> Option<(PathBuf, fs::File)> {
    use std::os::fd::AsRawFd as _;
    // Without the flag that would close it in them.
    let made = rustix::fs::memfd_create("client-key", rustix::fs::MemfdFlags::empty());
    let mut file = fs::File::from(made.ok()?);
    io::Write::write_all(&mut file, bytes).ok()?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Where /proc is hidden, they can't.
    path.exists().then_some((path, file))
}

#[cfg(not(target_os = "linux"))]
fn file_in_memory(_: &[u8]) -> Option<(PathBuf, fs::File)> {
    None
}

/// Writes a file that nobody else may read.
pub(super) fn write_for_owner(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_holds_what_is_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAQID\n-----END {kind}-----");
        let authorities = format!("junk\n{}\n{}\n", block("X"), block("CERTIFICATE"));
        let tls = ClientTls {
            authorities: Some(authorities.into_bytes()),
            identity: None,
        };
        let path = bundle(folder.path(), &tls).unwrap().unwrap();
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        assert!(text.ends_with(&format!("\n{}\n", block("CERTIFICATE"))));
        assert!(!text.contains("BEGIN X") && !text.contains("junk"));
        assert_eq!(bundle(folder.path(), &ClientTls::default()).unwrap(), None);
    }

    #[test]
    fn a_key_is_its_owners_and_goes_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let identity = ClientIdentity {
            certificate: b"c".to_vec(),
            key: b"the key".to_vec(),
        };
        let files = IdentityFiles::write(folder.path(), &identity).unwrap();
        #[cfg(target_os = "linux")]
        {
            // A program that a program starts reads it as often as it likes, and there is nothing of it on disk.
            let mut command = std::process::Command::new("sh");
            let script = r#"sh -c 'cat "$1" "$1"' sh "$1""#;
            command.args(["-c", script, "sh"]).arg(&files.key);
            let output = command.output().unwrap();
            assert_eq!(output.stdout, b"the keythe key", "{output:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        #[cfg(all(unix, not(target_os = "linux")))]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&files.key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(files);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
