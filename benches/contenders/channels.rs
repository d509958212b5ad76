//! The channels, each unbounded: they hand a message over and forget it.

use super::{Contender, Holding, Shared};
use std::{cell::RefCell, hint::black_box, sync::Mutex, time::Duration};

/// Where a consumer of a channel keeps what the channel itself cannot: messages in flight and for later.
#[derive(Default)]
struct Aside(Mutex<Vec<String>>);

impl Aside {
    fn keep(&self, message: String) {
        self.0
            .lock()
            .expect("no thread panics while it keeps a message")
            .push(message);
    }
}

macro_rules! channel {
    (
        $(#[$about:meta])* $type:ident, $name:literal, $sender:ty, $receiver:ty, $open:expr,
        |$tx:ident, $message:ident| $send:expr, |$rx:ident| $receive:expr
    ) => {
        $(#[$about])*
        pub(crate) struct $type {
            sender: $sender,
            receiver: $receiver,
            aside: Aside,
        }

        impl $type {
            fn receive(&self) -> String {
                let $rx = &self.receiver;
                $receive
            }
        }

        impl Contender for $type {
            const NAME: &'static str = $name;

            fn open() -> Self {
                let (sender, receiver) = $open;
                Self { sender, receiver, aside: Aside::default() }
            }

            fn send(&self, body: &str) {
                let ($tx, $message) = (&self.sender, body.to_owned());
                $send;
            }

            fn take(&self) {
                black_box(self.receive().as_str());
            }

        }

        impl Holding for $type {
            fn hold(&self) {
                self.aside.keep(self.receive());
            }

            fn send_delayed(&self, body: &str, _: Duration) {
                self.aside.keep(body.to_owned());
            }
        }
    };
}

channel!(
    Crossbeam,
    "crossbeam-channel",
    crossbeam_channel::Sender<String>,
    crossbeam_channel::Receiver<String>,
    crossbeam_channel::unbounded(),
    |sender, message| sender.send(message).expect("the receiver lives"),
    |receiver| receiver.try_recv().expect("a message was sent")
);

channel!(
    Flume,
    "flume",
    flume::Sender<String>,
    flume::Receiver<String>,
    flume::unbounded(),
    |sender, message| sender.send(message).expect("the receiver lives"),
    |receiver| receiver.try_recv().expect("a message was sent")
);

channel!(
    AsyncChannel,
    "async-channel",
    async_channel::Sender<String>,
    async_channel::Receiver<String>,
    async_channel::unbounded(),
    |sender, message| sender.try_send(message).expect("the receiver lives"),
    |receiver| receiver.try_recv().expect("a message was sent")
);

channel!(
    /// Its receiver wants `&mut`, so it cannot stand with two consumers.
    Tokio, "tokio::sync::mpsc",
    tokio::sync::mpsc::UnboundedSender<String>, RefCell<tokio::sync::mpsc::UnboundedReceiver<String>>,
    {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (sender, RefCell::new(receiver))
    },
    |sender, message| sender.send(message).expect("the receiver lives"),
    |receiver| receiver.borrow_mut().try_recv().expect("a message was sent")
);

impl Shared for Crossbeam {
    fn take_waiting(&self) {
        black_box(self.receiver.recv().expect("the sender lives").as_str());
    }
}

impl Shared for Flume {
    fn take_waiting(&self) {
        black_box(self.receiver.recv().expect("the sender lives").as_str());
    }
}

impl Shared for AsyncChannel {
    fn take_waiting(&self) {
        black_box(self.receiver.recv_blocking().expect("the sender lives").as_str());
    }
}
