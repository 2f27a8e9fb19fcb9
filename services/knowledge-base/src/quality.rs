//! What is wrong with the facts: those that say the same, those that contradict each other, predicates that are used in
//! odd ways. All of it is in memory, derived from the store and rebuilt at every start.
//!
//! - `folding` says what a fact says whatever it is spelled like, `number` does so for numbers;
//! - `findings` holds what was found and changes by `set` alone; `groups`, `same`, `functional` and `predicates` are its
//!   tables;
//! - `follower` follows the store, and `index` is what the rest of the service holds: questions, few at a time;
//! - `near` finds facts that nearly say the same, a bounded number at a time, by the vector index and by `likeness`.
//!
//! Nothing here knows HTTP. Why it is so: `docs/decisions/020-findings-are-kept.md`.

mod findings;
mod folding;
mod follower;
mod functional;
mod groups;
mod index;
mod likeness;
mod metrics;
mod near;
mod number;
mod predicates;
mod same;
#[cfg(test)]
mod tests;

pub use findings::{About, Conflict, Figures, Findings};
pub use folding::{Entry, FUNCTIONAL, Folded, Folder};
pub use functional::Values;
pub use index::{QualityError, QualityIndex, QualityState, QualityThread};
pub use metrics::{
    METRIC_QUALITY_FINDINGS, METRIC_QUALITY_QUESTIONS, METRIC_QUALITY_REVISION, METRIC_QUALITY_SECONDS,
};
pub use near::{
    FACTS_LOOKED_AT_MAX, NEIGHBOURS, NearDuplicates, NearError, NearPage, NearPair, NearQuestion,
};
pub use predicates::{Suspicion, Suspicious, Use};
pub use same::{Both, NAMED_MAX, Named};
