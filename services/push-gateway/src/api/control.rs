//! What operators and writers may do over HTTP: publish, end connections, revoke tokens and keys.

use axum::Json as JsonAnswer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::extract::Json;
use chassis::{ApiError, CanControl, CanWrite, TraceParent, time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use crate::publish::{self, PublishError};

/// Seconds after which a client may try again what NATS did not take.
const RETRY_AFTER_S: u32 = 2;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Below `app.`, without wildcards.
    topic: String,
    /// Any JSON value; at most 64 KiB.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
}

/// `POST /api/publish {topic, data}` -> 201 `{topic, seq}` once the stream has it.
pub async fn publish(
    State(api): State<Api>,
    CanWrite(identity): CanWrite,
    Json(body): Json<Publish>,
) -> Result<Response, ApiError> {
    let request = TraceParent::of(&tracing::Span::current());
    let bad_input = &api.metrics.bad_input;
    let published = publish::publish(&api.nats, bad_input, &identity, &body.topic, &body.data, request).await;
    let published = published.map_err(|error| refused(&error))?;
    Ok((StatusCode::CREATED, JsonAnswer(published)).into_response())
}

fn refused(error: &PublishError) -> ApiError {
    let (code, message) = (error.code(), error.to_string());
    let status = match error {
        PublishError::Role | PublishError::NotAllowed => StatusCode::FORBIDDEN,
        PublishError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        PublishError::Topic(_) | PublishError::Wildcard => StatusCode::BAD_REQUEST,
        PublishError::Unavailable(_) => return ApiError::unavailable(code, message, RETRY_AFTER_S),
    };
    ApiError::new(status, code, message)
}

/// `DELETE /api/connections/{id}` -> 204; the connection may be any pod's.
pub async fn close_connection(
    State(api): State<Api>,
    _: CanControl,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if api.fleet.close(&id).await {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found(
        "no_such_connection",
        "no pod that answers has this connection; see /debug/clients",
    ))
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// A JWT's `jti` or an API key's id.
    id: String,
    /// An RFC 3339 time; for ever where there is none.
    until: Option<String>,
}

/// `POST /api/revocations {id, until}` -> 201: a JWT's `jti` or an API key's id is refused by every service, and its
/// connections are closed; until the RFC 3339 time, or for ever.
pub async fn revoke(
    State(api): State<Api>,
    _: CanControl,
    Json(body): Json<Revocation>,
) -> Result<Response, ApiError> {
    let until = body.until.as_deref().map(|text| {
        time::parse(text)
            .ok_or_else(|| ApiError::bad_request("malformed_time", "until must be an RFC 3339 time"))
    });
    let until = until.transpose()?;
    api.auth.revocations().revoke(&body.id, until).await?;
    Ok((StatusCode::CREATED, JsonAnswer(body)).into_response())
}
