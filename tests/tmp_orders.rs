//! x
#[path="it/choices.rs"] mod choices;
#[path="it/session/orders/mod.rs"] mod orders;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("CASES").ok().map_or(2000, |c| c.parse().unwrap()), max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        orders::check(&bytes);
    }
}
