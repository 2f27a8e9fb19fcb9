//! Facts that say the same, and facts that say the opposite: those with one folded form, by their signs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::groups::{Group, Groups, Known};
use crate::store::FactId;

/// Facts that a finding names; its count tells how many there are. Twenty spellings of one fact are told apart by nobody.
pub const NAMED_MAX: usize = 20;

/// Some facts of which the first are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The first [`NAMED_MAX`] by number.
    pub first: Vec<FactId>,
    /// How many there are.
    pub count: usize,
}

impl Named {
    fn of(ids: &BTreeSet<FactId>) -> Self {
        Self { first: ids.iter().take(NAMED_MAX).copied().collect(), count: ids.len() }
    }

    fn one(id: FactId) -> Self {
        Self { first: vec![id], count: 1 }
    }
}

/// The facts of one form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Both {
    /// Those without a `-`.
    pub holds: Named,
    /// Those with one.
    pub denied: Named,
}

#[derive(Debug, Default)]
struct Sides {
    holds: BTreeSet<FactId>,
    denied: BTreeSet<FactId>,
}

impl Sides {
    fn side(&mut self, negated: bool) -> &mut BTreeSet<FactId> {
        if negated { &mut self.denied } else { &mut self.holds }
    }

    fn marks(&self) -> Marks {
        let double = |side: &BTreeSet<FactId>| side.first().copied().filter(|_| side.len() > 1);
        let contradiction = match (self.holds.first(), self.denied.first()) {
            (Some(holds), Some(denied)) => Some(*holds.min(denied)),
            _ => None,
        };
        Marks { doubles: [double(&self.holds), double(&self.denied)], contradiction }
    }
}

impl Group for Sides {
    /// Whether it is negated.
    type Member = bool;

    fn insert(&mut self, id: FactId, negated: bool) {
        self.side(negated).insert(id);
    }

    fn remove(&mut self, id: FactId, negated: bool) {
        self.side(negated).remove(&id);
    }

    fn last(&self) -> Option<FactId> {
        let mut all = self.holds.iter().chain(&self.denied);
        let first = all.next().copied();
        first.filter(|_| all.next().is_none())
    }
}

/// Where a form is listed: under the first of its facts.
#[derive(Debug, Default)]
struct Marks {
    doubles: [Option<FactId>; 2],
    contradiction: Option<FactId>,
}

/// Facts by form, and lists of the forms that say something twice or contradict themselves.
#[derive(Debug, Default)]
pub struct Same {
    groups: Groups<Sides>,
    /// The form, by the first of the facts that say the same.
    doubles: BTreeMap<FactId, u64>,
    /// The form, by the first of the facts that contradict each other.
    contradictions: BTreeMap<FactId, u64>,
}

impl Same {
    /// Takes a fact that is not there; `known` tells the form and the sign of it and of all that are.
    pub fn insert(&mut self, id: FactId, known: impl Fn(FactId) -> Known<bool>) {
        self.change(known(id).0, |groups| groups.insert(id, &known));
    }

    /// Takes a fact out; `known` tells of it still.
    pub fn remove(&mut self, id: FactId, known: impl Fn(FactId) -> Known<bool>) {
        self.change(known(id).0, |groups| groups.remove(id, &known));
    }

    fn change(&mut self, form: u64, change: impl FnOnce(&mut Groups<Sides>)) {
        let marks = |groups: &Groups<Sides>| groups.group(form).map(Sides::marks).unwrap_or_default();
        let before = marks(&self.groups);
        change(&mut self.groups);
        let after = marks(&self.groups);
        for first in before.doubles.iter().flatten() {
            self.doubles.remove(first);
        }
        self.doubles.extend(after.doubles.into_iter().flatten().map(|first| (first, form)));
        if let Some(first) = before.contradiction {
            self.contradictions.remove(&first);
        }
        self.contradictions.extend(after.contradiction.map(|first| (first, form)));
    }

    /// How many groups of facts say the same.
    pub fn doubles_count(&self) -> usize {
        self.doubles.len()
    }

    /// How many forms are said and denied.
    pub fn contradictions_count(&self) -> usize {
        self.contradictions.len()
    }

    /// Groups of facts that say the same, of those whose first fact comes after `after`; in the order of their first.
    pub fn doubles(&self, after: FactId) -> impl Iterator<Item = Named> {
        let listed = self.doubles.range((Bound::Excluded(after), Bound::Unbounded));
        listed.filter_map(|(first, form)| {
            let sides = self.groups.group(*form)?;
            let side = if sides.holds.first() == Some(first) { &sides.holds } else { &sides.denied };
            Some(Named::of(side))
        })
    }

    /// What is said and denied, of that whose first fact comes after `after`; by the number of that, and in its order.
    pub fn contradictions(&self, after: FactId) -> impl Iterator<Item = (FactId, Both)> {
        let listed = self.contradictions.range((Bound::Excluded(after), Bound::Unbounded));
        listed.filter_map(|(first, form)| Some((*first, both(self.groups.group(*form)?))))
    }

    /// The facts of a form.
    pub fn of(&self, form: u64, known: impl Fn(FactId) -> Known<bool>) -> Both {
        if let Some(sides) = self.groups.group(form) {
            return both(sides);
        }
        match self.groups.alone(form, |id| known(id).0) {
            None => Both::default(),
            Some(id) if known(id).1 => Both { holds: Named::default(), denied: Named::one(id) },
            Some(id) => Both { holds: Named::one(id), denied: Named::default() },
        }
    }
}

fn both(sides: &Sides) -> Both {
    Both { holds: Named::of(&sides.holds), denied: Named::of(&sides.denied) }
}
