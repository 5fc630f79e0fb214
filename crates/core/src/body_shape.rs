//! An organisation's own shape of error bodies, as a policy describes it: the places of a body's parts, and its
//! template (rule R15).

use http::HeaderName;

use crate::code::{CodeSet, ErrorCode};
use crate::dialect::custom::{
    CodeNames, Condition, Conditions, CustomShape, Description, Expected, IssuePlaces, PathNotation, Placeholder,
    Pointer, StatusNames, Template,
};
use crate::dialect::{Dialect, Shape};
use crate::table::{Named, OneOrMore, Refusals, SettingError, setters, table_setters, tables};

/// A shape of error bodies that services send or clients expect: `[shape.NAME]` in the policy file (rule R15).
///
/// A shape defines how its bodies are recognised ([`when`](Self::when)), and where a body contains its code, message,
/// details and issues. [`write`](Self::write) defines how errors are written in the shape. Places are JSON pointers
/// (RFC 6901), in which `*` matches each element of a list. If a place is not set, the layer uses the place of the same
/// value in the template. A shape needs at least one condition ([`when`](Self::when) or [`any`](Self::any)), even if it
/// only writes errors.
///
/// A policy reads its shapes before the built-in ones, in the order in which they were added. If a shape has a
/// template, a route can use the shape's name as its `dialect`.
///
/// ```
/// use tower_error_envelope::policy::{BodyShape, Expected, ShapeIssues};
/// use tower_error_envelope::{ErrorCode, Policy, RouteRule};
///
/// let acme = BodyShape::new("acme")
///     .when("/fault/code", Expected::String)
///     .code("/fault/code")
///     .message("/fault/text")
///     .issues(ShapeIssues::new("/fault/errors/*").path("/field").message("/reason"))
///     .name("Throttled", ErrorCode::RATE_LIMITED)
///     .write(r#"{"fault":{"code":{{name}},"text":{{message}},"errors":{{issues?}},"trace":{{request_id}}}}"#);
/// let policy = Policy::builder().shape(acme).route(RouteRule::new("/acme/{*rest}").dialect("acme")).build()?;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct BodyShape {
    pub(crate) name: String,
    pub(crate) table: ShapeTable,
}

tables! {
    /// `[shape.NAME]`: the places of the parts of a body.
    pub(crate) struct ShapeTable {
        when: Named<Expected>,
        any: Named<Expected>,
        not: Named<Expected>,
        code: OneOrMore,
        message: OneOrMore,
        details: OneOrMore,
        issues: ShapeIssues,
        request_id: String,
        codes: Named<ErrorCode>,
        by_status: Named<String>,
        stays: OneOrMore,
        ignores: OneOrMore,
        media_type: String,
        id_header: String,
        write: String,
    }
}

setters! {
    /// The places of the issues in bodies of a [`BodyShape`], and of the parts in each issue.
    ///
    /// ```
    /// use tower_error_envelope::policy::{PathNotation, ShapeIssues};
    ///
    /// let json_api = ShapeIssues::new("/errors/*")
    ///     .path("/source/pointer")
    ///     .message("/detail")
    ///     .code("/code")
    ///     .notation(PathNotation::Pointer);
    /// ```
    pub struct ShapeIssues {
        /// The list of issues.
        list: String = required,
        /// Sets the place of an issue's path, which names the wrong field. The place is relative to the issue.
        path: String,
        /// Sets the place of the text in an issue, relative to the issue. If the place is empty, the issue itself is
        /// its text. If an issue has no text, its code becomes the text.
        message: String,
        /// Sets the place of the code in an issue. The code is one word that names the mistake.
        code: String,
        /// Sets the notation of paths. The default is [`PathNotation::Dotted`].
        notation: PathNotation,
    }
}

impl ShapeIssues {
    /// Creates the places for issues in a list. `list` is the place of the elements of the list. It ends in `/*`.
    pub fn new(list: impl Into<String>) -> Self {
        Self { list: Some(list.into()), ..Self::default() }
    }

