//! Parameters that outlive the call.

use colloquy_core::store::driver::Param;

/// A [`Param`] that outlives the call.
#[derive(Debug)]
pub(super) enum OwnedParam {
    Int(Option<i64>),
    Text(Option<Box<str>>),
}

impl From<Param<'_>> for OwnedParam {
    fn from(param: Param<'_>) -> Self {
        match param {
            Param::Int(value) => Self::Int(Some(value)),
            Param::OptionalInt(value) => Self::Int(value),
            Param::Text(value) => Self::Text(Some(value.into())),
            Param::OptionalText(value) => Self::Text(value.map(Into::into)),
        }
    }
}

impl<'a> From<&'a OwnedParam> for Param<'a> {
    fn from(param: &'a OwnedParam) -> Self {
        match param {
            OwnedParam::Int(value) => Self::OptionalInt(*value),
            OwnedParam::Text(value) => Self::OptionalText(value.as_deref()),
        }
    }
}
