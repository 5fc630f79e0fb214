//! The mistakes in the tables of a policy before their places in a file are known, and advice for unknown names.

use std::borrow::Cow;

use http::StatusCode;

use super::error::Kind;
use crate::code::{CodeSet, ErrorCode};
use crate::message;

/// A table of a policy. Part 0 is the policy itself, and the scopes follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TablePath {
    Defaults(usize),
    /// A table that applies to the whole process, by its name.
    Process(&'static str),
    Header(String),
    Auth(String),
    Shape(String),
    Code(usize),
    Scope(usize),
    Map(usize, usize),
    Outward(usize, usize),
    Route(usize, usize),
}

#[cfg(feature = "policy-file")]
impl TablePath {
    /// Returns the part to which the table belongs.
    pub(crate) const fn part(&self) -> Option<usize> {
        match self {
            Self::Defaults(part) | Self::Route(part, _) => Some(*part),
            _ => None,
        }
    }
}

/// The reason why a setting was refused: the key in its table, the mistake, and how to correct it.
#[derive(Debug)]
pub(crate) struct SettingError {
    pub(crate) place: TablePath,
    /// The key in its table, or a path that begins in that table. The text is empty if the table itself is refused.
    pub(crate) key: Cow<'static, str>,
    pub(crate) wrong: String,
    pub(crate) right: String,
    pub(crate) kind: Kind,
    /// The other table, if two tables contradict each other.
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "only a policy file has lines to report"))]
    pub(crate) other: Option<Box<TablePath>>,
}

impl SettingError {
    /// Creates an error. [`Refusals::make`] sets the error's table later.
    pub(crate) fn new(key: impl Into<Cow<'static, str>>, wrong: impl Into<String>, right: impl Into<String>) -> Self {
        let (key, wrong, right) = (key.into(), wrong.into(), right.into());
        Self { place: TablePath::Defaults(0), key, wrong, right, kind: Kind::default(), other: None }
    }

    pub(crate) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(crate) fn in_table(self, place: TablePath) -> Self {
        Self { place, ..self }
    }

    /// Sets the two tables of an error if they contradict each other.
    pub(crate) fn in_tables(self, place: TablePath, other: TablePath) -> Self {
        Self { place, other: Some(Box::new(other)), ..self }
    }

    /// Refuses a table without a key that it must have.
    pub(crate) fn missing(key: &'static str) -> Self {
        Self::new(key, "the key is missing", format!("add {key} = … to the table")).of_kind(Kind::MissingKey)
    }

    /// Refuses a table whose name another table has.
    pub(crate) fn used_twice(place: TablePath) -> Self {
        Self::new("", "the name is used twice", "rename one of them").of_kind(Kind::DefinedTwice).in_table(place)
    }

    /// Refuses a text for clients that is not a valid message (E2), because a text of the policy is sent byte for byte.
    pub(crate) fn check_message(key: &'static str, text: &str) -> Result<(), Self> {
        if message::clean(text).as_deref() == Some(text) {
            return Ok(());
        }
        let right = "write one line of printable text of 1 to 1,024 bytes, without white space around it";
        Err(Self::new(key, "the text cannot be sent to clients as it is", right))
    }

    /// Refuses a status that is not an error status.
    pub(crate) fn check_error_status(key: &'static str, status: u16) -> Result<StatusCode, Self> {
        match StatusCode::from_u16(status) {
            Ok(status) if status.is_client_error() || status.is_server_error() => Ok(status),
            _ => Err(Self::new(key, format!("{status} is not an error status"), "write a status from 400 to 599")
                .of_kind(Kind::OutOfRange)),
        }
    }

    /// Returns the code as the policy defines it. Refuses a code that is neither in the policy nor in the catalogue.
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
                let (wrong, right) = unknown_code(code.as_str(), names);
                Err(Self::new(key, wrong, right).of_kind(Kind::UnknownName))
            }
        }
    }
}

