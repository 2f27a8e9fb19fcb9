//! A worker: one thread with its own poller, sessions and hub. Nothing is shared with the other workers but the events
//! themselves, so nothing is locked.

mod connections;
mod drain;
mod flush;
mod handle;
mod identities;
mod open_batches;
mod queries;
mod replace;
mod slices;
mod tallies;
mod wakes;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chassis::auth::Revocations;
use mio::{Events, Poll, Token, Waker};
use proto_schemas::Stream;
use slab::Slab;
use tokio::sync::mpsc;

use crate::codec::{CloseReason, Notice};
use crate::commands::Question;
use crate::hub::{ChannelId, Hub};
use crate::metrics::GatewayMetrics;
use crate::position::Position;
use crate::session::{NewSession, Session};
use crate::upstream::block::{Block, BlockCache, BlockKey};
use crate::upstream::history;
use crate::upstream::sequencer::Batch;
use drain::Waves;
use flush::FlushScratch;
pub use handle::{Command, WorkerHandle};
use open_batches::OpenBatches;
pub use queries::{Clients, Query};
pub use replace::{Replacement, SessionRef};
use tallies::Tallies;
pub use tallies::TallyId;
use wakes::Wakes;

/// Commands waiting for a worker. Each may be a batch; when it is full the sequencer waits, and NATS keeps the rest.
const COMMANDS_MAX: usize = 256;
/// Questions from operators and other pods that wait; who asks more waits to ask.
const QUERIES_MAX: usize = 16;
/// Commands taken between two looks at the sockets.
const COMMANDS_PER_TURN: usize = 64;
/// Connections taken over between two looks at the sockets.
const OPENED_PER_TURN: usize = 32;
/// Sockets looked at in one turn.
const SOCKETS_PER_TURN: usize = 128;
/// How often the slow duties are looked at.
const TICK: Duration = Duration::from_secs(1);
/// A client has this long to close its side once ours is closed.
const LINGER: Duration = Duration::from_secs(2);
const WAKE: Token = Token(usize::MAX);

/// Limits of a worker.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of each stream's ring.
    pub ring_size_bytes: usize,
    /// A session that takes nothing for this long is closed.
    pub stall_timeout: Duration,
    /// How often a quiet session is told its token, whole seconds.
    pub checkpoint_interval_s: u64,
    /// Connections of the whole process.
    pub connections_max: usize,
}

/// Starts worker number `index`.
pub fn spawn(
    index: usize,
    limits: Limits,
    history: mpsc::Sender<history::Request>,
    questions: mpsc::Sender<Question>,
    revocations: Revocations,
    metrics: GatewayMetrics,
) -> io::Result<(WorkerHandle, JoinHandle<()>)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (sessions, new_sessions) = sync_channel(limits.connections_max);
    let (queries, query_queue) = mpsc::channel(QUERIES_MAX);
    let worker = Worker {
        index,
        limits,
        poll,
        sessions: Slab::new(),
        next_generation: 0,
        hub: Hub::new(limits.ring_size_bytes),
        blocks: BlockCache::default(),
        ready: VecDeque::new(),
        catching_up: VecDeque::new(),
        waiting: HashMap::new(),
        unauthenticated: VecDeque::new(),
        wakes: Wakes::default(),
        open_batches: OpenBatches::default(),
        flush: FlushScratch::new(),
        tallies: Tallies::new(&metrics),
        commands: command_queue,
        new_sessions,
        queries: query_queue,
        history,
        questions,
        revocations,
        metrics,
        upstream_up: true,
        upstream_generation: 0,
        followed: [0; Stream::ALL.len()],
        waves: None,
        tick: 0,
    };
    let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        let _guard = AbortOnPanic;
        worker.run();
    })?;
    Ok((WorkerHandle { commands, sessions, queries, waker }, thread))
}

/// A pod without one of its workers would keep its clients' connections open and silent; ending sends them elsewhere.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

struct Worker {
    index: usize,
    limits: Limits,
    poll: Poll,
    sessions: Slab<Session>,
    next_generation: u64,
    hub: Hub,
    blocks: BlockCache,
    /// Sessions (with their generation) with something to send, each at most once here or in `catching_up`.
    ready: VecDeque<(usize, u64)>,
    /// Those that have more to send than one turn allows, or come back from a full socket or a part that was read back.
    /// They have a slice of their own, so that somebody's 500 missed events delay nobody's newest.
    catching_up: VecDeque<(usize, u64)>,
    /// Sessions (with their generation) that wait for a block; the block is asked for once.
    waiting: HashMap<BlockKey, Vec<(usize, u64)>>,
    /// Sessions that have yet to prove who they are, oldest first.
    unauthenticated: VecDeque<(Instant, usize, u64)>,
    wakes: Wakes,
    open_batches: OpenBatches,
    flush: FlushScratch,
    tallies: Tallies,
    commands: mpsc::Receiver<Command>,
    new_sessions: Receiver<NewSession>,
    queries: mpsc::Receiver<Query>,
    history: mpsc::Sender<history::Request>,
    questions: mpsc::Sender<Question>,
    revocations: Revocations,
    metrics: GatewayMetrics,
    upstream_up: bool,
    /// Which connection to NATS it is, or was.
    upstream_generation: u64,
    /// By stream: the connection over which it was found to be the one that the pod knows.
    followed: [u64; Stream::ALL.len()],
    /// The pod stops.
    waves: Option<Waves>,
    tick: u64,
}

