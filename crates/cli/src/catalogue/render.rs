//! Fills the templates in the folder `templates`.

use error_envelope_core::openapi::form::{
    CODE, CONTRACT_VERSION, DOCS, MAX_DOCS, MAX_MESSAGE, MESSAGE, REQUEST_ID, SAMPLE_ID,
};
use error_envelope_core::openapi::{Codes, Listed};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

use super::details::{checks, literal, typescript, zod};
use crate::failure::CommandError;

const TEMPLATES: [(&str, &str); 6] = [
    ("errors.md", include_str!("templates/errors.md")),
    ("codes.ts", include_str!("templates/codes.ts")),
    ("errors.ts", include_str!("templates/errors.ts")),
    ("errors.zod.ts", include_str!("templates/errors.zod.ts")),
    ("errors.py", include_str!("templates/errors.py")),
    ("errors.go", include_str!("templates/errors.go")),
];

/// The codes in the form of the template with that name.
pub(super) fn render(template: &str, codes: &Codes) -> Result<String, CommandError> {
    rendered(template, codes).map_err(|error| CommandError::Io(format!("the template {template}: {error}")))
}

fn rendered(template: &str, codes: &Codes) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("comment", comment);
    environment.add_filter("literal", literal);
    environment.add_filter("markdown", markdown);
    environment.add_filter("pascal", pascal);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let group = |codes: &[Listed]| {
        let name = codes.first().map_or("", |listed| listed.group);
        context! { name, codes => codes.iter().map(code).collect::<Vec<_>>() }
    };
    let shape = |(name, schema): &(String, serde_json::Value)| {
        context! { name, about => schema["description"].as_str().unwrap_or_default(), typescript => typescript(schema) }
    };
    environment.get_template(template)?.render(context! {
        version => CONTRACT_VERSION,
        sample_id => SAMPLE_ID,
        code_form => CODE,
        message_form => MESSAGE,
        max_message => MAX_MESSAGE,
        request_id_form => REQUEST_ID,
        docs => DOCS,
        max_docs => MAX_DOCS,
        codes => codes.iter().map(code).collect::<Vec<_>>(),
        groups => codes.groups().map(group).collect::<Vec<_>>(),
        shapes => codes.shapes().iter().map(shape).collect::<Vec<_>>(),
    })
}

fn code(listed: &Listed) -> Value {
    let details = listed.details().map(|schema| {
        context! {
            about => schema["description"].as_str(),
            typescript => typescript(&schema),
            zod => zod(&schema),
            checks => checks(&schema).to_string(),
        }
    });
    context! {
        name => listed.name(),
        status => listed.status(),
        grpc => u16::from(listed.code.grpc()),
        jsonrpc => listed.code.jsonrpc(),
        retry => listed.retry(),
        message => listed.message(),
        summary => listed.summary(),
        docs => listed.docs,
        details,
    }
}

/// The text of a comment. `*/` in a policy's text would end it.
fn comment(text: &str) -> String {
    one_line(text).replace("*/", "* /")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Escapes a text for a table cell: a policy's text may contain markup, or the end of the cell.
fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        if matches!(character, '\\' | '|' | '<' | '>' | '&' | '`' | '*' | '_' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// `auth_missing` as `AuthMissing`. An underscore stays if no letter follows it, so that two codes never get the same
/// name.
fn pascal(code: &str) -> String {
    let mut name = String::with_capacity(code.len());
    let mut rest = code.chars().peekable();
    let mut begins = true;
    while let Some(character) = rest.next() {
        match character {
            '_' if rest.peek().is_some_and(char::is_ascii_lowercase) => begins = true,
            _ if std::mem::take(&mut begins) => name.push(character.to_ascii_uppercase()),
            _ => name.push(character),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_stay_different() {
        let codes = ["ab", "a_b", "a__b", "a1", "a_1", "ab_", "a_b_", "a1b", "a1_b"];
        let mut names: Vec<_> = codes.map(pascal).into();
        assert_eq!(names, ["Ab", "AB", "A_B", "A1", "A_1", "Ab_", "AB_", "A1b", "A1B"]);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), codes.len());
        assert_eq!(pascal("auth_no_email"), "AuthNoEmail");
    }

    #[test]
    fn a_policys_text_ends_no_literal_and_no_comment() {
        assert_eq!(literal("a \"b\" \\u é\u{feff}"), r#""a \"b\" \\u é\ufeff""#);
        assert_eq!(comment("a\n*/ b"), "a * / b");
    }
}
