//! Lists the rows of the cases that differ with the external processor, and why. `DIFFERS.md` in this folder lists
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::super::drive::{Driver as _, named};
use super::super::format::Case;
use super::super::{gateway, load};
use super::processor::ExtProc;
use super::{breaks_off, not_by_envoy};

/// A reason, and the rows that differ because of it.
pub(in super::super) struct Difference {
    pub(in super::super) why: &'static str,
    /// True if the result of a row depends on which of two processes is faster. Otherwise, a row that holds must leave
    /// the list.
    pub(in super::super) races: bool,
    drivers: &'static [&'static str],
    /// The part of a name before `/`, and the parts after it, if the case has rows.
    rows: &'static [(&'static str, &'static [&'static str])],
}

impl Difference {
    const fn new(
        why: &'static str,
        drivers: &'static [&'static str],
        rows: &'static [(&'static str, &'static [&'static str])],
    ) -> Self {
        Self { why, races: false, drivers, rows }
    }

    const fn racing(self) -> Self {
        Self { races: true, ..self }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.rows.iter().flat_map(|(name, parts)| match parts {
            [] => vec![(*name).to_owned()],
            parts => parts.iter().map(|part| format!("{name}/{part}")).collect(),
        })
    }
}

const BOTH: &[&str] = &["ext_proc-h1", "ext_proc-h2"];
const H1: &[&str] = &["ext_proc-h1"];
const H2: &[&str] = &["ext_proc-h2"];

const SIZE: &str = "R4: an error without a declared length is answered from its head";
const NO_TYPE: &str = "P2: Envoy takes the content type off an immediate response without a body";

static BREAKS_OFF: Difference = Difference::new(
    "F4: the head waits for the processor. If the body breaks off meanwhile, Envoy answers 502; else there is no last message, \
     and no line in the log",
    BOTH,
    &[],
)
.racing();

