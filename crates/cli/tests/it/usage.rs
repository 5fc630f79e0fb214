//! Tests the arguments of the command, its exit codes, and that its output is readable.

use std::io::{Read, pipe};
use std::process::Stdio;

use crate::kit::{advice_to_known_keys, command, repository, run, run_with_input, verbs};

#[test]
fn help_fits_80_columns_and_says_the_exit_codes() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["catalogue", "--help"],
        &["catalogue", "-h"],
        &["probe", "--help"],
        &["probe", "-h"],
        &["man", "--help"],
        &["completions", "--help"],
        &["check", "--help"],
        &["check", "-h"],
        &["explain", "--help"],
        &["init", "--help"],
        &["kill-switch", "--help"],
        &["kill-switch", "-h"],
    ] {
        let help = run(args);
        assert_eq!(help.code, Some(0), "{args:?}");
        let wide: Vec<_> = help.out.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [""; 0], "{args:?}");
    }
    let help = run(&["--help"]).out.split_whitespace().collect::<Vec<_>>().join(" ");
    let manual = std::fs::read_to_string(repository().join("manual/exit-codes.md")).unwrap();
    let rows: Vec<_> = manual.lines().skip_while(|line| *line != "| code | means |").skip(2).take(5).collect();
    assert_eq!(rows.len(), 5, "the table of exit codes");
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let told = format!("{} {}", cells[1], cells[2].split(':').next().unwrap());
        assert!(help.contains(&told), "{told:?} is not in {help:?}");
    }
    assert!(help.contains("Exit codes: 0 success, 1 something"), "{help}");
}

#[test]
fn the_help_of_every_verb_ends_with_an_example() {
    let verbs = verbs();
    assert_eq!(verbs.len(), 16, "{verbs:?}");
    for verb in &verbs {
        for flag in ["-h", "--help"] {
            let help = run(&[verb.as_str(), flag]).out;
            let last = help.trim_end().lines().last().unwrap();
            assert!(last.starts_with("  ") && last.contains(verb), "{verb}: {last}");
        }
    }
}

#[test]
fn the_help_lists_verbs_in_groups_and_the_gateways_important_flags_first() {
    let help = run(&["--help"]).out;
    let titles: Vec<_> = help.lines().filter_map(|line| line.strip_suffix(':')).collect();
    assert_eq!(titles, ["Run", "Policy", "Operate", "Export", "Options"], "{help}");
    assert_eq!(verbs()[..2], ["gateway", "ext-proc"], "{help}");
    let help = run(&["gateway", "--help"]).out;
    let flags = help.lines().filter_map(|line| line.strip_prefix("      --")?.split([' ', '=']).next());
    let flags: Vec<_> = flags.take(4).collect();
    assert_eq!(flags, ["upstream", "listen", "policy", "access-log"], "{help}");
}

#[test]
fn every_verb_that_prints_has_json() {
    for (args, member) in [
        (&["check", "examples/policies/messaging.toml", "--format", "json"][..], "findings"),
        (&["check", "examples/policies/messaging.toml", "--format", "json", "--effective", "GET", "/x"], "effective"),
        (&["explain", "--format", "json", "crates/cli/tests/owner/express.http"], "tried"),
        (&["kill-switch", "status", "--format", "json", "--admin", "127.0.0.1:1"], "gateways"),
    ] {
        let run = run(args);
        let told: serde_json::Value =
            serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{args:?}: {error} {}{}", run.out, run.err));
        assert!(told[member].is_array(), "{args:?}: {told:#}");
    }
}

