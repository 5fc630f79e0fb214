//! Reads errors of pydantic in a text (pydantic 2.14 and 1.10): a count, and then two lines for each error, with its
//! place and its message.
//!
//! ```text
//! 1 validation error for Order
//! items.1.qty
//!   Input should be a valid integer [type=int_parsing, input_value='three', input_type=str]
//! ```

use super::reading::Reading;
use crate::place::Place;

pub(super) fn read(text: &str) -> Option<Vec<Reading>> {
    let (before, _) = text.split_once(" validation error")?;
    let count = before.rsplit([' ', '\n']).next().unwrap_or_default();
    let mut lines = text[before.len()..].lines();
    let head = lines.next()?.strip_prefix(" validation error")?;
    if count.parse::<u32>().is_err() || !head.trim_start_matches('s').starts_with(" for ") {
        return None;
    }
    let (mut readings, mut place) = (Vec::new(), Place::default());
    for line in lines {
        match line.strip_prefix("  ") {
            None => place = Place::of_dotted(&line.replace(" -> ", ".")),
            Some(message) if message.starts_with("  For further information ") => {}
            Some(message) => {
                readings.push(Reading { place: std::mem::take(&mut place), text: without_input(message).to_owned() })
            }
        }
    }
    Some(readings)
}

/// Returns the message without the input: ` [type=int_parsing, input_value='three', input_type=str]`,
/// ` (type=type_error.integer)`.
fn without_input(text: &str) -> &str {
    let end = [" [type=", " (type="].iter().filter_map(|begins| text.find(begins)).min();
    end.map_or(text, |end| &text[..end])
}
