//! What one turn of a worker flushes: what is new, and then, for a shorter while, what others have yet to catch up with.

use std::time::{Duration, Instant};

use super::Worker;

/// How long a turn may flush before it looks at sockets and commands again.
const FLUSH_SLICE: Duration = Duration::from_millis(1);
/// How long a turn may serve those that catch up, beside the others.
const CATCH_UP_SLICE: Duration = Duration::from_micros(250);
/// Sessions whose memory is read ahead of their flush: enough that the reads overlap, few enough to stay cached.
const TOUCHED_AHEAD: usize = 8;

impl Worker {
    pub(super) fn flush_slice(&mut self) {
        let mut now = Instant::now();
        let end = now + FLUSH_SLICE;
        let mut touched = 0;
        while now < end
            && let Some(queued) = self.ready.pop_front()
        {
            if touched == 0 {
                self.touch_next();
                touched = TOUCHED_AHEAD;
            }
            touched -= 1;
            now = self.flush_queued(queued, now);
            self.open_batches.one_flushed();
        }
    }

    /// Reads what the next flushes need. Between two flushes of a session thousands of others and the kernel have used the
    /// caches; asked for together, its parts arrive together.
    fn touch_next(&self) {
        for (index, _) in self.ready.iter().take(TOUCHED_AHEAD) {
            if let Some(session) = self.sessions.get(*index) {
                session.touch();
            }
        }
    }

    pub(super) fn catch_up_slice(&mut self) {
        let mut now = Instant::now();
        let end = now + CATCH_UP_SLICE;
        while now < end
            && let Some(queued) = self.catching_up.pop_front()
        {
            now = self.flush_queued(queued, now);
        }
    }

    /// Lets a session of a list have its turn, unless it has ended meanwhile. From `now`; returns when that was done.
    fn flush_queued(&mut self, (index, generation): (usize, u64), now: Instant) -> Instant {
        if !self.is_same(index, generation) {
            return now;
        }
        let session = &mut self.sessions[index];
        session.is_queued = false;
        let waited = now.saturating_duration_since(session.queued_at);
        self.tallies.ready_wait.observe(waited.as_secs_f64());
        self.flush(index, now)
    }
}
