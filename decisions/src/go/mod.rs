//! Behaviours of Go and its libraries that the controllers' decisions hang on. Pure, ignorant of Flux.

pub mod adler32;
pub mod age;
pub mod base64;
pub mod file_pattern;
pub mod glob;
pub mod json;
pub mod number;
pub mod pem;
pub mod reference;
pub mod regexp;
pub mod semver;
pub mod template;
pub mod text;
pub mod time;
pub mod url;
pub mod x509;
