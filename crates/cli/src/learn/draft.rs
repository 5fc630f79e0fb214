//! Drafts of `[[map]]` and `[[code]]`, from errors that occur often.
//!
//! 1. An unknown code: a rule by status and code. One code may be a 4xx and a 5xx, and only the first is for clients.
//! 2. A text that is safe to write: a rule by status and text.
//! 3. A 4xx on a route without a text that is safe to write: a rule by status and route, unless other errors of that
//!    status on that route differ by more than their status: such a rule would go before what distinguishes them.
//! 4. Anything else is counted in a comment.
//!
//! An error with only a status is left out if that suffices, such as 405, and if it is a 5xx: its text is for the log.
//! A rule for the code of a 5xx is a comment: once it names an error, the details of its body reach clients (R3).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::fs;

use crate::drafting::{self, code_of_status, is_in_catalogue, quoted, rule, status_says_all};
use serde_json::{Value, json};
use tower_error_envelope::ErrorCode;
use tower_error_envelope::policy::PolicyFile;

use super::message_template::Template;
use super::observed::ObservedErrors;
use crate::text::{counted, one_line};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Code(u16, String),
    Text(u16, Template),
    OnRoute(u16, String),
    /// Errors with only this status: nothing else could be a condition.
    Bare(u16),
}

impl Kind {
    /// `None` if more than the status determines the code.
    fn of_error(seen: &ObservedErrors) -> Option<Self> {
        let status = seen.status;
        match (&seen.code, &seen.text, &seen.route) {
            (Some(code), ..) => Some(Self::Code(status, code.clone())),
            _ if !seen.by_status => None,
            (None, Some(text), _) => Some(Self::Text(status, text.clone())),
            (None, None, Some(route)) => Some(Self::OnRoute(status, route.clone())),
            (None, None, None) => Some(Self::Bare(status)),
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Code(status, _) | Self::Text(status, _) | Self::OnRoute(status, _) | Self::Bare(status) => *status,
        }
    }
}

/// The layer tries rules in order, so a rule that matches only by route comes after those that match an error's
/// content. A comment comes last, so that a code it shares with an active rule is defined by that rule.
const fn rank(kind: &Kind) -> u8 {
    match kind {
        _ if kind.status() >= 500 => 2,
        Kind::OnRoute(..) | Kind::Bare(_) => 1,
        Kind::Code(..) | Kind::Text(..) => 0,
    }
}

const DETAILS_OF_5XX: &str = "# With this rule, clients get the details of a 5xx error. Check that they contain no secrets, then remove each #.\n";

#[derive(Default)]
struct Tally {
    count: usize,
    routes: BTreeSet<String>,
    becomes: BTreeMap<String, usize>,
}

type Counted<'a> = (&'a Kind, &'a Tally);

/// The observed errors, by kind.
pub(super) struct Drafts<'p> {
    kinds: HashMap<Kind, Tally>,
    /// Routes and statuses whose errors differ by more than the status.
    distinguished: HashSet<(u16, String)>,
    /// The policy that the drafts are for, and the texts of its files.
    policy: Option<(&'p PolicyFile, String)>,
    custom_codes: HashMap<String, ErrorCode>,
    errors: usize,
    /// The number of errors that need no draft, since their status suffices.
    by_status_alone: usize,
    /// Whether the input has texts of the service.
    has_texts: bool,
}

impl<'p> Drafts<'p> {
    pub(super) fn new(policy: Option<&'p PolicyFile>, has_texts: bool) -> Self {
        let custom_codes = policy.into_iter().flat_map(|file| file.policy().own_codes());
        let custom_codes = custom_codes.map(|code| (code.as_str().to_owned(), code.clone())).collect();
        let text = |file: &PolicyFile| file.files().filter_map(|path| fs::read_to_string(path).ok()).collect();
        let policy = policy.map(|file| (file, text(file)));
        let (kinds, distinguished) = (HashMap::new(), HashSet::new());
        Self { kinds, distinguished, policy, custom_codes, errors: 0, by_status_alone: 0, has_texts }
    }

