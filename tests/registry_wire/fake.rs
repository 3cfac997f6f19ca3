//! A registry on loopback that answers from a script and remembers what it was asked.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't prepare its case fails"
)]

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `GET`
    pub method: String,
    /// Path and query; the whole URL where the fake is used as a proxy.
    pub target: String,
    /// Headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// The value of `Authorization`, or nothing.
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// More bytes are promised than are sent.
    missing: usize,
    /// The connection is closed without a word.
    dropped: bool,
    delay: Duration,
    /// The connection stays open for so long after the last byte.
    wait: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            missing: 0,
            dropped: false,
            delay: Duration::ZERO,
            wait: Duration::ZERO,
        }
    }

    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body)
    }

    pub fn dropped() -> Self {
        Self {
            dropped: true,
            ..Self::new(0, "")
        }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The connection ends before the body does.
    pub fn cut_short(self) -> Self {
        Self {
            missing: 10,
            ..self
        }
    }

    pub fn late(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    pub fn then_waits(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A server that ends with the test's process.
pub struct Fake {
    /// 127.0.0.1 and a port.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers plain http by `script`.
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, script)
    }

    /// Answers https by `script`.
    pub fn start_tls(
        config: ServerConfig,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(Arc::new(config)), script)
    }

    fn serve(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let script: Arc<Script> = Arc::new(script);
        let (seen, told) = (asked.clone(), tls);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen, tls) = (script.clone(), seen.clone(), told.clone());
                // A client that goes away is its own affair.
                std::thread::spawn(move || answer(stream?, tls, &script, &seen));
            }
        });
        Self { address, asked }
    }

    /// `127.0.0.1:PORT`
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `localhost:PORT`, the same server as another host.
    pub fn other_host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and target of what it was asked so far.
    pub fn lines(&self) -> Vec<String> {
        let asked = self.asked();
        asked
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.target))
            .collect()
    }
}

fn answer(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    script: &Arc<Script>,
    seen: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    match tls {
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
            let rest = stream.try_clone()?;
            let outcome = converse(StreamOwned::new(connection, stream), script, seen);
            // What wasn't read would reset the connection before the client has seen why.
            rest.shutdown(Shutdown::Write)?;
            rest.set_read_timeout(Some(Duration::from_secs(1)))?;
            drop((&rest).read_to_end(&mut Vec::new()));
            outcome
        }
        None => {
            let mut first = [0];
            let is_tls = stream.peek(&mut first)? == 1 && first[0] == 0x16;
            if is_tls {
                let text = "HTTP/1.0 400 Bad Request\r\n\r\nthis is plain http\n";
                return (&stream).write_all(text.as_bytes());
            }
            converse(stream, script, seen)
        }
    }
}

fn converse(
    stream: impl Read + Write,
    script: &Arc<Script>,
    seen: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let asked = read(&mut reader)?;
    let reply = script(&asked);
    let is_head = asked.method == "HEAD";
    seen.lock().unwrap().push(asked);
    std::thread::sleep(reply.delay);
    if reply.dropped {
        return Ok(());
    }
    let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", reply.status);
    let has_length = |(name, _): &(String, String)| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    };
    if !reply.headers.iter().any(has_length) {
        let length = reply.body.len() + reply.missing;
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let stream = reader.get_mut();
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if !is_head {
        stream.write_all(&reply.body)?;
    }
    stream.flush()?;
    std::thread::sleep(reply.wait);
    Ok(())
}

fn read(reader: &mut impl std::io::BufRead) -> std::io::Result<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut parts = line.split_whitespace();
    let mut asked = Asked {
        method: parts.next().unwrap_or_default().into(),
        target: parts.next().unwrap_or_default().into(),
        ..Asked::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        asked
            .headers
            .insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = asked.headers.get("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Ok(asked)
}

/// An authority of the tests' own, with a certificate for the server and one for the client; PEM.
pub struct Authority {
    pub certificate: String,
    pub client: (String, String),
    /// Certificate and key of the server.
    pub server: (String, String),
}

impl Authority {
    /// The server's certificate is for `name`.
    pub fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(parameters, key);
        let signed = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = parameters.signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        Self {
            certificate,
            client: signed("client"),
            server: signed(name),
        }
    }

    /// An authority of `name` that serves itself.
    pub fn of_itself(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let pair = (certificate.clone(), key.serialize_pem());
        Self {
            certificate,
            client: pair.clone(),
            server: pair,
        }
    }

    /// A server of this authority, which perhaps wants client certificates of it.
    pub fn server(&self, wants_client: bool) -> ServerConfig {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_client {
            let mut roots = rustls::RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
            roots.add(root).unwrap();
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = &self.server;
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        builder.with_single_cert(chain, key).unwrap()
    }
}
