//! Contains each example of the crates below the layer, under the name of its file and the number of its first line.

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The pages whose examples need other crates than the layer's own tests do.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../manual/coming-from.md")]
    mod coming_from {}
}
