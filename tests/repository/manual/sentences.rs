//! The sentences of a page: without blocks of code, comments, tables, quotations and headings.

use super::links::prose;

/// Each sentence, with one word for each piece of code and without the targets of links.
pub(super) fn sentences(page: &str) -> Vec<String> {
    let page = without_comments(page);
    let mut paragraphs = vec![String::new()];
    for line in prose(&page) {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with(['|', '>', '#']) || is_item(text) {
            paragraphs.push(String::new());
        }
        if !text.starts_with(['|', '>', '#']) {
            *paragraphs.last_mut().expect("one is there") += &format!(" {text}");
        }
    }
    paragraphs.iter().flat_map(|paragraph| split(&plain(paragraph))).collect()
}

fn without_comments(page: &str) -> String {
    let mut parts = page.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("-->").map_or("", |(_, behind)| behind))
}

/// Whether an item of a list begins here.
fn is_item(line: &str) -> bool {
    let (mark, _) = line.split_once(' ').unwrap_or_default();
    let number = mark.strip_suffix('.').unwrap_or_default();
    matches!(mark, "-" | "*") || !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
}

/// The paragraph with `CODE` for what stands between backticks, and the text of each link alone.
fn plain(paragraph: &str) -> String {
    let parts = paragraph.split('`').enumerate();
    let text: String = parts.map(|(at, part)| if at % 2 == 1 { "CODE" } else { part }).collect();
    let mut links = text.split("](");
    let first = links.next().unwrap_or_default().to_owned();
    let text = links.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, behind)| behind));
    text.replace(['[', '!'], "")
}

/// A sentence ends with a word that ends with `.`, `?`, `:` or `;`, where the next one begins with a capital.
fn split(paragraph: &str) -> Vec<String> {
    let (mut sentences, mut ends) = (vec![String::new()], false);
    for word in paragraph.split_whitespace() {
        let begins = word.trim_start_matches(['(', '*', '_', '"']).starts_with(|it: char| it.is_uppercase());
        if ends && begins {
            sentences.push(String::new());
        }
        *sentences.last_mut().expect("one is there") += &format!("{word} ");
        ends = word.trim_end_matches([')', '"', '*', '_']).ends_with(['.', '?', ':', ';']);
    }
    sentences
}

#[test]
fn a_page_is_split_into_sentences() {
    let page = "# A title\n\nOne `let a; Let` [two](x.md). Then\n(three):\n\n| a | table |\n```sh\nB. C.\n```\n- D, e.g. f\n- **G**.\n<!-- H. I -->";
    let found = sentences(page);
    let found: Vec<_> = found.iter().map(|it| it.trim()).filter(|it| !it.is_empty()).collect();
    assert_eq!(found, ["One CODE two.", "Then (three):", "- D, e.g. f", "- **G**."]);
}
