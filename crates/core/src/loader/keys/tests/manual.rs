//! Makes the tables of all keys in `manual/policy.md` from the schema of the policy file.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

pub(super) const OPENS: &str =
    "<!-- the tables are written by UPDATE_MANUAL=1 cargo test -p error-envelope-core --lib keys -->\n";
pub(super) const CLOSES: &str = "<!-- the end of the tables -->\n";

/// Places in the schema, each with the section that explains more.
const MORE: &[(&str, &str)] = &[
    ("include", "[Scopes](#scopes)"),
    ("base", "[Bases](#bases)"),
    ("locked", "[Locked settings](#locked-settings)"),
    ("scope", "[Scopes](#scopes)"),
    ("scope.upstream", "[Several services](gateway.md#several-services)"),
    ("defaults.mode", "[Modes](rolling-out.md#modes)"),
    ("defaults.dialect", "[Dialects](#dialects)"),
    ("defaults.unknown_codes", "[Codes of your own](#codes-of-your-own)"),
    ("defaults.body_limit", "[Body limits](#body-limits)"),
    ("defaults.body_limit_per", "[Body limits](#body-limits)"),
    ("defaults.json", "[Media types of bodies](#media-types-of-bodies)"),
    ("defaults.content_types", "[Media types of bodies](#media-types-of-bodies)"),
    ("defaults.auth_observe", "[Routes without credentials](credentials.md#routes-without-credentials)"),
    ("defaults.auth_optional", "[Routes without credentials](credentials.md#routes-without-credentials)"),
    ("defaults.protocols", "[Errors that keep their shape](how-it-works.md#errors-that-keep-their-shape)"),
    ("defaults.keep_fields", "[Keep fields of a foreign error](#keep-fields-of-a-foreign-error)"),
    ("defaults.keep_rest", "[Keep fields of a foreign error](#keep-fields-of-a-foreign-error)"),
    ("defaults.redact", "[Secrets in the errors of services](#secrets-in-the-errors-of-services)"),
    ("defaults.preflight", "[CORS preflights](how-it-works.md#cors-preflights)"),
    ("defaults.paths", "[How a path is guarded](how-it-works.md#how-a-path-is-guarded)"),
    ("defaults.case", "[How a path is guarded](how-it-works.md#how-a-path-is-guarded)"),
    ("defaults.event_streams", "[Event streams](#event-streams)"),
    ("defaults.html", "[A page for browsers](#a-page-for-browsers)"),
    ("defaults.markdown", "[Markdown for agents](#markdown-for-agents)"),
    ("route", "[Routes](#routes)"),
    ("advice", "[Advice](#advice)"),
    ("cors", "[CORS](#cors)"),
    ("rpc", "[RPC clients](rpc.md)"),
    ("auth", "[Credentials](credentials.md)"),
    ("auth.jwks_url", "[Key sets by URL](credentials.md#key-sets-by-url)"),
    ("code", "[Codes of your own](#codes-of-your-own)"),
    ("code.details", "[Details of a code](#details-of-a-code)"),
    ("map", "[Codes of your own](#codes-of-your-own)"),
    ("outward", "[Dialects](#dialects)"),
    ("shape", "[Shapes of your own](shapes.md)"),
];

/// A schema, with the keywords that the tables use.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Schema {
    #[serde(rename = "$defs")]
    definitions: Members,
    #[serde(rename = "$ref")]
    reference: String,
    description: String,
    r#type: Value,
    r#enum: Vec<Value>,
    r#const: Option<Value>,
    default: Option<Value>,
    properties: Members,
    required: Vec<String>,
    items: Option<Box<Schema>>,
    additional_properties: Others,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    pattern: String,
    format: String,
    minimum: Option<i64>,
    maximum: Option<i64>,
}

