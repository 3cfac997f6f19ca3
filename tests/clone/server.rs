//! A git server on a loopback address: `git http-backend` behind a few doors that behave as servers do on bad days.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A request as the server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

/// A server that lives as long as the test binary.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What is behind the first part of a path: `/open/r.git` and so on.
struct Doors {
    folder: PathBuf,
    /// Where `/elsewhere` redirects to.
    other: Option<SocketAddr>,
}

/// Login and token of the doors that want one.
pub const BASIC: &str = "Basic Ym90OmNvcnJlY3QgaG9yc2U="; // bot:correct horse
pub const BEARER: &str = "Bearer battery-staple";
/// What the API of GitHub here gives out, and the login that the door `app` wants.
pub const TOKEN: &str = "ghs_installation";
const APP: &str = "Basic eC1hY2Nlc3MtdG9rZW46Z2hzX2luc3RhbGxhdGlvbg=="; // x-access-token:ghs_installation
const PROXY: &str = "Basic cGF5OmEgdG9sbCAv"; // pay:a toll /

struct Request {
    seen: Seen,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Server {
    /// Serves the bare repositories in `folder`.
    pub fn start(folder: &Path, other: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let doors = Arc::new(Doors {
            folder: folder.to_owned(),
            other,
        });
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (doors, log) = (Arc::clone(&doors), Arc::clone(&log));
                // A client that goes away in the middle is no failure of the server's.
                std::thread::spawn(move || doors.serve(stream, &log));
            }
        });
        Self { address, seen }
    }

    /// `http://ADDRESS/PATH`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What was asked so far; forgets it.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Doors {
    fn serve(&self, mut stream: TcpStream, log: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
        let request = Request::read(&stream)?;
        log.lock().unwrap().push(request.seen.clone());
        let target = request.seen.target.clone();
        // As a proxy it stands for every server, and wants a login of its own.
        let target = match target
            .strip_prefix("http://")
            .map(|rest| rest.split_once('/'))
        {
            Some(_)
                if request
                    .headers
                    .get("proxy-authorization")
                    .map(String::as_str)
                    != Some(PROXY) =>
            {
                let challenge = "Proxy-Authenticate: Basic realm=\"proxy\"\r\n";
                return answer(&mut stream, "407", "text/plain", "pay first\n", challenge);
            }
            Some(parts) => format!("/{}", parts.map_or("", |(_, path)| path)),
            None => target,
        };
        let (first, rest) = target[1..].split_once('/').unwrap_or((&target[1..], ""));
        let authorization = request.seen.authorization.as_deref();
        match first {
            "answers" => {
                let status = rest.split('/').next().unwrap_or_default();
                let body = format!("the server says {status}.\nAsk somebody else, ça va?\n");
                answer(&mut stream, status, "text/plain; charset=utf-8", &body, "")
            }
            "pages" => {
                let status = rest.split('/').next().unwrap_or_default();
                let body = format!("<html>\n<h1>{status}</h1>\n</html>\n");
                answer(&mut stream, status, "text/html", &body, "")
            }
            "moved" => redirect(&mut stream, &format!("/{rest}")),
            "elsewhere" => {
                let other = self
                    .other
                    .map(|other| other.to_string())
                    .unwrap_or_default();
                redirect(&mut stream, &format!("http://{other}/{rest}"))
            }
            "looping" => redirect(&mut stream, &target),
            "away" => redirect(&mut stream, "/users/sign_in"),
            "slow" => {
                std::thread::sleep(std::time::Duration::from_secs(600));
                Ok(())
            }
            // The first answer is right, the pack never comes.
            "stuck" if request.seen.method == "POST" => {
                std::thread::sleep(std::time::Duration::from_secs(600));
                Ok(())
            }
            // Who may fetch may not push.
            "readonly" if target.contains("git-receive-pack") => {
                answer(&mut stream, "403", "text/plain", "you may only read\n", "")
            }
            // The line breaks before the server has read the push, or before it has answered.
            "dropped" if is_push(&request) => Ok(()),
            "unheard" if is_push(&request) => self.backend(&mut std::io::sink(), &request, rest),
            "open" | "stuck" | "readonly" | "dropped" | "unheard" | "cut" => {
                self.backend(&mut stream, &request, rest)
            }
            "github" => {
                let (status, body) = github(&request.seen.method, rest);
                answer(&mut stream, status, "application/json", &body, "")
            }
            "app" if authorization == Some(APP) => self.backend(&mut stream, &request, rest),
            "bearer" if authorization == Some(BEARER) => self.backend(&mut stream, &request, rest),
            "bearer" => answer(&mut stream, "401", "text/plain", "which token?\n", ""),
            _ if authorization == Some(BASIC) => self.backend(&mut stream, &request, &target[1..]),
            _ => answer(
                &mut stream,
                "401",
                "text/plain",
                "who are you?\n",
                "WWW-Authenticate: Basic realm=\"git\"\r\n",
            ),
        }
    }

    fn backend(
        &self,
        stream: &mut impl std::io::Write,
        request: &Request,
        target: &str,
    ) -> std::io::Result<()> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("GIT_PROJECT_ROOT", &self.folder)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", &self.folder)
            .env("REQUEST_METHOD", &request.seen.method)
            .env("PATH_INFO", format!("/{path}"))
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", header("content-type"))
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().unwrap();
        let body = request.body.clone();
        std::thread::spawn(move || input.write_all(&body));
        let output = child.wait_with_output()?.stdout;
        let end = output
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or(0);
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
        write!(
            stream,
            "HTTP/1.1 {}\r\n{head}\r\nConnection: close\r\n\r\n",
            status.unwrap_or("200 OK")
        )?;
        stream.write_all(&output[end + 4..])
    }
}

