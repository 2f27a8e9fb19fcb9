//! The knowledge base's client of embedding endpoints against a real one, in a process of its own, that may misbehave.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chassis::Metrics;
use chassis::outbound::parse_url;
use knowledge_base::embed::metrics::EmbedderMetrics;
use knowledge_base::embed::openai::{Endpoint, OpenAiEmbedder, Unanswered};
use knowledge_base::embed::{EmbedError, StaticTable, Vector, VectorError};
use tokio::time::Instant;

/// How long any wait of these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The caller's deadline where a test waits for it to pass.
const SHORT: Duration = Duration::from_millis(700);

/// `bywash-model serve`, ended with the test.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_bywash-model"))
            .arg("serve")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program is built with the tests");
        let mut url = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut url).expect("it prints where it listens");
        Self { process, url: url.trim().to_owned() }
    }

    fn with_fault(fault: &str, more: &[&str]) -> Self {
        Self::start(&[&["--fault", fault], more].concat())
    }

    fn endpoint(&self) -> Endpoint {
        let url = parse_url(&self.url).expect("it prints a URL");
        Endpoint { url, model: "table".into(), key: None, dimension: None }
    }

    fn client(&self) -> OpenAiEmbedder {
        client(self.endpoint()).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn client(endpoint: Endpoint) -> (OpenAiEmbedder, Metrics) {
    let metrics = Metrics::new();
    (OpenAiEmbedder::new(endpoint, EmbedderMetrics::new(&metrics)).expect("the settings are right"), metrics)
}

fn by_table(text: &str) -> Option<Vector> {
    StaticTable::built_in().embed_text(text)
}

async fn embed(
    client: &OpenAiEmbedder,
    texts: &[&str],
    patience: Duration,
) -> Result<Vec<Option<Vector>>, EmbedError> {
    let texts = texts.iter().map(ToString::to_string).collect();
    client.embed(texts, Instant::now() + patience).await
}

/// What a client meets that asks for one vector.
async fn failure(client: &OpenAiEmbedder, patience: Duration) -> EmbedError {
    embed(client, &["dog"], patience).await.expect_err("the server was told to misbehave")
}

#[tokio::test]
async fn vectors_come_bit_for_bit_in_the_order_of_the_texts_however_many_batches_they_take() {
    let server = Server::start(&[]);
    let words = ["dog", "river", "senate", "", "violin", "  ", "oxygen"];
    let texts: Vec<String> = (0..200).map(|index| format!("{} {index}", words[index % 3])).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.extend(words);
    let vectors = embed(&server.client(), &texts, PATIENCE).await.expect("the server answers");
    assert_eq!(vectors.len(), texts.len());
    for (text, vector) in texts.iter().zip(vectors) {
        assert_eq!(vector, by_table(text), "{text:?}");
    }
}

#[tokio::test]
async fn nothing_is_sent_for_nothing() {
    let server = Server::with_fault("refused", &[]);
    let (client, metrics) = client(server.endpoint());
    assert_eq!(embed(&client, &[], PATIENCE).await.expect("no request"), []);
    assert_eq!(embed(&client, &["", "\n"], PATIENCE).await.expect("no request"), [None, None]);
    assert!(!metrics.text().unwrap().contains("bywash_kb_embedder_requests_total{"));
}

#[tokio::test]
async fn the_model_s_dimension_is_asked_for_once() {
    let server = Server::start(&[]);
    let (client, metrics) = client(server.endpoint());
    for _ in 0..2 {
        let model = client.model(Instant::now() + PATIENCE).await.expect("the server answers");
        assert_eq!((&*model.id, model.dimension), ("table", 256));
    }
    let text = metrics.text().unwrap();
    assert!(text.contains("bywash_kb_embedder_requests_total{outcome=\"ok\"} 1\n"), "{text}");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for fault in ["too-many", "internal", "half-json", "broken", "missing"] {
        let server = Server::with_fault(fault, &["--fault-count", "1"]);
        let (client, metrics) = client(server.endpoint());
        let vectors = embed(&client, &["dog"], PATIENCE).await;
        assert_eq!(vectors.unwrap_or_else(|error| panic!("{fault}: {error}")), [by_table("dog")]);
        let text = metrics.text().unwrap();
        for outcome in ["ok", "embedder_unavailable"] {
            let line = format!("bywash_kb_embedder_requests_total{{outcome=\"{outcome}\"}} 1\n");
            assert!(text.contains(&line), "{fault}: {text}");
        }
    }
}

#[tokio::test]
async fn what_does_not_pass_is_unavailable_at_the_deadline() {
    for fault in ["internal", "half-json", "broken", "missing", "silence"] {
        let server = Server::with_fault(fault, &[]);
        let error = failure(&server.client(), SHORT).await;
        assert_eq!(error.code(), "embedder_unavailable", "{fault}: {error:?}");
        let EmbedError::Unavailable { why, .. } = error else { panic!("{fault}: {error:?}") };
        let fits = match fault {
            "internal" => matches!(why, Unanswered::Status(status) if status.as_u16() == 500),
            "half-json" | "missing" => matches!(why, Unanswered::Nonsense(_)),
            "broken" => matches!(why, Unanswered::Broken(_)),
            _ => matches!(why, Unanswered::Slow),
        };
        assert!(fits, "{fault}: {why:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let client = { Server::start(&[]).client() };
    let error = failure(&client, SHORT).await;
    assert!(matches!(error, EmbedError::Unavailable { why: Unanswered::Broken(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_pause_that_the_endpoint_asks_for_is_kept_or_told_to_the_client() {
    let server = Server::with_fault("too-many", &["--fault-count", "1"]);
    let began = Instant::now();
    embed(&server.client(), &["dog"], PATIENCE).await.expect("the second attempt is answered");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());

    let server = Server::with_fault("too-many-for-long", &[]);
    let error = failure(&server.client(), PATIENCE).await;
    let EmbedError::Unavailable { wait, .. } = error else { panic!("{error:?}") };
    assert_eq!(wait, Duration::from_secs(300));
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let server = Server::with_fault("refused", &["--fault-count", "1"]);
    let error = failure(&server.client(), PATIENCE).await;
    assert!(
        matches!(&error, EmbedError::Refused { status, said } if status.as_u16() == 400 && said.contains("told to refuse"))
    );
    assert_eq!(error.code(), "embedder_refused");
}

#[tokio::test]
async fn the_key_is_sent_and_a_wrong_one_is_a_refusal() {
    let server = Server::start(&["--key", "open-sesame"]);
    let keyed = |key: &str| client(Endpoint { key: Some(key.to_owned()), ..server.endpoint() }).0;
    embed(&keyed("open-sesame"), &["dog"], PATIENCE).await.expect("it is the key");
    for client in [keyed("open"), server.client()] {
        let error = failure(&client, PATIENCE).await;
        assert!(matches!(error, EmbedError::Refused { status, .. } if status.as_u16() == 401), "{error:?}");
    }
}

#[tokio::test]
async fn another_dimension_than_the_recorded_or_the_first_is_refused() {
    let server = Server::start(&[]);
    let (recorded, _) = client(Endpoint { dimension: Some(384), ..server.endpoint() });
    let wrong = |error: &EmbedError, expected, found| {
        assert!(
            matches!(error, EmbedError::Vector(VectorError::WrongDimension { expected: e, found: f }) if (*e, *f) == (expected, found)),
            "{error:?}"
        );
        assert_eq!(error.code(), "wrong_dimension");
    };
    wrong(&failure(&recorded, PATIENCE).await, 384, 256);

    let server = Server::with_fault("half-vector", &["--fault-after", "1"]);
    let client = server.client();
    embed(&client, &["dog"], PATIENCE).await.expect("the first answer is right");
    wrong(&failure(&client, PATIENCE).await, 256, 128);
}

#[tokio::test]
async fn zeros_are_no_vector_and_decide_no_dimension() {
    let server = Server::with_fault("zeros", &["--fault-count", "1"]);
    let client = server.client();
    let error = failure(&client, PATIENCE).await;
    assert!(matches!(error, EmbedError::Vector(VectorError::NoDirection)), "{error:?}");
    assert_eq!(error.code(), "invalid_vector");
    assert_eq!(client.model(Instant::now() + PATIENCE).await.expect("it answers now").dimension, 256);
}

#[tokio::test]
async fn requests_beyond_the_bound_wait_and_give_up_at_their_deadline() {
    let server = Server::with_fault("silence", &[]);
    let client = server.client();
    let texts: Vec<String> = (0..6 * 32).map(|index| format!("dog {index}")).collect();
    let error = client.embed(texts, Instant::now() + SHORT).await.expect_err("nobody answers");
    assert_eq!(error.code(), "embedder_unavailable");
    // The places are free again: the next request is sent and not kept waiting.
    let error = failure(&client, SHORT).await;
    assert!(matches!(error, EmbedError::Unavailable { why: Unanswered::Slow, .. }), "{error:?}");
}
