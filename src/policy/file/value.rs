//! What a value may be: words, sizes, times, codes.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::read::{Document, Table};
use crate::code::{CodeSet, ErrorCode, Retry};
use crate::policy::choice::{Mode, Word};
use crate::policy::error::PolicyError;

/// Modes and dialects of the contract that this version does not have.
const LATER_MODES: &[&str] = &["observe", "own", "fill"];
const DIALECT: &str = "standard";
const LATER_DIALECTS: &[&str] =
    &["success_flag", "status_in_error", "error_with_meta", "problem", "openai", "anthropic"];

/// A value, and the key that leads to it.
pub(super) struct Value<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) key: String,
    pub(super) at: usize,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    pub(super) fn text(&self) -> Result<&'a str, PolicyError> {
        self.value.as_str().ok_or_else(|| self.mistyped("a text in quotes"))
    }

    pub(super) fn boolean(&self) -> Result<bool, PolicyError> {
        self.value.as_bool().ok_or_else(|| self.mistyped("true or false"))
    }

    pub(super) fn integer(&self) -> Result<i64, PolicyError> {
        let DeValue::Integer(number) = self.value else { return Err(self.mistyped("a whole number")) };
        i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| self.refused("the number is too large", "write one of 64 bits"))
    }

    /// A whole number of `from` to `to`; `what` is what others are not.
    pub(super) fn within<N: TryFrom<i64>>(&self, what: &str, from: i64, to: i64) -> Result<N, PolicyError> {
        let number = self.integer()?;
        let fitting = N::try_from(number).ok().filter(|_| (from..=to).contains(&number));
        fitting.ok_or_else(|| self.refused(format!("{number} is no {what}"), format!("write a number of {from}-{to}")))
    }

    pub(super) fn elements(&self) -> Result<Vec<Self>, PolicyError> {
        let elements = self.value.as_array().ok_or_else(|| self.mistyped("a list in brackets"))?;
        let element = |(index, element): (usize, &'a Spanned<DeValue<'a>>)| Self {
            document: self.document,
            key: format!("{}[{index}]", self.key),
            at: element.span().start,
            value: element.get_ref(),
        };
        Ok(elements.iter().enumerate().map(element).collect())
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, PolicyError> {
        self.elements()?.iter().map(|element| element.text().map(str::to_owned)).collect()
    }

    pub(super) fn table(&self, right: &str) -> Result<Table<'a>, PolicyError> {
        match self.value {
            DeValue::Table(entries) => Ok(Table::new(self.document, self.key.clone(), self.at, entries)),
            _ => Err(self.refused(format!("{} is not a table", self.kind()), right)),
        }
    }

    pub(super) fn word<W: Word>(&self) -> Result<W, PolicyError> {
        let text = self.text()?;
        W::ALL.iter().copied().find(|word| word.word() == text).ok_or_else(|| {
            let name = self.name();
            self.refused(format!("unknown {name} {text:?}"), nearest(text, W::ALL.iter().map(|word| word.word())))
        })
    }

    pub(super) fn mode(&self) -> Result<Mode, PolicyError> {
        match self.text()? {
            later if LATER_MODES.contains(&later) => Err(self.unsupported(&format!("mode {later:?}"))),
            _ => self.word(),
        }
    }

    /// Only one is written so far.
    pub(super) fn dialect(&self) -> Result<(), PolicyError> {
        match self.text()? {
            DIALECT => Ok(()),
            later if LATER_DIALECTS.contains(&later) => Err(self.unsupported(&format!("dialect {later:?}"))),
            unknown => {
                let known = [DIALECT].into_iter().chain(LATER_DIALECTS.iter().copied());
                Err(self.refused(format!("unknown dialect {unknown:?}"), nearest(unknown, known)))
            }
        }
    }

    /// `None` for `"none"`.
    pub(super) fn limit(&self) -> Result<Option<u64>, PolicyError> {
        if self.value.as_str() == Some("none") { Ok(None) } else { self.size().map(Some) }
    }

    /// A number of bytes, or a text with a unit. Only units of 1,024 are read: people mean either by `MB`, and a limit
    /// should not turn on it.
    pub(super) fn size(&self) -> Result<u64, PolicyError> {
        if self.value.is_integer() {
            return self.integer()?.try_into().map_err(|_| self.refused("a size is not negative", "write 0 or more"));
        }
        let right = "write a number of bytes, or one with KiB, MiB or GiB, as in \"64 KiB\"";
        let text = self.value.as_str().ok_or_else(|| self.refused(format!("{} is no size", self.kind()), right))?;
        parse_size(text).ok_or_else(|| self.refused(format!("{text:?} is no size"), right))
    }

    pub(super) fn duration(&self) -> Result<Duration, PolicyError> {
        let right = "write a time such as \"500ms\" or \"2s\"";
        let text = self.value.as_str().ok_or_else(|| self.refused(format!("{} is no time", self.kind()), right))?;
        humantime::parse_duration(text).map_err(|_| self.refused(format!("{text:?} is no time"), right))
    }

    pub(super) fn error_status(&self) -> Result<u16, PolicyError> {
        self.within("error's status", 400, 599)
    }

    pub(super) fn known_code(&self, known: &CodeSet, own: &[ErrorCode]) -> Result<ErrorCode, PolicyError> {
        let name = self.text()?;
        known.find(name).filter(|code| code.as_str() == name).ok_or_else(|| {
            let names = ErrorCode::ALL.iter().chain(own).map(ErrorCode::as_str);
            let right = match closest(name, names) {
                Some(near) => format!("did you mean {near:?}? A code of your own needs a table [[code]]"),
                None => "name one of the catalogue, or define it in a table [[code]]".to_owned(),
            };
            self.refused(format!("unknown code {name:?}"), right)
        })
    }

    pub(super) fn must_be_empty(&self, what: &str) -> Result<(), PolicyError> {
        if self.texts()?.is_empty() { Ok(()) } else { Err(self.unsupported(what)) }
    }

    pub(super) fn unsupported(&self, what: &str) -> PolicyError {
        let right = "leave it out, or use a version that has it";
        self.refused(format!("{what} is not supported by this version"), right)
    }

    pub(super) fn refused(&self, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        self.document.refused_at(self.at, &self.key, wrong.into(), right.into())
    }

    fn mistyped(&self, right: &str) -> PolicyError {
        self.refused(format!("{} has the wrong type here", self.kind()), format!("write {right}"))
    }

    fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "a true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// The key without its table.
    fn name(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or_default()
    }
}

/// Advice for an unknown word: the near one, and all that are known.
pub(super) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str> + Clone) -> String {
    let mut names: Vec<String> = known.clone().map(|name| format!("{name:?}")).collect();
    let last = names.pop().unwrap_or_default();
    let all = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
    match closest(word, known) {
        Some(near) => format!("did you mean {near:?}? Known are {all}"),
        None => format!("known are {all}"),
    }
}

/// The known word that a slip of the keyboard may have meant, if there is one.
fn closest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    const SIMILAR: f64 = 0.8;
    let word = word.to_ascii_lowercase();
    let scored = known.map(|name| (strsim::jaro_winkler(&word, name), name)).filter(|(score, _)| *score >= SIMILAR);
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start_matches(' ') {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

impl Word for Retry {
    const ALL: &'static [Self] = &[Self::No, Self::Backoff, Self::Refresh];

    fn word(self) -> &'static str {
        self.as_str()
    }
}
