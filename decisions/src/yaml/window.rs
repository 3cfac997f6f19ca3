//! What the reader that is mirrored has of the text at a time, for the few texts to which this matters.

/// The reader's buffer: it starts where the scanner was when it last ran short, and holds so many characters ahead.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The characters in each part of the text that is decoded in one go.
    pieces: std::vec::IntoIter<usize>,
    problem: Option<&'static str>,
    /// Where the buffer starts.
    start: usize,
    unread: usize,
}

impl Window {
    /// A reader that has read nothing yet. `problem`: what is wrong behind the last piece.
    pub(super) fn new(pieces: Vec<usize>, problem: Option<&'static str>) -> Self {
        Self {
            pieces: pieces.into_iter(),
            problem,
            start: 0,
            unread: 0,
        }
    }

    /// Makes `wanted` characters available behind `offset`; what is wrong with the text, if they can't be decoded.
    ///
    /// The end of the text counts as a character, each time that it is asked for.
    pub(super) fn look(&mut self, offset: usize, wanted: usize) -> Result<(), &'static str> {
        if self.unread >= wanted {
            return Ok(());
        }
        self.start = offset;
        while self.unread < wanted {
            let Some(piece) = self.pieces.next() else {
                if let Some(problem) = self.problem {
                    return Err(problem);
                }
                self.unread += 1;
                break;
            };
            self.unread += piece;
        }
        Ok(())
    }

    /// The scanner moved over some characters.
    pub(super) fn pass(&mut self, characters: usize) {
        self.unread = self.unread.saturating_sub(characters);
    }

    /// Where the buffer starts.
    pub(super) fn start(&self) -> usize {
        self.start
    }
}
