//! A way through a SOCKS5 proxy for ssh, which has none of its own: this program again, as ssh's `ProxyCommand`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::path::Path;

use crate::facts::network::Proxy;
use crate::io::error_text;

/// The hidden command by which this program is that way: behind it the proxy's address, and host and port to go to.
pub const RELAY: &str = "__relay";
/// What stands before its complaint on standard error.
pub const COMPLAINT: &str = "imageauto-relay: ";

/// The proxy's login, in the environment: none where the user is empty.
pub(super) const USER: &str = "KUBECTL_IMAGEAUTO_PROXY_USER";
pub(super) const PASSWORD: &str = "KUBECTL_IMAGEAUTO_PROXY_PASSWORD";

/// Host and port of a proxy.
pub(super) fn authority(proxy: &Proxy) -> String {
    let address = proxy.address.split_once("://");
    let host = address.map_or(proxy.address.as_str(), |(_, host)| host);
    let host = host.split('/').next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    if has_port {
        host.to_owned()
    } else {
        format!("{}:1080", host.trim_end_matches(':'))
    }
}

/// The value of ssh's `ProxyCommand`; `program` is this program.
pub(super) fn command(program: &Path, proxy: &Proxy) -> String {
    let quoted = |text: &str| {
        let text = text.replace('\'', "'\\''").replace('%', "%%");
        format!("'{text}'")
    };
    format!(
        "{} {RELAY} {} '%h' '%p'",
        quoted(&program.to_string_lossy()),
        quoted(&authority(proxy))
    )
}

/// Connects standard input and output to `host` and `port` through the proxy, until the other side hangs up.
///
/// # Errors
///
/// There is no way through: what Go says of it. The login comes from the environment.
pub fn relay(proxy: &str, host: &str, port: &str) -> Result<(), String> {
    let port: u16 = port
        .parse()
        .map_err(|_| format!("port number out of range {port}"))?;
    let mut stream = TcpStream::connect(proxy).map_err(|error| match proxy.parse() {
        Ok::<std::net::SocketAddr, _>(address) => {
            format!("dial tcp {address}: connect: {}", error_text(&error))
        }
        Err(_) => format!("dial tcp: {}", error_text(&error)),
    })?;
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    greet(&mut stream, &variable(USER), &variable(PASSWORD))?;
    ask(&mut stream, host, port)?;
    pass_on(stream).map_err(|error| error_text(&error))
}

fn io_text(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "EOF".into(),
        _ => error_text(&error),
    }
}

/// Settles how to log in, and does.
fn greet(stream: &mut (impl Read + Write), user: &str, password: &str) -> Result<(), String> {
    let methods: &[u8] = if user.is_empty() {
        &[5, 1, 0]
    } else {
        &[5, 2, 0, 2]
    };
    stream.write_all(methods).map_err(io_text)?;
    let [version, method] = read(stream)?;
    if version != 5 {
        return Err(format!("unexpected protocol version {version}"));
    }
    match method {
        0 => Ok(()),
        2 if !user.is_empty() => log_in(stream, user, password),
        0xff => Err("no acceptable authentication methods".into()),
        other => Err(format!("unsupported authentication method {other}")),
    }
}

fn log_in(stream: &mut (impl Read + Write), user: &str, password: &str) -> Result<(), String> {
    let length = |text: &str| u8::try_from(text.len());
    let (Ok(user_length), Ok(password_length)) = (length(user), length(password)) else {
        return Err("invalid username/password".into());
    };
    let mut request = vec![1, user_length];
    request.extend(user.bytes());
    request.push(password_length);
    request.extend(password.bytes());
    stream.write_all(&request).map_err(io_text)?;
    match read(stream)? {
        [1, 0] => Ok(()),
        [1, _] => Err("username/password authentication failed".into()),
        _ => Err("invalid username/password version".into()),
    }
}

