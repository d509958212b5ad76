//! When the server is to end.

use std::{future::Future, io};

/// Done once somebody presses Ctrl-C, or a supervisor asks the process to terminate; heeded from this call on.
#[cfg(unix)]
pub(crate) fn signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    use {
        std::{future::poll_fn, task::Poll},
        tokio::signal::unix::{SignalKind, signal},
    };

    let mut signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    Ok(poll_fn(move |context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { Poll::Ready(Ok(())) } else { Poll::Pending }
    }))
}

#[cfg(not(unix))]
pub(crate) fn signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}
