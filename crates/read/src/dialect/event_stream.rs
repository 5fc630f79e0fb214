//! Event streams ("Server-sent events" in the HTML standard). This module finds out whether a stream is between two
//! events, and writes the event that ends a stream (F6).

mod typed;

pub use typed::TypedEventScanner;

/// The media type of event streams.
pub const EVENT_STREAM: &str = "text/event-stream";

/// The beginning of an error event with a name, as [`event`] writes it.
const NAMED_ERROR: &[u8] = b"event: error\ndata: {";
const ERROR: &[u8] = b"data: {\"error\":{";

/// The bytes that may come before the first event.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
const MARK_PASSED: u8 = 3;

/// Reads an event stream as it passes, in pieces of any size. The scanner stores only its position in the stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventScanner {
    line: Line,
    /// True if a line of an event has ended, but the empty line that ends the event has not arrived yet.
    in_event: bool,
    /// True if the last line ended in CR. An LF right after the CR belongs to the same line end.
    after_cr: bool,
    /// The number of bytes of the [`BYTE_ORDER_MARK`] with which the stream has begun. The number is [`MARK_PASSED`]
    /// once any other byte has arrived.
    mark: u8,
}

/// The kind of a line, which its first character shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// No character of the line has arrived yet.
    #[default]
    Empty,
    /// A comment. Clients ignore comments, so an incomplete comment does not change the event behind it.
    Comment,
    /// A field of an event.
    Field,
}

impl EventScanner {
    pub fn read(&mut self, data: &[u8]) {
        data.iter().for_each(|byte| self.step(*byte));
    }

    /// Returns true if a client would treat the next bytes as the beginning of a new event.
    pub fn is_between_events(&self) -> bool {
        self.line == Line::Empty && !self.in_event && matches!(self.mark, 0 | MARK_PASSED)
    }

    /// Returns the position of the error event at the end of these bytes. Returns `None` if the bytes do not end with
    /// an event as [`event`] writes it.
    pub fn last_error(mut self, name: Option<&str>, data: &[u8]) -> Option<usize> {
        let begins = if name.is_some() { NAMED_ERROR } else { ERROR };
        let at = data.windows(begins.len()).rposition(|part| part == begins)?;
        self.read(&data[..at]);
        self.is_between_events().then_some(at)
    }

    fn step(&mut self, byte: u8) {
        if self.mark != MARK_PASSED {
            return self.step_of_mark(byte);
        }
        match byte {
            b'\n' if self.after_cr => self.after_cr = false,
            b'\n' | b'\r' => {
                self.in_event = match self.line {
                    Line::Empty => false,
                    Line::Comment => self.in_event,
                    Line::Field => true,
                };
                (self.line, self.after_cr) = (Line::Empty, byte == b'\r');
            }
            _ => {
                self.after_cr = false;
                if self.line == Line::Empty {
                    self.line = if byte == b':' { Line::Comment } else { Line::Field };
                }
            }
        }
    }

    fn step_of_mark(&mut self, byte: u8) {
        if byte == BYTE_ORDER_MARK[usize::from(self.mark)] {
            self.mark += 1;
            return;
        }
        // An incomplete byte order mark is the beginning of a field's name instead.
        if self.mark > 0 {
            self.line = Line::Field;
        }
        self.mark = MARK_PASSED;
        self.step(byte);
    }
}

/// Returns true if a text begins with a line of an event stream: a field or a comment.
pub(super) fn begins_with_field(text: &str) -> bool {
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    let field = line.split_once(':').map_or(line, |(field, _)| field);
    matches!(field, "data" | "event" | "id" | "retry") || line.starts_with(':')
}

