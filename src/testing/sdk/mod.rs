//! [`Context::sdk_config`]: a client of the AWS SDK for the queues of a check.

mod change;
mod connector;
mod counted;

use {
    self::{connector::Network, counted::CountedSleep},
    super::consumer::Context,
    aws_smithy_types::retry::RetryConfig,
    aws_types::{SdkConfig, region::Region, sdk_config::StalledStreamProtectionConfig},
    std::sync::Arc,
};

impl Context {
    /// All that a client of the AWS SDK needs to use the queues of the check as a consumer does:
    /// `aws_sdk_sqs::Client::new(&context.sdk_config())`.
    ///
    /// Its sends, receives, deletes and changes of visibility timeouts meet the faults and crashes of the check and are
    /// told in the story; all other actions work, and meet none. A lost answer is a connection that was reset, and a
    /// late call as well. Long polls, retries and timeouts take virtual time. The URLs and ARNs of the queues are those
    /// of the region `us-east-1` and the account `000000000000`.
    ///
    /// A client belongs to the context that it is made of: a handler makes it of the context of its call, a program once.
    ///
    /// # Retries
    /// The SDK makes up to three attempts, as it does by default, 1 s and 2 s after a failure, without jitter: the same
    /// schedule gives the same story. To change that, change the configuration's own,
    /// `config.retry_config().cloned().map(|retries| retries.with_max_attempts(5))`: another one waits for random times.
    /// Each case has a budget of retries for itself, and for that a region of its own.
    ///
    /// # Examples
    /// A consumer that keeps no order of its own, and charges what is delivered twice:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let error = check("charges", Vec::<String>::new)
    ///     .queue(|| Queue::standard("orders"))
    ///     .messages(Just("order-1"))
    ///     .consumer("charger", |ledger| {
    ///         let ledger = ledger.clone();
    ///         Consumer::program(move |context| {
    ///             let (ledger, sqs) = (ledger.clone(), aws_sdk_sqs::Client::new(&context.sdk_config()));
    ///             async move {
    ///                 let found = sqs.get_queue_url().queue_name("orders").send().await?;
    ///                 let orders = found.queue_url.unwrap_or_default();
    ///                 loop {
    ///                     let receive = sqs.receive_message().queue_url(&orders).wait_time_seconds(20);
    ///                     for order in receive.send().await?.messages.unwrap_or_default() {
    ///                         ledger.borrow_mut().push(order.body.unwrap_or_default());
    ///                         let delete = sqs.delete_message().queue_url(&orders);
    ///                         delete.set_receipt_handle(order.receipt_handle).send().await?;
    ///                     }
    ///                 }
    ///                 #[allow(unreachable_code)]
    ///                 Ok::<(), aws_sdk_sqs::Error>(())
    ///             }
    ///         })
    ///     })
    ///     .messages_at_most(1)
    ///     .always("an order is charged once", |ledger| ledger.len() <= 1)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().contains("charger   deletes m1"));
    /// ```
    #[must_use]
    pub fn sdk_config(&self) -> SdkConfig {
        let sdk = self.port.net.sdk();
        let sleep = CountedSleep::new(sdk.service.sdk_clock(), Arc::clone(&self.port.pulse));
        sdk.service
            .sdk_config()
            .into_builder()
            .region(Region::new(sdk.region.to_string()))
            .http_client(Network::new(self.port.clone()))
            .sleep_impl(sleep)
            .retry_config(RetryConfig::standard().with_use_static_exponential_base(true))
            // It would wake the client at every second of a long poll.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build()
    }
}
