//! Everything that is wrong with a policy at once: what was refused is taken out of the text, and the rest is read again.
//!
//! 1. The smallest thing that can go without breaking the syntax goes: a key with its value, a table, a line that is no
//!    TOML. Lines and columns stay where they were.
//! 2. What is wrong only because something went is not told: a table that now misses what it had, a name whose table is
//!    no longer there.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Loaded, PolicyEnv};
use crate::policy::error::PolicyError;

/// More than anybody mends in one go, and a bound: each costs a reading of the policy.
const MAX_MISTAKES: usize = 200;

impl Loaded {
    /// Reads the file at `path`, and what it names.
    ///
    /// # Errors
    ///
    /// All that is wrong, by file and line.
    pub(crate) fn check(path: &Path, around: &dyn PolicyEnv) -> Result<Self, Vec<PolicyError>> {
        let mut rest =
            RemainingText { around, files: Vec::new(), texts: HashMap::new(), gone: Vec::new(), lacks_version: false };
        let mut told: Vec<PolicyError> = Vec::new();
        for _ in 0..MAX_MISTAKES {
            let error = match Self::from_file(path, &rest) {
                Ok(loaded) if told.is_empty() => return Ok(loaded),
                Ok(_) => break,
                Err(error) => error,
            };
            let (error, follows) = rest.placed(error);
            let goes_on = rest.take_out(&error);
            if !follows {
                told.push(error);
            }
            if !goes_on {
                break;
            }
        }
        let file_of = |error: &PolicyError| rest.files.iter().position(|name| Some(name.as_str()) == error.file());
        told.sort_by_key(|error| (file_of(error), error.line(), error.span().map(|span| span.start)));
        Err(told)
    }
}

/// What is left of the files.
struct RemainingText<'a> {
    around: &'a dyn PolicyEnv,
    /// In the order in which they were found to be wrong.
    files: Vec<String>,
    texts: HashMap<String, String>,
    gone: Vec<RemovedText>,
    /// A file has no version: it is read as one that has.
    lacks_version: bool,
}

/// What was taken out of a file.
struct RemovedText {
    file: String,
    span: Range<usize>,
    text: String,
    /// The list of tables that it was one of, as `route`.
    list: Option<String>,
    /// It was, or was in, a table that others call by its name.
    has_a_name: bool,
}

impl PolicyEnv for RemainingText<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        self.around.variable(name)
    }

    fn has_verifier(&self, name: &str) -> bool {
        self.around.has_verifier(name)
    }

    fn instead_of_verifier(&self, name: &str) -> String {
        self.around.instead_of_verifier(name)
    }

    fn text_of(&self, path: &Path) -> Result<String, PolicyError> {
        match self.texts.get(&*path.display().to_string()) {
            Some(text) => Ok(text.clone()),
            None => self.around.text_of(path),
        }
    }

    fn asks_version(&self) -> bool {
        !self.lacks_version
    }
}

impl RemainingText<'_> {
    /// The error with the number that its table has in the file, and whether it is there only because something went.
    fn placed(&self, error: PolicyError) -> (PolicyError, bool) {
        let (Some(file), Some(span)) = (error.file().map(str::to_owned), error.span()) else { return (error, false) };
        let gone = || self.gone.iter().filter(|gone| gone.file == file);
        let error = error.rekeyed(|key| {
            let (list, rest) = key.split_once('[')?;
            let (number, rest) = rest.split_once(']')?;
            let before =
                gone().filter(|gone| gone.list.as_deref() == Some(list) && gone.span.start < span.start).count();
            Some(format!("{list}[{}]{rest}", number.parse::<usize>().ok()? + before))
        });
        let Some(text) = self.texts.get(&file) else { return (error, false) };
        let tables = Tables::parse(text);
        if !tables.is_toml || error.key() == Some("version") {
            return (error, false);
        }
        let of_table = tables.block(span.start);
        // A table, not one of its keys: it lacks something.
        let lacks = tables.header(span.start).is_some() || span.is_empty();
        let had = lacks && gone().any(|gone| of_table.contains(&gone.span.start));
        // A code refers to no other table, and a schema has names of its own.
        let refers = error.key().is_none_or(|key| !key.starts_with("code[")) && {
            let pair = tables.pair(span.start).and_then(|pair| text.get(pair)).unwrap_or_default();
            let value = pair.split_once('=').map_or("", |(_, value)| value);
            value.split(['"', '\'']).skip(1).step_by(2).any(|name| self.names(name))
        };
        let follows = had || refers;
        (error, follows)
    }

    /// Whether a table that went was called so.
    fn names(&self, name: &str) -> bool {
        let is_name = |gone: &RemovedText| {
            let mut words = gone.text.split(|part: char| !part.is_alphanumeric() && !matches!(part, '_' | '-'));
            gone.has_a_name && words.any(|word| word == name)
        };
        !name.is_empty() && self.gone.iter().any(is_name)
    }

    /// Takes out what is wrong; whether anything went.
    fn take_out(&mut self, error: &PolicyError) -> bool {
        if error.key() == Some("version") {
            // Another version's keys cannot be judged.
            let is_missing = error.span().is_some_and(|span| span.is_empty());
            return is_missing && !std::mem::replace(&mut self.lacks_version, true);
        }
        let (Some(file), Some(line)) = (error.file(), error.line()) else { return false };
        let Ok(text) = self.text_of(Path::new(file)) else { return false };
        let start = error.span().map_or_else(|| start_of_line(&text, line), |span| span.start);
        let tables = Tables::parse(&text);
        let (spans, list) = match (tables.header(start), tables.pair(start)) {
            _ if !tables.is_toml => (vec![line_at(&text, start)], None),
            (Some(header), _) => (tables.with_children(header), tables.list(header)),
            (None, Some(pair)) => (vec![pair], None),
            (None, None) => (vec![line_at(&text, start)], None),
        };
        let of_schema = error.key().is_some_and(|key| key.starts_with("code[") && key.contains("].details"));
        let has_a_name = !of_schema && ["code", "header", "auth"].contains(&tables.name_around(start));
        let mut left = text.clone();
        for span in spans {
            let Some(part) = text.get(span.clone()).filter(|part| !part.trim().is_empty()) else { continue };
            left.replace_range(span.clone(), &blank(part));
            let gone = RemovedText {
                file: file.to_owned(),
                text: part.trim_start().to_owned(),
                span,
                list: list.clone(),
                has_a_name,
            };
            self.gone.push(gone);
        }
        let goes_on = left != text;
        if !self.files.iter().any(|known| known == file) {
            self.files.push(file.to_owned());
        }
        self.texts.insert(file.to_owned(), left);
        goes_on
    }
}

