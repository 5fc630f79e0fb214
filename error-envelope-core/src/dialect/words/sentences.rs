//! Sentences in JSON that say which member is wrong (rule R13): Fastify's, NestJS's, Micronaut's, Litestar's.

use super::entries;
use super::parsed_issues::ParsedIssues;
use super::place::{FieldPath, is_dotted, without_location};
use crate::dialect::issues::list::List;
use crate::dialect::issues::quoting::without_values;

/// What Fastify (5.12, with ajv 8; 3.29, with ajv 6) calls the parts of a request.
const PARTS: [&str; 4] = ["body", "querystring", "params", "headers"];

/// ajv's own words begin so; of another language's only the path tells.
const VERBS: [&str; 2] = [" must ", " should "];

/// "body/items/0 must be string, body must have required property 'name'"; ajv 6: "body.items[0] should be string".
pub(super) fn of_fastify(text: &str) -> ParsedIssues {
    let Some(part) = PARTS.iter().find(|part| text.starts_with(**part)) else { return ParsedIssues::Nothing };
    let mut list = List::new();
    let mut names_a_member = false;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.match_indices(", ").map(|(at, _)| at).find(|at| begins_one(&rest[at + 2..], part));
        let (one, others) = end.map_or((rest, ""), |at| (&rest[..at], &rest[at + 2..]));
        let Some((place, said)) = one_of_fastifys(&one[part.len()..]) else { return ParsedIssues::Nothing };
        names_a_member |= place.json() != b"[]";
        list.push(&place.json(), &without_values(said), None);
        rest = others;
    }
    // "body must be object" names none.
    if names_a_member { ParsedIssues::from_list(list) } else { ParsedIssues::Nothing }
}

fn begins_one(text: &str, part: &str) -> bool {
    let behind = text.strip_prefix(part);
    behind
        .is_some_and(|behind| behind.starts_with(['/', '.', '[']) || VERBS.iter().any(|verb| behind.starts_with(verb)))
}

fn one_of_fastifys(text: &str) -> Option<(FieldPath, &str)> {
    let is_path = text.starts_with(['/', '.', '[']);
    let verb = VERBS.iter().filter_map(|verb| text.find(verb)).min();
    let end = verb.or_else(|| text.find(' ').filter(|_| is_path)).filter(|end| is_path || *end == 0)?;
    let (path, said) = (&text[..end], text[end..].trim());
    let mut place = FieldPath::new();
    if path.starts_with('/') {
        place.pointer(path)
    } else {
        place.dotted(path)
    }
    if let Some(name) = entries::last_name(said) {
        place.name(&name);
    }
    (!said.is_empty()).then_some((place, said))
}

/// One of class-validator's (0.15, behind NestJS 12.5), whose text begins with the path: "items.1.sku must be a string".
/// A name without dots may be any word of anybody's.
pub(super) fn of_class_validator(text: &str) -> Option<(FieldPath, &str)> {
    let (path, said) = text.split_once(' ')?;
    let verbs = VERBS.iter().any(|verb| said.starts_with(verb.trim_start()));
    (path.contains('.') && is_dotted(path) && verbs).then(|| (FieldPath::of_dotted(path), said))
}

pub(super) fn of_micronaut(text: &str) -> ParsedIssues {
    let mut list = List::new();
    if add_of_micronaut(&mut list, text) { ParsedIssues::from_list(list) } else { ParsedIssues::Nothing }
}

/// Micronaut 4.9: "order.sku: must not be blank", and what it says of arguments.
pub(super) fn add_of_micronaut(list: &mut List, text: &str) -> bool {
    let without = without_values(text);
    let named = ["Failed to convert argument [", "Required argument [", "Required Body [", "Required QueryValue ["];
    let named = named.iter().chain(&["Required Header [", "Required PathVariable [", "Required CookieValue ["]);
    let name = named.filter_map(|begins| without.strip_prefix(begins)).find_map(|rest| rest.split_once(']'));
    if let Some((name, _)) = name {
        list.push(&FieldPath::of_dotted(name).json(), &without, None);
        return true;
    }
    let Some((path, said)) = text.split_once(": ").filter(|(path, said)| is_dotted(path) && !said.is_empty()) else {
        return false;
    };
    list.push(&FieldPath::of_dotted(without_location(path)).json(), &without_values(said), None);
    true
}

