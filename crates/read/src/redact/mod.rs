//! Removes credentials from texts, for the errors page, and for clients on routes with `redact = true` (rule R17).
//!
//! 1. The module removes the values of fields and headers whose names mark these values as credentials. Such names may
//!    be in JSON, in other notations, and in sentences.
//! 2. The module removes everything that looks like a credential, under any name. Examples are `Bearer` and `Basic`,
//!    JSON Web Tokens, keys with the prefix of a known service, private keys, hashes of passwords, passwords in URLs
//!    and command lines, and numbers of cards. The module also removes e-mail addresses.
//! 3. The module reads a text as a person does. So percent-encoding, escapes, no-break spaces and full-width letters do
//!    not hide a secret. The text that remains keeps its spelling.
//!
//! The same rules apply to all texts. [`Strictness`] decides uncertain cases.

mod bodies;
mod card;
mod json;
mod keys;
mod level;
mod name;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod view;
mod words;

pub use self::bodies::body;
pub use self::json::{RedactedJson, json};
pub use self::rules::TAKEN;
pub use self::text::{is_telling_parameter, prepare, text, text_noting, value};
pub use self::tokens::end_of_string;

/// The treatment of a text that may or may not be a secret.
///
/// ```
/// use std::borrow::Cow;
///
/// use error_envelope_core::redact::{Strictness, text};
///
/// let sent = "token=tok_4711 is not valid for ada@example.com";
/// assert_eq!(text(sent, Strictness::Readable), "token=[redacted] is not valid for [redacted]");
/// assert_eq!(text("The token has expired.", Strictness::Readable), Cow::Borrowed("The token has expired."));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Remove the text. Also remove data of the client that an error repeats (`input`, `value`, `received`). Use this
    /// treatment for a page that shows the form of errors and not their values.
    Strict,
    /// Keep the text if it looks like words about a credential. Clients need to learn what is wrong with a password.
    Readable,
}
