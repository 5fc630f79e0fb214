//! The tables of a file, and the types of values that only policies have: versions, dialects, pages, conditions and
//! texts of files.

use toml::de::DeValue;

use super::details::Details;
use crate::body_shape::ShapeTable;
use crate::code::{ErrorCode, Retry};
use crate::dialect::DialectName;
use crate::dialect::custom::{Expected, PathNotation};
use crate::guard::auth::AuthScheme;
use crate::guard::header::RequiredHeader;
use crate::outward::OutwardRule;
use crate::page::{self, ErrorPage};
use crate::policy::RouteRule;
use crate::policy::keys::RouteTable;
use crate::policy::process::{AdviceTable, BudgetTable, CorsTable, ObserveTable, ProxyTable, RequestIdTable, RpcTable};
use crate::policy::rule::MapRule;
use crate::policy::scope::ScopeTable;
use crate::table::{
    Kind, Leaf, Message, Named, Reading, Refusals, SettingError, Tables, Version, advice_for_unknown, keywords, tables,
};

tables! {
    /// A file of a policy.
    pub(super) struct FileTable {
        version: Version = required,
        include: PlacedTexts,
        base: PlacedTexts,
        locked: PlacedTexts,
        request_id: RequestIdTable,
        rpc: RpcTable,
        defaults: RouteTable,
        inspect: BudgetTable,
        drain: BudgetTable,
        observe: ObserveTable,
        advice: AdviceTable,
        cors: CorsTable,
        proxy: ProxyTable,
        header: Headers,
        auth: Schemes,
        route: Routes,
        code: Codes,
        map: MapRules,
        outward: OutwardRules,
        shape: Shapes,
        scope: ScopeTable,
    }

    /// A code that the policy defines, or a code of the catalogue to which it adds something.
    pub(super) struct CodeTable {
        code: String = required,
        status: u16,
        grpc: u8,
        jsonrpc: i32,
        retry: Retry,
        message: Message,
        docs: Message,
        details: Details,
    }
}

type PlacedTexts = Vec<PlacedText>;
type Headers = Named<RequiredHeader>;
type Schemes = Named<AuthScheme>;
type Shapes = Named<ShapeTable>;
type Routes = Tables<RouteRule>;
type Codes = Tables<DefinedCode>;
type MapRules = Tables<MapRule>;
type OutwardRules = Tables<OutwardRule>;

/// A route has the keys of `[defaults]`, and a pattern.
impl Leaf for RouteRule {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let table = at.table(value)?;
        at.refuse_others(table, &[RouteTable::KEYS, &["match"]].concat());
        let pattern: Option<String> = at.key(table, "match", true);
        Some(Self { keys: RouteTable::read_keys(table, at), ..Self::new(pattern.unwrap_or_default()) })
    }
}

/// Returns advice for a key that does not belong to the table with these keys, but to another table.
pub(super) fn misplaced(name: &str, known: &[&str]) -> Option<String> {
    let is_route = known.contains(&"match");
    let right = match name {
        "keep_members" if known.contains(&"keep_fields") => "use the new name of the key, \"keep_fields\"",
        "version" | "include" | "base" | "locked" => "write it above the first table of the file",
        "hosts" | "prefix" | "upstream" | "upstream_timeout" | "stall_timeout" => {
            "write it in the table [scope] of an included file"
        }
        "path" | "pattern" if is_route => "the key is called \"match\"",
        "method" | "methods" if is_route => "write the methods in match, as in \"GET|POST /x\"",
        _ if RouteTable::KEYS.contains(&name) => "write it in [defaults], or in a [[route]]",
        _ => return None,
    };
    Some(right.to_owned())
}

/// A code that the policy defines. A code of the catalogue already has a status. For any other code, the table must set
/// the status.
#[derive(Clone, Debug, Default)]
pub(super) struct DefinedCode(pub(super) CodeTable);

impl Leaf for DefinedCode {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let mut code = CodeTable::read(value, at)?;
        let table = at.table(value)?;
        match code.in_catalogue() {
            // If `details`, `docs` or `retry` has a mistake, the mistake was noted when it was read. The code's own
            // advice replaces the wrong value here, so that the table is not refused as empty.
            Some(known)
                if matches!((&code.details, &code.docs, &code.retry), (None, None, None))
                    && ["details", "docs", "retry"].iter().any(|key| table.contains_key(*key)) =>
            {
                code.retry = Some(known.retry());
            }
            None if !table.contains_key("status") => drop(at.key::<u16>(table, "status", true)),
            _ => {}
        }
        Some(Self(code))
    }
}

impl CodeTable {
    fn in_catalogue(&self) -> Option<ErrorCode> {
        let name = self.code.as_deref()?;
        ErrorCode::in_catalogue(name).filter(|code| code == name)
    }

