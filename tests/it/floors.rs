//! The floors of the house: a room imports only from floors below it, and the core knows no clock, no runtime, no log.
//! No crate of the workspace holds circles ([`circles`]).
//!
//! | floor | rooms |
//! |---|---|
//! | 9 | `auth`, `adapter` |
//! | 8 | `middleware`, `axum`, `tonic`, `testing`, `client` |
//! | 7 | `loader` |
//! | 6 | `exchange` |
//! | 5 | `policy` |
//! | 4 | `classify`, `outward` |
//! | 3 | `guard`, `dialect` |
//! | 2 | `fault` |
//! | 1 | `code`, `request_id`, `message`, `cause`, `fields`, `frames` |
//!
//! `auth` gathers what is public of credentials, from the guard to the adapter, `adapter` what every adapter needs. `lib.rs` stands outside: it names all of
//! them.

mod circles;
mod modules;
mod picture;

use std::fs;
use std::path::{Path, PathBuf};

const FLOORS: [(u8, &[&str]); 9] = [
    (1, &["code", "request_id", "message", "cause", "fields", "frames"]),
    (2, &["fault"]),
    (3, &["guard", "dialect"]),
    (4, &["classify", "outward"]),
    (5, &["policy"]),
    (6, &["exchange"]),
    (7, &["loader"]),
    (8, &["middleware", "axum", "tonic", "testing", "client"]),
    (9, &["auth", "adapter"]),
];

/// What only the adapter may name. A crate is found by its path, so that a word in a comment is none.
const ADAPTERS_OWN: [&str; 8] =
    ["std::time::Instant", "Instant::now", "SystemTime::now", "tokio::", "rand::", "tracing::", "std::env", "log::"];

/// The types of errors are needed to tell them apart.
const ALLOWED: [(&str, &str); 1] = [("classify/failure.rs", "tokio::time::error::Elapsed")];

#[test]
fn a_room_imports_only_from_floors_below_it() {
    let files = sources();
    assert!(files.len() > 40, "the sources are found: {}", files.len());
    let problems: Vec<_> = files.iter().flat_map(|(path, text)| problems(path, text)).collect();
    assert_eq!(problems, [] as [String; 0]);
}

#[test]
fn each_room_that_a_floor_names_exists() {
    let files = sources();
    for room in FLOORS.iter().flat_map(|(_, rooms)| *rooms) {
        assert!(files.iter().any(|(path, _)| room_of(path) == *room), "no file of the room `{room}`");
    }
}

/// Of the dialects the rest knows the default, and the one that a client may ask for (R11).
#[test]
fn a_dialect_is_known_to_its_file_and_its_row_alone() {
    const WORDS: [&str; 2] = ["Standard", "Problem"];
    for (path, text) in sources().iter().filter(|(path, _)| room_of(path) != "dialect") {
        let code = code_alone(text);
        for (at, way) in code.match_indices("Dialect::") {
            let variant = name(&code[at + way.len()..]);
            let is_variant = variant.chars().any(char::is_lowercase) && variant.starts_with(char::is_uppercase);
            assert!(!is_variant || WORDS.contains(&&*variant), "src/{path}: Dialect::{variant}: ask its form");
        }
    }
}

/// The files of `src/` by their path in it, but for `lib.rs`; files of tests are tests, wherever they are.
fn sources() -> Vec<(String, String)> {
    let mut files = files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    files.retain(|(path, _)| path != "lib.rs" && !path.ends_with("tests.rs"));
    files
}

/// The sources in a folder by their path in it.
fn files_in(root: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// What is wrong with one file.
fn problems(path: &str, text: &str) -> Vec<String> {
    let room = room_of(path);
    let Some(floor) = floor_of(room) else { return vec![format!("src/{path}: the room `{room}` is on no floor")] };
    let code = code_alone(text);
    let mut problems = Vec::new();
    for other in rooms_named(&code).into_iter().chain(rooms_above(path, &code)) {
        match floor_of(&other) {
            _ if other == room => {}
            Some(theirs) if theirs < floor => {}
            Some(theirs) => {
                problems.push(format!("src/{path}: floor {floor} names `crate::{other}` of floor {theirs}"))
            }
            None => problems.push(format!("src/{path}: `crate::{other}` is on no floor: name the room, not lib.rs")),
        }
    }
    if floor < 7 {
        problems
            .extend(foreign(path, &code).into_iter().map(|name| format!("src/{path}: floor {floor} names `{name}`")));
    }
    problems
}

fn room_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or_default()
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

/// The code alone, without the tests at its end: they make errors of any floor to try theirs.
///
/// No source of this crate has `//` in a string that is followed by a path.
fn code_alone(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The rooms behind each `crate::…`, those in braces too.
fn rooms_named(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(first_level(list)),
            None => rooms.push(name(rest)),
        }
    }
    rooms
}

