//! Finds the fields that have the text and the code of an error, by their names in any spelling (R2).

/// The positions of a name in the list of names of texts, and in the list of names of codes. A lower position is
/// better.
#[derive(Clone, Copy, Debug)]
pub struct Ranks {
    text: u8,
    code: u8,
}

/// The reliability of a field's name as the name of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeName {
    /// `code`, `type` or `status`.
    Sure,
    /// `name`, `id`, `num` or `key` after a leading word, as in `errorId`.
    Led,
    /// `name`, `id`, `num` or `key` without a leading word. The place and the value of the field then decide whether
    /// the field contains a code.
    Bare,
}

/// The maximum length of a name that is compared, in bytes. All known names are shorter.
pub(crate) const LONGEST: usize = 64;

const NONE: u8 = u8::MAX;

/// Names of fields that contain the text of an error, in the order of preference.
const TEXTS: [&[u8]; 17] = [
    b"longmessage",
    b"message",
    b"msg",
    b"description",
    b"detail",
    b"summary",
    b"title",
    b"context",
    b"reason",
    b"faultstring",
    b"statusmessage",
    b"error",
    b"err",
    b"usermessage",
    b"defaultusermessage",
    b"validationmessage",
    b"explanation",
];

/// Names of fields that contain the code of an error, in the order of preference.
const CODES: [&[u8]; 8] = [b"code", b"type", b"status", b"name", b"id", b"num", b"key", b"cause"];

/// The lowest rank of a name that only sometimes means a code.
const UNSURE: u8 = 6;

impl Ranks {
    pub const NONE: Self = Self { text: NONE, code: NONE };

    pub fn new(name: &str) -> Self {
        // The length of the longest known name, with a leading word and some underscores.
        const MOST: usize = 32;

        let mut buffer = [0; LONGEST];
        let bare = without_prefix(name);
        if bare.len() > MOST {
            return Self::NONE;
        }
        let name = normalized(bare, &mut buffer);
        let (name, is_led) = match without_leading_word(name) {
            // RESTCONF (RFC 8040) puts the layer of an error into `error-type`, and its code into `error-tag`.
            (b"tag" | b"cd", true) => (&b"code"[..], true),
            (b"no" | b"number", true) => (&b"num"[..], true),
            (b"codes", true) => (&b"key"[..], true),
            other => other,
        };
        // A name without a leading word has a better rank than the same name with a leading word.
        let rank = |at: usize| u8::try_from(2 * at + usize::from(is_led)).unwrap_or(NONE);
        let place = |names: &[&[u8]]| names.iter().position(|it| *it == name).map_or(NONE, rank);
        Self { text: place(&TEXTS), code: place(&CODES) }
    }

    pub fn text(self) -> Option<u8> {
        (self.text != NONE).then_some(self.text)
    }

    /// Returns the rank in the list of names of codes, or `None` if the name does not have this reliability.
    pub fn code(self, worth: CodeName) -> Option<u8> {
        let own = match self.code {
            NONE => return None,
            0..UNSURE => CodeName::Sure,
            rank if rank % 2 == 1 => CodeName::Led,
            _ => CodeName::Bare,
        };
        (own == worth).then_some(self.code)
    }
}

/// Returns true if a name begins with a word for errors: `errorSource`.
pub fn is_of_error(name: &str) -> bool {
    let name = without_prefix(name);
    name.len() <= LONGEST && without_leading_word(normalized(name, &mut [0; LONGEST])).1
}

/// Returns the name without a prefix up to a colon: `odata:code`.
fn without_prefix(name: &str) -> &str {
    name.bytes().rposition(|byte| byte == b':').map_or(name, |at| &name[at + 1..])
}

/// Returns the name without a leading `err`, `error` or `exception`. The flag is true if the name had such a word.
fn without_leading_word(name: &[u8]) -> (&[u8], bool) {
    if !name.starts_with(b"e") {
        return (name, false);
    }
    let leading: [&[u8]; 3] = [b"exception", b"error", b"err"];
    let behind = leading.iter().find_map(|word| name.strip_prefix(*word)).filter(|behind| !behind.is_empty());
    (behind.unwrap_or(name), behind.is_some())
}

/// Returns the name in lower case, without underscores and hyphens.
pub(crate) fn normalized<'b>(name: &str, buffer: &'b mut [u8; LONGEST]) -> &'b [u8] {
    let letters = name.bytes().filter(|it| !matches!(it, b'_' | b'-'));
    let length = buffer.iter_mut().zip(letters).map(|(place, letter)| *place = letter.to_ascii_lowercase()).count();
    &buffer[..length]
}
