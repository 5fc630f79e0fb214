//! JSON, laid out for people and without credentials, in one pass: fields stay in their order, numbers as they were
//! written, and a text that breaks off is laid out as far as it goes.

use super::rules::{MOST, TAKEN};
use super::tokens::{Literal, Stop, Tokens};
use super::{card, name, text};

/// Deeper values are indented no further: a body of brackets alone must not grow with its square.
const DEEPEST: usize = 16;

/// The level that a `{` or `[` began.
struct Level {
    is_object: bool,
    is_empty: bool,
    /// The next value has a name that marks it as a credential.
    is_telling: bool,
}

struct Layout<'a> {
    tokens: Tokens<'a>,
    out: String,
    levels: Vec<Level>,
}

/// `None` if the text is no object or array, or stops being one before its end; `whole` means that it has an end.
pub(super) fn laid_out(text: &str, whole: bool) -> Option<String> {
    let text = text.trim();
    let mut layout = Layout { tokens: Tokens::new(text), out: String::new(), levels: Vec::new() };
    if !text.starts_with(['{', '[']) {
        return None;
    }
    match layout.value() {
        Ok(true) if layout.tokens.is_at_end() => Some(layout.out),
        Ok(false) => Some(layout.out + " …"),
        // A text that broke off is read as plain text again, in case it never was JSON.
        Err(Stop::BrokeOff) if !whole => Some(text::redacted(&layout.out) + " …"),
        _ => None,
    }
}

impl Layout<'_> {
    /// A value with its contents, without recursion: the sender controls the depth. `false` if enough was laid out before
    /// its end.
    fn value(&mut self) -> Result<bool, Stop> {
        while self.out.len() <= MOST {
            let mut step = self.one_value()?;
            while let Step::Up = step {
                if self.levels.is_empty() {
                    return Ok(true);
                }
                step = self.behind_value()?;
            }
        }
        Ok(false)
    }

    /// A text, a literal, a value to redact as a whole, or the beginning of nested values.
    fn one_value(&mut self) -> Result<Step, Stop> {
        let taken = self.levels.last().is_some_and(|level| level.is_telling);
        match self.tokens.next()? {
            '{' | '[' if taken => self.tokens.brackets().map(|()| self.put_taken()),
            bracket @ ('{' | '[') => self.enter(bracket),
            '"' => self.tokens.string().map(|text| self.put_text(&text, taken)),
            _ => self.literal(taken),
        }
    }

    fn put_text(&mut self, text: &str, taken: bool) -> Step {
        if taken {
            return self.put_taken();
        }
        self.push(&text::redacted(text));
        if let Some(list) = self.levels.last_mut().filter(|level| !level.is_object) {
            list.is_telling = name::is_just(text);
        }
        Step::Up
    }

    fn enter(&mut self, bracket: char) -> Result<Step, Stop> {
        self.tokens.push(bracket)?;
        self.out.push(bracket);
        self.levels.push(Level { is_object: bracket == '{', is_empty: true, is_telling: false });
        match self.tokens.next()? {
            '}' | ']' => self.close(),
            _ => self.next_member(),
        }
    }

    fn behind_value(&mut self) -> Result<Step, Stop> {
        match self.tokens.next()? {
            '}' | ']' => self.close(),
            _ => {
                self.tokens.push(',')?;
                self.out.push(',');
                self.next_member()
            }
        }
    }

    fn next_member(&mut self) -> Result<Step, Stop> {
        self.new_line();
        let level = self.levels.last_mut().ok_or(Stop::Malformed)?;
        level.is_empty = false;
        if level.is_object {
            self.tokens.next()?;
            let name = self.tokens.string()?;
            self.push(&text::redacted(&name));
            self.tokens.next()?;
            self.tokens.push(':')?;
            self.out.push_str(": ");
            self.levels.last_mut().ok_or(Stop::Malformed)?.is_telling = name::is_telling(&name);
        }
        Ok(Step::Value)
    }

    fn close(&mut self) -> Result<Step, Stop> {
        let level = self.levels.pop().ok_or(Stop::Malformed)?;
        let closing = if level.is_object { '}' } else { ']' };
        self.tokens.push(closing)?;
        if !level.is_empty {
            self.new_line();
        }
        self.out.push(closing);
        if let Some(list) = self.levels.last_mut().filter(|level| !level.is_object) {
            list.is_telling = false;
        }
        Ok(Step::Up)
    }

    fn literal(&mut self, taken: bool) -> Result<Step, Stop> {
        let Literal { text, is_number } = self.tokens.literal()?;
        let digits = text.trim_start_matches('-');
        let is_card = digits.bytes().all(|it| it.is_ascii_digit()) && card::is_in(digits);
        if is_number && (taken || is_card) {
            return Ok(self.put_taken());
        }
        self.out.push_str(text);
        self.after_value();
        Ok(Step::Up)
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn put_taken(&mut self) -> Step {
        self.push(TAKEN);
        self.after_value();
        Step::Up
    }

    fn after_value(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.is_telling = false;
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.levels.len().min(DEEPEST) {
            self.out.push_str("  ");
        }
    }
}

