//! Facts by a key of 64 bits. Most are alone with theirs and cost nine bytes and the room that a table leaves free; where
//! several share one, they are a group. Keys are hashes already, so none is hashed again.

use hashbrown::{HashMap, HashTable};

use crate::store::FactId;

/// What several facts of one key are.
pub trait Group: Default {
    /// What it knows of each.
    type Member;

    /// Takes one more.
    fn insert(&mut self, id: FactId, member: Self::Member);

    /// Takes one out.
    fn remove(&mut self, id: FactId, member: Self::Member);

    /// The last one, where there is only one.
    fn last(&self) -> Option<FactId>;
}

/// What an index knows of a fact that it holds: its key and what it is to a group.
pub type Known<M> = (u64, M);

/// Facts by key. They are told by number, and what they are is asked of the index that holds them.
#[derive(Debug)]
pub struct Groups<G> {
    alone: HashTable<FactId>,
    groups: HashMap<u64, G>,
}

impl<G> Default for Groups<G> {
    fn default() -> Self {
        Self { alone: HashTable::new(), groups: HashMap::new() }
    }
}

impl<G: Group> Groups<G> {
    /// Takes a fact that is not there; `known` tells of it and of all that are.
    pub fn insert(&mut self, id: FactId, known: impl Fn(FactId) -> Known<G::Member>) {
        let (key, member) = known(id);
        if let Some(group) = self.groups.get_mut(&key) {
            group.insert(id, member);
            return;
        }
        match self.alone.find_entry(key, |other| known(*other).0 == key) {
            Ok(entry) => {
                let (other, _) = entry.remove();
                let mut group = G::default();
                group.insert(other, known(other).1);
                group.insert(id, member);
                self.groups.insert(key, group);
            }
            Err(_) => {
                self.alone.insert_unique(key, id, |other| known(*other).0);
            }
        }
    }

    /// Takes a fact out, where it is there; `known` tells of it still.
    pub fn remove(&mut self, id: FactId, known: impl Fn(FactId) -> Known<G::Member>) {
        let (key, member) = known(id);
        if let Some(group) = self.groups.get_mut(&key) {
            group.remove(id, member);
            if let Some(last) = group.last() {
                self.groups.remove(&key);
                self.alone.insert_unique(key, last, |other| known(*other).0);
            }
        } else if let Ok(entry) = self.alone.find_entry(key, |other| *other == id) {
            entry.remove();
        }
    }

    /// The group of a key; none where a fact is alone with it.
    pub fn group(&self, key: u64) -> Option<&G> {
        self.groups.get(&key)
    }

    /// The fact that is alone with a key.
    pub fn alone(&self, key: u64, key_of: impl Fn(FactId) -> u64) -> Option<FactId> {
        self.alone.find(key, |id| key_of(*id) == key).copied()
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = &G> {
        self.groups.values()
    }
}