#[test]
fn wrong_usage_exits_2() {
    for args in [&[][..], &["catalog"], &["catalogue", "--format", "xml"], &["catalogue", "policy.toml"], &["check"]] {
        let run = run(args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(!run.err.contains('\u{1b}'), "{args:?}: colours where no terminal is");
    }
}

#[test]
fn a_removed_verb_or_flag_is_refused_with_the_nearest_one_that_exists() {
    for (args, nearest) in [
        (&["envoy-check", "envoy.yaml"][..], "'envoy-config'"),
        (&["gateway", "--kill", "--upstream", "http://127.0.0.1:1"], "'--kill-switch'"),
        (&["demo", "--once", "--tour-har", "a.har"], "'--tour-json'"),
        (&["replay", "tour.har"], "'explain'"),
    ] {
        let run = run(args);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(run.err.contains("tip: a similar") && run.err.contains(nearest), "{args:?}: {}", run.err);
    }
}

/// `-` is standard input: `check`, `explain` and `diff` read what another command prints.
#[test]
fn a_policy_or_a_response_may_come_from_standard_input() {
    let misspelt = "crates/cli/tests/policies/misspelt.toml";
    let from_file = run(&["check", misspelt]);
    let from_stdin = run_with_input(&["check", "-"], &std::fs::read(repository().join(misspelt)).unwrap());
    assert_eq!((from_stdin.code, from_stdin.err.as_str()), (Some(1), ""));
    assert_eq!(from_stdin.out, from_file.out.replace(misspelt, "-"), "the lines are shown, too");
    let weaker = b"version = 1\n[defaults]\nmode = \"observe\"\n";
    let diff = run_with_input(&["diff", "examples/policies/messaging.toml", "-"], weaker);
    assert!(diff.code == Some(0) && diff.out.contains("-> \"observe\" (-:3)"), "{} {}", diff.out, diff.err);
    let response = std::fs::read(repository().join("crates/cli/tests/owner/express.http")).unwrap();
    let explained = run_with_input(&["explain", "-"], &response);
    assert!(explained.code == Some(0) && explained.out.starts_with("-: the service answered GET / with 409"));
    for (args, input, why) in [
        (["check", "-"], &b"a = \xff"[..], "-: cannot be read: it is not UTF-8"),
        (["explain", "-"], b"", "-:1: the file is empty"),
    ] {
        let run = run_with_input(&args, input);
        assert!(
            run.code == Some(2) && run.out.is_empty() && run.err.starts_with(&format!("error: {why}")),
            "{args:?}: {}",
            run.err
        );
    }
}

#[test]
fn a_log_filter_that_is_wrong_exits_2_before_anything_listens() {
    for verb in [&["gateway", "--upstream", "http://127.0.0.1:1"][..], &["demo", "--once"]] {
        // The policy file is missing, so that a verb that did not refuse the filter would end instead of serving for
        // ever.
        let output =
            command(verb).args(["--policy", "no-such.toml"]).env("RUST_LOG", "info,hyper=loud").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{verb:?}: {said}");
        assert!(
            said.starts_with("error: RUST_LOG: \"hyper=loud\": ") && said.contains("\n = help: write off, "),
            "{said}"
        );
    }
}

#[test]
fn a_policy_that_cannot_be_read_exits_2() {
    let run = run(&["catalogue", "--policy", "no-such.toml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert_eq!(
        run.err,
        "\
no-such.toml: error: cannot be read: No such file or directory (os error 2)
 |
 = help: name a readable file
"
    );
}

#[test]
fn m2_a_policy_that_is_refused_exits_1_and_nothing_is_written() {
    let run = run(&["catalogue", "--policy", "crates/cli/tests/policies/misspelt.toml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert_eq!(
        run.err,
        format!(
            "\
crates/cli/tests/policies/misspelt.toml:4: defaults.body_limt: error: unknown key \"body_limt\"
  |
4 | body_limt = \"64 KiB\"
  | ^^^^^^^^^
  |
{}
",
            advice_to_known_keys("did you mean \"body_limit\"? The choices are")
        )
    );
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let mut child =
        command(&["catalogue", "--format", "openapi"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

/// With `pipefail`, `check policy.toml | head -1` must fail for a refused policy.
#[test]
fn m2_a_reader_that_has_enough_does_not_make_a_wrong_policy_right() {
    let [misspelt, watched] = ["misspelt", "watched"].map(|name| format!("crates/cli/tests/policies/{name}.toml"));
    for (args, code) in [
        (&["check", &misspelt][..], 1),
        (&["check", &watched, &misspelt], 1),
        (&["check", "--deny-warnings", &watched], 1),
        (&["check", &watched], 0),
        (&["check", &watched, "no-such.toml"], 2),
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let status = command(args).stdout(writer).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}
