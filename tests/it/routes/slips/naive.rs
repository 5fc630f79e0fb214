//! Computes the right result by a check of every scope and every route, on text.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use tower_error_envelope::Mode;

use super::route_request::{RouteRequest, Target};
use super::world::{Area, HOSTS, Keys, Part, Way, World};

/// Returns true if two scopes overlap and neither is narrower, or if two routes of a part are for the same requests.
pub(crate) fn is_refused(world: &World) -> bool {
    let areas = pairs(&world.scopes).any(|(one, other)| {
        let (one, other) = (places(one), places(other));
        let both = one.iter().filter(|place| other.contains(place)).count();
        both > 0 && (one.len() == other.len() || both < one.len().min(other.len()))
    });
    let mut parts = world.scopes.iter().map(|area| &area.part).chain([&world.own]);
    areas || parts.any(|part| pairs(&part.routes).any(|(one, other)| clash(one, other)))
}

/// Returns the status that a request gets, or `None` if it reaches the service.
pub(crate) fn status(world: &World, route_request: &RouteRequest) -> Option<u16> {
    let asks_host = world.scopes.iter().any(|area| !area.hosts.is_empty());
    if asks_host && nobody_knows_the_host(route_request) {
        return refuses(world).then_some(400);
    }
    let path = if route_request.target == Target::Asterisk { "*" } else { route_request.path.as_str() };
    let host = route_request.host.as_ref().map_or("", |host| host.name);
    // A service behind the layer may use either host.
    let other = asks_host && route_request.target == Target::AbsoluteAndOther && route_request.host.is_some();
    let Some(readings) = readings(path) else { return Some(400) };
    let hosts = [host].into_iter().chain(other.then_some("else.example"));
    let both: Vec<Keys> = hosts
        .flat_map(|host| {
            readings.iter().flat_map(move |path| {
                [
                    keys_of_request(world, route_request, host, path, false),
                    keys_of_request(world, route_request, host, path, true),
                ]
            })
        })
        .flatten()
        .collect();
    let guarding =
        || both.iter().filter(|keys_of_request| !matches!(keys_of_request.mode, Some(Mode::Off | Mode::Observe)));
    let lacks = |name: &str| !route_request.headers.iter().any(|header| &header[2..] == name);
    if guarding().any(|keys_of_request| keys_of_request.headers.iter().flatten().any(|name| lacks(name))) {
        return Some(400);
    }
    if both
        .iter()
        .any(|keys_of_request| keys_of_request.auth_observe != Some(true) && !lets_in(keys_of_request, route_request))
    {
        return Some(401);
    }
    let limit = guarding().filter_map(|keys_of_request| keys_of_request.limit.unwrap_or(Some(1024 * 1024))).min();
    limit.filter(|limit| route_request.length > *limit).map(|_| 413)
}

/// Returns true if any table refuses anything. Credentials refuse in every mode, and the other guards in modes that do
/// not only watch.
fn refuses(world: &World) -> bool {
    let parts = || world.scopes.iter().map(|area| &area.part).chain([&world.own]);
    let tables = || parts().flat_map(|part| part.routes.iter().map(|way| &way.keys).chain([&part.keys]));
    let enforces = |keys: &Keys| matches!(keys.mode, Some(Mode::Own | Mode::Fill | Mode::Enforce));
    let closes = |keys: &Keys| keys.auth.as_ref().is_some_and(|schemes| !schemes.is_empty());
    world.own.keys.mode.is_none() || tables().any(|keys| enforces(keys) || closes(keys))
}

fn nobody_knows_the_host(route_request: &RouteRequest) -> bool {
    route_request.target == Target::TwoHosts || route_request.host.as_ref().is_some_and(|host| host.is_broken)
}

