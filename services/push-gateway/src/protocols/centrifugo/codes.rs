//! Every code of the protocol that the gateway uses: errors of commands, ends of subscriptions, ends of connections.
//! The published clients come back after an end below 3500 and stay away after one from 3500 to 3999.

use super::messages::Error;
use crate::codec::CloseReason;

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Something failed here; trying again may help.
    Internal,
    /// Nobody is known to ask.
    Unauthorized,
    /// The catalogue has no such topic.
    UnknownChannel,
    /// Not with this key or token.
    PermissionDenied,
    /// There is no such command.
    MethodNotFound,
    /// The connection follows the channel.
    AlreadySubscribed,
    /// More or larger than allowed.
    LimitExceeded,
    /// The request cannot be understood.
    BadRequest,
    /// Nobody can answer it now.
    NotAvailable,
    /// Come back with a newer token.
    TokenExpired,
    /// Too often.
    TooManyRequests,
    /// The client's place is none of this stream any more.
    UnrecoverablePosition,
}

impl Refusal {
    /// The protocol's number.
    pub fn code(self) -> u32 {
        match self {
            Self::Internal => 100,
            Self::Unauthorized => 101,
            Self::UnknownChannel => 102,
            Self::PermissionDenied => 103,
            Self::MethodNotFound => 104,
            Self::AlreadySubscribed => 105,
            Self::LimitExceeded => 106,
            Self::BadRequest => 107,
            Self::NotAvailable => 108,
            Self::TokenExpired => 109,
            Self::TooManyRequests => 111,
            Self::UnrecoverablePosition => 112,
        }
    }

    /// The protocol's words for it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Internal => "internal server error",
            Self::Unauthorized => "unauthorized",
            Self::UnknownChannel => "unknown channel",
            Self::PermissionDenied => "permission denied",
            Self::MethodNotFound => "method not found",
            Self::AlreadySubscribed => "already subscribed",
            Self::LimitExceeded => "limit exceeded",
            Self::BadRequest => "bad request",
            Self::NotAvailable => "not available",
            Self::TokenExpired => "token expired",
            Self::TooManyRequests => "too many requests",
            Self::UnrecoverablePosition => "unrecoverable position",
        }
    }

    /// Of one of the gateway's or a service's own codes. What has none here is the request's fault.
    pub fn of(code: &str) -> Self {
        match code {
            "unknown_command" => Self::MethodNotFound,
            "missing_role" | "topic_not_allowed" | "forbidden_topic" => Self::PermissionDenied,
            "unknown_topic" | "wildcard_above_catalogue" => Self::UnknownChannel,
            "not_available" => Self::NotAvailable,
            "too_many_requests" | "overloaded" => Self::TooManyRequests,
            "value_too_large" | "body_too_large" | "answer_too_large" => Self::LimitExceeded,
            "unrecoverable_position" => Self::UnrecoverablePosition,
            "unauthenticated" => Self::Unauthorized,
            "deadline_exceeded" | "malformed_answer" | "internal" => Self::Internal,
            _ => Self::BadRequest,
        }
    }

    /// As it is sent.
    pub fn error(self) -> Error {
        self.because("")
    }

    /// As it is sent, with a word on this case.
    pub fn because(self, detail: &str) -> Error {
        let separator = if detail.is_empty() { "" } else { ": " };
        Error {
            code: self.code(),
            message: format!("{}{separator}{detail}", self.text()),
            temporary: matches!(self, Self::Internal | Self::TooManyRequests),
        }
    }
}

/// The end of a subscription, as it is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// For good.
    Server,
    /// Events are lost; the client subscribes anew.
    InsufficientState,
}

impl End {
    /// The protocol's number; from 2500 on clients subscribe anew.
    pub fn code(self) -> u32 {
        match self {
            Self::Server => 2000,
            Self::InsufficientState => 2500,
        }
    }

    /// The protocol's words for it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Server => "server unsubscribe",
            Self::InsufficientState => "insufficient state",
        }
    }
}

