//! The pages of all findings, as `docs/findings.md` has them.

const PAGES: &str = include_str!("../../docs/findings.md");

/// The page of a finding, headed by its id; `list`: all ids, one a line.
pub fn page(id: &str) -> Option<String> {
    if id == "list" {
        return Some(ids().map(|id| format!("{id}\n")).collect());
    }
    let mut sections = PAGES.split("\n## ").skip(1);
    let section = sections.find(|section| section.lines().next() == Some(id))?;
    Some(format!("{}\n", section.trim_end()))
}

/// The ids of all findings, in the order of their pages.
pub fn ids() -> impl Iterator<Item = &'static str> {
    let sections = PAGES.split("\n## ").skip(1);
    sections.filter_map(|section| section.lines().next())
}

/// Ids that share a word with `id`.
pub fn near(id: &str) -> Vec<&'static str> {
    let words: Vec<&str> = id.split('-').filter(|word| word.len() > 2).collect();
    ids()
        .filter(|known| known.split('-').any(|word| words.contains(&word)))
        .take(5)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_found_by_its_id() {
        assert!(page("list-file").is_some_and(|page| page.starts_with("list-file\n")));
        assert_eq!(page("list-fil"), None);
        assert!(near("scan-old").contains(&"scan-stale"));
        assert!(page("list").is_some_and(|list| list.contains("suspended\n")));
    }
}
