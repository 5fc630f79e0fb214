//! Makes cases of case files: rows are merged over their case, table by table, and `or` becomes alternatives.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::format::{Case, Expect, read};

/// Returns every case of `tests/cases`, or of the folder that `CASES_DIR` names, that the `CASES` filter allows. Panics if
/// the files have faults.
pub(super) fn cases() -> Vec<Case> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let folder = std::env::var_os("CASES_DIR").map_or_else(own, PathBuf::from);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}: set CASES_DIR to a folder of cases", folder.display()))
        .map(|entry| entry.expect("a folder entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no *.toml here", folder.display());
    let cases = files.iter().flat_map(|path| file(path)).collect::<Vec<_>>();
    let wanted = std::env::var("CASES").unwrap_or_default();
    let cases = cases.into_iter().filter(|case| case.name.contains(&wanted)).collect::<Vec<_>>();
    // The bodies are made here, before a clock runs.
    cases.iter().for_each(|case| drop(case.inner.body()));
    cases
}

fn file(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let folder = path.parent().expect("a file has a folder");
    parse(&text, folder).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Parses the cases of one file's text.
pub(super) fn parse(text: &str, folder: &Path) -> Result<Vec<Case>, String> {
    let mut table: Table = text.parse().map_err(|error| format!("{error}"))?;
    let Some(Value::Array(cases)) = table.remove("case") else { return Err("no [[case]]".into()) };
    if let Some(key) = table.keys().next() {
        return Err(format!("unknown key `{key}` beside [[case]]"));
    }
    cases.into_iter().map(|case| rows(case, folder)).collect::<Result<Vec<_>, _>>().map(|all| all.concat())
}

fn rows(case: Value, folder: &Path) -> Result<Vec<Case>, String> {
    let Value::Table(mut case) = case else { return Err("a [[case]] is a table".into()) };
    let Some(rows) = case.remove("each") else { return Ok(vec![finished(case, folder)?]) };
    let Value::Array(rows) = rows else { return Err(format!("{}: `each` is a list", name(&case))) };
    if rows.is_empty() {
        return Err(format!("{}: `each` without a row checks nothing", name(&case)));
    }
    rows.into_iter().enumerate().map(|(index, row)| finished(with_row(&case, row, index)?, folder)).collect()
}

fn with_row(case: &Table, row: Value, index: usize) -> Result<Table, String> {
    let Value::Table(mut row) = row else { return Err(format!("{}: a row is a table", name(case))) };
    let row_name = row.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned);
    row.insert("name".into(), Value::String(format!("{}/{row_name}", name(case))));
    let mut merged = case.clone();
    merge(&mut merged, row);
    Ok(merged)
}

/// One key for the body replaces another one: a row's `gzip` is not sent in addition to its case's `body`.
const EITHER: [&[&str]; 3] = [
    &["body", "body_base64", "body_repeat", "body_parts", "messages", "gzip", "gzip_repeat"],
    &["raw", "raw_base64"],
    &["policy", "policy_file"],
];

fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        for group in EITHER.iter().filter(|group| group.contains(&key.as_str())) {
            under.retain(|have, _| have == key || !group.contains(&have));
        }
        match (under.get_mut(&key), value) {
            // A pair such as `{ text, count }` is one value, and not two settings.
            (Some(Value::Table(below)), Value::Table(above)) if !above.contains_key("text") => merge(below, above),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

fn finished(table: Table, folder: &Path) -> Result<Case, String> {
    let name = name(&table);
    let expect = table.get("expect").and_then(Value::as_table).cloned().unwrap_or_default();
    let mut case: Case = read(table).map_err(|error| format!("{name}: {error}"))?;
    case.alternatives = alternatives(expect).map_err(|error| format!("{name}: expect.or: {error}"))?;
    folder.clone_into(&mut case.folder);
    // The rows are copies, and their policies are only next to the original files.
    case.policy_file = case.policy_file.map(|file| file.replace("../policies/", "../../examples/policies/"));
    if case.request.times == 0 || case.chain == 0 {
        return Err(format!("{name}: `times` and `chain` are at least 1"));
    }
    if case.policy_file.is_some() && case.policy.is_some() {
        return Err(format!("{name}: policy and policy_file"));
    }
    Ok(case)
}

/// The base is an alternative too if every table of `or` replaces one of its values. A base that leaves the decision to
/// the tables would accept anything.
fn alternatives(mut expect: Table) -> Result<Vec<Expect>, toml::de::Error> {
    let or = match expect.remove("or") {
        Some(Value::Array(or)) => or.into_iter().filter_map(|value| value.try_into::<Table>().ok()).collect(),
        _ => Vec::new(),
    };
    let base_counts = or.iter().all(|table| table.keys().any(|key| expect.contains_key(key)));
    let replaced = or.into_iter().map(|table| {
        let mut whole = expect.clone();
        whole.extend(table);
        whole
    });
    let mut all: Vec<Table> = replaced.collect();
    if base_counts {
        all.insert(0, expect);
    }
    all.into_iter().map(read).collect()
}

fn name(table: &Table) -> String {
    table.get("name").and_then(Value::as_str).unwrap_or("a case without a name").to_owned()
}
