//! Who asks, and what they may do: API keys with roles. Without keys everybody on loopback is `local`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::error::{ApiError, StartError};

/// Shortest key that is accepted, bytes: below this a key can be guessed.
const KEY_SIZE_MIN: usize = 16;

/// What a key allows. Roles are independent; a key lists each it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// GET, streams, search.
    Read,
    /// Facts, documents, publish, agent runs.
    Write,
    /// Governor, engines, debug, connections.
    Control,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The key's id, or `local` where nothing is asked.
    pub id: String,
    roles: [bool; 3],
}

impl Identity {
    fn new(id: String, roles: &[Role]) -> Self {
        let mut held = [false; 3];
        for role in roles {
            held[*role as usize] = true;
        }
        Self { id, roles: held }
    }

    /// Whether the role is held.
    pub fn may(&self, role: Role) -> bool {
        self.roles[role as usize]
    }

    /// 403 unless the role is held.
    pub fn require(&self, role: Role) -> Result<(), ApiError> {
        if self.may(role) {
            return Ok(());
        }
        let message = format!("this key lacks the role {role:?}").to_lowercase();
        Err(ApiError::new(StatusCode::FORBIDDEN, "missing_role", message)
            .with_details(serde_json::json!({"role": format!("{role:?}").to_lowercase()})))
    }
}

/// The keys of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Auth {
    /// SHA-256 of the key -> who it is; looking up a digest tells nothing about the key by its time. `None`: open.
    keys: Option<Arc<HashMap<[u8; 32], Identity>>>,
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
}

fn digest(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key.as_bytes()).as_ref());
    bytes
}

impl Auth {
    /// Nothing is asked: everybody is `local` and may do everything.
    pub fn open() -> Self {
        Self { keys: None }
    }

    /// Reads a file of keys.
    pub fn from_file(path: &Path) -> Result<Self, StartError> {
        let error = |reason: String| StartError::ApiKeys { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
        Self::from_json(&text).map_err(error)
    }

    fn from_json(text: &str) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        if file.keys.is_empty() {
            return Err("it has no keys".to_owned());
        }
        let mut keys = HashMap::with_capacity(file.keys.len());
        for key in file.keys {
            if key.key.len() < KEY_SIZE_MIN {
                return Err(format!("key {:?} is shorter than {KEY_SIZE_MIN} bytes", key.id));
            }
            if key.id.is_empty() || key.roles.is_empty() {
                return Err(format!("key {:?} needs an id and at least one role", key.id));
            }
            if let Some(other) = keys.insert(digest(&key.key), Identity::new(key.id.clone(), &key.roles)) {
                return Err(format!("keys {:?} and {:?} are the same", other.id, key.id));
            }
        }
        Ok(Self { keys: Some(Arc::new(keys)) })
    }

    /// Whether nothing is asked.
    pub fn is_open(&self) -> bool {
        self.keys.is_none()
    }

    /// Who holds `key`.
    pub fn identify(&self, key: &str) -> Result<Identity, ApiError> {
        match &self.keys {
            None => Ok(Identity::new("local".to_owned(), &[Role::Read, Role::Write, Role::Control])),
            Some(keys) => keys.get(&digest(key)).cloned().ok_or_else(|| {
                ApiError::new(StatusCode::UNAUTHORIZED, "wrong_key", "this API key is not known here")
            }),
        }
    }

    /// Who sends these headers: `Authorization: Bearer KEY` or `X-API-Key: KEY`.
    pub fn identify_headers(&self, headers: &HeaderMap) -> Result<Identity, ApiError> {
        if self.is_open() {
            return self.identify("");
        }
        let missing = || {
            ApiError::new(
                StatusCode::UNAUTHORIZED,
                "missing_key",
                "send an API key as Authorization: Bearer KEY or X-API-Key: KEY",
            )
        };
        self.identify(key_of(headers).ok_or_else(missing)?)
    }
}

/// The key that these headers carry.
pub fn key_of(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key")?.to_str().ok())
}

macro_rules! role_extractor {
    ($name:ident, $role:expr, $about:literal) => {
        #[doc = $about]
        #[derive(Debug, Clone)]
        pub struct $name(pub Identity);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
                let auth =
                    parts.extensions.get::<Auth>().expect("the HTTP server adds the keys to each request");
                let identity = auth.identify_headers(&parts.headers)?;
                identity.require($role)?;
                Ok(Self(identity))
            }
        }
    };
}

role_extractor!(CanRead, Role::Read, "Extractor: 401 without a known key, 403 without the role *read*.");
role_extractor!(CanWrite, Role::Write, "Extractor: 401 without a known key, 403 without the role *write*.");
role_extractor!(
    CanControl,
    Role::Control,
    "Extractor: 401 without a known key, 403 without the role *control*."
);

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"keys":[{"id":"ops","key":"0123456789abcdef","roles":["read","control"]}]}"#;

    #[test]
    fn a_key_gives_its_roles_and_no_others() {
        let auth = Auth::from_json(FILE).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(auth.identify_headers(&headers).unwrap_err().code(), "missing_key");
        headers.insert("x-api-key", "0123456789abcdeg".parse().unwrap());
        assert_eq!(auth.identify_headers(&headers).unwrap_err().code(), "wrong_key");
        headers.insert(header::AUTHORIZATION, "bearer 0123456789abcdef".parse().unwrap());
        let identity = auth.identify_headers(&headers).unwrap();
        assert_eq!(identity.id, "ops");
        assert!(identity.require(Role::Control).is_ok());
        let error = identity.require(Role::Write).unwrap_err();
        assert_eq!((error.status(), error.code()), (StatusCode::FORBIDDEN, "missing_role"));
    }

    #[test]
    fn a_file_that_would_let_anybody_in_is_refused() {
        for (text, part) in [
            (r#"{"keys":[]}"#, "no keys"),
            (r#"{"keys":[{"id":"a","key":"short","roles":["read"]}]}"#, "shorter"),
            (r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":[]}]}"#, "at least one role"),
            (r#"{"keys":[{"id":"a","key":"0123456789abcdef","roles":["admin"]}]}"#, "admin"),
            ("[]", "invalid"),
        ] {
            let reason = Auth::from_json(text).unwrap_err();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }
}
