use std::collections::BTreeSet;

use percent_encoding::percent_decode;
use proptest::prelude::*;

use super::*;

fn texts(path: &str) -> Vec<String> {
    let readings = readings(path.as_bytes()).expect("few readings");
    readings.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
}

#[test]
fn g0_the_path_as_sent_comes_first_and_every_step_follows() {
    for (path, some) in [
        ("/a", &["/a"][..]),
        ("/%61dmin/../x", &["/%61dmin/../x", "/admin/../x", "/x"]),
        ("/a/../admin/..%2f..%2fx", &["/admin/..%2f..%2fx", "/a/../admin/../../x"]),
        ("//admin/..%2f..%2fx", &["/admin/..%2f..%2fx"]),
        ("/%2561dmin/x", &["/%61dmin/x", "/admin/x"]),
        ("/admin%252fx", &["/admin%2fx", "/admin/x"]),
        ("/admin;v=1/x", &["/admin/x"]),
        ("/public/..;/admin/x", &["/public/../admin/x", "/admin/x"]),
        ("/public/..%5cadmin/x", &["/public/..\\admin/x", "/admin/x"]),
        ("/x/%2e%2e/files/a%2Fb", &["/files/a%2Fb", "/files/a/b"]),
        ("/health/", &["/health/", "/health"]),
        // A slash stays encoded next to a backslash that becomes a slash, as in the WHATWG's URL.
        ("/a%2Fb\\..\\admin", &["/admin"]),
        ("/p/q/%2e%2e/../%2e%2e/b", &["/p/b"]),
        // A host comes after two slashes, and a semicolon ends a path.
        ("//x/admin/y", &["/admin/y"]),
        ("/\\x/admin/y", &["/admin/y"]),
        ("/secret;/x", &["/secret"]),
        // A service ignores these bytes.
        ("/admin%0A", &["/admin"]),
        ("/admin%250a/x", &["/admin/x"]),
        ("/ad%FFm\u{c2}\u{a0}in%00", &["/adm\u{c2}\u{a0}in"]),
        ("/%c0%afadmin", &["/admin"]),
        ("/%u0061dmin%U002fx", &["/admin/x"]),
        ("/%25u0061dmin", &["/admin"]),
        ("/%E2%84%AAey", &["/key"]),
        ("/key%C5%BF/%C4%B1", &["/keyS/I"]),
        ("/%C4%B0d", &["/id"]),
        ("/caf%C3%89", &["/caf\u{e9}"]),
        ("/caf%C3%A9", &["/caf\u{c9}"]),
        // This text ends the path for a service which decodes first.
        ("/admin%3Fx", &["/admin"]),
        ("/admin%2523x", &["/admin"]),
        ("/admin%00x", &["/admin", "/adminx"]),
        // An & ends the path for a rewrite which puts it into a query.
        ("/export&x/y", &["/export"]),
        ("/export%26x&y", &["/export", "/export%26x", "/export&x&y"]),
        ("/%65xport%2526x", &["/export%26x", "/export&x", "/export"]),
        // PHP's FILTER_SANITIZE_URL drops these characters.
        ("/ex%20po%C3%A9+rt", &["/export"]),
        ("/%E6%97%A5/%01", &["//"]),
    ] {
        let found = texts(path);
        assert_eq!(found[0], path);
        assert!(some.iter().all(|reading| found.iter().any(|it| it == reading)), "{path}: {found:?}");
    }
    assert_eq!(texts("/notes/a%20b"), ["/notes/a%20b", "/notes/a b", "/notes/ab"]);
    assert_eq!(texts("/a&b/c"), ["/a&b/c", "/a"]);
    assert_eq!(texts("/a,b"), ["/a,b"]);
    assert_eq!(texts("/plain/Path.1"), ["/plain/Path.1"]);
}

#[test]
fn g0_a_list_leads_to_its_elements() {
    let list = PathList::from_path(b"/t/a,B,").unwrap();
    assert_eq!(list.folder(), Some(&b"t"[..]));
    assert_eq!(list.elements().map(|it| list.path_to(it)).collect::<Vec<_>>(), [&b"/t/a"[..], b"/t/B", b"/t/"]);
    let has_any =
        |length: usize| PathList::from_path(format!("/{}", vec!["x"; length].join(",")).as_bytes()).unwrap().has_any();
    assert!(!has_any(256) && has_any(257));
    for path in ["/a", "/a,b/c", "*", "a,b"] {
        assert!(PathList::from_path(path.as_bytes()).is_none(), "{path}");
    }
}

#[test]
fn g0_a_plain_path_has_one_reading_but_for_its_last_slash() {
    for path in ["/", "/a", "/a/b.c/", "/A-b_c~9", "/...", "/.well-known/x", "*", "host.example:443"] {
        assert!(is_plain(path.as_bytes()), "{path}");
    }
    for path in ["//", "/a//b", "//a", "/a//", "/.", "/a/..", "/a/./b", "/a%20", "/a&b", "/a,b", "/a;b", "/a+b", "/a:b"]
    {
        assert!(!is_plain(path.as_bytes()), "{path}");
    }
    assert!(!is_plain("/é".as_bytes()) && !is_plain(b"/a=b") && !is_plain(b"/a b") && !is_plain(b"/@"));
}

#[test]
fn g0_more_readings_than_are_guarded_are_too_many() {
    let many = "/%252e%252e;/%255c%252f;a/..;/%5c%2f%2e".repeat(4);
    assert_eq!(readings(many.as_bytes()), Err(TooManyReadings));
    let long = |letters: usize| format!("/{}/%20//;", "a".repeat(letters));
    assert!(readings(long(2_000).as_bytes()).is_ok());
    assert_eq!(readings(long(8_000).as_bytes()), Err(TooManyReadings));
}