static DIFFERENCES: &[Difference] = &[
    Difference::new(
        SIZE,
        BOTH,
        &[
            ("code-of-the-catalogue-without-envelope-status", &[]),
            ("connect-inner-statuses", &["chunked"]),
            ("filled", &["chunked-empty"]),
            ("json-rpc-and-oauth", &["rpc-chunked", "rpc-trickled"]),
            ("passes-through-two", &["soap"]),
            ("read-in-bounds", &["exact-40-chunked"]),
            ("shapes-under-4xx", &["chunked", "to-the-end", "trickled"]),
            ("slow-clients", &["slow-head-and-body"]),
            ("wide-inspect", &["slow"]),
        ],
    ),
    Difference::new(SIZE, H1, &[("old-clients", &["chunked-inside"])]),
    Difference::new(SIZE, H2, &[("deadline-within-an-inner-error", &["connect", "grpc"])]),
    Difference::new(
        "R4: Envoy buffers at most 1 MiB of an error, whatever the policy reads",
        BOTH,
        &[("a-million-issues", &[]), ("very-many-texts", &["objects", "of-a-long-name", "texts"])],
    ),
    Difference::new(
        NO_TYPE,
        BOTH,
        &[
            ("grpc-expect", &["grpc-web"]),
            ("grpc-preflight", &["the-call-itself"]),
            ("grpc-spoken", &["capitals", "capitals-suffix", "parameter"]),
            ("grpc-type-on-an-upload", &["patch-web"]),
            ("grpc-web", &[]),
            (
                "message-limit-of-grpc-web",
                &[
                    "binary-over",
                    "binary-prefix-alone",
                    "binary-second",
                    "text-over",
                    "text-over-by-much",
                    "text-over-in-capitals",
                    "text-prefix-cut",
                    "text-second",
                    "text-second-padded-between",
                    "text-second-padded-between-in-pieces",
                ],
            ),
            ("rpc-no-protocol-passes", &["web-oauth", "web-soap"]),
            (
                "web-exposed",
                &[
                    "beside-others",
                    "binary",
                    "http-2",
                    "not-across",
                    "switched-off",
                    "text",
                    "through-two",
                    "two-lines",
                ],
            ),
            ("web-guards", &["header", "http-2", "invalid", "missing", "missing-text", "type", "type-text"]),
            (
                "web-inner-errors",
                &[
                    "400",
                    "401",
                    "405",
                    "429",
                    "500",
                    "504",
                    "700",
                    "canonical",
                    "issues",
                    "mapped",
                    "text",
                    "text-through-two",
                    "through-two",
                ],
            ),
            ("web-modes", &["fill"]),
            (
                "web-spoken",
                &[
                    "capitals",
                    "http-1",
                    "http-2",
                    "json",
                    "parameter",
                    "plain",
                    "proto",
                    "text",
                    "text-capitals",
                    "text-http-2",
                    "text-proto",
                    "with-accept",
                    "with-its-headers",
                ],
            ),
        ],
    ),
    Difference::new(NO_TYPE, H1, &[("rpc-claimed", &["grpc-web"]), ("rpc-said", &["on-one-message-too-large"])]),
    Difference::new(
        NO_TYPE,
        H2,
        &[("badly-framed-messages", &["base64-of-json", "no-base64"]), ("grpc-deadline", &["grpc-web"])],
    ),
    Difference::new(
        "P1: Envoy makes each immediate response to a gRPC request one of gRPC",
        BOTH,
        &[("grpc-type-with-no-body", &["205"])],
    ),
    Difference::new("P1: Envoy chunks a gRPC response to HEAD", H1, &[("grpc-head", &[])]),
    Difference::new(
        "F4: Envoy resets a call that ends behind its head; without a last message, and without a line for one that its client \
         left",
        H2,
        &[
            ("abandoned-behind-the-head", &["connect", "grpc", "web"]),
            ("deadline-behind-the-head", &["connect", "grpc", "web"]),
            ("message-over-behind-the-head", &["connect", "in-pieces", "prefix-alone", "second", "web", "web-text"]),
        ],
    ),
    Difference::new(
        "G3: Envoy sends the head before the first byte of the body decides, and the service may see it",
        BOTH,
        &[
            ("content-type-refused", &["chunked-missing-late", "one-byte"]),
            ("json-type-wrong", &["chunked-missing"]),
            ("look-alikes-of-guarded-headers", &["type-alone-without-a-length"]),
            ("over-http2", &["type"]),
            ("types-of-a-route", &["chunked-missing"]),
        ],
    )
    .racing(),
    Difference::new(
        "R6: Envoy closes the connection behind each 400 of its own",
        H1,
        &[("required-headers", &["again"])],
    ),
    Difference::new(
        "R6, G5: Envoy decides by itself whether and when it closes a connection, by how much of the request has come",
        H1,
        &[
            ("answer-before-the-body", &["reads-late"]),
            ("content-type-refused", &["before-the-size"]),
            ("credentials-and-bodies", &["reads-late"]),
            ("drain", &[]),
            ("rpc-many-calls", &["an-upload-http-1"]),
            ("size-undeclared-whatever-is-said", &["long"]),
            ("small-drain", &[]),
            ("what-the-rest-costs", &["15-mib", "4-mib", "a-megabyte", "one-more"]),
        ],
    )
    .racing(),
];

/// Returns the reason why a row may differ in this driver.
pub(in super::super) fn difference(driver: &str, case: &Case) -> Option<&'static Difference> {
    let names = |it: &&Difference| it.drivers.contains(&driver) && it.names().any(|name| name == case.name);
    let breaks = || (BOTH.contains(&driver) && breaks_off(case)).then_some(&BREAKS_OFF);
    DIFFERENCES.iter().find(names).or_else(breaks)
}

/// The text of `DIFFERS.md` before its tables.
const INTRODUCTION: &str = "\
# Rows that differ inside Envoy

