//! Checks that a line is what `tracing_subscriber` writes.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use proptest::prelude::*;
use regex::Regex;
use tracing::subscriber::with_default;
use tracing::{Subscriber, debug, error, info, info_span, trace, warn};
use tracing_subscriber::fmt::{FormatEvent, FormatFields, MakeWriter, Subscriber as Lines, SubscriberBuilder};
use tracing_subscriber::registry::Registry;

use super::log_json::JsonLine;
use super::log_text::TextLine;

static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z").expect("a pattern"));

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Written {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The lines that `log` writes, without their times.
fn lines<N, E>(builder: SubscriberBuilder<N, E>, log: &dyn Fn()) -> String
where
    N: for<'a> FormatFields<'a> + Send + Sync + 'static,
    E: FormatEvent<Registry, N> + Send + Sync + 'static,
    Lines<N, E, tracing::level_filters::LevelFilter, Written>: Subscriber + Into<tracing::Dispatch>,
{
    let written = Written::default();
    with_default(builder.with_max_level(tracing::Level::TRACE).with_writer(written.clone()).finish(), log);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(text.is_empty() || TIME.is_match(&text), "{text}");
    TIME.replace_all(&text, "TIME").into_owned()
}

fn are_as_before(log: &dyn Fn()) {
    for is_coloured in [false, true] {
        let builder = || tracing_subscriber::fmt().with_ansi(is_coloured);
        assert_eq!(lines(builder().event_format(TextLine), log), lines(builder(), log));
    }
    let builder = || tracing_subscriber::fmt().json();
    assert_eq!(lines(builder().event_format(JsonLine), log), lines(builder(), log));
}

#[test]
fn lines_are_those_of_tracing_subscriber() {
    are_as_before(&|| {
        let none = None::<&str>;
        info!("plain");
        warn!(target: "a::target", status = 404_u16, small = -3_i8, yes = true, part = 0.5, not = f64::NAN, none, "with fields");
        error!(id = %"01J", debug = ?vec!["a", "b\n"], text = "a \"quoted\" \\ \u{1b}[31m ü text", r#type = "raw");
        let _outer = info_span!("client", client_address = %"127.0.0.1", zone = "a").entered();
        debug!(message = "a message \u{1b}[31m \u{85} as text");
        let _inner = info_span!("empty").entered();
        trace!("{}", "formatted \u{7} \u{9b} \"here\"");
    });
}

#[test]
fn an_error_has_its_causes() {
    are_as_before(&|| {
        let cause = io::Error::other("the \u{1b}cause");
        let failed = io::Error::other(Outer(io::Error::other(Outer(cause))));
        error!(error = &failed as &(dyn std::error::Error + 'static), "failed");
        let alone = io::Error::other("alone\u{7}");
        error!(error = &alone as &(dyn std::error::Error + 'static), after = 1);
    });
}

#[derive(Debug)]
struct Outer(io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

proptest! {
    #[test]
    fn any_text_is_written_as_before(text in any::<String>()) {
        are_as_before(&|| info!(text, shown = %text, debug = ?text, "{text}"));
    }
}

#[test]
fn each_character_is_written_as_before() {
    are_as_before(&|| {
        for character in '\0'..='\u{180}' {
            let text = character.to_string();
            info!(text, shown = %text, debug = ?text, "{text}");
        }
    });
}
