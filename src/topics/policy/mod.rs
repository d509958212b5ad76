//! Filter policies: which messages a subscription takes (E30-E32).
//!
//! ```text
//!   text -- parse --> alternatives of keys that all have to match -- index --> those that a message matches
//! ```

mod condition;
mod error;
mod fields;
mod index;
mod json;
mod parse;
mod value;

pub use error::{ConditionError, FilterPolicyError, NumericError};
pub(super) use index::Index;

use {
    super::message::PublishMessage,
    crate::limits::Limits,
    condition::Leaf,
    std::{fmt, sync::Arc},
};

/// Keys that all have to match. One key may stand there twice.
type Conjunction = Vec<Arc<Leaf>>;

/// What of a message a filter policy looks at, `FilterPolicyScope`.
///
/// # Source
/// [Filter policy scope](https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering-scope.html).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FilterPolicyScope {
    /// The attributes; the policy is flat.
    #[default]
    MessageAttributes,
    /// The body, a JSON object; the policy may be nested. A body that is anything else matches nothing (E31).
    MessageBody,
}

/// Which messages a subscription takes: JSON, checked and compiled once, cheap to clone.
///
/// All keys of a policy have to match, and the values of a key are alternatives; [the guide](crate::guide::topics) lists
/// the operators. An empty policy, `{}`, matches every message with the scope of attributes, and every JSON object with
/// that of the body.
///
/// # Source
/// [Filter policies](https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html) (E30).
///
/// # Examples
/// ```
/// use requeue::{MessageAttributeValue, topics::{FilterPolicy, PublishMessage}};
///
/// let policy = FilterPolicy::attributes(r#"{"price": [{"numeric": [">", 100]}], "region": ["eu", "us"]}"#)?;
/// let order = |price: &str| {
///     PublishMessage::new("order-17")
///         .attribute("price", MessageAttributeValue::number(price))
///         .attribute("region", MessageAttributeValue::string("eu"))
/// };
/// assert!(policy.matches(&order("100.01")) && !policy.matches(&order("100")));
/// # Ok::<(), requeue::topics::FilterPolicyError>(())
/// ```
#[derive(Clone)]
pub struct FilterPolicy(Arc<Compiled>);

struct Compiled {
    text: Box<str>,
    scope: FilterPolicyScope,
    /// One of them has to hold.
    conjunctions: Vec<Conjunction>,
}

impl FilterPolicy {
    /// A policy on attributes, within SNS's limits: 5 keys, 150 combinations, 256 KiB.
    ///
    /// # Errors
    /// [`FilterPolicyError`] says what is wrong, in SNS's words (E32).
    ///
    /// # Source
    /// [Filter policies](https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html) (E30).
    ///
    /// # Examples
    /// ```
    /// use requeue::topics::FilterPolicy;
    ///
    /// assert!(FilterPolicy::attributes(r#"{"region": [{"prefix": "eu-"}]}"#).is_ok());
    /// let error = FilterPolicy::attributes(r#"{"region": "eu"}"#).unwrap_err();
    /// assert_eq!(error.to_string(), r#"Invalid parameter: FilterPolicy: "region" must be an object or an array"#);
    /// ```
    pub fn attributes(text: &str) -> Result<Self, FilterPolicyError> {
        Self::within(text, FilterPolicyScope::MessageAttributes, &Limits::aws())
    }

    /// A policy on the body, within SNS's limits: 5 keys, of nested ones the innermost, 150 combinations, 256 KiB.
    ///
    /// A key with dots and keys in each other are the same (E31).
    ///
    /// # Errors
    /// [`FilterPolicyError`] says what is wrong, in SNS's words (E32).
    ///
    /// # Source
    /// [Filter policies](https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html) (E30, E31).
    ///
    /// # Examples
    /// ```
    /// use requeue::topics::{FilterPolicy, PublishMessage};
    ///
    /// let policy = FilterPolicy::body(r#"{"customer": {"country": ["NL"]}}"#)?;
    /// assert!(policy.matches(&PublishMessage::new(r#"{"customer": {"country": "NL"}, "total": 17}"#)));
    /// assert!(!policy.matches(&PublishMessage::new("order-17")));
    /// # Ok::<(), requeue::topics::FilterPolicyError>(())
    /// ```
    pub fn body(text: &str) -> Result<Self, FilterPolicyError> {
        Self::within(text, FilterPolicyScope::MessageBody, &Limits::aws())
    }

