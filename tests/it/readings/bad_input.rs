//! Tests hostile paths and headers: each has a defined outcome (rule G0).

use http::Request;
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::policy::PolicyBuilder;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy, RouteRule};

use super::{ask, layer};

const MODES: [Mode; 2] = [Mode::Off, Mode::Enforce];
const FORWARDED: (u16, bool) = (200, true);
const LOCKED: (u16, bool) = (401, false);
const REFUSED: (u16, bool) = (400, false);

fn policy() -> PolicyBuilder {
    Policy::builder().scheme("key", AuthScheme::bearer().key(Key::of_secret("one", "open-sesame")))
}

fn closing(pattern: &str) -> ErrorEnvelopeLayer {
    layer(policy().route(RouteRule::new(pattern).auth(["key"])).build().expect("a policy"))
}

/// Adds routes that no path of dots, slashes and semicolons finds.
fn with_many_routes(builder: PolicyBuilder, schemes: &[&'static str]) -> ErrorEnvelopeLayer {
    let route = |at: usize| RouteRule::new(format!("/r{at}/{{one}}/{{*rest}}")).auth(schemes.iter().copied());
    layer((0..10_000).map(route).fold(builder, PolicyBuilder::route).build().expect("a policy"))
}

fn get(layer: &ErrorEnvelopeLayer, path: &str) -> (u16, bool) {
    ask(layer, Request::get(path).body(Default::default()).expect("a request"))
}

/// Makes 8 KB of the pieces that a number chooses.
fn of_pieces(seed: usize) -> String {
    let mut state = seed;
    let mut path = "/".to_owned();
    while path.len() < 8 * 1024 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        path.push_str(["%2e", "%2E", ";", "/"][(state >> 33) % 4]);
    }
    path
}

#[test]
fn g0_eight_kilobytes_of_dots_and_semicolons_have_an_outcome_whatever_the_number_of_routes() {
    let repeated = ["/%2e", "/%2e%2e", "/;", ";", "/", "%2e", "/%2e;", "/%2e%2e;/", ";/%2e", "//;%2e%2e"];
    let paths: Vec<_> = repeated
        .iter()
        .map(|piece| format!("/{}", piece.repeat(8 * 1024 / piece.len())))
        .chain((0..20).map(of_pieces))
        .collect();
    for mode in MODES {
        let closed = with_many_routes(policy().auth(["key"]).mode(mode), &[]);
        let open = with_many_routes(policy().mode(mode), &["key"]);
        for path in &paths {
            let (closed, open) = (get(&closed, path), get(&open, path));
            let start = &path[..16];
            assert!(
                (closed, open) == (REFUSED, REFUSED) || (closed, open) == (LOCKED, FORWARDED),
                "{mode:?} {start}: {closed:?} {open:?}"
            );
        }
        // The first path has few readings, and the second more than 256.
        assert_eq!(get(&open, &paths[4]), FORWARDED, "{mode:?}");
        assert_eq!(get(&open, &of_pieces(1)), REFUSED, "{mode:?}");
    }
}

#[test]
fn g0_every_encoding_of_every_ascii_byte_has_an_outcome() {
    let layer = closing("/admin/{*rest}");
    for byte in 0..128_u8 {
        for code in [format!("%{byte:02x}"), format!("%{byte:02X}"), format!("%25{byte:02x}"), format!("%25{byte:02X}")]
        {
            let is_separator = matches!(byte, b'/' | b'\\');
            let ends_name = is_separator || matches!(byte, b';' | b'&' | b'?' | b'#' | 0);
            let is_ignored = byte.is_ascii_control() || matches!(byte, b' ' | b'+');
            let of = |is_closed| if is_closed { LOCKED } else { FORWARDED };
            for (path, expected) in [
                (format!("/admin/{code}"), LOCKED),
                (format!("/{code}admin/x"), of(is_separator || is_ignored)),
                (format!("/admin{code}x"), of(ends_name || byte == b',')),
                (format!("/admin{code}/x"), of(ends_name || is_ignored)),
                (format!("/{code}/../admin/x"), LOCKED),
                (format!("/a{code}min/x"), of(byte.eq_ignore_ascii_case(&b'd'))),
                (format!("/public/{code}"), FORWARDED),
            ] {
                assert_eq!(get(&layer, &path), expected, "{path}");
            }
        }
    }
}

