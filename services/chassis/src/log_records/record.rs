//! One log record: an event of `tracing` as text of bounded size.

use std::fmt::{self, Debug, Write};
use std::time::SystemTime;

use proto_schemas::v1::LogRecord;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use crate::process::with_causes;
use crate::time;

/// Size of a message.
pub const MESSAGE_SIZE_MAX_BYTES: usize = 4 << 10;
/// Values of a record.
pub const FIELDS_MAX: usize = 16;
/// Size of their names and values together.
pub const FIELDS_SIZE_MAX_BYTES: usize = 4 << 10;

/// What a text that was cut ends in.
const CUT_MARK: &str = "…[cut]";
/// Name of the value that tells how many others there were.
const LEFT_OUT_FIELD: &str = "fields_left_out";

/// Values by these names never leave the process, whoever gives one to a record by mistake.
const SECRET_FIELDS: [&str; 8] =
    ["api_key", "authorization", "cookie", "jwt", "password", "secret", "ticket", "token"];
const HIDDEN: &str = "[hidden]";

/// The level as the last token of a subject.
pub fn level_token(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// A text that takes no more than its size and then ends in [`CUT_MARK`].
struct BoundedText {
    text: String,
    size_max_bytes: usize,
    is_cut: bool,
}

impl BoundedText {
    /// An empty text; `size_max_bytes` has room for the mark at least.
    fn new(size_max_bytes: usize) -> Self {
        Self { text: String::new(), size_max_bytes, is_cut: false }
    }

    fn of(value: fmt::Arguments<'_>, size_max_bytes: usize) -> String {
        let mut text = Self::new(size_max_bytes);
        // Writing here does not fail; a value that itself fails to be written gives what it wrote before.
        let _ = text.write_fmt(value);
        text.text
    }
}

impl Write for BoundedText {
    /// Never an error, also beyond the size: a value that unwraps its writer's answer must not end the process.
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if self.is_cut {
            return Ok(());
        }
        if self.text.len() + piece.len() <= self.size_max_bytes {
            self.text.push_str(piece);
            return Ok(());
        }
        let kept = self.size_max_bytes - CUT_MARK.len();
        if let Some(room) = kept.checked_sub(self.text.len()) {
            self.text.push_str(&piece[..piece.floor_char_boundary(room)]);
        } else {
            self.text.truncate(self.text.floor_char_boundary(kept));
        }
        self.text.push_str(CUT_MARK);
        self.is_cut = true;
        Ok(())
    }
}

/// A record as it stands in the queue.
#[derive(Debug)]
pub struct Record {
    metadata: &'static Metadata<'static>,
    at: SystemTime,
    values: Values,
}

#[derive(Debug, Default)]
struct Values {
    message: String,
    fields: Vec<(&'static str, String)>,
    fields_size_bytes: usize,
    left_out: usize,
}

impl Record {
    /// What was said `at` that moment.
    pub fn of(event: &Event<'_>, at: SystemTime) -> Self {
        let mut values = Values::default();
        event.record(&mut values);
        Self { metadata: event.metadata(), at, values }
    }

    /// The level of the record.
    pub fn level(&self) -> Level {
        *self.metadata.level()
    }

    /// The record as the contract has it.
    pub fn message(self, service: &str, instance: &str) -> LogRecord {
        let Values { message, mut fields, left_out, .. } = self.values;
        if left_out > 0 {
            fields.push((LEFT_OUT_FIELD, left_out.to_string()));
        }
        LogRecord {
            level: self.metadata.level().as_str().to_owned(),
            message,
            timestamp: time::rfc3339(self.at),
            logger: self.metadata.target().to_owned(),
            filename: self.metadata.file().map(str::to_owned),
            lineno: self.metadata.line(),
            service: service.to_owned(),
            instance: instance.to_owned(),
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl Values {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        if name == "message" {
            self.message = BoundedText::of(value, MESSAGE_SIZE_MAX_BYTES);
            return;
        }
        // A name that is a word of the language is written with this before it.
        let name = name.strip_prefix("r#").unwrap_or(name);
        let room = FIELDS_SIZE_MAX_BYTES.saturating_sub(self.fields_size_bytes + name.len());
        // The mark and what hides a secret must fit whole.
        if self.fields.len() >= FIELDS_MAX || room < CUT_MARK.len().max(HIDDEN.len()) {
            self.left_out += 1;
            return;
        }
        let last_part = name.rsplit('.').next().unwrap_or(name);
        let value = if SECRET_FIELDS.iter().any(|secret| last_part.eq_ignore_ascii_case(secret)) {
            HIDDEN.to_owned()
        } else {
            BoundedText::of(value, room)
        };
        self.fields_size_bytes += name.len() + value.len();
        self.fields.push((name, value));
    }
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{}", with_causes(value)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proto_schemas::json;
    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Catch(Arc<Mutex<Vec<LogRecord>>>);

    impl<S: Subscriber> Layer<S> for Catch {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let record = Record::of(event, SystemTime::UNIX_EPOCH).message("knowledge-base", "kb-0");
            self.0.lock().unwrap().push(record);
        }
    }

    fn said(say: impl FnOnce()) -> LogRecord {
        let catch = Catch::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(catch.clone()), say);
        catch.0.lock().unwrap().pop().unwrap()
    }

