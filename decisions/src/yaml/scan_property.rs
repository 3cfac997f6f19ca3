//! Tokens that say something about a node or a document: anchors, aliases, tags and directives.

use super::ReadError;
use super::characters::{character_width, is_blank, is_word};
use super::cursor::Mark;
use super::scanner::Scanner;
use super::token::{Name, TagParts, TokenKind};

impl Scanner<'_> {
    /// `&name` or `*name`.
    pub(super) fn scan_anchor(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        let is_alias = self.cursor.byte(0) == b'*';
        self.cursor.advance();
        let name = self.take_word()?;
        let ended = self.cursor.is_space_or_end(0)
            || matches!(
                self.cursor.byte(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.length == 0 || !ended {
            return Err(self.error_at(
                "did not find expected alphabetic or numeric character",
                start,
            ));
        }
        let kind = if is_alias {
            TokenKind::Alias(name)
        } else {
            TokenKind::Anchor(name)
        };
        self.push(kind, start);
        Ok(())
    }

    fn take_word(&mut self) -> Result<Name, ReadError> {
        let start = self.cursor.mark.offset;
        self.need(1)?;
        while is_word(self.cursor.byte(0)) {
            self.cursor.advance();
            self.need(1)?;
        }
        Ok(Name {
            start,
            length: self.cursor.mark.offset - start,
        })
    }

    /// `!suffix`, `!handle!suffix`, `!<uri>` or `!`.
    pub(super) fn scan_tag(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        self.need(2)?;
        let handle;
        let suffix;
        if self.cursor.byte(1) == b'<' {
            self.cursor.advance_by(2);
            handle = Vec::new();
            suffix = self.scan_tag_uri(None, start)?;
            if self.cursor.byte(0) != b'>' {
                return Err(self.error_at("did not find the expected '>'", start));
            }
            self.cursor.advance();
        } else {
            let head = self.scan_tag_handle(false, start)?;
            if head.len() > 1 && head.ends_with(b"!") {
                suffix = self.scan_tag_uri(None, start)?;
                handle = head;
            } else {
                let rest = self.scan_tag_uri(Some(&head), start)?;
                if rest.is_empty() {
                    handle = Vec::new();
                    suffix = b"!".to_vec();
                } else {
                    handle = b"!".to_vec();
                    suffix = rest;
                }
            }
        }
        self.need(1)?;
        if !self.cursor.is_space_or_end(0) {
            return Err(self.error_at("did not find expected whitespace or line break", start));
        }
        let rest = suffix;
        self.push(TokenKind::Tag(Box::new(TagParts { handle, rest })), start);
        Ok(())
    }

    /// `!`, `!word` or `!word!`; a directive allows only the first and the last.
    fn scan_tag_handle(&mut self, in_directive: bool, start: Mark) -> Result<Vec<u8>, ReadError> {
        self.need(1)?;
        if self.cursor.byte(0) != b'!' {
            return Err(self.error_at("did not find expected '!'", start));
        }
        let from = self.cursor.mark.offset;
        self.cursor.advance();
        self.take_word()?;
        if self.cursor.byte(0) == b'!' {
            self.cursor.advance();
        } else if in_directive && self.cursor.since(from) != "!" {
            return Err(self.error_at("did not find expected '!'", start));
        }
        Ok(self.cursor.since(from).as_bytes().to_vec())
    }

    /// The rest of a tag after `head`, whose `!` is left out.
    fn scan_tag_uri(&mut self, head: Option<&[u8]>, start: Mark) -> Result<Vec<u8>, ReadError> {
        let mut uri = head.map_or(Vec::new(), |head| head[1..].to_vec());
        let mut found = head.is_some();
        self.need(1)?;
        loop {
            let byte = self.cursor.byte(0);
            if byte == b'%' {
                self.scan_uri_escape(&mut uri, start)?;
            } else if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                uri.push(byte);
                self.cursor.advance();
            } else {
                break;
            }
            self.need(1)?;
            found = true;
        }
        if !found {
            return Err(self.error_at("did not find expected tag URI", start));
        }
        Ok(uri)
    }

    /// The `%XX` of one UTF-8 character.
    fn scan_uri_escape(&mut self, uri: &mut Vec<u8>, start: Mark) -> Result<(), ReadError> {
        let mut left = None;
        loop {
            self.need(3)?;
            let octet = self
                .hexadecimal(1, 2)
                .filter(|_| self.cursor.byte(0) == b'%')
                .and_then(|value| u8::try_from(value).ok());
            let Some(octet) = octet else {
                return Err(self.error_at("did not find URI escaped octet", start));
            };
            let expected = match left {
                None => match character_width(octet) {
                    0 => {
                        return Err(self.error_at("found an incorrect leading UTF-8 octet", start));
                    }
                    width => width,
                },
                Some(_) if octet & 0xC0 != 0x80 => {
                    return Err(self.error_at("found an incorrect trailing UTF-8 octet", start));
                }
                Some(left) => left,
            };
            uri.push(octet);
            self.cursor.advance_by(3);
            if expected == 1 {
                return Ok(());
            }
            left = Some(expected - 1);
        }
    }

    /// The value of `digits` hexadecimal digits that start `ahead` bytes further.
    pub(super) fn hexadecimal(&self, ahead: usize, digits: usize) -> Option<u64> {
        (ahead..ahead + digits).try_fold(0u64, |value, at| {
            let digit = char::from(self.cursor.byte(at)).to_digit(16)?;
            Some((value << 4) + u64::from(digit))
        })
    }

    /// `%YAML 1.1` or `%TAG !x! prefix`, with the rest of the line.
    pub(super) fn scan_directive(&mut self) -> Result<(), ReadError> {
        let start = self.cursor.mark;
        self.cursor.advance();
        let name = self.take_word()?;
        if name.length == 0 {
            return Err(self.error_at("could not find expected directive name", start));
        }
        if !self.cursor.is_space_or_end(0) {
            return Err(self.error_at("found unexpected non-alphabetical character", start));
        }
        let kind = match self.cursor.slice(name.start, name.start + name.length) {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.error_at("found unknown directive name", start)),
        };
        self.push(kind, start);
        self.skip_blanks()?;
        if self.cursor.byte(0) == b'#' && !self.cursor.skip_line() {
            self.check_readable()?;
        }
        if !self.cursor.is_break_or_end(0) {
            return Err(self.error_at("did not find expected comment or line break", start));
        }
        if self.cursor.is_break(0) {
            self.need(2)?;
            self.cursor.take_break();
        }
        Ok(())
    }

    fn skip_blanks(&mut self) -> Result<(), ReadError> {
        if self.cursor.skip_blanks() {
            return Ok(());
        }
        self.check_readable()
    }

    fn scan_version(&mut self, start: Mark) -> Result<TokenKind, ReadError> {
        self.skip_blanks()?;
        let major = self.scan_version_number(start)?;
        if self.cursor.byte(0) != b'.' {
            return Err(self.error_at("did not find expected digit or '.' character", start));
        }
        self.cursor.advance();
        let minor = self.scan_version_number(start)?;
        Ok(TokenKind::VersionDirective { major, minor })
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8, ReadError> {
        let mut value = 0;
        let mut digits = 0;
        self.need(1)?;
        while self.cursor.byte(0).is_ascii_digit() {
            digits += 1;
            if digits > 2 {
                return Err(self.error_at("found extremely long version number", start));
            }
            value = value * 10 + (self.cursor.byte(0) - b'0');
            self.cursor.advance();
            self.need(1)?;
        }
        if digits == 0 {
            return Err(self.error_at("did not find expected version number", start));
        }
        Ok(value)
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<TokenKind, ReadError> {
        self.skip_blanks()?;
        let handle = self.scan_tag_handle(true, start)?;
        self.need(1)?;
        if !is_blank(self.cursor.byte(0)) {
            return Err(self.error_at("did not find expected whitespace", start));
        }
        self.skip_blanks()?;
        let rest = self.scan_tag_uri(None, start)?;
        self.need(1)?;
        if !self.cursor.is_space_or_end(0) {
            return Err(self.error_at("did not find expected whitespace or line break", start));
        }
        Ok(TokenKind::TagDirective(Box::new(TagParts { handle, rest })))
    }
}
