//! Ends calls to a store that make no progress.

use {
    super::{error::PayloadStoreError, store::PayloadChunks},
    crate::{
        clock::{Clock, Until},
        sync::{Mutex, catch, panicked},
        time::Timestamp,
    },
    futures_util::stream::{self, BoxStream, Stream, StreamExt},
    std::{
        future::{Future, poll_fn},
        pin::{Pin, pin},
        sync::Arc,
        task::Poll,
        time::Duration,
    },
};

/// How long a store may go without progress, by real time: a store does not live in the time of a queue.
#[derive(Clone)]
pub(super) struct StoreTimeout {
    clock: Arc<dyn Clock>,
    span: Duration,
}

type Items<T> = BoxStream<'static, Result<T, PayloadStoreError>>;

/// Since when the store has been waited for; `None` while somebody else is.
type Since = Mutex<Option<Timestamp>>;

/// The result of a call to a store, whose panic is an error.
pub(super) async fn contained<T>(
    call: impl Future<Output = Result<T, PayloadStoreError>>,
) -> Result<T, PayloadStoreError> {
    let mut call = pin!(call);
    poll_fn(|context| {
        let polled = catch(|| call.as_mut().poll(context));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(PayloadStoreError::other(panicked("the store", panic)))))
    })
    .await
}

impl StoreTimeout {
    pub(super) fn new(clock: Arc<dyn Clock>, span: Duration) -> Self {
        Self { clock, span }
    }

    /// The same, and at most this.
    pub(super) fn at_most(&self, span: Duration) -> Self {
        Self::new(Arc::clone(&self.clock), self.span.min(span))
    }

    /// The result of a call, unless it takes too long.
    pub(super) async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, PayloadStoreError>>,
    ) -> Result<T, PayloadStoreError> {
        self.watch(call, &Mutex::new(Some(self.clock.now()))).await
    }

    /// The result of a put that is fed by these chunks, unless it goes too long without asking for one, or without ending.
    ///
    /// The time that the source of the chunks takes does not count.
    pub(super) async fn within_put<'c, F>(
        &self,
        chunks: impl Stream<Item = Result<bytes::Bytes, PayloadStoreError>> + Send + 'c,
        put: impl FnOnce(PayloadChunks<'c>) -> F,
    ) -> Result<(), PayloadStoreError>
    where
        F: Future<Output = Result<(), PayloadStoreError>>,
    {
        let since = Arc::new(Mutex::new(Some(self.clock.now())));
        let (fed, clock) = (Arc::clone(&since), Arc::clone(&self.clock));
        let mut chunks = Box::pin(chunks);
        let chunks = stream::poll_fn(move |context| {
            let polled = chunks.as_mut().poll_next(context);
            *fed.lock() = polled.is_ready().then(|| clock.now());
            polled
        });
        self.watch(put(chunks.boxed()), &since).await
    }

    /// Items that end in an error once one takes too long.
    pub(super) fn each<T: Send + 'static>(&self, items: Items<T>) -> Items<T> {
        let timeout = self.clone();
        let next = move |mut items: Items<T>| {
            let timeout = timeout.clone();
            async move {
                let next = async { Ok(items.next().await) };
                match timeout.within(next).await {
                    Ok(None) => None,
                    Ok(Some(item)) => Some((item, items)),
                    Err(error) => Some((Err(error), stream::empty().boxed())),
                }
            }
        };
        stream::unfold(items, next).boxed()
    }

    async fn watch<T>(
        &self,
        call: impl Future<Output = Result<T, PayloadStoreError>>,
        since: &Since,
    ) -> Result<T, PayloadStoreError> {
        let mut call = pin!(call);
        let mut alarm = None;
        poll_fn(|context| {
            if let Poll::Ready(result) = call.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            let Some(since) = *since.lock() else {
                alarm = None;
                return Poll::Pending;
            };
            let alarm = alarm.insert(Until::new(&self.clock, since.saturating_add(self.span)));
            Pin::new(alarm).poll(context).map(|()| {
                let text = format!("the store has made no progress for {:?}", self.span);
                Err(PayloadStoreError::other(text))
            })
        })
        .await
    }
}