/// The members of an object in their order, which a map of `serde_json` loses.
#[derive(Default)]
struct Members(Vec<(String, Schema)>);

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Others {
    One(Box<Schema>),
    Any(#[allow(dead_code, reason = "only its type is read")] bool),
    #[default]
    Unset,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(InOrder)
    }
}

struct Table {
    heading: String,
    about: String,
    rows: Vec<Row>,
}

#[derive(Clone, PartialEq)]
struct Row {
    key: String,
    values: String,
    default: String,
    effect: String,
    /// The schemes of `[auth.NAME]` that have the key.
    schemes: Vec<String>,
}

/// Returns the tables of all keys. Rules are linked to this text of the contract, or else to its second page.
pub(super) fn tables(schema: &str, contract: &str) -> String {
    let root: Schema = serde_json::from_str(schema).unwrap();
    let mut all = Tables { root: &root, contract, tables: Vec::new() };
    let about = "These keys are above the first table of a file.".to_owned();
    all.tables.push(Table { heading: "Above the first table".to_owned(), about, rows: Vec::new() });
    root.properties.0.iter().for_each(|(name, schema)| all.add(name, schema));
    let text = all.tables.iter().map(Table::written).collect::<Vec<_>>().join("\n");
    assert_eq!(text.matches(" See [").count(), MORE.len(), "a place of this list is not in the schema");
    format!("\n{text}\n")
}

struct Tables<'s> {
    root: &'s Schema,
    contract: &'s str,
    tables: Vec<Table>,
}

