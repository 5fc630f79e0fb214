//! `.ci/README.md` lists the scripts, each by the first sentence of its comment.

use std::fs;
use std::path::Path;

const PAGE: &str = ".ci/README.md";
/// Scripts that stand next to what they test.
const ELSEWHERE: [&str; 3] = ["clients/check", "exports/tests/check", "fuzz/run"];
const REWRITE: &str = "UPDATE_MANUAL=1 cargo test --test repository ci_page";

const INTRODUCTION: &str = "\
# Scripts

Every commit must pass `.ci/run`. A release must also pass `.ci/nightly`. Most steps of these two scripts are other scripts in this
folder, which you can also run alone. The scripts install the tools that they need with `apt-get` and from package registries. They
write only to files that git ignores. [CONTRIBUTING.md](../CONTRIBUTING.md#ci) explains the order of the steps. The comment at the
head of a script explains its options. The file `.ci/lines.most` contains the limit for `.ci/lines`.

A test writes this list: `UPDATE_MANUAL=1 cargo test --test repository ci_page`.

| Script | What it does |
|---|---|
";

#[test]
fn the_list_of_scripts_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        fs::read_dir(root.join(".ci")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let names = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let mut scripts: Vec<_> = names.filter(|name| !name.contains('.')).map(|name| format!(".ci/{name}")).collect();
    scripts.sort();
    scripts.extend(ELSEWHERE.map(str::to_owned));
    let line = |script: &String| {
        let text = fs::read_to_string(root.join(script)).unwrap();
        format!("| `{script}` | {} |\n", first_sentence(&text).replace('|', "\\|"))
    };
    let page = INTRODUCTION.to_owned() + &scripts.iter().map(line).collect::<String>();
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        fs::write(root.join(PAGE), &page).unwrap();
    }
    let have = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    assert!(have == page, "{PAGE} is stale: {REWRITE}");
}

/// The first sentence of the comment, or of Python's docstring, that a script begins with.
fn first_sentence(script: &str) -> String {
    let mut lines = script.lines().skip_while(|line| line.starts_with("#!")).peekable();
    let is_docstring = lines.peek().is_some_and(|line| line.starts_with('"'));
    let comment = lines.take_while(|line| is_docstring || line.starts_with('#'));
    let texts = comment.map(|line| line.trim_start_matches(['#', '"']).trim().trim_end_matches('"'));
    let paragraph = texts.take_while(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let sentence = paragraph.split_inclusive(". ").next().unwrap_or_default().trim_end().to_owned();
    assert!(sentence.ends_with('.') && sentence.len() < 240, "no sentence at the head of a script: {sentence}");
    sentence
}

#[test]
fn a_first_sentence_ends_at_a_blank() {
    for (script, sentence) in [
        ("#!/bin/sh\n# Runs `a.b`\n# and more. And c.\nset -eu\n", "Runs `a.b` and more."),
        ("#!/usr/bin/env python3\n\"\"\"Counts.\"\"\"\n\nimport os\n", "Counts."),
        ("# Defines it.\n\nstep() {\n", "Defines it."),
    ] {
        assert_eq!(first_sentence(script), sentence);
    }
}
