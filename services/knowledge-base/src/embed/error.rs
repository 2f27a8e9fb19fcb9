//! Why texts have no vectors, and how a client is told.

use std::time::Duration;

use axum::http::StatusCode;
use chassis::ApiError;
use serde_json::json;

use super::VectorError;
use super::openai::Unanswered;

/// Why an embedder gave no vectors. Whoever consumes it logs it: most of what it says is for operators.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EmbedError {
    /// No answer of use until the deadline; a later try may have one.
    #[error("the embedder gave no vectors in time")]
    Unavailable {
        /// What the last attempt met.
        #[source]
        why: Unanswered,
        /// How long the endpoint asks to be left alone.
        wait: Duration,
    },
    /// The endpoint does not want this request, and will not another time.
    #[error("the embedder refused with {status}: {said}")]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// The beginning of its message.
        said: String,
    },
    /// It answered with numbers that cannot be used.
    #[error("the embedder's vectors cannot be used")]
    Vector(#[source] VectorError),
    /// The process ends.
    #[error("the work was given up, for the process ends")]
    Stopping,
}

impl EmbedError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "embedder_unavailable",
            Self::Refused { .. } => "embedder_refused",
            Self::Vector(error) => error.code(),
            Self::Stopping => "stopping",
        }
    }
}

/// 503 where another try may do better, else 502: the request is as it should be. What the endpoint says stays in the
/// log, for it may hold parts of a key.
impl From<&EmbedError> for ApiError {
    fn from(error: &EmbedError) -> Self {
        let code = error.code();
        let bad_gateway = |message: String| Self::new(StatusCode::BAD_GATEWAY, code, message);
        match error {
            EmbedError::Unavailable { wait, .. } => {
                let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1);
                Self::unavailable(code, "the embedder gave no vectors in time; try again", seconds)
            }
            EmbedError::Refused { status, .. } => {
                bad_gateway(format!("the embedder refused with {status}; the log of the service says more"))
                    .with_details(json!({ "status": status.as_u16() }))
            }
            EmbedError::Vector(cause) => {
                bad_gateway(format!("the embedder's vectors cannot be used: {cause}"))
            }
            EmbedError::Stopping => Self::unavailable(code, "the service is stopping", 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_code_and_status() {
        let refused = EmbedError::Refused { status: StatusCode::UNAUTHORIZED, said: "bad key sk-1".into() };
        let dimension = EmbedError::Vector(VectorError::WrongDimension { expected: 3, found: 2 });
        let nothing = EmbedError::Vector(VectorError::NoDirection);
        let unavailable = EmbedError::Unavailable { why: Unanswered::Slow, wait: Duration::from_secs(7) };
        for (error, code, status) in [
            (unavailable, "embedder_unavailable", 503),
            (refused, "embedder_refused", 502),
            (dimension, "wrong_dimension", 502),
            (nothing, "invalid_vector", 502),
            (EmbedError::Stopping, "stopping", 503),
        ] {
            let told = ApiError::from(&error);
            assert_eq!((told.code(), told.status().as_u16()), (code, status));
            assert!(!told.message().contains("sk-1"), "{}", told.message());
        }
    }
}
