//! What comes from NATS: one consumer per stream, one order for the pod, and parts of streams read back for sessions
//! that are behind the rings.

pub mod block;
pub mod history;
pub mod ingest;
pub mod intervals;
pub mod message;
pub mod pace;
pub mod room;
pub mod sequencer;