impl<'s> Tables<'s> {
    /// Adds the tables of a member of the schema, or a row of the keys above all tables.
    fn add(&mut self, name: &str, schema: &'s Schema) {
        let about = self.effect(name, &schema.description).0;
        match (name, &schema.additional_properties, &schema.items) {
            ("defaults", ..) => {
                let route = self.root.properties.get("route");
                let about = format!("{about} {}", self.effect("route", &route.description).0);
                let one = route.items.as_deref().unwrap();
                self.add_table("`[defaults]` and `[[route]]`".to_owned(), about, &[(String::new(), one)], name);
            }
            // Its keys are those of the defaults.
            ("route", ..) => {}
            ("auth", Others::One(one), _) => {
                let kind = |one: &'s Schema| {
                    let one = self.resolved(one);
                    let scheme = one.properties.get("scheme").r#const.as_ref().unwrap();
                    (code(scheme), one)
                };
                let kinds: Vec<_> = one.one_of.iter().map(kind).collect();
                self.add_table(format!("`[{name}.NAME]`"), about, &kinds, name);
            }
            (_, Others::One(one), _) => {
                self.add_table(format!("`[{name}.NAME]`"), about, &[(String::new(), one)], name);
            }
            (_, _, Some(one)) if one.is_table() => {
                self.add_table(format!("`[[{name}]]`"), about, &[(String::new(), one)], name);
            }
            _ if schema.is_table() => self.add_table(format!("`[{name}]`"), about, &[(String::new(), schema)], name),
            _ => {
                let is_required = self.root.required.iter().any(|it| it == name);
                let row = self.row("", name, schema, is_required);
                self.tables[0].rows.push(row);
            }
        }
    }

    /// Adds a table, which may have several kinds, and the tables inside it.
    fn add_table(&mut self, heading: String, about: String, kinds: &[(String, &'s Schema)], place: &str) {
        if self.tables.iter().any(|table| table.heading == heading) {
            return;
        }
        let mut rows = Vec::<Row>::new();
        for (scheme, schema) in kinds {
            for (key, value) in &schema.properties.0 {
                let row = self.row(place, key, value, schema.required.contains(key));
                let same = rows.iter_mut().find(|it| Row { schemes: Vec::new(), ..(**it).clone() } == row);
                if let Some(same) = same {
                    same.schemes.push(scheme.clone());
                    continue;
                }
                let row = Row { schemes: vec![scheme.clone()], ..row };
                let after = rows.iter().rposition(|it| it.key == row.key).map_or(rows.len(), |last| last + 1);
                rows.insert(after, row);
            }
        }
        for row in rows.iter_mut().filter(|row| row.schemes.len() == kinds.len()) {
            row.schemes = if kinds.len() > 1 { vec!["all".to_owned()] } else { Vec::new() };
        }
        self.tables.push(Table { heading, about, rows });
        for (key, value) in kinds.iter().flat_map(|(_, schema)| &schema.properties.0) {
            let inner = self.resolved(value);
            let one = inner.items.as_deref().map(|one| self.resolved(one)).filter(|one| one.is_table());
            let Some(table) = one.or(Some(inner)).filter(|it| it.is_table()) else { continue };
            let about = self.effect(key, &table.description).0;
            self.add_table(inner_heading(place, key, one.is_some()), about, &[(String::new(), table)], key);
        }
    }

    fn row(&self, place: &str, key: &str, value: &'s Schema, is_required: bool) -> Row {
        let schema = self.resolved(value);
        let place_of_key = if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
        let (effect, by_default) = self.effect(&place_of_key, &schema.description);
        let values = match &schema.items {
            _ if schema.is_table() => format!("[table](#{})", anchor(&inner_heading(place, key, false))),
            Some(one) if self.resolved(one).is_table() => {
                format!("[list of tables](#{})", anchor(&inner_heading(place, key, true)))
            }
            _ => self.values(value),
        };
        let default = match (&schema.default, by_default) {
            _ if is_required && place == "defaults" => "required in `[[route]]`".to_owned(),
            _ if is_required => "required".to_owned(),
            (Some(default), _) => code(default),
            (None, Some(words)) => words,
            (None, None) => "none".to_owned(),
        };
        Row { key: format!("`{key}`"), values, default, effect, schemes: Vec::new() }
    }

    /// Returns the words for a type, such as `list of texts`.
    fn values(&self, schema: &'s Schema) -> String {
        match schema.reference.strip_prefix("#/$defs/") {
            Some("details") => return "JSON Schema".to_owned(),
            Some("condition") => return "condition".to_owned(),
            Some("locked_key") => return "key of `[defaults]`".to_owned(),
            Some(_) => return self.values(self.resolved(schema)),
            None => {}
        }
        if let Some(word) = &schema.r#const {
            return code(word);
        }
        if !schema.r#enum.is_empty() {
            return schema.r#enum.iter().map(code).collect::<Vec<_>>().join(", ");
        }
        let mut all: Vec<String> = schema.any_of.iter().map(|one| self.values(one)).collect();
        if all.iter().any(|words| words == "size") {
            all.remove(0);
        }
        match &schema.r#type {
            Value::String(one) => all.push(self.values_of_type(one, schema)),
            Value::Array(several) => {
                all.extend(several.iter().map(|one| self.values_of_type(one.as_str().unwrap(), schema)));
            }
            _ => {}
        }
        all.join(" or ")
    }

    fn values_of_type(&self, name: &str, schema: &'s Schema) -> String {
        match (name, &schema.items, &schema.additional_properties) {
            ("boolean", ..) => "boolean".to_owned(),
            ("string", ..) if schema.format == "date-time" => "date and time".to_owned(),
            ("string", ..) if schema.pattern.contains("KiB") => "size".to_owned(),
            ("string", ..) if schema.pattern.contains("[0-9]+ *[A-Za-z]+") => "duration".to_owned(),
            ("string", ..) => "text".to_owned(),
            ("integer", ..) => match (schema.minimum, schema.maximum) {
                (Some(least), Some(most)) => format!("whole number from {least} to {most}"),
                _ => "whole number".to_owned(),
            },
            ("array", Some(one), _) => format!("list of {}", plural(&self.values(one))),
            ("object", _, Others::One(one)) => format!("table of {}", plural(&self.values(one))),
            _ => panic!("there are no words for the type {name}: {}", schema.description),
        }
    }

    /// Returns a description without its default, with links, and the default.
    fn effect(&self, place: &str, description: &str) -> (String, Option<String>) {
        let (text, default) = match description.split_once("By default, ") {
            Some((text, default)) => (text.trim_end(), Some(default.trim_end_matches('.').to_owned())),
            None => (description, None),
        };
        let more = MORE.iter().find(|(known, _)| *known == place);
        let more = more.map(|(_, link)| format!(" See {link}.")).unwrap_or_default();
        (format!("{}{more}", self.with_rules(text)), default)
    }

    /// Returns a text in which each number of a rule is a link, as in `(G4)`.
    fn with_rules(&self, text: &str) -> String {
        let mut parts = text.split('(');
        let mut linked = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rules = part.split_once(')').filter(|(inside, _)| inside.split(", ").all(is_rule));
            linked += "(";
            match rules {
                Some((rules, rest)) => {
                    let links: Vec<String> = rules.split(", ").map(|rule| self.link(rule)).collect();
                    linked += &format!("{}){rest}", links.join(", "));
                }
                None => linked += part,
            }
        }
        linked
    }

    fn link(&self, rule: &str) -> String {
        let anchor = rule.to_lowercase();
        let is_first = self.contract.contains(&format!("<a id=\"{anchor}\">"));
        format!("[{rule}]({}#{anchor})", if is_first { "contract.md" } else { "contract-parsing.md" })
    }

    fn resolved(&self, schema: &'s Schema) -> &'s Schema {
        schema.reference.strip_prefix("#/$defs/").map_or(schema, |name| self.root.definitions.get(name))
    }
}

