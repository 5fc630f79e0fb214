//! Checks that credentials are removed from every place in a body.

use proptest::prelude::*;

use super::{Hidden, MOST, format_json};

fn body(kind: Option<&str>, body: &[u8], whole: bool) -> Option<String> {
    super::body(kind, body, whole, &mut Hidden::default()).map(|(text, _)| text)
}

/// Generates a secret without a recognisable form. Only its place marks it as a secret.
fn any_secret() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[A-Za-z0-9!#$%*+./:?@^_~-]{10,32}").expect("a pattern")
}

/// Generates a secret with a recognisable form.
fn known_secret() -> impl Strategy<Value = String> {
    let made = |pattern: &str| proptest::string::string_regex(pattern).expect("a pattern");
    prop_oneof![
        made("eyJ[A-Za-z0-9_-]{10,40}\\.eyJ[A-Za-z0-9_-]{10,40}\\.[A-Za-z0-9_-]{10,40}"),
        made("sk-[A-Za-z0-9]{20,40}"),
        made("sk_live_[A-Za-z0-9]{16,24}"),
        made("gh[pousr]_[A-Za-z0-9]{20,36}"),
        made("AKIA[A-Z0-9]{16}"),
        made("xox[bpars]-[0-9]{8,12}-[A-Za-z0-9]{12,24}"),
        made("glpat-[A-Za-z0-9_-]{20}"),
        made("AIza[A-Za-z0-9_-]{35}"),
        Just("4111111111111111".to_owned()),
        Just("5500 0055 5555 5559".to_owned()),
        Just("3782-822463-10005".to_owned()),
    ]
}

fn telling_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "password",
        "newPassword",
        "user_password",
        "PASSWORD",
        "passwd",
        "secret",
        "client_secret",
        "clientSecret",
        "token",
        "access_token",
        "refreshToken",
        "api_key",
        "apiKey",
        "x-api-key",
        "authorization",
        "Authorization",
        "cookie",
        "set-cookie",
        "Set-Cookie",
        "private_key",
        "privateKey",
        "session_id",
        "card_number",
        "creditCard",
        "cvv",
        "pin",
        "passphrase",
        "aws_secret_access_key",
    ])
}

fn plain_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["message", "detail", "error", "a", "x-note", "reason"])
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the text with every letter escaped, as Python, PHP or another language would write it.
fn escaped(text: &str) -> String {
    text.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect()
}

fn shown(kind: Option<&str>, text: &str, whole: bool) -> String {
    body(kind, text.as_bytes(), whole).expect("text")
}

