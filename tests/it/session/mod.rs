//! Tests sessions without an adapter: the rules hold in every order of calls.

mod orders;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// The five claims keep these rules: L1 (one event), F1 and F2 (an end), R1 (nothing of a body that is replaced),
    /// and G1–G4 (nothing passes the guards).
    #[test]
    fn whatever_is_called_in_whatever_order_the_five_claims_hold(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        orders::check(&bytes);
    }
}
