//! Go's `filepath.Match` for one part of a host name, where `*` is the only wildcard that can stand.

/// Whether the whole of `name` matches `pattern`, in which `*` is any text.
///
/// An address in brackets is a set of characters to Go, and so never matches itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    if pattern.contains('[') {
        return false;
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(found) = rest.find(part) else {
            return false;
        };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, expected) in [
            ("*", "registry", true),
            ("*", "", true),
            ("reg*", "registry", true),
            ("*try", "registry", true),
            ("*st*", "registry", true),
            ("*x*", "registry", false),
            ("registry", "registry", true),
            ("registr", "registry", false),
            ("registry*y", "registry", false),
            ("a*a*b", "aab", true),
            ("a*b*a", "aba", true),
            ("a*b*a", "ab", false),
            ("", "a", false),
            ("[::1]", "[::1]", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
