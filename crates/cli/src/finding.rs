//! An error in a policy file, in the form for people: `FILE:LINE: KEY: what is wrong`, then the line and advice.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use error_envelope_core::loader::Lint;
use tower_error_envelope::PolicyError;

use crate::confidential::{masked, may_be_shown};
use crate::policy::SourceLocation;
use crate::stdin;
use crate::text::printable;

/// The width of the output in columns. Practically every terminal has at least this many.
const WIDTH: usize = 80;

/// The level of a finding.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Error,
    Warning,
    Note,
}

/// An error, warning or note about a policy file.
#[derive(Default)]
pub(crate) struct Finding<'a> {
    pub(crate) kind: Kind,
    pub(crate) lint: Option<&'a str>,
    pub(crate) file: Option<Cow<'a, str>>,
    pub(crate) line: Option<usize>,
    pub(crate) key: Option<&'a str>,
    span: Option<Range<usize>>,
    pub(crate) wrong: &'a str,
    pub(crate) advice: &'a str,
    /// True if the policy was refused, so that its lines may contain secrets. In an accepted policy, each key is a
    /// hash, and each secret is the name of a variable, so every line may be shown.
    refused: bool,
}

impl<'a> Finding<'a> {
    /// Makes the finding for an error in a refused policy.
    pub(crate) fn of_error(error: &'a PolicyError) -> Self {
        Self {
            kind: Kind::Error,
            lint: None,
            file: error.file().map(Cow::Borrowed),
            line: error.line(),
            key: error.key(),
            span: error.span(),
            wrong: error.wrong(),
            advice: error.advice(),
            refused: true,
        }
    }

    /// Makes the finding for a likely mistake, which is a warning or a note.
    pub(crate) fn of_lint(lint: &'a Lint) -> Self {
        let kind = if lint.is_note { Kind::Note } else { Kind::Warning };
        Self { kind, lint: Some(lint.name), refused: false, ..Self::of_error(&lint.finding) }
    }

    /// Makes the note for a secret that the environment lacks.
    pub(crate) fn for_missing_secret(file: &'a Path, at: Option<&'a SourceLocation>, wrong: &'a str) -> Self {
        let advice = "set it where the layer runs; without it, the layer rejects the policy";
        let note = Self::note(at.map_or(file, |at| Path::new(&at.file)), "secret_env", wrong, advice);
        Self { line: at.map(|at| at.line), span: at.map(|at| at.span.clone()), ..note }
    }

    /// Makes the note for a file that has a `[scope]`, but that no policy includes.
    pub(crate) fn for_lone_scope(file: &'a Path) -> Self {
        let wrong = "no policy in this folder or above includes this file, so it was checked alone";
        Self::note(file, "scope", wrong, "if it is part of a policy, add --policy FILE")
    }

    fn note(file: &'a Path, key: &'a str, wrong: &'a str, advice: &'a str) -> Self {
        Self { kind: Kind::Note, file: Some(file.to_string_lossy()), key: Some(key), wrong, advice, ..Self::default() }
    }

    /// Returns the range of columns that the error has on its line, counted in characters from 1. The end of the range
    /// is exclusive.
    pub(crate) fn columns(&self) -> Option<Range<usize>> {
        let text = stdin::text_of(self.file.as_deref()?)?;
        let (start, line) = nth_line(&text, self.line?)?;
        let span =
            self.span.as_ref().filter(|span| !span.is_empty() && (start..start + line.len()).contains(&span.start))?;
        let column = |at: usize| text.get(start..at.min(start + line.len())).map(|before| before.chars().count() + 1);
        Some(column(span.start)?..column(span.end)?)
    }

    /// Returns the text of the finding, with its level.
    pub(crate) fn to_text(&self) -> String {
        let lint = self.lint.map(|name| format!(" [{name}]")).unwrap_or_default();
        format!("{}: {}{lint}", self.kind.as_str(), self.wrong)
    }

    /// Returns the finding as text with colour codes, which are removed later if the output is not a terminal. The text
    /// has no newline at its end.
    pub(crate) fn render(&self) -> String {
        let text = self.file.as_deref().and_then(stdin::text_of);
        let title = self.kind.level().no_name().primary_title(self.title());
        let margin = self.line.map_or(0, |line| line.to_string().len()) + " = help: ".len();
        let help = wrapped(&on_one_line(self.advice), WIDTH - margin);
        let help = Level::HELP.message(help);
        let report = match text.as_deref().and_then(|text| self.excerpt(text)) {
            Some((line, span)) => {
                let caret = AnnotationKind::Primary.span(span);
                let source = Snippet::source(line).line_start(self.line.unwrap_or(1));
                title.element(source.annotation(caret)).element(help)
            }
            None => Group::with_title(title).element(help),
        };
        Renderer::styled().term_width(WIDTH).render(&[report])
    }

    fn title(&self) -> String {
        let line = self.line.map(|line| line.to_string());
        let place = [self.file.as_deref(), line.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(":");
        let place = Some(place).filter(|place| !place.is_empty());
        let text = self.to_text();
        let parts = [place.as_deref(), self.key, Some(&*text)];
        on_one_line(&parts.into_iter().flatten().collect::<Vec<_>>().join(": "))
    }

    /// Returns the line to show, and the byte range to underline in it. This is the range of the error, or the whole
    /// line if the error does not begin on this line. A line that may not be shown is masked.
    fn excerpt(&self, text: &str) -> Option<(String, Range<usize>)> {
        let (start, line) = nth_line(text, self.line?)?;
        let end = start + line.trim_end().len();
        let span = match &self.span {
            Some(span) if !span.is_empty() && (start..end).contains(&span.start) => span.start..span.end.min(end),
            _ => end - line.trim().len()..end,
        };
        let (line, span) = (&text[start..end], span.start - start..span.end - start);
        if !self.refused || may_be_shown(text, start..end, self.key) {
            return Some(shown(line, span));
        }
        let (line, span) = masked(line, span, self.key)?;
        Some(shown(&line, span))
    }
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    fn level(self) -> Level<'static> {
        match self {
            Self::Error => Level::ERROR,
            Self::Warning => Level::WARNING,
            Self::Note => Level::NOTE,
        }
    }
}

/// Returns the line in printable characters, and the range that corresponds to the given range.
fn shown(line: &str, Range { start, end }: Range<usize>) -> (String, Range<usize>) {
    let [before, marked, after] = [&line[..start], &line[start..end], &line[end..]].map(printable);
    let range = before.len()..before.len() + marked.len();
    (before + &marked + &after, range)
}

fn on_one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Returns the byte offset at which the line `number` starts, and the line. The first line is 1.
fn nth_line(text: &str, number: usize) -> Option<(usize, &str)> {
    let start = text.split('\n').take(number - 1).map(|line| line.len() + 1).sum();
    Some((start, text.get(start..)?.split('\n').next()?))
}

/// Breaks the text into lines at spaces. A word that is longer than a line is not broken.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        let fits = last.chars().count() + 1 + word.chars().count() <= width;
        match last.as_str() {
            "" => last.push_str(word),
            _ if fits => last.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}
