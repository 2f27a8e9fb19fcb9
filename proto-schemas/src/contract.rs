//! The one table of streams and of the topics that clients may follow.
//!
//! The set-up task, the knowledge base's relay, the gateway and `docs/topics.md` all read it; nobody else lists a
//! subject.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const MIB: i64 = 1 << 20;

/// A JetStream stream of Bywash, in the order of [`STREAMS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Changes of the knowledge base; sequence = revision.
    Kb,
    /// Decisions and agent events.
    Events,
    /// Newest value per subject.
    State,
    /// Log records of the services.
    Logs,
    /// What clients publish.
    App,
}

/// How a topic behaves towards its followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// Every event in order; resumable.
    Ordered,
    /// The newest value per key; a slow client skips values, never keys.
    State,
    /// Newest events only; not resumable, a slow client skips and is told.
    Tail,
}

/// Who creates and changes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// `bywash-setup`: the Job in the cluster, the runner locally.
    SetUp,
    /// The knowledge base's relay.
    KnowledgeBase,
}

/// One row of the table. All are kept in files: a stream in memory would be gone with its server, and nobody would make
/// it anew. Their sizes together fit a volume of 10 GiB.
#[derive(Debug)]
pub struct StreamSpec {
    /// The stream.
    pub stream: Stream,
    /// Its name in JetStream.
    pub name: &'static str,
    /// Subjects it takes.
    pub subjects: &'static [&'static str],
    /// Kind of all its topics.
    pub kind: TopicKind,
    /// Who creates it.
    pub owner: Owner,
    /// Messages older than this go.
    pub max_age: Duration,
    /// Oldest messages go beyond this size.
    pub max_bytes: i64,
    /// Messages kept per subject; `None` = no limit.
    pub max_messages_per_subject: Option<i64>,
    /// How long the marker of a key that ended stays; `None` = no markers.
    pub delete_marker_ttl: Option<Duration>,
}

/// A publisher of state repeats its newest value at least this often, well within the stream's age.
pub const STATE_REPEAT_INTERVAL: Duration = Duration::from_secs(10);

/// All streams, indexed by `Stream as usize`.
pub const STREAMS: [StreamSpec; 5] = [
    StreamSpec {
        stream: Stream::Kb,
        name: "KB",
        subjects: &["kb.>"],
        kind: TopicKind::Ordered,
        owner: Owner::KnowledgeBase,
        max_age: Duration::from_secs(7 * 24 * 3600),
        max_bytes: 4096 * MIB,
        max_messages_per_subject: None,
        delete_marker_ttl: None,
    },
    StreamSpec {
        stream: Stream::Events,
        name: "EVENTS",
        subjects: &["governor.>", "agent.*.*"],
        kind: TopicKind::Ordered,
        owner: Owner::SetUp,
        max_age: Duration::from_secs(24 * 3600),
        max_bytes: 1024 * MIB,
        max_messages_per_subject: None,
        delete_marker_ttl: None,
    },
    StreamSpec {
        stream: Stream::State,
        name: "STATE",
        subjects: &["state.>"],
        kind: TopicKind::State,
        owner: Owner::SetUp,
        max_age: Duration::from_secs(60),
        max_bytes: 64 * MIB,
        max_messages_per_subject: Some(1),
        delete_marker_ttl: Some(HOUR),
    },
    StreamSpec {
        stream: Stream::Logs,
        name: "LOGS",
        subjects: &["logs.*.*"],
        kind: TopicKind::Tail,
        owner: Owner::SetUp,
        max_age: Duration::from_secs(15 * 60),
        max_bytes: 64 * MIB,
        max_messages_per_subject: None,
        delete_marker_ttl: None,
    },
    StreamSpec {
        stream: Stream::App,
        name: "APP",
        subjects: &["app.>"],
        kind: TopicKind::Ordered,
        owner: Owner::SetUp,
        max_age: Duration::from_secs(24 * 3600),
        max_bytes: 2048 * MIB,
        max_messages_per_subject: None,
        delete_marker_ttl: None,
    },
];

/// A key-value bucket: a stream of a fixed make in which each key keeps its newest value.
#[derive(Debug)]
pub struct BucketSpec {
    /// The bucket's name.
    pub bucket: &'static str,
    /// The stream behind it, which NATS names after the bucket.
    pub stream_name: &'static str,
    /// What comes before the key in a subject; NATS names it after the bucket.
    pub subject_prefix: &'static str,
    /// Keys are refused beyond this size; none goes to make room.
    pub max_bytes: i64,
    /// How long the marker of a key that ended stays.
    pub delete_marker_ttl: Duration,
}

/// Ids that no longer let anybody in: key = `names::encode` of a token's `jti` or of an API key's id, value
/// `{"until": RFC 3339 or null}`. Some 100,000 of them fit.
pub const REVOKED: BucketSpec = BucketSpec {
    bucket: "REVOKED",
    stream_name: "KV_REVOKED",
    subject_prefix: "$KV.REVOKED.",
    max_bytes: 32 * MIB,
    delete_marker_ttl: HOUR,
};

