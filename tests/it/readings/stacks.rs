//! Models of how real stacks read a path. Each follows that stack's documentation or source, and none the layer's code.
//!
//! A model returns the segments that its stack matches with routes, or nothing if its stack refuses the request.

pub(crate) type Segments = Vec<Vec<u8>>;

pub(crate) struct Stack {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&[u8]) -> Option<Segments>,
    /// True if the stack ignores letter case.
    pub(crate) folds: bool,
}

const fn exact(name: &'static str, read: fn(&[u8]) -> Option<Segments>) -> Stack {
    Stack { name, read, folds: false }
}

const fn folding(name: &'static str, read: fn(&[u8]) -> Option<Segments>) -> Stack {
    Stack { name, read, folds: true }
}

pub(crate) const STACKS: [Stack; 25] = [
    exact("as sent", |path| Some(split(path))),
    exact("node: new URL", |path| Some(split(&whatwg(path)))),
    exact("Hono", |path| Some(split(&decode(&whatwg(path), RESERVED)))),
    exact("new URL, then decodeURIComponent", |path| Some(split(&decode(&whatwg(path), b"")))),
    exact("Fastify", |path| Some(split(&decode(path, RESERVED)))),
    exact("Starlette, Flask, Django", |path| Some(split(&decode(path, b"")))),
    exact("WSGI, slashes merged", |path| Some(merge(split(&decode(path, b""))))),
    exact("decodes twice", |path| Some(split(&decode(&decode(path, b""), b"")))),
    exact("Go, path cleaned", |path| resolve(merge(split(&decode(path, b""))), Climb::Stays)),
    exact("Go, by escaped segments", |path| Some(split(path).iter().map(|segment| decode(segment, b"")).collect())),
    exact("Rack, slashes merged", |path| Some(without_last_empty(merge(split(path))))),
    exact("Apache, encoded slashes kept", |path| resolve(merge(split(&decode(path, b"/\\"))), Climb::Refused)),
    exact("nginx", |path| resolve(merge(split(&decode(path, b""))), Climb::Refused)),
    exact("Tomcat", |path| tomcat(path, Solidus::Refused)),
    exact("Tomcat, solidus decoded", |path| tomcat(path, Solidus::Decoded)),
    exact("Tomcat, solidus passed through", |path| tomcat(path, Solidus::Kept)),
    exact("Tomcat, then Spring's own path parameters", |path| tomcat(path, Solidus::Decoded).map(cut_parameters)),
    exact("a rewrite into PHP's query", |path| {
        let decoded = resolve(merge(split(&decode(path, b""))), Climb::Refused)?.join(&b'/');
        let field = decoded.split(|byte| *byte == b'&').next().unwrap_or_default();
        let field: Vec<u8> = field.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        Some(split(&decode(&field, b"").into_iter().filter(u8::is_ascii_graphic).collect::<Vec<_>>()))
    }),
    exact("PHP's FILTER_SANITIZE_URL", |path| {
        Some(split(&decode(path, b"").into_iter().filter(u8::is_ascii_graphic).collect::<Vec<_>>()))
    }),
    exact("the first call of tRPC's batch", |path| batch(path, |list| list.first().cloned())),
    exact("the last call of tRPC's batch", |path| batch(path, |list| list.last().cloned())),
    folding("Express", |path| Some(without_last_empty(split(path)))),
    folding("ASP.NET Core", |path| resolve(split(&decode(path, b"/")), Climb::Stays)),
    folding("IIS", |path| iis(path, 1)),
    folding("IIS, decoding twice", |path| iis(path, 2)),
];

/// The characters that JavaScript's `decodeURI` does not decode.
const RESERVED: &[u8] = b";/?:@&=+$,#";

pub(crate) fn split(path: &[u8]) -> Segments {
    path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect()
}

/// Returns one call of the list in the last segment.
fn batch(path: &[u8], call: fn(&[Vec<u8>]) -> Option<Vec<u8>>) -> Option<Segments> {
    let mut segments = split(&decode(path, b""));
    let list: Vec<_> = segments.pop()?.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
    segments.push(call(&list)?);
    Some(segments)
}

/// Decodes once, except escapes of the characters in `kept`.
fn decode(path: &[u8], kept: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|byte| !kept.contains(byte)) {
            Some(byte) => decoded.push(byte),
            None => decoded.push(*first),
        }
        rest = if byte.is_some_and(|byte| !kept.contains(&byte)) { &after[2..] } else { after };
    }
    decoded
}

/// Removes empty segments, except the last one.
fn merge(segments: Segments) -> Segments {
    let last = segments.len().saturating_sub(1);
    segments
        .into_iter()
        .enumerate()
        .filter(|(at, segment)| *at == last || !segment.is_empty())
        .map(|(_, it)| it)
        .collect()
}

