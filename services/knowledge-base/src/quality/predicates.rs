//! The predicates, in how many spellings and with how many arguments each is used, and which of that looks like a
//! mistake.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::ops::Bound;

use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;

/// Uses of a predicate that a finding names; its count tells how many there are.
pub const USES_NAMED_MAX: usize = 20;

/// Number of a predicate in one spelling and with one number of arguments, while some fact uses it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UseId(u32);

/// Number of a predicate in all its spellings, while a fact uses or declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FamilyId(u32);

/// What looks like a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// The predicate is used with several numbers of arguments.
    SeveralArities,
    /// It is spelled in several ways.
    SeveralSpellings,
    /// It is declared functional and no fact uses it.
    FunctionalUnused,
}

impl Suspicion {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::SeveralArities => "several_arities",
            Self::SeveralSpellings => "several_spellings",
            Self::FunctionalUnused => "functional_unused",
        }
    }
}

/// A predicate in one spelling and with one number of arguments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// As it is spelled.
    pub predicate: Box<str>,
    /// The number of its arguments.
    pub arity: usize,
    /// Facts that use it so.
    pub facts: usize,
}

/// A predicate of which something looks like a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicious {
    /// Its name, folded.
    pub folded: Box<str>,
    /// What does.
    pub suspicions: Vec<Suspicion>,
    /// How it is used: the first [`USES_NAMED_MAX`] by spelling, then by arguments.
    pub uses: Vec<Use>,
    /// How many uses there are.
    pub use_count: usize,
}

#[derive(Debug)]
struct Spelled {
    used: Use,
    family: FamilyId,
}

#[derive(Debug, Default)]
struct Family {
    uses: BTreeSet<UseId>,
    /// Facts that declare it functional.
    declarations: usize,
}

/// All predicates.
#[derive(Debug, Default)]
pub struct Predicates {
    uses: Slab<Spelled>,
    by_spelling: HashTable<UseId>,
    families: Slab<Family>,
    by_folded: HashMap<Box<str>, FamilyId>,
    /// Folded names of those that look like a mistake.
    suspicious: BTreeSet<Box<str>>,
    hasher: DefaultHashBuilder,
}

fn number(key: usize) -> u32 {
    // Each costs a hundred bytes: the memory of no machine that runs this holds more.
    u32::try_from(key).expect("there are fewer than 2^32 predicates")
}

impl Predicates {
    /// One more fact uses the predicate so.
    pub fn insert(&mut self, predicate: &str, folded: &str, arity: usize) -> UseId {
        let hash = self.hasher.hash_one((predicate, arity));
        let uses = &self.uses;
        let is_it = |id: &UseId| {
            let used = &uses[id.0 as usize].used;
            used.arity == arity && *used.predicate == *predicate
        };
        if let Some(id) = self.by_spelling.find(hash, is_it).copied() {
            self.uses[id.0 as usize].used.facts += 1;
            return id;
        }
        let family = self.family_of(folded);
        let used = Use { predicate: predicate.into(), arity, facts: 1 };
        let id = UseId(number(self.uses.insert(Spelled { used, family })));
        let (uses, hasher) = (&self.uses, &self.hasher);
        self.by_spelling.insert_unique(hash, id, |id| {
            let used = &uses[id.0 as usize].used;
            hasher.hash_one((&*used.predicate, used.arity))
        });
        self.families[family.0 as usize].uses.insert(id);
        self.note(folded, family);
        id
    }

    /// One fact less uses it so; `folded` is its folded name.
    pub fn remove(&mut self, id: UseId, folded: &str) {
        let spelled = &mut self.uses[id.0 as usize];
        spelled.used.facts -= 1;
        if spelled.used.facts > 0 {
            return;
        }
        let Spelled { used, family } = self.uses.remove(id.0 as usize);
        let hash = self.hasher.hash_one((&*used.predicate, used.arity));
        if let Ok(entry) = self.by_spelling.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.families[family.0 as usize].uses.remove(&id);
        self.note(folded, family);
    }

    /// The predicate as it is spelled.
    pub fn spelling(&self, id: UseId) -> &str {
        &self.uses[id.0 as usize].used.predicate
    }

