//! The tokens of a JSON text, taken off one after the other. A token that breaks off may be half of a credential.

/// Why no token can be taken off.
pub(super) enum Stop {
    /// The text is no JSON.
    Malformed,
    /// The text ends within the token, or before it.
    BrokeOff,
}

/// The rest of a text.
pub(super) struct Tokens<'a>(&'a str);

/// A number, or one of the three names.
pub(super) struct Literal<'a> {
    pub(super) text: &'a str,
    pub(super) is_number: bool,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The first character of the next token.
    pub(super) fn next(&mut self) -> Result<char, Stop> {
        self.0 = self.0.trim_start();
        self.0.chars().next().ok_or(Stop::BrokeOff)
    }

    /// Takes this character off, if it is next.
    pub(super) fn push(&mut self, character: char) -> Result<(), Stop> {
        self.0 = self.0.strip_prefix(character).ok_or(Stop::Malformed)?;
        Ok(())
    }

    /// Takes a string off.
    pub(super) fn string(&mut self) -> Result<String, Stop> {
        let inner = self.0.strip_prefix('"').ok_or(Stop::Malformed)?;
        let end = end_of_string(inner).ok_or(Stop::BrokeOff)?;
        let (token, rest) = self.0.split_at(end + 2);
        self.0 = rest;
        // A token that is no JSON string is read as it stands.
        Ok(serde_json::from_str(token).unwrap_or_else(|_| inner[..end].to_owned()))
    }

    pub(super) fn literal(&mut self) -> Result<Literal<'a>, Stop> {
        let end = self.0.find(|it: char| !it.is_ascii_alphanumeric() && !matches!(it, '+' | '-' | '.'));
        let (text, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        let is_name = matches!(text, "null" | "true" | "false");
        let is_number = text.starts_with(|it: char| it.is_ascii_digit() || it == '-');
        if !is_name && !is_number {
            return Err(Stop::Malformed);
        }
        self.0 = rest;
        Ok(Literal { text, is_number })
    }

    /// Takes an object or an array off.
    pub(super) fn brackets(&mut self) -> Result<(), Stop> {
        self.0 = behind_brackets(self.0).ok_or(Stop::BrokeOff)?;
        Ok(())
    }
}

/// Where a string ends, behind its opening quote.
fn end_of_string(inner: &str) -> Option<usize> {
    let mut escaped = false;
    inner.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// What follows the bracket that closes the first one.
fn behind_brackets(text: &str) -> Option<&str> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += end_of_string(&text[at + 1..])? + 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[at + 1..]);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}
