use super::{Strictness, json};

fn redacted(text: &str, strictness: Strictness) -> String {
    json(text, true, strictness).unwrap_or_else(|| panic!("{text} is JSON")).text
}

#[test]
fn what_must_not_be_seen_is_taken_out() {
    for (text, secret) in [
        (r#"{"password":"hunter2"}"#, "hunter2"),
        (r#"{"pass\u0077ord":"hunter2"}"#, "hunter2"),
        (r#"{"token":{"a":["hunter2"]},"b":1}"#, "hunter2"),
        (r#"{"api_key":4711471147}"#, "4711"),
        (r#"["Authorization","hunter2"]"#, "hunter2"),
        (r#"[["Authorization","hunter"],["Host","y"]]"#, "hunter"),
        (r#"{"rawHeaders":["Host","y","X-Api-Key","hunter"]}"#, "hunter"),
        (r#"{"loc":["body","password"],"input":"hunter2"}"#, "hunter2"),
        (r#"{"input":{"a":"hunter"},"loc":["body","password"]}"#, "hunter"),
        (r#"{"message":"Bearer hunter2hunter2"}"#, "hunter2"),
        (r#"{"m":"{\"password\":\"hunter2\"}"}"#, "hunter2"),
        (r#"{"name":"Authorization","val":"hunter2"}"#, "hunter2"),
        (r#"{"val":["hunter2"],"key":"Authorization"}"#, "hunter2"),
        (r#"{"k":"password","v":"hunter"}"#, "hunter"),
        (r#"{"header":"cookie","value":"hunter"}"#, "hunter"),
        (r#"{"m":"{\"pass\\u0077ord\":\"hunter2\"}"}"#, "hunter2"),
        (r#"{"hunter2":{"password":"x"},"m":"4111111111111111"}"#, "4111111"),
        (r#"{"card_number":4111111111111111}"#, "4111111"),
        (r#"["mail","-u","ada:hunter2"]"#, "hunter2"),
        (r#"{"detail":[{"loc":["body","password"],"msg":"Value error, Password123 is too weak"}]}"#, "Password123"),
        (r#"{"errors":{"password":["Secret123 is too short"]}}"#, "Secret123"),
        (r#"[["password","Password123"]]"#, "Password123"),
        (r#"{"rawHeaders":["Host","y","X-Auth-Token","my-token-9"]}"#, "my-token-9"),
        (r#"{"dbpass":"hunter2","smtp_pass":"x"}"#, "hunter2"),
        (r#"{"smtpPass":"hunter2"}"#, "hunter2"),
        (r#"{"ada@example.com":["is taken"]}"#, "ada@"),
        (r#"{"password":"hunter2 is too short"}"#, "hunter2"),
        (r#"{"password":"hunter is too short"}"#, "hunter"),
        (r#"{"errors":{"password":["hunter2 is too short"]}}"#, "hunter2"),
        (r#"{"type":"missing","loc":["body","email"],"input":{"password":"hunter"}}"#, "hunter"),
        (r#"{"name":"Authorization","val":"hunter token=x"}"#, "hunter"),
        (r#"{"detail":[{"loc":["body","password"],"msg":"too short: hunter2pw9"}]}"#, "hunter2"),
        (r#"{"errors":[{"message":"Invalid value hunter2pw9","path":["password"]}]}"#, "hunter2"),
        (r#"{"field":"password","message":"hunter2pw9"}"#, "hunter2"),
        (r#"{"invalid-params":[{"name":"password","reason":"'hunter2' is too short"}]}"#, "hunter2"),
        (r#"{"errors":[{"source":{"pointer":"/password"},"detail":"hunter2pw9 is too short"}]}"#, "hunter2"),
        (r#"[{"property":"password","constraints":{"min":"hunter2pw9 is too short"}}]"#, "hunter2"),
        (r#"{"issues":[{"path":[{"key":"password"}],"message":"got hunter2pw9"}]}"#, "hunter2"),
        (r#"{"field":"password","messages":["hunter2pw9 is too short"]}"#, "hunter2"),
        (r#"{"errors":[{"field":"a","message":"Bad"},{"message":"got hunter2pw9","field":"token"}]}"#, "hunter2"),
    ] {
        for strictness in [Strictness::Strict, Strictness::Readable] {
            let left = redacted(text, strictness);
            assert!(!left.contains(secret), "{text}: {left}");
            assert!(left.contains("[redacted]"), "{left}");
            assert!(serde_json::from_str::<serde_json::Value>(&left).is_ok(), "{left}");
        }
    }
    for text in [r#"{"received":"hunter2","expected":"a"}"#, r#"{"m":"{\"got\":\"hunter2\"}"}"#] {
        let left = redacted(text, Strictness::Strict);
        assert!(!left.contains("hunter2"), "{left}");
    }
}

#[test]
fn no_nesting_is_too_deep() {
    let text = format!("{}{{\"token\":\"hunter2\"}}{}", "[{\"a\":".repeat(1000), "}]".repeat(1000));
    for strictness in [Strictness::Strict, Strictness::Readable] {
        assert_eq!(redacted(&text, strictness), text.replace("hunter2", "[redacted]"));
    }
}

#[test]
fn an_issue_that_breaks_off_has_no_secret() {
    let text = r#"{"errors":[{"path":["password"],"message":"got hunter2pw9","then":"#;
    for strictness in [Strictness::Strict, Strictness::Readable] {
        let left = json(text, false, strictness).expect("JSON that breaks off");
        assert_eq!(left.text, text.replace("hunter2pw9", "[redacted]"));
    }
}

#[test]
fn what_is_no_secret_stays_byte_for_byte() {
    for text in [
        r#"{ "z":1.50,"a":[1, {"b":null},[],{}],"\u00e9":"\u00e9\n" }"#,
        r#"{"errors":{"password":["The password must be at least 8 characters."],"email":["is taken"]}}"#,
        r#"{"password":["Das Passwort ist zu kurz."]}"#,
        r#"{"password":"is required","token":"expired","secret":null,"cookie":true}"#,
        r#"{"errors":{"password":{"message":"Path `password` is required.","kind":"required","path":"password"}}}"#,
        r#"{"issues":[{"path":["user","password"],"message":"Too short"},{"path":["token","kind"]}]}"#,
        r#"{"missing":["password","username"],"required":["token","name"]}"#,
        r#"{"error":{"code":"auth:bad-token","type":"invalid_token","max_tokens":4096,"token_type":"Bearer"}}"#,
        r#"{"value":30,"limit":{"value":"x"},"received":"string"}"#,
        r#"{"loc":["body","email"],"input":"x"}"#,
        r#"{"detail":[{"loc":["body","password"],"msg":"Field required","type":"value_error.missing"}]}"#,
        r#"{"errors":[{"path":["password"],"message":"This value is too short.","code":"too_small"}]}"#,
        r#"{"field":"password","message":"must be at least 8 characters","rejected":"a1b2c3"}"#,
        r#"{"field":"password","message":"Obligatorio"}"#,
        r#"{"errors":[{"field":"password","message":"Bad"},{"field":"id","message":"no order a4711b"}]}"#,
        r#"{"field":"token","errors":[{"field":"id","message":"no order a4711b"}]}"#,
        r#"{"issues":[{"path":[{"key":"token"},{"key":"id"}],"message":"no order a4711b"}]}"#,
        r#"{"jsonrpc":"2.0","id":"4111111111111111","error":{"code":-32602,"message":"x"}}"#,
        r#"[{"id":"ada@example.com","jsonrpc":"2.0"},{"jsonrpc":"2.0","id":4111111111111111}]"#,
        r#"{"reset_at_ms":1764184000123,"id":4111111111111111,"token_type":"MAC"}"#,
        r#"{"fields":["password1","Password","token"],"missing":["Authorization","X-Api-Key","oauth2_token"]}"#,
        r#"{"name":"TokenExpiredError","message":"expired at 2026-01-01T00:00:00Z"}"#,
    ] {
        let left = json(text, true, Strictness::Readable).expect("JSON");
        assert_eq!((&*left.text, left.is_changed), (text, false), "{:?}", left.taken);
    }
}

#[test]
fn what_is_no_json_is_left_to_others() {
    for text in ["", "hello", "{\"a\":}", "{\"a\" 1}", "[1,2", "{]", "[1] 2", "{\"a\":1,}x", "[nul]", "[}"] {
        assert!(json(text, true, Strictness::Strict).is_none(), "{text}");
    }
}

#[test]
fn what_breaks_off_is_read_as_far_as_it_goes() {
    for (text, left) in [
        (r#"{"a":1,"b":"half a str"#, r#"{"a":1,"b":"#),
        (r#"{"token":{"x":"hunter2","#, r#"{"token":"#),
        (r#"{"a":["#, r#"{"a":["#),
    ] {
        let read = json(text, false, Strictness::Strict).expect("JSON that breaks off");
        assert!(read.is_cut);
        assert_eq!(read.text, left, "{text}");
    }
}