    pub(super) fn add(&mut self, seen: ObservedErrors) {
        self.errors += 1;
        if let Some(route) = seen.route.as_ref().filter(|_| !seen.by_status) {
            self.distinguished.insert((seen.status, route.clone()));
        }
        if seen.code.is_none() && seen.by_status && (!seen.has_content || status_says_all(seen.status)) {
            self.by_status_alone += 1;
            return;
        }
        let Some(kind) = Kind::of_error(&seen).filter(|kind| !self.is_drafted(kind, &seen)) else { return };
        let tally = self.kinds.entry(kind).or_default();
        tally.count += 1;
        *tally.becomes.entry(seen.becomes).or_default() += 1;
        tally.routes.extend(seen.route);
    }

    /// Whether the policy already has the draft: as a rule that someone added after the log was written, or as a
    /// comment.
    fn is_drafted(&self, kind: &Kind, seen: &ObservedErrors) -> bool {
        let Some((file, texts)) = &self.policy else { return false };
        let rule = rule(seen.status, &condition(kind), "", "", false);
        let comment: String = rule.lines().take_while(|line| !line.starts_with("to = ")).map(commented).collect();
        let is_rule =
            file.has_rule_for(seen.scope.as_deref(), seen.status, seen.code.as_deref(), seen.route.as_deref());
        is_rule || seen.status >= 500 && texts.contains(&comment)
    }

    /// The drafts and the comments, each in the order in which they are written.
    fn in_order(&self) -> (Vec<Counted<'_>>, Vec<Counted<'_>>) {
        let (mut drafted, mut bare): (Vec<_>, Vec<_>) = self.kinds.iter().partition(|(kind, _)| match kind {
            Kind::Code(..) | Kind::Text(..) => true,
            Kind::OnRoute(status, route) => !self.distinguished.contains(&(*status, route.clone())),
            Kind::Bare(_) => false,
        });
        for list in [&mut drafted, &mut bare] {
            list.sort_by_key(|(kind, tally)| (rank(kind), std::cmp::Reverse(tally.count), (*kind).clone()));
        }
        (drafted, bare)
    }

    pub(super) fn to_json(&self) -> Value {
        let (drafted, bare) = self.in_order();
        let mut defined = HashSet::new();
        let drafts = drafted.into_iter().map(|(kind, tally)| {
            json!({
                "count": tally.count,
                "status": kind.status(),
                "routes": tally.routes,
                "becomes": tally.becomes.keys().collect::<Vec<_>>(),
                "code": name_of(kind, kind.status()),
                "toml": self.draft(kind, tally, &mut defined),
            })
        });
        let drafts: Vec<_> = drafts.collect();
        let left = bare.into_iter().map(|(kind, tally)| {
            json!({ "count": tally.count, "status": kind.status(), "reason": left_out(kind, self.has_texts) })
        });
        let left: Vec<_> = left.collect();
        json!({ "errors": self.errors, "decided_by_status": self.by_status_alone, "drafts": drafts, "not_drafted": left })
    }

    pub(super) fn to_text(&self) -> String {
        let (drafted, bare) = self.in_order();
        let mut out = self.summary(drafted.len());
        let mut defined = HashSet::new();
        for (kind, tally) in drafted {
            out += &format!("\n{}", self.draft(kind, tally, &mut defined));
        }
        if !bare.is_empty() {
            out.push_str("\n# Not drafted:\n");
        }
        for (kind, tally) in bare {
            let _ = writeln!(out, "# {} x {}", tally.count, left_out(kind, self.has_texts));
        }
        out
    }

