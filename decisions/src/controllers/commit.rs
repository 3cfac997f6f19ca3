//! Mirrors `worktree_commit.go` and `plumbing/object/commit.go` of go-git 5.19, as fluxcd/pkg's `git/gogit/client.go` (git 0.52)
//! uses them: the bytes of a commit.

use super::flux::CommitUser;

/// A commit before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The id of its tree.
    pub tree: String,
    /// The id of its one parent.
    pub parent: String,
    /// Author and committer.
    pub author: CommitUser,
    /// When it was made, in seconds since 1970; the controller's clock is UTC.
    pub seconds: i64,
    /// The message, byte for byte.
    pub message: Vec<u8>,
}

impl Commit {
    /// The commit as git stores it; with `None` these are the bytes that are signed.
    pub fn encode(&self, signature: Option<&str>) -> Vec<u8> {
        let person = format!(
            "{} <{}> {} +0000",
            held(&self.author.name),
            held(&self.author.email),
            self.seconds.max(0)
        );
        let mut text = format!(
            "tree {}\nparent {}\nauthor {person}\ncommitter {person}",
            self.tree, self.parent
        );
        if let Some(signature) = signature {
            let lines = signature.strip_suffix('\n').unwrap_or(signature);
            text.push_str("\ngpgsig ");
            text.push_str(&lines.replace('\n', "\n "));
        }
        text.push_str("\n\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.message);
        bytes
    }
}

/// A name or an address without what would end it.
pub(super) fn held(text: &str) -> String {
    text.replace(['<', '>', '\n'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Commit {
        Commit {
            tree: "1".into(),
            parent: "2".into(),
            author: CommitUser {
                name: "Flux <bot>\n".into(),
                email: "bot@example.com".into(),
            },
            seconds: 5,
            message: b"no line end".to_vec(),
        }
    }

    #[test]
    fn the_message_is_kept_as_it_is() {
        assert_eq!(
            String::from_utf8(commit().encode(None)).unwrap(),
            "tree 1\nparent 2\nauthor Flux bot <bot@example.com> 5 +0000\ncommitter Flux bot <bot@example.com> 5 +0000\n\nno line end"
        );
    }

    #[test]
    fn a_signature_stands_in_the_header_with_its_lines_indented() {
        let text = String::from_utf8(commit().encode(Some("-----BEGIN\na\n\nb\n"))).unwrap();
        assert!(
            text.contains(" 5 +0000\ngpgsig -----BEGIN\n a\n \n b\n\nno line end"),
            "{text}"
        );
    }
}
