//! Verbs of a queue that is only a front pass to the queue behind it.

/// Implements these verbs of [`MessageQueue`](requeue::backend::MessageQueue) by those of a field.
macro_rules! forward {
    ($self:ident.$field:tt: $($verb:ident)+) => {
        $($crate::common::forward::forward!(@$verb $self $field);)+
    };
    (@url $self:ident $field:tt) => {
        fn url(&$self) -> &str {
            ::requeue::backend::MessageQueue::url(&$self.$field)
        }
    };
    (@is_fifo $self:ident $field:tt) => {
        fn is_fifo(&$self) -> bool {
            ::requeue::backend::MessageQueue::is_fifo(&$self.$field)
        }
    };
    (@visibility_timeout $self:ident $field:tt) => {
        fn visibility_timeout(&$self) -> ::std::time::Duration {
            ::requeue::backend::MessageQueue::visibility_timeout(&$self.$field)
        }
    };
    (@clock $self:ident $field:tt) => {
        fn clock(&$self) -> ::std::sync::Arc<dyn ::requeue::Clock> {
            ::requeue::backend::MessageQueue::clock(&$self.$field)
        }
    };
    (@limits $self:ident $field:tt) => {
        fn limits(&$self) -> ::requeue::backend::QueueLimits {
            ::requeue::backend::MessageQueue::limits(&$self.$field)
        }
    };
    (@restores_receive_count $self:ident $field:tt) => {
        fn restores_receive_count(&$self) -> bool {
            ::requeue::backend::MessageQueue::restores_receive_count(&$self.$field)
        }
    };
    (@send $self:ident $field:tt) => {
        async fn send(&$self, message: ::requeue::SendMessage) -> Result<(), ::requeue::backend::MessageQueueError> {
            ::requeue::backend::MessageQueue::send(&$self.$field, message).await
        }
    };
    (@receive $self:ident $field:tt) => {
        async fn receive(
            &$self,
            request: ::requeue::backend::ReceiveRequest,
        ) -> Result<Vec<::requeue::backend::ReceivedMessage>, ::requeue::backend::MessageQueueError> {
            ::requeue::backend::MessageQueue::receive(&$self.$field, request).await
        }
    };
    (@receive_at_once $self:ident $field:tt) => {
        fn receive_at_once(
            &$self,
            request: &::requeue::backend::ReceiveRequest,
            messages: &mut Vec<::requeue::backend::ReceivedMessage>,
        ) {
            ::requeue::backend::MessageQueue::receive_at_once(&$self.$field, request, messages);
        }
    };
    (@delete_at_once $self:ident $field:tt) => {
        fn delete_at_once(&$self, message: &::requeue::backend::ReceivedMessage) -> bool {
            ::requeue::backend::MessageQueue::delete_at_once(&$self.$field, message)
        }
    };
    (@delete $self:ident $field:tt) => { $crate::common::forward::forward!(@entries $self $field delete); };
    (@release $self:ident $field:tt) => { $crate::common::forward::forward!(@entries $self $field release); };
    (@change_visibility $self:ident $field:tt) => {
        $crate::common::forward::forward!(@entries $self $field change_visibility span: ::std::time::Duration);
    };
    (@postpone $self:ident $field:tt) => {
        $crate::common::forward::forward!(@entries $self $field postpone span: ::std::time::Duration);
    };
    (@entries $self:ident $field:tt $verb:ident $($span:ident: $type:ty)?) => {
        async fn $verb(
            &$self,
            messages: &[::requeue::backend::ReceivedMessage],
            $($span: $type)?
        ) -> Result<Vec<::requeue::backend::EntryFailure>, ::requeue::backend::MessageQueueError> {
            ::requeue::backend::MessageQueue::$verb(&$self.$field, messages $(, $span)?).await
        }
    };
    (@counts $self:ident $field:tt) => {
        async fn counts(
            &$self,
        ) -> Result<::requeue::backend::MessageCounts, ::requeue::backend::MessageQueueError> {
            ::requeue::backend::MessageQueue::counts(&$self.$field).await
        }
    };
    (@dead_letter $self:ident $field:tt) => {
        async fn dead_letter(
            &$self,
            message: &::requeue::backend::ReceivedMessage,
            reason: &str,
        ) -> Result<(), ::requeue::backend::MessageQueueError> {
            ::requeue::backend::MessageQueue::dead_letter(&$self.$field, message, reason).await
        }
    };
    (@report_failure $self:ident $field:tt) => {
        fn report_failure(&$self, message: &::requeue::backend::ReceivedMessage, reason: &str) {
            ::requeue::backend::MessageQueue::report_failure(&$self.$field, message, reason);
        }
    };
}

pub(crate) use forward;
