//! Vectors from an endpoint that speaks OpenAI's protocol: `POST <url>/embeddings {model, input, encoding_format}`.
//!
//! Texts go in batches, a bounded number of requests at a time. What may pass (no connection, 5xx, 429, an answer that
//! makes no sense) is tried again with growing pauses until the caller's deadline; what will not (another 4xx, another
//! dimension) ends at once. What a batch is and what comes back is `openai/exchange.rs`'s.

mod exchange;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use bytes::Bytes;
use chassis::outbound::{Outbound, OutboundError, OutboundSetupError};
use chassis::telemetry::TRACE_TARGET;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument;

use super::metrics::EmbedderMetrics;
use super::{EmbedError, EmbeddingModel, Vector, VectorError};
use exchange::Nonsense;

/// Requests under way at once, for all callers together: servers with one accelerator gain nothing from more.
const REQUESTS_MAX: usize = 4;
/// How long one request may take, from the connection to the last byte: a batch on a processor takes some seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The first pause after a failure; the next ones double.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause, unless the endpoint asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest answer, bytes: a batch of vectors of 4,096 numbers with 24 bytes each is 3 MiB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why an endpoint cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenAiSetupError {
    /// The key has characters that no header can carry.
    #[error("the key has a line break or another character that no header can carry")]
    Key,
    /// The URL does not go with a path.
    #[error("the URL cannot be extended by /embeddings")]
    Url(#[source] axum::http::Error),
    /// No TLS.
    #[error("the endpoint cannot be reached")]
    Client(#[from] OutboundSetupError),
}

/// Where vectors come from.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What `/embeddings` is appended to, such as `https://api.openai.com/v1`.
    pub url: Uri,
    /// What the endpoint calls the model.
    pub model: String,
    /// Sent as a bearer token.
    pub key: Option<String>,
    /// What is recorded of the model's dimension; where nothing is, the first answer decides.
    pub dimension: Option<usize>,
}

/// A client of an endpoint. Cheap to clone; all clones share the bound on requests.
#[derive(Debug, Clone)]
pub struct OpenAiEmbedder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Outbound,
    url: Uri,
    authorization: Option<HeaderValue>,
    model: Arc<str>,
    dimension: OnceLock<usize>,
    requests: Semaphore,
    metrics: EmbedderMetrics,
}

