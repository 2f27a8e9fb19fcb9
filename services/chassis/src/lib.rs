//! What every service of Bywash shares: configuration, telemetry, health, HTTP, authentication, NATS and the life
//! of a process. It knows the contract (`proto-schemas`) and no service.

pub mod auth;
pub mod commands;
pub mod config;
pub mod endpoints;
pub mod error;
pub mod extract;
pub mod health;
pub mod http;
pub mod lag;
mod linger;
mod log_records;
pub mod metrics;
pub mod nats;
pub mod observe;
pub mod origin;
pub mod outbound;
pub mod process;
pub mod setup;
pub mod shutdown;
pub mod state;
pub mod streams;
pub mod telemetry;
pub mod time;
pub mod tls;
pub mod trace_context;

pub use auth::{Auth, CanControl, CanRead, CanWrite, Identity, Revocations, RevokeError, Role};
pub use config::CommonConfig;
pub use endpoints::{Endpoints, Operation};
pub use error::{ApiError, StartError};
pub use health::Health;
pub use metrics::Metrics;
pub use nats::Nats;
pub use process::Chassis;
pub use shutdown::Shutdown;
pub use trace_context::TraceParent;