    /// The predicate in all its spellings.
    pub fn family(&self, id: UseId) -> FamilyId {
        self.uses[id.0 as usize].family
    }

    /// One more fact declares the predicate functional; whether it is the first.
    pub fn declare(&mut self, folded: &str) -> (FamilyId, bool) {
        let family = self.family_of(folded);
        let held = &mut self.families[family.0 as usize];
        held.declarations += 1;
        let is_first = held.declarations == 1;
        self.note(folded, family);
        (family, is_first)
    }

    /// One fact less does; the predicate where it was the last.
    pub fn withdraw(&mut self, folded: &str) -> Option<FamilyId> {
        let family = *self.by_folded.get(folded)?;
        let held = &mut self.families[family.0 as usize];
        held.declarations -= 1;
        let was_last = held.declarations == 0;
        self.note(folded, family);
        was_last.then_some(family)
    }

    fn family_of(&mut self, folded: &str) -> FamilyId {
        if let Some(family) = self.by_folded.get(folded) {
            return *family;
        }
        let family = FamilyId(number(self.families.insert(Family::default())));
        self.by_folded.insert(folded.into(), family);
        family
    }

    /// Lists the predicate, or not any more, after a change; forgets it where nothing is left of it.
    fn note(&mut self, folded: &str, family: FamilyId) {
        let held = &self.families[family.0 as usize];
        let is_unused = held.uses.is_empty();
        // Two uses of a predicate differ in the spelling or in the arguments.
        if held.uses.len() > 1 || is_unused && held.declarations > 0 {
            self.suspicious.insert(folded.into());
        } else {
            self.suspicious.remove(folded);
        }
        if is_unused && held.declarations == 0 {
            self.families.remove(family.0 as usize);
            self.by_folded.remove(folded);
        }
    }

    /// How many predicates look like a mistake.
    pub fn suspicious_count(&self) -> usize {
        self.suspicious.len()
    }

    /// Predicates that look like a mistake, of those whose folded name comes after `after`; in its order.
    pub fn suspicious(&self, after: &str) -> impl Iterator<Item = Suspicious> {
        let listed = self.suspicious.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
        listed.filter_map(|folded| self.told(folded))
    }

    fn told(&self, folded: &str) -> Option<Suspicious> {
        let family = self.family_named(folded)?;
        let mut uses: Vec<&Use> = self.uses_of(family).collect();
        uses.sort_unstable();
        let mut suspicions = Vec::new();
        if uses.iter().any(|other| other.arity != uses[0].arity) {
            suspicions.push(Suspicion::SeveralArities);
        }
        if uses.iter().any(|other| other.predicate != uses[0].predicate) {
            suspicions.push(Suspicion::SeveralSpellings);
        }
        if uses.is_empty() {
            suspicions.push(Suspicion::FunctionalUnused);
        }
        let use_count = uses.len();
        let uses = uses.into_iter().take(USES_NAMED_MAX).cloned().collect();
        Some(Suspicious { folded: folded.into(), suspicions, uses, use_count })
    }

    /// The predicate of a folded name.
    pub fn named(&self, folded: &str) -> Option<FamilyId> {
        self.by_folded.get(folded).copied()
    }

    fn family_named(&self, folded: &str) -> Option<&Family> {
        self.families.get(self.named(folded)?.0 as usize)
    }

    fn uses_of<'a>(&'a self, family: &'a Family) -> impl Iterator<Item = &'a Use> {
        family.uses.iter().map(|id| &self.uses[id.0 as usize].used)
    }

    /// What a fact that uses the predicate so would make suspicious of what is not yet. Nothing where the predicate is
    /// new: somebody has to be the first.
    pub fn would_be(&self, predicate: &str, folded: &str, arity: usize) -> Vec<Suspicion> {
        let Some(family) = self.family_named(folded).filter(|family| !family.uses.is_empty()) else {
            return Vec::new();
        };
        let is_new = |same: &dyn Fn(&Use) -> bool| !self.uses_of(family).any(same);
        let arities = is_new(&|used| used.arity == arity).then_some(Suspicion::SeveralArities);
        let spellings = is_new(&|used| *used.predicate == *predicate).then_some(Suspicion::SeveralSpellings);
        arities.into_iter().chain(spellings).collect()
    }
}
