//! Splits the names of fields into words, and tells from these words whether a value may be kept, and whether it may be
//! a code (R2, E9).

use std::borrow::Cow;

use super::field_names::{CodeName, Ranks};

/// Returns true if a field of this name may contain a code.
pub(super) fn names_code(name: &str) -> bool {
    let ranks = Ranks::new(name);
    let is_ranked = [CodeName::Sure, CodeName::Led, CodeName::Bare].iter().any(|worth| ranks.code(*worth).is_some());
    is_ranked || name == "error" || is_message_id(name) || is_label(name, true) || ends_like_a_code(name)
}

/// Returns true if a name may mean the id of a text in a catalogue, as in the APIs of OMA and GSMA.
pub(super) fn is_message_id(name: &str) -> bool {
    name.eq_ignore_ascii_case("messageId") || name.eq_ignore_ascii_case("msgId")
}

/// Returns true if a name may mean a label of the error. Clients may send the value of a label, such as a `slug`, but
/// not in capitals.
pub(super) fn is_label(name: &str, is_in_capitals: bool) -> bool {
    let words = words(name);
    let is_key = |word: &str| matches!(word, "message" | "error" | "i18n" | "localization" | "translation");
    match &words[..] {
        [.., of, key] if key == "key" => is_key(of),
        [.., last] => match &**last {
            "kind" | "category" | "exception" => true,
            "label" | "slug" | "tag" | "symbol" => is_in_capitals,
            _ => false,
        },
        [] => false,
    }
}

/// Returns true if a name ends in a word for codes, unless another word makes it a name of data.
pub(super) fn ends_like_a_code(name: &str) -> bool {
    /// Words before `code` that make it data: a place, a secret, or something that the client typed.
    const OF_DATA: &str = "zip postal post area country region language currency access activation auth authorization \
                           confirmation cvc cvv otp pin recovery security verification coupon discount gift invitation invite \
                           promo promotion referral voucher bar item product qr sort swift tracking geo pass phone uni en de";

    let words = words(name);
    let is_of = |word: &str| OF_DATA.split(' ').any(|data| data == word);
    let is_of_data = || words.iter().any(|word| is_of(word));
    words.last().is_some_and(|last| match &**last {
        "code" | "reason" | "type" | "status" => !is_of_data(),
        // Such as `subcode` and `respcode`.
        last => last.strip_suffix("code").is_some_and(|first| !first.is_empty() && !is_of(first)) && !is_of_data(),
    })
}

/// Returns true if no value under this name is kept, at any depth (E9).
pub(super) fn is_never_kept(name: &str) -> bool {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return is_word_never_kept(name);
    }
    let words = words(name);
    match &words[..] {
        [] => true,
        // Infobip uses such a name for the error of a request.
        [first, .., last] if matches!(&**last, "error" | "exception") && first == "request" => false,
        // The errors of a part of the request.
        [part, last] if last == "errors" && matches!(&**part, "query" | "header" | "headers" | "path" | "input") => {
            false
        }
        [only] => is_word_never_kept(only),
        several => {
            // A word may be written with a capital inside, as in `PassWord`.
            let whole = several.concat();
            several.iter().any(|word| is_named(word) || word == "value")
                || is_named(&whole)
                || is_excluded_alone(&whole)
        }
    }
}

/// Returns true if no value is kept under a name of only this word.
fn is_word_never_kept(word: &str) -> bool {
    // Clients would treat a field with the name `issues` as the list of issues (E8).
    word == "issues"
        || is_named(word)
        || is_excluded_alone(word)
        || word.starts_with("debug")
        || word.starts_with("stack")
        || ["trace", "file", "path", "sql"].iter().any(|end| word.ends_with(end))
}

/// Returns true if nothing is kept under a name with this word. The word may be a plural in `s`.
fn is_named(word: &str) -> bool {
    is_excluded(word) || word.strip_suffix('s').is_some_and(is_excluded)
}

/// Returns true if nothing is kept under a name with this word, or with its plural.
fn is_excluded(word: &str) -> bool {
    matches!(
        word,
        "stack"
            | "stacktrace"
            | "trace"
            | "traceback"
            | "debug"
            | "sql"
            | "query"
            | "file"
            | "path"
            | "input"
            | "rejected"
            | "request"
            | "url"
            | "link"
            | "href"
            | "doc"
            | "config"
            | "header"
            | "authorization"
            | "cookie"
            | "credential"
            | "password"
            | "secret"
            | "env"
            | "backtrace"
            | "queries"
    )
}

/// Returns true if nothing is kept under a name of only this word. Such names are names of machines, and of data that
/// the client sent.
fn is_excluded_alone(word: &str) -> bool {
    matches!(
        word,
        "server"
            | "host"
            | "hostname"
            | "node"
            | "machine"
            | "backend"
            | "received"
            | "actual"
            | "got"
            | "given"
            | "provided"
            | "submitted"
            | "document"
            | "row"
    )
}

/// Returns the words of a name in small letters. `requestHeaders`, `set-cookie` and `HTTPStatus` are examples of names.
pub(super) fn words(name: &str) -> Vec<Cow<'_, str>> {
    let parts = name.split(|it: char| !it.is_alphanumeric()).filter(|part| !part.is_empty());
    let mut words = Vec::new();
    for part in parts {
        if part.bytes().all(|byte| byte.is_ascii_lowercase()) {
            words.push(Cow::Borrowed(part));
        } else {
            words_of_part(part, &mut words);
        }
    }
    words
}

/// Adds the words of a part that does not consist only of digits and small letters of ASCII.
fn words_of_part(part: &str, words: &mut Vec<Cow<'_, str>>) {
    let letters: Vec<char> = part.chars().collect();
    let begins = |at: usize| {
        let is_behind_small = letters[at - 1].is_lowercase() || letters[at - 1].is_numeric();
        let is_plural = letters[at + 1..] == ['s'];
        let ends_capitals = letters.get(at + 1).is_some_and(|next| next.is_lowercase()) && !is_plural;
        letters[at].is_uppercase() && (is_behind_small || ends_capitals)
    };
    for (at, letter) in letters.iter().enumerate() {
        if at == 0 || begins(at) {
            words.push(Cow::Owned(String::new()));
        }
        words.last_mut().into_iter().for_each(|word| word.to_mut().extend(letter.to_lowercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e9_names_under_which_nothing_is_kept() {
        for (name, is) in [
            ("stackOfCalls", true),
            ("PassWord", true),
            ("STACKtrace", true),
            ("hostName", true),
            ("debuginfo", true),
            ("set-cookie", true),
            ("baseURL", true),
            ("URLs", true),
            ("queries", true),
            ("rejectedValue", true),
            ("value", false),
            ("cause", false),
            ("helpText", false),
            ("profile", true),
            ("docks", false),
            ("说明", false),
        ] {
            assert_eq!(is_never_kept(name), is, "{name}");
        }
    }
}
