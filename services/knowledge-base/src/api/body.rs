//! A fact as clients send it, and what can be wrong with it.

use std::borrow::Cow;

use axum::http::StatusCode;
use chassis::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::grammar::{self, ParseError};
use crate::store::{CONTEXT_BYTES_MAX, Confidence, Context, NewFact};

/// The JSON of one fact. `query` and `fact` are names that clients of older systems use.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FactBody {
    /// The statement.
    #[serde(alias = "query", alias = "fact")]
    pub statement: String,
    /// Where the fact comes from; anything but a string is kept as its JSON.
    #[serde(default)]
    pub context: Value,
    /// 0 to 1.
    #[serde(default)]
    pub confidence: Option<f64>,
}

/// Why something is not a fact. The codes are the API's.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum FactError {
    /// Not a statement of the grammar.
    #[error("the statement does not parse: {0}")]
    Unparsable(ParseError),
    /// The context is too long.
    #[error("the context is longer than {CONTEXT_BYTES_MAX} bytes")]
    ContextTooLong,
    /// The confidence is no share.
    #[error("confidence must be from 0 to 1")]
    InvalidConfidence,
    /// Not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("the line is not JSON: {0}")]
    MalformedJson(String),
    /// JSON, but neither a string nor an object with a statement.
    #[error("the line is no fact: {0}")]
    InvalidBody(String),
    /// Longer than a line may be.
    #[error("the line is longer than {} bytes", super::framing::RECORD_BYTES_MAX)]
    LineTooLong,
}

impl FactError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unparsable(_) => "unparsable",
            Self::ContextTooLong => "context_too_long",
            Self::InvalidConfidence => "invalid_confidence",
            Self::NotUtf8 => "not_utf8",
            Self::MalformedJson(_) => "malformed_json",
            Self::InvalidBody(_) => "invalid_body",
            Self::LineTooLong => "line_too_long",
        }
    }
}

impl From<FactError> for ApiError {
    fn from(error: FactError) -> Self {
        let answer = Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), error.to_string());
        match error {
            FactError::Unparsable(at) => answer.with_details(
                json!({"position": at.byte_offset, "column": at.column, "expected": at.expected}),
            ),
            _ => answer,
        }
    }
}

/// A statement with nothing else: what a line of a text import is.
pub fn from_statement(statement: &str) -> Result<NewFact, FactError> {
    let fact = grammar::parse(statement).map_err(FactError::Unparsable)?;
    Ok(NewFact::new(&fact, Context::default(), Confidence::DEFAULT))
}

/// A fact from its JSON object.
pub fn from_body(body: &FactBody) -> Result<NewFact, FactError> {
    let fact = grammar::parse(&body.statement).map_err(FactError::Unparsable)?;
    let context = match &body.context {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    };
    let context = Context::new(&context).ok_or(FactError::ContextTooLong)?;
    let confidence = match body.confidence {
        None => Confidence::DEFAULT,
        Some(value) => Confidence::new(value).ok_or(FactError::InvalidConfidence)?,
    };
    Ok(NewFact::new(&fact, context, confidence))
}

/// A fact from one JSON value: a statement as a string, or an object.
pub fn from_json(text: &[u8]) -> Result<NewFact, FactError> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a statement, or an object with one")]
    enum Element {
        Statement(String),
        Body(FactBody),
    }
    match serde_json::from_slice(text) {
        Ok(Element::Statement(statement)) => from_statement(&statement),
        Ok(Element::Body(body)) => from_body(&body),
        Err(error) if error.is_data() => Err(FactError::InvalidBody(error.to_string())),
        Err(error) => Err(FactError::MalformedJson(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> &'static str {
        from_json(json.as_bytes()).map_or_else(|error| error.code(), |_| "ok")
    }

    #[test]
    fn a_fact_is_a_string_or_an_object_under_any_of_its_names() {
        for json in [
            r#""P(a)""#,
            r#"{"statement":"P(a)"}"#,
            r#"{"query":"P(a)."}"#,
            r#"{"fact":"P(a)","context":null,"confidence":0.5}"#,
            r#"{"fact":"P(a)","context":{"source":"x"},"more":1}"#,
        ] {
            assert_eq!(
                from_json(json.as_bytes()).map(|fact| fact.statement().to_owned()),
                Ok("P(a).".into())
            );
        }
    }

    #[test]
    fn each_fault_has_its_code() {
        assert_eq!(code(r#"{"statement":"P("}"#), "unparsable");
        assert_eq!(code(r#"{"statement":"P(a)","confidence":1.1}"#), "invalid_confidence");
        assert_eq!(code(r#"{"statement":"P(a)","confidence":"x"}"#), "invalid_body");
        assert_eq!(code(r#"{"context":"P(a)"}"#), "invalid_body");
        assert_eq!(code("7"), "invalid_body");
        assert_eq!(code(r#"{"statement":"#), "malformed_json");
        assert_eq!(code("\"\u{0}\""), "malformed_json");
        let long = "x".repeat(CONTEXT_BYTES_MAX + 1);
        assert_eq!(code(&format!(r#"{{"statement":"P(a)","context":"{long}"}}"#)), "context_too_long");
    }
}
