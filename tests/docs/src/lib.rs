//! Each example of the crates below the layer, under the name of its file and the number of its first line.

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The pages whose examples need other crates than the layer's own tests do.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../manual/from-into-response.md")]
    mod from_into_response {}
    #[doc = include_str!("../../../manual/from-problem-details.md")]
    mod from_problem_details {}
    #[doc = include_str!("../../../manual/from-tower-http.md")]
    mod from_tower_http {}
}