/// What a client may follow at an entry of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The entry itself is a subject, and so may be what lies below it.
    SubjectAndBelow,
    /// Only what lies below the entry is a subject.
    Below,
    /// Only what lies below the entry and one more name (a user) is a subject; that name takes no wildcard.
    BelowName,
}

/// One topic of the catalogue.
#[derive(Debug)]
pub struct CatalogueEntry {
    /// The entry's subject tokens, joined by dots.
    pub prefix: &'static str,
    /// What may be followed there.
    pub shape: Shape,
    /// Stream that carries it.
    pub stream: Stream,
    /// What it tells, for people.
    pub about: &'static str,
}

/// The topics that clients may follow. Wildcards are allowed only below an entry.
pub const CATALOGUE: [CatalogueEntry; 7] = [
    entry("kb.facts", Shape::SubjectAndBelow, Stream::Kb, "facts added, one by one and in bulk"),
    entry("kb.documents", Shape::SubjectAndBelow, Stream::Kb, "documents changed"),
    entry("governor.decisions", Shape::SubjectAndBelow, Stream::Events, "decisions, each with its input"),
    entry("agent", Shape::BelowName, Stream::Events, "agent events of one user: agent.<user>.<run>"),
    entry(
        "state",
        Shape::Below,
        Stream::State,
        "newest state: state.kb, state.governor, state.gpu.<node>, ...",
    ),
    entry("logs", Shape::Below, Stream::Logs, "log records: logs.<service>.<level>"),
    entry("app", Shape::Below, Stream::App, "what clients publish"),
];

/// Topics of an event stream that asks for none.
pub const DEFAULT_TOPICS: &str = "kb.facts,governor.decisions,state.>";

const fn entry(prefix: &'static str, shape: Shape, stream: Stream, about: &'static str) -> CatalogueEntry {
    CatalogueEntry { prefix, shape, stream, about }
}

impl Stream {
    /// Every stream, in the order of [`STREAMS`].
    pub const ALL: [Self; 5] = [Self::Kb, Self::Events, Self::State, Self::Logs, Self::App];

    /// The stream's row.
    pub fn spec(self) -> &'static StreamSpec {
        &STREAMS[self as usize]
    }

    /// The stream of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        STREAMS.iter().find(|spec| spec.name == name).map(|spec| spec.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_is_indexed_by_stream_and_fits_the_volume() {
        for (index, stream) in Stream::ALL.into_iter().enumerate() {
            assert_eq!(stream as usize, index);
            assert_eq!(stream.spec().stream, stream);
            assert_eq!(Stream::by_name(stream.spec().name), Some(stream));
        }
        let bytes = REVOKED.max_bytes + STREAMS.iter().map(|spec| spec.max_bytes).sum::<i64>();
        assert!(bytes <= 10 * 1024 * MIB, "{bytes} bytes of streams");
        assert!(STATE_REPEAT_INTERVAL * 3 <= Stream::State.spec().max_age);
    }

    #[test]
    fn a_bucket_is_named_as_nats_names_it() {
        assert_eq!(REVOKED.stream_name, format!("KV_{}", REVOKED.bucket));
        assert_eq!(REVOKED.subject_prefix, format!("$KV.{}.", REVOKED.bucket));
    }

    fn document() -> String {
        let mut text = String::from(
            "# Streams and topics\n\nWritten from the table in `proto-schemas/src/contract.rs` (`make codegen`); \
             do not edit.\n\n| stream | subjects | kind | created by | age | bytes | per subject |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for spec in &STREAMS {
            let per_subject = spec.max_messages_per_subject.map_or("all".to_owned(), |n| n.to_string());
            writeln!(
                text,
                "| `{}` | `{}` | {:?} | {:?} | {} s | {} MiB | {per_subject} |",
                spec.name,
                spec.subjects.join("`, `"),
                spec.kind,
                spec.owner,
                spec.max_age.as_secs(),
                spec.max_bytes / MIB,
            )
            .unwrap();
        }
        text.push_str(
            "\nClients may follow what the catalogue lists; wildcards (`*` one token, `>` the rest) stand only \
             below an entry.\n\n| entry | followed as | stream | tells |\n| --- | --- | --- | --- |\n",
        );
        for entry in &CATALOGUE {
            let followed = match entry.shape {
                Shape::SubjectAndBelow => format!("`{0}`, `{0}.>`", entry.prefix),
                Shape::Below => format!("`{}.>`", entry.prefix),
                Shape::BelowName => format!("`{}.<user>.>`", entry.prefix),
            };
            writeln!(
                text,
                "| `{}` | {followed} | `{}` | {} |",
                entry.prefix,
                entry.stream.spec().name,
                entry.about
            )
            .unwrap();
        }
        text.push_str(
            "\n| event type | subject | name with `?named=1` | message |\n| --- | --- | --- | --- |\n",
        );
        for event in &crate::event::EVENTS {
            writeln!(
                text,
                "| `{}` | `{}` | `{}` | `{}` |",
                event.type_name, event.subject, event.client_name, event.message
            )
            .unwrap();
        }
        text
    }

    #[test]
    fn the_document_is_what_the_table_gives() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/topics.md");
        if std::env::var_os("BYWASH_REGENERATE").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == document(),
            "{path} is out of date: `make codegen`"
        );
    }
}
