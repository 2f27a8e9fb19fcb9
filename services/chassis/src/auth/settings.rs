//! Settings of tokens, and what is wrong with them.

use std::fmt;
use std::path::{Path, PathBuf};

use axum::http::Uri;
use clap::Args;

use super::key_set::{KeyError, KeySet};
use crate::outbound::{OutboundSetupError, parse_url};

/// A setting that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for what computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// On each setting, not on the struct: there it would also stand over the settings that come after these.
const HEADING: &str = "Tokens (JWT); give one source of keys at most";

/// Which JWTs are accepted. One source of keys at most; without one, none are.
#[derive(Debug, Clone, Default, Args)]
pub struct JwtConfig {
    /// Secret of at least 32 bytes that signs tokens with HS256; a file or the environment keeps it out of `ps`
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,

    /// File with that secret; a line end after it does not count
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,

    /// File with a public key in PEM (RSA: RS256, P-256: ES256, Ed25519: EdDSA) or with a JWKS
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_KEY_FILE", value_name = "FILE")]
    pub jwt_key_file: Option<PathBuf>,

    /// Where the identity provider publishes its JWKS (https or http); it may be away, the last keys stay
    ///
    /// Read at start, every 5 minutes or as its Cache-Control says, and when a token names a key that is not known.
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_JWKS_URL", value_name = "URL")]
    pub jwt_jwks_url: Option<String>,

    /// The `iss` that a token must have; default: any
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_ISSUER", value_name = "ISSUER")]
    pub jwt_issuer: Option<String>,

    /// An `aud` that a token must have; without this setting a token that names an audience is refused
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_AUDIENCE", value_name = "AUDIENCE")]
    pub jwt_audience: Option<String>,

    /// How far the issuer's clock may be off; a token ends this much after its `exp`
    ///
    /// Hosts that keep their time by NTP differ by far less than 5 seconds, and an ended token should not live on.
    #[arg(long, help_heading = HEADING, env = "BYWASH_JWT_LEEWAY_S", value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=300))]
    pub jwt_leeway_s: u64,
}

