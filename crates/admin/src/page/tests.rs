//! Checks pages with hostile texts.

use std::sync::LazyLock;

use error_envelope_core::exchange::{DecidedBy, KnownMethod, Origin};
use error_envelope_core::policy::Mode;
use http::HeaderMap;
use http_body_util::BodyExt;
use proptest::prelude::*;
use regex::Regex;

use crate::admin::Admin;
use crate::admin_request::AdminRequest;
use crate::answer::Answer;
use crate::change::Change;
use crate::error_store::error_record::{Bodies, Code, ErrorRecord, Kind, RequestLine, Side};
use crate::error_store::redact::Hidden;
use crate::error_store::store;
use crate::page;

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

/// Stores an error with these texts wherever a stranger may choose one.
fn keep(admin: &Admin, [route, code, unknown, dropped, kind, before, after]: [&str; 7]) {
    let (origin, unknown) = (Origin::Inner, Some(unknown.into()));
    let by = Some(DecidedBy::Status);
    let code = Code::Any(code.into());
    let seen = ErrorRecord {
        request: RequestLine {
            method: Some(KnownMethod::from(&http::Method::GET)),
            path: Some(dropped.into()),
            client: Some(before.into()),
            ..RequestLine::default()
        },
        id: ID.parse().expect("an id"),
        at: store::now(),
        route: Some(route),
        scope: None,
        mode: Mode::Observe,
        kind: Kind { origin, code, sent: Some(409), would_be: Some(409), grpc: None, dialect: None, by, unknown },
        dropped: Some(dropped.into()),
        has_bodies: true,
        cause: Some(dropped.into()),
        form: Some(dropped.into()),
    };
    let store = &admin.shared.store;
    let entry = store.recent().insert(seen).expect("an error");
    let side = |text: &str| Some(Side::redact(409, Some(kind), text.as_bytes(), true, &mut Hidden::default()));
    entry.bodies.set(Bodies { before: side(before), after: side(after) }).expect("none before");
    store.recent().set_example(&entry);
}

/// An ordinary error.
fn another() -> ErrorRecord<'static> {
    let kind = Kind {
        origin: Origin::Inner,
        code: Code::None,
        sent: Some(409),
        would_be: None,
        grpc: None,
        dialect: None,
        by: None,
        unknown: None,
    };
    let id = ID.parse().expect("an id");
    let (dropped, cause, form) = (None, None, None);
    let (at, mode) = (store::now(), Mode::Observe);
    ErrorRecord {
        id,
        at,
        request: RequestLine::default(),
        route: Some("/b"),
        scope: None,
        mode,
        kind,
        dropped,
        has_bodies: false,
        cause,
        form,
    }
}

fn read(answer: Answer) -> String {
    let body = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(answer.into_body().collect());
    String::from_utf8(body.expect("no error").to_bytes().to_vec()).expect("text")
}

/// The pages that show everything, and what the live stream adds.
fn pages(admin: &Admin, query: &str) -> Vec<String> {
    let request = |name: &'static str| AdminRequest {
        admin,
        headers: Box::leak(Box::new(HeaderMap::new())),
        name,
        query: None,
        change: Change::default(),
    };
    let with_query = AdminRequest { query: Some(query), ..request("") };
    let live = admin.shared.store.recent().entries().map(|entry| super::errors::row(entry).into_string()).collect();
    vec![
        read(page::home(&request(""))),
        read(page::home(&with_query)),
        read(page::one(&request(ID))),
        read(page::find(&with_query)),
        live,
    ]
}

/// The tags of a page, with the names of their attributes; sorted, since selects are sorted by their text.
fn tags(page: &str) -> Vec<String> {
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>").expect("a pattern"));
    static VALUE: LazyLock<Regex> = LazyLock::new(|| Regex::new("=\"[^\"]*\"").expect("a pattern"));
    let tags = TAG.find_iter(page).map(|tag| VALUE.replace_all(tag.as_str(), "=").into_owned());
    let mut tags: Vec<_> = tags.collect();
    tags.sort_unstable();
    tags
}