    fn compile(&self) -> Result<IssuePlaces, SettingError> {
        let written = self.list.as_deref().unwrap_or_default();
        let list = pointer("issues", written)?;
        if !written.ends_with("/*") {
            let right =
                format!("write \"{}/*\", which stands for all elements of the list", written.trim_end_matches('/'));
            return Err(SettingError::new("issues", format!("{written:?} must end in /* to name a list"), right));
        }
        let inside = |place: &Option<String>| match place.as_deref() {
            Some(place) if place.split('/').any(|step| step == "*") => {
                let right = "write a place inside one issue, such as \"/field\"";
                Err(SettingError::new("issues", format!("{place:?} stands for all elements of a list"), right))
            }
            place => place.map(|place| pointer("issues", place)).transpose(),
        };
        let (path, message, code) = (inside(&self.path)?, inside(&self.message)?, inside(&self.code)?);
        Ok(IssuePlaces { list, path, message, code, notation: self.notation.unwrap_or(PathNotation::Dotted) })
    }
}

impl BodyShape {
    /// Creates a shape with a name. The name is a lower-case letter, then up to 62 lower-case letters, digits, `_` and
    /// `-`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), table: ShapeTable::default() }
    }

    /// Adds a condition of the shape. A body in the shape fulfils all of these conditions.
    pub fn when(mut self, place: impl Into<String>, expected: impl Into<Expected>) -> Self {
        self.table.when.get_or_insert_default().0.push((place.into(), expected.into()));
        self
    }

    /// Adds a condition of the shape. A body in the shape fulfils at least one of these conditions.
    pub fn any(mut self, place: impl Into<String>, expected: impl Into<Expected>) -> Self {
        self.table.any.get_or_insert_default().0.push((place.into(), expected.into()));
        self
    }

    /// Adds a condition of the shape. A body in the shape fulfils none of these conditions.
    pub fn not(mut self, place: impl Into<String>, expected: impl Into<Expected>) -> Self {
        self.table.not.get_or_insert_default().0.push((place.into(), expected.into()));
        self
    }
}

table_setters! { BodyShape:
    /// Adds a place where a body may have its code, which is a text or a number. The first place with a code is used.
    code += place: impl Into<String>,

    /// Adds a place where a body may have its message. The first place with a message is used.
    message += place: impl Into<String>,

    /// Adds a place where a body may have its details, which may be any JSON except `null`. If a body has details in
    /// several of these places, the place that was added first is used.
    details += place: impl Into<String>,

    /// Sets the place of the request id in a received body in this shape.
    request_id: impl Into<String>,

    /// Sets the media type of the bodies that are written. The media type must be a JSON type. The default is
    /// `application/json`.
    media_type: impl Into<String>,

    /// Sets a second header for the request id, in addition to `x-request-id`.
    id_header: impl Into<String>,

    /// Sets the template of bodies. A template is JSON in which `{{code}}`, `{{name}}`, `{{status}}`, `{{message}}`,
    /// `{{details}}`, `{{issues}}`, `{{request_id}}`, `{{timestamp}}` and `{{retry_after}}` (seconds) are placeholders
    /// for whole values. A placeholder without a value becomes `null`. If the placeholder ends with `?`, as in
    /// `{{details?}}`, its field is left out instead.
    write: impl Into<String>,

    /// Sets the places of the issues in a body.
    issues: ShapeIssues,

    /// Adds a place whose value stays in a received body in this shape, even if rule R3 removes the body's texts. The
    /// value must be a name, a number or a boolean. If R3 keeps the texts, all fields stay.
    stays += place: impl Into<String>,

    /// Adds a field of the body, or of its `error`, that the layer ignores. The layer neither searches the field for
    /// field errors (rule R13) nor logs it as dropped (R14).
    ignores += place: impl Into<String>,
}

