//! The table, and codes outside it.

use serde_json::json;

use super::*;

#[test]
fn the_table_equals_the_catalogue() {
    let catalogue: toml::Table = include_str!("../../../../tests/catalogue.toml").parse().unwrap();
    let listed = catalogue["code"].as_array().unwrap();
    assert_eq!(listed.len(), ErrorCode::ALL.len());
    for code in ErrorCode::ALL {
        // The table lists each group in one place; the catalogue does not.
        let entry = listed.iter().find(|entry| entry["code"].as_str() == Some(code.as_str())).unwrap();
        assert_eq!(entry["status"].as_integer(), Some(code.status().as_u16().into()), "{code}");
        assert_eq!(entry["grpc"].as_integer(), Some(code.grpc().into()), "{code}");
        assert_eq!(entry["jsonrpc"].as_integer(), Some(code.jsonrpc().into()), "{code}");
        assert_eq!(entry["retry"].as_str(), Some(code.retry().as_str()), "{code}");
        assert_eq!(entry["message"].as_str(), Some(code.message()), "{code}");
        assert_eq!(entry["group"].as_str(), code.group(), "{code}");
    }
}

#[test]
fn e2_the_constants_of_products_stand_by_group() {
    let everybodys = ["auth", "generic", "quota", "status"];
    let of_products = ErrorCode::ALL.iter().filter_map(ErrorCode::group).filter(|group| !everybodys.contains(group));
    let listed: Vec<_> = codes::GROUPS.iter().map(|(name, _)| *name).collect();
    assert!(of_products.clone().all(|group| listed.contains(&group)));
    assert!(listed.iter().all(|name| of_products.clone().any(|group| group == *name)));
    assert_eq!((codes::channel::NO_QR.group(), codes::media::MEDIA_GONE.group()), (Some("channel"), Some("media")));
    assert_eq!(codes::media::MEDIA_GONE.as_str(), "media_gone");
}

#[test]
fn a_code_is_found_in_any_case_and_a_stranger_is_not() {
    assert_eq!(ErrorCode::in_catalogue("Rate_LIMITED"), Some(ErrorCode::RATE_LIMITED));
    assert_eq!(ErrorCode::in_catalogue("rate limited"), None);
    assert_eq!(ErrorCode::foreign("order_expired").unwrap().retry(), Retry::Backoff);
    assert!(ErrorCode::foreign("Order").is_none());
}

