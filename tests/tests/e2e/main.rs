//! End to end: real NATS, real service processes, real clients, and a real browser once. One module a promise area.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is a test; the lint's own exception sees only functions marked as such"
)]

mod admission;
mod authentication;
mod bad_input;
mod browser;
mod commands;
mod control;
mod gateway_bad_credentials;
mod gateway_bad_input;
mod gateway_silence;
mod governor;
mod http2;
mod lifecycle;
mod logs;
mod memory_budget;
mod openapi;
mod published_centrifuge;
mod published_centrifuge_tokens;
mod published_socketio;
mod published_sse;
mod published_themis;
mod published_websockets;
mod recovery;
mod resume_property;
mod rollout;
mod slow_client;
mod snapshot_then_follow;
mod streams;
mod themis;
mod tickets;
mod tls;
mod trace;
mod upstream;
mod websocket;
mod websocket_conformance;
