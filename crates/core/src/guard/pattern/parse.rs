//! Parses a pattern. If the pattern is refused, the error contains advice on how to write it.

use http::Method;

/// The maximum number of segments. Matching recurses once for each segment, so this limits the stack. Real routes have
/// fewer.
const MAX_SEGMENTS: usize = 64;

/// The mistake, and advice on how to correct it.
pub(super) type Advice = (String, String);

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(Box<str>),
    One,
}

impl Segment {
    pub(super) fn fits(&self, segment: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => literal.as_bytes() == segment,
            Self::One => !segment.is_empty(),
        }
    }
}

fn advise(wrong: impl Into<String>, right: impl Into<String>) -> Advice {
    (wrong.into(), right.into())
}

/// Returns the methods before a path, and the path.
pub(super) fn split_methods(written: &str) -> Result<(Box<[Method]>, &str), Advice> {
    if written.starts_with('/') {
        return Ok((Box::default(), written));
    }
    let (methods, path) = match written.split_once(' ') {
        Some((methods, path)) if path.starts_with('/') => (methods, path),
        _ => {
            let wrong = format!("{written:?} is not a valid path pattern");
            return Err(advise(wrong, "write a path that begins with / after the methods: \"/x\", \"GET|POST /x\""));
        }
    };
    let mut parsed: Vec<Method> = Vec::new();
    for name in methods.split('|') {
        let method = parse_method(name)?;
        if parsed.contains(&method) {
            return Err(advise(format!("the method {name} is listed twice"), "write each method once"));
        }
        parsed.push(method);
    }
    Ok((parsed.into(), path))
}

/// Parses a method. Every token in upper case is accepted. A list of known methods (of RFC 9110, PATCH and WebDAV)
/// would need maintenance.
fn parse_method(name: &str) -> Result<Method, Advice> {
    let right = "write methods in capitals with | between them, as in \"GET|POST /x\"";
    let shouted = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    match Method::from_bytes(name.as_bytes()) {
        Ok(method) if shouted => Ok(method),
        _ => Err(advise(format!("{name:?} is not a valid method"), right)),
    }
}

/// Returns the segments of a path, and whether it ends in `{*rest}`.
pub(super) fn parse_path(path: &str) -> Result<(Vec<Segment>, bool), Advice> {
    refuse_characters(path)?;
    if path.split('/').count() > MAX_SEGMENTS {
        return Err(advise("the pattern is too long", format!("write at most {MAX_SEGMENTS} segments")));
    }
    let Some(inside) = path.strip_prefix('/').filter(|inside| !inside.is_empty()) else {
        return Ok((Vec::new(), false));
    };
    let mut segments = Vec::new();
    let mut names = Vec::new();
    let mut written = inside.split('/').peekable();
    while let Some(segment) = written.next() {
        let Some(name) = parameter(segment)? else {
            segments.push(literal(path, segment)?);
            continue;
        };
        let (rest, name) = name.strip_prefix('*').map_or((false, name), |name| (true, name));
        refuse_name(segment, name, &names)?;
        if rest && written.peek().is_some() {
            let right = "put {*rest} at the end, or write {one} for one segment";
            return Err(advise(format!("{segment} is not the last segment"), right));
        }
        if rest {
            return Ok((segments, true));
        }
        names.push(name);
        segments.push(Segment::One);
    }
    Ok((segments, false))
}

/// Refuses characters that a path cannot contain when it is matched, because it is decoded and has lost its query.
fn refuse_characters(path: &str) -> Result<(), Advice> {
    let wrong = |what: &str| format!("{path:?} has {what}, which a normalised path never contains");
    if path.contains('%') {
        return Err(advise(wrong("a %"), "write the decoded character itself"));
    }
    if path.contains('\\') {
        let right = "separate segments with /, and write a name in braces, such as {id}, for one arbitrary segment; regular expressions are not supported";
        return Err(advise(wrong("a backslash"), right));
    }
    if path.contains(['?', '#']) {
        return Err(advise(wrong("a query or fragment"), "remove it, because only the path decides the route"));
    }
    if path.contains("//") || path.len() > 1 && path.ends_with('/') {
        return Err(advise(wrong("an empty segment"), "remove doubled and trailing slashes"));
    }
    if path.chars().any(char::is_control) || path.ends_with(' ') {
        return Err(advise(wrong("a control character or a space at its end"), "leave it out"));
    }
    Ok(())
}

/// Returns the text between the braces of a segment.
fn parameter(segment: &str) -> Result<Option<&str>, Advice> {
    if !segment.contains(['{', '}']) {
        return Ok(None);
    }
    match segment.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')) {
        Some(inside) if !inside.contains(['{', '}']) => Ok(Some(inside)),
        _ => Err(advise(
            format!("{segment:?} is neither a literal segment nor a whole parameter"),
            "a parameter is a whole segment, as in /files/{name}",
        )),
    }
}

fn refuse_name(segment: &str, name: &str, names: &[&str]) -> Result<(), Advice> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) {
        return Err(advise(format!("{segment} has no valid name"), "name it with letters and digits, as in {id}"));
    }
    if names.contains(&name) {
        return Err(advise(format!("{segment} appears twice"), "give each parameter a different name"));
    }
    Ok(())
}

fn literal(path: &str, segment: &str) -> Result<Segment, Advice> {
    match segment {
        "." | ".." => Err(advise(format!("{path:?} has a dot segment"), "write the path that it resolves to")),
        // This is the syntax of other routers. As a literal text, it would guard nothing.
        _ if segment.starts_with([':', '*', '<']) => Err(advise(
            format!("{segment:?} is not a parameter here"),
            "write {one} for one segment, or {*rest} for all that follow",
        )),
        _ => Ok(Segment::Literal(segment.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m2_a_pattern_that_could_never_match_is_refused_with_advice() {
        let deep = "/a".repeat(MAX_SEGMENTS);
        for (written, advice) in [
            ("", "begins with /"),
            ("a", "begins with /"),
            ("GET", "begins with /"),
            ("GET a", "begins with /"),
            ("GET  /a", "begins with /"),
            ("get /a", "in capitals"),
            ("GET|/a", "begins with /"),
            ("GET| /a", "in capitals"),
            ("GET|GET /a", "each method once"),
            ("/{*a}/b", "at the end"),
            ("/a{b}", "a whole segment"),
            ("/{a}.json", "a whole segment"),
            ("/{a}{b}", "a whole segment"),
            ("/{", "a whole segment"),
            ("/{}", "letters and digits"),
            ("/{*}", "letters and digits"),
            ("/{a b}", "letters and digits"),
            ("/{a}/{a}", "a different name"),
            ("/{a}/{*a}", "a different name"),
            ("/:id", "write {one}"),
            ("/<id>", "write {one}"),
            ("/*", "write {one}"),
            ("//", "doubled and trailing slashes"),
            ("/a//b", "doubled and trailing slashes"),
            ("/a/", "doubled and trailing slashes"),
            ("/./a", "resolves to"),
            ("/a/..", "resolves to"),
            ("/a\\b", "separate segments with /, and write a name in braces, such as {id}, for one arbitrary segment"),
            ("/a%20b", "the decoded character"),
            ("/a?b", "only the path"),
            ("/a#b", "only the path"),
            ("/a\n", "leave it out"),
            (deep.as_str(), "at most 64"),
        ] {
            let refused = split_methods(written).and_then(|(_, path)| parse_path(path)).expect_err(written);
            assert!(refused.1.contains(advice), "{written}: {refused:?}");
        }
    }
}
