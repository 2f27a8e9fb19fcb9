//! Why somebody is not let in: the one list of reasons, with a stable code each.

use std::borrow::Cow;

use axum::http::StatusCode;

use super::token::TOKEN_SIZE_MAX;
use crate::error::ApiError;

/// A reason. Its text never repeats anything of the key or the token, which may end up in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Neither a key nor a token was sent.
    Missing,
    /// The API key is not known.
    WrongKey,
    /// The API key's `expires_at` is past.
    KeyExpired,
    /// The API key's id is revoked.
    KeyRevoked,
    /// A token, where no setting says how to check one.
    TokenNotAccepted,
    /// Longer than the limit.
    TokenTooLarge,
    /// No header or no claims can be read, or the header demands an extension.
    TokenMalformed,
    /// `none`, one that is not supported, or not the one of the key.
    TokenAlgorithm,
    /// The signature is not the key's.
    TokenSignature,
    /// No key has the token's `kid`.
    TokenUnknownKey,
    /// `exp` is past, with the leeway.
    TokenExpired,
    /// `nbf` is ahead, with the leeway.
    TokenNotYetValid,
    /// `aud` is missing or for somebody else.
    TokenAudience,
    /// `iss` is missing or somebody else.
    TokenIssuer,
    /// A claim is missing or of the wrong form.
    TokenClaims(&'static str),
    /// The claim `topics` holds what the catalogue does not have, at this place.
    TokenTopics(usize),
    /// The token's `jti` is revoked.
    TokenRevoked,
}

impl Refusal {
    /// The stable code; also the label of the counter.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing_key",
            Self::WrongKey => "wrong_key",
            Self::KeyExpired => "key_expired",
            Self::KeyRevoked => "key_revoked",
            Self::TokenNotAccepted => "token_not_accepted",
            Self::TokenTooLarge => "token_too_large",
            Self::TokenMalformed => "token_malformed",
            Self::TokenAlgorithm => "token_algorithm",
            Self::TokenSignature => "token_signature",
            Self::TokenUnknownKey => "token_unknown_key",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::TokenAudience => "token_audience",
            Self::TokenIssuer => "token_issuer",
            Self::TokenClaims(_) => "token_claims",
            Self::TokenTopics(_) => "token_topics",
            Self::TokenRevoked => "token_revoked",
        }
    }

    fn message(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Missing => {
                "send an API key as Authorization: Bearer KEY or X-API-Key: KEY, or a JWT as Authorization: Bearer"
            }
            Self::WrongKey => "this API key is not known here",
            Self::KeyExpired => "this API key has expired",
            Self::KeyRevoked => "this API key is revoked",
            Self::TokenNotAccepted => "tokens are not accepted here, only API keys",
            Self::TokenMalformed => "this is no JWT that can be read",
            Self::TokenAlgorithm => "the token's algorithm is not the one of the key that would check it",
            Self::TokenSignature => "the token's signature is not from a key known here",
            Self::TokenUnknownKey => "no key known here has the token's kid",
            Self::TokenExpired => "the token has expired",
            Self::TokenNotYetValid => "the token is not valid yet",
            Self::TokenAudience => "the token is not for this audience",
            Self::TokenIssuer => "the token is not from the issuer that is accepted here",
            Self::TokenRevoked => "the token is revoked",
            Self::TokenTooLarge => {
                return format!("the token is longer than {TOKEN_SIZE_MAX} bytes").into();
            }
            Self::TokenClaims(what) => return format!("the token's claims cannot be used: {what}").into(),
            Self::TokenTopics(index) => {
                return format!("number {} of the claim topics is none of the catalogue", index + 1).into();
            }
        })
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, refusal.code(), refusal.message())
    }
}
