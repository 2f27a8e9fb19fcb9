//! One JWT: its form, its signature, its claims. A function of the token, the keys and the time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, Validation, decode};
use proto_schemas::topic::TOPIC_SIZE_MAX;
use proto_schemas::{TopicPattern, names};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::crypto;
use super::identity::{Identity, Role, parse_topics};
use super::key_set::KeySet;
use super::refusal::Refusal;
use super::revocations::REVOCATION_ID_SIZE_MAX;

/// Largest token, bytes: what the smallest message of ours that may carry one holds.
pub(super) const TOKEN_SIZE_MAX: usize = 8 * 1024;
/// The last second that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;

/// What a token must say beside its signature.
#[derive(Debug)]
pub(super) struct TokenRules {
    issuer: Option<String>,
    audience: Option<String>,
    leeway: Duration,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

/// Each as it stands, so that a refusal can name the claim.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Value,
    #[serde(default)]
    exp: Value,
    #[serde(default)]
    nbf: Value,
    #[serde(default)]
    jti: Value,
    #[serde(default)]
    roles: Value,
    #[serde(default)]
    topics: Value,
}

/// Whether `credential` has the form of a JWT, whatever it says: three parts of base64url, the last one maybe empty.
pub(super) fn is_token(credential: &str) -> bool {
    let is_base64url = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let mut parts = credential.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None) => {
            !header.is_empty()
                && !claims.is_empty()
                && [header, claims, signature].into_iter().all(is_base64url)
        }
        _ => false,
    }
}

impl TokenRules {
    pub(super) fn new(issuer: Option<String>, audience: Option<String>, leeway: Duration) -> Self {
        crypto::install();
        Self { issuer, audience, leeway }
    }

    /// Who the token speaks for at `now`.
    pub(super) fn verify(&self, token: &str, keys: &KeySet, now: SystemTime) -> Result<Identity, Refusal> {
        if token.len() > TOKEN_SIZE_MAX {
            return Err(Refusal::TokenTooLarge);
        }
        let (kid, algorithm) = header(token)?;
        let validation = self.validation(algorithm);
        let mut refusal = Refusal::TokenSignature;
        for candidate in keys.candidates(kid.as_deref(), algorithm)? {
            match decode::<Claims>(token, &candidate.key, &validation) {
                Ok(data) => return self.identity(&data.claims, now),
                Err(error) => refusal = refusal_of(&error),
            }
            if refusal != Refusal::TokenSignature {
                break;
            }
        }
        Err(refusal)
    }

    /// What the library checks; times are ours, whose clock is an argument and has fractions.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        // Without an audience of ours a token that names one is for somebody else (RFC 7519, section 4.1.3).
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        validation
    }

    fn identity(&self, claims: &Claims, now: SystemTime) -> Result<Identity, Refusal> {
        let expires_at =
            moment(&claims.exp, self.leeway).ok_or(Refusal::TokenClaims("exp must be a number"))?;
        if now >= expires_at {
            return Err(Refusal::TokenExpired);
        }
        if !claims.nbf.is_null() {
            let begin = moment(&claims.nbf, Duration::ZERO)
                .ok_or(Refusal::TokenClaims("nbf must be a number where it is given"))?;
            if now + self.leeway < begin {
                return Err(Refusal::TokenNotYetValid);
            }
        }
        let sub = claims.sub.as_str().filter(|sub| !sub.is_empty());
        let sub = sub.ok_or(Refusal::TokenClaims("sub must be a text that is not empty"))?;
        let own_topic = format!("agent.{}.>", names::encode(sub));
        if own_topic.len() > TOPIC_SIZE_MAX || own_topic.parse::<TopicPattern>().is_err() {
            return Err(Refusal::TokenClaims("sub is too long"));
        }
        let roles = texts(&claims.roles).ok_or(Refusal::TokenClaims("roles must be a list of texts"))?;
        // Identity providers put names of their own there; they allow nothing here.
        let mut identity = Identity::new(sub.to_owned(), roles.iter().filter_map(|role| Role::by_name(role)));
        identity.expires_at = Some(expires_at);
        identity.revocation_id = revocation_id(&claims.jti)?;
        if !claims.topics.is_null() {
            let topics =
                texts(&claims.topics).ok_or(Refusal::TokenClaims("topics must be a list of texts"))?;
            identity.topics = Some(parse_topics(&topics).map_err(Refusal::TokenTopics)?);
        }
        Ok(identity)
    }
}

/// `kid` and algorithm. The token has been found to have three parts.
fn header(token: &str) -> Result<(Option<String>, Algorithm), Refusal> {
    let encoded = token.split('.').next().unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| Refusal::TokenMalformed)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| Refusal::TokenMalformed)?;
    // RFC 7515, section 4.1.11: an extension that must be understood and is not makes the token invalid.
    if header.crit.is_some() {
        return Err(Refusal::TokenMalformed);
    }
    let algorithm = match header.alg.as_str() {
        "HS256" => Algorithm::HS256,
        "RS256" => Algorithm::RS256,
        "ES256" => Algorithm::ES256,
        "EdDSA" => Algorithm::EdDSA,
        _ => return Err(Refusal::TokenAlgorithm),
    };
    Ok((header.kid, algorithm))
}

fn refusal_of(error: &Error) -> Refusal {
    match error.kind() {
        ErrorKind::InvalidSignature => Refusal::TokenSignature,
        ErrorKind::InvalidIssuer => Refusal::TokenIssuer,
        ErrorKind::InvalidAudience => Refusal::TokenAudience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Refusal::TokenIssuer,
        ErrorKind::MissingRequiredClaim(_) => Refusal::TokenAudience,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refusal::TokenAlgorithm,
        _ => Refusal::TokenMalformed,
    }
}

/// A `NumericDate` (seconds since 1970, maybe with a fraction) and the leeway, no later than RFC 3339 can write.
fn moment(claim: &Value, leeway: Duration) -> Option<SystemTime> {
    let last = Duration::from_secs(LAST_SECOND);
    let seconds = claim.as_f64().filter(|seconds| *seconds >= 0.0)?;
    let since = Duration::try_from_secs_f64(seconds).unwrap_or(last).saturating_add(leeway);
    Some(UNIX_EPOCH + since.min(last))
}

/// A list of texts; an absent one is empty.
fn texts(claim: &Value) -> Option<Vec<String>> {
    match claim {
        Value::Null => Some(Vec::new()),
        Value::Array(list) => list.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn revocation_id(claim: &Value) -> Result<Option<Arc<str>>, Refusal> {
    match claim {
        Value::Null => Ok(None),
        Value::String(id) if !id.is_empty() && id.len() <= REVOCATION_ID_SIZE_MAX => {
            Ok(Some(Arc::from(id.as_str())))
        }
        _ => Err(Refusal::TokenClaims("jti must be a text of 1 to 256 bytes where it is given")),
    }
}

#[cfg(test)]
mod tests;
