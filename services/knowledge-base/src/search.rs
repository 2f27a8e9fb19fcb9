//! Search: what is found by words and by meaning, as one order (`fusion.rs`).

pub mod fusion;
