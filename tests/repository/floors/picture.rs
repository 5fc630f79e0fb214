//! Draws the picture of the house in `tests/repository/house.md`: the crates, and every room on its floor, with the
//! rooms that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use super::circles::House;
use super::crates::{manifest, members, package, root, sources};
use super::{Rooms, floors, rooms};

/// With any value, this variable makes the test rewrite the picture instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
/// The crate whose rooms are drawn.
const CORE: &str = "crates/core";
const OPENS: &str = "<!-- the picture is made by UPDATE_MANUAL=1 cargo test --test repository floors -->\n";
const CLOSES: &str = "<!-- the end of the picture -->\n";

#[test]
fn the_manual_shows_the_house_as_it_is() {
    let made = [crates(), picture(&rooms_of(CORE)), table()].join("\n");
    let page = fs::read_to_string(page()).unwrap();
    let (before, rest) = page.split_once(OPENS).expect("the page has a place for the picture");
    let (old, after) = rest.split_once(CLOSES).expect("the picture has an end");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(self::page(), format!("{before}{OPENS}{made}{CLOSES}{after}")).unwrap();
    } else {
        assert_eq!(old, made, "tests/repository/house.md shows another house: run again with {REWRITE}=1");
    }
}

fn rooms_of(member: &str) -> Rooms {
    rooms(&House::from_sources(&sources(member)))
}

/// Draws the crates, each above those that it depends on.
fn crates() -> String {
    let names: BTreeSet<String> = members().iter().map(|member| package(member)).collect();
    let depends = |member: &String| {
        let listed = manifest(member)["dependencies"].as_table().expect("dependencies").clone();
        (package(member), listed.into_iter().map(|(name, _)| name).filter(|it| names.contains(it)).collect())
    };
    picture(&members().iter().map(depends).collect())
}

/// Draws the floors from the top, in Mermaid. A room that is reached through another one has no arrow of its own.
fn picture(rooms: &Rooms) -> String {
    let mut picture = String::from("```mermaid\nflowchart TB\n");
    for (floor, named) in by_floor(rooms).iter().rev() {
        picture += &format!("    subgraph floor{floor} [\"{floor}\"]\n        direction LR\n");
        for room in named {
            picture += &format!("        {room}\n");
        }
        picture += "    end\n";
    }
    for (room, others) in rooms {
        for other in others.iter().filter(|other| !others.iter().any(|way| reaches(rooms, way, other))) {
            picture += &format!("    {room} --> {other}\n");
        }
    }
    picture + "```\n"
}

fn by_floor(rooms: &Rooms) -> BTreeMap<usize, Vec<&str>> {
    let mut named: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (room, floor) in floors(rooms).expect("each room has a floor") {
        named.entry(floor).or_default().push(room);
    }
    named
}

fn reaches(rooms: &Rooms, from: &str, to: &str) -> bool {
    rooms[from].iter().any(|next| next == to || reaches(rooms, next, to))
}

fn table() -> String {
    let mut table = String::from("| crate | floor | room | what it is | it names |\n| --- | --- | --- | --- | --- |\n");
    for (member, files) in members().iter().map(|member| (member, sources(member))) {
        let rooms = rooms(&House::from_sources(&files));
        for (floor, named) in by_floor(&rooms).into_iter().rev() {
            for room in named {
                let others: Vec<String> = rooms[room].iter().map(|it| format!("`{it}`")).collect();
                let (name, sentence, others) = (package(member), sentence(room, &files), others.join(", "));
                table += &format!("| `{name}` | {floor} | `{room}` | {sentence} | {others} |\n");
            }
        }
    }
    table
}

/// Returns the first sentence of the room's own documentation.
fn sentence(room: &str, files: &[(String, String)]) -> String {
    let door = [format!("{room}.rs"), format!("{room}/mod.rs")];
    let (_, text) = files.iter().find(|(path, _)| door.contains(path)).expect("a room has a door");
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let paragraph = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    let sentence = paragraph[..end].replace("[`", "`").replace('|', "\\|");
    // A target for the compiler's documentation may follow a name in brackets.
    let mut parts = sentence.split("`]");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.strip_prefix('(').and_then(|link| link.split_once(')')).map_or(part, |(_, rest)| rest);
        text + "`" + rest
    })
}

fn page() -> PathBuf {
    root().join("tests/repository/house.md")
}

#[test]
fn an_arrow_is_drawn_where_no_other_way_leads() {
    let rooms = [("exchange", &["policy", "code"][..]), ("policy", &["code"]), ("code", &[])];
    let rooms = rooms.map(|(room, others)| (room.to_owned(), others.iter().map(|it| (*it).to_owned()).collect()));
    let picture = picture(&Rooms::from(rooms));
    let arrows: Vec<&str> = picture.lines().map(str::trim).filter(|line| line.contains("-->")).collect();
    assert_eq!(arrows, ["exchange --> policy", "policy --> code"]);
}
