//! What git tells of its requests with `GIT_TRACE_CURL` on standard error: git itself neither says where a server redirects it nor with
//! which status it was refused. The trace stays in memory, and git leaves the credentials out of it.

/// One request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// `GET` or `POST`.
    pub method: String,
    /// The status; `None` when no answer came.
    pub status: Option<u16>,
    /// `Location`, as the server wrote it.
    pub location: Option<String>,
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Length` of a body that isn't compressed.
    pub length: Option<usize>,
    encoded: bool,
}

/// What standard error held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    /// The requests, in order.
    pub exchanges: Vec<Exchange>,
    /// What curl says of its connections.
    pub notes: Vec<String>,
    /// The lines of git itself and of the server.
    pub words: Vec<String>,
}

impl Spoken {
    /// Takes trace and words apart.
    pub fn parse(stderr: &[u8]) -> Self {
        let mut spoken = Self::default();
        for line in String::from_utf8_lossy(stderr).lines() {
            match traced(line) {
                Some(line) => spoken.trace(line),
                None => spoken.words.push(line.trim_end().to_owned()),
            }
        }
        // The conversation with a proxy is none with the server.
        spoken
            .exchanges
            .retain(|exchange| exchange.method != "CONNECT");
        spoken
    }

    /// The last request.
    pub fn last(&self) -> Option<&Exchange> {
        self.exchanges.last()
    }

    /// What the server said: git prefixes it.
    pub fn of_server(&self) -> Vec<&str> {
        let lines = self.words.iter();
        lines
            .filter_map(|line| line.strip_prefix("remote:"))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect()
    }

    /// What git said.
    pub fn of_git(&self) -> Vec<&str> {
        let lines = self.words.iter().map(String::as_str);
        lines
            .filter(|line| !line.starts_with("remote:") && !line.is_empty())
            .collect()
    }

    fn trace(&mut self, line: &str) {
        if let Some(header) = line.strip_prefix("=> Send header: ") {
            self.sent(header.trim());
        } else if let Some(header) = line.strip_prefix("<= Recv header: ") {
            self.received(header.trim());
        } else if let Some(note) = line.strip_prefix("== Info: ") {
            self.notes.push(note.trim().to_owned());
        }
    }

    fn sent(&mut self, header: &str) {
        let mut words = header.split(' ');
        let method = words.next().unwrap_or_default();
        let version = words.nth(1).unwrap_or_default();
        if ["GET", "POST", "CONNECT"].contains(&method) && version.starts_with("HTTP/") {
            self.exchanges.push(Exchange {
                method: method.to_owned(),
                ..Exchange::default()
            });
        }
    }

    fn received(&mut self, header: &str) {
        let Some(exchange) = self.exchanges.last_mut() else {
            return;
        };
        if let Some(rest) = header.strip_prefix("HTTP/") {
            let status = rest
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            *exchange = Exchange {
                method: std::mem::take(&mut exchange.method),
                status,
                ..Exchange::default()
            };
            return;
        }
        let Some((name, value)) = header.split_once(':') else {
            return;
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "location" => exchange.location = Some(value.to_owned()),
            "content-type" => exchange.content_type = value.to_owned(),
            "content-encoding" => exchange.encoded = true,
            "content-length" => exchange.length = value.parse().ok(),
            _ => {}
        }
    }
}

impl Exchange {
    /// The length of the body as it was written, where that is known.
    pub fn plain_length(&self) -> Option<usize> {
        self.length.filter(|_| !self.encoded)
    }
}

/// The traced text of a line `hh:mm:ss.uuuuuu file:line   text`.
fn traced(line: &str) -> Option<&str> {
    let (time, rest) = line.split_once(' ')?;
    let is_time = time.len() == 15
        && time.bytes().enumerate().all(|(index, byte)| match index {
            2 | 5 => byte == b':',
            8 => byte == b'.',
            _ => byte.is_ascii_digit(),
        });
    let (_, text) = rest.split_once(' ').filter(|_| is_time)?;
    Some(text.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
18:08:01.643434 http.c:725              == Info:   Trying 127.0.0.1:8899...
18:08:01.643470 http.c:672              => Send header, 0000000234 bytes (0x000000ea)
18:08:01.643473 http.c:684              => Send header: CONNECT git.example.com:443 HTTP/1.1
18:08:01.644620 http.c:684              <= Recv header: HTTP/1.1 200 Connection established
18:08:01.643473 http.c:684              => Send header: GET /moved/r.git/info/refs?service=git-upload-pack HTTP/1.1
18:08:01.643477 http.c:684              => Send header: Authorization: Basic <redacted>
18:08:01.644620 http.c:684              <= Recv header: HTTP/1.1 301 Moved Permanently
18:08:01.644627 http.c:684              <= Recv header: Content-Type: text/plain; charset=utf-8
18:08:01.644629 http.c:684              <= Recv header: content-length: 6
18:08:01.644643 http.c:684              <= Recv header: Location: /r.git/info/refs?service=git-upload-pack
18:08:01.644645 http.c:684              <= Recv header:
remote: moved
remote:
fatal: unable to access 'http://127.0.0.1:8899/moved/r.git/': The requested URL returned error: 301
";

    #[test]
    fn requests_notes_and_words_are_told_apart() {
        let spoken = Spoken::parse(TRACE.as_bytes());
        assert_eq!(spoken.exchanges.len(), 1);
        let exchange = spoken.last().unwrap();
        assert_eq!(
            (exchange.method.as_str(), exchange.status),
            ("GET", Some(301))
        );
        assert_eq!(
            exchange.location.as_deref(),
            Some("/r.git/info/refs?service=git-upload-pack")
        );
        assert_eq!(exchange.plain_length(), Some(6));
        assert_eq!(spoken.notes, ["Trying 127.0.0.1:8899..."]);
        assert_eq!(spoken.of_server(), ["moved", ""]);
        assert_eq!(spoken.of_git().len(), 1);
    }

    #[test]
    fn a_provisional_answer_is_replaced() {
        let spoken = Spoken::parse(
            b"18:08:01.643473 http.c:684  => Send header: POST /r/git-upload-pack HTTP/2\n\
              18:08:01.643473 http.c:684  <= Recv header: HTTP/1.1 100 Continue\n\
              18:08:01.643473 http.c:684  <= Recv header: HTTP/2 403\n",
        );
        assert_eq!(spoken.exchanges.len(), 1);
        assert_eq!(spoken.exchanges[0].status, Some(403));
    }

    #[test]
    fn what_only_looks_like_a_trace_is_a_word() {
        assert_eq!(Spoken::parse(b"12:00 is noon\n").words, ["12:00 is noon"]);
    }
}
