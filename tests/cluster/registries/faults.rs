//! A proxy on loopback in front of a registry, which spoils what goes through it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is done to an exchange.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// The answer comes so much later.
    Late(Duration),
    /// This is answered, and the registry not asked.
    Instead(String),
    /// The connection is reset after so many bytes of the body.
    Reset(usize),
    /// The body comes in chunks, and ends without its end after so many bytes.
    ChunksCutAfter(usize),
    /// The body comes in pieces of so many bytes with a pause behind each.
    Drip(usize, Duration),
}

/// What is kept of a request.
#[derive(Clone, Debug)]
pub struct Passed {
    /// `GET /v2/`
    pub line: String,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// Whether it is ours; else it is the reflector's.
    pub is_ours: bool,
}

/// A running proxy; it ends with the test's process.
pub struct Proxy {
    address: SocketAddr,
    passed: Arc<Mutex<Vec<Passed>>>,
}

type Script = dyn Fn(&Passed, usize) -> Fault + Send + Sync;

impl Proxy {
    /// Stands in front of `registry` (HOST:PORT); `fault` is given each request with the number of requests for the same
    /// target by the same client that came before.
    pub fn start(
        registry: &str,
        fault: impl Fn(&Passed, usize) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let passed: Arc<Mutex<Vec<Passed>>> = Arc::default();
        let (seen, fault, registry) = (
            Arc::clone(&passed),
            Arc::new(fault) as Arc<Script>,
            registry.to_owned(),
        );
        thread::spawn(move || {
            for client in listener.incoming() {
                let (seen, fault, registry) =
                    (Arc::clone(&seen), Arc::clone(&fault), registry.clone());
                // A client that goes away is its own affair.
                thread::spawn(move || exchange(client?, &registry, &seen, fault.as_ref()));
            }
        });
        Self { address, passed }
    }

    /// 127.0.0.1:PORT
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// localhost:PORT, the same as another host.
    pub fn other_host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// What went through so far.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed.lock().expect("no test panics in it").clone()
    }
}

fn exchange(
    mut client: TcpStream,
    registry: &str,
    seen: &Mutex<Vec<Passed>>,
    fault: &Script,
) -> io::Result<()> {
    let Some(head) = head_but_its_last_byte(&client)? else {
        // TLS is not spoken here.
        return client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nthis is plain http\n");
    };
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let request_line = head.lines().next().unwrap_or_default();
    let passed = Passed {
        line: request_line.trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: header("authorization"),
        is_ours: header("user-agent").is_some_and(|name| name.starts_with("kubectl-imageauto")),
    };
    let before = {
        let mut seen = seen.lock().expect("no test panics in it");
        let same = |other: &&Passed| (&other.line, other.is_ours) == (&passed.line, passed.is_ours);
        let before = seen.iter().filter(same).count();
        seen.push(passed.clone());
        before
    };
    let fault = fault(&passed, before);
    if let Fault::Reset(after) = fault {
        // The request's last byte is left unread: the end of the connection is then a reset.
        let (head, body) = answer(registry, &head)?;
        client.write_all(format!("{head}\r\n\r\n").as_bytes())?;
        client.write_all(&body[..after.min(body.len())])?;
        client.flush()?;
        thread::sleep(Duration::from_millis(50));
        return Ok(());
    }
    client.read_exact(&mut [0])?;
    if let Fault::Late(delay) = fault {
        thread::sleep(delay);
    }
    match fault {
        Fault::Instead(text) => client.write_all(text.as_bytes())?,
        Fault::ChunksCutAfter(after) => {
            let (head, body) = answer(registry, &head)?;
            let head = without_length(&head);
            let part = &body[..after.min(body.len())];
            client.write_all(
                format!(
                    "{head}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
                    part.len()
                )
                .as_bytes(),
            )?;
            client.write_all(part)?;
            client.write_all(b"\r\n")?;
        }
        Fault::Drip(piece, pause) => {
            let (head, body) = answer(registry, &head)?;
            client.write_all(format!("{head}\r\n\r\n").as_bytes())?;
            for piece in body.chunks(piece) {
                client.write_all(piece)?;
                thread::sleep(pause);
            }
        }
        Fault::None | Fault::Late(_) | Fault::Reset(_) => {
            let (head, body) = answer(registry, &head)?;
            client.write_all(format!("{head}\r\n\r\n").as_bytes())?;
            client.write_all(&body)?;
        }
    }
    client.flush()
}

/// The head of a request without a body, its last byte left in the socket; `None`: it isn't http.
fn head_but_its_last_byte(client: &TcpStream) -> io::Result<Option<String>> {
    let mut seen = vec![0; 64 * 1024];
    loop {
        let length = client.peek(&mut seen)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !seen[0].is_ascii_uppercase() {
            return Ok(None);
        }
        if seen[..length].ends_with(b"\r\n\r\n") {
            let mut head = vec![0; length - 1];
            (&*client).read_exact(&mut head)?;
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Head and body of the registry's answer to a request; the connection is used once.
fn answer(registry: &str, request: &str) -> io::Result<(String, Vec<u8>)> {
    let lines = request.trim_end().lines();
    let lines = lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut text: String = lines.map(|line| format!("{line}\r\n")).collect();
    text.push_str("Connection: close\r\n\r\n");
    let mut stream = TcpStream::connect(registry)?;
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::InvalidData)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut body = answer.split_off(end + 4);
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        body = without_chunks(&body);
        let head = without_length(&head);
        return Ok((format!("{head}\r\nContent-Length: {}", body.len()), body));
    }
    Ok((head, body))
}

/// The head without what says how long the body is.
fn without_length(head: &str) -> String {
    let about_length = |line: &&str| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-length:") || line.starts_with("transfer-encoding:")
    };
    let lines: Vec<&str> = head.lines().filter(|line| !about_length(line)).collect();
    lines.join("\r\n")
}

fn without_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|part| part == b"\r\n") {
        let length = String::from_utf8_lossy(&body[..end]).into_owned();
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or_default();
        if length == 0 {
            break;
        }
        whole.extend(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
    whole
}
