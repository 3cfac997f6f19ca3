//! Comments between text and tree: how the scanner finds them and what it believes they belong to.
//!
//! A comment is *head* (above), *line* (behind) or *foot* (below) of something. The scanner decides which from blank lines and columns
//! alone, and ties the comment to an offset; whatever token is reached at or after this offset takes it.

use super::ReadError;
use super::cursor::Mark;
use super::scanner::Scanner;
use super::token::TokenKind;

/// How far the scanner looks over blanks and empty lines for the next comment, in bytes.
const LOOK_AHEAD: usize = 512;

/// The text of a comment, each line with its `#`, and the part of the source that it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comment {
    /// Where the first line starts, in bytes from the start of the document's text.
    pub(super) start: u32,
    /// Where the last line ends. The same as `start`: there is no comment.
    pub(super) end: u32,
    /// Lines joined by `\n`; `None` when it is the part of the source as it stands there.
    pub(super) text: Option<String>,
}

impl Comment {
    /// The comment that stands in the source between two offsets.
    fn of_source(start: u32, end: u32) -> Self {
        Self {
            start,
            end,
            text: None,
        }
    }

    /// Whether there is no comment.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The text.
    pub(super) fn text<'c>(&'c self, source: &'c str) -> &'c str {
        match &self.text {
            Some(text) => text,
            None => &source[self.start as usize..self.end as usize],
        }
    }

    /// The text, to be changed.
    pub(super) fn text_mut(&mut self, source: &str) -> &mut String {
        let (start, end) = (self.start as usize, self.end as usize);
        self.text
            .get_or_insert_with(|| source[start..end].to_owned())
    }

    /// Adds a comment that follows, on a line of its own.
    pub(super) fn append(&mut self, later: Comment, source: &str) {
        if self.is_empty() {
            *self = later;
            return;
        }
        let text = self.text_mut(source);
        text.push('\n');
        text.push_str(later.text(source));
        self.end = later.end;
    }

