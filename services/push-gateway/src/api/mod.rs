//! The gateway's HTTP endpoints: streams are handed to the workers, the rest is answered here.

mod console;
mod debug;
mod events;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use bytes::Bytes;
use chassis::http::Takeover;
use chassis::{ApiError, Auth};
use serde::Serialize;

pub use console::Console;

use crate::admission::{self, Admission, Place};
use crate::codec::{Action, Codec};
use crate::metrics::GatewayMetrics;
use crate::profile::Profile;
use crate::session::NewSession;
use crate::worker::WorkerHandle;

/// Where browsers reach the other services; empty = the console's own origin.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceUrls {
    /// Of the knowledge base.
    pub knowledge_base: String,
    /// Of the governor.
    pub governor: String,
    /// Of the GPU monitor.
    pub gpu_monitor: String,
}

/// What the endpoints need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    /// Who may call.
    pub auth: Auth,
    /// How many connections are taken.
    pub admission: Admission,
    /// The workers; connections go to them in turn.
    pub workers: Arc<[WorkerHandle]>,
    /// What is switched on.
    pub profile: Profile,
    /// Where browsers reach the other services.
    pub services: Arc<ServiceUrls>,
    /// The built page.
    pub console: Arc<Console>,
    /// Of the process.
    pub metrics: GatewayMetrics,
    /// Which worker is next.
    pub next_worker: Arc<AtomicUsize>,
}

/// All endpoints.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/api/events/stream", get(events::stream).head(events::head))
        .route("/api/stream", get(events::stream).head(events::head))
        .route("/ws", get(websocket::upgrade))
        .route("/debug/clients", get(debug::clients))
        .route("/api/profile", get(debug::profile))
        .route("/", get(console::index))
        .route("/assets/{*path}", get(console::asset))
        .route("/{file}", get(console::file))
        .with_state(api)
}

/// A connection on its way from HTTP to a worker.
struct Handover {
    peer: SocketAddr,
    user: String,
    codec: Box<dyn Codec>,
    head: Bytes,
    actions: Vec<Action>,
    place: Place,
}

impl Api {
    /// Gives the request's connection to the next worker; never returns.
    async fn hand_over(&self, takeover: Takeover, handover: Handover) -> std::convert::Infallible {
        let index = self.next_worker.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        let worker = self.workers[index].clone();
        takeover
            .hand_over(Box::new(move |socket, leftover| {
                let Handover { peer, user, codec, head, actions, place } = handover;
                if let Err(error) = admission::configure(&socket) {
                    // The other end is gone already.
                    tracing::debug!(%error, "a connection cannot be configured");
                    return;
                }
                worker.open(NewSession { socket, peer, user, codec, head, actions, leftover, place });
            }))
            .await
    }
}

fn switched_off(what: &str) -> ApiError {
    ApiError::not_found("switched_off", format!("{what} is switched off here; see /api/profile"))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
