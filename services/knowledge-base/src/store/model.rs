//! What goes into the store and what comes out, as types that cannot be wrong.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest;

use crate::grammar::Fact;

/// Longest context of a fact, bytes: a source's address or title fits, a document does not.
pub const CONTEXT_BYTES_MAX: usize = 1024;

/// Number of a committed change. The first is 1, there are no holes, and it equals the sequence in the stream `KB`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As JSON has it: a double, exact below 2^53.
    #[allow(clippy::cast_precision_loss, reason = "one write a microsecond reaches 2^53 after 285 years")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Number of a fact in its store, from 1, rising in the order of commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub u64);

impl FactId {
    /// As JSON has it: a double, exact below 2^53.
    #[allow(clippy::cast_precision_loss, reason = "one fact a microsecond reaches 2^53 after 285 years")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Incarnation of the sequence of revisions: another epoch, another history. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// An epoch that never was before: 64 random bits as hex digits.
    ///
    /// # Panics
    /// When the operating system has no random numbers, and nothing safe can be done.
    pub fn random() -> Self {
        let random = ring::rand::generate::<[u8; 8]>(&ring::rand::SystemRandom::new())
            .expect("the operating system gives random numbers");
        Self(hex(&random.expose()).into())
    }

    /// An epoch that was kept.
    pub fn kept(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The wall clock's time.
    pub fn now() -> Self {
        Self::from_system(SystemTime::now())
    }

    /// A time of the wall clock; before 1970 is 0.
    pub fn from_system(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The same as the standard library has it.
    pub fn to_system(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.max(0).unsigned_abs())
    }
}

/// Confidence in a fact, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f64);

impl Confidence {
    /// What a fact has where nobody said.
    pub const DEFAULT: Self = Self(1.0);

    /// `value` as a confidence, or `None` outside 0 to 1.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// Its value.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Where a fact comes from, at most [`CONTEXT_BYTES_MAX`] bytes; empty where nobody said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context(Box<str>);

impl Context {
    /// `text` as a context, or `None` beyond the limit.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= CONTEXT_BYTES_MAX).then(|| Self(text.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A fact ready to be written. What can be worked out before the writer's turn is in here, for the writer is one
/// thread.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFact {
    statement: String,
    pub(super) predicate: Box<str>,
    pub(super) negated: bool,
    pub(super) context: Context,
    pub(super) confidence: Confidence,
    pub(super) hash: i64,
    pub(super) entity_tokens: String,
}

impl NewFact {
    /// Prints and hashes `fact`.
    pub fn new(fact: &Fact, context: Context, confidence: Confidence) -> Self {
        let statement = fact.to_string();
        // A statement can name an entity thousands of times; one token finds it as well.
        let mut entities = HashSet::new();
        let mut entity_tokens = String::new();
        fact.each_entity(&mut |entity| {
            if !entities.insert(entity) {
                return;
            }
            if !entity_tokens.is_empty() {
                entity_tokens.push(' ');
            }
            entity_tokens.push_str(&entity_token(entity));
        });
        Self {
            hash: hash64(&statement),
            predicate: fact.predicate().into(),
            negated: fact.negated,
            statement,
            context,
            confidence,
            entity_tokens,
        }
    }

    /// The canonical statement.
    pub fn statement(&self) -> &str {
        &self.statement
    }
}

/// 64 bits of the SHA-256 of `text`.
pub fn hash64(text: &str) -> i64 {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    i64::from_be_bytes(digest.as_ref()[..8].try_into().expect("SHA-256 has 32 bytes"))
}

/// The token that stands for an entity in `fact_entities`: letters and digits only, so that one tokenizer fits all
/// names.
pub fn entity_token(entity: &str) -> String {
    hex(&hash64(entity).to_be_bytes())
}

/// `bytes` as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A fact as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFact {
    /// Its number.
    pub id: FactId,
    /// Its canonical form.
    pub statement: String,
    /// Where it comes from.
    pub context: String,
    /// 0 to 1.
    pub confidence: f64,
    /// When it was added.
    pub created_at: UnixMillis,
    /// When it was last changed; `None` where it never was.
    pub updated_at: Option<UnixMillis>,
    /// The change that added it or changed it last.
    pub revision: Revision,
}

impl StoredFact {
    /// Whether it is what `fact` says.
    pub fn is_as(&self, fact: &NewFact) -> bool {
        self.statement == fact.statement()
            && self.context == fact.context.as_str()
            && self.confidence.total_cmp(&fact.confidence.get()).is_eq()
    }

    /// It as `fact` says from then on.
    pub fn changed(&self, fact: &NewFact, updated_at: UnixMillis, revision: Revision) -> Self {
        Self {
            id: self.id,
            statement: fact.statement().to_owned(),
            context: fact.context.as_str().to_owned(),
            confidence: fact.confidence.get(),
            created_at: self.created_at,
            updated_at: Some(updated_at),
            revision,
        }
    }
}

/// Who writes, and within which request.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// `sub` of the token, id of the key, or `local`.
    pub actor: String,
    /// The request's W3C trace context, if it has one.
    pub traceparent: Option<String>,
}

/// The state after the last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Incarnation of the revisions.
    pub epoch: Epoch,
    /// The last committed change; 0 before the first.
    pub revision: Revision,
    /// Facts in the store.
    pub fact_count: u64,
    /// Documents in all collections.
    pub document_count: u64,
    /// Whether the stream `KB` ever existed for this store.
    pub stream_created: bool,
}

/// Digest of a change and all changes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Of the empty history.
    pub const EMPTY: Self = Self([0; 16]);

    /// The digest after one more change.
    pub fn chain(self, revision: Revision, event_type: &str, body: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.0);
        context.update(&revision.0.to_be_bytes());
        context.update(event_type.as_bytes());
        context.update(&[0]);
        context.update(body);
        Self(context.finish().as_ref()[..16].try_into().expect("SHA-256 has 32 bytes"))
    }

    /// As it stands in a message's header.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

/// One row of the log of changes: what the relay publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its number, and its sequence in the stream.
    pub revision: Revision,
    /// `ce-type` of the event.
    pub event_type: String,
    /// JSON of the event.
    pub body: Vec<u8>,
    /// The trace context of the request that made it.
    pub traceparent: Option<String>,
    /// When it was committed.
    pub created_at: UnixMillis,
    /// Of this row and all before it.
    pub digest: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    #[test]
    fn an_entity_that_is_named_often_has_one_token() {
        let fact = parse("P(ada, Q(bob, ada), ada)").unwrap();
        let fact = NewFact::new(&fact, Context::default(), Confidence::DEFAULT);
        assert_eq!(fact.entity_tokens, format!("{} {}", entity_token("ada"), entity_token("bob")));
    }
}
