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
            if self.begin(queued, now) {
                let (has_more, done_at) = self.flush(queued.0, now);
                if has_more {
                    self.enqueue_to_catch_up(queued.0);
                }
                now = done_at;
            }
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

    /// One session after the other, each as far as its socket and the slice allow: what one write leaves in the caches,
    /// here and in the kernel, serves the next.
    pub(super) fn catch_up_slice(&mut self) {
        let mut now = Instant::now();
        let end = now + CATCH_UP_SLICE;
        while now < end
            && let Some(queued) = self.catching_up.pop_front()
        {
            let mut has_more = self.begin(queued, now);
            while has_more {
                (has_more, now) = self.flush(queued.0, now);
                if has_more && now >= end {
                    self.enqueue_to_catch_up(queued.0);
                    break;
                }
            }
        }
    }

    /// Takes note that a session of a list has its turn; false where it has ended meanwhile.
    fn begin(&mut self, (index, generation): (usize, u64), now: Instant) -> bool {
        let is_there = self.is_same(index, generation);
        if is_there {
            let session = &mut self.sessions[index];
            session.is_queued = false;
            let waited = now.saturating_duration_since(session.queued_at);
            self.tallies.ready_wait.observe(waited.as_secs_f64());
        }
        is_there
    }
}
