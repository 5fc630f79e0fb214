//! The place in a file at which a policy is read, and the results of reading.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Kind, PolicyError, line_of};
use super::files::{NamedFile, read_text};
use super::refusal::{advice_for_unknown, dotted};
use super::values::{format_size, kind_of};

/// The maximum number of mistakes that are stored. Nobody would correct a longer list at once.
pub(crate) const MAX_MISTAKES: usize = 200;

/// A type of values that a key can have.
pub(crate) trait Leaf: Sized {
    /// Reads the value. If the value is wrong, notes the mistake and returns `None`.
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self>;

    /// Returns the value, spelled as in a file. No value of `[auth.*]` is ever printed (L3).
    fn written(&self) -> String {
        "…".to_owned()
    }
}

/// The current place in a file.
pub(crate) struct Reading<'a> {
    /// The name of the file.
    pub(crate) file: &'a str,
    text: &'a str,
    pub(crate) path: String,
    pub(crate) span: Range<usize>,
    /// True if any text in this table may be a misplaced credential. Errors then quote no text from the table (L3).
    is_secret: bool,
    /// Returns advice for an unknown key of a table with these keys, if another table has the key.
    misplaced: Misplaced,
    pub(crate) found: Found,
}

pub(crate) type Misplaced = fn(&str, &[&str]) -> Option<String>;

