//! Ctrl-C, as a channel that the main thread can select on.

use {
    crossbeam_channel::{Receiver, bounded},
    std::{io, thread},
};

/// Says once that somebody pressed Ctrl-C; the next Ctrl-C ends the process at once.
pub(crate) fn signals() -> io::Result<Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (sender, receiver) = bounded(1);
    thread::Builder::new().spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                let _ = sender.send(());
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    })?;
    Ok(receiver)
}