impl Members {
    fn get(&self, name: &str) -> &Schema {
        self.0.iter().find(|(key, _)| key == name).map(|(_, schema)| schema).unwrap_or_else(|| panic!("{name}"))
    }
}

impl Schema {
    fn is_table(&self) -> bool {
        !self.properties.0.is_empty()
    }
}

impl Table {
    fn written(&self) -> String {
        let has_schemes = self.rows.iter().any(|row| !row.schemes.is_empty());
        let (head, line) = if has_schemes { (" scheme |", "---|") } else { ("", "") };
        let mut text = format!(
            "### {}\n\n{}\n\n| key |{head} type | default | effect |\n|---|{line}---|---|---|\n",
            self.heading, self.about
        );
        for row in &self.rows {
            let schemes = if has_schemes { format!("{} | ", row.schemes.join(", ")) } else { String::new() };
            let cells = format!("{} | {schemes}{} | {} | {}", row.key, row.values, row.default, row.effect);
            // A bar of a code would end its cell; the bars between the cells have blanks.
            let cells: Vec<String> = cells.split(" | ").map(|cell| cell.replace('|', "\\|")).collect();
            text += &format!("| {} |\n", cells.join(" | "));
        }
        text
    }
}

fn inner_heading(place: &str, key: &str, is_list: bool) -> String {
    if is_list { format!("`[[{place}.NAME.{key}]]`") } else { format!("`[{place}.NAME.{key}]`") }
}

/// Returns the anchor of a heading in backticks.
fn anchor(heading: &str) -> String {
    heading.chars().filter(|it| it.is_alphanumeric() || *it == '_').flat_map(char::to_lowercase).collect()
}

fn code(value: &Value) -> String {
    format!("`{value}`")
}

fn plural(words: &str) -> String {
    match words.split_once(" of ") {
        Some((first, of)) => format!("{first}s of {of}"),
        None if words.starts_with('`') => words.to_owned(),
        None => format!("{words}s"),
    }
}

fn is_rule(word: &str) -> bool {
    let digits = word.trim_start_matches(|it: char| it.is_ascii_uppercase()).trim_end_matches(char::is_lowercase);
    word.starts_with(|it: char| it.is_ascii_uppercase())
        && digits.bytes().all(|it| it.is_ascii_digit())
        && !digits.is_empty()
}
