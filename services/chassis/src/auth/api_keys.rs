//! API keys: the file that names them, and the table that finds one.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;

use super::identity::{Identity, Role, parse_topics};
use super::refusal::Refusal;
use super::revocations::REVOCATION_ID_SIZE_MAX;
use super::token::is_token;
use crate::error::StartError;
use crate::time;

/// Shortest key that is accepted, bytes: below this a key can be guessed.
const KEY_SIZE_MIN: usize = 16;

/// The keys of a process.
#[derive(Debug)]
pub(super) struct ApiKeys {
    /// SHA-256 of the key -> who it is; looking up a digest tells nothing about the key by its time.
    identities: HashMap<[u8; 32], Identity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    key: String,
    roles: Vec<Role>,
    topics: Option<Vec<String>>,
    expires_at: Option<String>,
}

fn digest(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key.as_bytes()).as_ref());
    bytes
}

impl ApiKeys {
    pub(super) fn from_file(path: &Path) -> Result<Self, StartError> {
        let error = |reason: String| StartError::ApiKeys { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        Self::from_json(&text).map_err(error)
    }

    pub(super) fn from_json(text: &str) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        if file.keys.is_empty() {
            return Err("it has no keys".to_owned());
        }
        let mut identities: HashMap<[u8; 32], Identity> = HashMap::with_capacity(file.keys.len());
        for key in file.keys {
            let (digest, identity) = (digest(&key.key), key.identity()?);
            if let Some(other) = identities.insert(digest, identity.clone()) {
                return Err(format!("keys {:?} and {:?} are the same", other.id, identity.id));
            }
        }
        Ok(Self { identities })
    }

    /// Who holds `key` at `now`.
    pub(super) fn find(&self, key: &str, now: SystemTime) -> Result<Identity, Refusal> {
        let identity = self.identities.get(&digest(key)).ok_or(Refusal::WrongKey)?;
        match identity.expires_at {
            Some(end) if now >= end => Err(Refusal::KeyExpired),
            _ => Ok(identity.clone()),
        }
    }
}

impl Key {
    fn identity(self) -> Result<Identity, String> {
        let id = self.id;
        if self.key.len() < KEY_SIZE_MIN {
            return Err(format!("key {id:?} is shorter than {KEY_SIZE_MIN} bytes"));
        }
        if is_token(&self.key) {
            return Err(format!("key {id:?} has the form of a JWT and would be checked as one"));
        }
        if id.is_empty() || self.roles.is_empty() {
            return Err(format!("key {id:?} needs an id and at least one role"));
        }
        if id.len() > REVOCATION_ID_SIZE_MAX {
            return Err(format!("the id {id:?} is longer than {REVOCATION_ID_SIZE_MAX} bytes"));
        }
        let mut identity = Identity::new(id, self.roles);
        if let Some(topics) = &self.topics {
            identity.topics = Some(parse_topics(topics).map_err(|index| {
                format!(
                    "key {:?} names the topic {:?}, which the catalogue lacks",
                    identity.id, topics[index]
                )
            })?);
        }
        if let Some(text) = &self.expires_at {
            let end = time::parse(text).ok_or_else(|| {
                format!("key {:?} expires at {text:?}, which is no time of RFC 3339", identity.id)
            })?;
            identity.expires_at = Some(end);
        }
        identity.revocation_id = Some(Arc::from(identity.id.as_str()));
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_would_let_anybody_in_is_refused() {
        for (text, part) in [
            (r#"{"keys":[]}"#, "no keys"),
            (r#"{"keys":[{"id":"a","key":"short","roles":["read"]}]}"#, "shorter"),
            (r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":[]}]}"#, "at least one role"),
            (r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":["admin"]}]}"#, "admin"),
            (r#"{"keys":[{"id":"a","key":"0123456789.abc.def","roles":["read"]}]}"#, "form of a JWT"),
            (
                r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":["read"],"topics":["kb.>"]}]}"#,
                r#""kb.>", which the catalogue lacks"#,
            ),
            (
                r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":["read"],"expires_at":"soon"}]}"#,
                "no time of RFC 3339",
            ),
            (
                r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":["read"]},
                    {"id":"b","key":"0123456789abcdef","roles":["read"]}]}"#,
                "are the same",
            ),
            ("[]", "invalid"),
        ] {
            let reason = ApiKeys::from_json(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }

    #[test]
    fn a_key_ends_at_its_time_and_has_its_topics() {
        let keys = ApiKeys::from_json(
            r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":["read"],"topics":["state.>"],
                "expires_at":"2030-01-01T00:00:00Z"}]}"#,
        )
        .unwrap();
        let end = time::parse("2030-01-01T00:00:00Z").unwrap();
        let identity = keys.find("0123456789abcdef", end - Duration::from_millis(1)).unwrap();
        assert_eq!((identity.expires_at, identity.revocation_id.as_deref()), (Some(end), Some("a")));
        assert!(identity.may_follow(&"state.kb".parse().unwrap()));
        assert!(!identity.may_follow(&"kb.facts".parse().unwrap()));
        assert_eq!(keys.find("0123456789abcdef", end), Err(Refusal::KeyExpired));
        assert_eq!(keys.find("0123456789abcdeF", end), Err(Refusal::WrongKey));
    }
}
