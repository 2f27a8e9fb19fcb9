//! The negative control as a process: the knowledge base's store, its API and the chassis' HTTP server, with the
//! mistake of `control.rs` around the API. No relay: its followers are its own.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::middleware::from_fn_with_state;
use chassis::http::{self, Server, Sockets};
use chassis::origin::AllowedOrigins;
use chassis::{Auth, Health, Metrics, Shutdown, lag};
use knowledge_base::api::{self, ApiState, Parts};
use knowledge_base::embed::{Embedder, StaticTable};
use knowledge_base::graph::GraphIndex;
use knowledge_base::quality::QualityIndex;
use knowledge_base::relay::RelayStatus;
use knowledge_base::search::{Searcher, Switches, Vectors};
use knowledge_base::store::{SqliteOptions, SqliteStore, Store, StoreMetrics};
use tokio::net::TcpListener;

use super::control::{Addresses, Broadcast, await_every_client, serve_streams};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// At the end nothing is waited for.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(1);

/// Serves until standard input closes; tells its addresses as one JSON line.
///
/// # Errors
/// When it cannot start.
pub fn main(data_dir: PathBuf) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let result = runtime.block_on(run(data_dir));
    runtime.shutdown_background();
    result
}

async fn run(data_dir: PathBuf) -> Result<()> {
    let metrics = Metrics::new();
    lag::spawn(&metrics);
    let options = SqliteOptions { data_dir, size_bytes_max: None };
    let (store, _threads) = SqliteStore::open(&options, StoreMetrics::new(&metrics)).context("the store")?;
    let store: Store = Arc::new(store);
    // It goes on until the process ends.
    let (_running, shutdown) = Shutdown::manual();
    let (graph, _thread) = GraphIndex::start(&store, &metrics, shutdown.clone());
    let (quality, _thread) = QualityIndex::start(&store, &metrics, shutdown.clone());
    let broadcast = Arc::new(Broadcast::default());
    let vectors = Vectors::none();
    let switches = Switches { primary: true, fallback: true };
    let searcher = Searcher::new(store.clone(), Arc::new(vectors.clone()), switches);
    let embedder = Embedder::Static(StaticTable::built_in());
    let relay = RelayStatus::without_relay();
    let parts = Parts { store, graph, quality, vectors, searcher, embedder, relay, shutdown };
    let routes = api::router(ApiState::new(parts, "control"))
        .wrapped(|routes| routes.layer(from_fn_with_state(Arc::clone(&broadcast), await_every_client)));
    let (auth, health) = (Auth::open(), Health::new("control"));
    let router = http::router(routes, &health, &metrics, &auth, &AllowedOrigins::default());
    let server = Server::bind(ANY_PORT, Sockets::Usual, &auth, false, &metrics).context("the API's port")?;
    let streams = TcpListener::bind(ANY_PORT).await.context("the streams' port")?;
    let addresses =
        Addresses { api: server.addr(), streams: streams.local_addr().context("the streams' port")? };
    let line = serde_json::to_string(&addresses).context("addresses have a form in JSON")?;
    writeln!(std::io::stdout(), "{line}").context("nobody reads the addresses")?;
    tokio::spawn(serve_streams(streams, broadcast));
    // Blocks a thread of its own until the parent is gone.
    let parent_gone = tokio::task::spawn_blocking(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
    });
    let stop = async move {
        let _ = parent_gone.await;
    };
    server.run(router, stop, DRAIN_TIMEOUT).await;
    Ok(())
}