The rows of `tests/cases` run through the gateway, and through Envoy with the module or with the external processor.
`UPDATE_MANUAL=1 cargo test --test it differs` writes this page; `.ci/envoy` and `.ci/envoy --processor` check it. A row of this page
that holds fails there, unless it races.

";

#[test]
fn the_page_of_rows_that_differ_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/envoy/DIFFERS.md");
    let page = page();
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&file, &page).expect("the page");
    }
    let have = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(have == page, "DIFFERS.md is stale: UPDATE_MANUAL=1 cargo test --test it differs writes it");
}

/// The number of rows that a driver of the processor can send, and the reasons why some of them differ.
struct Sent {
    count: usize,
    by_envoy: BTreeMap<&'static str, usize>,
    by_processor: BTreeMap<(bool, &'static str), Vec<String>>,
}

impl Sent {
    fn new(cases: &[Case], driver: ExtProc) -> Self {
        let mut sent = Self { count: 0, by_envoy: BTreeMap::new(), by_processor: BTreeMap::new() };
        let is_sent =
            |case: &&Case| named(driver.name(), case) && gateway::not_here(case, driver == ExtProc::Http2).is_none();
        for case in cases.iter().filter(is_sent) {
            sent.count += 1;
            match (not_by_envoy(case), difference(driver.name(), case)) {
                (Some(why), _) => *sent.by_envoy.entry(why).or_default() += 1,
                (None, Some(it)) => sent.by_processor.entry((it.races, it.why)).or_default().push(case.name.clone()),
                (None, None) => {}
            }
        }
        sent
    }

    fn line(&self, protocol: &str) -> String {
        let module = self.count - self.by_envoy.values().sum::<usize>();
        let processor = module - self.by_processor.values().map(Vec::len).sum::<usize>();
        format!("| {protocol} | {} | {} | {module} | {processor} |\n", self.count, self.count)
    }
}

/// Groups names as `case/{row, row}`.
fn grouped<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let mut groups = BTreeMap::<&str, BTreeSet<&str>>::new();
    for name in names {
        let (case, row) = name.split_once('/').unwrap_or((name, ""));
        groups.entry(case).or_default().insert(row);
    }
    let written = groups.into_iter().map(|(case, rows)| match &*rows.into_iter().collect::<Vec<_>>() {
        [""] => format!("`{case}`"),
        [row] => format!("`{case}/{row}`"),
        rows => format!("`{case}/{{{}}}`", rows.join(", ")),
    });
    written.collect::<Vec<_>>().join(", ")
}

fn page() -> String {
    let cases = load::cases();
    let [http1, http2] = [ExtProc::Http1, ExtProc::Http2].map(|driver| Sent::new(&cases, driver));
    let mut page = format!("{INTRODUCTION}| protocol | rows | gateway | module | processor |\n|---|---|---|---|---|\n");
    page += &(http1.line("HTTP/1") + &http2.line("HTTP/2"));
    page += "\n## With the processor\n\n| why | HTTP/1 | HTTP/2 | rows |\n|---|---|---|---|\n";
    let reasons: BTreeSet<_> = http1.by_processor.keys().chain(http2.by_processor.keys()).collect();
    for reason in reasons {
        let [first, second] = [&http1, &http2].map(|sent| sent.by_processor.get(reason).map_or(&[][..], Vec::as_slice));
        let names = grouped(first.iter().chain(second));
        let races = if reason.0 { " (races)" } else { "" };
        let _ = writeln!(page, "| {}{races} | {} | {} | {names} |", reason.1, first.len(), second.len());
    }
    page += "\n## With the module and with the processor\n\n| why | HTTP/1 | HTTP/2 |\n|---|---|---|\n";
    for why in http1.by_envoy.keys().chain(http2.by_envoy.keys()).collect::<BTreeSet<_>>() {
        let [first, second] = [&http1, &http2].map(|sent| sent.by_envoy.get(why).copied().unwrap_or_default());
        let _ = writeln!(page, "| {} | {first} | {second} |", why.trim_start_matches("Envoy: "));
    }
    page
}