#[test]
fn g0_what_is_no_utf_8_is_ignored_and_overlong_utf_8_is_no_other_byte() {
    let layer = closing("/admin/{*rest}");
    for (path, expected) in [
        ("/admin/%ff", LOCKED),
        ("/admin/%c0%af%00%0a", LOCKED),
        ("/%ff/../admin/x", LOCKED),
        ("/%00/..%2fadmin%2fx", LOCKED),
        ("/%0a;%ff/%2e%2e/admin", LOCKED),
        ("/%ff/%e0%80%af", FORWARDED),
        ("/x/%c0%ae%c0%ae/admin/x", FORWARDED),
        ("/x%c0%afadmin/x", FORWARDED),
        ("/%c1%a1dmin/x", FORWARDED),
        ("/admin%00/x", LOCKED),
        ("/ad%0amin", LOCKED),
        ("/ad%ffmin/x", LOCKED),
        ("/admin%c0%ae", LOCKED),
        ("/%u0061dmin/x", LOCKED),
        ("/%uZZ61dmin/x", FORWARDED),
        ("/admin%/x", FORWARDED),
        ("/%6/admin/x", FORWARDED),
        ("/%zz%61dmin/x", FORWARDED),
    ] {
        assert_eq!(get(&layer, path), expected, "{path}");
    }
}

#[test]
fn g0_two_encoded_layers_are_read_and_no_more() {
    let layer = closing("/admin/{*rest}");
    for layers in 0..200 {
        // A separator that is still encoded after two decodes may be read as one.
        for (code, read) in [("61dmin/x", 2), ("41DMIN", 2), ("2fadmin/x", 3)] {
            let path = format!("/%{}{code}", "25".repeat(layers));
            let expected = if layers < read { LOCKED } else { FORWARDED };
            assert_eq!(get(&layer, &path), expected, "{path}");
        }
    }
}

#[test]
fn g0_a_list_of_methods_is_guarded_as_each_of_them() {
    let layer = closing("DELETE /items/{id}");
    let many: Vec<String> = (0..5_000).map(|at| format!("M{at}")).collect();
    for (method, lines, expected) in [
        ("POST", vec!["PATCH, DELETE"], LOCKED),
        ("POST", vec!["PATCH", "PUT ,, delete ,"], LOCKED),
        ("PUT", vec![",,,", "", "DELETE"], LOCKED),
        ("POST", vec!["DELETE", "GET"], LOCKED),
        ("POST", vec!["GET, POST,,PUT"], FORWARDED),
        ("POST", vec!["DEL ETE", "DELETED"], REFUSED),
        ("POST", vec!["(DELETE)"], REFUSED),
        ("POST", vec!["\u{fc}"], REFUSED),
        ("POST", vec![&"PUT,".repeat(2_000)], FORWARDED),
        ("POST", vec![&format!("{}DELETE", "PUT,".repeat(2_000))], LOCKED),
        ("POST", vec![&format!("{},DELETE", many.join(","))], REFUSED),
        ("POST", many.iter().map(String::as_str).chain(["DELETE"]).collect(), REFUSED),
        ("DELETE", vec!["GET"], LOCKED),
    ] {
        for name in ["x-http-method-override", "x_http_method", "x.method-override"] {
            let request = lines.iter().fold(Request::builder().method(method).uri("/items/7"), |request, line| {
                request.header(name, line.as_bytes())
            });
            let found = ask(&layer, request.body(Default::default()).expect("a request"));
            assert_eq!(found, expected, "{method} {name}: {}", lines[0].chars().take(40).collect::<String>());
        }
    }
}

#[test]
fn g0_a_preflight_that_names_another_method_is_none() {
    for layer in [closing("DELETE /items/{id}"), closing("/items/{id}")] {
        for (name, value) in
            [("x-http-method-override", "DELETE"), ("X_HTTP_Method", "delete"), ("x-method-override", "PUT,DELETE")]
        {
            let preflight = || {
                let request = Request::options("/items/7").header("origin", "https://app.example");
                request.header("access-control-request-method", "DELETE")
            };
            assert_eq!(ask(&layer, preflight().body(Default::default()).expect("a request")), FORWARDED);
            let request = preflight().header(name, value).body(Default::default()).expect("a request");
            assert_eq!(ask(&layer, request), LOCKED, "{name}: {value}");
        }
    }
}
