//! Tests texts and paths (rules R2, R3, R13): a service's text reaches its client in every dialect, and no path is
//! invented.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tower_error_envelope::Policy;
use tower_error_envelope::policy::Dialect;

use crate::rewriting::rewritten_for;

/// R2's names for texts.
const TEXTS: [&str; 15] = [
    "message",
    "msg",
    "error_msg",
    "errmsg",
    "errorMessage",
    "error_message",
    "error_description",
    "description",
    "detail",
    "reason",
    "faultstring",
    "statusMessage",
    "error",
    "err",
    "title",
];

fn client_gets(dialect: Dialect, status: u16, body: &Value) -> String {
    String::from_utf8(answered(dialect, status, body).into_body().to_vec()).unwrap()
}

fn answered(dialect: Dialect, status: u16, body: &Value) -> Response<Bytes> {
    static POLICIES: LazyLock<Vec<(Dialect, Arc<Policy>)>> = LazyLock::new(|| {
        let policy = |dialect: &Dialect| (*dialect, Arc::new(Policy::builder().dialect(*dialect).build().unwrap()));
        Dialect::ALL.iter().map(policy).collect()
    });

    let (_, policy) = POLICIES.iter().find(|(it, _)| *it == dialect).unwrap();
    let inner = Response::builder().status(status).header("content-type", "application/json");
    let inner = inner.body(Bytes::from(body.to_string())).unwrap();
    rewritten_for(policy, Request::new(()), &inner)
}

/// Generates statuses that mean neither credentials, whose code may differ, nor a protocol.
fn client_error() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![400, 402, 403, 404, 409, 410, 422, 429, 451, 499])
}

/// Generates members without meaning next to a text.
fn noise() -> impl Strategy<Value = Map<String, Value>> {
    let value =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (600..9000_i32).prop_map(Value::from)];
    prop::collection::btree_map("x[a-z]{2,5}", value, 0..3)
        .prop_map(|fields: BTreeMap<_, _>| fields.into_iter().collect())
}