impl BodyShape {
    /// Adds the shape's own name for a code. The layer reads this name as the code, and writes it as `{{name}}`. If a
    /// code has two names, the layer writes the first name.
    pub fn name(mut self, name: impl Into<String>, code: ErrorCode) -> Self {
        self.table.codes.get_or_insert_default().0.push((name.into(), code));
        self
    }

    /// Adds the shape's name for a status, such as `404`. The layer writes the name for codes of this status that have
    /// no other name. `"4xx"` or `"5xx"` sets the name for all other statuses of that class. In a received body, the
    /// name of a status only repeats the status.
    pub fn by_status(mut self, status: impl ToString, name: impl Into<String>) -> Self {
        self.table.by_status.get_or_insert_default().0.push((status.to_string(), name.into()));
        self
    }

    /// Compiles the shape. `codes` are the codes that the policy defines.
    pub(crate) fn compile(self, codes: &CodeSet, refusals: &mut Refusals) -> Option<CustomShape> {
        let Self { name, table } = self;
        let of_name = refusals.keep(refuse_name(&name));
        let conditions = compile_conditions(table.when, table.any, table.not, refusals);
        let template = refusals.keep_some(table.write, |it| {
            Template::parse(&it).map_err(|(wrong, right)| SettingError::new("write", wrong, right))
        });
        let issues = refusals.keep_some(table.issues, |issues| issues.compile());
        let lists_issues = matches!(&template, Some(Some(template)) if template.has(Placeholder::Issues));
        if lists_issues && matches!(issues, Some(None)) {
            let right = "describe them: issues = { list = \"/errors/*\", path = \"/field\", message = \"/message\" }";
            refusals.0.push(SettingError::new("write", "{{issues}} is used, but issues is not described", right));
        }
        let of_template = |which| template.as_ref()?.as_ref()?.place_of(which);
        let mut places = |key, places: Option<OneOrMore>, which: &[Placeholder]| match places {
            None => Some(which.iter().find_map(|which| of_template(*which)).into_iter().collect()),
            Some(places) => refusals.keep(body_places(key, places)),
        };
        let code = places("code", table.code, &[Placeholder::Name, Placeholder::Code]);
        let message = places("message", table.message, &[Placeholder::Message]);
        let details = places("details", table.details, &[Placeholder::Details]);
        let request_id = refusals.keep_some(table.request_id, |place| body_place("request_id", &place));
        let request_id = request_id.map(|place| place.or_else(|| of_template(Placeholder::RequestId)));
        let codes = compile_codes(table.codes.unwrap_or_default().0, codes, refusals);
        let by_status = refusals.keep(names_by_status(table.by_status.unwrap_or_default().0));
        let stays = refusals.keep(body_places("stays", table.stays.unwrap_or_default()));
        let ignores = refusals.keep(body_places("ignores", table.ignores.unwrap_or_default()));
        let media_type = refusals.keep(json_type(table.media_type));
        let id_header = refusals.keep_some(table.id_header, |name| header_name(&name));
        of_name?;
        let description = Description {
            code: code?,
            message: message?,
            details: details?,
            request_id: request_id?,
            name: name.into(),
            conditions: conditions?,
            issues: issues?,
            codes: codes?,
            by_status: by_status?,
            stays: stays?,
            ignores: ignores?,
            media_type: media_type?,
            id_header: id_header?,
            template: template?,
        };
        refusals.keep(refuse_useless_places(&description))?;
        Some(CustomShape::new(description))
    }
}

fn refuse_name(name: &str) -> Result<(), SettingError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(is_plain);
    if !is_name || name.len() > 63 {
        let right = "write a lower-case letter, then at most 62 of a-z, 0-9, _ and -";
        return Err(SettingError::new("", format!("{name:?} is not a valid shape name"), right));
    }
    let built_in = Dialect::ALL.iter().map(|it| it.as_str()).chain(Shape::ALL.iter().map(|it| it.as_str()));
    if built_in.into_iter().any(|it| it == name) {
        return Err(SettingError::new("", format!("{name:?} is a built-in shape"), "give it another name"));
    }
    Ok(())
}

