//! Two copies of the graph: questions read the one, the follower writes the other, then they change places. So nobody
//! who reads waits for who writes, and an answer is of exactly one revision however long it takes. The price is the
//! memory of the second copy; what else was considered is in `docs/decisions/017`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use super::adjacency::Graph;
use crate::store::{Epoch, Revision};

/// Which state of the store a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The epoch.
    pub epoch: Epoch,
    /// The revision, to the fact.
    pub revision: Revision,
}

/// A graph, and which state of the store it is; none before the first is whole.
#[derive(Debug, Default)]
pub struct Copy {
    /// The graph.
    pub graph: Graph,
    /// What it holds.
    pub position: Option<Position>,
}

#[derive(Debug, Default)]
struct Copies {
    /// Each protects one copy. That of the current one is never locked for writing.
    copies: [RwLock<Copy>; 2],
    /// Which of them is read.
    current: AtomicUsize,
}

/// Reads the current copy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader(Arc<Copies>);

/// Writes the other copy. There is one.
#[derive(Debug)]
pub struct Writer(Arc<Copies>);

/// Two empty copies.
pub fn new() -> (Writer, Reader) {
    let copies = Arc::new(Copies::default());
    (Writer(Arc::clone(&copies)), Reader(copies))
}

impl Reader {
    /// The current copy; it does not change while it is held, and the follower waits for it in the end.
    pub fn read(&self) -> RwLockReadGuard<'_, Copy> {
        loop {
            let current = self.0.current.load(Ordering::Acquire);
            match self.0.copies[current].try_read() {
                Ok(copy) => return copy,
                // A copy is whole between two facts, and a writer that panics ends the follower.
                Err(TryLockError::Poisoned(copy)) => return copy.into_inner(),
                // They changed places since the look; the other one is free.
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
    }
}

impl Writer {
    /// The copy that nobody begins to read; waits for those who still do.
    pub fn standby(&mut self) -> RwLockWriteGuard<'_, Copy> {
        let standby = 1 - self.0.current.load(Ordering::Acquire);
        self.0.copies[standby].write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the copies change places.
    pub fn swap(&mut self) {
        let current = self.0.current.load(Ordering::Acquire);
        self.0.current.store(1 - current, Ordering::Release);
    }

    /// Makes both copies the same as the current one is, in as little memory as they need.
    pub fn level(&mut self) {
        self.refill();
        self.swap();
        self.refill();
    }

    fn refill(&mut self) {
        let current = Reader(Arc::clone(&self.0));
        let mut standby = self.standby();
        // Given back first, so that there are never three.
        *standby = Copy::default();
        let current = current.read();
        *standby = Copy { graph: current.graph.packed(), position: current.position.clone() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;
    use crate::store::FactId;

    fn position(revision: u64) -> Option<Position> {
        Some(Position { epoch: Epoch::kept("e"), revision: Revision(revision) })
    }

    #[test]
    fn who_reads_sees_one_revision_for_as_long_as_it_reads() {
        let (mut writer, reader) = new();
        assert_eq!(reader.read().position, None);
        let fact = parse("P(a, b)").unwrap();
        writer.standby().graph.set(FactId(1), Some(&fact));
        writer.standby().position = position(1);
        assert_eq!(reader.read().position, None, "nobody sees what is not whole");
        writer.swap();
        writer.level();
        let held = reader.read();
        assert_eq!((&held.position, held.graph.figures().edges), (&position(1), 1));

        writer.standby().graph.set(FactId(2), Some(&parse("P(b, c)").unwrap()));
        writer.standby().position = position(2);
        writer.swap();
        assert_eq!((&held.position, held.graph.figures().edges), (&position(1), 1), "it is held");
        let fresh = reader.read();
        assert_eq!((&fresh.position, fresh.graph.figures().edges), (&position(2), 2), "nobody waits for it");
        let levelling = std::thread::spawn(move || {
            writer.level();
            writer
        });
        drop((held, fresh));
        let mut writer = levelling.join().unwrap();
        assert_eq!(writer.standby().graph.figures(), reader.read().graph.figures());
    }
}
