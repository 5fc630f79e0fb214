//! Event streams whose events are JSON objects with a `type` and a number, such as those of OpenAI's Responses (F6).
//!
//! An event may be many megabytes long, so the scanner stores only its number, and the position in its object.

/// Reads the events of a stream as they pass, in pieces of any size.
#[derive(Clone, Copy, Debug, Default)]
pub struct TypedEventScanner {
    /// The number of bytes of the line that equal the beginning of [`DATA`].
    field: usize,
    /// True if the line is not empty.
    in_line: bool,
    /// True if the last line ended in CR. An LF right after the CR belongs to the same line end.
    after_cr: bool,
    object: ObjectScanner,
    /// True if an earlier event had a type.
    is_typed: bool,
    last: Option<u64>,
}

const DATA: &[u8] = b"data:";

impl TypedEventScanner {
    pub fn read(&mut self, data: &[u8]) {
        data.iter().for_each(|byte| self.step(*byte));
    }

    /// Returns the number that the next event must have, or `None` if no earlier event has a type.
    pub fn next_number(&self) -> Option<u64> {
        self.is_typed.then(|| self.last.map_or(0, |last| last.saturating_add(1)))
    }

    fn step(&mut self, byte: u8) {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => {}
            b'\n' | b'\r' => self.end_line(),
            _ if self.field == DATA.len() => self.object.step(byte),
            _ => self.begin_line(byte),
        }
    }

    fn begin_line(&mut self, byte: u8) {
        let begins = !self.in_line || self.field > 0;
        self.field = if begins && byte == DATA[self.field] { self.field + 1 } else { 0 };
        self.in_line = true;
    }

    /// Ends the current line. If the line is empty, the event ends, too.
    fn end_line(&mut self) {
        if !self.in_line {
            let object = std::mem::take(&mut self.object);
            if object.is_whole_and_typed() {
                self.is_typed = true;
                self.last = object.number.or(self.last);
            }
        }
        (self.in_line, self.field) = (false, 0);
    }
}

/// The position in a JSON text, and the parts of its outermost object that were read.
#[derive(Clone, Copy, Debug, Default)]
struct ObjectScanner {
    depth: u32,
    quoted: bool,
    escaped: bool,
    is_object: bool,
    /// True if the name of a field of the outermost object is next, or is being read.
    in_name: bool,
    name: Name,
    is_typed: bool,
    number: Option<u64>,
}

/// The part of a field's name that was read so far.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    bytes: [u8; 16],
    /// The number of bytes that were read.
    length: usize,
}

impl Name {
    fn step(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
    }

    fn is(&self, name: &[u8]) -> bool {
        self.bytes.get(..self.length) == Some(name)
    }
}

impl ObjectScanner {
    fn is_whole_and_typed(&self) -> bool {
        self.is_object && self.is_typed && self.depth == 0 && !self.quoted
    }

    fn step(&mut self, byte: u8) {
        if self.quoted {
            return self.step_quoted(byte);
        }
        match byte {
            b'"' => {
                self.quoted = true;
                if self.depth == 1 && self.in_name {
                    self.name = Name::default();
                } else if self.depth == 1 {
                    self.is_typed |= self.name.is(b"type");
                }
            }
            b'{' | b'[' => {
                if self.depth == 0 {
                    (self.is_object, self.in_name) = (byte == b'{', byte == b'{');
                }
                self.depth += 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.depth == 1 => self.in_name = false,
            b',' if self.depth == 1 => (self.in_name, self.name) = (self.is_object, Name::default()),
            b'0'..=b'9' if self.depth == 1 && self.name.is(b"sequence_number") => {
                let digits = self.number.unwrap_or(0);
                self.number = Some(digits.saturating_mul(10).saturating_add(u64::from(byte - b'0')));
            }
            _ => {}
        }
    }

    fn step_quoted(&mut self, byte: u8) {
        let ends = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        self.quoted = !ends;
        if self.depth == 1 && self.in_name && !ends {
            self.name.step(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f6_a_typed_event_has_a_number_that_goes_on() {
        for (stream, number) in [
            ("", None),
            ("data: 1\n\n", None),
            ("data: {\"object\":\"chunk\",\"choices\":[{\"type\":\"x\"}]}\n\n", None),
            ("data: {\"type\":\"a\",\"sequence_number\":7}\n\n", Some(8)),
            ("data: {\"type\":\"a\",\"sequence_number\":7}\r\n\r\n", Some(8)),
            (
                "event: a\rdata:{\"response\":{\"sequence_number\":3,\"type\":1},\"sequence_number\": 12 ,\"type\":\"a\"}\r\r",
                Some(13),
            ),
            ("data: {\"type\":\"a\"}\n\n", Some(0)),
            ("data: {\"type\":1,\"sequence_number\":7}\n\n", None),
            ("data: [\"type\",\"a\"]\n\n", None),
            ("data: {\"ty\\\"pe\":\"type\",\"types\":\"a\",\"typ\":\"a\"}\n\n", None),
            ("data: {\"type\":\"}\\\"\",\ndata: \"sequence_number\":7}\n\n", Some(8)),
            ("data: {\"type\":\"a\",\r\ndata: \"sequence_number\":7}\r\n\r\n", Some(8)),
            // An unfinished event is ignored.
            ("data: {\"type\":\"a\",\"sequence_number\":7}\n\ndata: {\"type\":\"a\",\"sequence_number\":8}\n", Some(8)),
            ("data: {\"type\":\"a\",\"sequence_number\":7}\n\ndata: [DONE]\n\n: ping\n\n", Some(8)),
            ("xdata: {\"type\":\"a\"}\n\n", None),
        ] {
            for size in [1, 5, 1000] {
                let mut scanner = TypedEventScanner::default();
                stream.as_bytes().chunks(size).for_each(|piece| scanner.read(piece));
                assert_eq!(scanner.next_number(), number, "{stream}");
            }
        }
    }
}
