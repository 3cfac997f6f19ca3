//! `tags` on 300 repositories of 1,000 tags behind 20 ms of latency, and on one of 100,000 tags, beside `crane ls` on the
//! same. The goals: 1.3 times what eight requests at a time must take, three requests a repository, 100 MB. They are
//! printed, not asserted: a busy machine is no defect.
//!
//! Go is needed for crane; without it only our own numbers are printed.

/// What the tests' control plane has for building Go programs.
#[path = "../tests/cluster"]
mod cluster {
    #[expect(dead_code, reason = "most of it is for tests")]
    pub mod programs;
    pub mod recipes;

    /// Writes a line to the terminal.
    pub fn tell(line: &str) {
        use std::io::Write as _;
        // A closed stderr only costs the reader the line.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cluster::programs::go_program;
use cluster::tell;

const OURS: &str = match option_env!("IMAGEAUTO_PROGRAM") {
    Some(program) => program,
    None => env!("CARGO_BIN_EXE_kubectl-imageauto"),
};
const REPOSITORIES: usize = 300;
const LATENCY: Duration = Duration::from_millis(20);
/// Requests at a time to one host: the default of `--max-requests-per-host`.
const AT_A_TIME: usize = 8;
const RUNS: usize = 5;
const PAGE: usize = 1000;
const MANY: usize = 100_000;

fn main() {
    let crane = go_program("crane");
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let images: Vec<String> = (0..REPOSITORIES)
        .map(|number| format!("{}/team/app{number}", registry.address))
        .collect();
    let many = vec![format!("{}/team/many", registry.address)];
    fleet(&registry, folder.path(), &images, crane.as_deref());
    one_of_many(&registry, folder.path(), &many, crane.as_deref());
}

fn fleet(registry: &Registry, folder: &Path, images: &[String], crane: Option<&Path>) {
    let manifests = manifests(folder, "fleet.yaml", images);
    let mut times = Vec::new();
    let mut requests = 0;
    for _ in 0..RUNS {
        let before = registry.asked();
        times.push(time(&mut ours(&manifests)));
        requests = registry.asked() - before;
    }
    let bound = LATENCY * u32::try_from(requests.div_ceil(AT_A_TIME)).unwrap_or(u32::MAX);
    let median = median(times);
    tell(&format!(
        "tags of {REPOSITORIES} repositories of {PAGE} tags behind {LATENCY:?}: median {:.0} ms of {RUNS} runs, {:.2} of the bound of {:.0} ms (goal 1.3); {requests} requests, {:.2} a repository (goal 3); {}",
        millis(median),
        median.as_secs_f64() / bound.as_secs_f64(),
        millis(bound),
        requests as f64 / REPOSITORIES as f64,
        memory(&ours(&manifests)),
    ));
    let Some(crane) = crane else { return };
    let before = registry.asked();
    let started = Instant::now();
    thread::scope(|scope| {
        for part in images.chunks(images.len().div_ceil(AT_A_TIME)) {
            scope.spawn(move || {
                for image in part {
                    time(Command::new(crane).args(["ls", image]));
                }
            });
        }
    });
    let took = started.elapsed();
    tell(&format!(
        "crane ls of the same, {AT_A_TIME} processes at a time: {:.0} ms, {:.1} times ours; {} requests",
        millis(took),
        took.as_secs_f64() / median.as_secs_f64(),
        registry.asked() - before,
    ));
}

fn one_of_many(registry: &Registry, folder: &Path, images: &[String], crane: Option<&Path>) {
    let manifests = manifests(folder, "many.yaml", images);
    let before = registry.asked();
    let took = time(&mut ours(&manifests));
    tell(&format!(
        "tags of 1 repository of {MANY} tags in pages of {PAGE}: {:.0} ms, {} requests; {} (goal 100 MB)",
        millis(took),
        registry.asked() - before,
        memory(&ours(&manifests)),
    ));
    let Some(crane) = crane else { return };
    let mut command = Command::new(crane);
    command.args(["ls", &images[0]]);
    let took = time(&mut command);
    tell(&format!(
        "crane ls of the same: {:.0} ms; {}",
        millis(took),
        memory(&command)
    ));
}

/// Our program on manifests, with the recording as its result.
fn ours(manifests: &Path) -> Command {
    let mut command = Command::new(OURS);
    command
        .args(["tags", "-o", "json", "-f"])
        .arg(manifests)
        .env_clear();
    command
}

fn manifests(folder: &Path, name: &str, images: &[String]) -> PathBuf {
    let mut text = String::new();
    for (number, image) in images.iter().enumerate() {
        let written = write!(
            text,
            "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: app{number}\n  namespace: flux-system\nspec:\n  image: {image}\n  interval: 1h\n"
        );
        written.expect("a String takes everything");
    }
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder is writable");
    path
}

fn time(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let output = command.output().expect("the program can be run");
    let took = started.elapsed();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The peak of resident memory, as GNU time tells it.
fn memory(command: &Command) -> String {
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "%M"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::null());
    let peak = timed.output().ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.lines().last()?.trim().parse::<u64>().ok()
    });
    peak.map_or_else(
        || "memory not measured".into(),
        |peak| format!("{:.1} MB peak", peak as f64 / 1024.0),
    )
}

/// A registry behind a long way: every request takes [`LATENCY`] more. Connections stay open.
struct Registry {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Registry {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming() {
                let counted = Arc::clone(&counted);
                // A client that goes away is its own affair.
                thread::spawn(move || serve(client?, &counted));
            }
        });
        Self { address, asked }
    }

    /// How many requests came so far.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(client: TcpStream, asked: &AtomicUsize) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut first = [0];
    if client.peek(&mut first)? == 1 && first[0] == 0x16 {
        // TLS is not spoken here.
        return (&client).write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nplain http\n");
    }
    let mut reader = BufReader::new(client.try_clone()?);
    loop {
        let mut target = String::new();
        if reader.read_line(&mut target)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let target = target.split(' ').nth(1).unwrap_or_default();
        let (link, body) = answer(target);
        thread::sleep(LATENCY);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{link}\r\n",
            body.len()
        );
        (&client).write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    }
}

/// The header `Link`, if there is another page, and the body.
fn answer(target: &str) -> (String, String) {
    if target == "/v2/" {
        return (String::new(), "{}".into());
    }
    let last = target
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("last=")?.parse().ok());
    let start = last.map_or(0, |last: usize| last + 1);
    let end = if target.contains("/many/") {
        MANY
    } else {
        PAGE
    };
    let page = start..(start + PAGE).min(end);
    let link = if page.end < end {
        let path = target.split('?').next().unwrap_or_default();
        format!(
            "Link: <{path}?last={}&n={PAGE}>; rel=\"next\"\r\n",
            page.end - 1
        )
    } else {
        String::new()
    };
    let tags: Vec<String> = page
        .map(|number| format!("\"1.{number}.0-rc.{number}\""))
        .collect();
    (link, format!("{{\"tags\":[{}]}}", tags.join(",")))
}