    /// Takes the comment out, leaving none.
    pub(super) fn take(&mut self) -> Comment {
        std::mem::take(self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommentKind {
    Head,
    Line,
    Foot,
}

/// A comment that no token has taken yet.
#[derive(Debug)]
pub(super) struct FoundComment {
    pub(super) kind: CommentKind,
    pub(super) comment: Comment,
    /// The token at or after this offset takes the comment.
    pub(super) belongs_to: u32,
    /// Where the blanks before the comment start, and where the scanner stopped looking after it; `None` for comments behind
    /// something.
    pub(super) scanned: Option<(u32, u32)>,
    /// The column of the first `#`, from 1.
    pub(super) column: u32,
    /// The line of the first `#`, from 0.
    pub(super) line: u32,
}

impl Scanner<'_> {
    fn found(&mut self, found: FoundComment) {
        self.comments_met
            .push((found.comment.start, found.comment.end));
        self.comments.push_back(found);
    }

    /// Finds a comment behind the token just read, on the same line.
    #[inline]
    pub(super) fn scan_line_comment(&mut self, belongs_to: u32) -> Result<(), ReadError> {
        if self.cursor.breaks > 0 || self.cursor.byte(0) == b'\n' {
            return Ok(());
        }
        self.scan_comment_behind(belongs_to)
    }

    fn scan_comment_behind(&mut self, belongs_to: u32) -> Result<(), ReadError> {
        let mut ahead = 0;
        while ahead < LOOK_AHEAD
            && self.cursor.look(ahead + 1)
            && super::characters::is_blank(self.cursor.byte(ahead))
        {
            ahead += 1;
        }
        if ahead == LOOK_AHEAD || self.cursor.failure.is_some() || self.cursor.byte(ahead) != b'#' {
            return Ok(());
        }
        for _ in 0..ahead {
            self.need(1)?;
            self.cursor.advance();
        }
        let start = self.cursor.mark;
        if !self.cursor.skip_line() {
            return self.check_readable();
        }
        self.found(FoundComment {
            kind: CommentKind::Line,
            comment: Comment::of_source(start.offset, self.cursor.mark.offset),
            belongs_to,
            scanned: None,
            column: start.column,
            line: start.line,
        });
        Ok(())
    }

    /// A comment behind a `-` that is followed by more on the next line is the head of what follows.
    #[inline]
    pub(super) fn lift_comment_of_entry(&mut self) {
        let Some(found) = self.comments.back_mut() else {
            return;
        };
        let mut newest = self.tokens.iter().rev().map(|token| &token.kind);
        if found.kind != CommentKind::Line
            || !matches!(newest.next(), Some(TokenKind::BlockEntry))
            || !matches!(newest.next(), Some(TokenKind::BlockSequenceStart))
            || self.cursor.is_break(0)
        {
            return;
        }
        found.kind = CommentKind::Head;
        if found.line + 1 == self.cursor.mark.line {
            found.belongs_to = self.cursor.mark.offset;
        }
    }

    /// Reads the comment lines that start here, over empty lines between them, and sorts them into foots of what came before
    /// and one head of what follows.
    pub(super) fn scan_comment_block(&mut self, scan_start: Mark) -> Result<(), ReadError> {
        let mut block = CommentBlock::new(self, scan_start);
        let mut ahead = 0;
        while ahead < LOOK_AHEAD && self.cursor.look(ahead + 1) {
            block.column += 1;
            let byte = self.cursor.byte(ahead);
            if super::characters::is_blank(byte) {
                ahead += 1;
                continue;
            }
            let closes_flow = self.flow_level > 0 && (byte == b']' || byte == b'}');
            if closes_flow || self.cursor.is_break_or_end(ahead) {
                self.end_comment_line(&mut block, ahead, closes_flow);
                if !self.cursor.is_break(ahead) {
                    break;
                }
                block.no_empty_line_yet = false;
                block.after_empty_line = true;
                block.column = 0;
                block.line += 1;
                ahead += 1;
                continue;
            }
            if !block.comment.is_empty()
                && block.column <= block.indent
                && block.column != block.start.column
            {
                self.split_foot(&mut block, ahead);
            }
            if byte != b'#' {
                break;
            }
            self.take_comment_line(&mut block, ahead)?;
            // The break behind the line is passed over without a look: the line isn't empty.
            ahead = 1;
        }
        if !block.comment.is_empty() {
            let start = block.start;
            let scanned_to = (self.cursor.offset() + ahead).saturating_sub(1);
            self.found(FoundComment {
                kind: CommentKind::Head,
                comment: block.comment,
                belongs_to: start.offset,
                scanned: Some((block.scan_start, scanned_to as u32)),
                column: start.column,
                line: start.line,
            });
        }
        Ok(())
    }

    /// An empty line, the end of the text or of a flow collection after the comment lines so far.
    fn end_comment_line(&mut self, block: &mut CommentBlock, ahead: usize, closes_flow: bool) {
        if !closes_flow && block.after_empty_line {
            return;
        }
        let dedented = block.start.column <= block.indent;
        let right_below = i64::from(block.start.line) == block.foot_line && !block.follows_colon;
        if closes_flow || block.no_empty_line_yet && (right_below || dedented) {
            if !block.comment.is_empty() {
                if dedented {
                    block.belongs_to = block.start.offset;
                }
                self.split_foot(block, ahead);
            }
        } else if !block.comment.is_empty() && self.cursor.byte(ahead) != 0 {
            block.comment.text_mut(self.cursor.text()).push('\n');
        }
    }

    /// The comment lines so far are a foot of what came before; what follows is another comment.
    fn split_foot(&mut self, block: &mut CommentBlock, ahead: usize) {
        let here = (self.cursor.offset() + ahead) as u32;
        self.found(FoundComment {
            kind: CommentKind::Foot,
            comment: block.comment.take(),
            belongs_to: block.belongs_to,
            scanned: Some((block.scan_start, here)),
            column: block.start.column,
            line: block.start.line,
        });
        block.scan_start = here;
        block.belongs_to = here;
    }

    /// Adds the comment line that starts `ahead` bytes further.
    fn take_comment_line(
        &mut self,
        block: &mut CommentBlock,
        ahead: usize,
    ) -> Result<(), ReadError> {
        let start = (self.cursor.offset() + ahead) as u32;
        if block.comment.is_empty() {
            block.start = Mark {
                offset: start,
                line: block.line,
                column: block.column,
            };
        }
        block.after_empty_line = false;
        while self.cursor.mark.offset < start {
            self.need(1)?;
            if self.cursor.is_break(0) {
                self.need(2)?;
                self.cursor.take_break();
            } else {
                self.cursor.advance();
            }
        }
        if !self.cursor.skip_line() {
            return self.check_readable();
        }
        let line = Comment::of_source(start, self.cursor.mark.offset);
        block.comment.append(line, self.cursor.text());
        block.column = 0;
        block.line = self.cursor.mark.line;
        block.indent = self.indent_or_zero();
        Ok(())
    }
}

/// Comment lines being collected.
struct CommentBlock {
    comment: Comment,
    /// Where the first line starts; line and column as the look-ahead counts them, the column from 1.
    start: Mark,
    scan_start: u32,
    belongs_to: u32,
    /// The line right below the content before, or -1.
    foot_line: i64,
    /// The token before the comment is a `:`.
    follows_colon: bool,
    indent: u32,
    line: u32,
    column: u32,
    after_empty_line: bool,
    no_empty_line_yet: bool,
}

impl CommentBlock {
    fn new(scanner: &Scanner<'_>, scan_start: Mark) -> Self {
        let mut newest = scanner.tokens.iter().rev();
        let mut token = newest.next();
        if let Some(before) = newest.next()
            && token.is_some_and(|token| matches!(token.kind, TokenKind::FlowEntry))
        {
            token = Some(before);
        }
        let mark = scanner.cursor.mark;
        let breaks = scanner.cursor.breaks;
        let mut foot_line = -1;
        if scan_start.line > 0 {
            foot_line = i64::from(mark.line) - i64::from(breaks) + 1;
            if breaks == 0 && mark.column > 1 {
                foot_line += 1;
            }
        }
        Self {
            comment: Comment::default(),
            start: Mark::default(),
            scan_start: scan_start.offset,
            belongs_to: token.map_or(0, |token| token.start.offset),
            foot_line,
            follows_colon: token.is_some_and(|token| matches!(token.kind, TokenKind::Value)),
            indent: scanner.indent_or_zero(),
            line: mark.line,
            column: mark.column,
            after_empty_line: false,
            no_empty_line_yet: breaks <= 1,
        }
    }
}
