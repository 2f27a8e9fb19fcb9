//! The flush: gathers what a session has not seen into one vectored write, and undoes what the socket did not take.

use std::io::{self, IoSlice, Write};
use std::time::Instant;

use bytes::{Buf, Bytes};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::Worker;
use crate::codec::{CloseReason, GapReason};
use crate::cursor::{Next, Saved};
use crate::metrics::GatewayMetrics;

/// Bytes gathered for one write: about what the socket's buffer takes.
const FLUSH_SIZE_MAX: usize = 64 * 1024;
/// Frames gathered for one write.
const FLUSH_FRAMES_MAX: usize = 64;

/// A gathered frame.
struct Frame {
    bytes: Bytes,
    kind: Kind,
}

enum Kind {
    /// The rest of a frame.
    Partial,
    /// An answer or a notice that was queued.
    Control,
    /// From the cursors: an event with its place in the pod's order (0: it is made up for, so that its age says nothing
    /// of this pod) and when the pod got it, or a notice between events.
    Gathered { event: Option<(u64, Instant)>, gap: Option<GapReason> },
}

/// Memory that flushes share, so that none allocates.
pub struct FlushScratch {
    frames: Vec<Frame>,
    /// Cursors before each frame that was gathered from them.
    saved: Vec<Saved>,
    /// Places in the pod's order of what a write took; empty where no batch is traced.
    orders: Vec<u64>,
    reported_behind: i64,
    /// The last gathering found all that there is.
    is_exhausted: bool,
}

impl FlushScratch {
    /// With room for one flush.
    pub fn new() -> Self {
        Self {
            frames: Vec::with_capacity(FLUSH_FRAMES_MAX),
            saved: std::iter::repeat_with(Saved::default).take(FLUSH_FRAMES_MAX).collect(),
            orders: Vec::with_capacity(FLUSH_FRAMES_MAX),
            reported_behind: 0,
            is_exhausted: false,
        }
    }

    /// Brings the process's gauge up to this worker's figure.
    pub fn report_behind(&mut self, metrics: &GatewayMetrics, behind: i64) {
        metrics.behind.add(behind - self.reported_behind);
        self.reported_behind = behind;
    }
}

/// How a write ended.
enum Written {
    All,
    /// The socket takes no more; so many bytes went out.
    Blocked(usize),
    Failed,
}

impl Worker {
    /// Sends what the session has not seen: as much as one write takes, then others have their turn. From `now`; returns
    /// when it was done, so that the clock is read once a write.
    pub(super) fn flush(&mut self, index: usize, now: Instant) -> Instant {
        let size = self.gather_answers(index);
        self.gather_events(index, size);
        if self.flush.frames.is_empty() {
            self.after_flush(index);
            return now;
        }
        let (written, end) = self.write(index, now);
        match written {
            Written::All if self.flush.is_exhausted => self.after_flush(index),
            Written::All => self.enqueue_to_catch_up(index),
            Written::Blocked(_) => {}
            Written::Failed => self.close(index, CloseReason::ClientGone),
        }
        end
    }

    /// Sends the answers that wait, ahead of whatever the ready list holds. Events have their turn there.
    pub(super) fn flush_answers(&mut self, index: usize) {
        self.gather_answers(index);
        if !self.flush.frames.is_empty()
            && let (Written::Failed, _) = self.write(index, Instant::now())
        {
            return self.close(index, CloseReason::ClientGone);
        }
        self.enqueue(index);
    }

    /// Writes what is gathered, and settles it; when it was done.
    fn write(&mut self, index: usize, started: Instant) -> (Written, Instant) {
        let written = write(&mut self.sessions[index].socket, &self.flush.frames);
        let end = Instant::now();
        let took = end.saturating_duration_since(started);
        match written {
            Written::All => self.commit(index, usize::MAX, started, took),
            Written::Blocked(length) => self.commit(index, length, started, took),
            Written::Failed => {}
        }
        (written, end)
    }

    /// Everything that was there is out.
    fn after_flush(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() {
            if session.ended_at.is_none() {
                // Closing now would reset the connection where the client has sent something unread, and the client
                // would lose our last words. It ends when the client closes, or soon.
                let _ = session.socket.shutdown(std::net::Shutdown::Write);
                session.ended_at = Some(Instant::now());
            }
            return;
        }
        for (tag, command) in std::mem::take(&mut session.when_drained) {
            self.ask_service(index, tag, command);
        }
        if let Some(session) = self.sessions.get_mut(index)
            && std::mem::take(&mut session.read_paused)
        {
            self.read(index, true);
        }
    }

    /// Gathers the rest of a frame and the answers that wait; their bytes.
    fn gather_answers(&mut self, index: usize) -> usize {
        let scratch = &mut self.flush;
        scratch.frames.clear();
        scratch.is_exhausted = false;
        let session = &mut self.sessions[index];
        let mut size = 0;
        if let Some(bytes) = session.partial.take() {
            size += bytes.len();
            scratch.frames.push(Frame { bytes, kind: Kind::Partial });
        }
        while scratch.frames.len() < FLUSH_FRAMES_MAX
            && size < FLUSH_SIZE_MAX
            && let Some(bytes) = session.pop_control()
        {
            size += bytes.len();
            scratch.frames.push(Frame { bytes, kind: Kind::Control });
        }
        size
    }

