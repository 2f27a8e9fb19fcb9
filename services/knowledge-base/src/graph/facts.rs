//! What each fact has put into the graph, by its number, so that it can be taken out again.
//!
//! Numbers rise and are mostly dense, so records lie in small pages: less than a hash table's entry each, and what is
//! deleted is given back page by page.

use hashbrown::HashMap;

use crate::store::FactId;

/// Facts on a page: the page's own entry costs them half a byte each, and a page with one fact left costs 1 KiB.
const PAGE_FACTS: usize = 64;

/// What a fact is to the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An edge: not negated, with two arguments that are both entities.
    Edge {
        /// Number of the predicate.
        predicate: u32,
        /// Number of the first argument.
        from: u32,
        /// Number of the second.
        to: u32,
    },
    /// Any other.
    Other(Box<Other>),
}

/// A fact that is no edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Number of the predicate.
    pub predicate: u32,
    /// With a leading `-`.
    pub negated: bool,
    /// Numbers of the entities in it, each once.
    pub entities: Box<[u32]>,
}

#[derive(Debug, Clone)]
struct Page {
    facts: usize,
    records: Box<[Option<Record>; PAGE_FACTS]>,
}

impl Page {
    fn empty() -> Self {
        Self { facts: 0, records: Box::new([const { None }; PAGE_FACTS]) }
    }
}

/// Records by the number of their fact.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pages: HashMap<u64, Page>,
}

fn place(id: FactId) -> (u64, usize) {
    const FACTS: u64 = PAGE_FACTS as u64;
    (id.0 / FACTS, usize::try_from(id.0 % FACTS).expect("it is below the facts of a page"))
}

impl Facts {
    /// The record of a fact.
    pub fn get(&self, id: FactId) -> Option<&Record> {
        let (page, slot) = place(id);
        self.pages.get(&page)?.records[slot].as_ref()
    }

    /// Keeps the record of a fact that has none.
    pub fn insert(&mut self, id: FactId, record: Record) {
        let (page, slot) = place(id);
        let page = self.pages.entry(page).or_insert_with(Page::empty);
        debug_assert!(page.records[slot].is_none(), "fact {id} is there");
        page.records[slot] = Some(record);
        page.facts += 1;
    }

    /// Takes the record of a fact out.
    pub fn remove(&mut self, id: FactId) -> Option<Record> {
        let (number, slot) = place(id);
        let page = self.pages.get_mut(&number)?;
        let record = page.records[slot].take()?;
        page.facts -= 1;
        if page.facts == 0 {
            self.pages.remove(&number);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_there_until_it_is_taken_and_the_last_takes_its_page_along() {
        let mut facts = Facts::default();
        let edge = |predicate| Record::Edge { predicate, from: 1, to: 2 };
        for (number, id) in [1, 63, 64, u64::MAX].into_iter().zip(0..) {
            facts.insert(FactId(number), edge(id));
        }
        assert_eq!(facts.pages.len(), 3);
        assert_eq!((facts.get(FactId(64)), facts.get(FactId(2))), (Some(&edge(2)), None));
        assert_eq!((facts.remove(FactId(63)), facts.remove(FactId(63))), (Some(edge(1)), None));
        assert_eq!((facts.remove(FactId(1)), facts.remove(FactId(u64::MAX))), (Some(edge(0)), Some(edge(3))));
        assert_eq!(facts.pages.len(), 1);
    }
}
