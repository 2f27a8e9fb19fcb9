//! The stream `KB` as it lies in NATS, and its comparison with the store.

use async_nats::HeaderMap;
use async_nats::jetstream;
use bywash_tests::nats::Nats;
use bywash_tests::platform::answer;
use bywash_tests::service::Service;
use bywash_tests::wait::eventually;
use proto_schemas::event::{EPOCH_METADATA, header};
use serde_json::Value;

/// The stream at one moment.
pub struct Log {
    pub epoch: String,
    pub first: u64,
    pub last: u64,
    pub messages: Vec<Message>,
}

/// One message of it.
pub struct Message {
    pub sequence: u64,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Message {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.as_str())
    }
}

/// What `GET path` answers.
pub async fn get(service: &Service, path: &str) -> Value {
    let (status, body) = answer(reqwest::Client::new().get(service.url(path))).await;
    assert!(status.is_success(), "{path}: {status} {body}");
    body
}

/// Waits until the stream holds everything that the store has, and reads it.
pub async fn caught_up(nats: &Nats, service: &Service) -> Log {
    let client = nats.client().await;
    let context = jetstream::new(client);
    eventually("the stream holds every change", || async {
        let count = get(service, "/api/facts/count").await;
        let (revision, epoch) =
            (count["revision"].as_u64(), count["epoch"].as_str().unwrap_or_default().to_owned());
        let mut stream = context.get_stream("KB").await.map_err(|error| error.to_string())?;
        let info = stream.info().await.map_err(|error| error.to_string())?.clone();
        let stream_epoch = info.config.metadata.get(EPOCH_METADATA).cloned().unwrap_or_default();
        if Some(info.state.last_sequence) != revision || stream_epoch != epoch {
            return Err(format!("store {revision:?} of {epoch}, stream {:?} of {stream_epoch}", info.state));
        }
        let mut messages = Vec::new();
        for sequence in info.state.first_sequence..=info.state.last_sequence {
            let message = stream.get_raw_message(sequence).await.map_err(|error| error.to_string())?;
            let body = serde_json::from_slice(&message.payload).expect("events are JSON");
            messages.push(Message { sequence, headers: message.headers, body });
        }
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        Ok(Log { epoch: stream_epoch, first, last, messages })
    })
    .await
}

/// Every message is the change of its sequence, has its epoch's id, and tells a fact that the store has.
pub async fn assert_is_the_stores(log: &Log, service: &Service) {
    for message in &log.messages {
        let revision = message.body["revision"].as_f64();
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let sequence = Some(message.sequence as f64);
        assert_eq!(revision, sequence, "{}", message.body);
        assert!(!message.header(header::DIGEST).is_empty());
        assert!(message.header(header::ID).ends_with(&format!(":{}", message.sequence)));
        let id = message.body["id"].as_f64().expect("these tests add single facts");
        let fact = get(service, &format!("/api/facts/{id}")).await;
        assert_eq!(fact["statement"], message.body["statement"]);
        assert_eq!(fact["changed_in"].as_f64(), revision);
    }
}
