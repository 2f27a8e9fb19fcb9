//! Commands: what services ask of each other by NATS request and reply. The one table of their subjects, and the names
//! of headers and errors. Messages: `proto/bywash/v1/commands.proto`.

use crate::names;

/// NATS headers of a request.
pub mod header {
    /// Who asks, through the codec of [`crate::names`].
    pub const USER: &str = "Bywash-User";
    /// The roles of who asks, separated by commas.
    pub const ROLES: &str = "Bywash-Roles";
    /// How long the asker still waits, milliseconds. Relative, because the clocks of two nodes differ.
    pub const DEADLINE_MS: &str = "Bywash-Deadline-Ms";
}

/// Stable codes of errors that any command may end with; each service has its own besides.
pub mod code {
    /// Nobody answers this command now: its service or NATS is away, or it does not exist yet.
    pub const NOT_AVAILABLE: &str = "not_available";
    /// No answer within the deadline.
    pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";
    /// The service has as many commands under way as it takes.
    pub const OVERLOADED: &str = "overloaded";
    /// The service knows no such command.
    pub const UNKNOWN_COMMAND: &str = "unknown_command";
    /// The pages of this cursor are gone; ask anew.
    pub const CURSOR_EXPIRED: &str = "cursor_expired";
    /// The body is larger than a command takes.
    pub const BODY_TOO_LARGE: &str = "body_too_large";
    /// The body is no JSON.
    pub const MALFORMED_JSON: &str = "malformed_json";
    /// The body is JSON of another shape.
    pub const INVALID_BODY: &str = "invalid_body";
    /// A header of the request is missing or malformed.
    pub const INVALID_HEADER: &str = "invalid_header";
    /// The answer does not fit a message.
    pub const ANSWER_TOO_LARGE: &str = "answer_too_large";
    /// What came back is no answer of this contract.
    pub const MALFORMED_ANSWER: &str = "malformed_answer";
}

/// State of the knowledge base.
pub const KB_STATUS: &str = "cmd.kb.status";
/// The first page of a search.
pub const KB_SEARCH: &str = "cmd.kb.search";
/// The first page of a walk through the graph.
pub const KB_TRAVERSE: &str = "cmd.kb.traverse";
/// What a knowledge base subscribes to in its queue group.
pub const KB_ANY: &str = "cmd.kb.*";
/// State of the governor.
pub const GOVERNOR_STATUS: &str = "cmd.governor.status";
/// A change to the governor.
pub const GOVERNOR_CONTROL: &str = "cmd.governor.control";
/// Start or stop of an engine.
pub const GOVERNOR_ENGINE: &str = "cmd.governor.engine";
/// What a governor subscribes to in its queue group.
pub const GOVERNOR_ANY: &str = "cmd.governor.*";
/// Start of an agent run.
pub const AGENT_START: &str = "cmd.agent.start";

/// Queue group of the knowledge bases: one of them answers.
pub const KB_GROUP: &str = "kb";
/// Queue group of the governors.
pub const GOVERNOR_GROUP: &str = "governor";

/// The next page of a search or a walk, from the instance that gave the first.
pub fn kb_next(instance: &str) -> String {
    format!("cmd.kb.{}.next", names::encode(instance))
}

/// The last samples of a node.
pub fn gpu_status(node: &str) -> String {
    format!("cmd.gpu.{}.status", names::encode(node))
}

/// One row of the table.
#[derive(Debug)]
pub struct CommandSpec {
    /// Its short name, as metrics and spans have it.
    pub name: &'static str,
    /// Its subject, with placeholders.
    pub subject: &'static str,
    /// Message of the request; empty where the body is not read.
    pub request: &'static str,
    /// Message of the answer, or of each that it may be, separated by ` or `; empty where there is none yet.
    pub answer: &'static str,
}

const fn row(
    name: &'static str,
    subject: &'static str,
    request: &'static str,
    answer: &'static str,
) -> CommandSpec {
    CommandSpec { name, subject, request, answer }
}

/// All commands.
pub const COMMANDS: [CommandSpec; 9] = [
    row("kb.status", KB_STATUS, "", "KnowledgeBaseStatus"),
    row("kb.search", KB_SEARCH, "SearchRequest", "SearchPage"),
    row("kb.next", "cmd.kb.<instance>.next", "NextPageRequest", "SearchPage or TraversePage"),
    row("kb.traverse", KB_TRAVERSE, "TraverseRequest", "TraversePage"),
    row("governor.status", GOVERNOR_STATUS, "", "GovernorStatus"),
    row("governor.control", GOVERNOR_CONTROL, "GovernorControlRequest", "GovernorControlResult"),
    row("governor.engine", GOVERNOR_ENGINE, "EngineControlRequest", "GovernorControlResult"),
    row("agent.start", AGENT_START, "", ""),
    row("gpu.status", "cmd.gpu.<node>.status", "", "GpuMonitorStatus"),
];

/// The short name of the command on `subject`; `unknown` for a subject that is not in the table, so that a label made
/// of it is bounded.
pub fn name_of(subject: &str) -> &'static str {
    let is_of = |spec: &&CommandSpec| {
        let mut tokens = subject.split('.');
        let same = spec.subject.split('.').all(|wanted| {
            tokens.next().is_some_and(|token| wanted.starts_with('<') && !token.is_empty() || wanted == token)
        });
        same && tokens.next().is_none()
    };
    COMMANDS.iter().find(is_of).map_or("unknown", |spec| spec.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_known_by_its_subject() {
        for spec in &COMMANDS {
            assert_eq!(name_of(spec.subject), spec.name);
        }
        assert_eq!(name_of(&kb_next("kb-0.rack")), "kb.next", "a dot in a name stays one token");
        assert_eq!(name_of(&gpu_status("node.one")), "gpu.status");
        for unknown in ["", "cmd", "cmd.kb", "cmd.kb.drop", "cmd.kb.a.b.next", "cmd.kb..next", "kb.status"] {
            assert_eq!(name_of(unknown), "unknown", "{unknown}");
        }
    }

    #[test]
    fn an_instance_cannot_take_the_place_of_a_command() {
        let subjects: Vec<_> = ["search", "*", ">", "a.next", ""].map(kb_next).into();
        assert!(subjects.iter().all(|subject| name_of(subject) == "kb.next"), "{subjects:?}");
        assert!(!subjects.iter().any(|subject| subject.contains(['*', '>'])), "{subjects:?}");
    }
}