impl OpenAiEmbedder {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`OpenAiSetupError`] where nothing ever could be.
    pub fn new(endpoint: Endpoint, metrics: EmbedderMetrics) -> Result<Self, OpenAiSetupError> {
        let client = Outbound::new(&endpoint.url, REQUESTS_MAX)?;
        let authorization = endpoint.key.map(|key| HeaderValue::try_from(format!("Bearer {key}")));
        let mut authorization = authorization.transpose().map_err(|_| OpenAiSetupError::Key)?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let path = format!("{}/embeddings", endpoint.url.path().trim_end_matches('/'));
        let mut parts = endpoint.url.into_parts();
        parts.path_and_query =
            Some(path.parse().map_err(|error| OpenAiSetupError::Url(axum::http::Error::from(error)))?);
        let url = Uri::from_parts(parts).map_err(|error| OpenAiSetupError::Url(error.into()))?;
        Ok(Self(Arc::new(Inner {
            client,
            url,
            authorization,
            model: endpoint.model.into(),
            dimension: endpoint.dimension.map_or_else(OnceLock::new, OnceLock::from),
            requests: Semaphore::new(REQUESTS_MAX),
            metrics,
        })))
    }

    /// What the endpoint calls the model.
    pub fn model_id(&self) -> &str {
        &self.0.model
    }

    /// What its vectors are recorded as. Asks the endpoint for a vector where the dimension is not known yet.
    ///
    /// # Errors
    /// [`EmbedError`] where it had to ask and got no vector.
    pub async fn model(&self, deadline: Instant) -> Result<EmbeddingModel, EmbedError> {
        if self.0.dimension.get().is_none() {
            self.request(&["dimension".to_owned()], deadline).await?;
        }
        let dimension = *self.0.dimension.get().expect("an answer has set it");
        Ok(EmbeddingModel { id: Arc::clone(&self.0.model), dimension })
    }

    /// The vectors of `texts`, in their order; `None` for a text of white space alone, which is not sent.
    ///
    /// # Errors
    /// [`EmbedError`]; then none of the texts has a vector.
    pub async fn embed(
        &self,
        texts: Vec<String>,
        deadline: Instant,
    ) -> Result<Vec<Option<Vector>>, EmbedError> {
        let count = texts.len();
        let (places, sent): (Vec<usize>, Vec<String>) =
            texts.into_iter().enumerate().filter(|(_, text)| !text.trim().is_empty()).unzip();
        let answers = stream::iter(exchange::batches(&sent))
            .map(|batch| self.request(&sent[batch], deadline))
            .buffered(REQUESTS_MAX)
            .try_collect::<Vec<_>>();
        let mut vectors = vec![None; count];
        for (place, vector) in places.into_iter().zip(answers.await?.into_iter().flatten()) {
            vectors[place] = Some(vector);
        }
        Ok(vectors)
    }

    /// Sends a batch until it is answered, refused, or the time is over.
    async fn request(&self, texts: &[String], deadline: Instant) -> Result<Vec<Vector>, EmbedError> {
        let body = exchange::request(&self.0.model, texts);
        let mut pause = PAUSE_MIN;
        loop {
            let span = tracing::info_span!(target: TRACE_TARGET, "embedder.request", texts = texts.len());
            let tried = self.attempt(body.clone(), texts.len(), deadline).instrument(span).await;
            self.0.metrics.requests.with_label_values(&[outcome(&tried)]).inc();
            let failure = match tried {
                Ok(vectors) => return Ok(vectors),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(failure)) => failure,
            };
            // Half to all of it, so that clients which failed together do not come back together.
            let jittered = pause.mul_f64(0.5 + fastrand::f64() / 2.0).max(failure.wait);
            if Instant::now() + jittered >= deadline {
                return Err(EmbedError::Unavailable { why: failure.why, wait: failure.wait });
            }
            tokio::time::sleep(jittered).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, body: Bytes, count: usize, deadline: Instant) -> Result<Vec<Vector>, Failure> {
        let passing = |why: Unanswered| Failure::Passing(Passing { why, wait: Duration::ZERO });
        let place = tokio::time::timeout_at(deadline, self.0.requests.acquire()).await;
        let _place = place.map_err(|_| passing(Unanswered::Busy))?.expect("the semaphore is never closed");
        let until = deadline.min(Instant::now() + ATTEMPT_TIMEOUT);
        // Observed as it is dropped, whatever comes of the request.
        let _timer = self.0.metrics.request_seconds.start_timer();
        let sent = self.0.client.send(self.post(body), ANSWER_BYTES_MAX);
        let answer = match tokio::time::timeout_at(until, sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(passing(Unanswered::Broken(Arc::new(error)))),
            Err(_) => return Err(passing(Unanswered::Slow)),
        };
        let status = answer.status();
        if status == StatusCode::OK {
            let numbers = exchange::answer(answer.body(), count);
            return self
                .vectors(numbers.map_err(|nonsense| passing(Unanswered::Nonsense(nonsense)))?)
                .map_err(Failure::Final);
        }
        let may_pass = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        if may_pass || status.is_server_error() {
            let wait = exchange::retry_after(answer.headers());
            return Err(Failure::Passing(Passing { why: Unanswered::Status(status), wait }));
        }
        Err(Failure::Final(EmbedError::Refused { status, said: exchange::message(answer.body()) }))
    }

    fn post(&self, body: Bytes) -> Request<Bytes> {
        let mut request = Request::post(self.0.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(body)
            .expect("a URL and constant headers make a request");
        if let Some(authorization) = &self.0.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        request
    }

    fn vectors(&self, answer: Vec<Vec<f32>>) -> Result<Vec<Vector>, EmbedError> {
        let vector = |numbers: Vec<f32>| -> Result<Vector, VectorError> {
            // Numbers that are no vector must not decide what the dimension is.
            let vector = Vector::new(numbers)?;
            let (expected, found) =
                (*self.0.dimension.get_or_init(|| vector.dimension()), vector.dimension());
            if found == expected { Ok(vector) } else { Err(VectorError::WrongDimension { expected, found }) }
        };
        answer.into_iter().map(vector).collect::<Result<_, _>>().map_err(EmbedError::Vector)
    }
}

/// What an attempt counts as.
fn outcome(tried: &Result<Vec<Vector>, Failure>) -> &'static str {
    match tried {
        Ok(_) => "ok",
        Err(Failure::Final(error)) => error.code(),
        Err(Failure::Passing(_)) => "embedder_unavailable",
    }
}

/// Why an attempt gave no vectors.
enum Failure {
    /// It would fail again.
    Final(EmbedError),
    /// Another attempt may do better.
    Passing(Passing),
}

struct Passing {
    why: Unanswered,
    /// What the endpoint asked for.
    wait: Duration,
}

/// Why the last attempt had no answer of use.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unanswered {
    /// All places for requests were taken until the deadline.
    #[error("{REQUESTS_MAX} requests were under way all the time")]
    Busy,
    /// No answer in time.
    #[error("no answer in time")]
    Slow,
    /// No connection, or it broke.
    #[error("the connection failed")]
    Broken(#[source] Arc<OutboundError>),
    /// A status that may pass.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// An answer without the vectors.
    #[error("the answer holds no vectors")]
    Nonsense(#[source] Nonsense),
}
