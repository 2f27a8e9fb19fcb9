//! Tickets: short-lived, signed words for who somebody is, for clients that cannot send headers (`EventSource`). Every
//! pod with the same key accepts them; nothing is stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::{Identity, Role, StartError};
use proto_schemas::TopicPattern;
use ring::hmac;
use serde::{Deserialize, Serialize};

/// Shortest key, bytes: that of the hash.
const KEY_SIZE_MIN: usize = 32;
const ROLES: [Role; 3] = [Role::Read, Role::Write, Role::Control];
/// Longest ticket, bytes: it is sent in a URL.
const TICKET_SIZE_MAX: usize = 4_000;

/// Makes and checks tickets.
pub struct Tickets {
    key: hmac::Key,
    lifetime: Duration,
}

/// Why a ticket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not one of ours, or changed.
    #[error("this is no ticket of this service")]
    Invalid,
    /// Past its end.
    #[error("the ticket has expired; ask for another one")]
    Expired,
}

impl TicketError {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "ticket_invalid",
            Self::Expired => "ticket_expired",
        }
    }
}

/// No ticket can be made: browsers keep cookies of 4,096 bytes, name included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token has more topics than a ticket of {TICKET_SIZE_MAX} bytes holds; use fewer, or wildcards")]
pub struct TicketTooLarge;

impl TicketTooLarge {
    /// Stable code.
    pub const CODE: &str = "ticket_too_large";
}

/// A key that could be guessed.
#[derive(Debug, thiserror::Error)]
#[error("BYWASH_TICKET_KEY has fewer than {KEY_SIZE_MIN} bytes; give one secret to all pods")]
struct ShortKey;

/// A ticket and its end.
#[derive(Debug)]
pub struct Ticket {
    /// The text.
    pub text: String,
    /// From then on it is refused.
    pub expires_at: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    id: String,
    roles: Vec<String>,
    topics: Option<Vec<String>>,
    expires_at_s: u64,
    revocation_id: Option<String>,
}

impl Tickets {
    /// With the secret of all pods, or one of this process alone.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn new(secret: Option<&str>, lifetime: Duration) -> Result<Self, StartError> {
        let bytes = match secret {
            Some(secret) if secret.len() < KEY_SIZE_MIN => return Err(StartError::settings(ShortKey)),
            Some(secret) => secret.as_bytes().to_vec(),
            None => {
                let mut random = vec![0; KEY_SIZE_MIN];
                let made = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
                made.expect("the kernel gives random numbers once it is up");
                random
            }
        };
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes), lifetime })
    }

    /// A ticket for `identity`, which ends no later than its token.
    ///
    /// # Errors
    /// When it has more topics than a cookie holds.
    pub fn issue(&self, identity: &Identity, now: SystemTime) -> Result<Ticket, TicketTooLarge> {
        let expires_at = identity.expires_at.map_or(now + self.lifetime, |end| end.min(now + self.lifetime));
        let roles = ROLES.into_iter().filter(|role| identity.may(*role)).map(|role| role.name().to_owned());
        let claims = Claims {
            id: identity.id.clone(),
            roles: roles.collect(),
            topics: identity
                .topics
                .as_ref()
                .map(|topics| topics.iter().map(|topic| topic.as_str().to_owned()).collect()),
            expires_at_s: expires_at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            revocation_id: identity.revocation_id.as_deref().map(str::to_owned),
        };
        let body = serde_json::to_vec(&claims).expect("claims are plain data");
        let tag = hmac::sign(&self.key, &body);
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(&body), URL_SAFE_NO_PAD.encode(tag.as_ref()));
        if text.len() > TICKET_SIZE_MAX {
            return Err(TicketTooLarge);
        }
        Ok(Ticket { text, expires_at })
    }

    /// Who holds the ticket. Whether its token was revoked since is for the caller to ask.
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn check(&self, text: &str, now: SystemTime) -> Result<Identity, TicketError> {
        let claims = self.claims(text).ok_or(TicketError::Invalid)?;
        let expires_at = UNIX_EPOCH + Duration::from_secs(claims.expires_at_s);
        if now >= expires_at {
            return Err(TicketError::Expired);
        }
        let topics: Option<Result<Vec<TopicPattern>, _>> =
            claims.topics.map(|topics| topics.iter().map(|topic| topic.parse()).collect());
        let topics = topics.transpose().map_err(|_| TicketError::Invalid)?;
        let roles = ROLES.into_iter().filter(|role| claims.roles.iter().any(|name| name == role.name()));
        let mut identity = Identity::new(claims.id, roles);
        identity.topics = topics.map(Into::into);
        identity.expires_at = Some(expires_at);
        identity.revocation_id = claims.revocation_id.map(Into::into);
        Ok(identity)
    }

    fn claims(&self, text: &str) -> Option<Claims> {
        if text.len() > TICKET_SIZE_MAX {
            return None;
        }
        let (body, tag) = text.split_once('.')?;
        let body = URL_SAFE_NO_PAD.decode(body).ok()?;
        hmac::verify(&self.key, &body, &URL_SAFE_NO_PAD.decode(tag).ok()?).ok()?;
        serde_json::from_slice(&body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn tickets(secret: &str) -> Tickets {
        Tickets::new(Some(secret), Duration::from_secs(600)).unwrap()
    }

    #[test]
    fn a_ticket_says_who_its_holder_is_until_it_ends() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut ada = Identity::new("ada".to_owned(), [Role::Read]);
        ada.topics = Some(vec!["app.a.>".parse().unwrap()].into());
        ada.revocation_id = Some("j1".into());
        ada.expires_at = Some(now + Duration::from_secs(60));
        let ticket = tickets(SECRET).issue(&ada, now).unwrap();
        assert_eq!(ticket.expires_at, now + Duration::from_secs(60), "no longer than the token");
        assert_eq!(tickets(SECRET).check(&ticket.text, now), Ok(ada));
        let end = now + Duration::from_secs(60);
        assert_eq!(tickets(SECRET).check(&ticket.text, end), Err(TicketError::Expired));
    }

    #[test]
    fn a_changed_or_foreign_ticket_is_refused() {
        let now = SystemTime::now();
        let ticket = tickets(SECRET).issue(&Identity::local(), now).unwrap().text;
        let other = "another key of thirty-two bytes!!";
        assert_eq!(tickets(other).check(&ticket, now), Err(TicketError::Invalid));
        let (body, tag) = ticket.split_once('.').unwrap();
        let mut changed = URL_SAFE_NO_PAD.decode(body).unwrap();
        changed[8] ^= 1;
        let changed = format!("{}.{tag}", URL_SAFE_NO_PAD.encode(changed));
        for text in [changed.as_str(), "", ".", body, &"a".repeat(10_000)] {
            assert_eq!(tickets(SECRET).check(text, now), Err(TicketError::Invalid), "{text}");
        }
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(Tickets::new(Some("short"), Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_ticket_that_no_browser_would_keep_is_not_made() {
        let topics: Vec<TopicPattern> =
            (0..300).map(|number| format!("app.tenant.{number}").parse().unwrap()).collect();
        let mut ada = Identity::new("ada".to_owned(), [Role::Read]);
        ada.topics = Some(topics.into());
        assert_eq!(tickets(SECRET).issue(&ada, SystemTime::now()).unwrap_err(), TicketTooLarge);
    }
}
