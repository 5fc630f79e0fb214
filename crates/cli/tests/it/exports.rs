//! Tests that the exports under `exports/` are what the command writes today.

use std::fs;

use crate::kit::{repository, run};

const EXPORTS: [(&str, &str); 8] = [
    ("markdown", "exports/errors.md"),
    ("json", "exports/errors.json"),
    ("json-schema", "exports/envelope.schema.json"),
    ("openapi", "exports/openapi.json"),
    ("typescript", "clients/typescript/src/errors.ts"),
    ("zod", "clients/typescript/src/errors.zod.ts"),
    ("python", "exports/errors.py"),
    ("go", "exports/errors.go"),
];

/// `exports/` also contains the codes of products.
const ALL: [&str; 2] = ["--group", "channel,media"];

const REWRITE: &str = "UPDATE_EXPORTS=1 cargo test -p error-envelope-cli exports";

#[test]
fn the_exports_do_not_drift_from_the_table() {
    let update = std::env::var_os("UPDATE_EXPORTS").is_some();
    for (format, file) in EXPORTS {
        let path = repository().join(file);
        let written = run(&[&["catalogue", "--format", format][..], &ALL].concat());
        assert_eq!((written.code, written.err.as_str()), (Some(0), ""), "{format}");
        if update {
            fs::write(&path, &written.out).unwrap();
        }
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        let line = differs(&checked_in, &written.out);
        assert_eq!(line, None, "{file} differs from what is written today. To rewrite it: {REWRITE}");
    }
}

/// Returns the number of the first line that differs, counted from 1, and its current text.
fn differs(before: &str, now: &str) -> Option<(usize, String)> {
    if before == now {
        return None;
    }
    let same = before.split('\n').zip(now.split('\n')).take_while(|(before, now)| before == now).count();
    Some((same + 1, now.split('\n').nth(same).unwrap_or_default().to_owned()))
}

#[test]
fn e2_codes_of_products_are_in_no_format_unless_a_group_or_a_policy_names_them() {
    let all = run(&[&["catalogue", "--format", "json"][..], &ALL].concat()).out;
    let codes = |text: &str| -> Vec<(String, String)> {
        let export: serde_json::Value = serde_json::from_str(text).unwrap();
        let codes = export["codes"].as_array().unwrap().iter();
        codes.map(|it| (it["code"].as_str().unwrap().to_owned(), it["group"].as_str().unwrap().to_owned())).collect()
    };
    let (products, others): (Vec<_>, Vec<_>) =
        codes(&all).into_iter().partition(|(_, group)| ["channel", "media"].contains(&group.as_str()));
    assert!(products.len() > 10 && others.len() > 20);
    for (format, _) in EXPORTS {
        let written = run(&["catalogue", "--format", format]);
        assert_eq!((written.code, written.err.as_str()), (Some(0), ""), "{format}");
        let has = |text: &str, code: &str| text.to_lowercase().replace(['_', '-'], "").contains(&code.replace('_', ""));
        assert_eq!(products.iter().find(|(code, _)| has(&written.out, code)), None, "{format}");
        assert!(others.iter().all(|(code, _)| has(&written.out, code)), "{format}");
        let media = run(&["catalogue", "--format", format, "--group", "media"]).out;
        assert!(has(&media, "media_gone") && !has(&media, "channel_not_found"), "{format}");
    }
    assert_eq!(run(&["catalogue", "--group", "auth"]).code, Some(2));

    let policy = std::env::temp_dir().join(format!("catalogue-names-{}.toml", std::process::id()));
    let rules = "version = 1\n[[map]]\nstatus = 410\nto = \"media_gone\"\n[[outward]]\ncodes = [\"no_qr\"]\nmessage = \"Later.\"\n";
    std::fs::write(&policy, rules).unwrap();
    let named = run(&["catalogue", "--format", "json", "--policy", policy.to_str().unwrap()]);
    std::fs::remove_file(policy).unwrap();
    let named: Vec<_> =
        codes(&named.out).into_iter().filter(|it| products.contains(it)).map(|(code, _)| code).collect();
    assert_eq!(named, ["no_qr", "media_gone"]);
}

#[test]
fn e2_each_format_names_each_code_and_ends_with_one_newline() {
    for (format, _) in EXPORTS {
        let text = run(&[&["catalogue", "--format", format][..], &ALL].concat()).out;
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
        let run = run(&["catalogue", "--format", format, "--policy", "exports/tests/own-codes.toml"]);
        assert!(run.code == Some(0) && run.out.contains(own), "{format}: {}", run.out);
    }
}

#[test]
fn a_policys_own_codes_stand_after_the_catalogues() {
    let policy = "exports/tests/own-codes.toml";
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
    ] {
        let run = run(&["catalogue", "--format", format, "--policy", policy]);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{format}");
        let (last, first_own) = (run.out.find("gateway_timeout"), run.out.find("seat_taken"));
        assert!(last < first_own && run.out.contains(own), "{format}");
    }
}
