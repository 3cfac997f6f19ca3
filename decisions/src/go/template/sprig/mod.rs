//! Sprig's hermetic functions, version 3.3.0, by theme.

mod arguments;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod encoding;
mod equality;
mod hashes;
mod json;
mod json_reader;
mod letters;
mod lists;
mod numbers;
mod paths;
mod patterns;
mod strings;
mod times;
mod unsupported;
mod urls;
mod versions;
mod wrapping;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::function::Function;

pub(super) use unsupported::is_random;

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    static FUNCTIONS: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
        [
            dates::FUNCTIONS,
            defaults::FUNCTIONS,
            dicts::FUNCTIONS,
            encoding::FUNCTIONS,
            equality::FUNCTIONS,
            json::FUNCTIONS,
            lists::FUNCTIONS,
            numbers::FUNCTIONS,
            paths::FUNCTIONS,
            patterns::FUNCTIONS,
            strings::FUNCTIONS,
            unsupported::FUNCTIONS,
            urls::FUNCTIONS,
            versions::FUNCTIONS,
        ]
        .into_iter()
        .flatten()
        .map(|function| (function.name, function))
        .collect()
    });
    FUNCTIONS.get(name).copied()
}
