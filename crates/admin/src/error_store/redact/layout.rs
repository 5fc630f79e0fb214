//! Formats JSON for people: fields keep their order, and numbers their spelling.

use error_envelope_core::redact::end_of_string;

/// Deeper values get no further indentation: otherwise a body of nothing but brackets would grow to the square of its
/// length.
const DEEPEST: usize = 16;

/// Formats a JSON text that may break off. The result has at most a few bytes more than `most`.
pub(super) fn format_json(json: &str, most: usize) -> String {
    let mut layout = Layout { out: String::with_capacity(json.len() * 2), depth: 0, is_empty: false };
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        if layout.out.len() > most {
            return layout.out + " …";
        }
        let length = if first == '"' { end_of_string(rest) } else { first.len_utf8() };
        layout.put(first, &rest[..length]);
        rest = &rest[length..];
    }
    layout.out
}

struct Layout {
    out: String,
    depth: usize,
    /// Nothing has followed the last opening bracket yet.
    is_empty: bool,
}

impl Layout {
    fn put(&mut self, first: char, token: &str) {
        match first {
            ' ' | '\t' | '\n' | '\r' => return,
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                if !std::mem::take(&mut self.is_empty) {
                    self.new_line();
                }
            }
            _ if std::mem::take(&mut self.is_empty) => self.new_line(),
            _ => {}
        }
        self.out.push_str(token);
        match first {
            '{' | '[' => (self.depth, self.is_empty) = (self.depth + 1, true),
            ',' => self.new_line(),
            ':' => self.out.push(' '),
            _ => {}
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.depth.min(DEEPEST) {
            self.out.push_str("  ");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::format_json;

    #[test]
    fn fields_stay_in_their_order_and_numbers_as_they_were_written() {
        let text = r#" {"z":1.50,"a":[1,{"b":null},[],{}],"é":"\"é, {\n"} "#;
        let laid = "{\n  \"z\": 1.50,\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    },\n    [],\n    {}\n  ],\n  \"é\": \"\\\"é, {\\n\"\n}";
        assert_eq!(format_json(text, 999), laid);
    }

    #[test]
    fn what_breaks_off_is_laid_out_as_far_as_it_goes() {
        for (text, laid) in
            [(r#"{"a":1,"b":"#, "{\n  \"a\": 1,\n  \"b\": "), (r#"{"a":["#, "{\n  \"a\": ["), ("[[1", "[\n  [\n    1")]
        {
            assert_eq!(format_json(text, 999), laid, "{text}");
        }
    }

    #[test]
    fn a_body_of_brackets_does_not_grow_with_its_square() {
        let text = "[".repeat(8192);
        assert!(format_json(&text, 8192).len() < 3 * 8192);
    }
}
