//! A part of a stream that was read back: aligned, so that all sessions that are behind share it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto_schemas::Stream;

use crate::event::Event;
use crate::position::TimeBits;

/// Sequences in a block: large enough that a read is worth its round trip, small enough to be held by the dozen.
pub const BLOCK_LENGTH: u64 = 64;

/// Bytes of the blocks that a worker keeps. A session needs one at a time; those that are behind together need the same.
const CACHED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A block that was read less than this ago is not worth another read.
const RECENT: Duration = Duration::from_millis(500);

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockKey {
    /// The stream.
    pub stream: Stream,
    /// Sequences `index * BLOCK_LENGTH + 1 ..= (index + 1) * BLOCK_LENGTH`.
    pub index: u64,
}

impl BlockKey {
    /// The block of `seq`; sequences start at 1.
    pub fn of(stream: Stream, seq: u64) -> Self {
        Self { stream, index: seq.saturating_sub(1) / BLOCK_LENGTH }
    }

    /// First sequence.
    pub fn first_seq(self) -> u64 {
        self.index * BLOCK_LENGTH + 1
    }

    /// Last sequence.
    pub fn last_seq(self) -> u64 {
        (self.index + 1) * BLOCK_LENGTH
    }
}

/// The events of one block, of all subjects.
#[derive(Debug)]
pub struct Block {
    key: BlockKey,
    /// Incarnation it was read from.
    epoch: u64,
    events: Vec<Arc<Event>>,
    covers_to: u64,
    /// First sequence that the stream still keeps.
    stream_first_seq: u64,
    size_bytes: usize,
    read_at: Instant,
}

impl Block {
    /// A block as read: `events` are all that the stream holds between the block's first sequence and `covers_to`.
    pub fn new(
        key: BlockKey,
        epoch: u64,
        events: Vec<Arc<Event>>,
        covers_to: u64,
        stream_first_seq: u64,
    ) -> Self {
        // Each will have a wire form, mostly of one protocol: the sessions that need a block are few.
        let size_bytes = events.iter().map(|event| event.size_bytes() + event.payload.len()).sum();
        Self { key, epoch, events, covers_to, stream_first_seq, size_bytes, read_at: Instant::now() }
    }

    /// Which block it is.
    pub fn key(&self) -> BlockKey {
        self.key
    }

    /// Incarnation it was read from.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Last sequence for which it has everything that is left.
    pub fn covers_to(&self) -> u64 {
        self.covers_to
    }

    /// Events after `seq`.
    pub fn after(&self, seq: u64) -> &[Arc<Event>] {
        &self.events[self.events.partition_point(|event| event.seq <= seq)..]
    }

    /// The last sequence that the stream no longer keeps, if `seq` is one of those.
    pub fn lost_to(&self, seq: u64) -> Option<u64> {
        (seq < self.stream_first_seq).then(|| self.stream_first_seq - 1)
    }

    /// The time bits of the message at `seq`, if it is here.
    pub fn time_bits_at(&self, seq: u64) -> Option<TimeBits> {
        let index = self.events.binary_search_by_key(&seq, |event| event.seq).ok()?;
        Some(self.events[index].time_bits)
    }
}

/// The blocks that a worker holds, oldest out first.
#[derive(Debug, Default)]
pub struct BlockCache {
    blocks: HashMap<BlockKey, Arc<Block>>,
    order: VecDeque<BlockKey>,
    size_bytes: usize,
}

impl BlockCache {
    /// The block, if it is here and covers `seq`.
    pub fn get(&self, key: BlockKey, seq: u64) -> Option<&Block> {
        self.blocks.get(&key).map(AsRef::as_ref).filter(|block| block.covers_to() >= seq)
    }

    /// Whether the block was read just now, however far it went.
    pub fn is_recent(&self, key: BlockKey) -> bool {
        self.blocks.get(&key).is_some_and(|block| block.read_at.elapsed() < RECENT)
    }

    /// Adds a block, in place of an older reading of it. The newest always stays.
    pub fn insert(&mut self, block: Arc<Block>) {
        let key = block.key();
        self.remove(key);
        self.size_bytes += block.size_bytes;
        self.blocks.insert(key, block);
        self.order.push_back(key);
        while self.size_bytes > CACHED_BYTES_MAX
            && self.order.len() > 1
            && let Some(oldest) = self.order.front().copied()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: BlockKey) {
        if let Some(block) = self.blocks.remove(&key) {
            self.size_bytes -= block.size_bytes;
            self.order.retain(|other| *other != key);
        }
    }

    /// Drops what was read of a stream that is another one now.
    pub fn forget(&mut self, stream: Stream) {
        let keys: Vec<_> = self.order.iter().copied().filter(|key| key.stream == stream).collect();
        for key in keys {
            self.remove(key);
        }
    }
}
