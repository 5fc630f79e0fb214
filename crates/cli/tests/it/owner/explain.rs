//! Tests that `explain` shows what decided, and what was tried before it.

use super::Folder;

#[test]
fn r15_explain_says_which_shape_read_a_body_and_why_the_earlier_ones_did_not() {
    let folder = Folder::with_files();
    folder.put(
        "shapes.toml",
        "version = 1\n[shape.one]\nwhen = { \"/v\" = 1 }\ncode = \"/c\"\n\
         [shape.two]\nwhen = { \"/c\" = \"string\", \"/v\" = { is = \"2\" } }\ncode = \"/c\"\n\
         [shape.three]\nwhen = { \"/c\" = \"any\" }\ncode = \"/c\"\n\
         [shape.four]\nwhen = { \"/x\" = \"any\" }\ncode = \"/c\"\n",
    );
    folder.put("a.http", "HTTP/1.1 409 -\r\ncontent-type: application/json\r\n\r\n{\"v\":2,\"c\":\"CONFLICT\"}");
    let (out, err, code) = folder.sh("error-envelope explain --policy shapes.toml a.http");
    assert_eq!((err.as_str(), code), ("", 0));
    let told = "  dialect      one: does not match, because its \"/v\" is not 1\n  dialect      two: does not match, because its \"/v\" is not \"2\"\n  \
                dialect      parsed as three, with the code CONFLICT  <- decides: conflict\n";
    assert!(out.contains(told) && !out.contains("four"), "{out}");
}

#[test]
fn r1_explain_says_what_was_asked_before_what_decided() {
    const ENVELOPE: &str = r#"{"error":{"code":"own","message":"m"},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#;
    let folder = Folder::with_files();
    let known = r#"{"error":{"code":"RATE_LIMITED","message":"m"}}"#;
    let unknown = r#"{"error":{"code":"LOST","message":"m"}}"#;
    let list = r#"{"message":"m","errors":{"to":["Required."]}}"#;
    let long = format!(r#"{{"error":{{"code":"RATE_LIMITED","message":"{}"}}}}"#, "x".repeat(70_000));
    for (status, body, told) in [
        (404, ENVELOPE, "  layer        a canonical envelope has the code own  <- decides: own\n\n"),
        (404, known, "  dialect      parsed as error_object, with the code RATE_LIMITED  <- decides: rate_limited\n\n"),
        (404, unknown, "with the code LOST\n  status       404 Not Found  <- decides: not_found\n\n"),
        (
            401,
            unknown,
            "  credentials  the credentials of the request, and www-authenticate  <- decides: auth_missing\n\n",
        ),
        (422, list, "  issues       the body lists the invalid fields  <- decides: invalid_request\n\n"),
        (
            400,
            unknown,
            "  issues       the body has no list of invalid fields\n  status       400 Bad Request  <- decides: \
             bad_request\n\n",
        ),
        (404, &long, "(R4, R5)\n  status       404 Not Found  <- decides: not_found\n\n"),
        (
            404,
            "",
            "  dialect      the body has no known shape\n  status       404 Not Found  <- decides: not_found\n\n",
        ),
    ] {
        folder.put("a.http", format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\r\n{body}"));
        let (out, err, code) = folder.sh("error-envelope explain a.http");
        assert_eq!((err.as_str(), code), ("", 0));
        assert!(out.contains(told), "{told}\n---\n{out}");
        assert_eq!(out.matches("<- decides").count(), 1, "{out}");
    }
    folder.put("a.http", "HTTP/1.1 200 OK\r\n\r\n");
    folder.put("a.request.http", "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n");
    let (out, _, _) = folder.sh("error-envelope explain a.http");
    assert!(out.contains("A guard refuses this request: payload_too_large. "), "{out}");
    let passes = "\n  off, observe\n    unchanged, with x-request-id\n";
    let refused = "\n  own, fill, enforce\n    HTTP/1.1 413 Payload Too Large\n";
    assert!(out.contains(passes) && out.contains(refused), "{out}");
    folder.put("observe.toml", "version = 1\n[defaults]\nmode = \"observe\"\n");
    let (out, _, _) = folder.sh("error-envelope explain --policy observe.toml a.http");
    assert!(out.contains("In mode enforce a guard refuses this request: payload_too_large. "), "{out}");
    assert!(out.contains(passes) && out.contains(refused) && out.contains("(here observe)"), "{out}");
}

#[test]
fn g0_explain_names_the_readings_that_meet_other_guards() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 404 Not Found\r\n\r\n");
    folder.put("a.request.http", "GET /%61dmin/../x HTTP/1.1\r\nhost: a\r\n\r\n");
    folder
        .put("guards.toml", "version = 1\n[[route]]\nmatch = \"/admin/{*rest}\"\nbody_limit = 1\npaths = \"refuse\"\n");
    let (out, err, _) = folder.sh("error-envelope explain --policy guards.toml a.http");
    let reading =
        "  reading  GET /admin/../x matches /admin/{*rest} (guards.toml:3): the guards of that route apply, too\n";
    assert!(
        out.contains(reading) && out.contains("  refused  readings of the path match different guards"),
        "{out}{err}"
    );
}

#[test]
fn r3_explain_reads_the_phrase_of_the_status_line() {
    let folder = Folder::with_files();
    folder.put("policy.toml", "version = 1\n[[map]]\nmessage = \"User not known\"\nto = \"gone\"\n");
    folder.put("a.http", "HTTP/1.1 404 User not known\r\ncontent-length: 0\r\n\r\n");
    let (out, _, _) = folder.sh("error-envelope explain --policy policy.toml a.http");
    assert!(
        out.contains("with 404 User not known\n") && out.contains("policy.toml:2: matches  <- decides: gone\n"),
        "{out}"
    );
}

#[test]
fn r10_explain_names_the_headers_that_an_error_of_a_protocol_gets() {
    let folder = Folder::with_files();
    let body = r#"{"errors":[{"message":"Bad"}],"data":null}"#;
    folder.put("a.http", format!("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\r\n{body}"));
    let (out, _, _) = folder.sh("error-envelope explain a.http");
    let enforced =
        "\n  enforce\n    unchanged, with x-content-type-options, x-error-code, cache-control, x-request-id\n";
    assert!(
        out.contains("\n  off, observe, own, fill\n    unchanged, with x-request-id\n") && out.contains(enforced),
        "{out}"
    );
}

#[test]
fn r11_explain_shows_another_dialect_as_its_route_would_write_it() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 404 Not Found\r\n\r\n");
    folder.put("a.request.http", "GET / HTTP/1.1\r\nhost: a\r\naccept: application/problem+json\r\n\r\n");
    let (out, _, _) = folder.sh("error-envelope explain a.http");
    assert!(out.contains("  success_flag     404 {\"success\":false,\"error\":\"Not found.\"}\n"), "{out}");
    assert!(out.contains("  standard         404 {\"type\":"), "{out}");
}

