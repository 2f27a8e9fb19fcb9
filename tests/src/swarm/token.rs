//! What clients show to be let in: a text from the command line, or a token of their own, signed here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the clients of a swarm show.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// All the same token or API key.
    Text(String),
    /// Each a JWT of its own, signed with HS256.
    Signed {
        /// What the server checks them with.
        secret: String,
        /// When they end, Unix seconds.
        expires_unix_s: u64,
        /// Part of each holder's name.
        name: String,
    },
}

/// The name of a holder: user and id of its token.
pub fn holder_name(name: &str, holder: u32) -> String {
    format!("{name}-{holder}")
}

impl Credential {
    /// The same for holders of another name; a text stays as it is.
    #[must_use]
    pub fn named(mut self, new: &str) -> Self {
        if let Self::Signed { name, .. } = &mut self {
            new.clone_into(name);
        }
        self
    }

    /// Of the holder with this number.
    pub fn of(&self, holder: u32) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Signed { secret, expires_unix_s, name } => {
                hs256(secret, &holder_name(name, holder), *expires_unix_s, &["read"])
            }
        }
    }
}

/// A JWT for user and token id `name`, which may follow everything (RFC 7519, RFC 7518 section 3.2).
pub fn hs256(secret: &str, name: &str, expires_unix_s: u64, roles: &[&str]) -> String {
    signed(secret, &json!({"sub": name, "jti": name, "exp": expires_unix_s, "roles": roles}))
}

/// A JWT with these claims, signed with HS256.
pub fn signed(secret: &str, claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_each_holder_its_own() {
        let signed = Credential::Signed { secret: "s".repeat(32), expires_unix_s: 1, name: "n".to_owned() };
        assert_eq!(signed.of(1).split('.').count(), 3);
        assert_ne!(signed.of(1), signed.of(2));
        assert_eq!(signed.of(1), signed.of(1));
    }
}