fn pointer(key: &'static str, place: &str) -> Result<Pointer, SettingError> {
    Pointer::parse(place).ok_or_else(|| {
        let right = format!(
            "begin it with /, as in \"/{}\"; inside a name, write ~ as ~0 and / as ~1",
            place.trim_start_matches('/').replace('.', "/")
        );
        SettingError::new(key, format!("{place:?} is not a JSON pointer"), right)
    })
}

/// Returns the place of a field of the body. Refuses the whole body and an element of a list, because the body is an
/// object.
fn body_place(key: &'static str, place: &str) -> Result<Pointer, SettingError> {
    let inside = pointer(key, place)?;
    if place.is_empty() || place.starts_with("/*") {
        let wrong = format!("{place:?} is the whole body or a list element");
        return Err(SettingError::new(key, wrong, "name a field of the body, as in \"/error\""));
    }
    Ok(inside)
}

fn body_places(key: &'static str, OneOrMore(places): OneOrMore) -> Result<Box<[Pointer]>, SettingError> {
    places.iter().map(|place| body_place(key, place)).collect()
}

fn compile_conditions(
    when: Option<Named<Expected>>,
    any: Option<Named<Expected>>,
    not: Option<Named<Expected>>,
    refusals: &mut Refusals,
) -> Option<Conditions> {
    let is_empty = |table: &Option<Named<Expected>>| table.as_ref().is_some_and(|Named(all)| all.is_empty());
    if when.is_none() && any.is_none() || is_empty(&when) {
        let right = "add a type or a value that all of its bodies have at a place: when = { \"/place\" = \"string\" }, \
                     or in Rust .when(\"/place\", Expected::String)";
        refusals.0.push(SettingError::new("when", "no condition distinguishes the shape from others", right));
    } else if is_empty(&any) {
        let right = "list at least one condition in `any`, or remove the key `any`";
        refusals.0.push(SettingError::new("any", "no condition is listed", right));
    }
    let mut compiled = |key, table: Option<Named<Expected>>| {
        let all = table.unwrap_or_default().0.into_iter();
        refusals
            .keep(all.map(|(at, is)| Ok(Condition { at: body_place(key, &at)?, is })).collect::<Result<Box<_>, _>>())
    };
    let (when, any, not) = (compiled("when", when), compiled("any", any), compiled("not", not));
    let conditions = Conditions { when: when?, any: any?, not: not? };
    let required = |it: &&Condition| conditions.when.iter().any(|when| when.implies(it));
    let wrong =
        |key, at: &Pointer, wrong, right| Err(SettingError::new(key, format!("{:?}: {wrong}", at.to_string()), right));
    let useless = match (conditions.any.iter().find(required), conditions.not.iter().find(required)) {
        (Some(any), _) => wrong("any", &any.at, "`when` already requires this", "remove it here or in `when`"),
        (None, Some(not)) => wrong("not", &not.at, "no body fulfils both this and `when`", "remove one of the two"),
        (None, None) => Ok(()),
    };
    refusals.keep(useless)?;
    Some(conditions)
}

/// Compiles `by_status`: the name that the shape writes for a status or a class. Exact statuses come before classes.
fn names_by_status(named: Vec<(String, String)>) -> Result<StatusNames, SettingError> {
    let compiled = named.into_iter().map(|(status, name)| {
        let wrong = |wrong, right| Err(SettingError::new(format!("by_status.{status}"), wrong, right));
        let statuses = match (&*status, status.parse()) {
            ("4xx", _) => 400..=499,
            ("5xx", _) => 500..=599,
            (_, Ok(one @ 400..=599)) => one..=one,
            _ => {
                let right = "write a status from 400 to 599, or 4xx or 5xx for all other statuses of that class";
                return wrong(format!("{status:?} is not an error status"), right);
            }
        };
        match name.trim() {
            "" => wrong("the name is empty".to_owned(), "write the shape's name for such errors, or remove the status"),
            _ => Ok((statuses, name.into())),
        }
    });
    let mut compiled = compiled.collect::<Result<Vec<_>, _>>()?;
    crate::sort_by(&mut compiled, &|one, other| one.0.len() > other.0.len());
    Ok(compiled.into())
}