/// Why the settings of tokens cannot work.
#[derive(Debug, thiserror::Error)]
pub(super) enum JwtConfigError {
    #[error("give one of BYWASH_JWT_SECRET, _SECRET_FILE, _KEY_FILE and _JWKS_URL, not several")]
    SeveralSources,
    #[error(
        "{0} is set, but nothing that checks tokens: give BYWASH_JWT_SECRET_FILE, _KEY_FILE or _JWKS_URL"
    )]
    NoSource(&'static str),
    #[error("{setting} cannot be used")]
    Key { setting: &'static str, source: KeyError },
    #[error("{setting}: {path} cannot be read")]
    File { setting: &'static str, path: PathBuf, source: std::io::Error },
    #[error("BYWASH_JWT_JWKS_URL is no http:// or https:// URL without a user and a password")]
    Url,
    #[error("BYWASH_JWT_JWKS_URL cannot be used")]
    Client(#[source] OutboundSetupError),
}

/// Where the keys come from.
#[derive(Debug)]
pub(super) enum KeySource {
    /// Read once.
    Fixed(KeySet),
    /// Fetched again and again.
    Url(Uri),
}

impl JwtConfig {
    /// The source of keys; `None` where no tokens are accepted.
    pub(super) fn source(&self) -> Result<Option<KeySource>, JwtConfigError> {
        let given = [
            self.jwt_secret.is_some(),
            self.jwt_secret_file.is_some(),
            self.jwt_key_file.is_some(),
            self.jwt_jwks_url.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(JwtConfigError::SeveralSources);
        }
        let key = |setting: &'static str| move |source| JwtConfigError::Key { setting, source };
        let keys = if let Some(secret) = &self.jwt_secret {
            KeySet::from_secret(secret.0.as_bytes()).map_err(key("BYWASH_JWT_SECRET"))?
        } else if let Some(path) = &self.jwt_secret_file {
            let setting = "BYWASH_JWT_SECRET_FILE";
            let bytes = read(setting, path)?;
            let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            KeySet::from_secret(secret.strip_suffix(b"\r").unwrap_or(secret)).map_err(key(setting))?
        } else if let Some(path) = &self.jwt_key_file {
            let setting = "BYWASH_JWT_KEY_FILE";
            let bytes = read(setting, path)?;
            let text = str::from_utf8(&bytes).map_err(|_| key(setting)(KeyError::NoKey))?;
            KeySet::from_text(text).map_err(key(setting))?
        } else if let Some(url) = &self.jwt_jwks_url {
            return Ok(Some(KeySource::Url(parse_url(url).ok_or(JwtConfigError::Url)?)));
        } else {
            let rule = [("BYWASH_JWT_ISSUER", &self.jwt_issuer), ("BYWASH_JWT_AUDIENCE", &self.jwt_audience)]
                .into_iter()
                .find(|(_, value)| value.is_some());
            return rule.map_or(Ok(None), |(name, _)| Err(JwtConfigError::NoSource(name)));
        };
        Ok(Some(KeySource::Fixed(keys)))
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, JwtConfigError> {
    std::fs::read(path).map_err(|source| JwtConfigError::File { setting, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Example;
    use crate::error::StartError;
    use crate::process::with_causes;

    fn refused(arguments: &[&str]) -> String {
        let all = ["x"].iter().chain(arguments);
        let error = Example::parse_from(all).common.jwt.source().unwrap_err();
        let error = StartError::settings(error);
        assert_eq!(error.exit_status(), 78);
        with_causes(&error)
    }

    #[test]
    fn settings_that_cannot_work_are_refused_and_say_why() {
        let secret = "0123456789abcdef0123456789abcdef";
        let file = std::env::temp_dir().join(format!("bywash-jwt-settings-{}", std::process::id()));
        let path = file.to_str().unwrap();
        let both = refused(&["--jwt-secret", secret, "--jwt-key-file", "/nowhere"]);
        assert!(both.contains("not several"), "{both}");
        let both = refused(&["--jwt-secret-file", path, "--jwt-jwks-url", "http://127.0.0.1/"]);
        assert!(both.contains("not several"), "{both}");
        let short = refused(&["--jwt-secret", &secret[1..]]);
        assert!(short.contains("31 bytes"), "{short}");
        assert!(refused(&["--jwt-secret", ""]).contains("0 bytes"), "an empty variable is no way to be open");
        assert!(refused(&["--jwt-key-file", "/nowhere"]).contains("cannot be read"));
        assert!(refused(&["--jwt-audience", "bywash"]).contains("nothing that checks tokens"));
        for url in ["ftp://a/keys", "a/keys", "https://user:pass@a/keys", "http://"] {
            assert!(refused(&["--jwt-jwks-url", url]).contains("no http:// or https:// URL"), "{url}");
        }
        std::fs::write(&file, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").unwrap();
        let bad = refused(&["--jwt-key-file", path]);
        assert!(bad.contains("BYWASH_JWT_KEY_FILE cannot be used: it is neither"), "{bad}");
        std::fs::write(&file, format!("{}\r\n", &secret[1..])).unwrap();
        assert!(refused(&["--jwt-secret-file", path]).contains("31 bytes"), "the line end does not count");
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let config = Example::parse_from(["x", "--jwt-secret-file", path]).common.jwt;
        assert!(matches!(config.source(), Ok(Some(KeySource::Fixed(_)))));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = "0123456789abcdef0123456789abcdef";
        let config = Example::parse_from(["x", "--jwt-secret", secret]).common;
        assert!(!format!("{config:?}").contains(secret));
        assert!(!format!("{:?}", config.jwt.source()).contains(secret), "nor as a key");
    }
}
