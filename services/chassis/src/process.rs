//! The life of a process: settings, logs, signals, the service's `run`, one line for an error, an exit status.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::auth::Auth;
use crate::config::{CommonConfig, unknown_variables};
use crate::endpoints::Endpoints;
use crate::error::StartError;
use crate::health::Health;
use crate::http::{self, Server, Sockets};
use crate::lag;
use crate::log_records;
use crate::metrics::Metrics;
use crate::nats::{Connection, Nats};
use crate::origin::AllowedOrigins;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;
use crate::tls::Tls;

/// Between the end of the NATS client and that of the process: longer than a runtime takes to stop.
const CLIENT_GONE_DELAY: Duration = Duration::from_millis(100);

/// How long the first request may wait for the revocations at a start. Milliseconds do; without NATS the service must
/// serve all the same.
const REVOCATIONS_TIMEOUT: Duration = Duration::from_secs(2);

/// A service's settings.
pub trait ServiceConfig: Parser {
    /// Short name, such as `knowledge-base`.
    const SERVICE: &'static str;
    /// Settings it shares with the others.
    fn common(&self) -> &CommonConfig;
}

/// Runs a service from the command line to the exit status.
pub fn main<C, F>(run: impl FnOnce(C, Shutdown) -> F) -> ExitCode
where
    C: ServiceConfig,
    F: Future<Output = Result<(), StartError>>,
{
    let config = C::parse();
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bywash-{}: the runtime cannot start: {error}", C::SERVICE);
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let telemetry = Telemetry::install(C::SERVICE, config.common())?;
        let environment = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for warning in unknown_variables(&C::command(), environment) {
            tracing::warn!("{warning}");
        }
        let shutdown = Shutdown::on_signals()
            .map_err(|source| StartError::Io { what: "signals cannot be caught".to_owned(), source })?;
        let result = run(config, shutdown).await;
        telemetry.finish_records().await;
        // The exporter's last send blocks; a blocking task keeps the runtime free to carry it.
        let _ = tokio::task::spawn_blocking(move || telemetry.flush()).await;
        result
    });
    // Tasks that still block must not keep a stopped process alive.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bywash-{}: {}", C::SERVICE, with_causes(&error));
            ExitCode::from(error.exit_status())
        }
    }
}

/// An error and its causes in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// What a service gets before it starts its own work: bound, connected (or connecting), not yet serving.
pub struct Chassis {
    /// Where its endpoints are reached.
    pub server: Server,
    /// Who may call.
    pub auth: Auth,
    /// Readiness.
    pub health: Health,
    /// The registry.
    pub metrics: Metrics,
    /// NATS.
    pub nats: Nats,
    /// Pages that may call.
    pub origins: AllowedOrigins,
    /// The stop signal.
    pub shutdown: Shutdown,
    config: CommonConfig,
}

impl Chassis {
    /// Reads the keys, binds the port, starts to connect to NATS and to probe the event loop.
    pub async fn start(
        service: &'static str,
        config: &CommonConfig,
        default_port: u16,
        sockets: Sockets,
        shutdown: Shutdown,
    ) -> Result<Self, StartError> {
        let metrics = Metrics::new();
        let (auth, background) = Auth::from_config(config, &metrics)?;
        let mut origins = AllowedOrigins::parse(&config.allowed_origins)?;
        if auth.is_open() && !config.insecure_open {
            origins = origins.with_local_hosts_only();
        }
        let tls = Tls::from_config(config, &metrics, &shutdown)?;
        let is_tls = tls.is_some();
        let sockets = if is_tls { Sockets::BoundedWithTls } else { sockets };
        let addr = config.http_addr_or(default_port);
        let server = Server::bind(addr, sockets, &auth, config.insecure_open, &metrics)?.with_tls(tls);
        let health = Health::new(service);
        let nats = Nats::connect(service, config, &metrics, &shutdown).await?;
        log_records::publish(service, config.instance(), &nats, &metrics, &shutdown);
        lag::spawn(&metrics);
        follow_connection(&nats, &health, &shutdown);
        background.spawn(&nats, &health, &shutdown);
        tracing::info!(addr = %server.addr(), instance = config.instance(), version = env!("CARGO_PKG_VERSION"),
            auth = auth.kind(), tls = is_tls, "listening");
        Ok(Self { server, auth, health, metrics, nats, origins, shutdown, config: config.clone() })
    }

    /// Serves `endpoints` until the stop: unready first, reachable for the drain delay, then drained within the limit.
    pub async fn serve(self, endpoints: Endpoints) {
        let router = http::router(endpoints, &self.health, &self.metrics, &self.auth, &self.origins);
        let delay = self.config.drain_delay();
        // Or an id revoked long ago would pass in the moments after a start.
        if !self.auth.is_open() {
            let known = self.auth.revocations().known_within(REVOCATIONS_TIMEOUT);
            let in_time =
                tokio::select! { () = self.shutdown.requested() => true, in_time = known => in_time };
            if !in_time {
                tracing::warn!("serving without the revocations: they are not known yet");
            }
        }
        let stop = async {
            self.shutdown.requested().await;
            self.health.drain();
            tokio::time::sleep(delay).await;
        };
        self.server.run(router, stop, self.config.drain_timeout()).await;
        tracing::info!("stopped");
    }
}

/// Tells in `/readyz` whether NATS is there; a service that needs it says so itself. A client that has ended cannot be
/// brought back, so the process ends with it, to be started anew.
fn follow_connection(nats: &Nats, health: &Health, shutdown: &Shutdown) {
    // A user of the client, so that it cannot end for want of users before the stop.
    let (nats, health, shutdown) = (nats.clone(), health.clone(), shutdown.clone());
    health.tell("nats", false);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.requested() => return,
            () = follow(nats.watch(), |up| health.tell("nats", up)) => {}
        }
        // A process that ends anyway takes the client's tasks down before this one; it never gets past this pause.
        tokio::time::sleep(CLIENT_GONE_DELAY).await;
        if !shutdown.is_requested() {
            tracing::error!(
                "the NATS client has ended and cannot come back; ending the process to be started anew"
            );
            std::process::exit(1);
        }
    });
}

/// Calls `tell` for each change until the client is gone.
async fn follow(mut connection: watch::Receiver<Connection>, tell: impl Fn(bool)) {
    while connection.changed().await.is_ok() {
        tell(connection.borrow_and_update().up);
    }
}
