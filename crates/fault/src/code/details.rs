//! The schema of a code's details, in a subset of JSON Schema (2020-12).
//!
//! 1. Every export can express each keyword of the subset, as a type and as a check. A schema with any other keyword is
//!    refused, because only some exports could express that keyword.
//! 2. A schema is checked when a policy is read or built, and in tests (feature `testing`). At run time, the details of
//!    an error are never compared with their schema, so that no data of a service is lost.

use serde_json::Value;

/// The deepest nesting of a schema. The details of errors are small.
const MAX_DEPTH: usize = 16;

/// The only dialect of JSON Schema that a schema may declare.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];

/// A keyword of JSON Schema.
struct Keyword {
    name: &'static str,
    of: KeywordScope,
    read: fn(&mut Reader, &Value) -> Checked,
}

/// The schemas in which a keyword may be used.
#[derive(Clone, Copy, PartialEq)]
enum KeywordScope {
    /// Any schema, because the keyword does not restrict values.
    Any,
    /// A schema that has no other restriction except `type`.
    Alone,
    /// A schema of these types, whose values the keyword restricts.
    Types(&'static [&'static str]),
}

const fn row(name: &'static str, of: KeywordScope, read: fn(&mut Reader, &Value) -> Checked) -> Keyword {
    Keyword { name, of, read }
}

const OBJECT: KeywordScope = KeywordScope::Types(&["object"]);
const ARRAY: KeywordScope = KeywordScope::Types(&["array"]);
const STRING: KeywordScope = KeywordScope::Types(&["string"]);
const NUMBER: KeywordScope = KeywordScope::Types(&["integer", "number"]);

const KEYWORDS: [Keyword; 20] = [
    row("type", KeywordScope::Types(&[]), |it, value| it.types(value)),
    row("properties", OBJECT, |it, value| it.named_schemas(value)),
    row("required", OBJECT, |it, value| it.names(value)),
    row("additionalProperties", OBJECT, |it, value| if value.is_boolean() { Ok(()) } else { it.schema(value) }),
    row("items", ARRAY, |it, value| it.schema(value)),
    row("minItems", ARRAY, |it, value| it.count(value)),
    row("maxItems", ARRAY, |it, value| it.count(value)),
    row("minLength", STRING, |it, value| it.count(value)),
    row("maxLength", STRING, |it, value| it.count(value)),
    row("format", STRING, |it, value| it.text(value)),
    row("minimum", NUMBER, |it, value| it.number(value)),
    row("maximum", NUMBER, |it, value| it.number(value)),
    row("enum", KeywordScope::Alone, |it, value| it.values(value)),
    row("const", KeywordScope::Alone, |it, value| it.scalar(value)),
    row("anyOf", KeywordScope::Alone, |it, value| it.schemas(value)),
    row("title", KeywordScope::Any, |it, value| it.text(value)),
    row("description", KeywordScope::Any, |it, value| it.text(value)),
    row("deprecated", KeywordScope::Any, |it, value| it.require(value, value.is_boolean(), "true or false")),
    row("examples", KeywordScope::Any, |it, value| it.require(value, value.is_array(), "a list in brackets")),
    row("$schema", KeywordScope::Any, |it, value| it.dialect(value)),
];

/// An error in a schema: the place, what is wrong there, and what would be right.
#[derive(Debug, PartialEq)]
pub struct SchemaError {
    /// The keys that lead to the wrong place. The index of an element is its key in a list.
    pub path: Vec<String>,
    pub wrong: String,
    pub right: String,
    /// True if something is missing at that place, rather than wrong.
    pub lacks: bool,
    /// True if the last key of the path is wrong, rather than its value.
    pub is_name: bool,
}

type Checked = Result<(), SchemaError>;

/// Refuses a value that is not a schema, or that the exports cannot express.
pub fn check(schema: &Value) -> Result<(), SchemaError> {
    Reader::default().schema(schema)
}

/// Parses the text of a schema, and checks it.
pub fn check_text(schema: &str) -> Result<(), SchemaError> {
    let no_json =
        |error: serde_json::Error| Reader::default().wrong(format!("the schema is not JSON: {error}"), "write JSON");
    check(&serde_json::from_str(schema).map_err(no_json)?)
}