/// Refuses places in `stays` and `ignores` that have no effect, or an effect that the operator cannot want.
fn refuse_useless_places(it: &Description) -> Result<(), SettingError> {
    let refuse = |key, place: &Pointer, wrong: &str, right| {
        Err(SettingError::new(key, format!("{:?} {wrong}", place.to_string()), right))
    };
    if let Some(place) = it.stays.first().filter(|_| it.template.is_none()) {
        return refuse("stays", place, "has no effect without a template", "add write, or remove stays");
    }
    if let Some(place) =
        it.stays.iter().find(|place| it.message.contains(place) || it.request_id.as_ref() == Some(place))
    {
        return refuse("stays", place, "is a place that the layer itself fills", "name another field");
    }
    let read = || [&it.code, &it.message, &it.details].into_iter().flatten().chain(&it.request_id);
    for place in &it.ignores {
        if read().any(|other| other == place) {
            return refuse("ignores", place, "is read by the shape", "name another field, or remove its place");
        } else if !place.is_field() {
            return refuse(
                "ignores",
                place,
                "is inside a field",
                "name the whole field, as in \"/meta\" or \"/error/meta\"",
            );
        }
    }
    Ok(())
}

fn compile_codes(named: Vec<(String, ErrorCode)>, codes: &CodeSet, refusals: &mut Refusals) -> Option<CodeNames> {
    let mut compiled: Vec<(Box<str>, Box<str>)> = Vec::new();
    for (name, code) in named {
        let code = refusals.keep(SettingError::known_code(format!("codes.{name}"), code, codes));
        if name.trim().is_empty() || compiled.iter().any(|(known, _)| **known == *name) {
            let wrong = format!("the name {name:?} is empty or listed twice");
            refusals.0.push(SettingError::new("codes", wrong, "write each name once"));
            return None;
        }
        compiled.extend(code.map(|code| (name.into(), code.as_str().into())));
    }
    Some(compiled.into())
}

fn json_type(media_type: Option<String>) -> Result<Box<str>, SettingError> {
    const JSON: &str = "application/json";

    let Some(media_type) = media_type else { return Ok(JSON.into()) };
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let parts = media_type.split_once('/').filter(|(kind, subtype)| is_token(kind) && is_token(subtype));
    let is_json = parts.is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"));
    if !is_json {
        let right = "write one such as \"application/vnd.acme+json\", without parameters";
        return Err(SettingError::new("media_type", format!("{media_type:?} is not a JSON media type"), right));
    }
    Ok(media_type.into())
}

