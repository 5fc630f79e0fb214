//! Words about credentials, as opposed to the credentials themselves.

use std::borrow::Cow;
use std::sync::LazyLock;

use rustc_hash::FxHashSet;

use super::name;
use super::rules::TAKEN;

/// Words that may follow the name of a scheme instead of a credential.
const ABOUT_SCHEMES: &str = "token tokens auth authentication authorization scheme credentials credential header required \
    challenge error is or and format not was in must expected access type prefix has missing invalid for with realm";

/// Words that describe a credential.
const ABOUT_VALUES: &str = "a about above absent accepted account active after again algorithm all allowed already also always an and any \
    api are array as at audience auth \
    authentication authorization bad basic be bearer because been before being below between blank blocked boolean both but by can \
    cannot can't case changed character characters \
    check checked claim compromised contain contains correct corrupt could credential credentials current damaged decode defined denied deprecated \
    different digit digits disabled do does doesn't don't done due either empty enabled encrypted end endpoint ensure equal \
    error even exactly exist exists expected \
    expired expires expiring expiry failed failure false field fields fine flow for forbidden format found from generated given good has \
    hashed have header headers id identical if ignored in inactive include incomplete incorrect input insecure inside \
    insufficient integer invalid is isn't issued it issuer jwt \
    just key known leaked least length less letter letters limited locked long longer lower lowercase made malformed managed \
    mandatory match matched max maximum may method \
    methods min minimum mismatch missing more most must name need needed needs never new no none not null number object of off ok old on one only \
    optional or out outdated over parse part password passwords please policy possible present prohibited protected provide \
    provided provider rate reached \
    read refresh rejected request required reset reused revoked role rotation rules same scheme scope see sent server service \
    session set short shorter should signature signed special specified stale still stored string strong successful such support supported \
    symbol symbols tampered temporarily than that the there they this to token tokens too true turned type unable unauthorized \
    unavailable undefined under \
    unexpected uppercase unique unknown unset unsupported until up updated upper use used user username using valid value verification verified \
    verify via was weak were when where which whose will with within without wrong yes oui you your";

/// The maximum length of a word, in bytes. A longer text is not a word.
const LONGEST: usize = 24;

/// Returns true if a text is a word that describes a credential. Punctuation around the word is ignored. A text that an
/// earlier rule has already redacted is treated as such a word.
pub(super) fn is_about_value(word: &str) -> bool {
    static WORDS: LazyLock<FxHashSet<&str>> = LazyLock::new(|| ABOUT_VALUES.split_ascii_whitespace().collect());

    let plain = trimmed(word);
    plain.is_empty() || word.contains(TAKEN) || plain.len() <= LONGEST && WORDS.contains(&*plain.to_ascii_lowercase())
}

pub(super) fn is_about_scheme(word: &str) -> bool {
    word.starts_with("realm=")
        || word.starts_with("error=")
        || word.contains(TAKEN)
        || name::has_word(ABOUT_SCHEMES, trimmed(word))
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|it: char| it.is_ascii_punctuation() || matches!(it, '“' | '”' | '‘' | '’' | '…'))
}

/// Returns true if a text contains digits or signs among its letters. Ordinary words hardly ever contain digits or
/// signs. A password that consists only of letters cannot be recognised.
pub(super) fn is_made_up(word: &str) -> bool {
    const SHORTEST: usize = 4;
    const ALGORITHMS: &str = "oauth2 oauth2.0 http/1.1 http/2 hs256 hs384 hs512 rs256 rs384 rs512 es256 es384 md5 sha1 sha-1 sha256 sha-256 sha384 sha512 base64 utf-8 e.g i.e a-z a-za-z";

    let word = word.trim_matches(|it: char| matches!(it, '(' | ')' | ',' | '.' | ';' | ':' | '?' | '"' | '\'' | '`'));
    let is_word = word.chars().all(|it| it.is_alphabetic() || matches!(it, '-' | '_' | '/' | '\'' | '’'));
    word.chars().count() >= SHORTEST
        && !is_word
        && !is_about_value(word)
        && !word.contains("://")
        && !is_date(word)
        && word.contains(char::is_alphanumeric)
        && !name::has_word(ALGORITHMS, word)
}

