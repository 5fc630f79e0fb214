//! Tests texts of frameworks (rules R13, R14): the result is always an envelope, without any quoted input.

mod checks;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r13_nothing_that_was_quoted_comes_out(template: u8, value in "\\PC{0,30}|[\"'`“”\\\\,:\\[\\] a-z\\r\\n]{0,30}") {
        checks::check_quoted(template, &value);
    }

    #[test]
    fn e1_any_text_is_an_envelope(status: u8, text in "\\PC{0,200}") {
        checks::check(status, "text/plain", text.as_bytes());
    }

    #[test]
    fn e1_any_text_behind_a_frameworks_words_is_an_envelope(row: u8, text in "\\PC{0,60}|(a|\\.|\\[|\\]|0|`|: |missing field|\"){0,30}") {
        checks::check_begun(row, &text);
    }

    #[test]
    fn e8_any_json_is_an_envelope(status: u8, json in json()) {
        checks::check(status, "application/json", json.as_bytes());
    }
}

#[test]
fn r13_a_quoted_value_may_look_like_serdes_own_text() {
    for template in 0..=u8::MAX {
        checks::check_quoted(template, "b: items[1].qty: invalid type: string b");
        checks::check_quoted(template, "b: missing field `c` b");
    }
}

/// Generates members that texts are read from, with any content.
fn json() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just("\"a.0[1].b\"".to_owned()),
        Just("\"body/a must be b\"".to_owned()),
        Just("\"[{\\\"path\\\":[0],\\\"message\\\":\\\"m\\\"}]\"".to_owned()),
        "[a-z/.\\[\\]~#0 :]{0,12}".prop_map(|text| format!("{text:?}")),
    ];
    let leaf = prop_oneof![4 => text, 1 => Just("null".to_owned()), 1 => "[0-9]{1,30}", 1 => Just("-1.5e9".to_owned())];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let name = proptest::sample::select(checks::NAMES);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(|elements| format!("[{}]", elements.join(","))),
            proptest::collection::vec((name, inner), 0..6).prop_map(|members| {
                let members = members.iter().map(|(name, value)| format!("{name:?}:{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}