/// The results of reading a file.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) mistakes: Vec<PolicyError>,
    /// The range of bytes of each key and element, by its path.
    pub(crate) places: HashMap<String, Range<usize>>,
    /// The original paths of the elements that come after a wrong element, by their paths in the list without the wrong
    /// element.
    pub(crate) moved: HashMap<String, String>,
    pub(crate) named_files: Vec<NamedFile>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str, misplaced: Misplaced) -> Self {
        Self { file, text, path: String::new(), span: 0..0, is_secret: false, misplaced, found: Found::default() }
    }

    /// Reads a file of keys that a value names. Mistakes in the file of keys are reported with the name of that file.
    pub(crate) fn in_secret_file<T>(&mut self, file: &str, text: &str, read: impl FnOnce(&mut Reading<'_>) -> T) -> T {
        let mut inner = Reading { is_secret: true, ..Reading::new(file, text, self.misplaced) };
        let made = read(&mut inner);
        inner.found.mistakes.into_iter().for_each(|mistake| self.add(mistake));
        made
    }

    /// Returns the last step of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    pub(crate) fn refuse<T>(&mut self, kind: Kind, wrong: impl Into<String>, right: impl Into<String>) -> Option<T> {
        let refused = self.error(kind, wrong, right);
        self.add(refused);
        None
    }

    /// Refuses the value. If `is_empty` is true, something is missing before the value, so the span is empty.
    pub(crate) fn refuse_empty<T>(
        &mut self,
        is_empty: bool,
        kind: Kind,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) -> Option<T> {
        let start = self.span.start;
        let refused = self.error(kind, wrong, right);
        self.add(if is_empty { refused.with_span(start..start) } else { refused });
        None
    }

    /// Refuses the value because of its type. `right` states what to write.
    pub(crate) fn mistyped<T>(&mut self, value: &DeValue<'_>, right: &str) -> Option<T> {
        self.refuse(Kind::WrongType, format!("{} has the wrong type here", kind_of(value)), right)
    }

    /// Returns an error at this place.
    pub(crate) fn error(&self, kind: Kind, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        let key = Some(self.path.clone()).filter(|path| !path.is_empty());
        // Finding the line needs a search through the text, and is useless for a mistake that is not stored.
        let line =
            if self.found.mistakes.len() < MAX_MISTAKES { line_of(self.text.as_bytes(), self.span.start) } else { 1 };
        PolicyError::new(key, wrong, right).of_kind(kind).in_file(self.file, Some(line)).with_span(self.span.clone())
    }

    pub(crate) fn add(&mut self, mistake: PolicyError) {
        if self.found.mistakes.len() < MAX_MISTAKES {
            self.found.mistakes.push(mistake);
        }
    }

    /// Returns a text of the file in quotes, for an error. If the text may be a credential, returns `the text` instead.
    pub(crate) fn quoted(&self, text: &str) -> String {
        if self.is_secret { "the text".to_owned() } else { format!("{text:?}") }
    }

    /// Calls `read` with the place of an inner key.
    pub(crate) fn within<T>(&mut self, name: &str, span: Range<usize>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.read_at(dotted(&self.path, name), span, read)
    }

    /// Reads an element of a list.
    pub(crate) fn element<T>(&mut self, index: usize, span: Range<usize>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.read_at(format!("{}[{index}]", self.path), span, read)
    }

    fn read_at<T>(&mut self, path: String, span: Range<usize>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.found.places.insert(path.clone(), span.clone());
        let was_secret = self.is_secret;
        self.is_secret |= path == "auth";
        let (outer, around) = (std::mem::replace(&mut self.path, path), std::mem::replace(&mut self.span, span));
        let made = read(self);
        (self.path, self.span, self.is_secret) = (outer, around, was_secret);
        made
    }

    /// Notes that an element has a lower index in the list that was read, because wrong elements before it are left
    /// out.
    pub(crate) fn note_moved(&mut self, index: usize, read: usize) {
        if index != read {
            self.found.moved.insert(format!("{}[{read}]", self.path), format!("{}[{index}]", self.path));
        }
    }

    /// Returns the value of a key, if it is set and right.
    pub(crate) fn key<T: Leaf>(&mut self, table: &DeTable<'_>, name: &str, is_required: bool) -> Option<T> {
        match table.get_key_value(name) {
            Some((key, value)) => self.within(name, span_to_show(key, value), |at| T::read(value.get_ref(), at)),
            None if is_required => {
                let right = match name {
                    "version" => "write version = 1 at the top".to_owned(),
                    _ => format!("add {name} = … to the table"),
                };
                let path = dotted(&self.path, name);
                let table = std::mem::replace(&mut self.path, path);
                let missing = self.refuse_empty(true, Kind::MissingKey, "the key is missing", right);
                self.path = table;
                missing
            }
            None => None,
        }
    }

    /// Returns the value as a table.
    pub(crate) fn table<'v, 'i>(&mut self, value: &'v DeValue<'i>) -> Option<&'v DeTable<'i>> {
        value.as_table().or_else(|| {
            let right = if self.path.ends_with(']') {
                "write a table".to_owned()
            } else {
                format!("write a table [{}]", self.path)
            };
            self.refuse(Kind::WrongType, format!("{} is not a table", kind_of(value)), right)
        })
    }

    /// Refuses all keys except these.
    pub(crate) fn refuse_others(&mut self, table: &DeTable<'_>, known: &[&'static str]) {
        let unknown: Vec<_> = in_order(table).filter(|(key, _)| !known.contains(&key.get_ref().as_ref())).collect();
        let is_shown = |name: &str, at: &Self| !at.is_secret || is_word(name) || is_slip(name, known);
        let (shown, hidden): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|(key, _)| is_shown(key.get_ref(), self));
        if let Some((key, _)) = hidden.first() {
            let (right, outer) = (format!("the choices are {}", known.join(", ")), self.span.clone());
            self.span = key.span();
            self.refuse::<()>(Kind::UnknownKey, "the table has an unknown key", right);
            self.span = outer;
        }
        for (key, _) in shown.into_iter().take(MAX_MISTAKES) {
            let name = key.get_ref().as_ref();
            let near = || advice_for_unknown(name, known.iter().copied());
            let right = (self.misplaced)(name, known).unwrap_or_else(near);
            let wrong = format!("unknown key {name:?}");
            self.within(name, key.span(), |at| at.refuse::<()>(Kind::UnknownKey, wrong, right));
        }
    }

    /// Returns the name and the text of the file that the value names.
    pub(crate) fn read_file(&mut self, name: &str, most: u64) -> Option<(String, String)> {
        let folder = Path::new(self.file).parent().unwrap_or(Path::new(""));
        let path = folder.join(name);
        match read_text(&path, most) {
            Ok(text) => {
                self.found.named_files.push(NamedFile { path: path.clone(), text: text.clone() });
                Some((path.display().to_string(), text))
            }
            Err(error) => {
                let shown = if self.is_secret { "the file".to_owned() } else { path.display().to_string() };
                let wrong = format!("{shown} {}", error.wrong());
                let right = format!("name a readable UTF-8 file of at most {}", format_size(most));
                let refused = self.error(Kind::File, wrong, right).without(&path).caused_by(error);
                self.add(refused);
                None
            }
        }
    }
}

/// Returns the keys and values of a table, in the order of the file.
pub(crate) fn in_order<'v, 'i>(
    table: &'v DeTable<'i>,
) -> impl Iterator<Item = (&'v Spanned<DeString<'i>>, &'v Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter()
}

/// Returns the span to show for a wrong value. For a table, the span is that of the name, because the value spans all
/// lines of the table.
pub(crate) fn span_to_show(name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    if value.get_ref().is_table() { name.span() } else { value.span() }
}

/// Returns true if a name is short and plain, like the policy's own names. Any other name may be a credential in the
/// wrong place, so such a name is never quoted (L3).
pub(crate) fn is_word(name: &str) -> bool {
    const LONGEST: usize = 16;
    const DIGITS: usize = 3;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= LONGEST && digits <= DIGITS && name.bytes().all(is_plain)
}

/// Returns true if a name is so similar to a known name that it is a misspelling and not a credential, such as
/// `secretEnv`.
fn is_slip(name: &str, known: &[&str]) -> bool {
    const EDITS: usize = 2;
    let name = name.to_ascii_lowercase();
    known.iter().any(|known| strsim::osa_distance(&name, known) <= EDITS)
}
