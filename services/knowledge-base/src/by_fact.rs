//! Records by the number of their fact: what an index in memory has to know to take a fact out again.
//!
//! Numbers rise and are mostly dense, so records lie in small pages: less than a hash table's entry each, and what is
//! deleted is given back page by page.

use hashbrown::HashMap;

use crate::store::FactId;

/// Facts on a page: the page's own entry costs them half a byte each, and a page with one fact left costs some 64
/// records.
const PAGE_FACTS: usize = 64;

#[derive(Debug, Clone)]
struct Page<R> {
    facts: usize,
    records: Box<[Option<R>; PAGE_FACTS]>,
}

impl<R> Page<R> {
    fn empty() -> Self {
        Self { facts: 0, records: Box::new([const { None }; PAGE_FACTS]) }
    }
}

/// Records by the number of their fact.
#[derive(Debug, Clone)]
pub struct ByFact<R> {
    pages: HashMap<u64, Page<R>>,
}

impl<R> Default for ByFact<R> {
    fn default() -> Self {
        Self { pages: HashMap::new() }
    }
}

fn place(id: FactId) -> (u64, usize) {
    const FACTS: u64 = PAGE_FACTS as u64;
    (id.0 / FACTS, usize::try_from(id.0 % FACTS).expect("it is below the facts of a page"))
}

impl<R> ByFact<R> {
    /// The record of a fact.
    pub fn get(&self, id: FactId) -> Option<&R> {
        let (page, slot) = place(id);
        self.pages.get(&page)?.records[slot].as_ref()
    }

    /// Keeps the record of a fact that has none.
    pub fn insert(&mut self, id: FactId, record: R) {
        let (page, slot) = place(id);
        let page = self.pages.entry(page).or_insert_with(Page::empty);
        debug_assert!(page.records[slot].is_none(), "fact {id} is there");
        page.records[slot] = Some(record);
        page.facts += 1;
    }

    /// Takes the record of a fact out.
    pub fn remove(&mut self, id: FactId) -> Option<R> {
        let (number, slot) = place(id);
        let page = self.pages.get_mut(&number)?;
        let record = page.records[slot].take()?;
        page.facts -= 1;
        if page.facts == 0 {
            self.pages.remove(&number);
        }
        Some(record)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (FactId, &R)> {
        self.pages.iter().flat_map(|(page, held)| {
            let first = page * PAGE_FACTS as u64;
            let records = (first..).zip(held.records.iter());
            records.filter_map(|(id, record)| Some((FactId(id), record.as_ref()?)))
        })
    }

    /// How many facts have that number or one before it. Looks at one page in detail and at the counts of the others.
    pub fn count_upto(&self, id: FactId) -> usize {
        let (number, slot) = place(id);
        let before = self.pages.iter().filter(|(page, _)| **page < number).map(|(_, held)| held.facts);
        let within = self.pages.get(&number).map_or(0, |held| held.records[..=slot].iter().flatten().count());
        before.sum::<usize>() + within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_there_until_it_is_taken_and_the_last_takes_its_page_along() {
        let mut facts = ByFact::default();
        for (number, record) in [1, 63, 64, u64::MAX].into_iter().zip('a'..) {
            facts.insert(FactId(number), record);
        }
        assert_eq!(facts.pages.len(), 3);
        assert_eq!((facts.get(FactId(64)), facts.get(FactId(2))), (Some(&'c'), None));
        assert_eq!((facts.remove(FactId(63)), facts.remove(FactId(63))), (Some('b'), None));
        assert_eq!((facts.remove(FactId(1)), facts.remove(FactId(u64::MAX))), (Some('a'), Some('d')));
        assert_eq!(facts.pages.len(), 1);
    }

    #[test]
    fn all_records_are_listed_and_counted_up_to_a_number() {
        let mut facts = ByFact::default();
        for number in [1, 2, 63, 64, 700] {
            facts.insert(FactId(number), number);
        }
        let mut listed: Vec<_> = facts.iter().map(|(id, record)| (id.0, *record)).collect();
        listed.sort_unstable();
        assert_eq!(listed, [(1, 1), (2, 2), (63, 63), (64, 64), (700, 700)]);
        let counts = [0, 1, 62, 63, 64, 699, 700, 9_999].map(|number| facts.count_upto(FactId(number)));
        assert_eq!(counts, [0, 1, 2, 3, 4, 4, 5, 5]);
    }
}