/// Litestar 2.25: "Missing required query parameter 'page' for path /orders". Of others it tells the path and the query
/// as they were sent.
pub(super) fn of_litestar(text: &str) -> ParsedIssues {
    if let Some((_, rest)) = text.strip_prefix("Missing required ").and_then(|rest| rest.split_once("parameter '"))
        && let Some((name, _)) = rest.split_once('\'')
    {
        let said = &text[..text.len() - rest.len() + name.len() + 1];
        return ParsedIssues::issue(&FieldPath::of_dotted(name), said);
    }
    match text.strip_prefix("Validation failed for ").and_then(|_| text.split_once('?')) {
        Some((path, _)) => ParsedIssues::Text(path.to_owned()),
        None => ParsedIssues::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issues(heard: ParsedIssues) -> Option<String> {
        match heard {
            ParsedIssues::Issues(issues) => Some(issues),
            _ => None,
        }
    }

    #[test]
    fn r13_fastifys_sentence_is_taken_apart() {
        for (text, told) in [
            ("body/items/0 must be string", r#"[{"path":["items",0],"message":"must be string"}]"#),
            ("body.items[0] should be string", r#"[{"path":["items",0],"message":"should be string"}]"#),
            (
                "body should have required property '.name'",
                r#"[{"path":["name"],"message":"should have required property '.name'"}]"#,
            ),
            (
                "body must have required property 'a', body/b must be equal to one of the allowed values",
                r#"[{"path":["a"],"message":"must have required property 'a'"},{"path":["b"],"message":"must be equal to one of the allowed values"}]"#,
            ),
            (
                "params/a~1b must match pattern \"^x, y$\"",
                r#"[{"path":["a/b"],"message":"must match pattern \"^x, y$\""}]"#,
            ),
            ("querystring/n muss eine Zahl sein", r#"[{"path":["n"],"message":"muss eine Zahl sein"}]"#),
            ("headers/x-id must be string", r#"[{"path":["x-id"],"message":"must be string"}]"#),
            ("body/a b must be string", r#"[{"path":["a b"],"message":"must be string"}]"#),
        ] {
            assert_eq!(issues(of_fastify(text)).as_deref(), Some(told), "{text}");
        }
        for other in ["body must be object", "body", "body/", "bodyguard must go", "body is not JSON", "", "body must "]
        {
            assert_eq!(issues(of_fastify(other)), None, "{other}");
        }
    }

    #[test]
    fn r13_other_sentences_name_a_member() {
        for (heard, told) in [
            (
                of_micronaut("body.order.sku: must not be blank"),
                r#"[{"path":["order","sku"],"message":"must not be blank"}]"#,
            ),
            (
                of_micronaut("Failed to convert argument [n] for value [s3cret] due to: For input string: \"s3cret\""),
                r#"[{"path":["n"],"message":"Failed to convert argument [n]"}]"#,
            ),
            (
                of_micronaut("Required QueryValue [n] not specified"),
                r#"[{"path":["n"],"message":"Required QueryValue [n] not specified"}]"#,
            ),
            (
                of_litestar("Missing required query parameter 'n' for path /orders?s3cret"),
                r#"[{"path":["n"],"message":"Missing required query parameter 'n'"}]"#,
            ),
        ] {
            assert_eq!(issues(heard).as_deref(), Some(told));
        }
        let ParsedIssues::Text(text) = of_litestar("Validation failed for GET /orders?page=s3cret") else { panic!() };
        assert_eq!(text, "Validation failed for GET /orders");
        for other in ["Page Not Found", "bad thing: really", ": x", "a: "] {
            assert_eq!(issues(of_micronaut(other)), None, "{other}");
        }
        assert!(of_class_validator("name must be a string").is_none());
        assert!(of_class_validator("example.com is not allowed").is_none());
        let (place, said) = of_class_validator("items.1.sku must be a string").unwrap();
        assert_eq!((place.json(), said), (br#"["items",1,"sku"]"#.to_vec(), "must be a string"));
    }
}
