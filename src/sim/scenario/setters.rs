//! Builder setters, each under the name of its field.

/// A setter for each field, parted by commas: `name: Type` takes the value as it is, `name: (Into<Type>)` converts it,
/// `name: (Some(Type))` sets an optional field, `name + (key = Type)` adds to a map, and `name + Type` to a list.
macro_rules! setters {
    (@one $field:ident : (Some($type:ty))) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, $field: $type) -> Self {
            self.$field = Some($field);
            self
        }
    };
    (@one $field:ident : (Into<$type:ty>)) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$type>) -> Self {
            self.$field = $field.into();
            self
        }
    };
    (@one $field:ident : $type:ty) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    };
    (@one $field:ident + ($name:ident = $type:ty)) => {
        #[doc = concat!(
                    "Adds to [`", stringify!($field), "`](field@Self::", stringify!($field),
                    "); a second one of the same name replaces the first."
                )]
        #[must_use]
        pub fn $field(mut self, $name: impl Into<String>, $field: $type) -> Self {
            self.$field.insert($name.into(), $field);
            self
        }
    };
    (@one $field:ident + $type:ty) => {
        #[doc = concat!("Adds one to [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
        #[must_use]
        pub fn $field(mut self, one: $type) -> Self {
            self.$field.push(one);
            self
        }
    };
    ($($field:ident $kind:tt $type:tt),+ $(,)?) => { $(setters! { @one $field $kind $type })+ };
}

pub(super) use setters;
