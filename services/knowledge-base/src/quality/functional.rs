//! Predicates that have one value: of `Functional(Capital).` follows that no two facts `Capital(France, ...)` differ in
//! their last argument. Facts of other predicates are not kept here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use hashbrown::HashMap;

use super::groups::{Group, Groups, Known};
use super::predicates::FamilyId;
use super::same::NAMED_MAX;
use crate::store::FactId;

/// Facts of one subject with several values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// The first fact of each value, of at most [`NAMED_MAX`] values; by number.
    pub first: Vec<FactId>,
    /// How many facts the subject has.
    pub count: usize,
}

/// The facts of one subject.
#[derive(Debug, Default)]
struct Subject {
    facts: BTreeSet<FactId>,
    /// The same by their forms, so that two values are seen at the ends.
    by_form: BTreeSet<(u64, FactId)>,
}

impl Subject {
    fn conflict(&self) -> Option<FactId> {
        let (one, other) = (self.by_form.first()?, self.by_form.last()?);
        self.facts.first().copied().filter(|_| one.0 != other.0)
    }

    /// The first fact of each value but `form`.
    fn values(&self, form: Option<u64>) -> Values {
        let mut first = Vec::new();
        let mut next = self.by_form.first();
        while let Some((found, id)) = next.filter(|_| first.len() < NAMED_MAX) {
            if Some(*found) != form {
                first.push(*id);
            }
            next = self.by_form.range((Bound::Excluded((*found, FactId(u64::MAX))), Bound::Unbounded)).next();
        }
        first.sort_unstable();
        Values { first, count: self.facts.len() }
    }
}

impl Group for Subject {
    /// The form.
    type Member = u64;

    fn insert(&mut self, id: FactId, form: u64) {
        self.facts.insert(id);
        self.by_form.insert((form, id));
    }

    fn remove(&mut self, id: FactId, form: u64) {
        self.facts.remove(&id);
        self.by_form.remove(&(form, id));
    }

    fn last(&self) -> Option<FactId> {
        self.facts.first().copied().filter(|_| self.facts.len() == 1)
    }
}

/// The facts of functional predicates by subject, and a list of those with several values. Negated facts are none of
/// them: they give no value.
#[derive(Debug, Default)]
pub struct Functional {
    families: HashMap<FamilyId, Groups<Subject>>,
    /// Declared, with none of their facts here yet.
    fresh: HashSet<FamilyId>,
    /// Predicate and subject, by the first of the subject's facts.
    conflicts: BTreeMap<FactId, (FamilyId, u64)>,
}

impl Functional {
    /// The predicate is functional from now on. Its facts come with [`Self::settle`]: many are declared at once, and
    /// finding the facts means looking at all.
    pub fn declare(&mut self, family: FamilyId) {
        self.fresh.insert(family);
    }

    /// The predicate is not functional any more.
    pub fn withdraw(&mut self, family: FamilyId) {
        self.fresh.remove(&family);
        for subject in self.families.remove(&family).iter().flat_map(Groups::iter) {
            if let Some(first) = subject.conflict() {
                self.conflicts.remove(&first);
            }
        }
    }

    /// Takes the facts of predicates that were declared since: `all` are the facts that are not negated and their
    /// predicates, `known` tells the subject and the form of each.
    pub fn settle(
        &mut self,
        all: impl Iterator<Item = (FactId, FamilyId)>,
        known: impl Fn(FactId) -> Known<u64>,
    ) {
        if self.fresh.is_empty() {
            return;
        }
        let fresh = std::mem::take(&mut self.fresh);
        self.families.extend(fresh.iter().map(|family| (*family, Groups::default())));
        for (id, family) in all.filter(|(_, family)| fresh.contains(family)) {
            self.insert(id, family, &known);
        }
    }

    /// Takes a fact that is not there and not negated.
    pub fn insert(&mut self, id: FactId, family: FamilyId, known: impl Fn(FactId) -> Known<u64>) {
        self.change(family, known(id).0, |groups| groups.insert(id, &known));
    }

    /// Takes a fact out; `known` tells of it still.
    pub fn remove(&mut self, id: FactId, family: FamilyId, known: impl Fn(FactId) -> Known<u64>) {
        self.change(family, known(id).0, |groups| groups.remove(id, &known));
    }

    fn change(&mut self, family: FamilyId, subject: u64, change: impl FnOnce(&mut Groups<Subject>)) {
        let Some(groups) = self.families.get_mut(&family) else { return };
        let conflict = |groups: &Groups<Subject>| groups.group(subject).and_then(Subject::conflict);
        let before = conflict(groups);
        change(groups);
        let after = conflict(groups);
        if let Some(first) = before {
            self.conflicts.remove(&first);
        }
        self.conflicts.extend(after.map(|first| (first, (family, subject))));
    }

    /// How many subjects have several values.
    pub fn count(&self) -> usize {
        self.conflicts.len()
    }

    /// Subjects with several values, of those whose first fact comes after `after`; by the number of that, and in its
    /// order.
    pub fn conflicts(&self, after: FactId) -> impl Iterator<Item = (FactId, Values)> {
        let listed = self.conflicts.range((Bound::Excluded(after), Bound::Unbounded));
        listed.filter_map(|(first, (family, subject))| {
            Some((*first, self.families.get(family)?.group(*subject)?.values(None)))
        })
    }

    /// The facts that give the subject another value than a fact of `form` does.
    pub fn others(
        &self,
        family: FamilyId,
        subject: u64,
        form: u64,
        known: impl Fn(FactId) -> Known<u64>,
    ) -> Values {
        let Some(groups) = self.families.get(&family) else { return Values::default() };
        if let Some(found) = groups.group(subject) {
            return found.values(Some(form));
        }
        let alone = groups.alone(subject, |id| known(id).0).filter(|id| known(*id).1 != form);
        alone.map_or_else(Values::default, |id| Values { first: vec![id], count: 1 })
    }
}
