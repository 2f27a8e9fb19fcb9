//! All that is found about the facts, kept as they come and go, so that an answer costs its page and not the store. Holds
//! hashes and numbers, no statements. Pure.

use std::collections::HashMap;

use super::folding::Entry;
use super::functional::{Functional, Values};
use super::predicates::{Predicates, Suspicion, Suspicious, UseId};
use super::same::{Both, Named, Same};
use crate::by_fact::ByFact;
use crate::store::FactId;

/// What is remembered of a fact: 24 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    form: u64,
    subject: u64,
    used: UseId,
    negated: bool,
}

/// How much was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Facts that were looked at: all.
    pub facts: usize,
    /// Groups of facts that say the same.
    pub duplicates: usize,
    /// Facts that are said and denied.
    pub contradictions: usize,
    /// Subjects of functional predicates with several values.
    pub functional: usize,
    /// Predicates of which something looks like a mistake.
    pub suspicious: usize,
}

/// Facts that cannot all be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// One says what the other denies.
    Contradiction(Both),
    /// They give one subject of a functional predicate several values.
    Functional(Values),
}

/// What the facts are to one that may be among them or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Facts that say the same, however they are spelled.
    pub same: Named,
    /// Facts that say the opposite.
    pub opposite: Named,
    /// Facts that give its subject another value, where its predicate is functional.
    pub other_values: Values,
    /// What of its predicate would begin to look like a mistake.
    pub suspicions: Vec<Suspicion>,
}

/// All findings.
#[derive(Debug, Default)]
pub struct Findings {
    records: ByFact<Record>,
    facts: usize,
    predicates: Predicates,
    same: Same,
    functional: Functional,
    /// The folded predicate that a fact declares functional.
    declarations: HashMap<FactId, Box<str>>,
}

fn form_of(records: &ByFact<Record>) -> impl Fn(FactId) -> (u64, bool) {
    |id| records.get(id).map(|record| (record.form, record.negated)).expect("facts here have a record")
}

fn value_of(records: &ByFact<Record>) -> impl Fn(FactId) -> (u64, u64) {
    |id| records.get(id).map(|record| (record.subject, record.form)).expect("facts here have a record")
}

impl Findings {
    /// Says what a fact is now: this, or none. Saying it twice does no harm. The findings are those of the facts after
    /// [`Self::settle`].
    pub fn set(&mut self, id: FactId, entry: Option<&Entry>) {
        self.take_out(id);
        if let Some(entry) = entry {
            self.put_in(id, entry);
        }
    }

    fn take_out(&mut self, id: FactId) {
        let Some(record) = self.records.get(id) else { return };
        self.same.remove(id, form_of(&self.records));
        if !record.negated {
            self.functional.remove(id, self.predicates.family(record.used), value_of(&self.records));
        }
        if let Some(declared) = self.declarations.remove(&id)
            && let Some(family) = self.predicates.withdraw(&declared)
        {
            self.functional.withdraw(family);
        }
        let folded = super::folding::fold(self.predicates.spelling(record.used)).into_owned();
        self.predicates.remove(record.used, &folded);
        self.records.remove(id);
        self.facts -= 1;
    }

    fn put_in(&mut self, id: FactId, entry: &Entry) {
        let used = self.predicates.insert(&entry.predicate, &entry.folded_predicate, entry.arity);
        let record = Record { form: entry.form, subject: entry.subject, used, negated: entry.negated };
        self.records.insert(id, record);
        self.same.insert(id, form_of(&self.records));
        if let Some(declared) = &entry.declares {
            let (family, is_first) = self.predicates.declare(declared);
            if is_first {
                self.functional.declare(family);
            }
            self.declarations.insert(id, declared.clone());
        }
        if !entry.negated {
            self.functional.insert(id, self.predicates.family(used), value_of(&self.records));
        }
        self.facts += 1;
    }

    /// Takes in what was declared since: once for all changes up to a revision, because it looks at all facts.
    pub fn settle(&mut self) {
        let predicates = &self.predicates;
        let given = self.records.iter().filter(|(_, record)| !record.negated);
        let given = given.map(|(id, record)| (id, predicates.family(record.used)));
        self.functional.settle(given, value_of(&self.records));
    }

    /// How much there is.
    pub fn figures(&self) -> Figures {
        Figures {
            facts: self.facts,
            duplicates: self.same.doubles_count(),
            contradictions: self.same.contradictions_count(),
            functional: self.functional.count(),
            suspicious: self.predicates.suspicious_count(),
        }
    }

    /// Groups of facts that say the same in several spellings, of those whose first fact comes after `after`; in the
    /// order of their first.
    pub fn duplicates(&self, after: FactId) -> impl Iterator<Item = Named> {
        self.same.doubles(after)
    }

    /// What is said and denied, by its first fact, after `after` and in that order.
    pub fn contradictions(&self, after: FactId) -> impl Iterator<Item = (FactId, Conflict)> {
        self.same.contradictions(after).map(|(first, both)| (first, Conflict::Contradiction(both)))
    }

    /// Subjects with several values, by their first fact, after `after` and in that order.
    pub fn functional(&self, after: FactId) -> impl Iterator<Item = (FactId, Conflict)> {
        self.functional.conflicts(after).map(|(first, values)| (first, Conflict::Functional(values)))
    }

    /// Predicates of which something looks like a mistake, whose folded names come after `after`; in their order.
    pub fn suspicious(&self, after: &str) -> impl Iterator<Item = Suspicious> {
        self.predicates.suspicious(after)
    }

    /// What the facts are to this one.
    pub fn about(&self, entry: &Entry) -> About {
        let both = self.same.of(entry.form, form_of(&self.records));
        let (same, opposite) =
            if entry.negated { (both.denied, both.holds) } else { (both.holds, both.denied) };
        let family = self.predicates.named(&entry.folded_predicate).filter(|_| !entry.negated);
        let other_values = family.map_or_else(Values::default, |family| {
            self.functional.others(family, entry.subject, entry.form, value_of(&self.records))
        });
        let mut suspicions = self.predicates.would_be(&entry.predicate, &entry.folded_predicate, entry.arity);
        if entry.declares.as_ref().is_some_and(|declared| self.predicates.named(declared).is_none()) {
            suspicions.push(Suspicion::FunctionalUnused);
        }
        About { same, opposite, other_values, suspicions }
    }

    /// How many facts have that number or one before it.
    pub fn facts_upto(&self, id: FactId) -> usize {
        self.records.count_upto(id)
    }
}