impl Worker {
    fn run(mut self) {
        let mut events = Events::with_capacity(SOCKETS_PER_TURN);
        let mut next_tick = Instant::now() + TICK;
        let mut opened = 0;
        loop {
            let has_ready = !self.ready.is_empty() || !self.catching_up.is_empty();
            let has_more = has_ready || !self.commands.is_empty() || opened == OPENED_PER_TURN;
            let waves = self.waves.as_ref().and_then(Waves::next_due);
            let due = [self.wakes.next_due(), waves].into_iter().flatten().fold(next_tick, Instant::min);
            let timeout =
                if has_more { Duration::ZERO } else { due.saturating_duration_since(Instant::now()) };
            match self.poll.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("the poller of a worker failed: {error}"),
            }
            for event in events.iter().filter(|event| event.token() != WAKE) {
                let Token(index) = event.token();
                if !self.sessions.contains(index) {
                    continue;
                }
                if event.is_writable() {
                    self.unblock(index);
                }
                let is_ended = event.is_read_closed() || event.is_error();
                if event.is_readable() || is_ended {
                    self.read(index, is_ended);
                }
            }
            opened = 0;
            while opened < OPENED_PER_TURN
                && let Ok(new) = self.new_sessions.try_recv()
            {
                self.open(new);
                opened += 1;
            }
            if self.take_commands() {
                return;
            }
            self.wake_due();
            self.drain_due();
            self.flush_slice();
            self.catch_up_slice();
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                self.tick();
            }
            if self.waves.is_some() && self.sessions.is_empty() {
                return;
            }
        }
    }

    fn take_commands(&mut self) -> bool {
        for _ in 0..COMMANDS_PER_TURN {
            match self.commands.try_recv() {
                Ok(Command::Start { stream, head, load_to }) => self.start(stream, head, load_to),
                Ok(Command::Batch(batch)) => self.take_batch(batch),
                Ok(Command::Block(block)) => self.take_block(block),
                Ok(Command::Upstream { up, generation }) => self.note_upstream(up, generation),
                Ok(Command::Followed(stream, generation)) => self.followed[stream as usize] = generation,
                Ok(Command::Answer { session, generation, tag, answer }) => {
                    if self.is_same(session, generation) {
                        self.take_answer(session, tag, answer);
                    }
                }
                Ok(Command::Revoked(id)) => self.revoke(id.as_deref()),
                Ok(Command::Shed(count)) => self.shed(count),
                Ok(Command::Drain(within)) => self.drain(within),
                Ok(Command::Stop) => return true,
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return true,
            }
        }
        while let Ok(query) = self.queries.try_recv() {
            self.take_query(query);
        }
        false
    }

    fn start(&mut self, stream: Stream, head: Position, load_to: u64) {
        self.blocks.forget(stream);
        self.hub.start(stream, head, load_to);
        let all: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in all {
            self.enqueue(index);
        }
    }

    fn take_batch(&mut self, batch: Arc<Batch>) {
        let mut matched: Vec<ChannelId> = Vec::new();
        let (mut subscribers, mut behind) = (0, 0);
        let now = Instant::now();
        for event in &batch.events {
            self.hub.append(event, &mut matched);
            for id in &matched {
                for follower in self.hub.channel(*id).followers() {
                    subscribers += 1;
                    let session = &mut self.sessions[follower.session];
                    if session.cannot_take(event.stream) {
                        behind += 1;
                    } else if !session.is_queued {
                        session.is_queued = true;
                        session.queued_at = now;
                        self.ready.push_back((follower.session, session.generation));
                    }
                }
            }
        }
        self.open_batches.open(batch, subscribers, behind, self.ready.len());
    }

    fn take_block(&mut self, block: Arc<Block>) {
        let key = block.key();
        if block.epoch() != self.hub.head(key.stream).epoch || !self.is_followed(key.stream) {
            // Read from an incarnation that this pod does not follow (yet, or any more), or from a stream that may have
            // lost its end meanwhile; the next tick asks again.
            return;
        }
        self.blocks.insert(block);
        for (index, generation) in self.waiting.remove(&key).unwrap_or_default() {
            if self.is_same(index, generation) {
                let session = &mut self.sessions[index];
                session.waiting = None;
                session.cursors.note_read(key, &self.hub);
                self.enqueue_to_catch_up(index);
            }
        }
    }

    fn is_same(&self, index: usize, generation: u64) -> bool {
        self.sessions.get(index).is_some_and(|session| session.generation == generation)
    }

    fn note_upstream(&mut self, up: bool, generation: u64) {
        self.upstream_generation = generation;
        if self.upstream_up != up {
            self.upstream_up = up;
            self.tell_all(&Notice::Upstream { connected: up });
        }
    }

    /// Whether what is read back of the stream now belongs to what the pod has of it.
    fn is_followed(&self, stream: Stream) -> bool {
        self.upstream_up && self.followed[stream as usize] >= self.upstream_generation
    }

    fn tell_all(&mut self, notice: &Notice<'_>) {
        let all: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in all {
            let session = &mut self.sessions[index];
            if session.closing.is_none()
                && !session.is_flooding()
                && let Some(bytes) = session.codec.notice(notice, None)
            {
                session.push_control(bytes);
                self.enqueue(index);
            }
        }
    }

    /// Puts a session on the ready list unless it is on a list or cannot go on.
    fn enqueue(&mut self, index: usize) {
        if self.sessions[index].begin_waiting() {
            self.ready.push_back((index, self.sessions[index].generation));
        }
    }

    /// As [`Self::enqueue`], for a session that may have much to send.
    fn enqueue_to_catch_up(&mut self, index: usize) {
        if self.sessions[index].begin_waiting() {
            self.catching_up.push_back((index, self.sessions[index].generation));
        }
    }

    fn unblock(&mut self, index: usize) {
        if self.sessions[index].blocked_since.take().is_some() {
            self.enqueue_to_catch_up(index);
        }
    }

    /// Once a second: stalled and unauthenticated sessions, checkpoints, blocks that did not come, sizes of events.
    fn tick(&mut self) {
        self.tick += 1;
        self.hub.measure();
        while let Some((due, index, generation)) = self.unauthenticated.front().copied() {
            if due > Instant::now() {
                break;
            }
            self.unauthenticated.pop_front();
            if self.is_same(index, generation) && !self.sessions[index].is_admitted() {
                self.close_politely(index, CloseReason::Unauthenticated);
            }
        }
        let interval = self.limits.checkpoint_interval_s.max(1);
        // A pod that stops does not wait for those who take nothing.
        let stall_timeout = if self.waves.is_some() { LINGER } else { self.limits.stall_timeout };
        let (mut over, mut due, mut behind) = (Vec::new(), Vec::new(), 0);
        self.end_expired();
        for (index, session) in &self.sessions {
            behind += i64::from(session.is_behind());
            if session.is_stalled(stall_timeout) {
                over.push((index, CloseReason::Stalled));
            } else if session.ended_at.is_some_and(|at| at.elapsed() >= LINGER) {
                over.push((index, session.closing.unwrap_or(CloseReason::ClientGone)));
            } else if index as u64 % interval == self.tick % interval {
                due.push((index, !session.is_behind() && !session.is_queued));
            }
        }
        self.flush.report_behind(&self.metrics, behind);
        self.tallies.flush();
        for (index, reason) in over {
            self.close(index, reason);
        }
        for (index, is_quiet) in due {
            self.beat(index);
            if is_quiet && self.sessions.contains(index) {
                self.checkpoint(index);
            }
        }
        self.waiting.retain(|key, waiters| {
            let still_waits = |&(index, generation): &(usize, u64)| {
                let session: Option<&Session> = self.sessions.get(index);
                session.is_some_and(|one| one.generation == generation && one.waiting == Some(*key))
            };
            waiters.retain(still_waits);
            !waiters.is_empty()
        });
        for key in self.waiting.keys().copied().collect::<Vec<_>>() {
            self.ask(key);
        }
    }

    /// The protocol's own ping, where it has one.
    fn beat(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() || !session.is_admitted() {
            return;
        }
        let mut actions = Vec::new();
        session.codec.beat(&mut actions);
        if !actions.is_empty() {
            self.act(index, actions);
            self.enqueue(index);
        }
    }

    fn checkpoint(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        if session.closing.is_some() || !session.is_admitted() {
            return;
        }
        if let Some(token) = session.cursors.token(&self.hub)
            && let Some(bytes) = session.codec.notice(&Notice::Checkpoint, Some(&token))
        {
            session.push_control(bytes);
            self.enqueue(index);
        }
    }

    fn wait_for(&mut self, index: usize, key: BlockKey) {
        let session = &mut self.sessions[index];
        session.waiting = Some(key);
        let waiters = self.waiting.entry(key).or_default();
        let waiter = (index, session.generation);
        if waiters.contains(&waiter) {
            return;
        }
        waiters.push(waiter);
        // A part that was read just now and did not go far enough is read again at the next tick.
        if waiters.len() == 1 && !self.blocks.is_recent(key) {
            self.ask(key);
        }
    }

    fn ask(&self, key: BlockKey) {
        // A full queue means that reads are behind; the next tick asks again.
        let _ = self.history.try_send(history::Request { key, worker: self.index });
    }
}