    #[test]
    fn a_record_has_what_was_said_where_when_and_by_whom() {
        let before = line!();
        let record =
            said(|| tracing::warn!(target: "kb::relay", retry = 3, ok = true, r#type = "x", "again"));
        assert_eq!((record.level.as_str(), record.message.as_str()), ("WARN", "again"));
        assert_eq!(
            (record.logger.as_str(), record.timestamp.as_str()),
            ("kb::relay", "1970-01-01T00:00:00Z")
        );
        assert_eq!(record.filename.as_deref(), Some(file!()));
        assert!(
            record.lineno.is_some_and(|line| (before + 1..line!()).contains(&line)),
            "{:?}",
            record.lineno
        );
        assert_eq!((record.service.as_str(), record.instance.as_str()), ("knowledge-base", "kb-0"));
        let expected = [("retry", "3"), ("ok", "true"), ("type", "x")];
        assert_eq!(record.fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn every_level_has_its_token() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(level_token), ["error", "warn", "info", "debug", "trace"]);
    }

    #[test]
    fn a_text_is_cut_between_characters_with_a_mark_and_never_longer_than_its_size() {
        let cut = |text: &str, size| BoundedText::of(format_args!("{text}"), size);
        assert_eq!(cut("twelve bytes", 12), "twelve bytes");
        assert_eq!(cut("thirteen byte", 12), "thir…[cut]");
        for size in CUT_MARK.len()..40 {
            let text = cut("häß🦀häß🦀häß🦀häß🦀", size);
            assert!(text.len() <= size, "{text} has more than {size} bytes");
            assert!(text.ends_with(CUT_MARK) || size >= 36, "{text}");
        }
        let in_pieces = BoundedText::of(format_args!("{}{}{}", "abcdef", "ghijkl", "mnopqr"), 14);
        assert_eq!(in_pieces, "abcdef…[cut]", "what stood in the mark's place goes");
    }

    #[test]
    fn messages_and_fields_keep_to_their_limits() {
        let long = "x".repeat(10_000);
        let record = said(|| tracing::info!(first = %long, second = %long, "{long}"));
        assert_eq!(record.message.len(), MESSAGE_SIZE_MAX_BYTES);
        assert!(record.message.ends_with(CUT_MARK) && record.fields["first"].ends_with(CUT_MARK));
        assert_eq!(record.fields[LEFT_OUT_FIELD], "1", "the first one took all the room");
        let size: usize = record.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(size <= FIELDS_SIZE_MAX_BYTES + LEFT_OUT_FIELD.len() + 2, "{size} bytes");

        let record = said(|| {
            tracing::info!(
                a = 1,
                b = 1,
                c = 1,
                d = 1,
                e = 1,
                f = 1,
                g = 1,
                h = 1,
                i = 1,
                j = 1,
                k = 1,
                l = 1,
                m = 1,
                n = 1,
                o = 1,
                p = 1,
                q = 1,
                r = 1
            );
        });
        assert_eq!(record.fields.len(), FIELDS_MAX + 1);
        assert_eq!(record.fields[LEFT_OUT_FIELD], "2");
        assert_eq!(record.message, "", "nothing was said but values");
    }

    #[test]
    fn whatever_is_said_arrives_as_json() {
        let odd = "line\r\nnext \"quoted\" \\ \u{0}\u{1b}[31m\u{7f}\u{2028}";
        let not_utf8 = String::from_utf8_lossy(b"\xff\xfe");
        let record = said(|| tracing::error!(odd, bytes = &b"\xff\n"[..], %not_utf8, "{odd}"));
        let bytes = json::to_vec(&record);
        assert!(!bytes.iter().any(|byte| *byte < b' '), "no raw control character");
        let back: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&back["message"], &back["fields"]["odd"]), (&odd.into(), &odd.into()));
        assert_eq!(back["fields"]["not_utf8"], "\u{fffd}\u{fffd}");
        assert_eq!(back["fields"]["bytes"], "[ff 0a]");
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let cause = std::io::Error::other("the disk");
        let error = crate::StartError::Io { what: "no file".to_owned(), source: cause };
        let record = said(|| tracing::warn!(error = &error as &dyn std::error::Error, "no"));
        assert_eq!(record.fields["error"], "no file: the disk");
    }

    #[test]
    fn a_secret_is_hidden_whoever_logs_it() {
        let record = said(|| {
            tracing::info!(authorization = "Bearer x", http.header.Cookie = "x", token = ?Some("x"), key = "y");
        });
        let hidden = record.fields.iter().filter(|(_, value)| *value == HIDDEN).count();
        assert_eq!((hidden, record.fields["key"].as_str()), (3, "y"), "{:?}", record.fields);
    }
}