fn in_some_case(name: &str, case: u8) -> String {
    match case {
        0 => name.to_ascii_uppercase(),
        1 => name.to_ascii_lowercase(),
        2 => name[..1].to_ascii_uppercase() + &name[1..],
        _ => name.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r2_a_text_reaches_the_client_under_each_name_in_each_wrapper_and_dialect(
        status in client_error(),
        name in prop::sample::select(&TEXTS[..]),
        case in 0..6_u8,
        text in "[A-Z][a-z]{1,9}( [a-z]{1,9}){1,60}\\.",
        code in prop::option::of(("code|errorCode|error_code|key", "[A-Z]{2,6}_[A-Z]{2,9}")),
        mut fields in noise(),
        wrappers in prop::collection::vec(("[bcfgh][a-z]{3,9}", noise()), 0..3),
        is_array: bool,
    ) {
        fields.insert(in_some_case(name, case), json!(text));
        if let Some((name, code)) = code {
            fields.insert(name, json!(code));
        }
        let wrapped = wrappers.into_iter().fold(Value::Object(fields), |inside, (name, mut around)| {
            around.insert(name, inside);
            Value::Object(around)
        });
        let body = if is_array { json!([wrapped]) } else { wrapped };
        for dialect in Dialect::ALL {
            let got = client_gets(*dialect, status, &body);
            prop_assert!(got.contains(&text), "{dialect:?} {status}: {body} became {got}");
            prop_assert!(!got.contains("\"path\":[\""), "{dialect:?} {status}: {body} became {got}");
        }
    }

    #[test]
    fn r13_where_no_error_field_stands_no_issue_has_a_path(status in prop::sample::select(vec![400, 422]), body in things()) {
        let got: Value = serde_json::from_str(&client_gets(Dialect::Standard, status, &body)).unwrap();
        let issues = got.pointer("/error/details/issues").and_then(Value::as_array).cloned().unwrap_or_default();
        prop_assert!(issues.iter().all(|issue| issue["path"] == json!([])), "{body} became {got}");
    }

    #[test]
    fn r4_a_body_that_is_cut_is_answered(at in 0..2_000_usize, body in things()) {
        let text = body.to_string();
        let cut = text.char_indices().map(|(at, _)| at).nth(at).map_or(text.as_str(), |end| &text[..end]);
        let inner = Response::builder().status(422).header("content-type", "application/json");
        let inner = inner.body(Bytes::copy_from_slice(cut.as_bytes())).unwrap();
        let policy = Arc::new(Policy::builder().build().unwrap());
        let got = rewritten_for(&policy, Request::new(()), &inner);
        prop_assert!(serde_json::from_slice::<Value>(got.body()).is_ok());
    }
}

/// Generates data as services send it, without a field that means errors: names of things, and texts about them.
fn things() -> impl Strategy<Value = Value> {
    let word = "[a-z]{1,8}|Line 7 is closed\\.|/trams/7|No such tram\\.";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let words = || prop::collection::vec("[a-z]{1,8}", 0..4).prop_map(Value::from);
    let name = "name|key|path|target|title|msg|reason|id|stops|rows|tram|items|seat|kind|note|[a-z]{3}";
    let thing = leaf.prop_recursive(4, 40, 5, move |inside| {
        prop_oneof![
            words(),
            prop::collection::vec(prop::collection::btree_map(name, inside.clone(), 0..4), 0..4)
                .prop_map(|objects| json!(objects)),
            prop::collection::btree_map(name, inside, 0..5).prop_map(|fields: BTreeMap<_, _>| json!(fields)),
        ]
    });
    prop::collection::btree_map(name, thing, 0..6)
        .prop_map(|fields: BTreeMap<_, _>| without_lists_in_paths(json!(fields)))
}

/// A `path` that is a list of names is a place wherever a text is next to it (R13).
fn without_lists_in_paths(body: Value) -> Value {
    match body {
        Value::Object(mut fields) => {
            fields.retain(|name, value| name != "path" || !value.is_array());
            fields.into_iter().map(|(name, value)| (name, without_lists_in_paths(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(without_lists_in_paths).collect(),
        other => other,
    }
}

#[test]
fn r2_the_text_of_a_body_that_a_service_sent_reaches_the_client_however_it_is_wrapped() {
    for (status, body, text) in bodies_with_a_text() {
        let once = json!({ "fault": body });
        for sent in [json!([body]), json!({ "fault": once }), once, body] {
            // A body with its own wrappers allows at most two in all.
            if named_text(status, &sent).as_ref() != Some(&text) {
                continue;
            }
            // If there are issues, the text may be one of them, or the framework's sentence about them.
            let has_issues = client_gets(Dialect::Standard, status, &sent).contains("\"issues\":[");
            // The lines behind the first one may be a stack trace.
            let first = text.lines().next().unwrap_or_default();
            let least = if has_issues { 1 } else { words(first).count() / 3 };
            for dialect in Dialect::ALL {
                let got = client_gets(*dialect, status, &sent);
                let came = words(&text).filter(|word| got.contains(word)).count();
                assert!(came >= least, "{dialect:?} {status}: {sent} became {got}");
            }
        }
    }
}

#[test]
fn r3_no_text_of_a_500_reaches_a_client() {
    let bodies = crate::cases::json_errors().into_iter().chain(recorded()).map(|(_, body)| body);
    let bodies: BTreeMap<String, Value> = bodies.map(|body| (body.to_string(), body)).collect();
    // Long bodies only repeat the content of short ones.
    for (_, body) in bodies.iter().filter(|(text, _)| text.len() < 4_000) {
        // An envelope lets its text pass, and so does a body with a known code.
        let is_envelope = body["request_id"].is_string() && body["error"]["code"].is_string();
        let one_by_one = (0..count_strings(body).min(24)).map(|at| with_secret(body, |it| it == at));
        let everywhere = with_secret(body, |_| true);
        let in_standard = one_by_one.map(|sent| (Dialect::Standard, sent));
        for (dialect, sent) in in_standard.chain(Dialect::ALL.iter().map(|dialect| (*dialect, everywhere.clone()))) {
            let got = client_gets(dialect, 500, &sent);
            assert!(
                !got.contains(SECRET) || is_envelope || has_code(dialect, body),
                "{dialect:?}: {sent} became {got}"
            );
        }
    }
}

/// A known code lets the text and the details pass, and no field that the dialect does not define.
#[test]
fn r3_no_further_field_of_a_500_reaches_a_client_whatever_its_code() {
    let own = Dialect::ALL.iter().map(|dialect| answered(*dialect, 429, &json!({})).into_body());
    let own = own.map(|body| serde_json::from_slice(&body).unwrap());
    let bodies = crate::cases::json_errors().into_iter().map(|(_, body)| body);
    for body in bodies.chain(own).filter(Value::is_object) {
        let mut sent = body.clone();
        for at in ["", "/error", "/meta"] {
            if let Some(Value::Object(fields)) = sent.pointer_mut(at) {
                fields.insert("wizard".to_owned(), json!(SECRET));
                fields.insert("wizards".to_owned(), json!([{"field": "name", "message": SECRET}]));
            }
        }
        for dialect in Dialect::ALL {
            let got = client_gets(*dialect, 500, &sent);
            assert!(!got.contains(SECRET), "{dialect:?}: {sent} became {got}");
        }
    }
}

const SECRET: &str = "s3cr3t of the house";

#[test]
fn r4_many_fields_long_names_and_deep_wrappers_are_answered() {
    let deep = |depth: usize| (0..depth).fold(json!({"message": "Sold out."}), |inside, _| json!({ "w": inside }));
    assert!(client_gets(Dialect::Standard, 409, &deep(2)).contains("Sold out."));
    assert!(!client_gets(Dialect::Standard, 409, &deep(10)).contains("Sold out."));
    let list = |part: fn(usize) -> Value| Value::Array((0..1_000).map(part).collect());
    let map = |part: fn(usize) -> Value| (0..1_000).map(|at| (format!("f{at}"), part(at))).collect::<Value>();
    for many in [
        json!({ "errors": list(|at| json!({"field": format!("f{at}"), "message": "No."})) }),
        json!({ "errors": list(|at| json!(format!("\"f{at}\" is required"))) }),
        json!({ "errors": map(|_| json!(["No."])) }),
        json!({ "errors": map(|_| json!({"a": {"b": ["No."]}})) }),
        json!({ "errors": map(|_| json!({"message": "No.", "code": "no"})) }),
        json!({ "items": list(|_| json!({"a": ["Too few."]})) }),
    ] {
        let got: Value = serde_json::from_str(&client_gets(Dialect::Standard, 422, &many)).unwrap();
        assert_eq!(got["error"]["details"]["issues"].as_array().unwrap().len(), 100, "{got}");
        assert_eq!(got["error"]["message"], "The request failed validation. (and 900 more)");
    }
    let long = "n".repeat(10_000);
    let got = client_gets(Dialect::Standard, 422, &json!({ "errors": { &*long: ["Too long."] } }));
    assert!(got.contains("Too long.") && got.len() < 1_000, "{got}");
}

/// Returns the 4xx bodies of the cases and of the recorded applications in which R2 names a text that R3 lets pass.
fn bodies_with_a_text() -> Vec<(u16, Value, String)> {
    let bodies = crate::cases::json_errors().into_iter().chain(recorded());
    let with_text = bodies.filter_map(|(status, body)| {
        // In these bodies, Rocket's cause is the text (R13).
        let text = named_text(status, &body).filter(|_| body.get("cause").is_none())?;
        let is_trace = |line: &str| line.trim_start().starts_with("at ") && !line.contains("[Source");
        let hidden = text.starts_with(['{', '[', '<'])
            || text.contains("Traceback")
            || text.contains("SQL: ")
            || text.contains(":in `")
            || text.lines().any(is_trace);
        (status < 500 && !hidden && words(&text).count() > 1).then_some((status, body, text))
    });
    with_text.collect()
}

fn recorded() -> impl Iterator<Item = (u16, Value)> {
    let apps: Value = serde_json::from_str(include_str!("../apps/said.json")).unwrap();
    let rows = apps.as_object().unwrap().values().flat_map(|app| app["rows"].as_object().unwrap().values());
    let sent = rows.filter_map(|row| {
        let body = serde_json::from_str(row["said"]["body"].as_str()?).ok()?;
        Some((u16::try_from(row["said"]["status"].as_u64()?).ok()?, body))
    });
    sent.filter(|(status, _)| *status >= 400).collect::<Vec<_>>().into_iter()
}

/// Returns the words of a text that must reach the client, without the values and places that R13 removes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| word.len() > 2)
}

/// Finds the text by R2, as a reader of the contract would. It is the first sentence under its names, in the body, in
/// the one object of an array, or in at most two wrappers.
fn named_text(status: u16, body: &Value) -> Option<String> {
    let mut object = sole_object(body);
    for _ in 0..=2 {
        let fields = object.as_object()?;
        let mut texts = TEXTS.iter().flat_map(|text| {
            fields
                .iter()
                .filter(move |(name, _)| name.eq_ignore_ascii_case(text))
                .filter_map(|(_, value)| value.as_str())
        });
        if texts.clone().next().is_some() {
            let phrase = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
            let is_sentence = |text: &&str| text.contains(' ') && !text.starts_with("Error ") && Some(*text) != phrase;
            return texts.find(is_sentence).map(str::to_owned);
        }
        let holds_text = |value: &&Value| {
            value.as_object().is_some_and(|fields| {
                fields
                    .iter()
                    .any(|(name, value)| value.is_string() && TEXTS.iter().any(|text| name.eq_ignore_ascii_case(text)))
            })
        };
        let inner: Vec<&Value> = fields.values().map(sole_object).collect();
        object = match inner.iter().copied().filter(holds_text).collect::<Vec<_>>()[..] {
            [inner] => inner,
            _ if inner.len() == 1 => inner[0],
            _ => return None,
        };
    }
    None
}

fn count_strings(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(values) => values.iter().map(count_strings).sum(),
        Value::Object(fields) => fields.values().map(count_strings).sum(),
        _ => 0,
    }
}

/// Returns the body with a secret after each string whose number is chosen.
fn with_secret(body: &Value, is_chosen: impl Fn(usize) -> bool) -> Value {
    fn walk(value: &mut Value, at: &mut usize, is_chosen: &dyn Fn(usize) -> bool) {
        match value {
            Value::String(text) => {
                if is_chosen(*at) {
                    text.push(' ');
                    text.push_str(SECRET);
                }
                *at += 1;
            }
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, at, is_chosen)),
            Value::Object(fields) => fields.values_mut().for_each(|value| walk(value, at, is_chosen)),
            _ => {}
        }
    }
    let mut body = body.clone();
    walk(&mut body, &mut 0, &is_chosen);
    body
}

/// Returns true if the code of a body in a 500 is not the status's code.
fn has_code(dialect: Dialect, body: &Value) -> bool {
    answered(dialect, 500, body).headers().get("x-error-code").is_some_and(|it| it != "internal_error")
}

fn sole_object(value: &Value) -> &Value {
    match value.as_array().map(Vec::as_slice) {
        Some([only]) => only,
        _ => value,
    }
}

#[test]
fn r4_a_real_body_that_is_cut_at_any_byte_is_answered() {
    let policy = Arc::new(Policy::builder().build().unwrap());
    let bodies: Vec<_> = recorded().map(|(status, body)| (status, body.to_string())).collect();
    for (status, body) in bodies.iter().step_by(bodies.len() / 20) {
        for end in 0..=body.len() {
            let inner = Response::builder().status(*status).header("content-type", "application/json");
            let inner = inner.body(Bytes::copy_from_slice(&body.as_bytes()[..end])).unwrap();
            let got = rewritten_for(&policy, Request::new(()), &inner);
            let got: Value =
                serde_json::from_slice(got.body()).unwrap_or_else(|error| panic!("{body} at {end}: {error}"));
            assert!(got["error"]["message"].is_string(), "{body} at {end} became {got}");
        }
    }
}

#[test]
fn r4_many_elements_and_duplicate_names_are_answered() {
    let texts = |count: usize| json!({ "errors": vec!["No such tram."; count], "message": "Sold out." }).to_string();
    let duplicates = r#"{"message":"First.","message":"Sold out."}"#.to_owned();
    for body in [texts(10_000), texts(1), duplicates, format!("[{}]", vec!["1"; 10_000].join(","))] {
        let inner = Response::builder().status(409).header("content-type", "application/json");
        let inner = inner.body(Bytes::from(body.clone())).unwrap();
        let policy = Arc::new(Policy::builder().build().unwrap());
        let got = rewritten_for(&policy, Request::new(()), &inner).into_body();
        let got: Value = serde_json::from_slice(&got).unwrap();
        let within = body.len() <= 64 << 10 && !body.starts_with('[');
        assert_eq!(got["error"]["message"] == "Sold out.", within, "{} bytes became {got}", body.len());
    }
}

#[test]
fn e2_a_text_is_cut_at_its_bound_and_not_before() {
    for (length, is_cut) in [(1_023, false), (1_024, false), (1_025, true), (4_000, true)] {
        let text = format!("S{}.", "o".repeat(length - 2));
        let got: Value =
            serde_json::from_str(&client_gets(Dialect::Standard, 409, &json!({ "message": text }))).unwrap();
        let message = got["error"]["message"].as_str().unwrap();
        assert_eq!(message.ends_with('…'), is_cut, "{length}");
        assert_eq!(message.len(), length.min(1_024), "{length}");
    }
}
