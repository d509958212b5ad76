//! Clients that take nothing of their answers.

use {
    std::{
        future::Future,
        io,
        pin::Pin,
        task::{Context, Poll, ready},
        time::Duration,
    },
    tokio::{
        io::{AsyncRead, AsyncWrite, join},
        net::TcpStream,
        time::{self, Sleep},
    },
};

/// A stream whose writes fail once the client has taken nothing for so long.
pub(crate) fn with_patience(stream: TcpStream, patience: Duration) -> impl AsyncRead + AsyncWrite + Unpin + Send {
    let (reads, writes) = stream.into_split();
    let stalled = None;
    join(
        reads,
        Patient {
            writes,
            patience,
            stalled,
        },
    )
}

struct Patient<W> {
    writes: W,
    patience: Duration,
    /// From the first write that had to wait, until one goes on.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Patient<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Poll::Ready(written) = Pin::new(&mut this.writes).poll_write(context, bytes) {
            this.stalled = None;
            return Poll::Ready(written);
        }
        let stalled = this.stalled.get_or_insert_with(|| Box::pin(time::sleep(this.patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writes).poll_shutdown(context)
    }
}