/// Returns the paths that any stack may read, by replacing text until nothing new appears. Returns `None` if there are
/// too many.
fn readings(path: &str) -> Option<BTreeSet<Vec<u8>>> {
    if !path.starts_with('/') {
        return Some([path.as_bytes().to_vec()].into());
    }
    let mut all = BTreeSet::new();
    let mut open = vec![(path.as_bytes().to_vec(), 2)];
    while let Some((path, decodes)) = open.pop() {
        if !all.insert((path.clone(), decodes)) {
            continue;
        }
        if decodes > 0 {
            let codes = [&[][..], &[0x2f], &[0x5c], &[0x2f, 0x5c]];
            open.extend(codes.map(|kept| (decoded(&path, kept), decodes - 1)));
        }
        for byte in [0x2f, 0x5c] {
            let code = |at: usize| path.get(at..at + 3).is_some_and(|code| decoded(code, &[]) == [byte]);
            let starts: Vec<usize> = (0..path.len()).filter(|at| code(*at)).collect();
            let kept = (0..path.len()).filter(|at| !starts.iter().any(|start| (start + 1..start + 3).contains(at)));
            open.push((kept.map(|at| if starts.contains(&at) { b'/' } else { path[at] }).collect(), decodes));
        }
        open.push((path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect(), decodes));
        open.push((resolved(&path, |segment| segment.to_vec()), decodes));
        open.push((resolved(&path, |segment| decoded(segment, &[])), decodes));
        let segments: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let whole: Vec<&[u8]> = segments.iter().copied().filter(|segment| !segment.is_empty()).collect();
        let end: &[u8] = if path.ends_with(b"/") && !whole.is_empty() { b"/" } else { b"" };
        open.push(([&b"/"[..], &whole.join(&b'/'), end].concat(), decodes));
        open.push((path.split(|byte| *byte == b';').next().unwrap_or_default().to_vec(), decodes));
        if path.starts_with(b"//") {
            let rest: Vec<&[u8]> = path.split(|byte| *byte == b'/').skip_while(|it| it.is_empty()).skip(1).collect();
            open.push(([&b"/"[..], &rest.join(&b'/')].concat(), decodes));
        }
        let end = path.iter().position(|byte| b"?#\0".contains(byte)).unwrap_or(path.len());
        open.push((path[..end].to_vec(), decodes));
        for end in [&b"&"[..], b"%26"] {
            let at = path.windows(end.len()).position(|window| window == end).unwrap_or(path.len());
            open.push((path[..at].to_vec(), decodes));
        }
        open.push((path.iter().copied().filter(|byte| byte.is_ascii_graphic() && *byte != b'+').collect(), decodes));
        let letters: String = path.utf8_chunks().map(|chunk| chunk.valid()).collect();
        open.push((letters.replace(char::is_control, "").into(), decodes));
        if let Ok(text) = String::from_utf8(path.clone()) {
            let forms: [fn(char) -> String; 2] =
                [|letter| letter.to_lowercase().collect(), |letter| letter.to_uppercase().collect()];
            for form in forms {
                let letter = |letter: char| if letter.is_ascii() { letter.to_string() } else { form(letter) };
                open.push((text.chars().map(letter).collect::<String>().into(), decodes));
            }
        }
        let trimmed = path.iter().rposition(|byte| *byte != b'/').map_or(&b"/"[..], |last| &path[..=last]);
        open.push((trimmed.to_vec(), decodes));
        let cut = segments.iter().map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
        open.push((cut.collect::<Vec<_>>().join(&b'/'), decodes));
        let paths: BTreeSet<&Vec<u8>> = all.iter().map(|(path, _)| path).collect();
        if paths.len() > 256 || paths.iter().map(|path| path.len()).sum::<usize>() > 65_536 {
            return None;
        }
    }
    let elements = |path: &Vec<u8>| -> Vec<Vec<u8>> {
        let (folder, list) = path.split_at(path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1));
        list.split(|byte| *byte == b',').map(|element| [folder, element].concat()).collect()
    };
    Some(all.iter().flat_map(|(path, _)| elements(path)).chain(all.iter().map(|(path, _)| path.clone())).collect())
}

/// Decodes once, except escapes of these bytes.
fn decoded(path: &[u8], kept: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.first() {
        let digits = rest.get(1..3).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.map(|digits| digits.iter().fold(0, |byte, digit| byte * 16 + value(*digit)));
        let byte = byte.filter(|byte| !kept.contains(byte));
        decoded.push(byte.unwrap_or(*first));
        rest = &rest[if byte.is_some() { 3 } else { 1 }..];
    }
    decoded
}

fn resolved(path: &[u8], read: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let segments: Vec<&[u8]> = path[1..].split(|byte| *byte == b'/').collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let read = read(segment);
        let is_dots = read == b"." || read == b"..";
        if read == b".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if at + 1 == segments.len() {
            kept.push(b"");
        }
    }
    [&b"/"[..], &kept.join(&b'/')].concat()
}

fn lets_in(keys_of_request: &Keys, route_request: &RouteRequest) -> bool {
    let Some(schemes) = keys_of_request.auth.as_ref().filter(|schemes| !schemes.is_empty()) else { return true };
    schemes.iter().any(|scheme| route_request.keys.iter().any(|(name, right)| *right && name[2..] == **scheme))
}

/// Returns the keys that apply to one reading, key by key, from the nearest table that has the key. Without regard to
/// letter case, there is one result for each choice among patterns that are otherwise equal.
fn keys_of_request(world: &World, route_request: &RouteRequest, host: &str, path: &[u8], folds: bool) -> Vec<Keys> {
    let segments = if folds { segments(&path.to_ascii_lowercase()) } else { segments(path) };
    let mut areas: Vec<&Area> = world.scopes.iter().filter(|area| covers(area, host, &segments)).collect();
    areas.sort_by_key(|area| places(area).len());
    let mut all = vec![Keys::default()];
    for part in areas.into_iter().map(|area| &area.part).chain([&world.own]) {
        for tables in matching_routes(part, route_request.method, &segments, folds) {
            all = all
                .iter()
                .flat_map(|keys_of_request| tables.iter().map(|table| inherit(keys_of_request, table)))
                .collect();
        }
        all = all.iter().map(|keys_of_request| inherit(keys_of_request, &part.keys)).collect();
    }
    all
}