/// Returns forms of the secret next to a name that marks it. The secret must be removed from each of these forms.
fn placed(name: &str, secret: &str) -> Vec<(Option<&'static str>, String)> {
    let (json, form) = (Some("application/json"), Some("application/x-www-form-urlencoded"));
    let quoted = json_text(secret);
    let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let inner = format!("{{\"{name}\":{quoted}}}");
    vec![
        (json, format!("{{\"{name}\":{quoted},\"b\":1}}")),
        (json, format!("{{\"{}\":\"{}\"}}", escaped(name), escaped(secret))),
        (json, format!("{{\"a\":[{{\"{name}\":[{{\"x\":{quoted}}}]}}],\"b\":null}}")),
        (json, format!("{{\"message\":{}}}", json_text(&inner))),
        (json, format!("{{\"message\":{}}}", json_text(&json_text(&inner)))),
        (json, format!("[\"{name}\",{quoted},1]")),
        (json, format!("{{\"field\":\"{name}\",\"value\":{quoted}}}")),
        (json, format!("{{\"loc\":[\"body\",\"{name}\"],\"input\":{quoted}}}")),
        (json, format!("{{\"message\":{}}}", json_text(&format!("{name}: {secret}")))),
        (None, format!("{{\"{name}\":{quoted}, and no more JSON")),
        (form, format!("a=b&{name}={encoded}&c=d")),
        (None, format!("POST /login?x=1&{name}={secret}\nanother line")),
        (None, format!("{name}: {secret}")),
        (None, format!("config[{name}] => {secret}")),
        (None, format!("'{name}': '{secret}'")),
        (None, format!("ran psql --{name} {secret} -h db")),
        (None, format!("ran mysql -u root -p{secret} orders")),
        (Some("text/html"), format!("<form><input name=\"{name}\" value=\"{secret}\"></form>")),
        (Some("text/html"), format!("<table><tr><td>{name}</td><td><code>{secret}</code></td></tr></table>")),
        (Some("application/xml"), format!("<e><{name}>{secret}</{name}></e>")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_has_a_telling_name_is_not_shown(name in telling_name(), secret in any_secret(), cut in 0..200_usize) {
        for (kind, text) in placed(name, &secret) {
            for shown in [shown(kind, &text, true), shown(kind, &text[..text.len() - cut.min(text.len())], false)] {
                prop_assert!(!shown.contains(&secret), "{text} is shown as {shown}");
            }
        }
    }

    #[test]
    fn what_looks_like_a_credential_is_not_shown(name in plain_name(), secret in known_secret(), scheme in any_secret()) {
        let (json, form) = (Some("application/json"), Some("application/x-www-form-urlencoded"));
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for (kind, text) in [
            (json, format!("{{\"{name}\":{}}}", json_text(&secret))),
            (json, format!("{{\"{name}\":\"{}\"}}", escaped(&secret))),
            (json, format!("{{{}:1}}", json_text(&secret))),
            (json, format!("[{}]", json_text(&format!("got {secret}, sorry")))),
            (form, format!("{name}={encoded}")),
            (None, format!("the {name} {secret} is bad")),
            (Some("text/html"), format!("<p title='{secret}'>{secret}</p>")),
        ] {
            let shown = shown(kind, &text, true);
            prop_assert!(!shown.contains(&secret), "{text} is shown as {shown}");
        }
        let scheme = scheme.replace([':', '\''], "x");
        for text in [format!("Bearer {scheme}"), format!("{{\"{name}\":\"basic {scheme}\"}}"), format!("got Basic {scheme} today")] {
            let shown = shown(None, &text, true);
            prop_assert!(!shown.contains(&scheme), "{text} is shown as {shown}");
        }
    }

    #[test]
    fn any_bytes_are_shown_in_bounds(kind in prop::option::of(".{0,40}"), bytes in prop::collection::vec(any::<u8>(), 0..600), whole: bool) {
        if let Some(shown) = body(kind.as_deref(), &bytes, whole) {
            prop_assert!(shown.len() <= super::MOST + 4);
        }
    }

    #[test]
    fn any_json_stays_the_same_json(value in json()) {
        let text = value.to_string();
        let shown = shown(Some("application/json"), &text, true);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}

/// Generates JSON without names or texts that mark a credential.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "[a-f \"\\\\\n\u{e9}]{0,8}".prop_map(Into::into),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from);
        let object = prop::collection::btree_map("[a-f]{1,3}", inner, 0..4);
        prop_oneof![list, object.prop_map(|members| members.into_iter().collect())]
    });
    tree.prop_filter("an object or a list", |value| value.is_object() || value.is_array())
}

#[test]
fn a_body_whose_text_is_cut_is_not_whole() {
    let is_whole =
        |kind: &str, text: &str| super::body(Some(kind), text.as_bytes(), true, &mut Hidden::default()).unwrap().1;
    let json = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    assert!(is_whole("text/plain", &"x".repeat(MOST)) && is_whole("application/json", &json(MOST - 8)));
    // The lines and the indentation of the text that is shown need room, too.
    assert!(!is_whole("application/json", &json(MOST)) && !is_whole("text/plain", &"x".repeat(MOST + 1)));
}

#[test]
fn what_is_no_text_is_not_shown() {
    assert_eq!(body(None, &[0xff, 0xfe, b'a'], true), None);
    assert_eq!(body(None, "é".as_bytes().split_at(1).0, true), None);
    assert_eq!(body(None, &[b'a', 0xc3], false).as_deref(), Some("a"), "a character that is cut");
    let utf16: Vec<u8> = "password: hunter2hunter2".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(body(None, &utf16, true).as_deref(), Some("password: [redacted]"));
}

/// If redaction searched the text again from each letter, this test would take minutes.
#[test]
#[allow(clippy::disallowed_methods, reason = "it measures real time")]
fn a_long_body_is_read_in_time() {
    let units = [
        "password",
        "[",
        "{\"a\":",
        "4 ",
        "1 ",
        "1-",
        "1",
        "<",
        "'",
        "Bearer ",
        "\\\"",
        "a=",
        "eyJ",
        "<td>token</td>",
        "\"token\" ",
        "Key (a)=(",
        "key (",
        "Duplicate entry ",
        "&quot;",
        "&quot;token&quot;:",
        "&amp;",
        "token><![CDATA[",
        "<token><![CDATA[",
        "<a> ",
        "token <a>",
        "val:'a', key:",
        "val='",
        "token,val:\"\\",
        "\\\\u0077",
        "token is ",
        "with token ",
        "-u a:",
        "mysql ",
        "mysql -p",
        "mysql -p ",
        "sshpass -",
        "token 4711",
        " -u a",
        "--token ",
        "--a-",
        "--a-token ",
        "?code=",
        "\"got\\\":",
        "token a ",
        "://",
        "-----BEGIN KEY-----",
        "security ",
        "a_",
    ];
    for unit in units {
        let text = unit.repeat(8192 / unit.len());
        let began = std::time::Instant::now();
        let _ = body(None, text.as_bytes(), false);
        assert!(began.elapsed().as_secs() < 5, "{unit}");
    }
}

