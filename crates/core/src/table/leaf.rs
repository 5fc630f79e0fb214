//! The types of values: texts, numbers, sizes, times, words, codes, lists and named tables.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use toml::de::{DeInteger, DeValue};
use toml::value::{Datetime, Offset};

use super::error::Kind;
use super::files::MAX_FILE_BYTES;
use super::reading::{Leaf, Reading, in_order, span_to_show};
use super::refusal::{advice_for_unknown, unknown_code};
use super::values::{KeywordValue, Named, OneOrMore, Size, Tables, format_size, kind_of, parse_size};
use crate::code::ErrorCode;

impl Leaf for String {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned).or_else(|| at.mistyped(value, "write a text in quotes"))
    }

    fn written(&self) -> String {
        format!("{self:?}")
    }
}

impl Leaf for Cow<'static, str> {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        String::read(value, at).map(Self::Owned)
    }

    fn written(&self) -> String {
        format!("{self:?}")
    }
}

impl Leaf for bool {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        value.as_bool().or_else(|| at.mistyped(value, "write true or false"))
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

/// Parses a number in any base. Returns `None` if the number does not fit into its type.
fn parse_number<N: TryFrom<i128>>(number: &DeInteger<'_>) -> Option<N> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()?.try_into().ok()
}

macro_rules! numbers {
    ($($number:ty,)*) => {$(
        impl Leaf for $number {
            fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
                let DeValue::Integer(number) = value else { return at.mistyped(value, "write a whole number") };
                parse_number(number).or_else(|| {
                    let right = format!("write a number from {} to {}", Self::MIN, Self::MAX);
                    at.refuse(Kind::OutOfRange, format!("{number} is out of range"), right)
                })
            }

            fn written(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers! { u8, u16, i32, i64, }

impl<W: KeywordValue> Leaf for W {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let words = W::ALL.iter().map(|word| word.word());
        let Some(text) = value.as_str() else { return at.mistyped(value, &advice_for_unknown("", words)) };
        W::ALL.iter().copied().find(|word| word.word() == text).or_else(|| {
            // `unknown_codes` and `no_transform` do not sound like nouns.
            let name = if at.name().starts_with(['u', 'n']) { "value" } else { at.name() };
            let wrong = format!("unknown {name} {}", at.quoted(text));
            at.refuse(Kind::UnknownWord, wrong, advice_for_unknown(text, words))
        })
    }

    fn written(&self) -> String {
        format!("{:?}", self.word())
    }
}

/// Only units of 1,024 are accepted. People understand `MB` in both ways, and a limit should not depend on its reader.
impl Leaf for Size {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        read_size(value, at, "").map(Self)
    }

    fn written(&self) -> String {
        let size = format_size(self.0);
        if size.contains(' ') { format!("{size:?}") } else { size }
    }
}

/// A limit, or no limit.
impl Leaf for Option<u64> {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        if value.as_str() == Some("none") { Some(None) } else { read_size(value, at, ", or \"none\"").map(Some) }
    }

    fn written(&self) -> String {
        self.map_or_else(|| "\"none\"".to_owned(), |bytes| Size(bytes).written())
    }
}

fn read_size(value: &DeValue<'_>, at: &mut Reading<'_>, or: &str) -> Option<u64> {
    let right = format!("write a number of bytes, or one with KiB, MiB or GiB, as in \"64 KiB\"{or}");
    match value {
        DeValue::Integer(number) => parse_number::<i64>(number).and_then(|bytes| bytes.try_into().ok()).or_else(|| {
            let wrong =
                if number.as_str().starts_with('-') { "a size cannot be negative" } else { "the number is too large" };
            at.refuse(Kind::OutOfRange, wrong, "write a number from 0 to 2^63 - 1")
        }),
        DeValue::String(text) => match parse_size(text) {
            Some(Some(bytes)) => Some(bytes),
            Some(None) => at.refuse(Kind::OutOfRange, format!("{text:?} is too large for 64 bits"), right),
            None => at.refuse(Kind::InvalidValue, format!("{text:?} is not a size"), right),
        },
        _ => at.refuse(Kind::WrongType, format!("{} is not a size", kind_of(value)), right),
    }
}

impl Leaf for Duration {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let right = "write a time such as \"500ms\" or \"2s\"";
        let Some(text) = value.as_str() else {
            return at.refuse(Kind::WrongType, format!("{} is not a time", kind_of(value)), right);
        };
        humantime::parse_duration(text)
            .ok()
            .or_else(|| at.refuse(Kind::InvalidValue, format!("{} is not a time", at.quoted(text)), right))
    }

    fn written(&self) -> String {
        format!("\"{}\"", humantime::format_duration(*self))
    }
}

/// A point in time: a date with a time and an offset.
impl Leaf for SystemTime {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let right = "write a date with time and offset, as in 2027-01-01T00:00:00Z, without quotes";
        let DeValue::Datetime(written) = value else {
            return at.refuse(Kind::WrongType, format!("{} is not a point in time", kind_of(value)), right);
        };
        match point_in_time(written) {
            None => at.refuse(Kind::InvalidValue, "this is not a point in time", right),
            Some(instant) if instant < Self::UNIX_EPOCH => {
                at.refuse(Kind::InvalidValue, "this is before 1970", "write a later date, or revoked = true")
            }
            instant => instant,
        }
    }
}

