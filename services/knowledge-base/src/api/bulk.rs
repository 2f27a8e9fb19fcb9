//! `POST /api/facts/bulk`: many facts in one request of any length. The body is parsed as it arrives and written in
//! batches; a line that is no fact is told by its number and stops nothing.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::extract::Json;
use chassis::{ApiError, CanWrite, extract};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::body::{self, FactError};
use super::framing::{Framer, FramingError, Record};
use super::{ApiState, RETRY_AFTER_S, origin, progress, read_error, write_error};
use crate::lane::{Lane, LaneError};
use crate::store::{BATCH_FACTS_MAX, Epoch, NewFact, Origin, Revision, SentBatch, Store};

/// Errors that an answer lists; the counts tell of the others.
pub const ERRORS_MAX: usize = 100;

/// What a body may be.
pub const MEDIA_TYPES: [&str; 4] =
    ["text/plain", "application/json", "application/x-ndjson", "application/jsonl"];

/// Bytes of records that make a batch even where there are fewer than [`BATCH_FACTS_MAX`].
const BATCH_BYTES: usize = 1 << 20;

/// Batches of one request that the writer has at once: those of one commit and one to go on with.
const BATCHES_AHEAD: usize = 5;

/// What the endpoint takes in its query.
#[derive(Debug, Deserialize, IntoParams)]
pub struct BulkQuery {
    /// Whether nothing is written and only the report is wanted.
    #[serde(default)]
    dry_run: bool,
    /// Whether the answer is JSON lines: how far it is, once a second, then the report or the error.
    #[serde(default)]
    progress: bool,
}

/// A record that was rejected.
#[derive(Debug, Serialize, ToSchema)]
struct LineError {
    /// From 1.
    line: u64,
    code: &'static str,
    message: String,
}

/// What became of all records so far. The three counts add up to the records, and blank lines are none.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    added: u64,
    duplicate: u64,
    rejected: u64,
    /// The first 100.
    errors: Vec<LineError>,
    errors_omitted: u64,
    dry_run: bool,
    revision: u64,
    epoch: String,
}

/// How the records of a body read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// A statement a line.
    Text,
    /// A JSON value a line.
    JsonLines,
    /// An array of JSON values.
    JsonArray,
}

impl Format {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/plain" => Ok(Self::Text),
            "application/json" => Ok(Self::JsonArray),
            "application/x-ndjson" | "application/jsonl" => Ok(Self::JsonLines),
            _ => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send Content-Type: text/plain, application/json, application/x-ndjson or application/jsonl",
            )),
        }
    }

    fn framer(self) -> Framer {
        if self == Self::JsonArray { Framer::array() } else { Framer::lines() }
    }

    fn parse(self, bytes: &[u8]) -> Result<NewFact, FactError> {
        if self == Self::Text {
            body::from_statement(std::str::from_utf8(bytes).map_err(|_| FactError::NotUtf8)?)
        } else {
            body::from_json(bytes)
        }
    }
}

/// The endpoint.
///
/// 200 with a report, also where lines were rejected. 415 for another type, 400 `malformed_json` for an array that is
/// none and `unreadable_body` for a body that breaks off, 503 `overloaded`, 507 `storage_full`; then `details` hold the
/// report of what is written, for that stays.
pub async fn import(
    State(state): State<ApiState>,
    CanWrite(identity): CanWrite,
    extract::Query(query): extract::Query<BulkQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let format = Format::of(&headers)?;
    let slot = Arc::clone(&state.bulk_requests).try_acquire_owned().map_err(|_| overloaded())?;
    let import = Import::new(&state, format, origin(identity), query.dry_run);
    let work = |teller| async move {
        let _slot = slot;
        import.finish(body.into_data_stream(), teller).await
    };
    if query.progress {
        return Ok(progress::lines(work));
    }
    work(watch::Sender::default()).await.map(|report| Json(report).into_response())
}

/// One request under way: some batches are written while the next is read and parsed.
struct Import {
    store: Store,
    parsing: Lane,
    format: Format,
    origin: Origin,
    report: Report,
    records: Vec<Record>,
    records_bytes: usize,
    writing: VecDeque<SentBatch>,
}

impl Import {
    fn new(state: &ApiState, format: Format, origin: Origin, dry_run: bool) -> Self {
        let store = state.store.clone();
        let snapshot = store.snapshot();
        let report = Report {
            added: 0,
            duplicate: 0,
            rejected: 0,
            errors: Vec::new(),
            errors_omitted: 0,
            dry_run,
            revision: snapshot.revision.0,
            epoch: snapshot.epoch.as_str().to_owned(),
        };
        Self {
            store,
            parsing: state.parsing.clone(),
            format,
            origin,
            report,
            records: Vec::new(),
            records_bytes: 0,
            writing: VecDeque::new(),
        }
    }

    /// The whole request: the report, or an error that has it in its details.
    async fn finish(mut self, body: BodyDataStream, teller: watch::Sender<Value>) -> Result<Value, ApiError> {
        let result = self.run(body, &teller).await;
        // What is under way is committed whatever else went wrong, and belongs into the report.
        let last = self.settle().await;
        let report = json!(self.report);
        match result.and(last) {
            Ok(()) => Ok(report),
            Err(error) => Err(error.with_details(report)),
        }
    }