impl Request {
    fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or("/".into()),
        );
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => {
                    drop(headers.insert(name.to_ascii_lowercase(), value.to_owned()))
                }
                None => break,
            }
        }
        let mut body = Vec::new();
        // The line breaks in the middle of a large push.
        let length: Option<usize> = headers
            .get("content-length")
            .and_then(|length| length.parse().ok());
        let is_large = length.is_none_or(|length| length > 10_000);
        if target.starts_with("/cut/") && target.ends_with("/git-receive-pack") && is_large {
            reader.read_exact(&mut [0; 10_000])?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        if headers
            .get("transfer-encoding")
            .is_some_and(|coding| coding == "chunked")
        {
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
                let mut chunk = vec![0; length + 2];
                reader.read_exact(&mut chunk)?;
                if length == 0 {
                    break;
                }
                body.extend(&chunk[..length]);
            }
        } else {
            let length = headers
                .get("content-length")
                .and_then(|length| length.parse().ok());
            body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body)?;
        }
        Ok(Self {
            seen: Seen {
                method,
                target,
                authorization: headers.get("authorization").cloned(),
            },
            headers,
            body,
        })
    }
}

/// The API of GitHub, as an app with one installation at a user sees it.
fn github(method: &str, path: &str) -> (&'static str, String) {
    match (method, path) {
        ("GET", "users/some-one/installation") => ("200", r#"{"id": 7}"#.into()),
        ("POST", "app/installations/7/access_tokens") => (
            "201",
            format!(r#"{{"token": "{TOKEN}", "expires_at": "2100-01-01T00:00:00Z"}}"#),
        ),
        ("POST", "app/installations/8/access_tokens") => (
            "401",
            r#"{"message": "A JSON web token could not be decoded"}"#.into(),
        ),
        _ => ("404", r#"{"message": "Not Found", "status": "404"}"#.into()),
    }
}

fn is_push(request: &Request) -> bool {
    request.seen.method == "POST" && request.seen.target.ends_with("/git-receive-pack")
}

fn redirect(stream: &mut TcpStream, location: &str) -> std::io::Result<()> {
    answer(
        stream,
        "301",
        "text/plain",
        "moved\n",
        &format!("Location: {location}\r\n"),
    )
}

fn answer(
    stream: &mut TcpStream,
    status: &str,
    kind: &str,
    body: &str,
    more: &str,
) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n{body}",
        body.len()
    )
}
