//! The compiler's error for each mistake, and its place: the attribute.

/// The expected texts are of the toolchain that CI has; `TRYBUILD=overwrite` writes them anew.
#[test]
fn a_mistake_is_told_at_the_attribute() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
