//! Hashes as small hexadecimal digits.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

/// The bytes in small hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha1(text: &[u8]) -> Vec<u8> {
    Sha1::digest(text).to_vec()
}

pub(super) fn sha256(text: &[u8]) -> Vec<u8> {
    Sha256::digest(text).to_vec()
}

pub(super) fn sha512(text: &[u8]) -> Vec<u8> {
    Sha512::digest(text).to_vec()
}

#[cfg(test)]
mod tests {
    use super::{hexadecimal, sha1, sha256, sha512};

    #[test]
    fn the_standards_examples() {
        assert_eq!(
            hexadecimal(&sha1(b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            hexadecimal(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hexadecimal(&sha512(b"abc")).starts_with("ddaf35a193617abacc417349ae204131"));
    }
}