enum Step {
    /// A value is next.
    Value,
    /// A value has ended.
    Up,
}

#[cfg(test)]
mod tests {
    use super::laid_out;

    fn whole(text: &str) -> Option<String> {
        laid_out(text, true)
    }

    #[test]
    fn members_stay_in_their_order_and_numbers_as_they_were_written() {
        let text = r#" {"z":1.50,"a":[1,{"b":null},[],{}],"é":"\u00e9\n"} "#;
        let laid = "{\n  \"z\": 1.50,\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    },\n    [],\n    {}\n  ],\n  \"é\": \"é\\n\"\n}";
        assert_eq!(whole(text).as_deref(), Some(laid));
    }

    #[test]
    fn what_must_not_be_seen_is_taken_out() {
        for (text, secret) in [
            (r#"{"password":"hunter2"}"#, "hunter2"),
            (r#"{"pass\u0077ord":"hunter2"}"#, "hunter2"),
            (r#"{"token":{"a":["hunter2"]},"b":1}"#, "hunter2"),
            (r#"{"api_key":4711471147}"#, "4711"),
            (r#"["Authorization","hunter2"]"#, "hunter2"),
            (r#"{"loc":["body","password"],"input":"hunter2"}"#, "hunter2"),
            (r#"{"message":"Bearer hunter2hunter2"}"#, "hunter2"),
            (r#"{"m":"{\"password\":\"hunter2\"}"}"#, "hunter2"),
            (r#"{"name":"Authorization","val":"hunter2"}"#, "hunter2"),
            (r#"{"val":["hunter2"],"key":"Authorization"}"#, "hunter2"),
            (r#"{"received":"hunter2","expected":"a"}"#, "hunter2"),
            (r#"{"m":"{\"pass\\u0077ord\":\"hunter2\"}"}"#, "hunter2"),
            (r#"{"m":"{\"got\":\"hunter2\"}"}"#, "hunter2"),
            (r#"{"hunter2":{"password":"x"},"n":4111111111111111}"#, "4111111"),
        ] {
            let laid = whole(text).unwrap();
            assert!(!laid.contains(secret), "{text}: {laid}");
            assert!(laid.contains("[redacted]"), "{laid}");
        }
        let laid = whole(r#"{"token":{"a":"x"},"b":1,"c":["token","x","y"]}"#).unwrap();
        assert!(laid.contains("\"b\": 1") && laid.contains("\"y\""), "{laid}");
    }

    #[test]
    fn what_is_no_json_is_left_to_others() {
        for text in ["", "hello", "{\"a\":}", "{\"a\" 1}", "[1,2", "{]", "[1] 2", "{\"a\":1,}x", "[nul]", "[}"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn what_breaks_off_is_laid_out_as_far_as_it_goes() {
        for (text, laid) in [
            (r#"{"a":1,"b":"half a str"#, "{\n  \"a\": 1,\n  \"b\":  …"),
            (r#"{"token":{"x":"hunter2","#, "{\n  \"token\":  …"),
            (r#"{"a":["#, "{\n  \"a\": [ …"),
        ] {
            assert_eq!(laid_out(text, false).as_deref(), Some(laid), "{text}");
        }
    }

    #[test]
    fn a_body_of_brackets_does_not_grow_with_its_square() {
        let text = "[".repeat(8192);
        assert!(laid_out(&text, false).unwrap().len() < 3 * super::MOST);
    }
}
