//! Mirrors `config/refspec.go` and the choice of refs in `remote.go` of go-git 5.19: what a push refspec means to the controller.

/// A push to one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefPush {
    /// The commit; `None`: the ref is deleted.
    pub commit: Option<String>,
    /// The ref's full name.
    pub to: String,
    /// Whether it replaces what is there.
    pub forced: bool,
}

/// Why a refspec pushes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The controller fails with this text behind `failed to push to remote: `.
    Fails(String),
    /// It names refs of the controller's clone that can't be known here: why.
    Unknown(String),
}

/// What stands in the controller's clone once it has committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalRefs {
    /// Branches (full names) with their commits.
    pub heads: Vec<(String, String)>,
    /// Whether there are other branches besides.
    pub more: bool,
}

const UP_TO_DATE: &str = "already up-to-date";
const SEPARATORS: &str = "malformed refspec, separators are wrong";
const WILDCARDS: &str = "malformed refspec, mismatched number of wildcards";
const HEADS: &str = "refs/heads/";

/// What `refspec` pushes of `refs`; `forced` as for the push of the branch.
///
/// # Errors
///
/// It pushes nothing.
pub fn pushes(refspec: &str, forced: bool, refs: &LocalRefs) -> Result<Vec<RefPush>, Unusable> {
    let fails = |text: &str| Unusable::Fails(text.to_owned());
    let forced = forced || refspec.starts_with('+');
    let spec = refspec.strip_prefix('+').unwrap_or(refspec);
    let (from, to) = spec.split_once(':').ok_or_else(|| fails(SEPARATORS))?;
    if to.contains(':') || to.is_empty() {
        return Err(fails(SEPARATORS));
    }
    let stars = |text: &str| text.matches('*').count();
    if stars(from) != stars(to) || stars(from) > 1 {
        return Err(fails(WILDCARDS));
    }
    if !to.starts_with("refs/") {
        let found = source(from, refs)?;
        return Err(match found.first() {
            Some(_) => Unusable::Fails(format!("command error on {to}: funny refname")),
            None => fails(UP_TO_DATE),
        });
    }
    if from.is_empty() && !refspec.starts_with('+') {
        return Ok(vec![RefPush {
            commit: None,
            to: to.to_owned(),
            forced: true,
        }]);
    }
    let push = |(commit, part): (String, String)| RefPush {
        commit: Some(commit),
        to: to.replacen('*', &part, 1),
        forced,
    };
    let found: Vec<RefPush> = source(from, refs)?.into_iter().map(push).collect();
    if found.is_empty() {
        return Err(fails(UP_TO_DATE));
    }
    Ok(found)
}

/// The commits that the left side stands for, each with what its `*` stands for.
fn source(from: &str, refs: &LocalRefs) -> Result<Vec<(String, String)>, Unusable> {
    if let Some((prefix, suffix)) = from.split_once('*') {
        if refs.more || !prefix.starts_with(HEADS) {
            return Err(Unusable::Unknown(format!(
                "which refs {from} stands for is only known in the controller's own clone"
            )));
        }
        let part = |name: &str| {
            let rest = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
            Some(rest.to_owned())
        };
        let found = refs.heads.iter();
        return Ok(found
            .filter_map(|(name, commit)| Some((commit.clone(), part(name)?)))
            .collect());
    }
    let named = refs.heads.iter().find(|(name, _)| name == from);
    if let Some((_, commit)) = named {
        return Ok(vec![(commit.clone(), String::new())]);
    }
    let is_commit = from.len() == 40 && from.bytes().all(|byte| byte.is_ascii_hexdigit());
    let elsewhere = from.starts_with("refs/remotes/") || from.starts_with("refs/tags/");
    if is_commit || elsewhere || (refs.more && from.starts_with(HEADS)) {
        return Err(Unusable::Unknown(format!(
            "what {from} stands for is only known in the controller's own clone"
        )));
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs() -> LocalRefs {
        LocalRefs {
            heads: vec![
                ("refs/heads/main".into(), "1".into()),
                ("refs/heads/auto".into(), "2".into()),
            ],
            more: false,
        }
    }

    fn fails(refspec: &str) -> String {
        match pushes(refspec, false, &refs()) {
            Err(Unusable::Fails(text)) => text,
            other => panic!("{refspec}: {other:?}"),
        }
    }

    #[test]
    fn both_sides_need_full_names() {
        for refspec in [
            "HEAD:refs/for/x",
            "auto:other",
            "refs/heads/gone:refs/heads/x",
        ] {
            assert_eq!(fails(refspec), "already up-to-date", "{refspec}");
        }
        assert_eq!(
            fails("refs/heads/auto:other"),
            "command error on other: funny refname"
        );
        let found = pushes("refs/heads/auto:refs/for/main", false, &refs()).unwrap();
        assert_eq!(
            found,
            [RefPush {
                commit: Some("2".into()),
                to: "refs/for/main".into(),
                forced: false
            }]
        );
        assert!(pushes("+refs/heads/auto:refs/x", false, &refs()).unwrap()[0].forced);
    }

    #[test]
    fn malformed_ones_are_told() {
        for refspec in ["refs/heads/auto", "a:b:c", "refs/heads/auto:"] {
            assert_eq!(fails(refspec), SEPARATORS, "{refspec}");
        }
        for refspec in ["refs/heads/*:refs/x", "a**:refs/**"] {
            assert_eq!(fails(refspec), WILDCARDS, "{refspec}");
        }
    }

    #[test]
    fn a_star_stands_for_every_branch() {
        let found = pushes("refs/heads/*:refs/heads/copy/*", false, &refs()).unwrap();
        let targets: Vec<&str> = found.iter().map(|push| push.to.as_str()).collect();
        assert_eq!(targets, ["refs/heads/copy/main", "refs/heads/copy/auto"]);
        let unknown = LocalRefs {
            more: true,
            ..refs()
        };
        assert!(matches!(
            pushes("refs/heads/*:refs/heads/copy/*", false, &unknown),
            Err(Unusable::Unknown(_))
        ));
    }

    #[test]
    fn without_a_source_the_target_goes() {
        let found = pushes(":refs/heads/x", false, &refs()).unwrap();
        assert_eq!((found[0].commit.as_ref(), found[0].forced), (None, true));
    }
}
