//! A SOCKS5 proxy that wants a login.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The proxy; it lives as long as the test binary.
pub struct Socks {
    /// Where it listens.
    pub address: SocketAddr,
    through: Arc<AtomicUsize>,
}

/// The one account.
pub const USER: &str = "toll";
pub const PASSWORD: &str = "p\u{e4}id in full";

impl Socks {
    /// Starts it.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let through = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&through);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                // A client that goes away in the middle is no failure of the proxy's.
                std::thread::spawn(move || serve(stream, &count));
            }
        });
        Self { address, through }
    }

    /// How many connections went through.
    pub fn through(&self) -> usize {
        self.through.load(Ordering::Relaxed)
    }
}

fn serve(mut client: TcpStream, count: &AtomicUsize) -> io::Result<()> {
    let [_, methods] = read(&mut client)?;
    client.read_exact(&mut vec![0; usize::from(methods)])?;
    client.write_all(&[5, 2])?;
    let [_, length] = read(&mut client)?;
    let user = read_text(&mut client, length)?;
    let [length] = read(&mut client)?;
    let password = read_text(&mut client, length)?;
    if (user.as_str(), password.as_str()) != (USER, PASSWORD) {
        return client.write_all(&[1, 1]);
    }
    client.write_all(&[1, 0])?;
    let [_, _, _, kind] = read(&mut client)?;
    if kind != 1 {
        return client.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]);
    }
    let host: [u8; 4] = read(&mut client)?;
    let port = u16::from_be_bytes(read(&mut client)?);
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::from(host), port)) else {
        return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
    };
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    count.fetch_add(1, Ordering::Relaxed);
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        drop(io::copy(&mut from, &mut to));
        to.shutdown(std::net::Shutdown::Write)
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(std::net::Shutdown::Write)
}

fn read<const LENGTH: usize>(stream: &mut TcpStream) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_text(stream: &mut TcpStream, length: u8) -> io::Result<String> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
