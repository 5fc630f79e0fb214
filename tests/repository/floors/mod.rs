//! Tests the floors of each crate: a room names only rooms on floors below it, and no files name each other in a circle
//! ([`circles`]).
//!
//! A room is a file or a folder directly under a crate's `src/`. No list has the floors: a room is one floor above the
//! highest room that it names. Rooms that name each other have no floor. `lib.rs` and `main.rs` are outside, because
//! they name all rooms.

mod calls;
mod circles;
mod crates;
mod methods;
mod modules;
mod picture;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use circles::House;
use crates::{members, sources};

/// Each room of a crate, and those that it names.
type Rooms = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_rooms_of_each_crate_stand_on_floors() {
    let without = members().into_iter().filter_map(|member| {
        let rooms = rooms(&House::from_sources(&sources(&member)));
        let found = floors(&rooms).err()?;
        Some(format!("{member}: these rooms name each other: {}", found.join(", ")))
    });
    assert_eq!(without.collect::<Vec<_>>(), [] as [String; 0]);
}

/// The phases of a request, which are the folders of the largest room.
#[test]
fn the_phases_of_a_session_stand_on_floors() {
    let house = House::from_sources(&sources("crates/core"));
    let phases = rooms_in(&house, &["session"]);
    let found = floors(&phases).unwrap_or_else(|found| panic!("these name each other: {}", found.join(", ")));
    let floors = ["record", "request", "answer", "response", "admission", "entry"].map(|phase| found[phase]);
    assert_eq!(floors, [1, 2, 3, 4, 5, 6], "{found:?}");
}

fn rooms(house: &House) -> Rooms {
    rooms_in(house, &[])
}

/// Returns the rooms of a folder.
fn rooms_in(house: &House, folder: &[&str]) -> Rooms {
    let room_of = |module: &[String]| {
        let inside = module.iter().zip(folder).filter(|(name, of)| name == of).count() == folder.len();
        module.get(folder.len()).filter(|_| inside).cloned()
    };
    let mut rooms = Rooms::new();
    for (module, named) in house.named_by_module() {
        let Some(room) = room_of(module) else { continue };
        let others = named.iter().filter_map(|other| room_of(other)).filter(|other| *other != room);
        let others: Vec<_> = others.collect();
        rooms.entry(room).or_default().extend(others);
    }
    rooms
}

/// Returns the floor of each room, from 1, or else the rooms that cannot have one.
fn floors(rooms: &Rooms) -> Result<BTreeMap<&str, usize>, Vec<&str>> {
    let mut floors: BTreeMap<&str, usize> = BTreeMap::new();
    while floors.len() < rooms.len() {
        let above = |(room, named): (&'_ String, &BTreeSet<String>)| {
            let below = named.iter().map(|other| floors.get(&**other).copied()).collect::<Option<Vec<_>>>()?;
            (!floors.contains_key(&**room)).then(|| below.into_iter().max().unwrap_or(0) + 1)
        };
        let next: Vec<_> = rooms.iter().filter_map(|room| Some((&**room.0, above(room)?))).collect();
        if next.is_empty() {
            return Err(rooms.keys().map(|room| &**room).filter(|room| !floors.contains_key(room)).collect());
        }
        floors.extend(next);
    }
    Ok(floors)
}

#[test]
fn a_room_is_one_floor_above_the_highest_that_it_names() {
    let rooms = |rooms: &[(&str, &[&str])]| -> Rooms {
        let owned = |others: &[&str]| others.iter().map(|other| (*other).to_owned()).collect();
        rooms.iter().map(|(room, others)| ((*room).to_owned(), owned(others))).collect()
    };
    let stairs = rooms(&[("code", &[]), ("exchange", &["policy", "code"]), ("message", &[]), ("policy", &["code"])]);
    let expected = [("code", 1), ("exchange", 3), ("message", 1), ("policy", 2)];
    assert_eq!(floors(&stairs), Ok(BTreeMap::from(expected)));
    let circle = rooms(&[("code", &[]), ("exchange", &["policy"]), ("policy", &["exchange", "code"])]);
    assert_eq!(floors(&circle), Err(vec!["exchange", "policy"]));
}

/// Other files only know the default dialect, and the one that a client may request (R11).
#[test]
fn a_dialect_is_known_to_its_file_and_its_row_alone() {
    const WORDS: [&str; 2] = ["Standard", "Problem"];
    let sources = [".", "crates/core", "crates/runtime"].map(sources).concat();
    for (path, text) in sources.iter().filter(|(path, _)| !path.starts_with("dialect/") && !path.ends_with("tests.rs"))
    {
        let code = code_alone(text);
        for (at, way) in code.match_indices("Dialect::") {
            let variant = name(&code[at + way.len()..]);
            let is_variant = variant.chars().any(char::is_lowercase) && variant.starts_with(char::is_uppercase);
            assert!(!is_variant || WORDS.contains(&&*variant), "src/{path}: Dialect::{variant}: ask its form");
        }
    }
}

/// Returns the sources in a folder by their path in it.
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

/// Returns the code without the tests at its end. Tests make errors of any floor for their purposes.
///
/// No source of this crate has a string with `//` and a path after that.
fn code_alone(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn name(text: &str) -> String {
    text.chars().take_while(|it| it.is_alphanumeric() || *it == '_').collect()
}
