//! Event types: the name in `ce-type`, the subject, and the message behind each; and the header names.

use prost::Name;
use serde::Serialize;

use crate::names;
use crate::v1::{
    AdapterState, CollectionCreated, CollectionDeleted, Decision, DocumentsChanged, DocumentsDeleted,
    FactAdded, FactDeleted, FactUpdated, FactsImported, GatewayState, GovernorState, GpuState,
    KnowledgeBaseState, LogRecord, SystemState,
};

/// NATS headers of an event: CloudEvents 1.0 in binary mode, and ours.
pub mod header {
    /// CloudEvents version.
    pub const SPEC_VERSION: &str = "ce-specversion";
    /// Unique id; for `KB` it is `<epoch>:<revision>`.
    pub const ID: &str = "ce-id";
    /// Event type, as in [`super::EVENTS`].
    pub const TYPE: &str = "ce-type";
    /// Process that made the event: `/<service>/<instance>`.
    pub const SOURCE: &str = "ce-source";
    /// When it was made; RFC 3339, UTC.
    pub const TIME: &str = "ce-time";
    /// Full name of the message with its schema version, such as `bywash.v1.FactAdded`.
    pub const DATA_SCHEMA: &str = "ce-dataschema";
    /// The request's W3C trace context.
    pub const TRACE_PARENT: &str = "traceparent";
    /// Digest of the knowledge base's row.
    pub const DIGEST: &str = "Bywash-Digest";
}

/// Key of a stream's metadata that holds its epoch.
pub const EPOCH_METADATA: &str = "bywash.epoch";

/// Subject of changes of facts.
pub const KB_FACTS: &str = "kb.facts";
/// Subject of changes of documents and their collections.
pub const KB_DOCUMENTS: &str = "kb.documents";
/// Subject of the governor's decisions.
pub const GOVERNOR_DECISIONS: &str = "governor.decisions";
/// Subject of the knowledge base's state.
pub const STATE_KB: &str = "state.kb";
/// Subject of the search adapters' state.
pub const STATE_ADAPTER: &str = "state.adapter";
/// Subject of the governor's state.
pub const STATE_GOVERNOR: &str = "state.governor";

/// Subject of the GPUs of a node.
pub fn state_gpu(node: &str) -> String {
    format!("state.gpu.{}", names::encode(node))
}

/// Subject of the load of a node.
pub fn state_system(node: &str) -> String {
    format!("state.system.{}", names::encode(node))
}

/// Subject of the state of a gateway pod.
pub fn state_gateway(pod: &str) -> String {
    format!("state.gateway.{}", names::encode(pod))
}

/// Subject of the log records of a service at a level (in lower case).
pub fn logs(service: &str, level: &str) -> String {
    format!("logs.{}.{}", names::encode(service), names::encode(level))
}

/// A message that travels as an event.
pub trait Event: Serialize + Name {
    /// Its `ce-type`.
    const TYPE: &'static str;
}

/// One row of the list of event types.
#[derive(Debug)]
pub struct EventType {
    /// `ce-type`.
    pub type_name: &'static str,
    /// Subject, with placeholders.
    pub subject: &'static str,
    /// The name that clients of older systems know (`event:` with `?named=1`).
    pub client_name: &'static str,
    /// Name of the message in the package `bywash.v1`.
    pub message: &'static str,
}

impl EventType {
    /// Full name of the message, for `ce-dataschema`.
    pub fn schema(&self) -> String {
        format!("bywash.v1.{}", self.message)
    }
}

macro_rules! events {
    ($($message:ident, $type:literal, $subject:literal, $client:literal;)*) => {
        $(impl Event for $message { const TYPE: &'static str = $type; })*
        /// All event types.
        pub const EVENTS: [EventType; [$($type),*].len()] = [
            $(EventType { type_name: $type, subject: $subject, client_name: $client, message: <$message as Name>::NAME }),*
        ];
    };
}

events! {
    FactAdded, "fact_added", "kb.facts", "fact_added";
    FactsImported, "facts_imported", "kb.facts", "kb_update";
    FactUpdated, "fact_updated", "kb.facts", "fact_updated";
    FactDeleted, "fact_deleted", "kb.facts", "fact_deleted";
    CollectionCreated, "collection_created", "kb.documents", "collection_created";
    CollectionDeleted, "collection_deleted", "kb.documents", "collection_deleted";
    DocumentsChanged, "documents_changed", "kb.documents", "documents_changed";
    DocumentsDeleted, "documents_deleted", "kb.documents", "documents_deleted";
    KnowledgeBaseState, "kb_state", "state.kb", "kb_update";
    AdapterState, "adapter_state", "state.adapter", "adapter_state";
    Decision, "governor_decision", "governor.decisions", "governor_decision";
    GovernorState, "governor_state", "state.governor", "governor_update";
    GpuState, "gpu_state", "state.gpu.<node>", "gpu_update";
    SystemState, "system_state", "state.system.<node>", "system_load_update";
    GatewayState, "gateway_state", "state.gateway.<pod>", "system_status";
    LogRecord, "log", "logs.<service>.<level>", "log";
}

/// The row of an event type.
pub fn event_type(type_name: &str) -> Option<&'static EventType> {
    EVENTS.iter().find(|event| event.type_name == type_name)
}

/// The name that clients of older systems know for an event type; the type itself where there is none.
pub fn client_name(type_name: &str) -> &str {
    event_type(type_name).map_or(type_name, |event| event.client_name)
}
