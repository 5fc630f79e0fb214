//! Recognises stack traces (R3), line by line.

use memchr::memmem::find;

use super::bytes::{boundary, has_any};

/// The number of bytes of a line that are checked. This number of bytes suffices to recognise a longer line of a stack
/// trace.
const MOST_SEEN: usize = 1024;

/// Returns the position at which the stack trace in a text begins, which is the first line that a runtime wrote.
pub(super) fn start(text: &str) -> Option<usize> {
    if !may_have_trace(text) {
        return None;
    }
    let mut pythons = 0;
    let mut at = 0;
    for line in text.split(is_break) {
        pythons += if is_file_of_python(line) { 1 + usize::from(line.contains(", in ")) } else { 0 };
        let begin = line.trim_start();
        if pythons > 1 || !begin.is_empty() && is_of_trace(&begin[..boundary(begin, MOST_SEEN)]) {
            return Some(at);
        }
        let ends = [before_place_in_rust(line), before_place_in_php(line), before_statement(line)];
        if let Some(end) = ends.into_iter().flatten().min() {
            return Some(at + end);
        }
        at += line.len() + text[at + line.len()..].chars().next().map_or(0, char::len_utf8);
    }
    None
}

/// Returns true if a text may contain a stack trace. The check is quick, because each line of a stack trace has one of
/// a few characters or words.
fn may_have_trace(text: &str) -> bool {
    let text = text.as_bytes();
    /// Texts of the lines that may have none of these characters.
    const TEXTS: [&[u8]; 4] = [b" line ", b"panicked at", b"while executing", b"invoked from within"];

    has_any(text, [b':', b'[', b'#', b'(']) || TEXTS.iter().any(|it| find(text, it).is_some())
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_of_trace(line: &str) -> bool {
    const MARKS: [&str; 9] = [
        "Traceback",
        "Stack trace:",
        "Stacktrace:",
        "stack backtrace:",
        "Stack backtrace:",
        "stack traceback:",
        "CallStack (from HasCallStack)",
        "panicked at",
        "Caused by: ",
    ];

    MARKS.iter().any(|mark| find(line.as_bytes(), mark.as_bytes()).is_some())
        || line.strip_prefix("at ").is_some_and(is_frame)
        || is_of_java(line)
        || is_of_go(line)
        || is_of_elixir(line)
        || is_of_php(line)
        || is_of_ruby(line)
        || is_of_perl(line)
        || is_of_ocaml(line)
        || is_of_tcl(line)
        || is_of_dotnet(line)
        || line.strip_prefix("from ").is_some_and(begins_with_column)
        || is_of_firefox(line)
}

/// Returns the end of the text before the place of an error in Rust code, which snafu writes behind the error:
/// `no such table, at src/cart.rs:41:10`.
fn before_place_in_rust(line: &str) -> Option<usize> {
    let is_place = |place: &str| {
        let mut numbers = place.split_once(".rs:").map_or("", |(_, numbers)| numbers).split(':');
        numbers.next().is_some_and(is_number) && numbers.next().is_some_and(is_number)
    };
    let mut places = line.match_indices(", at ");
    places
        .find(|(at, words)| is_place(line[at + words.len()..].split(' ').next().unwrap_or_default()))
        .map(|(at, _)| at)
}

/// Returns the end of the text before the place of an error in PHP, which PHP writes behind the error:
/// `Undefined array key "id" in /srv/cart.php on line 41`.
fn before_place_in_php(line: &str) -> Option<usize> {
    let is_file = |file: &str| {
        let is_absolute = file.starts_with('/') || file.get(1..3) == Some(":\\");
        let is_php = file.ends_with(".php") || file.ends_with(".inc") || file.ends_with(".phtml");
        is_absolute && is_php && !file.contains(' ')
    };
    let mut places = line.match_indices(" on line ").filter_map(|(end, words)| {
        let (before, file) = line[..end].rsplit_once(' ')?;
        let has_number = line[end + words.len()..].starts_with(|first: char| first.is_ascii_digit());
        before.strip_suffix(" in").filter(|_| has_number && is_file(file))
    });
    places.next().map(|before| before.trim_end_matches(", called").len())
}

/// Returns the end of the text before the statement of a database and its values. SQLAlchemy, Laravel and others write
/// them behind the error of the database.
fn before_statement(line: &str) -> Option<usize> {
    const BEGINS: [&str; 4] = ["[SQL: ", "[parameters: ", "(SQL: ", "(Connection: "];

    let begins = BEGINS.iter().filter_map(|begin| find(line.as_bytes(), begin.as_bytes()));
    // The header `connection` may also be in parentheses.
    let at = begins.min().filter(|at| line[*at..].contains("SQL: ") || line[*at..].starts_with("[p"))?;
    Some(line[..at].trim_end().len())
}

/// Returns the error behind the call of a database that failed. Prisma writes the call before the error, with lines of
/// the program or without them. Knex writes the statement with its values. If only the call is left, returns an empty
/// text.
pub(super) fn behind_a_call(text: &str) -> &str {
    let trimmed = text.trim();
    if is_statement(trimmed) {
        return behind_statement(trimmed).unwrap_or(text);
    }
    let call = trimmed.strip_prefix("Invalid `").and_then(|call| call.split_once("()` invocation"));
    match call {
        Some((_, error)) if error.starts_with(':') => error[1..].trim_start(),
        Some((_, program)) if program.starts_with(" in\n") => {
            let last = program.rsplit(is_break).next().unwrap_or_default();
            let is_of_program = last.trim_start().starts_with(|first: char| first == '→' || first.is_ascii_digit());
            if is_of_program { "" } else { last }
        }
        _ => text,
    }
}

/// Returns true if a text begins with a statement as Knex writes it, with its names in quotes.
pub(super) fn is_statement(text: &str) -> bool {
    const QUOTES: [char; 3] = ['"', '`', '['];

    if !text.starts_with(['i', 'u', 'd', 's']) {
        return false;
    }
    let begins = [("insert into ", " ("), ("update ", " set "), ("delete from ", " where "), ("select ", " from ")];
    begins.into_iter().any(|(begin, part)| {
        let behind = text.strip_prefix(begin).filter(|it| it.starts_with(QUOTES) || it.starts_with('*'));
        let part_at = behind.and_then(|behind| behind.split_once(part));
        part_at.is_some_and(|(_, rest)| rest.starts_with(QUOTES))
    })
}

/// Returns the text behind the first dash that is not in quotes.
fn behind_statement(text: &str) -> Option<&str> {
    let mut quote = None;
    let mut ends = text.char_indices().filter(|(_, letter)| {
        match (quote, *letter) {
            (None, '"' | '\'' | '`') => quote = Some(*letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
        quote.is_none() && *letter == '-'
    });
    let at = ends.find(|(at, _)| text[..*at].ends_with(' ') && text[at + 1..].starts_with(' '))?.0;
    Some(text[at + 1..].trim_start())
}

/// Matches `at com.shop.Cart.add(Cart.java:41)`, anywhere in the line.
fn is_of_java(line: &str) -> bool {
    let places = [".java:", ".kt:", ".scala:"].iter().filter_map(|file| line.split_once(file));
    places
        .filter_map(|(call, line)| Some((call, line.split_once(')')?.0)))
        .any(|(call, line)| call.contains('(') && is_number(line))
}

/// Matches `goroutine 1 [running]:`, `/srv/cart.go:41 +0x1d`, and a line that is only `/srv/cart.go:41` (pkg/errors).
fn is_of_go(line: &str) -> bool {
    if let Some((file, behind)) = line.split_once(".go:") {
        let behind = behind.trim_end();
        let number = behind.split_once(" +0x").map_or(behind, |(number, _)| number);
        if is_number(number) && (number != behind || file.starts_with('/') && !file.contains(' ')) {
            return true;
        }
    }
    let number = line.strip_prefix("goroutine ").and_then(|rest| rest.split_once(" ["));
    number.is_some_and(|(number, _)| is_number(number))
}

/// Matches `(cart 0.1.0) lib/cart/add.ex:41: Cart.add/2`.
fn is_of_elixir(line: &str) -> bool {
    let place = line.strip_prefix('(').and_then(|line| line.split_once(") ")).map(|(_, place)| place);
    let file = place.and_then(|place| [".ex:", ".exs:", ".erl:"].iter().find_map(|end| place.split_once(end)));
    file.is_some_and(|(file, line)| {
        !file.contains(' ') && line.split_once(':').is_some_and(|(line, _)| is_number(line))
    })
}

/// Matches `#0 /srv/cart.php(41): add()`, and Dart's `#0      add (package:shop/cart.dart:41:3)`.
fn is_of_php(line: &str) -> bool {
    let Some((number, file)) = line.strip_prefix('#').and_then(|rest| rest.split_once(' ')) else { return false };
    let ends = file.match_indices("):").map(|(end, _)| &file[..end]);
    let is_of_dart = || file.rsplit_once('(').is_some_and(|(_, place)| begins_with_column(place));
    is_number(number)
        && (ends.filter_map(|file| file.rsplit_once('(')).any(|(_, line)| is_number(line)) || is_of_dart())
}

/// Matches ``/srv/cart.rb:41:in `add'``.
fn is_of_ruby(line: &str) -> bool {
    let places = line.match_indices(":in ").map(|(end, _)| &line[..end]);
    places.filter_map(|place| place.rsplit_once(':')).any(|(_, line)| is_number(line))
}

/// Matches `Died at /srv/cart.pl line 41.`.
fn is_of_perl(line: &str) -> bool {
    line.match_indices(" line ").any(|(at, words)| {
        let digits = line[at + words.len()..].bytes().take_while(u8::is_ascii_digit).count();
        let is_end = line[at + words.len() + digits..].starts_with(['.', ',']);
        let file = line[..at].rsplit_once(" at ").map(|(_, file)| file);
        digits > 0 && is_end && file.is_some_and(|file| !file.contains(' ') || file.contains(['/', '\\']))
    })
}

/// Matches `Raised at Cart.add in file "cart.ml", line 41, characters 3-9`.
fn is_of_ocaml(line: &str) -> bool {
    let begins = ["Raised ", "Re-raised ", "Called from "].iter().any(|words| line.starts_with(words));
    begins && line.contains(" in file \"")
}

/// Matches the lines that Tcl adds to an error: `while executing`, `(procedure "add" line 41)`.
fn is_of_tcl(line: &str) -> bool {
    line.trim_end() == "while executing" || line.starts_with("invoked from within") || line.starts_with("(procedure \"")
}

/// Matches the lines of .NET in other languages: `bei Shop.Cart.Add(Int32 id) in C:\Cart.cs:Zeile 41.`.
fn is_of_dotnet(line: &str) -> bool {
    const AT: [&str; 14] = ["bei", "à", "en", "em", "in", "na", "v", "w", "в", "場所", "在", "於", "konum:", "위치:"];

    let call = line.split_once(' ').filter(|(at, _)| AT.contains(at)).map(|(_, call)| call);
    let Some((name, behind)) = call.and_then(|call| call.split_once('(')) else { return false };
    let is_end = |rest: &str| rest.trim().is_empty() || rest.contains(":\\") || rest.contains(" /");
    name.contains('.') && !name.contains(' ') && behind.rsplit_once(')').is_some_and(|(_, rest)| is_end(rest))
}

/// Matches `add@http://shop.example/cart.js:41:3`.
fn is_of_firefox(line: &str) -> bool {
    let place = line.split_once('@').filter(|(name, place)| !name.contains(' ') && place.contains("://"));
    place.is_some_and(|(_, place)| begins_with_column(place))
}

/// Returns true if a text begins with a file, the number of a line and the number of a column, as in `/srv/a.cr:41:3 in`.
fn begins_with_column(text: &str) -> bool {
    let word = text.split(' ').next().unwrap_or_default().trim_end_matches([')', ',']);
    let place = word.rsplit_once(':').filter(|(_, column)| is_number(column));
    place.is_some_and(|(place, _)| has_position(place))
}

/// Matches `File "cart.py", line 41, in add`. If the function is missing, a single such line may also be a message.
fn is_file_of_python(line: &str) -> bool {
    let file = line.split_once("File \"").and_then(|(_, file)| file.split_once('"'));
    file.is_some_and(|(_, behind)| behind.starts_with(", line "))
}

/// Returns true if the text behind `at` is a stack frame: `com.shop.Cart.add(Cart.java:41)`, `f (/srv/a.js:1:2)`,
/// `/srv/a.js:1:2`.
fn is_frame(text: &str) -> bool {
    let text = text.strip_prefix("async ").or_else(|| text.strip_prefix("new ")).unwrap_or(text);
    let (call, behind) = text.split_once('(').unwrap_or((text, ""));
    let is_call = !behind.is_empty() && !call.trim_end().contains(' ') && (call.contains('.') || has_position(behind));
    is_call || has_position(text.split(' ').next().unwrap_or_default())
}

/// Returns true if a text ends with a file and the number of a line: `a.js:1:2`, `/srv/main.rs:10`.
fn has_position(text: &str) -> bool {
    let text = text.trim_end().trim_end_matches(')');
    let Some((file, line)) = text.rsplit_once(':') else { return false };
    let is_file = file.contains(['/', '\\']) || file.contains('.') && file.contains(':') || file.ends_with(".java");
    is_number(line) && is_file
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
