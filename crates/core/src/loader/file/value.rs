//! The types of values: words, sizes, times and codes.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use toml::Spanned;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::document::Document;
use crate::code::{CodeSet, ErrorCode, Retry};
use crate::dialect::PathNotation;
use crate::guard::mistake::Kind;
use crate::guard::pattern::SettingError;
use crate::policy::choice::KeywordValue;
use crate::policy::error::PolicyError;
use crate::policy::suggestion::{advice_for_unknown, closest};

/// A value, with the key that leads to it.
pub(in crate::loader) struct Value<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

/// The names that are known as codes.
pub(super) struct Codes {
    pub(super) known: CodeSet,
    pub(super) own: Vec<ErrorCode>,
    /// All names that the tables define, including names that a code must not have.
    pub(super) written: HashSet<String>,
    /// Whether all files are TOML, so that no further names are defined.
    pub(super) is_complete: bool,
}

impl<'a> Value<'a> {
    pub(super) fn text(&self) -> Result<&'a str, PolicyError> {
        self.value.as_str().ok_or_else(|| self.mistyped("a text in quotes"))
    }

    pub(super) fn owned(&self) -> Result<String, PolicyError> {
        self.text().map(str::to_owned)
    }

    pub(super) fn boolean(&self) -> Result<bool, PolicyError> {
        self.value.as_bool().ok_or_else(|| self.mistyped("true or false"))
    }

    pub(super) fn integer(&self) -> Result<i64, PolicyError> {
        let DeValue::Integer(number) = self.value else { return Err(self.mistyped("a whole number")) };
        i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| self.error("the number is too large", "write a number below 2^63").of_kind(Kind::OutOfRange))
    }

    /// Reads a whole number between `from` and `to`. `what` is its name for the error text, with an article.
    pub(super) fn within<N: TryFrom<i64>>(&self, what: &str, from: i64, to: i64) -> Result<N, PolicyError> {
        let number = self.integer()?;
        let fitting = N::try_from(number).ok().filter(|_| (from..=to).contains(&number));
        fitting.ok_or_else(|| {
            self.error(format!("{number} is not {what}"), format!("write a number from {from} to {to}"))
                .of_kind(Kind::OutOfRange)
        })
    }

    pub(super) fn elements(&self) -> Result<Vec<Self>, PolicyError> {
        let elements =
            self.value.as_array().ok_or_else(|| self.mistyped("a list in brackets, such as [\"a\"] or []"))?;
        let element = |(index, element): (usize, &'a Spanned<DeValue<'a>>)| Self {
            document: self.document,
            key: format!("{}[{index}]", self.key),
            span: element.span(),
            value: element.get_ref(),
        };
        Ok(elements.iter().enumerate().map(element).collect())
    }

    /// Reads the elements of a list. Those that are wrong are reported and left out.
    pub(super) fn each<T>(&self, read: impl Fn(&Self) -> Result<T, PolicyError>) -> Result<Vec<T>, PolicyError> {
        Ok(self.elements()?.iter().filter_map(|element| self.document.keep(read(element))).collect())
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, PolicyError> {
        self.each(Self::owned)
    }

    /// Reads a text, and checks it as the builder does.
    pub(super) fn checked(&self, check: impl FnOnce(&str) -> Result<(), SettingError>) -> Result<String, PolicyError> {
        let text = self.text()?;
        check(text).map_err(|refused| self.error(refused.wrong, refused.right))?;
        Ok(text.to_owned())
    }

    /// Reads one text, or a list of texts.
    pub(super) fn text_or_texts(&self) -> Result<Vec<String>, PolicyError> {
        if self.value.is_array() { self.texts() } else { Ok(vec![self.owned()?]) }
    }

    pub(super) fn word<W: KeywordValue>(&self) -> Result<W, PolicyError> {
        let words = W::ALL.iter().map(|word| word.word());
        let Some(text) = self.value.as_str() else {
            return Err(self
                .error(format!("{} has the wrong type here", self.kind()), advice_for_unknown("", words))
                .of_kind(Kind::WrongType));
        };
        W::ALL.iter().copied().find(|word| word.word() == text).ok_or_else(|| {
            // `unknown_codes` and `no_transform` do not sound like nouns.
            let name = if self.name().starts_with(['u', 'n']) { "value" } else { self.name() };
            self.error(format!("unknown {name} {text:?}"), advice_for_unknown(text, words)).of_kind(Kind::UnknownWord)
        })
    }

    /// Reads a limit; `"none"` is `None`.
    pub(super) fn limit(&self) -> Result<Option<u64>, PolicyError> {
        if self.value.as_str() == Some("none") { Ok(None) } else { self.bytes(", or \"none\"").map(Some) }
    }

    /// Reads a number of bytes, or a text with a unit. Only units of 1,024 are accepted: people understand `MB` in both
    /// ways, and a limit should not depend on that.
    pub(super) fn size(&self) -> Result<u64, PolicyError> {
        self.bytes("")
    }

    fn bytes(&self, or: &str) -> Result<u64, PolicyError> {
        if self.value.is_integer() {
            return self
                .integer()?
                .try_into()
                .map_err(|_| self.error("a size cannot be negative", "write 0 or more").of_kind(Kind::OutOfRange));
        }
        let right = format!("write a number of bytes, or one with KiB, MiB or GiB, as in \"64 KiB\"{or}");
        let refused = |wrong: String| self.error(wrong, right.as_str());
        let text = self
            .value
            .as_str()
            .ok_or_else(|| refused(format!("{} is not a size", self.kind())).of_kind(Kind::WrongType))?;
        match parse_size(text) {
            Some(Some(bytes)) => Ok(bytes),
            Some(None) => Err(refused(format!("{text:?} is too large for 64 bits")).of_kind(Kind::OutOfRange)),
            None => Err(refused(format!("{text:?} is not a size"))),
        }
    }

    pub(super) fn duration(&self) -> Result<Duration, PolicyError> {
        let right = "write a time such as \"500ms\" or \"2s\"";
        let text = self
            .value
            .as_str()
            .ok_or_else(|| self.error(format!("{} is not a time", self.kind()), right).of_kind(Kind::WrongType))?;
        humantime::parse_duration(text).map_err(|_| self.error(format!("{text:?} is not a time"), right))
    }

    /// Reads a point in time: a date with a time and an offset.
    pub(super) fn instant(&self) -> Result<SystemTime, PolicyError> {
        let right = "write a date with time and offset, as in 2027-01-01T00:00:00Z, without quotes";
        let DeValue::Datetime(written) = self.value else {
            return Err(self.error(format!("{} is not a point in time", self.kind()), right).of_kind(Kind::WrongType));
        };
        let instant = point_in_time(written);
        let instant = instant.ok_or_else(|| self.error(format!("{written} is not a point in time"), right))?;
        if instant < SystemTime::UNIX_EPOCH {
            return Err(self.error(format!("{written} is before 1970"), "write a later date, or revoked = true"));
        }
        Ok(instant)
    }

    pub(super) fn error_status(&self) -> Result<u16, PolicyError> {
        self.within("an error status", 400, 599)
    }

    pub(super) fn known_code(&self, codes: &Codes) -> Result<ErrorCode, PolicyError> {
        let name = self.text()?;
        let known = codes.known.find(name).filter(|code| code.as_str() == name);
        // A mistake in the code's own table is reported there.
        let is_elsewhere = || (!codes.is_complete || codes.written.contains(name)).then_some(ErrorCode::OTHER);
        known.or_else(is_elsewhere).ok_or_else(|| {
            let names = ErrorCode::ALL.iter().chain(&codes.own).map(ErrorCode::as_str);
            let right = match closest(name, names) {
                Some(near) => format!("did you mean {near:?}? For a code of your own, add a table [[code]]"),
                None => "use a code of the catalogue, or define this one in a table [[code]]".to_owned(),
            };
            self.error(format!("unknown code {name:?}"), right).of_kind(Kind::UnknownName)
        })
    }

    pub(super) fn error(&self, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        self.document.error_at(self.span.clone(), &self.key, wrong.into(), right.into())
    }

    /// Where the value is, as `FILE:LINE`.
    pub(super) fn location(&self) -> String {
        self.document.location(self.span.start)
    }

    pub(super) fn mistyped(&self, right: &str) -> PolicyError {
        self.error(format!("{} has the wrong type here", self.kind()), format!("write {right}"))
            .of_kind(Kind::WrongType)
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// The last part of the key, without the table.
    fn name(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or_default()
    }
}

/// The point in time; `None` for a local time, which has no offset.
fn point_in_time(written: &Datetime) -> Option<SystemTime> {
    let Datetime { date: Some(date), time: Some(time), offset: Some(offset) } = written else { return None };
    let utc = humantime::parse_rfc3339(&format!("{date}T{time}Z")).ok()?;
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => *minutes,
    };
    let away = Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60);
    if minutes < 0 { utc.checked_add(away) } else { utc.checked_sub(away) }
}

/// Parses a size as a policy file writes it, which command-line flags also use. The inner option is `None` if the size
/// is too large to count.
pub fn parse_size(text: &str) -> Option<Option<u64>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start_matches(' ') {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    Some(number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)))
}

/// A number of bytes in the largest unit of which it is a multiple.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.into_iter().find(|(_, bits)| bytes != 0 && bytes.trailing_zeros() >= *bits);
    whole.map_or_else(|| bytes.to_string(), |(unit, bits)| format!("{} {unit}", bytes >> bits))
}

impl KeywordValue for PathNotation {
    const ALL: &'static [Self] = Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl KeywordValue for Retry {
    const ALL: &'static [Self] = &[Self::No, Self::Backoff, Self::Refresh];

    fn word(self) -> &'static str {
        self.as_str()
    }
}
