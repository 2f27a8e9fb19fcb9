//! The newest value of every state key, and the keys that ended lately.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::Event;

/// How many ended keys are remembered, so that a slow follower is still told of each. One that is further behind gets
/// a new snapshot.
const REMOVED_MAX: usize = 1_024;

/// Subject -> newest event.
#[derive(Debug, Default)]
pub struct StateTable {
    newest: HashMap<Box<str>, Arc<Event>>,
    /// Ended keys, oldest first; an entry whose key came back is stale.
    removed: VecDeque<Arc<Event>>,
}

impl StateTable {
    /// Takes a value (or an end) in. Returns an ended key that is forgotten now, if any.
    pub fn insert(&mut self, event: Arc<Event>) -> Option<Arc<Event>> {
        if let Some(older) = self.newest.insert(event.topic.clone(), Arc::clone(&event)) {
            older.supersede();
        }
        if !event.removed {
            return None;
        }
        self.removed.push_back(event);
        while self.removed.len() > REMOVED_MAX {
            let oldest = self.removed.pop_front()?;
            if !oldest.is_superseded() {
                self.newest.remove(&oldest.topic);
                oldest.supersede();
                return Some(oldest);
            }
        }
        None
    }

    /// Every key's newest event, in no order; ended keys included.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.newest.values()
    }
}