#[test]
fn g0_encodings_that_no_server_resolves_stay() {
    for path in ["/200%", "/a%zz", "/%u00", "/a%2"] {
        let found = readings(path.as_bytes()).unwrap();
        assert!(found.len() <= 2, "{path}: {found:?}");
    }
    let encoded = (0..200).fold("/%61".to_owned(), |path, _| path.replace('%', "%25"));
    assert_eq!(readings(encoded.as_bytes()).unwrap().len(), 3);
}

#[test]
fn g0_the_normal_form_resolves_what_servers_resolve() {
    for (path, normal) in [
        ("//a//b/", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/%61%2fb", "/a/b"),
        ("/x/%2e%2E/a", "/a"),
        ("/a\\b%5Cc", "/a/b/c"),
        ("/a%252fb", "/a%2fb"),
        ("/a%2", "/a%2"),
        ("/.well-known", "/.well-known"),
        ("/...", "/..."),
        ("/A;v=1/", "/A;v=1"),
    ] {
        let found = normalised(path).unwrap_or_else(|| path.into());
        assert_eq!(String::from_utf8(found).unwrap(), normal, "{path}");
    }
    assert_eq!(normalised("/a/%ff"), Some(b"/a/\xff".to_vec()));
    for unchanged in ["/", "/a/b.c", "/.a", "*", "", "%2f"] {
        assert_eq!(normalised(unchanged), None, "{unchanged}");
    }
}

/// The contract's steps, each as simple text in one line. They are slow, but easy to read.
const STEPS: [fn(&str) -> String; 9] = [
    |path| String::from_utf8_lossy(&percent_decode(path.as_bytes()).collect::<Vec<_>>()).into_owned(),
    |path| {
        let kept = path.replace("%2f", "%252f").replace("%2F", "%252F").replace("%5c", "%255c").replace("%5C", "%255C");
        String::from_utf8_lossy(&percent_decode(kept.as_bytes()).collect::<Vec<_>>()).into_owned()
    },
    |path| ["%2f", "%2F", "%5c", "%5C", "\\"].iter().fold(path.to_owned(), |path, it| path.replace(it, "/")),
    |path| {
        let mut kept: Vec<&str> = Vec::new();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        for (at, segment) in segments.iter().enumerate() {
            if *segment == ".." {
                kept.pop();
            }
            let is_dots = matches!(*segment, "." | "..");
            match is_dots && at + 1 == segments.len() {
                true => kept.push(""),
                false if is_dots => {}
                false => kept.push(segment),
            }
        }
        format!("/{}", kept.join("/"))
    },
    |path| format!("/{}", path.split('/').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/")),
    |path| path.split('/').map(|it| it.split(';').next().unwrap_or("")).collect::<Vec<_>>().join("/"),
    |path| path.split('&').next().unwrap_or("").to_owned(),
    |path| path.split("%26").next().unwrap_or("").to_owned(),
    |path| path.chars().filter(|letter| letter.is_ascii_graphic() && *letter != '+').collect(),
];

/// Applies each step once, and decoding twice, in any order.
fn by_contract(path: &str, left: [u8; 8], found: &mut BTreeSet<(String, [u8; 8])>) {
    if !found.insert((path.to_owned(), left)) {
        return;
    }
    for (at, step) in STEPS.iter().enumerate() {
        let mut left = left;
        let kind = at.saturating_sub(1);
        if left[kind] > 0 {
            left[kind] -= 1;
            by_contract(&step(path), left, found);
        }
    }
}

proptest! {
    #[test]
    fn g0_what_has_readings_is_found_wherever_it_stands(path in "/[a/.%;&,+\\\\]{0,2}[ab0]{0,18}[a/.%;&,+\\\\]{0,3}[ab0/]{0,9}") {
        let bytes = path.as_bytes();
        let found = path.contains(['%', '&', '+', ',', '\\', ';'])
            || bytes.windows(2).any(|two| two == b"//" || two == b"/.")
            || path.len() > 1 && path.ends_with('/');
        prop_assert_eq!(has_readings(bytes), found);
        if !found {
            prop_assert_eq!(normalised(&path), None);
            prop_assert_eq!(readings(bytes), Ok(vec![path.clone().into_bytes()]));
        }
    }

    #[test]
    fn g0_every_reading_of_the_contract_is_found(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "/", "/", "a", "B", "..", ".", "/../", "%2e", "%2f", "%5C", "\\", ";v=1", ";", "%61", "%2561", "%252f", "%25", "//",
            "&", "%26", "%2526", "%20", "+", "\u{e9}", "%C3%A9", ",",
        ]), 0..7)
    ) {
        let path = format!("/{}", pieces.concat());
        let Ok(all) = readings(path.as_bytes()) else { return Ok(()) };
        let mut wanted = BTreeSet::new();
        by_contract(&path, [2, 1, 1, 1, 1, 1, 1, 1], &mut wanted);
        for (reading, _) in wanted {
            // The model is text, which loses bytes that are not UTF-8.
            prop_assert!(all.iter().any(|it| String::from_utf8_lossy(it) == reading), "{} reads {}", path, reading);
        }
        let normal = normalised(&path).unwrap_or_else(|| path.clone().into_bytes());
        prop_assert!(all.contains(&normal), "{}", path);
    }
}

proptest! {
    #[test]
    fn g0_a_decode_is_that_of_the_url_standard(path in prop::collection::vec(prop::sample::select(b"%%%25cCfF9gG/\xff+".to_vec()), 0..24)) {
        prop_assert_eq!(decoded(&path, |_| false), percent_decode(&path).collect::<Vec<_>>());
    }
}
