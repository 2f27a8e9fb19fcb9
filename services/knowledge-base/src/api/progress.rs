//! Long work told while it is under way: with `?progress=true` the answer is JSON lines, the last of which is the report
//! or the error.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chassis::ApiError;
use futures_util::stream;
use proto_schemas::json;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// Runs `work` on a task of its own and answers with lines `{"progress": ...}`, one a second, where there is something
/// new, then `{"report": ...}` or `{"error": {"code", "message", "details"}}`.
///
/// `work` gets where it tells how far it is. It goes on when the client reads slowly, and ends when the client is gone.
pub fn lines<W>(work: impl FnOnce(watch::Sender<Value>) -> W) -> Response
where
    W: Future<Output = Result<Value, ApiError>> + Send + 'static,
{
    let (teller, mut told) = watch::channel(Value::Null);
    let work = work(teller);
    // One line under way: a client that reads slowly gets newer numbers, not more of them.
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        let last = loop {
            tokio::select! {
                result = &mut work => break result,
                () = sender.closed() => return,
                _ = ticks.tick() => {
                    if told.has_changed().unwrap_or(false) {
                        let line = json!({"progress": *told.borrow_and_update()});
                        // Full means that the client has not read the last one yet.
                        let _ = sender.try_send(line_of(&line));
                    }
                }
            }
        };
        let last = match last {
            Ok(report) => json!({"report": report}),
            Err(error) => json!({"error": {
                "code": error.code(), "message": error.message(), "details": error.details(),
            }}),
        };
        // Nobody reads it when the client is gone.
        let _ = sender.send(line_of(&last)).await;
    });
    let lines = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|line| (Ok::<_, Infallible>(line), receiver))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

fn line_of(value: &Value) -> Bytes {
    let mut line = json::to_vec(value);
    line.push(b'\n');
    line.into()
}
