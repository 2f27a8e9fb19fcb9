//! What is sent to an endpoint and what its answers mean. Pure: texts and bytes in, bytes and numbers out.

use std::ops::Range;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Most texts in a request: the smallest bound among servers that are widely used (Text Embeddings Inference, by
/// default).
const BATCH_TEXTS_MAX: usize = 32;
/// Bytes of texts after which a batch ends; one longer text is a batch of its own.
const BATCH_BYTES: usize = 64 * 1024;
/// Longest pause that an endpoint can ask for: no deadline is as long.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10 * 60);
/// How much of an endpoint's error message is logged, characters.
const MESSAGE_CHARS_MAX: usize = 200;

/// Why an answer is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// Not the protocol's JSON.
    #[error("it is not the protocol's JSON: {0}")]
    Json(String),
    /// A text without a vector, or with two.
    #[error("{found} vectors came for {expected} texts, or not one for each")]
    Count {
        /// Texts.
        expected: usize,
        /// Vectors.
        found: usize,
    },
}

#[derive(Serialize)]
struct RequestBody<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct AnswerBody {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: usize,
    embedding: Vec<f32>,
}

/// Neighbouring texts that go together.
pub fn batches(texts: &[String]) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, text) in texts.iter().enumerate() {
        if index > start && (index - start == BATCH_TEXTS_MAX || bytes + text.len() > BATCH_BYTES) {
            batches.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes += text.len();
    }
    if start < texts.len() {
        batches.push(start..texts.len());
    }
    batches
}

/// The body that asks for the vectors of `texts`.
pub fn request(model: &str, texts: &[String]) -> Bytes {
    let body = RequestBody { model, input: texts, encoding_format: "float" };
    serde_json::to_vec(&body).expect("strings become JSON").into()
}

/// The numbers for each of `count` texts, in the order of the texts.
pub fn answer(body: &[u8], count: usize) -> Result<Vec<Vec<f32>>, Nonsense> {
    let answer: AnswerBody =
        serde_json::from_slice(body).map_err(|error| Nonsense::Json(error.to_string()))?;
    let found = answer.data.len();
    let mut by_text = vec![None; count];
    for item in answer.data {
        if let Some(place) = by_text.get_mut(item.index) {
            *place = Some(item.embedding);
        }
    }
    let complete = found == count;
    let all: Option<Vec<_>> = by_text.into_iter().collect();
    all.filter(|_| complete).ok_or(Nonsense::Count { expected: count, found })
}

/// What an endpoint that has too much to do asks for; nothing where it says nothing, or a date.
pub fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs).min(RETRY_AFTER_MAX)
}

/// What an error says, for the log.
pub fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().filter(|letter| !letter.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_in_texts_and_bytes_and_a_long_text_goes_alone() {
        let texts = |lengths: &[usize]| lengths.iter().map(|length| "x".repeat(*length)).collect::<Vec<_>>();
        assert!(batches(&[]).is_empty());
        assert_eq!(batches(&texts(&[1; 70])), [0..32, 32..64, 64..70]);
        assert_eq!(batches(&texts(&[1, 70_000, 1, 40_000, 40_000])), [0..1, 1..2, 2..4, 4..5]);
    }

    #[test]
    fn a_request_is_what_the_protocol_says() {
        let body = request("m", &["a \"b\"".to_owned()]);
        assert_eq!(body, r#"{"model":"m","input":["a \"b\""],"encoding_format":"float"}"#);
    }

    #[test]
    fn vectors_are_put_in_the_order_of_the_texts() {
        let body = br#"{"object":"list","data":[{"index":1,"embedding":[2,3]},{"index":0,"embedding":[1.5]}],"model":"m"}"#;
        assert_eq!(answer(body, 2), Ok(vec![vec![1.5], vec![2.0, 3.0]]));
    }

    #[test]
    fn an_answer_without_one_vector_for_each_text_is_none() {
        let one = br#"{"data":[{"index":0,"embedding":[1]}]}"#;
        assert_eq!(answer(one, 2), Err(Nonsense::Count { expected: 2, found: 1 }));
        let twice = br#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#;
        assert_eq!(answer(twice, 2), Err(Nonsense::Count { expected: 2, found: 2 }));
        let beyond = br#"{"data":[{"index":7,"embedding":[1]}]}"#;
        assert_eq!(answer(beyond, 1), Err(Nonsense::Count { expected: 1, found: 1 }));
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"data":[{"index":0,"embedding":"base64"}]}"#,
            r#"{"data":[{"index":0,"embedding":[1,"#,
        ] {
            assert!(matches!(answer(body.as_bytes(), 1), Err(Nonsense::Json(_))), "{body}");
        }
    }

    #[test]
    fn a_pause_is_seconds_and_bounded() {
        let asked = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, value.parse().unwrap())])).as_secs()
        };
        assert_eq!(
            (asked("7"), asked("99999"), asked("Wed, 21 Oct 2026 07:28:00 GMT"), asked("-1")),
            (7, 600, 0, 0)
        );
        assert_eq!(retry_after(&HeaderMap::new()), Duration::ZERO);
    }

    #[test]
    fn a_message_for_the_log_is_short_and_one_line() {
        assert_eq!(message(b"a\nb\x1b[31m\xff"), "ab[31m\u{fffd}");
        assert_eq!(message(&[b'x'; 999]).len(), MESSAGE_CHARS_MAX);
    }
}
