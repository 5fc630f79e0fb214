//! No mistake in a policy lets more requests in. These tests misspell each key of real policies, give it another type,
//! or leave it out.

mod locked;

use std::fmt::Write as _;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::loader::{PolicyFile, PolicyLoader};
use crate::table::{MAX_MISTAKES, PolicyError, dotted};

const POLICIES: [&str; 4] = [
    include_str!("../../../../../examples/policies/channels.toml"),
    include_str!("../../../../../examples/policies/messaging.toml"),
    include_str!("../../../../../examples/policies/voice-ai.toml"),
    include_str!("../../../../../examples/policies/voice-gateway.toml"),
];

/// A key of a policy: its path, and the bytes of its name and of its value.
struct Key {
    path: String,
    table: String,
    name: Range<usize>,
    value: Range<usize>,
    other_type: &'static str,
}

fn keys(table: &DeTable<'_>, path: &str, found: &mut Vec<Key>) {
    for (name, value) in table.iter() {
        let key = dotted(path, name.get_ref());
        let other_type = match value.get_ref() {
            DeValue::Table(_) => "5",
            DeValue::Array(_) => "true",
            DeValue::String(_) | DeValue::Boolean(_) => "1979-05-27",
            _ => "[]",
        };
        inner(value.get_ref(), &key, found);
        found.push(Key { path: key, table: path.to_owned(), name: name.span(), value: value.span(), other_type });
    }
}

fn inner(value: &DeValue<'_>, path: &str, found: &mut Vec<Key>) {
    match value {
        DeValue::Table(table) => keys(table, path, found),
        DeValue::Array(list) => {
            let elements = list.iter().enumerate();
            elements.for_each(|(at, element)| inner(element.get_ref(), &format!("{path}[{at}]"), found));
        }
        _ => {}
    }
}

fn check(text: &str) -> Result<PolicyFile, Vec<PolicyError>> {
    let secret = |_: &str| Some("s".repeat(64));
    PolicyLoader::new().any_verifier().environment(secret).check_text("policy.toml", text)
}

/// Returns true if a file has this key.
fn has_path(file: &PolicyFile, path: &str) -> bool {
    file.sources.files[0].places.contains_key(path)
}

fn is_at(mistakes: &[PolicyError], place: &str) -> bool {
    let inside =
        |key: &str| key.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    mistakes.iter().any(|mistake| mistake.key().is_some_and(inside))
}

#[test]
fn m2_no_mistake_opens_a_door() {
    let mut tried = 0;
    for text in POLICIES {
        assert!(check(text).is_ok());
        let root = DeTable::parse(text).unwrap().into_inner();
        let mut all = Vec::new();
        keys(&root, "", &mut all);
        // A table with a separate head has its value elsewhere in the file.
        all.retain(|key| text[key.name.end..].trim_start().starts_with('='));
        // In a schema, names are free, and a mistake in one of them is reported at another place.
        all.retain(|key| !key.path.contains(".details."));
        for Key { path, table, name, value, other_type } in all {
            let with = |span: &Range<usize>, put: &str| [&text[..span.start], put, &text[span.end..]].concat();
            // A misspelled key is refused as unknown, or becomes the new name of a table, which the file then contains.
            let written = format!("{}qq", text[name.clone()].trim_matches('"'));
            let misspelt = dotted(&table, &written);
            match check(&with(&name, &written)) {
                Ok(file) => assert!(has_path(&file, &misspelt) && !has_path(&file, &path), "{misspelt}"),
                Err(mistakes) => {
                    assert!(is_at(&mistakes, &misspelt) || is_at(&mistakes, &table), "{misspelt} {mistakes:?}")
                }
            }
            // A value of another type is never accepted.
            let mistakes = check(&with(&value, other_type)).err().unwrap_or_else(|| panic!("{path} = {other_type}"));
            assert!(is_at(&mistakes, &path), "{path} = {other_type}: {mistakes:?}");
            // A key that is left out is reported as missing, or the policy is read without it.
            let comma = text[value.end..].trim_start().starts_with(',');
            let end = if comma { value.end + text[value.end..].find(',').unwrap() + 1 } else { value.end };
            let before = text[..name.start].trim_end();
            let start = if !comma && before.ends_with(',') { before.len() - 1 } else { name.start };
            match check(&with(&(start..end), "")) {
                Ok(file) => assert!(!has_path(&file, &path), "{path} is left out"),
                Err(mistakes) => {
                    let is_shown = is_at(&mistakes, &path) || is_at(&mistakes, &table);
                    assert!(is_shown, "{path} is left out: {mistakes:?}");
                }
            }
            tried += 3;
        }
    }
    assert!(tried > 700, "{tried}");
}

#[test]
fn m2_a_large_file_is_read_or_refused_in_bounded_time() {
    let mut unknown = "version = 1\n[defaults]\n".to_owned();
    (0..100_000).for_each(|at| writeln!(unknown, "key{at} = 1").unwrap());
    let mistakes = check(&unknown).unwrap_err();
    assert_eq!((mistakes.len(), mistakes[0].line(), mistakes[199].line()), (MAX_MISTAKES, Some(3), Some(202)));

    let mut wrong = "version = 1\n".to_owned();
    (0..20_000).for_each(|at| writeln!(wrong, "[[map]]\nstatus = 99\nto = \"nowhere{at}\"").unwrap());
    assert!(wrong.len() < 1 << 20);
    assert_eq!(check(&wrong).unwrap_err().len(), MAX_MISTAKES);

    let mut routes = "version = 1\n".to_owned();
    (0..5_000)
        .for_each(|at| writeln!(routes, "[[route]]\nmatch = \"/r{at}/{{id}}\"\nbody_limit = \"64 KiB\"").unwrap());
    routes += &"#".repeat((1 << 20) - routes.len());
    assert_eq!(check(&routes).unwrap().policy().routes().count(), 5_000);
}