/// Returns true if a text is long and mixes letters with digits like a key. Words, coupon codes and identifiers with a
/// number are not so mixed.
pub(super) fn is_mixed(word: &str) -> bool {
    const SHORTEST: usize = 10;
    const FEWEST_CHANGES: usize = 3;

    let is_digit: Vec<bool> = word.bytes().filter(u8::is_ascii_alphanumeric).map(|it| it.is_ascii_digit()).collect();
    word.len() >= SHORTEST
        && is_digit.windows(2).filter(|two| two[0] != two[1]).count() >= FEWEST_CHANGES
        && word.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.~+/=%".contains(&it))
        && !is_date(word)
}

/// Returns true if a text begins with a date, as in `2026-01-01T00:00:00Z`.
fn is_date(word: &str) -> bool {
    let shape = b"0000-00-00";
    word.len() >= shape.len()
        && word.bytes().zip(shape).all(|(byte, of)| if *of == b'0' { byte.is_ascii_digit() } else { byte == *of })
}

/// Returns true if a text cannot be recognised as a credential. Such a text is a name, a word, or several words that
/// are joined by signs.
pub(super) fn is_plain(word: &str) -> bool {
    !word.is_empty() && !word.contains(char::is_whitespace) && !is_made_up(word) && word.len() <= LONGEST
}

/// Returns the part of a credential's value that may stay. This part consists of words about the credential, without
/// words that may be a part of the credential. Returns `None` if the value does not look like words about a credential.
/// A value that is a message looks like words if it has at least two words.
pub(super) fn words_about<'t>(value: &'t str, is_message: bool) -> Option<Cow<'t, str>> {
    let about = value.split_whitespace().filter(|word| is_about_value(word)).count();
    let words = value.split_whitespace().count();
    if words == about {
        return Some(Cow::Borrowed(value));
    }
    let is_sentence = words > 1 && (about > 1 || is_message);
    is_sentence.then(|| without_made_up(value, is_message))
}

/// Returns the part of a message about a credential that may stay. Unlike in [`words_about`], a message may be a single
/// word.
pub(super) fn words_about_in_message(message: &str) -> Cow<'_, str> {
    words_about(message, true).unwrap_or_else(|| without_made_up(message, true))
}

/// Returns a sentence without the words that may be a credential, because they look made up or are quoted. Unless the
/// sentence is a message, a first word in small letters is also removed.
fn without_made_up(sentence: &str, is_message: bool) -> Cow<'_, str> {
    let is_first_word = |at: usize, word: &str| at == 0 && !is_message && !word.starts_with(char::is_uppercase);
    let mut kept = String::with_capacity(sentence.len());
    let mut has_changed = false;
    for (at, piece) in sentence.split_inclusive(char::is_whitespace).enumerate() {
        let word = piece.trim_end();
        let is_taken = !word.is_empty()
            && !is_about_value(word)
            && !name::is_credential_name(word)
            && (is_first_word(at, word) || is_secret_in_sentence(word));
        has_changed |= is_taken;
        kept.push_str(if is_taken { TAKEN } else { word });
        kept.push_str(&piece[word.len()..]);
    }
    if has_changed { Cow::Owned(kept) } else { Cow::Borrowed(sentence) }
}

fn is_secret_in_sentence(word: &str) -> bool {
    let is_quote = |it: char| matches!(it, '"' | '\'' | '`' | '“' | '‘' | '«');
    let has_letter = word.contains(char::is_alphabetic);
    is_made_up(word) && (has_letter || word.len() > 8)
        || word.starts_with(is_quote) && has_letter && trimmed(word).len() > 1
}