/// Removes each mistake from a schema for which `note` returns true. Returns `None` if a mistake is not removed.
pub fn without_mistakes(mut schema: Value, mut note: impl FnMut(&SchemaError) -> bool) -> Option<Value> {
    while let Err(error) = check(&schema) {
        let (last, above) = note(&error).then(|| error.path.split_last()).flatten()?;
        let parent = above.iter().try_fold(&mut schema, |json, step| match json {
            Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
            json => json.get_mut(step),
        });
        let is_removed = match parent? {
            // Without its type, the schema would have further mistakes, which only follow from the wrong type.
            Value::Object(members) if last == "type" && !error.lacks => {
                members.insert(last.clone(), "object".into()).is_some_and(|written| written != "object")
            }
            Value::Object(members) => members.remove(last).is_some(),
            Value::Array(list) => last.parse().is_ok_and(|at: usize| at < list.len() && !list.remove(at).is_null()),
            _ => false,
        };
        if !is_removed {
            return None;
        }
    }
    Some(schema)
}

/// The position in the schema that is being checked.
#[derive(Default)]
struct Reader {
    path: Vec<String>,
    depth: usize,
}

impl Reader {
    fn at_key(&mut self, key: impl Into<String>, read: impl FnOnce(&mut Self) -> Checked) -> Checked {
        self.path.push(key.into());
        read(self)?;
        self.path.pop();
        Ok(())
    }

    fn wrong(&self, wrong: impl Into<String>, right: impl Into<String>) -> SchemaError {
        SchemaError { path: self.path.clone(), wrong: wrong.into(), right: right.into(), lacks: false, is_name: false }
    }