/// Texts worth trying, and any other.
fn hostile() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "</script><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "<!--",
        "]]>",
        "</textarea></title></style>",
        "&lt;b&gt;&#60;i&#62;",
        "javascript:alert(1)",
        "\u{202e}gnp.exe",
        "\u{2066}\u{2069}\u{200b}\u{feff}",
        "a\0b",
        "\r\ndata: x\r\n\r\nevent: row",
        "{\"a\":\"</pre>\"}",
        "[\"<svg/onload=alert(1)>\"]",
        "</bdi></code></td></tr></table>",
    ]);
    let any = prop_oneof![".{1,60}", "[\\x00-\\x20<>\"'&=/]{1,40}"];
    // One letter more, so that something is visible.
    prop_oneof![known.prop_map(str::to_owned), any.prop_map(|text| text + "x")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_a_stranger_says_is_text_and_nothing_else(texts in prop::array::uniform7(hostile()), query in hostile()) {
        let (hostile, plain) = (Admin::new(), Admin::new());
        keep(&hostile, [0, 1, 2, 3, 4, 5, 6].map(|at| texts[at].as_str()));
        keep(&plain, ["plain"; 7]);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("route", &format!("q{query}")).append_pair("id", &query).finish();
        for (hostile, plain) in pages(&hostile, &query).iter().zip(pages(&plain, &query)) {
            prop_assert_eq!(tags(hostile), tags(&plain), "{}", hostile);
            let shown = |it: char| it == '\n' || it == '\t' || !it.is_control() && !matches!(it, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            let hidden = hostile.chars().find(|it| !shown(*it));
            prop_assert!(hidden.is_none(), "{hidden:?} in {hostile}");
        }
    }
}

#[test]
fn a_person_sees_what_was_said_and_what_would_be() {
    let admin = Admin::new();
    let texts =
        ["/seats/{id}", "conflict", "SEAT_TAKEN", "hint", "application/json", r#"{"code":"SEAT_TAKEN"}"#, "<b>"];
    keep(&admin, texts);
    let [home, filtered, one, ..] = &pages(&admin, "route=/other")[..] else { panic!("pages") };
    for text in [
        "observe",
        "1 of 1 error without a code since",
        "not ready",
        "<code><bdi>/seats/{id}</bdi></code>",
        "{\n  &quot;code&quot;: &quot;SEAT_TAKEN&quot;\n}",
        "&lt;b&gt;",
        "code = &quot;SEAT_TAKEN&quot;\nto = &quot;seat_taken&quot;",
        "In mode enforce the client would get",
    ] {
        assert!(home.contains(text), "{text} in {home}");
    }
    assert!(!filtered.contains(&format!("/errors/{ID}\">{ID}</a></td>")), "filtered out: {filtered}");
    assert!(one.contains(ID) && one.contains("&lt;b&gt;") && one.contains(&format!("grep -F '{ID}'")), "{one}");
}

#[test]
fn of_a_refusal_the_page_says_whether_the_service_was_asked() {
    for (sent, would_be, text) in [
        (Some(401), None, "The service was not called: a guard refused the request."),
        (Some(200), Some(401), "The service answered the request, which a guard would refuse in mode enforce."),
        (None, Some(401), "The request was forwarded because of auth_observe."),
    ] {
        let admin = Admin::new();
        let mut seen = another();
        seen.kind = Kind { origin: Origin::Guard, sent, would_be, by: None, ..seen.kind };
        admin.shared.store.recent().insert(seen).expect("an error");
        let page = pages(&admin, "").concat();
        assert!(page.contains(text), "{text} in {page}");
        assert_eq!(page.contains("was not called"), would_be.is_none(), "{page}");
    }
}

#[test]
fn an_id_that_is_not_known_is_told_what_to_do() {
    let admin = Admin::new();
    let ask = |id: &'static str| {
        let (headers, query) = (HeaderMap::new(), format!("id={id}"));
        let answer = page::find(&AdminRequest {
            admin: &admin,
            headers: &headers,
            name: "",
            query: Some(&query),
            change: Change::default(),
        });
        (answer.status().as_u16(), read(answer))
    };
    let (status, page) = ask("%20REQ_01jd2v5w8z3q4r6t8y0a1b2c3d%20");
    assert_eq!(status, 404);
    assert!(page.contains("This id is not among the last 10,000 errors since"), "{page}");
    assert!(page.contains(&format!("grep -F '{ID}' gateway.log")), "{page}");
    assert!(page.contains("That is before this process started"), "{page}");
    let (status, page) = ask("%3Cb%3E");
    assert_eq!(status, 400);
    assert!(page.contains("This is not a request id") && page.contains("&lt;b&gt;") && !page.contains("<b>"), "{page}");
}

#[test]
fn without_errors_there_is_a_page_that_says_so() {
    let admin = Admin::new();
    let page = &pages(&admin, "")[0];
    assert!(page.contains("No errors since"), "{page}");
}

/// Clients' ids may be trusted, and then one client can give all its requests the same.
#[test]
fn of_an_id_that_requests_share_the_last_are_shown_and_all_counted() {
    let admin = Admin::new();
    let page = || {
        read(page::one(&AdminRequest {
            admin: &admin,
            headers: &HeaderMap::new(),
            name: ID,
            query: None,
            change: Change::default(),
        }))
    };
    let errors = |count| (0..count).for_each(|_| keep(&admin, ["/a", "conflict", "E", "d", "text/plain", "b", "a"]));
    errors(100);
    assert!(!page().contains("errors with this id"));
    errors(50);
    let shown = page();
    assert!(shown.contains("The last 100 of 150 errors with this id."));
    assert_eq!(shown.matches("<article").count(), 100);
    let mut other = admin.shared.store.recent();
    for number in 0..100 {
        let id = error_envelope_core::request_id::RequestId::from_parts(store::now(), number);
        other.insert(ErrorRecord { id, ..another() }).expect("an error");
    }
    drop(other);
    let remembered = page();
    assert!(remembered.contains("The last 100 of 150 errors with this id."));
    assert_eq!(remembered.matches("<article").count(), 100);
}

#[test]
fn scopes_without_routes_have_rows_of_their_own() {
    let admin = Admin::new();
    let insert = |scope, service: &str, status| {
        let request = RequestLine { service: Some(service.parse().expect("a service")), ..RequestLine::default() };
        let kind = Kind { sent: Some(status), ..another().kind };
        let seen = ErrorRecord { kind, route: None, scope: Some(scope), request, ..another() };
        admin.shared.store.recent().insert(seen).expect("an error");
    };
    insert("/orders", "http://orders:8080", 502);
    insert("/billing", "http://billing:8080", 502);
    insert("/orders", "http://orders:8080", 404);
    let page = &pages(&admin, "")[0];
    let rows: Vec<_> = page.split("<tr").filter(|row| row.contains("data-name=\"Service\"")).collect();
    for (row, scope) in rows.iter().zip(["billing", "orders"]) {
        let expected = [format!("in <bdi>/{scope}</bdi>"), format!("http://{scope}:8080"), ">1<".to_owned()];
        assert!(expected.iter().all(|part| row.contains(part)), "{row}");
    }
    assert_eq!(rows.len(), 2);
}
