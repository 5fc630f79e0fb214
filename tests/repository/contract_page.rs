//! Tests that the sentences of the contract's two pages are short. Each rule that code, tests or pages name in
//! parentheses must be on one of these pages.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const PAGES: [&str; 2] = ["manual/contract.md", "manual/contract-parsing.md"];
/// The most words of a sentence. Code counts as one word.
const SENTENCE_WORDS: usize = 30;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns the sentences outside of tables, headings and examples. Each entry of a list begins a sentence.
fn sentences(page: &str) -> Vec<String> {
    let (mut blocks, mut in_example) = (vec![String::new()], false);
    for line in page.lines().map(str::trim) {
        in_example ^= line.starts_with("```");
        let is_entry = line.starts_with("- ") || line.split_once(". ").is_some_and(|(at, _)| at.parse::<u8>().is_ok());
        if line.is_empty() || is_entry {
            blocks.push(String::new());
        }
        if !in_example && !line.starts_with(['|', '#', '`']) {
            let code_as_words = line.split('`').enumerate().map(|(at, part)| if at % 2 == 1 { "code" } else { part });
            blocks.last_mut().unwrap().extend(code_as_words.chain([" "]));
        }
    }
    blocks.iter().flat_map(|block| block.split(". ")).map(str::to_owned).collect()
}

#[test]
fn the_sentences_of_the_contract_are_short() {
    for name in PAGES {
        let page = page(name);
        let is_word = |word: &&str| !matches!(*word, "-" | "<a");
        let is_long = |sentence: &String| sentence.split_whitespace().filter(is_word).count() > SENTENCE_WORDS;
        let long: Vec<_> = sentences(&page).into_iter().filter(is_long).collect();
        assert!(long.is_empty(), "{name}: sentences of more than {SENTENCE_WORDS} words: {long:#?}");
    }
}

/// Returns true for `R13` or `F1a`: a letter of a section, digits, and at most one more letter.
fn is_rule(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(['E', 'I', 'G', 'F', 'R', 'P', 'V', 'M', 'L']) else { return false };
    let number = rest.trim_end_matches(|last: char| last.is_ascii_lowercase());
    rest.len() - number.len() <= 1 && (1..=2).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit())
}

/// Returns the rules in parentheses that contain only rules: `(R3, E8)`, `(rule F7)`, `(rules F1–F3)`.
fn named(text: &str) -> Vec<&str> {
    let mut rules = Vec::new();
    for inside in text.split('(').skip(1).filter_map(|behind| Some(behind.split_once(')')?.0)) {
        let words = || inside.split([',', ' ', '–', '-', ':', ';']).filter(|word| !word.is_empty());
        if words().all(|word| is_rule(word) || matches!(word, "rule" | "rules" | "and")) {
            rules.extend(words().filter(|word| is_rule(word)));
        }
    }
    rules
}

#[test]
fn each_rule_that_is_named_is_in_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = PAGES.map(page).concat();
    let rules: BTreeSet<_> = contract.split("<a id=\"").skip(1).filter_map(|it| Some(it.split_once('"')?.0)).collect();
    assert!(rules.len() > 40 && rules.contains("r13"), "{rules:?}");
    let listed = Command::new("git").args(["ls-files", "*.rs", "*.md"]).current_dir(root).output().unwrap().stdout;
    let (listed, mut unknown) = (String::from_utf8(listed).unwrap(), BTreeSet::new());
    for path in listed.lines() {
        let Ok(text) = std::fs::read_to_string(root.join(path)) else { continue };
        let names = named(&text).into_iter().filter(|name| !rules.contains(&*name.to_lowercase()));
        unknown.extend(names.map(|name| format!("{path}: {name}")));
    }
    assert!(unknown.is_empty(), "no rule of the contract: {unknown:#?}");
}

#[test]
fn names_of_rules_are_found() {
    let text = "so it is (R3, E8), and (rules F1–F3); not (R3 looks), (H2), (M), (rule R13) is";
    assert_eq!(named(text), ["R3", "E8", "F1", "F3", "R13"]);
}