    fn summary(&self, drafts: usize) -> String {
        let errors = counted(self.errors, "inner error");
        let alone = match self.by_status_alone {
            0 => String::new(),
            1 => ", 1 determined by its status alone".to_owned(),
            many => format!(", {many} determined by their status alone"),
        };
        match (self.kinds.values().map(|tally| tally.count).sum(), self.by_status_alone) {
            (0, 0) => format!("# {errors}, each with a code.\n"),
            (0_usize, _) => format!("# {errors}{alone}: no drafts.\n"),
            (without, _) => {
                format!("# {errors}, {without} without a code{alone}: {}.\n", counted(drafts, "draft"))
            }
        }
    }

    fn draft(&self, kind: &Kind, tally: &Tally, defined: &mut HashSet<String>) -> String {
        let status = kind.status();
        let (name, text) = (name_of(kind, status), default_text(kind, status));
        let head = format!("# {} x {}\n", tally.count, describe(kind, tally));
        let is_known = is_in_catalogue(&name) || self.custom_codes.contains_key(&name);
        let defines = !is_known && defined.insert(name.clone());
        let tables = rule(status, &condition(kind), &name, &text, defines);
        if status < 500 {
            return head + &tables;
        }
        head + DETAILS_OF_5XX + &tables.lines().map(commented).collect::<String>()
    }
}

fn commented(line: &str) -> String {
    format!("# {line}").trim_end().to_owned() + "\n"
}

/// The description of the errors in a comment.
fn describe(kind: &Kind, tally: &Tally) -> String {
    let list = |all: Vec<String>| all.join(", ");
    let becomes = list(tally.becomes.keys().cloned().collect());
    let what = match kind {
        Kind::Code(..) => "a code that is not in the catalogue",
        Kind::Text(..) => "a message without a code",
        Kind::OnRoute(..) | Kind::Bare(_) => "an error without a code",
    };
    let routes = match tally.routes.len() {
        0 => String::new(),
        1..=3 => format!(", on {}", list(tally.routes.iter().map(|route| one_line(route)).collect())),
        many => format!(", on {many} routes"),
    };
    format!("{what}, status {}{routes}; clients get {becomes}", kind.status())
}

fn left_out(kind: &Kind, has_texts: bool) -> String {
    match kind {
        Kind::OnRoute(status, route) => {
            let advice = if has_texts { "" } else { "; use a HAR file, which has the messages" };
            format!("status {status} on {}: the route has other errors with this status{advice}", one_line(route))
        }
        Kind::Bare(status) => {
            let advice = if has_texts { "" } else { ", or use a HAR file" };
            format!("status {status} without a route: first add a [[route]] for the path{advice}")
        }
        Kind::Code(..) | Kind::Text(..) => String::new(),
    }
}

/// The condition of a rule, apart from the status.
fn condition(kind: &Kind) -> String {
    match kind {
        Kind::Code(_, code) => format!("code = {}\n", quoted(code)),
        Kind::Text(_, text) => match text.exact() {
            Some(exact) => format!("message = {}\n", quoted(&exact)),
            None => format!("message_pattern = {}\n", quoted(&text.pattern())),
        },
        Kind::OnRoute(_, route) => format!("route = {}\n", quoted(route)),
        Kind::Bare(_) => String::new(),
    }
}

/// A code's name, in the form of E2.
fn name_of(kind: &Kind, status: u16) -> String {
    const MOST_WORDS: usize = 5;

    match kind {
        Kind::Code(_, code) => drafting::name_of(code),
        Kind::Text(_, text) => drafting::name_of(&text.words().take(MOST_WORDS).collect::<Vec<_>>().join("_")),
        Kind::OnRoute(_, route) => drafting::name_on_route(route, status),
        Kind::Bare(_) => code_of_status(status).as_str().to_owned(),
    }
}

/// The text that clients get if the service's own is not safe to write.
fn default_text(kind: &Kind, status: u16) -> String {
    match kind {
        Kind::Code(_, code) if status < 500 => drafting::sentence(code),
        Kind::Text(_, text) if status < 500 => {
            text.exact().unwrap_or_else(|| code_of_status(status).message().to_owned())
        }
        _ => code_of_status(status).message().to_owned(),
    }
}
