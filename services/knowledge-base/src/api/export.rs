//! `GET /api/facts/export`: all facts of one moment, as the bulk endpoint takes them. What is exported and imported into
//! an empty store is exported again byte for byte.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chassis::{ApiError, CanRead, extract};
use futures_util::stream;
use proto_schemas::json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caught_up::CaughtUp;
use super::{ApiState, read_error};
use crate::error::log_read_failure;
use crate::store::{Export, ReadError, StoredFact};

/// The moment of an export; `since=kb:<epoch>:<revision>` goes on from it.
const REVISION: HeaderName = HeaderName::from_static("bywash-revision");
const EPOCH: HeaderName = HeaderName::from_static("bywash-epoch");

/// How facts are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A JSON array of objects.
    #[default]
    Json,
    /// A statement a line; contexts and confidences are left out.
    Text,
    /// A JSON object a line.
    Jsonl,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Jsonl => "application/jsonl",
        }
    }
}

/// What the endpoint takes in its query.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ExportQuery {
    /// `json` where nobody says.
    #[serde(default)]
    #[param(inline)]
    format: Format,
}

/// A fact as it can be imported again.
#[derive(Debug, Serialize)]
struct Line<'a> {
    statement: &'a str,
    context: &'a str,
    confidence: f64,
}

/// The endpoint. A body that breaks off ends without its last chunk, so no client takes it for whole.
pub async fn export(
    State(state): State<ApiState>,
    _: CanRead,
    _: CaughtUp,
    extract::Query(query): extract::Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let export = state.store.export().await.map_err(|error| read_error(&error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(query.format.media_type())),
        (REVISION, HeaderValue::from(export.revision.0)),
        // An epoch is hex digits.
        (EPOCH, HeaderValue::from_str(export.epoch.as_str()).unwrap_or(HeaderValue::from_static(""))),
    ];
    let writing = Writing { export, format: query.format, begun: false, ended: false };
    let body = Body::from_stream(stream::try_unfold(writing, Writing::next));
    Ok((headers, body).into_response())
}

struct Writing {
    export: Export,
    format: Format,
    begun: bool,
    ended: bool,
}

impl Writing {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let chunk = self.export.next().await.inspect_err(log_read_failure)?;
        let mut out = Vec::new();
        match chunk {
            Some(facts) => {
                for fact in &facts {
                    self.write(fact, &mut out);
                }
            }
            None => {
                self.ended = true;
                if self.format == Format::Json {
                    out.extend_from_slice(if self.begun { b"\n]\n" } else { b"[]\n" });
                }
            }
        }
        Ok(Some((out.into(), self)))
    }

    fn write(&mut self, fact: &StoredFact, out: &mut Vec<u8>) {
        let separator: &[u8] = match (self.format, self.begun) {
            (Format::Json, false) => b"[\n",
            (Format::Json, true) => b",\n",
            _ => b"",
        };
        self.begun = true;
        out.extend_from_slice(separator);
        if self.format == Format::Text {
            // Writing to memory does not fail.
            let _ = writeln!(out, "{}", fact.statement);
            return;
        }
        let line = Line { statement: &fact.statement, context: &fact.context, confidence: fact.confidence };
        out.extend_from_slice(&json::to_vec(&line));
        if self.format == Format::Jsonl {
            out.push(b'\n');
        }
    }
}