#[test]
fn explain_tells_what_the_layer_decides() {
    let folder = Folder::with_files();
    folder.put(
        "policy.toml",
        "version = 1\n[defaults]\ndialect = \"success_flag\"\n[[map]]\nstatus = 409\nto = \"locked\"\n",
    );
    folder.put(
        "a.http",
        "HTTP/1.1 409 No\r\ncontent-type: application/json\r\nx-error-code: conflict\r\n\r\n{\"success\":false,\"error\":\"m\"}",
    );
    let (out, _, _) = folder.sh("error-envelope explain --policy policy.toml a.http");
    assert!(out.contains("its x-error-code is conflict  <- decides: conflict\n\n"), "{out}");
    folder.put("policy.toml", "version = 1\n[[map]]\ncode = \"invalid_request\"\nto = \"conflict\"\n");
    let body = "{\"error\":\"invalid_request\",\"error_description\":\"x\"}";
    folder.put("a.http", format!("HTTP/1.1 500 No\r\ncontent-type: application/json\r\n\r\n{body}"));
    let (out, _, _) = folder.sh("error-envelope explain --policy policy.toml a.http");
    assert_eq!(out.matches("<- decides: ").count(), 1, "{out}");
    assert!(
        out.contains("policy.toml:2: does not match, because its `code` differs\n") && !out.contains(": matches"),
        "{out}"
    );
}

#[test]
fn an_event_of_the_log_is_explained_as_far_as_its_fields_go() {
    let folder = Folder::with_files();
    let noise = r#"{"timestamp":"t","level":"INFO","fields":{"message":"reloaded"},"target":"tower_error_envelope"}"#;
    let fields = r#""message":"observed only","request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D","code":"seat_taken","status":404,"would_be_status":409,"origin":"inner","route":"/a\u001b[31m","decided_by":"rule","unknown_code":"TAKEN""#;
    let event = format!(r#"{{"timestamp":"t","level":"INFO","fields":{{{fields}}},"target":"tower_error_envelope"}}"#);
    folder.put("log", format!("{noise}\n{event}\n"));
    folder.put("policy.toml", "version = 1\n[[code]]\ncode = \"seat_taken\"\nstatus = 409\nmessage = \"Taken.\"\n");
    let (out, err, code) = folder.sh("error-envelope explain log --policy policy.toml");
    assert_eq!((err.as_str(), code), ("", 0));
    let told = "log: observed only\nThe service sent an error response.\n\
                The code seat_taken has the status 409, the retry advice no and the text \"Taken.\".\n\
                The code comes from a [[map]] rule of the policy.\n\
                The body has the code TAKEN, which nothing defines. Add a [[code]], or a [[map]] rule for it.\n\
                The client got 404; in mode enforce it would get 409.\n\n";
    let route = format!("  {:<20} /a\\u{{1b}}[31m\n", "route");
    assert!(out.starts_with(told) && out.contains(&route), "{out}");
    folder.put("log", format!(r#"{{{fields},"target":"tower_error_envelope"}}"#));
    let (out, _, code) = folder.sh("error-envelope explain log --format json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json["fields"]["code"].as_str(), code), (Some("seat_taken"), 0));
    let unknown = json["explanation"][1].as_str().unwrap();
    assert!(unknown.starts_with("Neither catalogue nor policy has the code seat_taken"), "{unknown}");
    folder.put("log", noise);
    let (out, err, code) = folder.sh("error-envelope explain log");
    assert!(code == 2 && out.is_empty() && err.starts_with("error: log: no line is an error event"), "{err}");
}
