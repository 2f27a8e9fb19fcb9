//! Who somebody is once authenticated, and what that allows. How they proved it is for the files beside this one.

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::StatusCode;
use proto_schemas::{Stream, TopicPattern, names};
use serde::Deserialize;

use crate::error::ApiError;

/// What a key or a token allows. Roles are independent; each is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// GET, streams, search.
    Read,
    /// Facts, documents, publish, agent runs.
    Write,
    /// Governor, engines, debug, connections, revocations.
    Control,
}

impl Role {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Control];

    /// As keys and tokens write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Control => "control",
        }
    }

    /// The role of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The token's `sub`, the key's id, or `local` where nothing is asked. `<user>` of subjects is this, encoded.
    pub id: String,
    roles: [bool; 3],
    /// The topics that the token or the key names; `None` where it names none.
    pub topics: Option<Arc<[TopicPattern]>>,
    /// From this moment on it is refused: a token's `exp` and the leeway. `None`: never by time.
    pub expires_at: Option<SystemTime>,
    /// What a revocation names: the token's `jti` or the key's id. `None`: it cannot be revoked.
    pub revocation_id: Option<Arc<str>>,
}

impl Identity {
    /// Somebody with these roles and nothing else: no topics named, no end, not revocable.
    pub fn new(id: String, roles: impl IntoIterator<Item = Role>) -> Self {
        let mut held = [false; 3];
        for role in roles {
            held[role as usize] = true;
        }
        Self { id, roles: held, topics: None, expires_at: None, revocation_id: None }
    }

    /// Everybody where nothing is asked.
    pub fn local() -> Self {
        Self::new("local".to_owned(), Role::ALL)
    }

    /// Whether the role is held.
    pub fn may(&self, role: Role) -> bool {
        self.roles[role as usize]
    }

    /// 403 `missing_role` unless the role is held.
    pub fn require(&self, role: Role) -> Result<(), ApiError> {
        if self.may(role) {
            return Ok(());
        }
        let message = format!("this key or token lacks the role {}", role.name());
        Err(ApiError::new(StatusCode::FORBIDDEN, "missing_role", message)
            .with_details(serde_json::json!({"role": role.name()})))
    }

    /// Whether every subject of `topic` may be seen: the own agent topics always; else what the token or the key
    /// names, or, where it names nothing, all but the agent topics of others, and with the role *control* those too.
    pub fn may_follow(&self, topic: &TopicPattern) -> bool {
        let agent = topic.as_str().strip_prefix("agent.");
        let is_own = agent.is_some_and(|rest| {
            rest.split_once('.')
                .is_some_and(|(user, _)| names::decode(user).is_ok_and(|user| user == self.id))
        });
        is_own
            || match &self.topics {
                Some(topics) => topics.iter().any(|mine| mine.covers(topic)),
                None => agent.is_none() || self.may(Role::Control),
            }
    }

    /// 403 `topic_not_allowed` unless it may be followed.
    pub fn require_topic(&self, topic: &TopicPattern) -> Result<(), ApiError> {
        if self.may_follow(topic) {
            return Ok(());
        }
        let message = "this key or token does not cover the topic";
        Err(ApiError::new(StatusCode::FORBIDDEN, "topic_not_allowed", message)
            .with_details(serde_json::json!({"topic": topic.as_str()})))
    }

    /// Whether an event may be published to `subject`: the role *write*, below `app`, and within the topics.
    pub fn may_publish(&self, subject: &str) -> bool {
        self.may(Role::Write)
            && subject.parse::<TopicPattern>().is_ok_and(|topic| {
                topic.stream() == Stream::App && !topic.has_wildcard() && self.may_follow(&topic)
            })
    }
}

/// The topics that `texts` name, or the place of the first one that the catalogue does not have.
pub(super) fn parse_topics(texts: &[String]) -> Result<Arc<[TopicPattern]>, usize> {
    let parse = |(index, text): (usize, &String)| text.parse().map_err(|_| index);
    texts.iter().enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follows(identity: &Identity, topic: &str) -> bool {
        identity.may_follow(&topic.parse().unwrap())
    }

    fn with_topics(mut identity: Identity, topics: &[&str]) -> Identity {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        identity.topics = Some(parse_topics(&topics).unwrap());
        identity
    }

    #[test]
    fn without_topics_everything_but_the_agents_of_others_may_be_followed() {
        let ada = Identity::new("ada@example.org".to_owned(), [Role::Read]);
        for topic in ["kb.facts", "state.>", "app.>", "logs.>", "agent.ada=40example=2Eorg.>"] {
            assert!(follows(&ada, topic), "{topic}");
        }
        for topic in ["agent.bob.>", "agent.bob.run1", "agent.ada.>"] {
            assert!(!follows(&ada, topic), "{topic}");
        }
        assert!(follows(&Identity::new("ops".to_owned(), [Role::Control]), "agent.bob.>"));
        assert!(follows(&Identity::local(), "agent.bob.run1"));
    }

    #[test]
    fn named_topics_are_exactly_those_and_the_own_agents() {
        let ops = Identity::new("ops".to_owned(), [Role::Read, Role::Control]);
        let ops = with_topics(ops, &["app.tenant.>", "state.gpu.*"]);
        for topic in ["app.tenant.a", "app.tenant.>", "state.gpu.n1", "agent.ops.>", "agent.ops.run"] {
            assert!(follows(&ops, topic), "{topic}");
        }
        for topic in ["app.>", "app.other.a", "state.>", "kb.facts", "agent.bob.>"] {
            assert!(!follows(&ops, topic), "{topic}");
        }
        let nothing = with_topics(ops, &[]);
        assert!(
            !follows(&nothing, "kb.facts") && follows(&nothing, "agent.ops.>"),
            "an empty list is a list"
        );
        let error = nothing.require_topic(&"kb.facts".parse().unwrap()).unwrap_err();
        assert_eq!((error.status(), error.code()), (StatusCode::FORBIDDEN, "topic_not_allowed"));
    }

    #[test]
    fn publishing_takes_the_role_write_a_subject_below_app_and_the_topics() {
        let writer = Identity::new("w".to_owned(), [Role::Write]);
        assert!(writer.may_publish("app.tenant.a"));
        for subject in ["app", "app.>", "app.*", "kb.facts", "agent.w.run", "state.kb", "$JS.API", "app.a b"]
        {
            assert!(!writer.may_publish(subject), "{subject}");
        }
        assert!(!Identity::new("r".to_owned(), [Role::Read]).may_publish("app.tenant.a"));
        let tenant = with_topics(writer, &["app.tenant.>"]);
        assert!(tenant.may_publish("app.tenant.a") && !tenant.may_publish("app.other.a"));
    }
}