fn header_name(name: &str) -> Result<Box<str>, SettingError> {
    /// The names of headers that define how a message is read. Only the layer may set them.
    const RESERVED: [&str; 9] = [
        "x-request-id",
        "x-error-code",
        "x-content-type-options",
        "connection",
        "transfer-encoding",
        "trailer",
        "upgrade",
        "cache-control",
        "vary",
    ];

    let wrong = |wrong: String| SettingError::new("id_header", wrong, "write a name such as \"x-trace-id\"");
    let header: HeaderName = name.parse().map_err(|_| wrong(format!("{name:?} is not a valid header name")))?;
    if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("content-") {
        return Err(wrong(format!("the header {name:?} has another meaning")));
    }
    Ok(header.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str =
        r#"{"e":{"c":{{name}},"m":{{message}},"d":{{details?}},"i":{{issues?}}},"id":{{request_id}}}"#;

    impl BodyShape {
        pub(crate) fn compiled(self) -> Result<CustomShape, SettingError> {
            crate::table::alone(|it| self.compile(&CodeSet::default(), it))
        }
    }

    fn shape() -> BodyShape {
        let issues = ShapeIssues::new("/e/i/*").path("/f").message("/m");
        BodyShape::new("acme").when("/e/c", Expected::String).issues(issues).write(TEMPLATE)
    }

    #[test]
    fn m2_a_wrong_shape_names_its_key() {
        for (wrong, key) in [
            (BodyShape::new("acme").code("/c"), "when"),
            (BodyShape::new("Acme").when("/c", 1), ""),
            (BodyShape::new("openai").when("/c", 1), ""),
            (BodyShape::new("fastapi").when("/c", 1), ""),
            (shape().when("c", 1), "when"),
            (BodyShape::new("acme").not("/c", 1), "when"),
            (shape().any("c", 1), "any"),
            (shape().any("/e/c", Expected::Any), "any"),
            (shape().not("/", 1).not("/*", 1), "not"),
            (shape().not("/e/c", Expected::String), "not"),
            (shape().by_status(399, "A"), "by_status.399"),
            (shape().by_status("6xx", "A"), "by_status.6xx"),
            (shape().by_status(404, " "), "by_status.404"),
            (shape().stays("e"), "stays"),
            (shape().stays("/e/m"), "stays"),
            (shape().stays("/id"), "stays"),
            (BodyShape::new("acme").when("/c", 1).stays("/d"), "stays"),
            (shape().ignores("/e/d"), "ignores"),
            (shape().ignores("/x/y"), "ignores"),
            (shape().code("/~"), "code"),
            (shape().message("e.m"), "message"),
            (shape().details(""), "details"),
            (shape().request_id("/*/id"), "request_id"),
            (shape().issues(ShapeIssues::new("/e/i")), "issues"),
            (shape().issues(ShapeIssues::new("/e/i/*").path("/*/f")), "issues"),
            (shape().write("{"), "write"),
            (BodyShape::new("acme").when("/c", 1).write(r#"{"i":{{issues}}}"#), "write"),
            (shape().name("A", ErrorCode::foreign("unheard_of").unwrap()), "codes.A"),
            (shape().name("A", ErrorCode::OTHER).name("A", ErrorCode::GONE), "codes"),
            (shape().media_type("text/html"), "media_type"),
            (shape().media_type("application/json; charset=utf-8"), "media_type"),
            (shape().id_header("x id"), "id_header"),
            (shape().id_header("Content-Length"), "id_header"),
        ] {
            assert_eq!(wrong.clone().compiled().unwrap_err().key, key, "{wrong:?}");
        }
    }

    #[test]
    fn r15_what_is_described_alike_is_one_shape() {
        let (one, other) = (shape().compiled().unwrap(), shape().compiled().unwrap());
        assert_eq!(one, other);
        assert_ne!(one, shape().id_header("X-Trace").compiled().unwrap());
        assert_eq!(one.description().request_id, Pointer::parse("/id"), "it is where the template has it");
        assert_eq!(one.description().code[..], [Pointer::parse("/e/c").unwrap()]);
    }

    #[test]
    fn r15_the_schema_of_a_shape_claims_what_all_of_its_bodies_have() {
        let schema: serde_json::Value =
            serde_json::from_str(&shape().compiled().unwrap().body_schema().unwrap()).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["e"]));
        assert_eq!(schema["properties"]["e"]["required"], serde_json::json!(["c"]));
        let issues = &schema["properties"]["e"]["properties"]["i"]["items"]["properties"];
        assert_eq!(issues["f"]["type"], "string");
        assert!(BodyShape::new("read").when("/c", 1).compiled().unwrap().body_schema().is_none());
    }
}
