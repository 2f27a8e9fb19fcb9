//! How many messages a client sends.

use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// Counts a client's messages in windows of a minute.
#[derive(Debug)]
pub struct MessageRate {
    max_per_minute: u32,
    minute: Instant,
    count: u32,
}

impl MessageRate {
    /// Allows so many messages a minute; the first minute begins now.
    pub fn new(max_per_minute: u32, now: Instant) -> Self {
        Self { max_per_minute, minute: now, count: 0 }
    }

    /// Counts one message; `false` where it is one too many.
    pub fn allows(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.minute) >= MINUTE {
            self.minute = now;
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.max_per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_beyond_the_limit_are_refused_until_the_minute_is_over() {
        let start = Instant::now();
        let mut rate = MessageRate::new(2, start);
        let allowed: Vec<bool> =
            [0, 1, 59, 60, 61, 62].map(|second| rate.allows(start + Duration::from_secs(second))).into();
        assert_eq!(allowed, [true, true, false, true, true, false]);
    }
}
