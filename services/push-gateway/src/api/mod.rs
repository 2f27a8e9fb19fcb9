//! The gateway's HTTP endpoints: streams are handed to the workers, the rest is answered here.

mod console;
mod control;
mod debug;
mod upgrade;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use chassis::http::{Peer, Takeover};
use chassis::{ApiError, Auth, Endpoints, Identity, Nats, Operation, Role};
use proto_schemas::TopicPattern;
use serde::Serialize;
use utoipa::ToSchema;

pub use console::Console;
pub use upgrade::{Upgrade, upgrade_operation};

use crate::admission::{Admission, Place};
use crate::codec::{Action, Codec};
use crate::fleet::Fleet;
use crate::metrics::GatewayMetrics;
use crate::profile::Profile;
use crate::protocols;
use crate::publish::Published;
use crate::session::NewSession;
use crate::tickets::Tickets;
use crate::worker::{Limits, SessionRef, WorkerHandle};

/// Where browsers reach the other services; empty = the console's own origin.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceUrls {
    /// Of the knowledge base.
    pub knowledge_base: String,
    /// Of the governor.
    pub governor: String,
    /// Of the GPU monitor.
    pub gpu_monitor: String,
}

/// What the endpoints share: one count a request, not one a part.
pub type Api = Arc<Gateway>;

/// What the endpoints need.
pub struct Gateway {
    /// Who may call.
    pub auth: Auth,
    /// To publish what clients publish.
    pub nats: Nats,
    /// All pods.
    pub fleet: Fleet,
    /// For clients that cannot send headers.
    pub tickets: Tickets,
    /// How many connections are taken.
    pub admission: Admission,
    /// The workers; connections go to them in turn.
    pub workers: Vec<WorkerHandle>,
    /// Limits of a worker.
    pub limits: Limits,
    /// What is switched on.
    pub profile: Profile,
    /// Whether `/ws/echo` is there.
    pub ws_echo: bool,
    /// Where browsers reach the other services.
    pub services: ServiceUrls,
    /// The built page.
    pub console: Console,
    /// Of the process.
    pub metrics: GatewayMetrics,
    /// Which worker is next.
    pub next_worker: AtomicUsize,
}

/// All endpoints.
pub fn router(api: Api) -> Endpoints {
    let publish = Operation::post("Publishes a value below `app.`; all who follow its topic get it")
        .needs(Role::Write)
        .takes::<control::Publish>()
        .gives::<Published>(201, "The stream has it")
        .refuses(400, &["malformed_topic", "unknown_topic"])
        .refuses(403, &["topic_not_allowed"])
        .refuses(413, &["value_too_large"])
        .refuses(503, &["not_available"]);
    let revoke = Operation::post("Refuses a token or a key everywhere, and closes its connections")
        .needs(Role::Control)
        .takes::<control::Revocation>()
        .gives::<control::Revocation>(201, "All services refuse it")
        .refuses(400, &["malformed_time"])
        .refuses(422, &["invalid_revocation_id"])
        .refuses(503, &["revocations_unavailable"])
        .refuses(507, &["revocations_full"]);
    let close = Operation::delete("Closes a connection of any pod")
        .needs(Role::Control)
        .path("id", "As `/debug/clients` names it")
        .gives_nothing(204, "It is told to go")
        .refuses(404, &["no_such_connection"]);
    let clients = Operation::get("What every connection of this pod does now, those furthest behind first")
        .needs(Role::Control)
        .gives::<debug::ClientsAnswer>(200, "At most 1,000 are listed");
    let profile = Operation::get("What is switched on, and whether one must say who one is");
    let streams = protocols::ROUTES.iter().fold(Endpoints::new(), |all, routes| all.merge(routes()));
    streams
        .route("/api/publish", post(control::publish), [publish])
        .route("/api/revocations", post(control::revoke), [revoke])
        .route("/api/connections/{id}", delete(control::close_connection), [close])
        .route("/debug/clients", get(debug::clients), [clients])
        .route(
            "/api/profile",
            get(debug::profile),
            [profile.gives::<debug::ProfileAnswer>(200, "As started")],
        )
        .files("/", get(console::index))
        .files("/assets/{*path}", get(console::asset))
        .files("/{file}", get(console::file))
        .with_state(api)
}

/// A connection on its way from HTTP to a worker.
pub struct Handover {
    /// The other end.
    pub peer: SocketAddr,
    /// What it speaks.
    pub codec: Box<dyn Codec>,
    /// The answer to the request's head.
    pub head: Bytes,
    /// What happens first.
    pub actions: Vec<Action>,
    /// Its place among the connections of this process.
    pub place: Place,
}

impl Gateway {
    /// Takes a place for a connection of `user`; `None` where it has yet to say who it is.
    ///
    /// # Errors
    /// 503 with a jittered `Retry-After` when there is none.
    pub fn admit(&self, user: Option<&str>, peer: SocketAddr) -> Result<Place, ApiError> {
        self.admission.admit(user, peer.ip()).map_err(|refusal| {
            self.metrics.refused.with_label_values(&[refusal.code()]).inc();
            ApiError::unavailable(refusal.code(), "no place for another connection", fastrand::u32(2..10))
        })
    }

    fn next_worker(&self) -> WorkerHandle {
        let index = self.next_worker.fetch_add(1, Ordering::Relaxed) % self.workers.len();
        self.workers[index].clone()
    }

    /// Gives one end of a pair of sockets to the next worker, as the connection of a client whose bytes come another
    /// way. `None` when it ended at once.
    pub async fn open_local(&self, socket: UnixStream, handover: Handover) -> Option<SessionRef> {
        let Handover { peer, codec, head, actions, place } = handover;
        // A worker reads, writes and shuts down, which every stream socket does alike.
        let socket = std::net::TcpStream::from(OwnedFd::from(socket));
        let session = NewSession { socket, peer, codec, head, actions, leftover: Bytes::new(), place };
        SessionRef::open(&self.next_worker(), session).await
    }

    /// Gives the request's connection to the next worker; the request ends without an answer of ours.
    pub async fn hand_over(&self, takeover: Takeover, handover: Handover) -> Response {
        let worker = self.next_worker();
        let never = takeover
            .hand_over(Box::new(move |socket, leftover| {
                let Handover { peer, codec, head, actions, place } = handover;
                worker.open(NewSession { socket, peer, codec, head, actions, leftover, place });
            }))
            .await;
        match never {}
    }
}

/// 404 for what the operator switched off.
pub fn switched_off(what: &str) -> ApiError {
    ApiError::not_found("switched_off", format!("{what} is switched off here; see /api/profile"))
}

/// 403 unless the client may follow all of `topics`.
pub fn permitted(identity: &Identity, topics: &[TopicPattern]) -> Result<(), ApiError> {
    topics.iter().try_for_each(|topic| identity.require_topic(topic))
}

/// Whether the client itself speaks TLS: with this service, or with the ingress, which says so.
pub fn is_tls(peer: Peer, headers: &HeaderMap) -> bool {
    peer.is_tls || header(headers, "x-forwarded-proto") == Some("https")
}

/// The header's text, where it is there and text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