    async fn run(&mut self, mut body: BodyDataStream, teller: &watch::Sender<Value>) -> Result<(), ApiError> {
        let mut framer = self.format.framer();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| {
                ApiError::bad_request("unreadable_body", format!("the body broke off: {error}"))
            })?;
            let framed = framer.push(&bytes, &mut |record| self.take(record));
            while self.records.len() >= BATCH_FACTS_MAX || self.records_bytes >= BATCH_BYTES {
                self.write_batch().await?;
                self.tell(teller);
            }
            framed.map_err(|error| malformed(&error))?;
        }
        let framed = framer.finish(&mut |record| self.take(record));
        while !self.records.is_empty() {
            self.write_batch().await?;
        }
        framed.map_err(|error| malformed(&error))
    }

    /// Says how far it is, where somebody wants to know.
    fn tell(&self, teller: &watch::Sender<Value>) {
        if teller.receiver_count() > 0 {
            let Report { added, duplicate, rejected, revision, .. } = &self.report;
            teller.send_replace(
                json!({"added": added, "duplicate": duplicate, "rejected": rejected, "revision": revision}),
            );
        }
    }

    fn take(&mut self, record: Record) {
        self.records_bytes += record.bytes.as_ref().map_or(0, Vec::len);
        self.records.push(record);
    }

    /// Parses the first records and hands them to the writer; waits where it has enough of this request already.
    async fn write_batch(&mut self) -> Result<(), ApiError> {
        let rest = self.records.split_off(self.records.len().min(BATCH_FACTS_MAX));
        let records = std::mem::replace(&mut self.records, rest);
        self.records_bytes =
            self.records.iter().filter_map(|record| record.bytes.as_ref()).map(Vec::len).sum();
        let format = self.format;
        let parsed = self.parsing.run(move || parse_all(format, records)).await;
        let (facts, errors) = parsed.map_err(|error| match error {
            LaneError::Full => overloaded(),
            LaneError::Failed => {
                tracing::error!("parsing a batch failed");
                ApiError::internal()
            }
        })?;
        self.reject(errors);
        if facts.is_empty() {
            return Ok(());
        }
        if self.report.dry_run {
            return self.compare(facts).await;
        }
        if self.writing.len() >= BATCHES_AHEAD {
            self.settle_one().await?;
        }
        let sent = self.store.send_batch(facts, self.origin.clone()).await;
        self.writing.push_back(sent.map_err(|error| write_error(&error))?);
        Ok(())
    }

    /// Waits for all batches under way and counts them; the first error is told.
    async fn settle(&mut self) -> Result<(), ApiError> {
        let mut result = Ok(());
        while !self.writing.is_empty() {
            result = result.and(self.settle_one().await);
        }
        result
    }

    /// Waits for the oldest batch under way and counts it.
    async fn settle_one(&mut self) -> Result<(), ApiError> {
        let Some(oldest) = self.writing.pop_front() else { return Ok(()) };
        let written = oldest.written().await.map_err(|error| write_error(&error))?;
        self.report.added += written.outcome.added;
        self.report.duplicate += written.outcome.duplicates;
        self.see(written.revision, &written.epoch);
        Ok(())
    }

    /// Counts what a batch would add. Repetitions across batches of the same request count as new.
    async fn compare(&mut self, facts: Vec<NewFact>) -> Result<(), ApiError> {
        let mut statements = HashSet::with_capacity(facts.len());
        let repeated: Vec<bool> =
            facts.iter().map(|fact| !statements.insert(fact.statement().to_owned())).collect();
        let seen = self.store.known(facts).await.map_err(|error| read_error(&error))?;
        let duplicates =
            repeated.iter().zip(&seen.value).filter(|(repeated, known)| **repeated || **known).count();
        self.report.duplicate += duplicates as u64;
        self.report.added += (repeated.len() - duplicates) as u64;
        self.see(seen.revision, &seen.epoch);
        Ok(())
    }

    fn reject(&mut self, errors: Vec<LineError>) {
        self.report.rejected += errors.len() as u64;
        let room = ERRORS_MAX - self.report.errors.len();
        self.report.errors_omitted += errors.len().saturating_sub(room) as u64;
        self.report.errors.extend(errors.into_iter().take(room));
    }

    fn see(&mut self, revision: Revision, epoch: &Epoch) {
        self.report.revision = revision.0;
        if self.report.epoch != epoch.as_str() {
            self.report.epoch = epoch.as_str().to_owned();
        }
    }
}

fn parse_all(format: Format, records: Vec<Record>) -> (Vec<NewFact>, Vec<LineError>) {
    let (mut facts, mut errors) = (Vec::with_capacity(records.len()), Vec::new());
    for record in records {
        let parsed = match &record.bytes {
            Some(bytes) => format.parse(bytes),
            None => Err(FactError::LineTooLong),
        };
        match parsed {
            Ok(fact) => facts.push(fact),
            Err(error) => {
                errors.push(LineError {
                    line: record.number,
                    code: error.code(),
                    message: error.to_string(),
                });
            }
        }
    }
    (facts, errors)
}

fn overloaded() -> ApiError {
    ApiError::unavailable("overloaded", "too many bulk requests are under way; try again", RETRY_AFTER_S)
}

fn malformed(error: &FramingError) -> ApiError {
    ApiError::bad_request("malformed_json", error.to_string())
}
