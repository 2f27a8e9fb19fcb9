//! Batches whose sessions are still being flushed, and what was done for each: the figures of the `process` span.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::upstream::sequencer::{Batch, BatchStats};

/// Batches held open at most; beyond it the oldest ends with what was done so far.
const OPEN_MAX: usize = 64;

#[derive(Debug)]
struct OpenBatch {
    batch: Arc<Batch>,
    last_order: u64,
    /// Flushes after which every session that was ready for it had its turn.
    flushes_left: usize,
    stats: BatchStats,
    has_written: bool,
}

/// Oldest first. Empty where tracing is off.
#[derive(Debug, Default)]
pub struct OpenBatches {
    open: VecDeque<OpenBatch>,
}

impl OpenBatches {
    /// A batch was taken in; `ready` sessions have their turn before it is done.
    pub fn open(&mut self, batch: Arc<Batch>, subscribers: u64, behind: u64, ready: usize) {
        if batch.trace.is_none() {
            return;
        }
        let last_order = batch.events.last().map_or(0, |event| event.order);
        let stats = BatchStats { subscribers, behind, ..BatchStats::default() };
        self.open.push_back(OpenBatch { batch, last_order, flushes_left: ready, stats, has_written: false });
        if self.open.len() > OPEN_MAX
            && let Some(oldest) = self.open.front_mut()
        {
            oldest.flushes_left = 0;
        }
        self.finish();
    }

    /// Whether anybody wants to know of writes.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// A write took these events (by their place in the pod's order) and this long.
    pub fn written(&mut self, orders: &[u64], started: Instant, took: Duration) {
        for &order in orders {
            // Order 0 was read back: of no batch.
            if order == 0 {
                continue;
            }
            let index = self.open.partition_point(|open| open.last_order < order);
            let Some(open) = self.open.get_mut(index) else { continue };
            open.stats.delivered += 1;
            if !open.has_written {
                open.has_written = true;
                let received = open.batch.events.first().map_or(started, |event| event.received_at);
                open.stats.queue_wait = started.saturating_duration_since(received);
            }
        }
        if let Some(oldest) = self.open.front_mut() {
            oldest.stats.write_time += took;
        }
    }

    /// A session of the ready list had its turn.
    pub fn one_flushed(&mut self) {
        for open in &mut self.open {
            open.flushes_left = open.flushes_left.saturating_sub(1);
        }
        self.finish();
    }

    fn finish(&mut self) {
        while self.open.front().is_some_and(|open| open.flushes_left == 0) {
            let Some(mut done) = self.open.pop_front() else { return };
            let superseded = done.batch.events.iter().filter(|event| event.is_superseded()).count();
            done.stats.conflated = superseded as u64;
            if let Some(trace) = &done.batch.trace {
                trace.add(&done.stats);
            }
        }
    }
}