/// The end of a connection: what the close frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect {
    /// Close code.
    pub code: u16,
    /// For people.
    pub reason: &'static str,
    /// As the gateway knows it.
    pub why: CloseReason,
}

impl Disconnect {
    /// The key or token is not accepted.
    pub const INVALID_TOKEN: Self = Self::new(3500, "invalid token", CloseReason::Unauthenticated);
    /// What came is not this protocol.
    pub const BAD_REQUEST: Self = Self::new(3501, "bad request", CloseReason::ProtocolError);
    /// Somebody known may not read.
    pub const PERMISSION_DENIED: Self = Self::new(3507, "permission denied", CloseReason::Unauthenticated);
    /// Messages without an answer go nowhere here.
    pub const NOT_AVAILABLE: Self = Self::new(3508, "not available", CloseReason::ProtocolError);
    /// Far more than a client sends in a minute.
    pub const TOO_MANY_REQUESTS: Self = Self::new(3013, "too many requests", CloseReason::ProtocolError);
    /// The clients know this one of RFC 6455 and stay away.
    pub const MESSAGE_TOO_LARGE: Self = Self::new(1009, "message size limit", CloseReason::ProtocolError);

    const fn new(code: u16, reason: &'static str, why: CloseReason) -> Self {
        Self { code, reason, why }
    }

    /// How the end that the gateway decided is said.
    pub fn of(why: CloseReason) -> Self {
        let (code, reason) = match why {
            CloseReason::ClientGone => (3000, "connection closed"),
            CloseReason::Draining => (3001, "shutdown"),
            CloseReason::Expired => (3005, "connection expired"),
            CloseReason::Stalled => (3008, "slow"),
            // Another pod has room; the client comes back with its position.
            CloseReason::Overloaded => (3011, "force reconnect"),
            CloseReason::NoPong => (3012, "no pong"),
            CloseReason::Revoked => (3500, "invalid token"),
            CloseReason::ProtocolError => (3501, "bad request"),
            CloseReason::Unauthenticated => (3502, "stale"),
            CloseReason::Removed => (3503, "force disconnect"),
            CloseReason::TooManyOfUser => (3504, "connection limit"),
        };
        Self { code, reason, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_come_back_after_ends_that_are_not_their_fault_and_stay_away_after_others() {
        use CloseReason::*;
        for (why, code) in [
            (ClientGone, 3000),
            (Draining, 3001),
            (Expired, 3005),
            (Stalled, 3008),
            (Overloaded, 3011),
            (NoPong, 3012),
            (Revoked, 3500),
            (ProtocolError, 3501),
            (Unauthenticated, 3502),
            (Removed, 3503),
            (TooManyOfUser, 3504),
        ] {
            let end = Disconnect::of(why);
            assert_eq!((end.code, end.why), (code, why));
            let stays_away =
                matches!(why, Revoked | ProtocolError | Unauthenticated | Removed | TooManyOfUser);
            assert_eq!((3500..4000).contains(&end.code), stays_away, "{why:?}");
        }
        assert!(End::InsufficientState.code() >= 2500 && End::Server.code() < 2500);
    }

    #[test]
    fn each_code_of_ours_has_the_protocols_number_and_only_passing_trouble_is_temporary() {
        for (code, number, temporary) in [
            ("deadline_exceeded", 100, true),
            ("unauthenticated", 101, false),
            ("unknown_topic", 102, false),
            ("missing_role", 103, false),
            ("unknown_command", 104, false),
            ("value_too_large", 106, false),
            ("malformed_arguments", 107, false),
            ("not_available", 108, false),
            ("overloaded", 111, true),
            ("unrecoverable_position", 112, false),
        ] {
            let error = Refusal::of(code).because(code);
            assert_eq!((error.code, error.temporary), (number, temporary), "{code}");
        }
        assert_eq!(Refusal::TokenExpired.error().message, "token expired");
        assert_eq!(Refusal::AlreadySubscribed.error().code, 105);
        assert_eq!(Refusal::BadRequest.because("no").message, "bad request: no");
    }
}
