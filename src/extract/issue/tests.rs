use super::*;

#[test]
fn e8_of_serdes_forms_only_the_programs_part_is_said() {
    for (text, message, code) in [
        ("missing field `name`", "Required.", "missing"),
        ("duplicate field `name`", "Given more than once.", "duplicate"),
        ("unknown field `s3cr3t`, expected `a` or `b`", "Unknown; expected `a` or `b`.", "unknown"),
        ("unknown field `s3cr3t`, there are no fields", "Unknown.", "unknown"),
        ("unknown variant `s3cr3t`, expected one of `a`, `b`, `c`", "Expected one of `a`, `b`, `c`.", "invalid_value"),
        ("unknown variant `x, expected s3cr3t`, expected `a`", "Expected `a`.", "invalid_value"),
        ("unknown variant `x, expected s3cr3t`, there are no variants", "Not valid.", "invalid_value"),
        (
            "invalid type: string \"s3cr3t\", expected u8",
            "Expected a whole number from 0 to 255, got a string.",
            "invalid_type",
        ),
        (
            "invalid type: string \", expected s3cr3t\", expected a map",
            "Expected an object, got a string.",
            "invalid_type",
        ),
        ("invalid value: integer `5353`, expected i8", "Expected a whole number from -128 to 127.", "invalid_value"),
        (
            "invalid type: string \"s3cr3t\", expected u64",
            "Expected a whole number of 0 or more, got a string.",
            "invalid_type",
        ),
        ("invalid type: string \"s3cr3t\", expected i64", "Expected a whole number, got a string.", "invalid_type"),
        ("invalid type: floating point `1.5`, expected i64", "Expected a whole number.", "invalid_type"),
        ("invalid type: floating point `1.0`, expected u8", "Expected a whole number from 0 to 255.", "invalid_type"),
        ("invalid type: floating point `1.5`, expected a string", "Expected a string, got a number.", "invalid_type"),
        (
            "invalid type: floating point `20000000000000000000.0`, expected u64",
            "The number is too large.",
            "invalid_value",
        ),
        (
            "invalid type: floating point `-20000000000000000000.0`, expected i64",
            "The number is too small.",
            "invalid_value",
        ),
        (
            "invalid type: floating point `20000000000000000000.0`, expected i8",
            "Expected a whole number from -128 to 127.",
            "invalid_value",
        ),
        ("invalid value: integer `-1`, expected u64", "Expected a whole number of 0 or more.", "invalid_value"),
        (
            "invalid value: integer `0`, expected a nonzero u64",
            "Expected a whole number of 1 or more.",
            "invalid_value",
        ),
        ("invalid value: integer `9223372036854775808`, expected i64", "The number is too large.", "invalid_value"),
        ("invalid value: string \"s3cr3t\", expected i64", "Expected a whole number.", "invalid_value"),
        ("invalid length 1, expected a tuple of size 2", "Expected an array of 2 elements.", "invalid_length"),
        ("invalid length 0, expected struct S with 2 elements", "Expected an object, got an array.", "invalid_type"),
        ("s3cr3t is no uuid", "Not valid.", "invalid_value"),
        ("invalid type: s3cr3t", "Not valid.", "invalid_value"),
        ("missing field s3cr3t", "Not valid.", "invalid_value"),
        ("", "Not valid.", "invalid_value"),
    ] {
        let (parsed, parsed_code, _) = parse_text(text);
        assert_eq!((&*parsed, parsed_code), (message, code), "{text}");
    }
}

#[test]
fn e8_a_name_that_is_its_parents_too_is_told_once_each() {
    #[derive(serde::Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "the test only checks the error, not the value")]
        a: Inner,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "the test only checks the error, not the value")]
        a: u8,
    }

    for (json, path) in [
        (r#"{"a":{}}"#, r#"["a","a"]"#),
        (r#"{"a":{"a":1,"a":2}}"#, r#"["a","a"]"#),
        (r#"{"a":{"b":1}}"#, r#"["a","b"]"#),
        (r#"{"a":{"a":""}}"#, r#"["a","a"]"#),
        (r#"{"a":{"a":1},"a":{"a":1}}"#, r#"["a"]"#),
        ("{}", r#"["a"]"#),
    ] {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let error = serde_path_to_error::deserialize::<_, Outer>(&mut deserializer).err().unwrap();
        println!("{json}: {} | {}", error.path(), error.inner());
        let issue = of_data(error.path(), error.inner().to_string().split(" at line").next().unwrap());
        assert_eq!(serde_json::to_string(&issue.path).unwrap(), path, "{json}");
    }
}

/// Where serde buffers a value before it chooses a variant, it loses the path inside this value.
#[test]
fn e8_what_is_read_ahead_is_told_at_the_place_where_that_began() {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "the test only checks the error, not the value")]
    struct Outer {
        inner: Tagged,
        either: Option<Untagged>,
    }

    #[derive(serde::Deserialize)]
    #[serde(tag = "kind", deny_unknown_fields)]
    #[expect(dead_code, reason = "the test only checks the error, not the value")]
    enum Tagged {
        One { count: u8 },
    }

    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "the test only checks the error, not the value")]
    enum Untagged {
        Number(u8),
        Flag(bool),
    }

    for (json, issue) in [
        (r#"{"inner":{}}"#, r#"{"path":["inner","kind"],"message":"Required.","code":"missing"}"#),
        (r#"{"inner":{"kind":"One"}}"#, r#"{"path":["inner","count"],"message":"Required.","code":"missing"}"#),
        (
            r#"{"inner":{"kind":"One","count":1,"s3cr3t":2}}"#,
            r#"{"path":["inner","s3cr3t"],"message":"Unknown; expected `count`.","code":"unknown"}"#,
        ),
        (
            r#"{"inner":{"kind":"One","count":"s3cr3t"}}"#,
            r#"{"path":["inner"],"message":"Expected a whole number from 0 to 255, got a string.","code":"invalid_type"}"#,
        ),
        (
            r#"{"inner":{"kind":"s3cr3t"}}"#,
            r#"{"path":["inner","kind"],"message":"Expected `One`.","code":"invalid_value"}"#,
        ),
        (
            r#"{"inner":{"kind":"One","count":1},"either":"s3cr3t"}"#,
            r#"{"path":["either"],"message":"Not valid.","code":"invalid_value"}"#,
        ),
    ] {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let error = serde_path_to_error::deserialize::<_, Outer>(&mut deserializer).err().unwrap();
        println!("{json}: {} | {}", error.path(), error.inner());
        let text = error.inner().to_string();
        let parsed = of_data(error.path(), text.split(" at line").next().unwrap());
        assert_eq!(serde_json::to_string(&parsed).unwrap(), issue, "{json}");
    }
}

#[test]
fn e8_a_path_is_bounded() {
    let name = || Step::Name("é".repeat(1000));
    let issue = Issue::new(std::iter::repeat_with(name).take(1000), String::new(), "");
    assert_eq!(issue.path.len(), MAX_STEPS);
    assert!(issue.path.iter().all(|step| matches!(step, Step::Name(name) if name.chars().count() == 129)));
}
