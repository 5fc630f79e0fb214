//! The picture of the house, in `manual/architecture.md`: every room on its floor, and what it stands on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{FLOORS, code_alone, floor_of, room_of, rooms_above, rooms_named, sources};

/// Set to anything, it writes the picture anew instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
const OPENS: &str = "<!-- the picture is made by UPDATE_MANUAL=1 cargo test --test it floors -->\n";
const CLOSES: &str = "<!-- the end of the picture -->\n";

type House = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_manual_shows_the_house_as_it_is() {
    let files = sources();
    let house = house(&files);
    let made = format!("{}\n{}", picture(&house), table(&house, &files));
    let page = fs::read_to_string(page()).unwrap();
    let (before, rest) = page.split_once(OPENS).expect("the page has a place for the picture");
    let (old, after) = rest.split_once(CLOSES).expect("the picture has an end");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(self::page(), format!("{before}{OPENS}{made}{CLOSES}{after}")).unwrap();
    } else {
        assert_eq!(old, made, "manual/architecture.md shows another house: run again with {REWRITE}=1");
    }
}

/// Each room, and those that its files name.
fn house(files: &[(String, String)]) -> House {
    let mut house = House::new();
    for (path, text) in files {
        let room = room_of(path);
        let code = code_alone(text);
        let named = rooms_named(&code).into_iter().chain(rooms_above(path, &code));
        // What points up is another test's to tell.
        let others = named.filter(|other| floor_of(other).is_some_and(|floor| Some(floor) < floor_of(room)));
        house.entry(room.to_owned()).or_default().extend(others);
    }
    house
}

/// In Mermaid, the floors from the top. What a room reaches through another that it stands on has no arrow of its own.
fn picture(house: &House) -> String {
    let mut picture = String::from("```mermaid\nflowchart TB\n");
    for (floor, rooms) in FLOORS.iter().rev() {
        picture += &format!("    subgraph floor{floor} [\"{floor}\"]\n        direction LR\n");
        for room in *rooms {
            picture += &format!("        {room}\n");
        }
        picture += "    end\n";
    }
    for (room, others) in house {
        for other in others.iter().filter(|other| !others.iter().any(|way| reaches(house, way, other))) {
            picture += &format!("    {room} --> {other}\n");
        }
    }
    picture + "```\n"
}

fn reaches(house: &House, from: &str, to: &str) -> bool {
    house[from].iter().any(|next| next == to || reaches(house, next, to))
}

fn table(house: &House, files: &[(String, String)]) -> String {
    let mut table = String::from("| floor | room | what it is | it names |\n| --- | --- | --- | --- |\n");
    for (floor, rooms) in FLOORS.iter().rev() {
        for room in *rooms {
            let named: Vec<String> = house[*room].iter().map(|it| format!("`{it}`")).collect();
            table += &format!("| {floor} | `{room}` | {} | {} |\n", sentence(room, files), named.join(", "));
        }
    }
    table
}

/// The first sentence of the room's own documentation.
fn sentence(room: &str, files: &[(String, String)]) -> String {
    let door = [format!("{room}.rs"), format!("{room}/mod.rs")];
    let (_, text) = files.iter().find(|(path, _)| door.contains(path)).expect("a room has a door");
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    let sentence = paragraph[..end].replace("[`", "`").replace('|', "\\|");
    // Behind a name in brackets may stand where the compiler's documentation has it.
    let mut parts = sentence.split("`]");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.strip_prefix('(').and_then(|link| link.split_once(')')).map_or(part, |(_, rest)| rest);
        text + "`" + rest
    })
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manual/architecture.md")
}

#[test]
fn an_arrow_is_drawn_where_no_other_way_leads() {
    let files = [
        ("exchange/mod.rs", "use crate::policy::Policy;\nuse crate::code::ErrorCode;"),
        ("policy/mod.rs", "use crate::code::ErrorCode;"),
        ("code/mod.rs", "//! Codes. More of them.\nuse super::super::exchange;"),
    ];
    let house = house(&files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    let picture = picture(&house);
    let arrows: Vec<&str> = picture.lines().map(str::trim).filter(|line| line.contains("-->")).collect();
    assert_eq!(arrows, ["exchange --> policy", "policy --> code"]);
}
