//! `logs`: the log records of all services at or above a level.
//!
//! Levels have the names that these clients know: a record at `WARN` is told as `WARNING`, and both names are taken.
//! Each level is a wire form of its own, so that the connections of a level share their frames.

use axum::extract::State;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use chassis::extract::Query;
use chassis::{ApiError, Identity};
use proto_schemas::TopicPattern;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::IntoParams;

use super::fields::{Fields, Invalid};
use super::{Endpoint, words};
use crate::api::{Api, Upgrade, permitted};
use crate::codec::frame::{self, Opcode};
use crate::codec::{Action, Form, GapReason, Tell, put_json_string};
use crate::event::Event;

/// Where it is reached.
pub const PATH: &str = "/api/v3/ws/logs";
/// What is followed.
const TOPIC: &str = "logs.>";

/// The levels, lowest first. No service of ours says `CRITICAL`; clients may ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

const NAMES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
static FORMS: [Form; 6] = [
    form("themis logs trace"),
    form("themis logs debug"),
    form("themis logs info"),
    form("themis logs warning"),
    form("themis logs error"),
    form("themis logs critical"),
];

const fn form(name: &'static str) -> Form {
    Form { name, carries_token: false, names_pattern: false }
}

impl Level {
    const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// By a client's name or the last token of a subject, in any case.
    pub fn by_name(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("warn") { "WARNING" } else { name };
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

fn wanted() -> String {
    format!("one of {}", NAMES.join(", "))
}

/// The query string.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Parameters {
    /// The name that the client gives itself.
    client_id: Option<String>,
    /// At least this level; `INFO` where nobody says.
    log_level: Option<String>,
}

/// The handshake.
pub async fn open(
    State(api): State<Api>,
    upgrade: Upgrade,
    Query(parameters): Query<Parameters>,
) -> Result<Response, ApiError> {
    let level = match parameters.log_level.as_deref().filter(|name| !name.is_empty()) {
        None => Some(Level::Info),
        Some(name) => Level::by_name(name),
    };
    let invalid = || ApiError::unprocessable("invalid_level", format!("log_level must be {}", wanted()));
    let endpoint = Logs { level: level.ok_or_else(invalid)? };
    super::open(&api, upgrade, parameters.client_id, endpoint).await
}

/// One connection.
pub struct Logs {
    pub(super) level: Level,
}

/// What of a record is told, as it came.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    logger: Option<&'a RawValue>,
    #[serde(borrow)]
    filename: Option<&'a RawValue>,
    #[serde(borrow)]
    lineno: Option<&'a RawValue>,
}

impl Endpoint for Logs {
    fn path(&self) -> &'static str {
        PATH
    }

    fn actions(&self) -> &'static [&'static str] {
        &["set_level"]
    }

    fn opened(&mut self, identity: &Identity, actions: &mut Vec<Action>) -> Result<(), ApiError> {
        let topics: Vec<TopicPattern> = vec![TOPIC.parse().expect("the catalogue has it")];
        permitted(identity, &topics)?;
        actions.push(Action::Subscribe { topics, since: None, tell: Tell::Quiet });
        Ok(())
    }

    fn request(&mut self, _: &str, fields: &Fields<'_>, _: &mut Vec<Action>) -> Result<(), Invalid> {
        let level = Level::by_name(fields.wanted_text("level")?);
        self.level = level.ok_or_else(|| Invalid::field("level", wanted()))?;
        Ok(())
    }

    fn form(&self) -> &'static Form {
        &FORMS[self.level as usize]
    }

    fn event(&self, event: &Event) -> Bytes {
        // A level that this pod does not know is a newer service's; it is told rather than lost.
        let level = event.topic.rsplit('.').next().and_then(Level::by_name).unwrap_or(Level::Critical);
        if level < self.level {
            return Bytes::new();
        }
        // Another JSON value than an object is no record.
        let Ok(record) = serde_json::from_slice::<Record<'_>>(&event.payload) else { return Bytes::new() };
        let mut out = BytesMut::with_capacity(event.payload.len() + 96);
        out.put_slice(b"{\"type\":\"log\",\"level\":");
        put_json_string(&mut out, level.name());
        for (name, value) in [
            ("message", record.message),
            ("timestamp", record.timestamp),
            ("logger", record.logger),
            ("filename", record.filename),
            ("lineno", record.lineno),
        ] {
            out.put_slice(format!(",\"{name}\":").as_bytes());
            out.put_slice(value.map_or("null", RawValue::get).as_bytes());
        }
        out.put_u8(b'}');
        frame::encode(Opcode::Text, &out)
    }

    fn gap(&self, count: Option<u64>, reason: GapReason) -> Option<Bytes> {
        let count = count.map_or("some".to_owned(), |count| count.to_string());
        let why = match reason {
            GapReason::Skipped => "this connection reads more slowly than they come",
            GapReason::Reset | GapReason::BadToken | GapReason::Trimmed => "they are no longer kept",
        };
        Some(words::error(reason.as_str(), &format!("{count} log records of any level are lost here: {why}")))
    }

    fn upstream(&self, connected: bool) -> Option<Bytes> {
        let text = "the gateway hears of no log records now; they come when it does";
        (!connected).then(|| words::error("upstream_lost", text))
    }
}