    /// A policy within other limits: `filter_policy_bytes`, `filter_policy_keys` and `filter_policy_combinations` of
    /// [`Limits`](crate::Limits).
    ///
    /// A policy is kept as its alternatives, so time and memory grow with the combinations.
    ///
    /// # Errors
    /// [`FilterPolicyError`] says what is wrong, in SNS's words (E32).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Limits, topics::{FilterPolicy, FilterPolicyScope}};
    ///
    /// let mut limits = Limits::aws();
    /// limits.filter_policy_keys = 1;
    /// let scope = FilterPolicyScope::MessageAttributes;
    /// let error = FilterPolicy::within(r#"{"a": [1], "b": [2]}"#, scope, &limits).unwrap_err();
    /// assert_eq!(error.to_string(), "Invalid parameter: FilterPolicy: Filter policy can not have more than 1 keys");
    /// ```
    pub fn within(text: &str, scope: FilterPolicyScope, limits: &Limits) -> Result<Self, FilterPolicyError> {
        Ok(Self(Arc::new(Compiled {
            conjunctions: parse::parse(text, scope, limits)?,
            text: text.into(),
            scope,
        })))
    }

    /// What of a message it looks at.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::{FilterPolicy, FilterPolicyScope};
    /// assert_eq!(FilterPolicy::body("{}")?.scope(), FilterPolicyScope::MessageBody);
    /// # Ok::<(), requeue::topics::FilterPolicyError>(())
    /// ```
    #[must_use]
    pub fn scope(&self) -> FilterPolicyScope {
        self.0.scope
    }

    /// The text that it was made of.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::FilterPolicy;
    /// assert_eq!(FilterPolicy::attributes(r#"{"region": ["eu"]}"#)?.as_str(), r#"{"region": ["eu"]}"#);
    /// # Ok::<(), requeue::topics::FilterPolicyError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether a subscription with this policy takes the message.
    ///
    /// For tests of policies: a topic asks all of its policies at once, in less time.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, topics::{FilterPolicy, PublishMessage}};
    /// let policy = FilterPolicy::attributes(r#"{"tags": ["new", "paid"]}"#)?;
    /// let order = PublishMessage::new("order-17");
    /// assert!(!policy.matches(&order));
    /// let tags = MessageAttributeValue::new("String.Array", r#"["paid", "urgent"]"#);
    /// assert!(policy.matches(&order.attribute("tags", tags)));
    /// # Ok::<(), requeue::topics::FilterPolicyError>(())
    /// ```
    #[must_use]
    pub fn matches(&self, message: &PublishMessage) -> bool {
        let (index, mut matching) = (Index::new([(0, self)].into_iter()), Vec::new());
        match self.0.scope {
            FilterPolicyScope::MessageAttributes => index.match_attributes(message.get_attributes(), &mut matching),
            FilterPolicyScope::MessageBody => index.match_body(message.body(), &mut matching),
        }
        !matching.is_empty()
    }

    fn conjunctions(&self) -> &[Conjunction] {
        &self.0.conjunctions
    }
}

/// Equal policies have the same scope and text.
impl PartialEq for FilterPolicy {
    fn eq(&self, other: &Self) -> bool {
        (self.0.scope, &self.0.text) == (other.0.scope, &other.0.text)
    }
}

impl Eq for FilterPolicy {}

impl fmt::Debug for FilterPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterPolicy")
            .field("scope", &self.0.scope)
            .field("text", &self.0.text)
            .finish()
    }
}