#[test]
fn what_is_hidden_in_the_body_of_the_service_is_hidden_in_that_of_the_client() {
    for (before, after, left) in [
        (
            r#"{"password":"hunter2 is too short"}"#,
            r#"{"error":{"message":"hunter2 is too short"}}"#,
            r#""message": "[redacted]""#,
        ),
        (r#"{"pin":471147}"#, r#"{"error":{"message":"471147 is wrong"}}"#, r#""[redacted] is wrong""#),
        ("password: hunter2\t of\nthe", r#"{"message":"hunter2 of the"}"#, r#""[redacted] the""#),
        ("token=hunter&x=1", r#"{"message":"no such: hunter"}"#, r#""no such: [redacted]""#),
        (r#"{"token":{"a":"hunt\"er"}}"#, r#"{"message":"hunt\"er, hunter"}"#, r#""[redacted], hunter""#),
        (r#"{"pin":"abc"}"#, r#"{"message":"abc"}"#, r#""abc""#),
    ] {
        let mut hidden = Hidden::default();
        let _ = super::body(None, before.as_bytes(), true, &mut hidden);
        let (shown, _) = super::body(Some("application/json"), after.as_bytes(), true, &mut hidden).expect("text");
        assert!(shown.contains(left), "{before}: {shown}");
    }
}

#[test]
fn parameters_of_a_form_are_not_shown() {
    let form = Some("application/x-www-form-urlencoded");
    let shown = body(form, "code=abc&State=open&%6Bey=name&ｓｉｇ=x&count=1&zip_code=2".as_bytes(), true);
    let expected =
        "code = [redacted]\nState = [redacted]\nkey = [redacted]\nｓｉｇ = [redacted]\ncount = 1\nzip_code = 2";
    assert_eq!(shown.as_deref(), Some(expected));
}

#[test]
fn a_value_is_hidden_where_it_is_a_whole_one() {
    let mut hidden = Hidden::default();
    let long = format!("{}{}", "x7 ".repeat(200), "end");
    hidden.extend(&["hunter2".into(), "hun\"ter\n3".into(), "abc".into(), "\"quoted\"".into(), long.clone()]);
    for (text, left) in [
        ("hunter2 is too short", "[redacted] is too short"),
        ("xhunter2, hunter22, _hunter2", "xhunter2, hunter22, _hunter2"),
        ("\"hunter2\"", "\"[redacted]\""),
        (r#""hun\"ter\n3""#, r#""[redacted]""#),
        (r#""hun\"ter 3""#, r#""[redacted]""#),
        ("abc quoted", "abc [redacted]"),
        (&format!("\"{}…\", 1", &long[..550]), "\"[redacted]…\", 1"),
    ] {
        assert_eq!(hidden.without(text.to_owned()), left);
    }
}

#[test]
fn fields_stay_in_their_order_and_numbers_as_they_were_written() {
    let text = r#" {"z":1.50,"a":[1,{"b":null},[],{}],"é":"\"é, {\n"} "#;
    let laid = "{\n  \"z\": 1.50,\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    },\n    [],\n    {}\n  ],\n  \"é\": \"\\\"é, {\\n\"\n}";
    assert_eq!(format_json(text, 999).0, laid);
}

#[test]
fn what_breaks_off_is_laid_out_as_far_as_it_goes() {
    for (text, laid) in
        [(r#"{"a":1,"b":"#, "{\n  \"a\": 1,\n  \"b\": "), (r#"{"a":["#, "{\n  \"a\": ["), ("[[1", "[\n  [\n    1")]
    {
        assert_eq!(format_json(text, 999).0, laid, "{text}");
    }
}

#[test]
fn a_body_of_brackets_does_not_grow_with_its_square() {
    let text = "[".repeat(8192);
    assert!(format_json(&text, 8192).0.len() < 3 * 8192);
}