/// Returns an event with this JSON as its data. If `name` is set, the event has this name. Line breaks in JSON are
/// always between tokens.
pub fn event(name: Option<&str>, json: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(json.len() + 32);
    if let Some(name) = name {
        event.extend([b"event: ", name.as_bytes(), b"\n"].concat());
    }
    event.extend(b"data: ");
    event.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    event.extend(b"\n\n");
    event
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scanned<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut scanner = EventScanner::default();
        pieces.into_iter().for_each(|piece| scanner.read(piece));
        scanner.is_between_events()
    }

    #[test]
    fn f6_between_two_events() {
        for (stream, between) in [
            (&b""[..], true),
            (b"data: 1\n\n", true),
            (b"data: 1\r\r", true),
            (b"data: 1\r\n\r\n", true),
            (b"data: 1\r\n\r", true),
            (b"data: 1\n\r\n", true),
            (b"data: 1\r\n", false),
            (b"data: 1\r", false),
            (b"data: 1\n", false),
            (b"data: 1", false),
            (b"d", false),
            (b"\n", true),
            (b"data: 1\n\ndata: 2", false),
            (b"data: 1\n\n\r\n\n", true),
            // A comment is not part of an event, even if it is incomplete.
            (b": ping\n", true),
            (b": ping\n\n", true),
            (b": ping", false),
            (b"data: 1\n: ping\n", false),
            (b"data: 1\n\n: ping\r\n", true),
            (b"\xEF\xBB\xBF", true),
            (b"\xEF\xBB\xBF: ping\n", true),
            (b"\xEF\xBB\xBFdata: 1\n\n", true),
            (b"\xEF\xBB", false),
            (b"\xEF\xBB\n", false),
            (b"\xEF\xBB\xBF\xEF\xBB\xBF\n", false),
            (b"\n\xEF\xBB\xBF\n", false),
        ] {
            assert_eq!(scanned([stream]), between, "{:?}", String::from_utf8_lossy(stream));
        }
    }

    /// Returns true if a client would treat an event that follows the stream as a new event.
    fn model(stream: &[u8]) -> bool {
        let read = |stream: &[u8]| {
            let stream = stream.strip_prefix(&BYTE_ORDER_MARK).unwrap_or(stream);
            let text = stream.iter().map(|byte| char::from(*byte)).collect::<String>();
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            let lines = text.split('\n').filter(|line| !line.starts_with(':')).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        let probe = ["event: probe", "data: x", "", ""];
        let lines = read(&[stream, probe.join("\n").as_bytes()].concat());
        let before = lines.strip_suffix(&probe.map(str::to_owned));
        before.is_some_and(|before| before.last().is_none_or(String::is_empty))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn f6_the_place_is_that_of_a_naive_model_however_it_is_cut(
            pieces in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(vec![
                        &b"\n"[..], b"\r", b"\r\n", b":", b"d", b"data: 1", b"\n\n", b"\xEF", b"\xBB", b"\xBF", b"\xEF\xBB\xBF",
                    ]),
                    0..4,
                ).prop_map(|parts| parts.concat()),
                0..6,
            ),
        ) {
            let whole = pieces.concat();
            let between = scanned(pieces.iter().map(Vec::as_slice));
            prop_assert_eq!(between, model(&whole), "{:?}", whole);
            prop_assert_eq!(between, scanned(whole.chunks(1)));
        }
    }

    #[test]
    fn e7_the_last_error_begins_an_event() {
        for (stream, data, at) in [
            (&b""[..], &b"event: error\ndata: {}\n\n"[..], Some(0)),
            (b"data: 1\n\n", b"event: error\ndata: {}\n\n", Some(0)),
            (b"data: 1\n", b"event: error\ndata: {}\n\n", None),
            (b"data: 1\n", b"\nevent: error\ndata: {}\n\n", Some(1)),
            (b"", b"event: error\ndata: {}\n\nevent: error\ndata: {}\n\n", Some(23)),
            (b"", b"data: event: error\ndata: {}\n\n", None),
            (b"", b"event: error\n", None),
        ] {
            let mut scanner = EventScanner::default();
            scanner.read(stream);
            assert_eq!(scanner.last_error(Some("error"), data), at, "{}", String::from_utf8_lossy(data));
        }
        let data = b"data: {\"error\":1}\n\ndata: {\"error\":{}}\n\n";
        assert_eq!(EventScanner::default().last_error(None, data), Some(19));
    }

    #[test]
    fn f6_an_event_is_two_lines_and_an_empty_one() {
        assert_eq!(event(Some("error"), b"{\"a\":\r\n1}"), b"event: error\ndata: {\"a\":  1}\n\n");
        assert_eq!(event(None, b"{}"), b"data: {}\n\n");
    }
}
