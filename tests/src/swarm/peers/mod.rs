//! What the gateway is measured beside: a thread that only writes, and a small server as one would write it with axum.
//! `node-ws.cjs` and `nchan.conf` are the other two; `bench/servers.rs` starts all.

pub mod axum;
pub mod raw;

use std::io::Read;

use serde::{Deserialize, Serialize};

/// What a peer prints in one line of JSON once it listens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Listening {
    /// Port of the clients.
    pub clients: u16,
    /// Port of the events.
    pub events: u16,
}

/// Prints where a peer listens.
pub(crate) fn announce(listening: Listening) {
    println!("{}", serde_json::json!(listening));
}

/// Ends this process when its parent, who holds the other end of standard input, is gone.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        // Nothing is ever sent.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}
