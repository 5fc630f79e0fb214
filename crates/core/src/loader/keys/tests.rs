//! Each row of the table must be read, written, set by a setter and described.

mod manual;

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::dialect::{Dialect, DialectName};
use crate::loader::PolicyLoader;
use crate::page::ErrorPage;
use crate::policy::RouteRule;
use crate::policy::keys::{RouteTable, for_each_key};

/// The tables that the lists of [`Samples`] name.
pub(in crate::loader) const NAMES: &str = r#"
[header."a/b"]
name = "x-h"
[header."b/a"]
name = "x-i"
[auth."a/b"]
scheme = "bearer"
keys = [{ id = "k", sha256 = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66" }]
[auth."b/a"]
scheme = "header"
header = "x-b"
keys = [{ id = "k", sha256 = "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd" }]
"#;

/// Returns each key with each of its samples, one at a time.
pub(in crate::loader) fn singles() -> Vec<RouteTable> {
    let mut singles = Vec::new();
    macro_rules! singles {
        ($($(#[$($_:tt)+])+ $key:ident: $value:ty $(=> $made:ty, by $make:ident)? $(= $default:expr)?;)*) => {
            $(singles.extend(
                Values::samples().into_iter().map(|value| RouteTable { $key: Some(value), ..RouteTable::default() }),
            );)*
        };
    }
    for_each_key!(singles);
    singles
}

/// Returns the keys of a table, as they are written in a file.
pub(in crate::loader) fn as_text(keys: &RouteTable) -> String {
    let line = |key: &&str| Some(format!("{key} = {}\n", keys.written(key)?));
    RouteTable::KEYS.iter().filter_map(line).collect()
}

#[test]
fn what_a_file_sets_is_what_it_reads() {
    for keys in singles() {
        let text = format!("version = 1\n[defaults]\n{}{NAMES}", as_text(&keys));
        let read = PolicyLoader::new().parse("policy.toml", &text).unwrap();
        assert_eq!(format!("{:?}", read.builder.part.keys), format!("{keys:?}"));
    }
}

/// Sets a key with its setter. `body_limit` has two setters.
macro_rules! set {
    (body_limit, $route:expr, $value:expr) => {
        match $value {
            Some(bytes) => $route.body_limit(bytes),
            None => $route.no_body_limit(),
        }
    };
    ($key:ident, $route:expr, $value:expr) => {
        $route.$key($value)
    };
}

macro_rules! set_each {
    ($($(#[$($_:tt)+])+ $key:ident: $value:ty $(=> $made:ty, by $make:ident)? $(= $default:expr)?;)*) => {
        fn set_each(keys: &RouteTable) -> RouteRule {
            let mut route = RouteRule::new("/");
            $(if let Some(value) = keys.$key.clone() {
                route = set!($key, route, value);
            })*
            route
        }
    };
}

for_each_key!(set_each);

#[test]
fn each_key_has_a_setter() {
    for keys in singles() {
        assert_eq!(format!("{:?}", set_each(&keys).keys), format!("{keys:?}"));
    }
}

/// The JSON Schema of a type of values, and some of its values.
trait Values: Sized {
    /// Returns the fields of a definition in `policy.schema.json`.
    fn schema() -> String;

    fn samples() -> Vec<Self>;
}

impl<W: crate::table::KeywordValue> Values for W {
    fn schema() -> String {
        let words: Vec<_> = W::ALL.iter().map(|word| format!("        {:?}", word.word())).collect();
        format!("\"enum\": [\n{}\n      ]", words.join(",\n"))
    }

    fn samples() -> Vec<Self> {
        W::ALL.to_vec()
    }
}

impl Values for bool {
    fn schema() -> String {
        "\"type\": \"boolean\"".to_owned()
    }

    fn samples() -> Vec<Self> {
        vec![false, true]
    }
}

impl Values for DialectName {
    fn schema() -> String {
        let words: Vec<String> =
            Dialect::ALL.iter().map(|dialect| format!("            {:?}", dialect.as_str())).collect();
        DIALECT.replace("{dialects}", &words.join(",\n"))
    }

    fn samples() -> Vec<Self> {
        [Dialect::OpenAi, Dialect::Problem, Dialect::Standard].map(Self::from).into()
    }
}

impl Values for Vec<String> {
    fn schema() -> String {
        LIST.to_owned()
    }

    fn samples() -> Vec<Self> {
        [&[][..], &["a/b"], &["b/a", "a/b"]].map(|list| list.iter().map(|it| (*it).to_owned()).collect()).into()
    }
}

impl Values for Option<u64> {
    fn schema() -> String {
        LIMIT.to_owned()
    }

    fn samples() -> Vec<Self> {
        vec![None, Some(0), Some(65_536), Some(1_000)]
    }
}

impl Values for ErrorPage {
    fn schema() -> String {
        "\"type\": [\n        \"boolean\",\n        \"string\"\n      ]".to_owned()
    }

    fn samples() -> Vec<Self> {
        vec![false.into(), true.into()]
    }
}

const DIALECT: &str = r#""anyOf": [
        {
          "enum": [
{dialects}
          ]
        },
        {
          "type": "string",
          "pattern": "^[a-z][a-z0-9_-]{0,62}$"
        }
      ]"#;

const LIST: &str = r#""type": "array",
      "items": {
        "type": "string"
      }"#;

const LIMIT: &str = r#""anyOf": [
        {
          "type": "integer",
          "minimum": 0
        },
        {
          "type": "string",
          "pattern": "^[0-9]+ *(KiB|MiB|GiB)?$"
        },
        {
          "const": "none"
        }
      ]"#;

/// A key for readers: its description, and the schema of its values.
struct Description {
    key: &'static str,
    about: &'static str,
    schema: String,
}

fn schema_of<T: Values>(_: fn(&RouteTable) -> &Option<T>) -> String {
    T::schema()
}

macro_rules! descriptions {
    ($($(#[doc = $about:literal])+ $(#[rust = $more:literal])? $(#[guard($guard:expr)])? $(#[weaker($weaker:expr)])? $key:ident: $value:ty $(=> $made:ty, by $make:ident)? $(= $default:expr)?;)*) => {
        fn descriptions() -> Vec<Description> {
            vec![$(Description {
                key: stringify!($key),
                about: concat!($($about),+).trim_start(),
                schema: schema_of(|keys| &keys.$key),
            }),*]
        }
    };
}

for_each_key!(descriptions);

impl Description {
    /// Returns the default, in a form that TOML and JSON share.
    fn default(&self) -> String {
        RouteTable::defaults().written(self.key).unwrap()
    }

    fn definition(&self) -> String {
        let (about, default) = (serde_json::to_string(self.about).unwrap(), self.default());
        format!(
            "    \"{}\": {{\n      \"description\": {about},\n      {},\n      \"default\": {default}\n    }},\n",
            self.key, self.schema
        )
    }
}

/// Returns references to all definitions, as members of an object.
fn references(indent: usize) -> String {
    let one = |it: Description| {
        format!("{:indent$}\"{}\": {{\n{:indent$}  \"$ref\": \"#/$defs/{1}\"\n{:indent$}}}", "", it.key, "", "")
    };
    descriptions().into_iter().map(one).collect::<Vec<_>>().join(",\n")
}

/// Returns the text with other lines between two of its parts.
fn spliced(text: &str, opens: &str, closes: &str, lines: &str) -> String {
    let (before, rest) = text.split_once(opens).unwrap_or_else(|| panic!("{opens}"));
    let after = rest.split_once(closes).unwrap_or_else(|| panic!("{closes}")).1;
    [before, opens, lines, closes, after].concat()
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

const UPDATE: &str = "UPDATE_MANUAL";

fn assert_generated(file: &str, wanted: &str) {
    if env::var_os(UPDATE).is_some() {
        fs::write(path(file), wanted).unwrap();
    } else {
        assert!(
            read(file) == wanted,
            "{file} is stale: {UPDATE}=1 cargo test -p error-envelope-core --lib keys writes it anew"
        );
    }
}

const SCHEMA: &str = "crates/cli/src/policy.schema.json";

/// Returns the schema with the rows.
fn with_rows(schema: &str) -> String {
    let definitions: String = descriptions().iter().map(Description::definition).collect();
    let text = spliced(schema, "  \"$defs\": {\n", "    \"locked_key\": {\n", &definitions);
    let names: Vec<_> = RouteTable::KEYS.iter().map(|key| format!("        {key:?}")).collect();
    let text = spliced(&text, "a key of `[defaults]`.\",\n      \"enum\": [\n", "\n      ]", &names.join(",\n"));
    let defaults = "A route can set other values.\",\n      \"properties\": {\n";
    let text = spliced(&text, defaults, "\n      },\n", &references(8));
    let route = "A route for `GET` also matches `HEAD`.\",\n            \"type\": \"string\"\n          },\n";
    spliced(&text, route, "\n        },\n", &references(10))
}

#[test]
fn the_schema_and_the_manual_have_each_row() {
    let schema = with_rows(&read(SCHEMA));
    assert_generated(SCHEMA, &schema);
    let tables = manual::tables(&schema, &read("manual/contract.md"));
    let page = "manual/policy.md";
    assert_generated(page, &spliced(&read(page), manual::OPENS, manual::CLOSES, &tables));
}
