//! What is wrong with a table, before its place in a file is known.

use std::borrow::Cow;

use http::StatusCode;

use super::error::Kind;
use super::suggestion::closest;
use crate::code::{CodeSet, ErrorCode};
use crate::message;

/// Why a setting was refused: the key in its table, what is wrong, and what would be right.
#[derive(Debug)]
pub(crate) struct SettingError {
    /// The key in its table, or a path from there; empty for the table itself.
    pub(crate) key: Cow<'static, str>,
    pub(crate) wrong: String,
    pub(crate) right: String,
    pub(crate) kind: Kind,
}

impl SettingError {
    pub(crate) fn new(key: impl Into<Cow<'static, str>>, wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { key: key.into(), wrong: wrong.into(), right: right.into(), kind: Kind::default() }
    }

    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Refuses a text for clients that is not a valid message (E2), because a text of the policy is sent byte for byte.
    pub(crate) fn check_message(key: &'static str, text: &str) -> Result<(), Self> {
        if message::clean(text).as_deref() == Some(text) {
            return Ok(());
        }
        let right = "write one line of printable text of 1 to 1,024 bytes, without white space around it";
        Err(Self::new(key, "the text cannot be sent to clients as it is", right))
    }

    /// Refuses a status that is not an error's.
    pub(crate) fn check_error_status(key: &'static str, status: u16) -> Result<StatusCode, Self> {
        match StatusCode::from_u16(status) {
            Ok(status) if status.is_client_error() || status.is_server_error() => Ok(status),
            _ => Err(Self::new(key, format!("{status} is not an error status"), "write a status from 400 to 599")
                .of_kind(Kind::OutOfRange)),
        }
    }
}

impl SettingError {
    /// The code, as the policy defines it. Refuses a code that neither the policy nor the catalogue has.
    pub(crate) fn known_code(
        key: impl Into<Cow<'static, str>>,
        code: ErrorCode,
        codes: &CodeSet,
    ) -> Result<ErrorCode, Self> {
        match codes.defined(&code) {
            Some((_, defined)) => Ok(defined),
            None if !code.is_foreign() => Ok(code),
            None => {
                let names = ErrorCode::ALL.iter().chain(codes.custom_codes()).map(ErrorCode::as_str);
                let right = match closest(code.as_str(), names) {
                    Some(near) => format!("did you mean {near:?}? For a code of your own, add a table [[code]]"),
                    None => "use a code of the catalogue, or define this one in a table [[code]]".to_owned(),
                };
                let wrong = format!("unknown code {:?}", code.as_str());
                Err(Self::new(key, wrong, right).of_kind(Kind::UnknownName))
            }
        }
    }
}

/// All that is wrong with one table.
#[derive(Debug, Default)]
pub(crate) struct Refusals(pub(crate) Vec<SettingError>);

impl Refusals {
    /// The value; `None` if it is wrong.
    pub(crate) fn keep<T>(&mut self, made: Result<T, SettingError>) -> Option<T> {
        made.map_err(|refused| self.0.push(refused)).ok()
    }

    /// The value of a key that is right or not set; `None` if it is wrong.
    pub(crate) fn keep_some<V, T>(
        &mut self,
        value: Option<V>,
        make: impl FnOnce(V) -> Result<T, SettingError>,
    ) -> Option<Option<T>> {
        self.keep(value.map(make).transpose())
    }
}

/// What is made, or the first mistake.
#[cfg(test)]
pub(crate) fn alone<T>(make: impl FnOnce(&mut Refusals) -> Option<T>) -> Result<T, SettingError> {
    let mut refusals = Refusals::default();
    let made = make(&mut refusals);
    refusals.0.into_iter().next().map_or_else(|| Ok(made.expect("nothing was refused")), Err)
}
