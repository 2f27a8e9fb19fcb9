//! An answer without a store: what HTTP alone costs when it is served with axum as one would write it.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::swarm::peers::{Listening, announce, end_with_parent};

/// A fact as the knowledge base answers it.
#[derive(Serialize)]
struct Answer {
    id: u64,
    statement: &'static str,
    context: &'static str,
    confidence: f64,
    created_at: &'static str,
    changed_in: u64,
    revision: u64,
    epoch: &'static str,
}

async fn answer(Path(id): Path<u64>) -> impl IntoResponse {
    Json(Answer {
        id,
        statement: "Gloss(n00001740, \"that which is perceived or known or inferred to have its own existence\").",
        context: "",
        confidence: 1.0,
        created_at: "2026-01-01T00:00:00.000Z",
        changed_in: 1,
        revision: 561,
        epoch: "0123456789abcdef",
    })
}

/// Serves until standard input ends.
///
/// # Errors
/// When the system gives no port.
pub fn main() -> Result<()> {
    end_with_parent();
    let router = Router::new().route("/api/facts/{id}", get(answer));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port")?;
        let port = listener.local_addr()?.port();
        announce(Listening { clients: port, events: port });
        let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
            // Fails only for a socket that is gone already.
            let _ = socket.set_nodelay(true);
        });
        axum::serve(listener, router).await.context("the server ended")
    })
}

/// A running one.
pub struct Peer {
    child: Child,
    /// Where it answers.
    pub addr: SocketAddr,
}

impl Peer {
    /// Starts it in a process of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> Result<Self> {
        let program = std::env::current_exe().context("the system does not tell where this program lies")?;
        let mut command = Command::new(program);
        command.arg("peer-answer").stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().context("it cannot be started")?;
        let mut peer = Self { child, addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let mut line = String::new();
        if let Some(output) = peer.child.stdout.take() {
            BufReader::new(output).read_line(&mut line).context("it does not answer")?;
        }
        let listening: Listening = serde_json::from_str(&line).context("it ended")?;
        peer.addr.set_port(listening.clients);
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
