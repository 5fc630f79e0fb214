//! Finds links and anchors of a page in Markdown, as far as these pages use it: `[text](target)`, and headings with
//! `#`.

/// Returns the targets of links, outside of code.
pub(super) fn links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(page) {
        let text = without_code(line);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', ' ']).next().unwrap_or_default();
            links.push(target.trim_matches(['<', '>']).to_owned());
        }
    }
    links
}

/// Returns the anchors of its headings, as GitHub makes them: in lower case, without punctuation, with hyphens for
/// blanks. A repeated anchor gets a number. Explicit anchors of lines follow.
pub(super) fn anchors(page: &str) -> Vec<String> {
    let mut anchors = Vec::<String>::new();
    for line in prose(page) {
        let Some(heading) = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')) else {
            continue;
        };
        let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
        let anchor: String = kept.map(|it| if it == ' ' { '-' } else { it }).flat_map(char::to_lowercase).collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|it| !anchors.contains(it));
        anchors.extend(free);
    }
    let named = |line: &str| Some(line.split_once("<a id=\"")?.1.split_once('"')?.0.to_owned());
    anchors.extend(prose(page).filter_map(named));
    anchors
}

/// Returns the lines outside of fenced code.
pub(super) fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fence = None;
    page.lines().filter(move |line| {
        let mark = line.trim_start();
        let ticks = mark.len() - mark.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            None => return true,
            Some(open) if ticks >= open => fence = None,
            Some(_) => {}
        }
        false
    })
}

/// Returns a line without the text between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[test]
fn links_are_found_and_code_is_not() {
    let page = "[a](x.md#b) and [`c`](y.rs)\n`[d](z)`\n```sh\n[e](w)\n```\n[f](<v>) [g](u \"title\")\n";
    assert_eq!(links(page), ["x.md#b", "y.rs", "v", "u"]);
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# Pure `core`\n## 6. Ask why\n## What it costs\n```sh\n# no heading\n```\n## What it costs\n#no\n## A, b: c/d — e\n";
    assert_eq!(anchors(page), ["pure-core", "6-ask-why", "what-it-costs", "what-it-costs-1", "a-b-cd--e"]);
}
