//! Sprig's hermetic functions, version 3.3.0, by theme.

mod strings;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::function::Function;

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    static FUNCTIONS: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
        let themes: [&'static [Function]; 1] = [strings::FUNCTIONS];
        themes
            .into_iter()
            .flatten()
            .map(|function| (function.name, function))
            .collect()
    });
    FUNCTIONS.get(name).copied()
}
