//! Reads errors of Jackson in a text (Jackson 2.19, in Spring, Dropwizard and Jetty). Such a text has a sentence, the
//! position in the source, and the chain of references from the outermost object to the field.
//!
//! ```text
//! Cannot deserialize value of type `int` from String "three": not a valid `int` value
//!  at [Source: (…); line: 1, column: 59] (through reference chain: Order["items"]->java.util.ArrayList[1]->Item["qty"])
//! ```

use super::quoted::without_values;
use super::reading::Reading;
use crate::place::Place;

const CHAIN: &str = "(through reference chain: ";

/// The words that Spring writes before Jackson's text.
const BEFORE: &str = "JSON parse error: ";

pub(super) fn read(text: &str) -> Option<Reading> {
    let (before, behind) = text.split_once(CHAIN)?;
    let place = place_of(behind.split_once(')')?.0)?;
    Some(Reading { place, text: sentence(before) })
}

/// Returns the place in a chain such as `Order["items"]->java.util.ArrayList[1]->Item["qty"]`.
fn place_of(chain: &str) -> Option<Place> {
    let mut place = Place::default();
    for link in chain.split("->") {
        let step = link.split_once('[')?.1.strip_suffix(']')?;
        match step.strip_prefix('"') {
            Some(name) => place.name(name.strip_suffix('"')?),
            None => place.step(step),
        }
    }
    Some(place).filter(Place::has_name)
}

/// Returns the sentence without the value that the client sent, and without the names of types in the program.
fn sentence(before: &str) -> String {
    let ends = ["\n at [Source", " at [Source", "; nested exception is ", " (class "];
    let end = ends.iter().filter_map(|end| before.find(end)).min().unwrap_or(before.len());
    let text = before[..end].trim();
    let text = without_values(text.strip_prefix(BEFORE).unwrap_or(text));
    let mut left = String::new();
    for (at, part) in text.split('`').enumerate() {
        // Every second part is in back quotes.
        match at % 2 {
            0 => left.push_str(part),
            _ if part.contains(['.', '$']) => left.push_str("another type"),
            _ => left.extend(["`", part, "`"]),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_a_chain_is_a_place() {
        for (text, path, message) in [
            (
                "JSON parse error: Cannot deserialize value of type `int` from String \"s3cret\": not a valid `int` value; nested exception is x\n at [Source: (a); line: 1, column: 5] (through reference chain: A$B[\"items\"]->java.util.ArrayList[1]->C[\"qty\"])",
                r#"["items",1,"qty"]"#,
                "Cannot deserialize value of type `int`: not a valid `int` value",
            ),
            (
                "Unrecognized field \"more\" (class a.B), not marked as ignorable (1 known property: \"a\"])\n at [Source: (a); line: 1] (through reference chain: a.B[\"more\"])",
                r#"["more"]"#,
                "Unrecognized field \"more\"",
            ),
            (
                "Cannot deserialize value of type `java.time.LocalDate` from String \"s3cret\": bad (through reference chain: A[\"on\"])",
                r#"["on"]"#,
                "Cannot deserialize value of type another type: bad",
            ),
        ] {
            let reading = read(text).unwrap();
            assert_eq!(String::from_utf8(reading.place.json()).unwrap(), path);
            assert_eq!(reading.text, message);
        }
        for none in
            ["(through reference chain: A)", "through reference chain: A[\"b\"]", "(through reference chain: A[0])", ""]
        {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