/// All mistakes in a table, or in several tables.
#[derive(Debug, Default)]
pub(crate) struct Refusals(pub(crate) Vec<SettingError>);

impl Refusals {
    #[inline(never)]
    pub(crate) fn add(&mut self, refused: SettingError) {
        self.0.push(refused);
    }

    /// Returns the value. If `made` is a mistake, adds the mistake and returns `None`.
    pub(crate) fn keep<T>(&mut self, made: Result<T, SettingError>) -> Option<T> {
        match made {
            Ok(made) => Some(made),
            Err(refused) => {
                self.add(refused);
                None
            }
        }
    }

    /// Makes the value of a key. Returns `Some(None)` if the key is not set. If the value is wrong, adds the mistake
    /// and returns `None`.
    pub(crate) fn keep_some<V, T>(
        &mut self,
        value: Option<V>,
        make: impl FnOnce(V) -> Result<T, SettingError>,
    ) -> Option<Option<T>> {
        self.keep(value.map(make).transpose())
    }

    /// Returns the value that is made from the table at this place, even if the table has mistakes.
    pub(crate) fn read<T>(&mut self, place: &TablePath, make: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.0.len();
        let made = make(self);
        self.0[before..].iter_mut().for_each(|refused| refused.place = place.clone());
        made
    }

    /// Returns the value that is made from the table at this place, or `None` if the table has a mistake.
    pub(crate) fn make<T>(&mut self, place: TablePath, make: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.0.len();
        self.read(&place, make).filter(|_| self.0.len() == before)
    }
}

/// Returns the value that is made, or the first mistake.
#[cfg(test)]
pub(crate) fn alone<T>(make: impl FnOnce(&mut Refusals) -> Option<T>) -> Result<T, SettingError> {
    let mut refusals = Refusals::default();
    let made = make(&mut refusals);
    refusals.0.into_iter().next().map_or_else(|| Ok(made.expect("nothing was refused")), Err)
}

/// Returns the mistake and the advice for an unknown code.
pub(super) fn unknown_code<'w>(name: &str, known: impl Iterator<Item = &'w str>) -> (String, String) {
    let right = match closest(name, known) {
        Some(near) => format!("did you mean {near:?}? For a code of your own, add a table [[code]]"),
        None => "use a code of the catalogue, or define this one in a table [[code]]".to_owned(),
    };
    (format!("unknown code {name:?}"), right)
}

/// Returns advice for an unknown word: the word that was probably meant, and all known words.
pub(crate) fn advice_for_unknown<'w>(word: &str, known: impl Iterator<Item = &'w str> + Clone) -> String {
    advice_among(word, &known.collect::<Vec<_>>())
}

fn advice_among(word: &str, known: &[&str]) -> String {
    let known = known.iter().copied();
    let mut names: Vec<String> = known.clone().map(|name| format!("{name:?}")).collect();
    let last = names.pop().unwrap_or_default();
    let choices = if names.is_empty() {
        format!("only choice is {last}")
    } else {
        format!("choices are {} and {last}", names.join(", "))
    };
    match closest(word, known) {
        Some(near) => format!("did you mean {near:?}? The {choices}"),
        None => format!("the {choices}"),
    }
}

/// Returns the known word of which `word` is probably a misspelling.
pub(crate) fn closest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    closest_of(word, &mut { known })
}

fn closest_of<'w>(word: &str, known: &mut dyn Iterator<Item = &'w str>) -> Option<&'w str> {
    const SIMILAR: f64 = 0.8;
    let word = word.to_ascii_lowercase();
    let scored = known
        .map(|name| (strsim::jaro_winkler(&word, &name.to_ascii_lowercase()), name))
        .filter(|(score, _)| *score >= SIMILAR);
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

/// Returns `table.key`, with quotes around the key if TOML requires them.
pub(crate) fn dotted(table: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match (table.is_empty(), bare) {
        (true, _) => key.to_owned(),
        (false, true) => format!("{table}.{key}"),
        (false, false) => format!("{table}.{key:?}"),
    }
}
