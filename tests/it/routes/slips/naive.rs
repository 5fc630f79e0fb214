//! What must come out, decided by looking at every scope and every route, on text.

use std::cmp::Ordering;

use tower_error_envelope::Mode;

use super::asked::{Asked, Target};
use super::world::{Area, HOSTS, Keys, Part, Way, World};

/// Whether two scopes overlap and neither is the narrower one, or two routes of a part are for the same requests.
pub(crate) fn is_refused(world: &World) -> bool {
    let areas = pairs(&world.scopes).any(|(one, other)| {
        let (one, other) = (places(one), places(other));
        let both = one.iter().filter(|place| other.contains(place)).count();
        both > 0 && (one.len() == other.len() || both < one.len().min(other.len()))
    });
    let mut parts = world.scopes.iter().map(|area| &area.part).chain([&world.own]);
    areas || parts.any(|part| pairs(&part.routes).any(|(one, other)| clash(one, other)))
}

/// The status that a request gets; `None` where it reaches the service.
pub(crate) fn status(world: &World, asked: &Asked) -> Option<u16> {
    let asks_host = world.scopes.iter().any(|area| !area.hosts.is_empty());
    if asks_host && nobody_knows_the_host(asked) {
        return refuses(world).then_some(400);
    }
    let path = if asked.target == Target::Asterisk { "*" } else { asked.path.as_str() };
    let host = asked.host.as_ref().map_or("", |host| host.name);
    let mut both = spelt(path).map(|path| held(world, asked, host, &path)).to_vec();
    if asks_host && asked.target == Target::AbsoluteAndOther && asked.host.is_some() {
        // A service behind may believe either host: two kinds of guards can hold at once, more cannot.
        both.extend(spelt(path).map(|path| held(world, asked, "else.example", &path)));
        let mut kinds: Vec<_> = Vec::new();
        both.iter().map(guards).for_each(|kind| {
            if !kinds.contains(&kind) {
                kinds.push(kind)
            }
        });
        if kinds.len() > 2 {
            return refuses(world).then_some(400);
        }
    }
    let guarding = || both.iter().filter(|held| !matches!(held.mode, Some(Mode::Off | Mode::Observe)));
    let lacks = |name: &str| !asked.headers.iter().any(|header| &header[2..] == name);
    if guarding().any(|held| held.headers.iter().flatten().any(|name| lacks(name))) {
        return Some(400);
    }
    if both.iter().any(|held| held.auth_observe != Some(true) && !lets_in(held, asked)) {
        return Some(401);
    }
    let limit = guarding().filter_map(|held| held.limit.unwrap_or(Some(1024 * 1024))).min();
    limit.filter(|limit| asked.length > *limit).map(|_| 413)
}

/// Whether any table refuses anything: credentials do in every mode, the other guards where nobody only watches.
fn refuses(world: &World) -> bool {
    let parts = || world.scopes.iter().map(|area| &area.part).chain([&world.own]);
    let tables = || parts().flat_map(|part| part.routes.iter().map(|way| &way.keys).chain([&part.keys]));
    let enforces = |keys: &Keys| matches!(keys.mode, Some(Mode::Own | Mode::Fill | Mode::Enforce));
    let closes = |keys: &Keys| keys.auth.as_ref().is_some_and(|schemes| !schemes.is_empty());
    world.own.keys.mode.is_none() || tables().any(|keys| enforces(keys) || closes(keys))
}

fn nobody_knows_the_host(asked: &Asked) -> bool {
    asked.target == Target::TwoHosts || asked.host.as_ref().is_some_and(|host| host.is_broken)
}

fn spelt(path: &str) -> [Vec<u8>; 2] {
    [path.as_bytes().to_vec(), normal(path)]
}

/// What its guards ask for, the defaults included.
fn guards(held: &Keys) -> String {
    let Keys { mode, headers, auth, auth_observe, limit } = held.clone();
    let (mode, limit) = (mode.unwrap_or(Mode::Enforce), limit.unwrap_or(Some(1024 * 1024)));
    let (headers, auth) = (headers.unwrap_or_default(), auth.unwrap_or_default());
    format!("{mode:?} {headers:?} {auth:?} {:?} {limit:?}", auth_observe.unwrap_or(false))
}

fn lets_in(held: &Keys, asked: &Asked) -> bool {
    let Some(schemes) = held.auth.as_ref().filter(|schemes| !schemes.is_empty()) else { return true };
    schemes.iter().any(|scheme| asked.keys.iter().any(|(name, right)| *right && name[2..] == **scheme))
}

/// What holds for one spelling: the tables that say something of it, the nearest first, key by key.
fn held(world: &World, asked: &Asked, host: &str, path: &[u8]) -> Keys {
    let segments = segments(path);
    let mut areas: Vec<&Area> = world.scopes.iter().filter(|area| covers(area, host, &segments)).collect();
    areas.sort_by_key(|area| places(area).len());
    let parts = areas.into_iter().map(|area| &area.part).chain([&world.own]);
    parts.flat_map(|part| said(part, asked.method, &segments)).fold(Keys::default(), |held, keys| Keys {
        mode: held.mode.or(keys.mode),
        headers: held.headers.or(keys.headers.clone()),
        auth: held.auth.or(keys.auth.clone()),
        auth_observe: held.auth_observe.or(keys.auth_observe),
        limit: held.limit.or(keys.limit),
    })
}

fn said<'a>(part: &'a Part, method: &str, path: &[Vec<u8>]) -> Vec<&'a Keys> {
    let mut ways: Vec<&Way> =
        part.routes.iter().filter(|way| rank(way, method).is_some() && fits(&way.path, path)).collect();
    ways.sort_by(|one, other| match specific(&one.path, &other.path) {
        Ordering::Equal => rank(one, method).cmp(&rank(other, method)),
        decided => decided,
    });
    ways.into_iter().map(|way| &way.keys).chain([&part.keys]).collect()
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

/// Literal before `{one}` before the pattern's end before `{*rest}`, from the left.
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

/// The hosts and paths that a scope covers, of all that tell the hosts and prefixes of a world apart.
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

/// What servers make of a path that decode it once and tidy it up.
fn normal(path: &str) -> Vec<u8> {
    if !path.starts_with('/') {
        return path.as_bytes().to_vec();
    }
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some(first) = rest.first() {
        let digits = rest.get(1..3).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.map(|digits| digits.iter().fold(0, |byte, digit| byte * 16 + value(*digit)));
        decoded.push(byte.unwrap_or(*first));
        rest = &rest[if byte.is_some() { 3 } else { 1 }..];
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut segment = Vec::new();
    for byte in decoded.into_iter().chain([b'/']) {
        if byte != b'/' && byte != b'\\' {
            segment.push(byte);
            continue;
        }
        match std::mem::take(&mut segment) {
            dots if dots == b".." => drop(kept.pop()),
            dot if dot.is_empty() || dot == b"." => {}
            whole => kept.push(whole),
        }
    }
    kept.iter().fold(Vec::new(), |path, segment| [&path[..], b"/", segment].concat())
}

fn value(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or_default()
}

fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    all.iter().enumerate().flat_map(|(at, one)| all[..at].iter().map(move |other| (one, other)))
}