fn without_last_empty(mut segments: Segments) -> Segments {
    if segments.len() > 1 && segments.last().is_some_and(Vec::is_empty) {
        segments.pop();
    }
    segments
}

/// The treatment of `..` at the root.
#[derive(Clone, Copy, PartialEq)]
enum Climb {
    Stays,
    Refused,
}

fn resolve(segments: Segments, climb: Climb) -> Option<Segments> {
    let last = segments.len().saturating_sub(1);
    let mut resolved: Segments = Vec::new();
    for (at, segment) in segments.into_iter().enumerate() {
        let is_dots = segment == b"." || segment == b"..";
        match &segment[..] {
            b".." if resolved.pop().is_none() && climb == Climb::Refused => return None,
            b"." | b".." => {}
            _ => resolved.push(segment),
        }
        if is_dots && at == last {
            resolved.push(Vec::new());
        }
    }
    Some(resolved)
}

/// Does the path state of <https://url.spec.whatwg.org/>: dots may be encoded, and nothing is decoded.
fn whatwg(path: &[u8]) -> Vec<u8> {
    let slashes: Vec<u8> = path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect();
    let dots = |segment: Vec<u8>| match &segment.to_ascii_lowercase()[..] {
        b"%2e" => b".".to_vec(),
        b".%2e" | b"%2e." | b"%2e%2e" => b"..".to_vec(),
        _ => segment,
    };
    let resolved = resolve(split(&slashes).into_iter().map(dots).collect(), Climb::Stays).unwrap_or_default();
    [b"/", &resolved.join(&b'/')[..]].concat()
}

fn cut_parameters(segments: Segments) -> Segments {
    segments
        .into_iter()
        .map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec())
        .collect()
}

/// Tomcat's `encodedSolidusHandling`.
#[derive(Clone, Copy, PartialEq)]
enum Solidus {
    Refused,
    Decoded,
    Kept,
}

/// Does what `CoyoteAdapter.postParseRequest` does: it removes parameters, decodes, and then calls `normalize`, with
/// `ALLOW_BACKSLASH`.
fn tomcat(path: &[u8], solidus: Solidus) -> Option<Segments> {
    let cut = cut_parameters(split(path)).join(&b'/');
    if solidus == Solidus::Refused && cut.to_ascii_lowercase().windows(3).any(|three| three == b"%2f") {
        return None;
    }
    let decoded = decode(&cut, if solidus == Solidus::Kept { b"/" } else { b"" });
    resolve(merge(split(&backslashes(&decoded))), Climb::Refused)
}

fn iis(path: &[u8], times: usize) -> Option<Segments> {
    let decoded = (0..times).fold(path.to_vec(), |path, _| decode(&path, b""));
    resolve(merge(split(&backslashes(&decoded))), Climb::Stays).map(without_last_empty)
}

fn backslashes(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

#[test]
fn the_models_read_as_their_stacks_do() {
    for (name, path, expected) in [
        ("node: new URL", "/a/%2E./%61\\b", Some("%61|b")),
        ("Hono", "/a/../admin/..%2fx%61", Some("admin|..%2fxa")),
        ("Fastify", "/%61dmin/..%2f..%2Fx%25", Some("admin|..%2f..%2Fx%")),
        ("Starlette, Flask, Django", "/%61dmin/..%2f%2561", Some("admin|..|%61")),
        ("decodes twice", "/%2561", Some("a")),
        ("Go, path cleaned", "/a//../%61/", Some("a|")),
        ("Go, by escaped segments", "/%61%2fb", Some("a/b")),
        ("Apache, encoded slashes kept", "/x/../%61%2fb", Some("a%2fb")),
        ("Tomcat", "/x/..;v=1/a;b=c//%61%5cb", Some("a|a|b")),
        ("Tomcat", "/a%2Fb", None),
        ("Tomcat", "/../a", None),
        ("Tomcat, solidus decoded", "/a%2F../b", Some("b")),
        ("Tomcat, then Spring's own path parameters", "/a%3bb/c", Some("a|c")),
        ("Express", "/%61/", Some("%61")),
        ("IIS, decoding twice", "/x\\..%255c%2561", Some("a")),
    ] {
        let stack = STACKS.iter().find(|stack| stack.name == name).expect("a model");
        let segments = (stack.read)(path.as_bytes());
        let text = segments.map(|segments| String::from_utf8(segments.join(&b'|')).expect("ASCII"));
        assert_eq!(text.as_deref(), expected, "{name}: {path}");
    }
}