/// Where the tables and keys of a text stand.
struct Tables {
    is_toml: bool,
    end: usize,
    /// The headers in their order, each with its name and whether it is one of a list.
    headers: Vec<(Range<usize>, String, bool)>,
    /// TableSettings with their values, of tables that have a header.
    pairs: Vec<Range<usize>>,
}

impl Tables {
    fn parse(text: &str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut tables = Self { is_toml: errors.is_empty(), end: text.len(), headers: Vec::new(), pairs: Vec::new() };
        tables.collect(text, root.get_ref(), "");
        tables.headers.sort_by_key(|(span, ..)| span.start);
        tables.headers.dedup_by_key(|(span, ..)| span.start);
        tables
    }

    fn collect(&mut self, text: &str, table: &DeTable<'_>, above: &str) {
        for (key, value) in table {
            let name = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
            let is_header = |span: &Range<usize>| text.get(span.clone()).is_some_and(|text| text.starts_with('['));
            match value.get_ref() {
                DeValue::Table(inner) if is_header(&value.span()) => {
                    self.headers.push((value.span(), name.clone(), false));
                    self.collect(text, inner, &name);
                }
                DeValue::Array(list) if list.iter().any(|it| it.get_ref().is_table() && is_header(&it.span())) => {
                    for element in list.iter() {
                        let DeValue::Table(inner) = element.get_ref() else { continue };
                        self.headers.push((element.span(), name.clone(), true));
                        self.collect(text, inner, &name);
                    }
                }
                // `[a.b]` alone makes `a` as well.
                DeValue::Table(inner) if text[line_at(text, key.span().start)].trim_start().starts_with('[') => {
                    self.collect(text, inner, &name);
                }
                // `a.b = 1` has no end that the parser would tell.
                DeValue::Table(_) if value.span().start <= key.span().start => {
                    self.pairs.push(line_at(text, key.span().start));
                }
                _ => self.pairs.push(key.span().start..value.span().end),
            }
        }
    }

    /// The header that this byte is in.
    fn header(&self, at: usize) -> Option<usize> {
        self.headers.iter().position(|(span, ..)| span.contains(&at))
    }

    fn pair(&self, at: usize) -> Option<Range<usize>> {
        self.pairs.iter().find(|pair| pair.contains(&at)).cloned()
    }

    /// From the header around this byte to the next one.
    fn block(&self, at: usize) -> Range<usize> {
        let next = self.headers.partition_point(|(span, ..)| span.start <= at);
        let start = next.checked_sub(1).map_or(0, |own| self.headers[own].0.start);
        start..self.headers.get(next).map_or(self.end, |(span, ..)| span.start)
    }

    /// A table, and the tables inside it that follow.
    fn with_children(&self, header: usize) -> Vec<Range<usize>> {
        let (_, name, _) = &self.headers[header];
        let is_inside = |other: &str| other.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('.'));
        let inside = self.headers[header + 1..].iter().take_while(|(_, other, _)| is_inside(other));
        let own = self.headers[header].0.start;
        std::iter::once(own).chain(inside.map(|(span, ..)| span.start)).map(|start| self.block(start)).collect()
    }

    /// The first part of the name of the table around this byte.
    fn name_around(&self, at: usize) -> &str {
        let own = self.headers.partition_point(|(span, ..)| span.start <= at).checked_sub(1);
        own.map_or("", |own| self.headers[own].1.split('.').next().unwrap_or(""))
    }

    fn list(&self, header: usize) -> Option<String> {
        let (_, name, is_list) = &self.headers[header];
        is_list.then(|| name.clone())
    }
}

fn line_at(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    start..text[at..].find('\n').map_or(text.len(), |newline| at + newline)
}

fn start_of_line(text: &str, line: usize) -> usize {
    text.match_indices('\n').nth(line.saturating_sub(2)).filter(|_| line > 1).map_or(0, |(at, _)| at + 1)
}

/// As many bytes, and the same lines.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}
