//! Tests that a path which is closed in one reading is open in none (rule G0). A closed route stays closed, however a
//! real stack reads the path. The layer runs in process, and the stacks are models.

mod bad_input;
mod contract;
mod sent;
mod stacks;
mod table;

use proptest::prelude::*;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use self::sent::Sent;
use self::stacks::{STACKS, Segments};
use self::table::Table;
use crate::choices::Choices;
use crate::kit::ask;

/// The number of requests for each table.
const REQUESTS: usize = 24;

/// A number of readings far below the layer's limit.
const FEW: usize = 100;

fn layer(policy: Policy) -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new().policy(policy)
}

/// Returns the model that routes a request to a closed route, the method, and the segments that it finds.
fn closed_for(table: &Table, sent: &Sent) -> Option<(&'static str, String, Segments)> {
    STACKS.iter().find_map(|stack| {
        let segments = without_root((stack.read)(sent.path.as_bytes())?);
        let method = closed_method(table, sent, &segments, stack.folds)?;
        Some((stack.name, method, segments))
    })
}

/// Returns a closed method of a path with which a service may serve the request.
fn closed_method(table: &Table, sent: &Sent, path: &Segments, folds: bool) -> Option<String> {
    let others = if sent.is_unknown() { table.methods(path, folds) } else { Vec::new() };
    sent.methods().into_iter().chain(others).find(|method| table.closes(method, path, folds))
}

/// Removes the root, because a pattern of the root has no segments.
fn without_root(segments: Segments) -> Segments {
    if segments == [b""] { Segments::new() } else { segments }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn g0_what_a_route_closes_is_closed_for_every_stack(bytes in prop::collection::vec(any::<u8>(), 40..600)) {
        let choices = &mut Choices::new(&bytes);
        let table = Table::chosen(choices);
        let Ok(policy) = table.policy() else { return Ok(()) };
        let layer = layer(policy);
        for _ in 0..REQUESTS {
            let sent = Sent::hostile(&table, choices);
            let Some(request) = sent.request() else { continue };
            let Some(way) = closed_for(&table, &sent) else { continue };
            let (status, is_called) = ask(&layer, request);
            // 400 means more readings than the layer's limit.
            prop_assert!(!is_called && (status == 401 || status == 400), "{way:?} got {status} for {sent:?} under {table:#?}");
        }
    }

    #[test]
    fn g0_an_ordinary_path_is_closed_by_its_own_routes_alone(bytes in prop::collection::vec(any::<u8>(), 40..300)) {
        let choices = &mut Choices::new(&bytes);
        let table = Table::chosen(choices);
        let Ok(policy) = table.policy() else { return Ok(()) };
        let layer = layer(policy);
        for _ in 0..REQUESTS {
            let sent = Sent::ordinary(&table, choices);
            let expected = if closed_for(&table, &sent).is_some() { (401, false) } else { (200, true) };
            let found = ask(&layer, sent.request().expect("a request"));
            prop_assert_eq!(found, expected, "{:?} under {:#?}", sent, table);
        }
    }

    #[test]
    fn g0_what_no_reading_finds_closed_is_let_through(bytes in prop::collection::vec(any::<u8>(), 40..300)) {
        let choices = &mut Choices::new(&bytes);
        let table = Table::chosen(choices);
        let Ok(policy) = table.policy() else { return Ok(()) };
        let layer = layer(policy);
        for _ in 0..4 {
            let sent = Sent::hostile(&table, choices);
            let Some(request) = sent.request() else { continue };
            let readings = contract::readings(&sent.path);
            let is_closed = |path: &Vec<u8>| {
                let segments = without_root(stacks::split(path));
                [false, true].iter().any(|folds| closed_method(&table, &sent, &segments, *folds).is_some())
            };
            if readings.len() < FEW && !readings.iter().any(is_closed) {
                prop_assert_eq!(ask(&layer, request), (200, true), "{:?} under {:#?}", sent, table);
            }
        }
    }
}
