//! Why a filter policy is refused, in the words of SNS (E32).

/// Why a text is no filter policy.
///
/// # Source
/// [Filter policy constraints](https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html);
/// the texts are recorded answers of SNS without the place in the text (E32), where any are known.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterPolicyError {
    /// The text is longer than allowed.
    #[error("Invalid parameter: FilterPolicy: Filter policy is {size} bytes long, the longest allowed has {limit}")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
        /// The greatest length allowed, in bytes.
        limit: usize,
    },
    /// The text is not JSON, or nested deeper than 127 objects and arrays.
    #[error("Invalid parameter: FilterPolicy: failed to parse JSON. {reason}")]
    NotJson {
        /// What is wrong, and where.
        reason: String,
    },
    /// The text is JSON and not an object.
    #[error("Invalid parameter: FilterPolicy: Filter is not an object")]
    NotAnObject,
    /// An object has a key twice.
    #[error("Invalid parameter: FilterPolicy: the key \"{key}\" is there twice in one object")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// The policy names more keys than allowed; of nested ones the innermost count.
    #[error("Invalid parameter: FilterPolicy: Filter policy can not have more than {limit} keys")]
    TooManyKeys {
        /// How many it names.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Values and nesting give more combinations than allowed.
    #[error("Invalid parameter: FilterPolicy: Filter policy is too complex")]
    TooComplex {
        /// How many they give.
        combinations: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A policy for attributes has an object in an object.
    #[error("Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy")]
    Nested {
        /// The key of the inner object.
        key: String,
    },
    /// The value of a key is neither an object nor an array.
    #[error("Invalid parameter: FilterPolicy: \"{key}\" must be an object or an array")]
    NotObjectOrArray {
        /// The key.
        key: String,
    },
    /// An array has nothing in it.
    #[error("Invalid parameter: FilterPolicy: Empty arrays are not allowed")]
    EmptyArray {
        /// Its key, with dots where it is nested.
        key: String,
    },
    /// A nested object, or a branch of `$or`, has nothing in it.
    #[error("Invalid parameter: FilterPolicy: Empty objects are not allowed")]
    EmptyObject {
        /// Its key, with dots where it is nested.
        key: String,
    },
    /// One of the alternatives of a key is malformed.
    #[error("Invalid parameter: FilterPolicy: {error}")]
    Condition {
        /// The key, with dots where it is nested.
        key: String,
        /// What is wrong.
        #[source]
        error: ConditionError,
    },
}

impl FilterPolicyError {
    /// The name SNS gives to this error, `InvalidParameter`.
    ///
    /// # Examples
    /// ```
    /// use requeue::topics::FilterPolicy;
    ///
    /// assert_eq!(FilterPolicy::attributes("no JSON").unwrap_err().code(), "InvalidParameter");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "InvalidParameter"
    }
}

/// What is wrong with an alternative of a key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// It is neither a value nor an operator.
    #[error("Match value must be String, number, true, false, or null")]
    MatchValue {
        /// What it is, as JSON.
        value: String,
    },
    /// It has no operator, or several.
    #[error("Only one key allowed in match expression")]
    NotOneKey {
        /// How many it has.
        count: usize,
    },
    /// There is no operator of this name.
    #[error("Unrecognized match type {operator}")]
    UnrecognizedMatchType {
        /// The name.
        operator: String,
    },
    /// `anything-but` has an array with nothing in it.
    #[error("Empty arrays are not allowed")]
    EmptyArray,
    /// `anything-but` does not go with this operator.
    #[error("Unsupported anything-but pattern: {operator}")]
    UnsupportedAnythingBut {
        /// The operator.
        operator: String,
    },
    /// The operator takes a text and has something else. SNS calls `cidr` a `prefix` here.
    #[error("{} match pattern must be a string", if operator == "cidr" { "prefix" } else { operator })]
    PatternNotString {
        /// The operator.
        operator: String,
    },
    /// A backslash of a `wildcard` stands before what is neither an asterisk nor a backslash.
    #[error("Invalid escape character at pos {position}")]
    WildcardEscape {
        /// The bytes before the backslash.
        position: usize,
    },
    /// `exists` takes a boolean and has something else.
    #[error("exists match pattern must be either true or false.")]
    ExistsNotBoolean {
        /// What it has, as JSON.
        value: String,
    },
    /// The expression of `numeric` is malformed.
    #[error(transparent)]
    Numeric(#[from] NumericError),
    /// A `cidr` does not have exactly one slash.
    #[error("Malformed CIDR, one '/' required")]
    CidrSlash {
        /// The text.
        cidr: String,
    },
    /// What stands behind the slash of a `cidr` is not a decimal integer, without a plus and without zeros before it.
    #[error("Malformed CIDR, mask bits must be an integer")]
    CidrBits {
        /// The text behind the slash.
        bits: String,
    },
    /// The address of a `cidr` is none.
    #[error("Nonstandard IP address: {address}")]
    IpAddress {
        /// What stands before the slash.
        address: String,
    },
    /// The address of a `cidr` has fewer bits than its mask, or the mask is negative.
    #[error("Malformed CIDR, mask bits must be 0 to {limit}, not {bits}")]
    CidrMask {
        /// The text behind the slash.
        bits: String,
        /// The bits of the address.
        limit: u32,
    },
}

/// What is wrong with the expression of `numeric`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NumericError {
    /// The first member is not there, or not an operator.
    #[error("Invalid member in numeric match: {member}")]
    InvalidMember {
        /// The member, `]` where there is none.
        member: String,
    },
    /// The first operator is none.
    #[error("Unrecognized numeric range operator: {operator}")]
    UnrecognizedOperator {
        /// The text in its place.
        operator: String,
    },
    /// No number follows an operator.
    #[error("Value of {operator} must be numeric")]
    NotNumeric {
        /// The operator, `equals` for `=`.
        operator: String,
    },
    /// Something follows an equality or an upper bound.
    #[error("Too many elements in numeric expression")]
    TooManyElements,
    /// What follows a lower bound is not a text.
    #[error("Bad value in numeric range: {value}")]
    BadValue {
        /// The value.
        value: String,
    },
    /// What follows a lower bound is not `<` or `<=`.
    #[error("Bad numeric range operator: {operator}")]
    BadOperator {
        /// The text in its place.
        operator: String,
    },
    /// The lower bound is not less than the upper one.
    #[error("Bottom must be less than top")]
    BottomNotLess,
    /// Something follows the upper bound.
    #[error("Too many terms in numeric range expression")]
    TooManyTerms,
}
