//! `error-envelope replay`: how a changed policy changes the responses of recorded exchanges.
//!
//! Each exchange is tried under both policies ([`trial`](crate::trial)); [`change`] lists how the responses differ.
//! Equal changes form one group; the largest group comes first. Credentials cannot be tried, so a route that requires
//! other credentials under the new policy counts as a change.

mod change;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Value, json};

use self::change::{Answer, ReplayChange};
use crate::failure::{CommandError, print};
use crate::policy_source::PolicySource;
use crate::recorded::{Recorded, Source, is_request};
use crate::report::json_text;
use crate::text::{counted, cut, one_line, printable};
use crate::trial::Trial;

/// Show how a policy change affects clients
///
/// Applies both policies to recorded exchanges and groups the differences, for review in a pull request.
/// Exits with 1 if there are differences. Credentials in the recordings are assumed valid.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read these HAR files and `curl -i` responses; the request of NAME.http is in NAME.request.http
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// Use this policy as the old one, which is now active: a file, or REVISION:FILE of Git, as in main:policy.toml
    #[arg(long, value_name = "FILE")]
    old: PathBuf,
    /// Use this policy as the new one: a file, or REVISION:FILE
    #[arg(long, value_name = "FILE")]
    new: PathBuf,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Print groups with their counts, and an example of each
    #[default]
    Human,
    /// Print one JSON object: the groups, and the number of exchanges
    Json,
}

/// Writes the differences to standard output. Returns the exit code: 1 if there are any, else 0.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let (old, new) = (trial(&args.old)?, trial(&args.new)?);
    let mut replay = Replay::default();
    for capture in &args.captures {
        if args.captures.len() > 1 && is_request(capture) {
            continue;
        }
        replay.unanswered += Source::open(capture)?.each(|recorded| {
            replay.exchanges += 1;
            let change = ReplayChange::between(&Answer::under(&old, &recorded), &Answer::under(&new, &recorded));
            change.into_iter().for_each(|change| replay.add(change, &recorded));
            Ok(())
        })?;
    }
    let groups = replay.groups();
    print(&match args.format {
        Format::Human => replay.to_text(&groups),
        Format::Json => replay.as_json(&groups),
    })?;
    Ok(u8::from(!groups.is_empty()))
}

fn trial(name: &Path) -> Result<Trial, CommandError> {
    let source = PolicySource::find(name)?;
    Trial::from_file(Some(&source.path), &[]).map_err(|errors| source.failure(errors))
}

#[derive(Default)]
struct Replay {
    exchanges: usize,
    /// Entries of a HAR that have no response.
    unanswered: usize,
    changes: BTreeMap<ReplayChange, (usize, Example)>,
}

/// The first exchange of a group.
#[derive(Clone)]
struct Example {
    place: String,
    method: String,
    path: String,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", one_line(&self.place), self.method, cut(&printable(&self.path), 60))
    }
}

type Group<'a> = (&'a ReplayChange, usize, &'a Example);

impl Replay {
    fn add(&mut self, change: ReplayChange, recorded: &Recorded) {
        let example = || Example {
            place: recorded.place.clone(),
            method: recorded.request.method().to_string(),
            path: recorded.request.uri().path().to_owned(),
        };
        self.changes.entry(change).or_insert_with(|| (0, example())).0 += 1;
    }

    /// The groups, the largest first; groups of equal size in the order of the captures' names.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> =
            self.changes.iter().map(|(change, (count, example))| (change, *count, example)).collect();
        groups.sort_by_key(|(_, count, _)| Reverse(*count));
        groups
    }

    fn to_text(&self, groups: &[Group<'_>]) -> String {
        let mut out = String::new();
        for (change, count, example) in groups {
            let route = change.route.as_deref().unwrap_or("no route");
            out += &format!("{count} x {route}: {} -> {}\n", change.old, change.new);
            out += &format!("    changes: {}\n    for example {example}\n\n", change.to_text());
        }
        let changed: usize = groups.iter().map(|(_, count, _)| count).sum();
        let exchanges = counted(self.exchanges, "exchange");
        out += &match groups.len() {
            0 => format!("{exchanges}: no changes for clients"),
            many => format!("{exchanges}: {} in {}", counted(changed, "changed response"), counted(many, "group")),
        };
        if self.unanswered > 0 {
            out += &format!("; {} had no response", self.unanswered);
        }
        out + "\n"
    }

    fn as_json(&self, groups: &[Group<'_>]) -> String {
        let group = |(change, count, example): &Group<'_>| {
            json!({
                "count": count,
                "route": change.route,
                "old": change.old.as_json(),
                "new": change.new.as_json(),
                "changed": change.what,
                "example": { "place": example.place, "method": example.method, "path": example.path },
            })
        };
        let changed: usize = groups.iter().map(|(_, count, _)| count).sum();
        json_text(&json!({
            "exchanges": self.exchanges,
            "without_response": self.unanswered,
            "changed": changed,
            "groups": groups.iter().map(group).collect::<Vec<Value>>(),
        }))
    }
}