    /// Gathers events after `size` bytes of answers.
    fn gather_events(&mut self, index: usize, mut size: usize) {
        let (scratch, session) = (&mut self.flush, &mut self.sessions[index]);
        if session.closing.is_some() || !session.is_admitted() {
            scratch.is_exhausted = session.control.is_empty();
            return;
        }
        let (mut gathered, mut wait) = (0, None);
        while scratch.frames.len() < FLUSH_FRAMES_MAX && size < FLUSH_SIZE_MAX {
            session.cursors.save(&mut scratch.saved[gathered]);
            let (bytes, kind) = match session.cursors.next(&self.hub, &self.blocks, session.codec.as_mut()) {
                Next::Event { event, bytes, is_live, is_last } => {
                    scratch.is_exhausted = is_last;
                    if is_last {
                        session.waiting = None;
                    }
                    let order = if is_live { event.order } else { 0 };
                    (bytes, Kind::Gathered { event: Some((order, event.received_at)), gap: None })
                }
                Next::Gap(reason, bytes) => (bytes, Kind::Gathered { event: None, gap: Some(reason) }),
                Next::Notice(bytes) => (bytes, Kind::Gathered { event: None, gap: None }),
                Next::Wait(key) => {
                    wait = Some(key);
                    break;
                }
                Next::Nothing => {
                    // A part that it waited for is of a stream that started anew, or of a topic that it left.
                    session.waiting = None;
                    scratch.is_exhausted = true;
                    break;
                }
            };
            size += bytes.len();
            gathered += 1;
            scratch.frames.push(Frame { bytes, kind });
            if scratch.is_exhausted {
                break;
            }
        }
        if let Some(key) = wait
            && session.waiting != Some(key)
        {
            self.wait_for(index, key);
        }
    }

    /// Settles a write that took `length` bytes (`usize::MAX`: all).
    fn commit(&mut self, index: usize, length: usize, started: Instant, took: std::time::Duration) {
        let session = &mut self.sessions[index];
        let (mut left, mut events, mut written_bytes) = (length, 0_u64, 0);
        let (mut kept, mut gathered) = (0, 0);
        let mut unsent_control = Vec::new();
        let is_traced = !self.open_batches.is_empty();
        self.flush.orders.clear();
        let is_blocked = length != usize::MAX;
        // What a frame is that says nothing depends on what is before it.
        let mut is_cut = false;
        for frame in self.flush.frames.drain(..) {
            let Frame { mut bytes, kind } = frame;
            let sent = left.min(bytes.len());
            left -= sent;
            written_bytes += sent;
            let is_begun = sent > 0 || bytes.is_empty() && !is_cut;
            is_cut |= sent < bytes.len();
            match kind {
                Kind::Control if !is_begun => {
                    unsent_control.push(bytes);
                    continue;
                }
                Kind::Gathered { .. } if !is_begun => {
                    gathered += 1;
                    continue;
                }
                Kind::Gathered { event, gap } => {
                    gathered += 1;
                    kept += 1;
                    if let Some((order, received_at)) = event {
                        if is_traced {
                            self.flush.orders.push(order);
                        }
                        events += 1;
                        if order > 0 {
                            let latency = started.saturating_duration_since(received_at);
                            self.tallies.event_to_socket.observe(latency.as_secs_f64());
                        }
                    }
                    if let Some(reason) = gap {
                        self.metrics.gap(reason);
                    }
                }
                Kind::Partial | Kind::Control => {}
            }
            if sent < bytes.len() {
                bytes.advance(sent);
                session.partial = Some(bytes);
            }
        }
        if is_blocked {
            for bytes in unsent_control.into_iter().rev() {
                session.unpop_control(bytes);
            }
            if kept < gathered {
                session.cursors.restore(&self.flush.saved[kept]);
            }
            session.blocked_since = Some(session.blocked_since.unwrap_or(started));
        }
        if written_bytes > 0 {
            session.written_at = Some(started);
            session.delivered += events;
            self.tallies.written_bytes.inc_by(written_bytes as u64);
            self.tallies.write_time.observe(took.as_secs_f64());
        }
        if events > 0 {
            let tally = self.tallies.get(session.tally);
            tally.delivered.inc_by(events);
            tally.messages_out.inc_by(events);
        }
        if is_traced {
            self.open_batches.written(&self.flush.orders, started, took);
        }
    }
}

fn write(socket: &mut mio::net::TcpStream, frames: &[Frame]) -> Written {
    if let [frame] = frames {
        return write_one(socket, &frame.bytes);
    }
    let total: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
    let mut written = 0;
    while written < total {
        let mut slices: [IoSlice<'_>; FLUSH_FRAMES_MAX] = [IoSlice::new(&[]); FLUSH_FRAMES_MAX];
        let (mut count, mut skip) = (0, written);
        for frame in frames {
            let length = frame.bytes.len();
            if skip >= length {
                skip -= length;
                continue;
            }
            slices[count] = IoSlice::new(&frame.bytes[skip..]);
            skip = 0;
            count += 1;
        }
        match socket.write_vectored(&slices[..count]) {
            Ok(0) => return Written::Failed,
            Ok(length) => written += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Blocked(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Written::Failed,
        }
    }
    Written::All
}

/// The usual case: one event, one frame, one call; straight to the kernel, for libc adds a cancellation point to each.
fn write_one(socket: &mio::net::TcpStream, bytes: &[u8]) -> Written {
    let mut written = 0;
    while written < bytes.len() {
        match send(socket, &bytes[written..], SendFlags::NOSIGNAL) {
            Ok(0) => return Written::Failed,
            Ok(length) => written += length,
            Err(Errno::AGAIN) => return Written::Blocked(written),
            Err(Errno::INTR) => {}
            Err(_) => return Written::Failed,
        }
    }
    Written::All
}
