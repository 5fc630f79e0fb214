//! The effects of a route's next mode on clients, and whether the route is ready for it.

use error_envelope_core::policy::Mode;

use super::clock;
use super::tally::Tally;
use super::week;

/// The advice on a route and its next mode.
pub(crate) struct Readiness {
    /// `None` if the route has the last mode.
    pub(crate) next: Option<Mode>,
    pub(crate) verdict: Verdict,
    /// The reasons, in full.
    pub(crate) reasons: Vec<String>,
    /// What the next mode changes for clients.
    pub(crate) change: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ready,
    NotReady,
    /// The route's mode passes errors without examining them, so nothing is known.
    Unseen,
    /// The route is in `enforce`: nothing is left to do.
    Done,
}

/// The time span of the counts.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) since: u64,
    pub(crate) now: u64,
}

impl Span {
    pub(crate) fn today(self) -> u32 {
        week::day(self.now)
    }

    pub(crate) fn in_words(self) -> String {
        clock::period(self.since, self.now)
    }
}

/// The mode after this one, in the order in which an operator turns them on.
pub(crate) fn next(mode: Mode) -> Option<Mode> {
    match mode {
        Mode::Off => Some(Mode::Observe),
        Mode::Observe => Some(Mode::Own),
        Mode::Own => Some(Mode::Fill),
        Mode::Fill => Some(Mode::Enforce),
        // `Enforce` is the last mode; one that the core adds later is not in this order yet.
        _ => None,
    }
}

pub(crate) fn assess(mode: Mode, tally: &Tally, span: Span) -> Readiness {
    let verdict = verdict(mode, tally, span.today());
    let refusals = (mode == Mode::Observe).then(|| refusals(tally, span));
    let unseen = (verdict == Verdict::Unseen).then(|| unseen(mode).to_owned());
    let reasons = refusals.into_iter().chain([codes(tally, span)]).chain(unseen).collect();
    Readiness { next: next(mode), verdict, reasons, change: change(mode) }
}

fn verdict(mode: Mode, tally: &Tally, today: u32) -> Verdict {
    let is_refused = mode == Mode::Observe && tally.would_refuse.sum(today) > 0;
    let is_clean = tally.without_code.sum(today) == 0 && !is_refused;
    match mode {
        Mode::Off => Verdict::Unseen,
        Mode::Own | Mode::Fill if tally.inner.sum(today) == 0 => Verdict::Unseen,
        Mode::Enforce if is_clean => Verdict::Done,
        _ if is_clean => Verdict::Ready,
        _ => Verdict::NotReady,
    }
}

/// `Mode own would have refused 2 requests since 14:02 UTC, last at 15:00:01.`
fn refusals(tally: &Tally, span: Span) -> String {
    let refused = tally.would_refuse.sum(span.today());
    let last = match refused {
        0 => String::new(),
        _ => format!(", last at {}", clock::short(tally.last_would_refuse)),
    };
    format!("Mode own would have refused {} {}{last}.", counted(refused, "request"), span.in_words())
}

/// `12 of 480 errors without a code since 14:02 UTC, last at 15:00:01.`
fn codes(tally: &Tally, span: Span) -> String {
    let [without, inner, by_status] =
        [tally.without_code, tally.inner, tally.by_status].map(|week| week.sum(span.today()));
    let mut words = match without {
        0 => format!("0 errors without a code {}", span.in_words()),
        _ => {
            let last = clock::short(tally.last_without_code);
            format!(
                "{} of {} without a code {}, last at {last}",
                grouped(without),
                counted(inner, "error"),
                span.in_words()
            )
        }
    };
    if by_status > 0 {
        words.push_str(&format!("; {} more need no code, since the status is enough", grouped(by_status)));
    }
    words + "."
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 error`, `2,000 errors`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn unseen(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => {
            "Mode off examines no errors. Mode observe changes no response, and this page then shows what mode enforce \
             would do."
        }
        Mode::Own => {
            "Mode own does not examine the service's errors. To see them here, set the route to mode observe for a \
             while."
        }
        _ => "Mode fill does not examine JSON errors. To see them here, set the route to mode observe for a while.",
    }
}

fn change(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => {
            "In mode observe nothing changes for clients. The log and this page show what mode enforce would do."
        }
        Mode::Observe => {
            "In mode own the layer's guards refuse bad requests. The service's own errors still pass unchanged."
        }
        Mode::Own => {
            "In mode fill errors that are empty, HTML or plain text become the envelope. JSON errors pass unchanged."
        }
        Mode::Fill => "In mode enforce every error becomes the envelope, whatever its shape.",
        _ => "In mode enforce every error is the envelope. This is the last mode.",
    }
}

#[cfg(test)]
mod tests;
