//! Settings of the gateway.

use std::path::PathBuf;

use chassis::CommonConfig;
use chassis::process::ServiceConfig;
use clap::Parser;

use crate::profile::ProfileConfig;

/// Holds the client connections of Bywash and pushes what changes to them.
#[derive(Debug, Clone, Parser)]
#[command(name = "bywash-push-gateway", version)]
pub struct Config {
    /// Settings that every service has.
    #[command(flatten)]
    pub common: CommonConfig,

    /// What is switched on.
    #[command(flatten)]
    pub profile: ProfileConfig,

    /// Worker threads that hold connections; default: one per core
    #[arg(long, env = "BYWASH_WORKERS", value_name = "COUNT")]
    pub workers: Option<usize>,

    /// Recent events kept in memory, per stream and worker; older ones are read back from NATS
    #[arg(long, env = "BYWASH_RING_BYTES", value_name = "BYTES", default_value_t = 16 * 1024 * 1024)]
    pub ring_bytes: usize,

    /// Close a connection that has taken nothing for this long although there was something to send
    #[arg(long, env = "BYWASH_STALL_TIMEOUT_S", value_name = "SECONDS", default_value_t = 60)]
    pub stall_timeout_s: u64,

    /// How often a quiet connection is told its resume token
    #[arg(long, env = "BYWASH_CHECKPOINT_INTERVAL_S", value_name = "SECONDS", default_value_t = 15)]
    pub checkpoint_interval_s: u64,

    /// A state topic is told at most once in this time, with its newest value; 0 tells every value
    #[arg(long, env = "BYWASH_STATE_INTERVAL_MS", value_name = "MILLISECONDS", default_value_t = 100)]
    pub state_interval_ms: u64,

    /// State topics with an interval of their own, as TOPIC=MILLISECONDS,...; the first that matches a topic counts
    #[arg(long, env = "BYWASH_MIN_INTERVALS", value_name = "LIST", default_value = "")]
    pub min_intervals: String,

    /// Memory that the process may use, sockets' buffers included; default: the limit of its control group
    #[arg(long, env = "BYWASH_MEMORY_BUDGET_BYTES", value_name = "BYTES")]
    pub memory_budget_bytes: Option<u64>,

    /// Connections taken in a second; more are told to come again. 0: as many as come
    #[arg(long, env = "BYWASH_MAX_CONNECTS_PER_SECOND", value_name = "COUNT", default_value_t = 5_000)]
    pub max_connects_per_second: u32,

    /// Connections from one address; 0 where many clients share one, as behind an ingress
    #[arg(long, env = "BYWASH_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value_t = 0)]
    pub max_connections_per_address: usize,

    /// Connections held at once; lowered to what the limit of open files allows
    #[arg(long, env = "BYWASH_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = 100_000)]
    pub max_connections: usize,

    /// Connections of one user (0: any); where no keys are asked for everybody is one user, and this does not apply
    #[arg(long, env = "BYWASH_MAX_CONNECTIONS_PER_USER", value_name = "COUNT", default_value_t = 1_000)]
    pub max_connections_per_user: usize,

    /// Secret, the same for all pods, that signs tickets of clients which cannot send headers; default: one of this
    /// process alone, so that a ticket is good for this pod and until its end
    #[arg(long, env = "BYWASH_TICKET_KEY", value_name = "SECRET", hide_env_values = true)]
    pub ticket_key: Option<chassis::auth::Secret>,

    /// How long a ticket is good; never longer than the token that it was given for
    #[arg(long, env = "BYWASH_TICKET_LIFETIME_S", value_name = "SECONDS", default_value_t = 3_600)]
    pub ticket_lifetime_s: u64,

    /// Answer on /ws/echo too, which sends every message back as it came: for conformance suites, not for production
    #[arg(long, env = "BYWASH_WS_ECHO")]
    pub ws_echo: bool,

    /// Folder with the built console
    #[arg(
        long,
        env = "BYWASH_CONSOLE_DIR",
        value_name = "DIR",
        default_value = "services/push-gateway/console/dist"
    )]
    pub console_dir: PathBuf,

    /// Where browsers reach the knowledge base; empty: at the console's own origin
    #[arg(long, env = "BYWASH_KB_URL", value_name = "URL", default_value = "")]
    pub kb_url: String,

    /// Where browsers reach the governor; empty: at the console's own origin
    #[arg(long, env = "BYWASH_GOVERNOR_URL", value_name = "URL", default_value = "")]
    pub governor_url: String,

    /// Where browsers reach the GPU monitor; empty: at the console's own origin
    #[arg(long, env = "BYWASH_GPU_MONITOR_URL", value_name = "URL", default_value = "")]
    pub gpu_monitor_url: String,
}

impl ServiceConfig for Config {
    const SERVICE: &'static str = "push-gateway";

    fn common(&self) -> &CommonConfig {
        &self.common
    }
}