/// Asks to be connected.
fn ask(stream: &mut (impl Read + Write), host: &str, port: u16) -> Result<(), String> {
    let mut request = vec![5, 1, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| "FQDN too long".to_owned())?;
            request.extend([3, length]);
            request.extend(host.bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).map_err(io_text)?;
    let [version, reply, _, kind] = read(stream)?;
    if version != 5 {
        return Err(format!("unexpected protocol version {version}"));
    }
    if reply != 0 {
        return Err(format!("unknown error {}", reply_text(reply)));
    }
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(read::<1>(stream)?[0]),
        other => return Err(format!("unknown address type {other}")),
    };
    // Where the proxy's own end is, and its port: of no use to us.
    stream.read_exact(&mut vec![0; length + 2]).map_err(io_text)
}

fn reply_text(reply: u8) -> String {
    match reply {
        1 => "general SOCKS server failure".into(),
        2 => "connection not allowed by ruleset".into(),
        3 => "network unreachable".into(),
        4 => "host unreachable".into(),
        5 => "connection refused".into(),
        6 => "TTL expired".into(),
        7 => "command not supported".into(),
        8 => "address type not supported".into(),
        other => format!("unknown code: {other}"),
    }
}

fn read<const LENGTH: usize>(stream: &mut impl Read) -> Result<[u8; LENGTH], String> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).map_err(io_text)?;
    Ok(bytes)
}

fn pass_on(stream: TcpStream) -> io::Result<()> {
    let mut there = stream.try_clone()?;
    // It ends with this process, whatever it waits for.
    std::thread::spawn(move || {
        let passed = io::copy(&mut io::stdin().lock(), &mut there);
        drop(passed.and_then(|_| there.shutdown(Shutdown::Write)));
    });
    let (mut from, mut to) = (stream, io::stdout().lock());
    let mut bytes = vec![0; 64 << 10];
    loop {
        match from.read(&mut bytes)? {
            0 => return Ok(()),
            length => {
                to.write_all(&bytes[..length])?;
                to.flush()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a proxy answers, and what it was sent.
    struct Script {
        answers: io::Cursor<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.answers.read(bytes)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn script(answers: &[u8]) -> Script {
        Script {
            answers: io::Cursor::new(answers.to_vec()),
            sent: Vec::new(),
        }
    }

    #[test]
    fn a_login_is_given_where_it_is_wanted() {
        let mut with_login = script(&[5, 2, 1, 0]);
        assert_eq!(greet(&mut with_login, "me", "pw"), Ok(()));
        assert_eq!(with_login.sent, b"\x05\x02\x00\x02\x01\x02me\x02pw");
        assert_eq!(greet(&mut script(&[5, 0]), "", ""), Ok(()));
        for (answers, user, why) in [
            (
                &[5, 2, 1, 1][..],
                "me",
                "username/password authentication failed",
            ),
            (&[5, 255], "me", "no acceptable authentication methods"),
            (&[5, 2], "", "unsupported authentication method 2"),
            (&[4, 0], "", "unexpected protocol version 4"),
            (&[5], "", "EOF"),
        ] {
            assert_eq!(greet(&mut script(answers), user, "pw"), Err(why.into()));
        }
    }

    #[test]
    fn hosts_are_asked_for_by_address_or_name() {
        let answer = [5, 0, 0, 3, 1, b'x', 0, 9];
        let mut by_name = script(&answer);
        assert_eq!(ask(&mut by_name, "git.io", 22), Ok(()));
        assert_eq!(by_name.sent, b"\x05\x01\x00\x03\x06git.io\x00\x16");
        let mut by_address = script(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 9]);
        assert_eq!(ask(&mut by_address, "127.0.0.1", 22), Ok(()));
        assert_eq!(by_address.sent, [5, 1, 0, 1, 127, 0, 0, 1, 0, 22]);
        assert_eq!(
            ask(&mut script(&[5, 5, 0, 1]), "git.io", 22),
            Err("unknown error connection refused".into())
        );
    }

    #[test]
    fn the_command_is_one_that_a_shell_and_ssh_read_as_it_is_meant() {
        let proxy = Proxy {
            address: "socks5://proxy.io".into(),
            username: "me".into(),
            password: "pw".into(),
        };
        assert_eq!(
            command(Path::new("/it's/100%/x"), &proxy),
            "'/it'\\''s/100%%/x' __relay 'proxy.io:1080' '%h' '%p'"
        );
    }
}
