//! Members of a foreign 4xx body that no rule reads: kept by name, or dropped and their names logged (rules R14, L3).

use serde_json::value::RawValue;

use crate::dialect::{Members, Said};
use crate::message;

/// So many names are logged of one body: whoever sends more sends data.
const MAX_NAMES: usize = 16;

/// A longer name is cut.
const MAX_NAME_CHARS: usize = 64;

#[derive(Default)]
pub(super) struct Left<'a> {
    /// In the order that they came in, each name once.
    pub(super) kept: Vec<(&'a str, &'a RawValue)>,
    /// The names of the others.
    pub(super) dropped: Option<Box<str>>,
}

/// Sorts them; `kept` are the names that pass.
pub(super) fn sort<'a>(members: &'a Members<'_>, said: Option<&Said<'_>>, kept: &[Box<str>]) -> Left<'a> {
    let mut left = Left::default();
    let mut dropped = Vec::new();
    for (name, value) in members.left(said) {
        if left.kept.iter().any(|(other, _)| *other == name) {
            continue;
        }
        if kept.iter().any(|it| **it == *name) {
            left.kept.push((name, value));
        } else if dropped.len() <= MAX_NAMES && !dropped.contains(&name) {
            dropped.push(name);
        }
    }
    left.drop(&dropped);
    left
}

impl Left<'_> {
    /// Details that have no room for members lose those, too.
    pub(super) fn without_room(mut self) -> Self {
        let names: Vec<_> = std::mem::take(&mut self.kept).into_iter().map(|(name, _)| name).collect();
        self.drop(&names);
        self
    }

    fn drop(&mut self, names: &[&str]) {
        if names.is_empty() {
            return;
        }
        let mut line = self.dropped.take().map(String::from).unwrap_or_default();
        for (at, name) in names.iter().enumerate() {
            if !line.is_empty() {
                line.push(',');
            }
            if at == MAX_NAMES {
                line.push('…');
                break;
            }
            line.extend(name.chars().filter(|character| !message::is_unprintable(*character)).take(MAX_NAME_CHARS));
        }
        self.dropped = Some(line.into());
    }
}