fn inherit(keys_of_request: &Keys, keys: &Keys) -> Keys {
    Keys {
        mode: keys_of_request.mode.or(keys.mode),
        headers: keys_of_request.headers.clone().or(keys.headers.clone()),
        auth: keys_of_request.auth.clone().or(keys.auth.clone()),
        auth_observe: keys_of_request.auth_observe.or(keys.auth_observe),
        limit: keys_of_request.limit.or(keys.limit),
    }
}

/// Returns the matching routes, the most specific first. Each kind of pattern has those that differ only in letter
/// case, with their methods merged.
fn matching_routes(part: &Part, method: &str, path: &[Vec<u8>], folds: bool) -> Vec<Vec<Keys>> {
    let letters = |way: &Way| {
        if folds {
            way.path.iter().map(|it| it.to_ascii_lowercase()).collect()
        } else {
            way.path.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>()
        }
    };
    let fitting = |way: &&Way| {
        let letters = letters(way);
        rank(way, method).is_some() && fits(&letters.iter().map(String::as_str).collect::<Vec<_>>(), path)
    };
    let mut ways: Vec<&Way> = part.routes.iter().filter(fitting).collect();
    ways.sort_by(|one, other| match specific(&one.path, &other.path) {
        Ordering::Equal => rank(one, method).cmp(&rank(other, method)),
        decided => decided,
    });
    let groups = ways.chunk_by(|one, other| specific(&one.path, &other.path) == Ordering::Equal);
    let of_group = |group: &[&Way]| {
        let paths: BTreeSet<&Vec<&str>> = group.iter().map(|way| &way.path).collect();
        let merged = |path: &&Vec<&str>| {
            let same = group.iter().filter(|way| way.path == **path);
            same.fold(Keys::default(), |keys_of_request, way| inherit(&keys_of_request, &way.keys))
        };
        paths.iter().map(merged).collect()
    };
    groups.map(of_group).collect()
}

fn rank(way: &Way, method: &str) -> Option<u8> {
    match method {
        _ if way.methods.contains(&method) => Some(0),
        "HEAD" if way.methods.contains(&"GET") => Some(1),
        _ => way.methods.is_empty().then_some(2),
    }
}

fn fits(pattern: &[&str], path: &[Vec<u8>]) -> bool {
    match (pattern.first(), path.first()) {
        (None, None) | (Some(&"{*r}"), _) => true,
        (Some(&"{p}"), Some(segment)) => !segment.is_empty() && fits(&pattern[1..], &path[1..]),
        (Some(literal), Some(segment)) => literal.as_bytes() == segment && fits(&pattern[1..], &path[1..]),
        _ => false,
    }
}

/// Orders a literal before `{one}`, that before the pattern's end, and that before `{*rest}`, from the left.
fn specific(one: &[&str], other: &[&str]) -> Ordering {
    let kinds = |path: &[&str]| -> Vec<u8> {
        let kind = |segment: &&str| match *segment {
            "{p}" => 1,
            "{*r}" => 3,
            _ => 0,
        };
        path.iter().map(kind).chain([2]).collect()
    };
    kinds(one).cmp(&kinds(other))
}

fn clash(one: &Way, other: &Way) -> bool {
    let no_method = one.methods.is_empty() && other.methods.is_empty();
    one.path == other.path && (no_method || one.methods.iter().any(|method| other.methods.contains(method)))
}

/// Returns the hosts and paths that a scope covers, of all that distinguish the hosts and prefixes of a world.
fn places(area: &Area) -> Vec<(&'static str, Vec<&'static str>)> {
    const BELOW: [&str; 6] = ["", "q.test", "q.x.test", "q.a.x.test", "other.example", "q.b.a.x.test"];
    let hosts = HOSTS.iter().chain(&BELOW).filter(|host| !host.starts_with('*')).copied();
    let one = [None, Some("a"), Some("b"), Some("ü"), Some("z")];
    let paths = one.iter().flat_map(|first| one.iter().map(move |second| [*first, *second]));
    let paths: Vec<Vec<&str>> = paths.map(|path| path.into_iter().flatten().collect()).collect();
    let all = hosts.flat_map(|host| paths.iter().map(move |path| (host, path.clone())));
    let segments = |path: &[&str]| path.iter().map(|segment| segment.as_bytes().to_vec()).collect::<Vec<_>>();
    all.filter(|(host, path)| covers(area, host, &segments(path))).collect()
}

fn covers(area: &Area, host: &str, path: &[Vec<u8>]) -> bool {
    let is_host = |pattern: &&str| match pattern.strip_prefix('*') {
        Some(domain) => host.ends_with(domain),
        None => *pattern == host,
    };
    let prefix: Vec<Vec<u8>> = area.prefix.iter().map(|segment| segment.as_bytes().to_vec()).collect();
    (area.hosts.is_empty() || area.hosts.iter().any(is_host)) && path.starts_with(&prefix)
}

fn segments(path: &[u8]) -> Vec<Vec<u8>> {
    match path.split_first() {
        Some((b'/', [])) | None => Vec::new(),
        Some((b'/', rest)) => rest.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect(),
        Some(_) => Vec::new(),
    }
}

fn value(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default()
}

fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    all.iter().enumerate().flat_map(|(at, one)| all[..at].iter().map(move |other| (one, other)))
}