    /// Returns the code. If the name or the status of the code is wrong, a valid value replaces it.
    pub(super) fn into_code(self, refusals: &mut Refusals) -> ErrorCode {
        const UNKNOWN: ErrorCode = ErrorCode::custom("stands_for_a_code_whose_name_is_wrong", 500);
        if let Some(code) = self.in_catalogue() {
            return self.added_to(code, refusals);
        }
        let status = self.status.map(|status| refusals.keep(SettingError::check_error_status("status", status)));
        let status = status.flatten().map_or(500, |status| status.as_u16());
        let name = self.code.as_deref().map(|name| {
            let refused = |wrong| SettingError::new("code", format!("{name:?} cannot be defined"), wrong);
            refusals.keep(ErrorCode::try_own(name, status).map_err(refused))
        });
        let code = name.flatten().unwrap_or(UNKNOWN);
        let code = self.grpc.into_iter().fold(code, ErrorCode::with_grpc);
        let code = self.jsonrpc.into_iter().fold(code, ErrorCode::with_jsonrpc);
        let code = self.docs.into_iter().fold(code, ErrorCode::with_docs);
        let code = self.retry.into_iter().fold(code, ErrorCode::with_retry);
        let code = self.message.into_iter().fold(code, ErrorCode::with_message);
        self.details.into_iter().fold(code, |code, Details(schema)| code.with_details(schema))
    }

    /// Returns a code of the catalogue with the parts that the table adds to it.
    fn added_to(self, code: ErrorCode, refusals: &mut Refusals) -> ErrorCode {
        let has_fixed = code.has_fixed_details();
        for (key, is_set) in [
            ("status", self.status.is_some()),
            ("grpc", self.grpc.is_some()),
            ("jsonrpc", self.jsonrpc.is_some()),
            ("message", self.message.is_some()),
            ("details", has_fixed && self.details.is_some()),
        ] {
            if is_set {
                let wrong = format!("the catalogue fixes the {key} of {:?}", code.as_str());
                let right = match key {
                    "message" => "set the text of its errors by a [[map]] with say, or by an [[outward]]",
                    "details" => "define a code of your own",
                    _ => "remove it; a policy can add only details, docs and retry to a code of the catalogue",
                };
                refusals.add(SettingError::new(key, wrong, right).of_kind(Kind::Conflict));
            }
        }
        let code = self.docs.into_iter().fold(code, ErrorCode::with_docs);
        let code = self.retry.into_iter().fold(code, ErrorCode::with_retry);
        let details = self.details.filter(|_| !has_fixed);
        details.into_iter().fold(code, |code, Details(schema)| code.with_details(schema))
    }
}

/// A text that is checked later, with its path in the file.
#[derive(Clone, Debug)]
pub(super) struct PlacedText {
    pub(super) text: String,
    pub(super) path: String,
}

impl Leaf for PlacedText {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        String::read(value, at).map(|text| Self { text, path: at.path.to_owned() })
    }

    fn written(&self) -> String {
        self.text.written()
    }
}

impl Leaf for DialectName {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        String::read(value, at).map(Self::from)
    }

    fn written(&self) -> String {
        format!("{:?}", &**self)
    }
}

/// A page: the built-in page, or a page from a file.
impl Leaf for ErrorPage {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match value {
            DeValue::Boolean(is_on) => Some((*is_on).into()),
            DeValue::String(name) => {
                at.read_file(name, page::MAX_BYTES as u64).map(|(_, text)| Self::from_file(name, text))
            }
            _ => at.mistyped(value, "write true, false or the file of a page"),
        }
    }

    fn written(&self) -> String {
        self.written()
    }
}

/// The value that a condition expects: the word for a JSON type, or a value. A text that is the word for a type is
/// written as `{ is = "…" }`.
impl Leaf for Expected {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match value {
            DeValue::String(word) => {
                let types = Self::TYPES.iter();
                types.clone().find(|(known, ..)| *known == word).map(|(_, expected, _)| expected.clone()).or_else(
                    || {
                        let known = advice_for_unknown(word, types.map(|(known, ..)| *known));
                        let right = format!("{known}; to match the text itself, write {{ is = {word:?} }}");
                        at.refuse(Kind::UnknownWord, format!("{word:?} is not a JSON type"), right)
                    },
                )
            }
            DeValue::Integer(_) => i64::read(value, at).map(Self::from),
            DeValue::Boolean(is) => Some(Self::from(*is)),
            DeValue::Table(table) if table.contains_key("is") => {
                at.refuse_others(table, &["is"]);
                at.key(table, "is", true).map(Self::Text)
            }
            DeValue::Table(_) => {
                let right = "write a JSON type, a value, or { is = \"a text\" } for a fixed text";
                at.refuse(Kind::InvalidValue, "a table is not a condition", right)
            }
            _ => at.mistyped(value, "write the name of a JSON type, such as \"string\", a whole number, true or false"),
        }
    }
}

keywords! { PathNotation Retry }
