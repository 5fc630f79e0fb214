//! Advice for an unknown name: the known name that was probably meant.

/// Advice for an unknown word: the word that was probably meant, and all known words.
pub(crate) fn advice_for_unknown<'w>(word: &str, known: impl Iterator<Item = &'w str> + Clone) -> String {
    let mut names: Vec<String> = known.clone().map(|name| format!("{name:?}")).collect();
    let last = names.pop().unwrap_or_default();
    let choices = if names.is_empty() {
        format!("only choice is {last}")
    } else {
        format!("choices are {} and {last}", names.join(", "))
    };
    match closest(word, known) {
        Some(near) => format!("did you mean {near:?}? The {choices}"),
        None => format!("the {choices}"),
    }
}

/// The known word of which this one is probably a misspelling.
pub(crate) fn closest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    const SIMILAR: f64 = 0.8;
    let word = word.to_ascii_lowercase();
    let scored = known
        .map(|name| (strsim::jaro_winkler(&word, &name.to_ascii_lowercase()), name))
        .filter(|(score, _)| *score >= SIMILAR);
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}
