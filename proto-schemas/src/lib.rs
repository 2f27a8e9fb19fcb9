//! The contract of Bywash: the messages, the one table of streams and topics, and the codec for names in subjects.
//!
//! Everything that two services must agree on lives here, and nothing else: no I/O, no runtime.

pub mod command;
pub mod contract;
pub mod event;
pub mod json;
pub mod names;
pub mod topic;

pub use contract::{STREAMS, Stream, StreamSpec, TopicKind};
pub use event::Event;
pub use topic::{TopicError, TopicPattern};

/// The messages of `proto/bywash/v1`, as generated (`make codegen`).
#[allow(missing_docs, unused_qualifications, reason = "generated code")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated code")]
pub mod v1 {
    include!("generated/bywash.v1.rs");
    include!("generated/bywash.v1.serde.rs");
}
