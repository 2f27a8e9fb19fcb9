//! The keys that check tokens: from a secret, a PEM file or a JWKS. Each key has one algorithm, so that a token cannot
//! choose how its signature is read.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;

/// Shortest HS256 secret, bytes: RFC 7518, section 3.2 asks for the size of the hash.
pub(super) const SECRET_SIZE_MIN: usize = 32;
/// Most keys of a JWKS. Identity providers have two or three; a token without a `kid` may be tried with all.
pub(super) const KEYS_MAX: usize = 64;
/// Smallest modulus of an RSA key, bytes: 2048 bits, which is also ring's limit.
const MODULUS_SIZE_MIN: usize = 256;
/// A DER `RSAPublicKey` of that modulus and the smallest exponent, bytes.
const RSA_DER_SIZE_MIN: usize = 268;
/// An uncompressed point of P-256, and a public key of Ed25519, bytes.
const P256_POINT_SIZE: usize = 65;
const ED25519_KEY_SIZE: usize = 32;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum KeyError {
    #[error("the secret has {0} bytes; HS256 needs at least {SECRET_SIZE_MIN}")]
    ShortSecret(usize),
    #[error("it holds a private key; services only check tokens: give the public one")]
    Private,
    #[error("it is neither a public key in PEM (RSA from 2048 bits, P-256, Ed25519) nor a JWKS")]
    NoKey,
    #[error("the JWKS is no object with a list `keys`")]
    NoJwks,
    #[error("the JWKS has more than {KEYS_MAX} keys")]
    TooManyKeys,
    #[error("the JWKS has no key for RS256, ES256 or EdDSA")]
    NoUsableKey,
}

/// One key and its only algorithm.
#[derive(Debug)]
pub(super) struct VerificationKey {
    kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The keys of one source.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<VerificationKey>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// One secret for HS256.
    pub(super) fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SECRET_SIZE_MIN {
            return Err(KeyError::ShortSecret(secret.len()));
        }
        Ok(Self::of(Algorithm::HS256, DecodingKey::from_secret(secret)))
    }

    /// A file's text: a public key in PEM, or a JWKS.
    pub(super) fn from_text(text: &str) -> Result<Self, KeyError> {
        if text.trim_start().starts_with('{') {
            Self::from_jwks(text.as_bytes())
        } else {
            Self::from_pem(text)
        }
    }

    fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyError::Private);
        }
        // The parser would also take a certificate, and from it whatever bit string comes first.
        if !["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"]
            .iter()
            .any(|head| text.contains(head))
        {
            return Err(KeyError::NoKey);
        }
        let pem = text.as_bytes();
        let parsed = [
            (Algorithm::ES256, DecodingKey::from_ec_pem(pem)),
            (Algorithm::EdDSA, DecodingKey::from_ed_pem(pem)),
            (Algorithm::RS256, DecodingKey::from_rsa_pem(pem)),
        ];
        let found = parsed.into_iter().find_map(|(algorithm, key)| Some((algorithm, key.ok()?)));
        let (algorithm, key) =
            found.filter(|(algorithm, key)| fits(*algorithm, key)).ok_or(KeyError::NoKey)?;
        Ok(Self::of(algorithm, key))
    }

    /// A JWKS (RFC 7517). Keys of other kinds and for other uses are left out, as its section 5 has it; symmetric keys
    /// as well, since what is published is no secret.
    pub(super) fn from_jwks(json: &[u8]) -> Result<Self, KeyError> {
        let jwks: Jwks = serde_json::from_slice(json).map_err(|_| KeyError::NoJwks)?;
        if jwks.keys.len() > KEYS_MAX {
            return Err(KeyError::TooManyKeys);
        }
        let keys: Vec<_> = jwks.keys.into_iter().filter_map(verification_key).collect();
        if keys.is_empty() {
            return Err(KeyError::NoUsableKey);
        }
        Ok(Self { keys })
    }

    fn of(algorithm: Algorithm, key: DecodingKey) -> Self {
        Self { keys: vec![VerificationKey { kid: None, algorithm, key }] }
    }

    /// The keys that may have signed a token with this header: those of its `kid`; those without one where none has it;
    /// all where the token names none.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<&VerificationKey>, Refusal> {
        let with_kid = |wanted: Option<&str>| {
            self.keys.iter().filter(|key| key.kid.as_deref() == wanted).collect::<Vec<_>>()
        };
        let mut found = match kid {
            None => self.keys.iter().collect(),
            Some(kid) => with_kid(Some(kid)),
        };
        if found.is_empty() {
            found = with_kid(None);
        }
        if found.is_empty() {
            return Err(Refusal::TokenUnknownKey);
        }
        found.retain(|key| key.algorithm == algorithm);
        if found.is_empty() { Err(Refusal::TokenAlgorithm) } else { Ok(found) }
    }
}

/// The key of one entry; `None` for what is not ours to use.
fn verification_key(entry: Value) -> Option<VerificationKey> {
    let jwk: Jwk = serde_json::from_value(entry).ok()?;
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let common = &jwk.common;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|list| list.contains(&KeyOperations::Verify))
        && common.key_algorithm.is_none_or(|algorithm| algorithm == named);
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|key| for_signatures && fits(algorithm, key))?;
    Some(VerificationKey { kid: jwk.common.key_id, algorithm, key })
}

/// Whether ring will take the key; it only says so when it checks a signature.
fn fits(algorithm: Algorithm, key: &DecodingKey) -> bool {
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            n.len() >= MODULUS_SIZE_MIN && n[0] != 0 && !e.is_empty()
        }
        (Algorithm::RS256, DecodingKeyKind::SecretOrDer(der)) => der.len() >= RSA_DER_SIZE_MIN,
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
            point.len() == P256_POINT_SIZE && point[0] == 4
        }
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => key.len() == ED25519_KEY_SIZE,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
