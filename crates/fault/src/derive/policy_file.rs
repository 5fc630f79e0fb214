//! Writes a policy file with the codes of derived errors, from which the command makes exports.

use serde_json::Value;

use super::Codes;
use crate::code::details::{SchemaError, without_mistakes};

impl Codes {
    /// Joins the codes of several errors.
    ///
    /// ```
    /// use tower_error_envelope::{AsFault, Codes};
    ///
    /// #[derive(Debug, thiserror::Error, AsFault)]
    /// #[error("sold out")]
    /// #[fault(custom("sold_out", 409))]
    /// struct SoldOut;
    ///
    /// #[derive(Debug, thiserror::Error, AsFault)]
    /// #[error("the card was declined")]
    /// #[fault(custom("card_declined", 402))]
    /// struct Declined;
    ///
    /// const ALL: Codes = Codes::from_errors(&[SoldOut::CODES, Declined::CODES]);
    /// assert_eq!(ALL.iter().count(), 2);
    /// ```
    #[must_use]
    pub const fn from_errors(errors: &'static [Self]) -> Self {
        Self { own: &[], nested: errors, is_complete: true }
    }

    /// Returns the text of a policy file with a `[[code]]` table for each custom code. The table has the name, the
    /// status and the message of the code, and the part of its details' schema that every export can express.
    ///
    /// The command exports the codes of such a file, as in `error-envelope catalogue --policy errors.toml --format
    /// typescript`. The service's own policy gets the codes with `base = ["errors.toml"]`.
    ///
    /// A code gets a message only if all variants with the code have the same `message = "…"`, without fields. Details
    /// need the feature `utoipa` or `aide`, which know the types of the fields. The codes of the catalogue are not
    /// listed. Every export already has the codes of the catalogue, and errors with these codes may also have other
    /// details.
    ///
    /// A test that compares the file with this text keeps the file up to date.
    ///
    /// ```
    /// use tower_error_envelope::{AsFault, Policy};
    ///
    /// #[derive(Debug, thiserror::Error, AsFault)]
    /// enum OrderError {
    ///     #[error("sold out")]
    ///     #[fault(custom("sold_out", 409), message = "The last one is gone.", details(since))]
    ///     SoldOut { since: u32 },
    ///     #[error("no such order")]
    ///     #[fault(NOT_FOUND)]
    ///     Unknown,
    /// }
    ///
    /// let text = OrderError::CODES.to_policy_file();
    /// assert!(text.starts_with("version = 1\n\n[[code]]\ncode = \"sold_out\"\nstatus = 409\n"));
    ///
    /// let policy = Policy::from_toml("errors.toml", &text)?;
    /// let sold_out = policy.codes().find("sold_out").unwrap();
    /// assert_eq!((sold_out.status().as_u16(), sold_out.message()), (409, "The last one is gone."));
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the type of a detail has no schema, or if two variants have the same code and different details.
    #[must_use]
    pub fn to_policy_file(&self) -> String {
        #[cfg(feature = "openapi")]
        let all = self.documented();
        #[cfg(not(feature = "openapi"))]
        let all = {
            let mut all = Vec::new();
            self.for_each(&mut |declared| all.push((declared, None::<(Value, bool)>)));
            all
        };
        let mut file = "version = 1\n".to_owned();
        for (at, (declared, details)) in all.iter().enumerate() {
            let code = &declared.code;
            if code.is_in_catalogue() || all[..at].iter().any(|(earlier, _)| earlier.code == *code) {
                continue;
            }
            let mut messages = all.iter().filter(|(it, _)| it.code == *code).map(|(it, _)| it.message);
            let message = messages.next().flatten().filter(|first| messages.all(|it| it == Some(*first)));
            // No export expresses some keywords, such as the `format` of a number. Only a keyword may be removed: without
            // one of its elements, a list would mean something else.
            let is_keyword = |error: &SchemaError| error.path.last().is_some_and(|last| last.parse::<usize>().is_err());
            let details = details.as_ref().and_then(|(schema, _)| without_mistakes(schema.clone(), is_keyword));
            let keys = [
                ("code", toml(&code.as_str().into())),
                ("status", toml(&code.status().as_u16().into())),
                ("message", message.filter(|text| !text.contains(['{', '}'])).and_then(|text| toml(&text.into()))),
                ("details", details.as_ref().and_then(toml)),
            ];
            file += "\n[[code]]\n";
            file.extend(keys.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", value?))));
        }
        file
    }
}

/// Returns a value as TOML, on one line, or `None` if the value contains a null. A JSON string is also a TOML string.
fn toml(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Array(list) => format!("[{}]", list.iter().map(toml).collect::<Option<Vec<_>>>()?.join(", ")),
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| Some(format!("{} = {}", Value::from(&**name), toml(value)?));
            format!("{{ {} }}", members.iter().map(member).collect::<Option<Vec<_>>>()?.join(", "))
        }
        other => other.to_string(),
    })
}