    fn require(&self, value: &Value, right: bool, what: &str) -> Checked {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a table",
        };
        if right { Ok(()) } else { Err(self.wrong(format!("{kind} has the wrong type here"), format!("write {what}"))) }
    }

    fn schema(&mut self, schema: &Value) -> Checked {
        let Some(members) = schema.as_object() else {
            return self.require(schema, false, "a schema, as in { type = \"string\" }");
        };
        if self.depth == MAX_DEPTH {
            return Err(self.wrong(format!("the schema is deeper than {MAX_DEPTH} levels"), "make it flatter"));
        }
        for name in members.keys() {
            if !KEYWORDS.iter().any(|keyword| keyword.name == name) {
                let mut wrong = self.wrong(format!("unknown keyword {name:?}"), advice(name));
                wrong.path.push(name.clone());
                return Err(SchemaError { is_name: true, ..wrong });
            }
        }
        self.depth += 1;
        for keyword in &KEYWORDS {
            let Some(value) = schema.get(keyword.name) else { continue };
            self.at_key(keyword.name, |it| {
                (keyword.read)(it, value)?;
                it.fits(keyword, schema)
            })?;
        }
        self.depth -= 1;
        self.required_are_there(schema)
    }

    /// Checks that a keyword may be used with the types of the schema, and with the other keywords in it.
    fn fits(&self, keyword: &Keyword, schema: &Value) -> Checked {
        let name = keyword.name;
        match keyword.of {
            KeywordScope::Any | KeywordScope::Types([]) => Ok(()),
            KeywordScope::Types(needed) => {
                let types = types(schema);
                if types.iter().any(|one| needed.contains(one)) {
                    return Ok(());
                }
                let place = if types.is_empty() { "without a type" } else { "on this type" };
                let right = format!("add type = {:?} to the same schema", needed[0]);
                Err(SchemaError { lacks: true, ..self.wrong(format!("{name} has no effect {place}"), right) })
            }
            KeywordScope::Alone => {
                let conflicts = |other: &&Keyword| {
                    other.name != name && other.of != KeywordScope::Any && (other.name != "type" || name == "anyOf")
                };
                let mut others = KEYWORDS.iter().filter(conflicts).map(|other| other.name);
                match others.find(|other| schema.get(other).is_some()) {
                    Some(other) => {
                        let wrong = format!("{name} and {other} are mutually exclusive");
                        Err(self.wrong(wrong, format!("keep {name} or {other}")))
                    }
                    None => self.check_type_of_values(&schema[name], &types(schema)),
                }
            }
        }
    }

    /// Checks that each value of an `enum`, or the value of a `const`, has one of the types next to it.
    fn check_type_of_values(&self, values: &Value, types: &[&str]) -> Checked {
        let list = values.as_array().map(Vec::as_slice);
        for (index, value) in list.unwrap_or(std::slice::from_ref(values)).iter().enumerate() {
            if !types.is_empty() && !types.iter().any(|name| is_of_type(value, name)) {
                let right = format!("remove it, or add its type to {}", types.join(", "));
                let mut wrong = self.wrong(format!("{value} is not of the type {}", types.join(" or ")), right);
                wrong.path.extend(list.map(|_| index.to_string()));
                return Err(wrong);
            }
        }
        Ok(())
    }

    fn required_are_there(&mut self, schema: &Value) -> Checked {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for (index, name) in required.enumerate() {
            if schema["properties"].get(name).is_none() {
                let mut wrong =
                    self.wrong(format!("{name:?} is required, but is not defined under properties"), "define it there");
                wrong.path.extend(["required".to_owned(), index.to_string()]);
                return Err(wrong);
            }
        }
        Ok(())
    }

    fn types(&self, value: &Value) -> Checked {
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for one in list {
            self.require(one, one.is_string(), "the name of a type, or a list of them")?;
            let name = one.as_str().unwrap_or_default();
            if !TYPES.contains(&name) {
                let right = format!("the choices are {}", TYPES.join(", "));
                return Err(self.wrong(format!("unknown type {name:?}"), right));
            }
        }
        self.is_not_empty(list.len(), "name a type")
    }

    fn is_not_empty(&self, len: usize, right: &str) -> Checked {
        if len == 0 { Err(self.wrong("the list is empty", right)) } else { Ok(()) }
    }

    fn named_schemas(&mut self, value: &Value) -> Checked {
        self.require(value, value.is_object(), "a table of schemas by name")?;
        let mut members = value.as_object().into_iter().flatten();
        // These keys exist in every JavaScript object.
        if let Some(name) = ["__proto__", "constructor"].into_iter().find(|name| value.get(name).is_some()) {
            let wrong = format!("a property is named {name:?}");
            return Err(self.wrong(wrong, "rename it: JavaScript clients cannot read it"));
        }
        members.try_for_each(|(name, schema)| self.at_key(name, |it| it.schema(schema)))
    }

    fn schemas(&mut self, value: &Value) -> Checked {
        self.require(value, value.is_array(), "a list of schemas")?;
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        self.is_not_empty(list.len(), "write a schema for each form")?;
        list.iter().enumerate().try_for_each(|(index, one)| self.at_key(index.to_string(), |it| it.schema(one)))
    }

    fn names(&self, value: &Value) -> Checked {
        let names = value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        self.require(value, names, "a list of names")
    }

    fn values(&self, value: &Value) -> Checked {
        self.require(value, value.is_array(), "a list of values")?;
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        self.is_not_empty(list.len(), "list the allowed values")?;
        list.iter().try_for_each(|one| self.scalar(one))
    }

    fn scalar(&self, value: &Value) -> Checked {
        self.require(value, !value.is_array() && !value.is_object(), "texts, numbers, true, false")
    }

    fn count(&self, value: &Value) -> Checked {
        let is_count = value.as_u64().is_some_and(|count| u32::try_from(count).is_ok());
        self.require(value, is_count, "a whole number of 0 or more")
    }

    fn number(&self, value: &Value) -> Checked {
        self.require(value, value.is_number(), "a number")
    }

    fn text(&self, value: &Value) -> Checked {
        self.require(value, value.is_string(), "a text in quotes")
    }

    fn dialect(&self, value: &Value) -> Checked {
        if self.path.len() > 1 {
            return Err(self.wrong("$schema is inside the schema", "write it only once, at the top of the schema"));
        }
        let dialect = value.as_str().unwrap_or_default().trim_end_matches('#');
        if dialect == DIALECT {
            Ok(())
        } else {
            Err(self.wrong("this is another dialect", format!("write {DIALECT:?}")))
        }
    }
}

/// Returns the types that the `type` of a schema lists.
pub fn types(schema: &Value) -> Vec<&str> {
    let value = &schema["type"];
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().filter_map(Value::as_str).collect()
}

/// Returns true if the value is of the type with this name.
pub fn is_of_type(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::String(_) => name == "string",
        Value::Number(number) => {
            name == "number" || name == "integer" && number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

/// Returns advice for a keyword that is not supported.
fn advice(name: &str) -> String {
    let instead = match name {
        "oneOf" | "if" => "write anyOf",
        "allOf" | "$ref" | "$defs" | "definitions" => "write the schema itself in this place",
        "pattern" | "$comment" | "default" => "put it into the description",
        "exclusiveMinimum" | "exclusiveMaximum" => "write minimum or maximum",
        _ => "leave it out",
    };
    let known: Vec<String> = KEYWORDS.iter().map(|keyword| format!("{:?}", keyword.name)).collect();
    let (last, others) = known.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    format!("{instead}: the choices are {} and {last}", others.join(", "))
}
