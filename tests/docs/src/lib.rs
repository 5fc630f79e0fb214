//! Each example of the crates below the layer, under the name of its file and the number of its first line.

include!(concat!(env!("OUT_DIR"), "/examples.rs"));
