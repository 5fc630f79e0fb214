//! The exports under `contract/` are what the command writes today.

use std::fs;

use crate::kit::{repository, run};

const EXPORTS: [(&str, &str); 10] = [
    ("markdown", "errors.md"),
    ("json", "errors.json"),
    ("json-schema", "envelope.schema.json"),
    ("openapi", "openapi.json"),
    ("typescript", "errors.ts"),
    ("zod", "errors.zod.ts"),
    ("python", "errors.py"),
    ("go", "errors.go"),
    ("java", "ErrorCode.java"),
    ("csharp", "ErrorCode.cs"),
];

const REWRITE: &str = "UPDATE_CONTRACT=1 cargo test -p error-envelope-cli exports";

#[test]
fn the_exports_do_not_drift_from_the_table() {
    let update = std::env::var_os("UPDATE_CONTRACT").is_some();
    for (format, file) in EXPORTS {
        let path = repository().join("contract").join(file);
        let written = run(&["catalogue", "--format", format]);
        assert_eq!((written.code, written.err.as_str()), (Some(0), ""), "{format}");
        if update {
            fs::write(&path, &written.out).unwrap();
        }
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        let line = differs(&checked_in, &written.out);
        assert_eq!(line, None, "contract/{file} differs from what is written today. To rewrite it: {REWRITE}");
    }
}

/// The first line that is another one, from 1, and what it is now.
fn differs(before: &str, now: &str) -> Option<(usize, String)> {
    if before == now {
        return None;
    }
    let same = before.split('\n').zip(now.split('\n')).take_while(|(before, now)| before == now).count();
    Some((same + 1, now.split('\n').nth(same).unwrap_or_default().to_owned()))
}

#[test]
fn e2_a_group_that_is_left_out_is_in_no_format_and_the_others_are() {
    let all = run(&["catalogue", "--format", "json"]).out;
    let codes = |text: &str| -> Vec<(String, String)> {
        let export: serde_json::Value = serde_json::from_str(text).unwrap();
        let codes = export["codes"].as_array().unwrap().iter();
        codes.map(|it| (it["code"].as_str().unwrap().to_owned(), it["group"].as_str().unwrap().to_owned())).collect()
    };
    let (left_out, stay): (Vec<_>, Vec<_>) =
        codes(&all).into_iter().partition(|(_, group)| ["channel", "media", "quota"].contains(&group.as_str()));
    assert!(left_out.len() > 10 && stay.len() > 20);
    for (format, _) in EXPORTS {
        let written = run(&["catalogue", "--format", format, "--except", "channel,media", "--except", "quota"]);
        assert_eq!((written.code, written.err.as_str()), (Some(0), ""), "{format}");
        let has = |code: &str| written.out.to_lowercase().replace(['_', '-'], "").contains(&code.replace('_', ""));
        assert_eq!(left_out.iter().find(|(code, _)| has(code)), None, "{format}");
        assert!(stay.iter().all(|(code, _)| has(code)), "{format}");
    }
    assert_eq!(run(&["catalogue", "--except", "auth"]).code, Some(2));
}

#[test]
fn e2_each_format_names_each_code_and_ends_with_one_newline() {
    for (format, _) in EXPORTS {
        let text = run(&["catalogue", "--format", format]).out;
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{format}");
        for code in tower_error_envelope::ErrorCode::ALL {
            assert!(text.contains(code.as_str()), "{format}: {code}");
            assert!(text.contains(code.message()), "{format}: {code}'s message");
        }
    }
}

#[test]
fn each_format_states_the_version_of_the_contract() {
    for (format, stated) in [
        ("markdown", "\nContract 1. "),
        ("json", "\n  \"contract\": \"1\",\n"),
        ("json-schema", "\"The error contract, version 1.\""),
        ("openapi", "\n    \"version\": \"1\",\n"),
        ("typescript", "// The error contract, version 1.\n"),
        ("zod", "// The error contract, version 1.\n"),
        ("python", "# The error contract, version 1.\n"),
        ("go", "// The error contract, version 1.\n"),
        ("java", "// The error contract, version 1.\n"),
        ("csharp", "// The error contract, version 1.\n"),
    ] {
        assert!(run(&["catalogue", "--format", format]).out.contains(stated), "{format}");
    }
}

#[test]
fn a_policys_own_shapes_are_described() {
    for (format, own) in [
        ("json-schema", r#""HouseStyleErrorBody": {"#),
        ("openapi", r#""HouseStyleErrorBody": {"#),
        ("typescript", "export type HouseStyleErrorBody = { at?: string; fault: { code: string; "),
    ] {
        let run = run(&["catalogue", "--format", format, "--policy", "contract/tests/own-codes.toml"]);
        assert!(run.code == Some(0) && run.out.contains(own), "{format}: {}", run.out);
    }
}

#[test]
fn a_policys_own_codes_stand_after_the_catalogues() {
    let policy = "contract/tests/own-codes.toml";
    for (format, own) in [
        (
            "markdown",
            r#"| [`teapot`](<https://docs.example.com/(teapot)>) | 418 | 3 | -32050 | no | A pot \| of \`tea\`, \*/ "hot". |"#,
        ),
        ("json", r#""docs": "https://docs.example.com/errors#seat_taken""#),
        ("json", r#""jsonrpc": -32050"#),
        ("json", r#""message": "A pot | of `tea`, */ \"hot\".""#),
        ("json-schema", r#""description": "418, retry: no. A pot | of `tea`, */ \"hot\".""#),
        ("openapi", r#""description": "418 I'm a teapot.""#),
        ("typescript", r#"  teapot: { status: 418, retry: "no", message: "A pot | of `tea`, */ \"hot\"." },"#),
        ("zod", r#"  /** 418, retry: no. A pot | of `tea`, * / "hot". */"#),
        ("python", r#"    ErrorCode.TEAPOT: (418, Retry.NO, "A pot | of `tea`, */ \"hot\"."),"#),
        ("go", r#"		return about{418, RetryNo, "A pot | of `tea`, */ \"hot\"."}, true"#),
        ("java", r#"known("teapot", 418, Retry.NO, "A pot | of `tea`, */ \"hot\".");"#),
        ("csharp", r#"Add("teapot", 418, Retry.No, "A pot | of `tea`, */ \"hot\".");"#),
    ] {
        let run = run(&["catalogue", "--format", format, "--policy", policy]);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{format}");
        let (last, first_own) = (run.out.find("gateway_timeout"), run.out.find("seat_taken"));
        assert!(last < first_own && run.out.contains(own), "{format}");
    }
}