/// The rooms behind `super::…` where it leaves the file's own room.
fn rooms_above(path: &str, code: &str) -> Vec<String> {
    let steps = path.trim_end_matches("/mod.rs").split('/').count();
    let way_out = "super::".repeat(steps);
    let behind = code.match_indices(&way_out).map(|(at, _)| name(&code[at + way_out.len()..]));
    behind.filter(|name| floor_of(name).is_some()).collect()
}

/// `a::{b, c}, d}` names `a` and `d`.
fn first_level(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut fresh) = (0, true);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            character if fresh && depth == 0 && !character.is_whitespace() => {
                names.push(name(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> String {
    text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
}

fn foreign(path: &str, code: &str) -> Vec<&'static str> {
    let mut code = code.to_owned();
    for (_, allowed) in ALLOWED.iter().filter(|(file, _)| *file == path) {
        code = code.replace(allowed, "");
    }
    ADAPTERS_OWN.into_iter().filter(|name| names(&code, name)).collect()
}

/// Whether a path begins there: `my_rand::` is not `rand::`.
fn names(code: &str, path: &str) -> bool {
    let inside = |at: usize| code[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_');
    code.match_indices(path).any(|(at, _)| !inside(at))
}

#[test]
fn the_checker_finds_what_is_wrong() {
    for (path, text, found) in [
        ("fault.rs", "use crate::code::ErrorCode;\nuse crate::message;", &[][..]),
        ("guard/mod.rs", "use crate::guard::header;", &[]),
        ("guard/auth.rs", "/// See [`crate::policy`].\n// use crate::policy;\nuse crate::fault::Fault;", &[]),
        ("fault.rs", "use crate::guard::header;", &["`crate::guard` of floor 3"]),
        ("guard/mod.rs", "use crate::dialect::standard;", &["`crate::dialect` of floor 3"]),
        ("policy/mod.rs", "fn f() -> crate::exchange::Event {}", &["`crate::exchange` of floor 6"]),
        (
            "classify/mod.rs",
            "use crate::{code::{A, B}, policy::Policy,\n exchange};",
            &["`crate::policy`", "`crate::exchange`"],
        ),
        ("policy/mod.rs", "use crate::Fault;", &["`crate::Fault` is on no floor"]),
        ("guard/mod.rs", "use super::policy::Policy;", &["`crate::policy` of floor 5"]),
        ("guard/auth.rs", "use super::header;\nuse super::super::policy::Policy;", &["`crate::policy` of floor 5"]),
        ("fault.rs", "mod tests { use super::*; }", &[]),
        ("cause.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::fault::Fault;\n}", &[]),
        ("cause.rs", "#[cfg(test)]\nuse crate::fault::Fault;", &["`crate::fault` of floor 2"]),
        ("cellar/mod.rs", "", &["`cellar` is on no floor"]),
        ("loose.rs", "", &["`loose` is on no floor"]),
        ("exchange/mod.rs", "use std::time::Instant;", &["`std::time::Instant`"]),
        ("exchange/mod.rs", "let now = SystemTime::now();", &["`SystemTime::now`"]),
        ("exchange/mod.rs", "use tokio::time::sleep;", &["`tokio::`"]),
        ("request_id.rs", "let bits = rand::random();", &["`rand::`"]),
        ("policy/file.rs", "tracing::info!()", &["`tracing::`"]),
        ("policy/file.rs", "let home = std::env::var(\"HOME\");", &["`std::env`"]),
        ("classify/failure.rs", "find::<tokio::time::error::Elapsed>(error)", &[]),
        ("classify/mod.rs", "find::<tokio::time::error::Elapsed>(error)", &["`tokio::`"]),
        ("classify/failure.rs", "tokio::spawn(f)", &["`tokio::`"]),
        ("middleware/mod.rs", "use tokio::time::Instant;\nuse crate::exchange::Event;", &[]),
        ("axum.rs", "use crate::middleware::ErrorEnvelopeLayer;", &["`crate::middleware` of floor 8"]),
        ("code/mod.rs", "my_rand::x(); brand::y();", &[]),
    ] {
        let problems = problems(path, text);
        assert_eq!(problems.len(), found.len(), "{path}: {text}: {problems:?}");
        for (problem, found) in problems.iter().zip(found) {
            assert!(problem.contains(found), "{path}: {text}: {problem}");
        }
    }
}
