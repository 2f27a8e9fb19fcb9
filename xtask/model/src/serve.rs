//! An endpoint that speaks OpenAI's protocol for embeddings: of the built-in table, or of the full model. It can be told to
//! misbehave, which is how the tests see what the knowledge base makes of that.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use clap::{Args, ValueEnum};
use futures_util::stream;
use knowledge_base::embed::{StaticTable, Vector};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bert::Bert;
use crate::wheel;

/// Most texts in a request, as OpenAI has it.
const TEXTS_MAX: usize = 2048;

/// What `serve` may be told.
#[derive(Args)]
pub struct Arguments {
    /// Port on loopback; 0: any free one, which is printed
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The full model's package, a wheel; without it the built-in table answers
    #[arg(long, value_name = "FILE")]
    wheel: Option<PathBuf>,
    /// A key that requests must have
    #[arg(long)]
    key: Option<String>,
    /// What to do wrong
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// How many requests get a right answer before the first fault
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    fault_after: u64,
    /// How many requests meet the fault; default: all that follow
    #[arg(long, value_name = "COUNT")]
    fault_count: Option<u64>,
}

/// Ways of being wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// 429 with `Retry-After: 1`.
    TooMany,
    /// 429 with `Retry-After: 300`.
    TooManyForLong,
    /// 500.
    Internal,
    /// 400 with a message.
    Refused,
    /// Half of the JSON, as if it were all.
    HalfJson,
    /// Half of the JSON, then the connection breaks.
    Broken,
    /// Half of each vector.
    HalfVector,
    /// Vectors of zeros.
    Zeros,
    /// One vector too few.
    Missing,
    /// No answer at all.
    Silence,
}

/// What makes the vectors.
enum Model {
    Table(&'static StaticTable),
    Full(Box<Bert>),
}

struct Server {
    model: Model,
    key: Option<String>,
    fault: Option<Fault>,
    faulty: std::ops::Range<u64>,
    requests: AtomicU64,
}

#[derive(Deserialize)]
struct RequestBody {
    model: String,
    input: Input,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Vec<f32>,
}

/// Serves until the process is ended.
pub fn run(arguments: &Arguments) -> Result<()> {
    let model = match &arguments.wheel {
        None => Model::Table(StaticTable::built_in()),
        Some(path) => Model::Full(Box::new(Bert::load(&wheel::read(path)?)?)),
    };
    let last = arguments.fault_count.map_or(u64::MAX, |count| arguments.fault_after.saturating_add(count));
    let server = Server {
        model,
        key: arguments.key.clone(),
        fault: arguments.fault,
        faulty: arguments.fault_after..last,
        requests: AtomicU64::new(0),
    };
    let routes = Router::new().route("/v1/embeddings", post(embeddings)).with_state(Arc::new(server));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await;
        let listener = listener.with_context(|| format!("could not listen on port {}", arguments.port))?;
        println!("http://{}/v1", listener.local_addr()?);
        axum::serve(listener, routes).await.context("the server ended")
    })
}

async fn embeddings(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Json(body): Json<RequestBody>,
) -> Response {
    let expected = server.key.as_ref().map(|key| format!("Bearer {key}"));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if expected.is_some() && expected.as_deref() != given {
        return refusal(StatusCode::UNAUTHORIZED, "wrong key");
    }
    let texts = match body.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    if texts.is_empty() || texts.len() > TEXTS_MAX || texts.iter().any(String::is_empty) {
        return refusal(StatusCode::BAD_REQUEST, "input must be 1 to 2048 texts, none of them empty");
    }
    let number = server.requests.fetch_add(1, Ordering::Relaxed);
    let fault = server.fault.filter(|_| server.faulty.contains(&number));
    let embedding = Arc::clone(&server);
    let vectors = tokio::task::spawn_blocking(move || embedding.model.embed(&texts)).await;
    let Ok(vectors) = vectors else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "the model failed");
    };
    match fault {
        Some(fault) => fault.answer(&body.model, vectors).await,
        None => Json(answer(&body.model, vectors)).into_response(),
    }
}

impl Model {
    /// The numbers for each text; zeros for one of which the table knows no word.
    fn embed(&self, texts: &[String]) -> Vec<Vec<f32>> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        match self {
            Self::Full(bert) => bert.embed(&texts).iter().map(|vector| vector.to_vec()).collect(),
            Self::Table(table) => {
                let zeros = || vec![0.0; table.model().dimension];
                let numbers = |vector: Option<Vector>| vector.map_or_else(zeros, |vector| vector.to_vec());
                texts.iter().map(|text| numbers(table.embed_text(text))).collect()
            }
        }
    }
}

impl Fault {
    async fn answer(self, model: &str, mut vectors: Vec<Vec<f32>>) -> Response {
        let busy = |seconds: &'static str| {
            ([(header::RETRY_AFTER, seconds)], refusal(StatusCode::TOO_MANY_REQUESTS, "too many"))
                .into_response()
        };
        match self {
            Self::TooMany => return busy("1"),
            Self::TooManyForLong => return busy("300"),
            Self::Internal => return refusal(StatusCode::INTERNAL_SERVER_ERROR, "told to fail"),
            Self::Refused => return refusal(StatusCode::BAD_REQUEST, "told to refuse"),
            Self::Silence => std::future::pending().await,
            Self::HalfJson | Self::Broken => {}
            Self::HalfVector => vectors.iter_mut().for_each(|vector| vector.truncate(vector.len() / 2)),
            Self::Zeros => vectors.iter_mut().for_each(|vector| vector.fill(0.0)),
            Self::Missing => drop(vectors.pop()),
        }
        let whole = answer(model, vectors).to_string();
        let half = whole[..whole.len() / 2].to_owned();
        let json = [(header::CONTENT_TYPE, "application/json".to_owned())];
        match self {
            Self::HalfJson => (json, half).into_response(),
            Self::Broken => {
                let parts = [Ok(half), Err(io::Error::other("told to break off"))];
                (json, Body::from_stream(stream::iter(parts))).into_response()
            }
            _ => (json, whole).into_response(),
        }
    }
}

fn answer(model: &str, vectors: Vec<Vec<f32>>) -> Value {
    let items = vectors.into_iter().enumerate();
    let data: Vec<Item> =
        items.map(|(index, embedding)| Item { object: "embedding", index, embedding }).collect();
    json!({ "object": "list", "data": data, "model": model, "usage": { "prompt_tokens": 0, "total_tokens": 0 } })
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    (status, Json(json!({ "error": { "message": message, "type": kind, "param": null, "code": null } })))
        .into_response()
}