#[test]
fn the_form_of_e2_is_one_to_63_characters() {
    let longest = "a".repeat(63);
    for good in ["a", "a1_", longest.as_str()] {
        assert!(is_well_formed(good.as_bytes()), "{good}");
    }
    let too_long = "a".repeat(64);
    for bad in ["", "1a", "_a", "A", "a-b", "a b", "é", too_long.as_str()] {
        assert!(!is_well_formed(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn e10_an_own_code_without_advice_has_that_of_its_status() {
    let own = |status| ErrorCode::try_own("x", status).unwrap();
    for (status, retry, number) in [
        (400, Retry::No, -32_600),
        (408, Retry::Backoff, -32_600),
        (412, Retry::No, -32_600),
        (423, Retry::No, -32_600),
        (425, Retry::Backoff, -32_600),
        (429, Retry::Backoff, -32_600),
        (500, Retry::Backoff, -32_603),
        (501, Retry::Backoff, -32_603),
    ] {
        assert_eq!((own(status).retry(), own(status).jsonrpc()), (retry, number), "{status}");
    }
    let set = own(409).with_retry(Retry::Refresh).with_jsonrpc(-32_050).with_docs("https://x.test/e");
    assert_eq!((set.retry(), set.jsonrpc(), set.docs()), (Retry::Refresh, -32_050, Some("https://x.test/e")));
}

#[test]
fn a_code_of_the_catalogue_takes_details_docs_and_advice_and_nothing_else() {
    let described = ErrorCode::CONFLICT.with_details(json!({})).with_details(json!({"type": "object"}));
    assert_eq!(
        (described.details_schema(), ErrorCode::CONFLICT.details_schema()),
        (Some(r#"{"type":"object"}"#), None)
    );
    assert_eq!(
        (&described, described.place(), described.group()),
        (&ErrorCode::CONFLICT, ErrorCode::CONFLICT.place(), Some("status"))
    );
    assert_eq!((described.status().as_u16(), described.grpc(), described.retry()), (409, 9, Retry::No));
    assert!(crate::fault::Fault::new(described.clone()).is_stock());
    let codes = CodeSet::new(vec![ErrorCode::custom("seat_taken", 409), described]);
    assert_eq!((codes.len(), codes.iter().count()), (1, ErrorCode::ALL.len() + 1));
    assert_eq!(codes.iter().filter(|code| code.details_schema().is_some()).count(), 3);

    let advised = ErrorCode::CONFLICT.with_retry(Retry::Refresh).with_docs("https://x.test/e").with_details(json!({}));
    assert_eq!(
        (advised.retry(), advised.added_retry(), advised.docs(), advised.details_schema()),
        (Retry::Refresh, Some(Retry::Refresh), Some("https://x.test/e"), Some("{}"))
    );
    let fault = crate::fault::Fault::new(advised.clone());
    assert_eq!((fault.is_stock(), fault.code().docs()), (false, advised.docs()));
    let limited = ErrorCode::PAYLOAD_TOO_LARGE.with_retry(Retry::Backoff);
    assert_eq!(limited.details_schema(), ErrorCode::PAYLOAD_TOO_LARGE.details_schema());
    assert!(CodeSet::new(vec![limited]).find("Payload_Too_Large").is_some_and(|code| code.retry() == Retry::Backoff));

    type Change = fn(ErrorCode) -> ErrorCode;

    let changes: [(&str, Change); 7] = [
        ("`gone` cannot be changed", |_| ErrorCode::GONE.with_grpc(5)),
        ("`gone` cannot be changed", |_| ErrorCode::GONE.with_message("Left.")),
        ("`seat_taken` cannot be changed", |foreign| foreign.with_details(json!({}))),
        ("`seat_taken` cannot be changed", |foreign| foreign.with_docs("https://x.test/e")),
        ("`seat_taken` cannot be changed", |foreign| foreign.with_retry(Retry::No)),
        ("the catalogue fixes the details of `invalid_request`", |_| {
            ErrorCode::INVALID_REQUEST.with_details(json!({}))
        }),
        ("the catalogue fixes the details of `payload_too_large`", |_| {
            ErrorCode::PAYLOAD_TOO_LARGE.with_details(json!({}))
        }),
    ];
    for (wrong, change) in changes {
        let foreign = ErrorCode::foreign("seat_taken").unwrap();
        let panic = std::panic::catch_unwind(|| change(foreign)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().starts_with(wrong), "{wrong}");
    }
}

#[test]
fn an_own_code_falls_back_to_its_status() {
    const TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
    assert_eq!((TAKEN.status().as_u16(), TAKEN.grpc(), TAKEN.retry()), (409, 9, Retry::No));
    let code = TAKEN.with_grpc(6).with_retry(Retry::Refresh).with_message("Taken.");
    assert_eq!((code.grpc(), code.retry(), code.message()), (6, Retry::Refresh, "Taken."));
    for (status, message) in [
        (400, "The request is malformed."),
        (418, "The request could not be processed."),
        (424, "The request could not be processed."),
        (422, "The request failed validation."),
        (507, "An unexpected error occurred."),
        (520, "An upstream provider failed."),
    ] {
        assert_eq!(ErrorCode::custom("teapot", status).message(), message);
        let code = ErrorCode::custom("teapot", status).with_grpc(3);
        assert_eq!(crate::fault::Fault::new(code).message(), message);
    }
    assert!(ErrorCode::try_own("not_found", 404).is_err());
    assert!(ErrorCode::try_own("x", 302).is_err());
}