/// Returns the point in time, or `None` for a local time, which has no offset.
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

/// The name of a code. Whether a table defines the code is checked after all files have been read.
impl Leaf for ErrorCode {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let name = String::read(value, at)?;
        let known = Self::in_catalogue(&name).filter(|code| code.as_str() == name).or_else(|| Self::foreign(&name));
        known.or_else(|| {
            let (wrong, right) = unknown_code(&name, Self::ALL.iter().map(Self::as_str));
            at.refuse(Kind::UnknownName, wrong, right)
        })
    }

    fn written(&self) -> String {
        format!("{:?}", self.as_str())
    }
}

impl<T: Leaf> Leaf for Vec<T> {
    /// Reads the list. Elements that are wrong are noted and left out.
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let Some(list) = value.as_array() else {
            return at.mistyped(value, "write a list in brackets, such as [\"a\"] or []");
        };
        let mut right = Self::new();
        for (index, it) in list.iter().enumerate() {
            let read = at.element(index, it.span(), |at| T::read(it.get_ref(), at));
            at.note_moved(index, right.len());
            right.extend(read);
        }
        Some(right)
    }

    fn written(&self) -> String {
        format!("[{}]", self.iter().map(T::written).collect::<Vec<_>>().join(", "))
    }
}

impl Leaf for OneOrMore {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        if value.is_array() {
            Vec::read(value, at).map(Self)
        } else {
            String::read(value, at).map(|one| Self(vec![one]))
        }
    }

    fn written(&self) -> String {
        self.0.written()
    }
}

impl<T: Leaf + Default> Leaf for Tables<T> {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let right = format!("write [[{}]] with two brackets, once for each entry", at.path);
        let Some(list) = value.as_array() else {
            return at.refuse(Kind::WrongType, "this is not a list of tables", right);
        };
        let read = |(index, it): (usize, &toml::Spanned<DeValue<'_>>)| {
            at.element(index, it.span(), |at| T::read(it.get_ref(), at)).unwrap_or_default()
        };
        Some(Self(list.iter().enumerate().map(read).collect()))
    }
}

impl<T: Leaf> Leaf for Named<T> {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let right = format!("give the table a name: [{}.<name>]", at.path);
        let Some(table) = value.as_table() else {
            return at.refuse(Kind::WrongType, format!("{} is not a table", kind_of(value)), right);
        };
        let mut named = Vec::new();
        for (key, value) in in_order(table) {
            let name = key.get_ref().as_ref();
            let read = at.within(name, span_to_show(key, value), |at| T::read(value.get_ref(), at));
            named.extend(read.map(|read| (name.to_owned(), read)));
        }
        Some(Self(named))
    }
}

/// The version of the format, which is 1.
#[derive(Clone, Debug)]
pub(crate) struct Version;

impl Leaf for Version {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match i64::read(value, at)? {
            1 => Some(Self),
            other => at.refuse(Kind::Version, format!("version {other} is not supported"), "write version = 1"),
        }
    }

    fn written(&self) -> String {
        "1".to_owned()
    }
}

/// The text of a file that the policy names.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only schemes with tokens read such a file"))]
pub(crate) struct NamedText(pub(crate) String);

impl Leaf for NamedText {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let name = String::read(value, at)?;
        at.read_file(&name, MAX_FILE_BYTES).map(|(_, text)| Self(text))
    }
}
