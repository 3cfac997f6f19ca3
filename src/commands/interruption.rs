//! Ctrl-C: what the run has put on disk goes, and the process ends at once.

use std::sync::Once;

use crate::exit_code;
use crate::io;

/// From now on an interruption removes the run's temporary folders before it ends the process.
///
/// Without a thread or an event loop for it, the system's own way of ending stays.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let thread = std::thread::Builder::new().name("interruption".into());
        drop(thread.spawn(wait));
    });
}

fn wait() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    if let Some(code) = runtime.block_on(interrupted()) {
        io::abandon();
        std::process::exit(code.into());
    }
}

#[cfg(unix)]
async fn interrupted() -> Option<u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate()).ok()?;
    let mut hung_up = signal(SignalKind::hangup()).ok()?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.ok().map(|()| exit_code::INTERRUPTED),
        _ = terminated.recv() => Some(exit_code::INTERRUPTED),
        _ = hung_up.recv() => Some(exit_code::INTERRUPTED),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> Option<u8> {
    let pressed = tokio::signal::ctrl_c().await;
    pressed.ok().map(|()| exit_code::INTERRUPTED)
}
