//! The findings against a model that looks at all facts each time, and the index over a real store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::{Metrics, Shutdown};
use proptest::prelude::*;

use super::predicates::Suspicion;
use super::same::{Both, NAMED_MAX, Named};
use super::*;
use crate::grammar::{Fact, parse};
use crate::store::{
    Confidence, Context, FactId, NewFact, Origin, Revision, SqliteOptions, SqliteStore, StoreMetrics,
};
use crate::testing::Directory;

/// Facts by number, and nothing else.
type Model = BTreeMap<FactId, Fact>;

fn named(ids: impl IntoIterator<Item = FactId>) -> Named {
    let ids: BTreeSet<_> = ids.into_iter().collect();
    Named { count: ids.len(), first: ids.into_iter().take(NAMED_MAX).collect() }
}

/// All facts of one form and sign.
fn saying<'a>(model: &'a Model, fact: &Fact, negated: bool) -> impl Iterator<Item = FactId> + use<'a> {
    let form = Folded::new(fact);
    let same = model.iter().filter(move |(_, other)| other.negated == negated && Folded::new(other) == form);
    same.map(|(id, _)| *id)
}

fn both(model: &Model, fact: &Fact) -> Both {
    Both { holds: named(saying(model, fact, false)), denied: named(saying(model, fact, true)) }
}

fn duplicates(model: &Model) -> Vec<Named> {
    let groups = model.iter().map(|(id, fact)| (id, named(saying(model, fact, fact.negated))));
    groups.filter(|(id, group)| group.count > 1 && group.first[0] == **id).map(|(_, group)| group).collect()
}

fn contradictions(model: &Model) -> Vec<(FactId, Conflict)> {
    let both = model.iter().map(|(id, fact)| (*id, both(model, fact)));
    both.filter(|(id, both)| {
        let firsts = (both.holds.first.first(), both.denied.first.first());
        matches!(firsts, (Some(holds), Some(denied)) if holds.min(denied) == id)
    })
    .map(|(id, both)| (id, Conflict::Contradiction(both)))
    .collect()
}

fn declared(model: &Model) -> BTreeSet<String> {
    let folder = Folder::default();
    model.values().filter_map(|fact| folder.entry(fact).declares.map(String::from)).collect()
}

/// All facts that give `fact`'s subject a value, where its predicate is functional; the first of each value.
fn values(model: &Model, fact: &Fact) -> Vec<(FactId, Folded)> {
    let subject = Folded::new(fact);
    if !declared(model).contains(&*folding::fold(fact.predicate())) {
        return Vec::new();
    }
    let mut values: Vec<(FactId, Folded)> = Vec::new();
    for (id, other) in model.iter().filter(|(_, other)| !other.negated) {
        let form = Folded::new(other);
        if form.subject() == subject.subject() && values.iter().all(|(_, known)| *known != form) {
            values.push((*id, form));
        }
    }
    values
}

fn functional(model: &Model) -> Vec<(FactId, Vec<FactId>)> {
    let given = model.iter().filter(|(_, fact)| !fact.negated);
    let values = given.map(|(id, fact)| (*id, values(model, fact).into_iter().map(|(id, _)| id).collect()));
    values.filter(|(id, values): &(_, Vec<FactId>)| values.len() > 1 && values[0] == *id).collect()
}

/// Facts by spelling and arguments.
type Uses = BTreeMap<(String, usize), usize>;

/// By folded name: what it is suspected of, and its uses.
fn suspicious(model: &Model) -> BTreeMap<String, (Vec<Suspicion>, Uses)> {
    let mut all: BTreeMap<String, Uses> = BTreeMap::new();
    for fact in model.values() {
        let folded = folding::fold(fact.predicate()).into_owned();
        let used = (fact.predicate().to_owned(), fact.term.arguments().len());
        *all.entry(folded).or_default().entry(used).or_default() += 1;
    }
    for folded in declared(model) {
        all.entry(folded).or_default();
    }
    let told = all.into_iter().map(|(folded, uses)| {
        let arities: BTreeSet<_> = uses.keys().map(|(_, arity)| arity).collect();
        let spellings: BTreeSet<_> = uses.keys().map(|(name, _)| name).collect();
        let found = [
            (arities.len() > 1, Suspicion::SeveralArities),
            (spellings.len() > 1, Suspicion::SeveralSpellings),
            (uses.is_empty(), Suspicion::FunctionalUnused),
        ];
        let found = found.into_iter().filter_map(|(is_so, suspicion)| is_so.then_some(suspicion));
        (folded, (found.collect(), uses))
    });
    told.filter(|(_, (found, _)): &(_, (Vec<_>, _))| !found.is_empty()).collect()
}

fn assert_same(findings: &Findings, folder: &Folder, model: &Model, questions: &[Fact]) {
    let after = FactId(0);
    let (doubles, opposites) = (duplicates(model), contradictions(model));
    assert_eq!(findings.duplicates(after).collect::<Vec<_>>(), doubles);
    assert_eq!(findings.contradictions(after).collect::<Vec<_>>(), opposites);
    let several = functional(model);
    let found = findings.functional(after).map(|(first, conflict)| match conflict {
        Conflict::Functional(values) => (first, values.first),
        other => panic!("{other:?}"),
    });
    assert_eq!(found.collect::<Vec<_>>(), several);
    let odd = suspicious(model);
    let found = findings.suspicious("").map(|found| {
        let uses = found.uses.into_iter().map(|used| ((used.predicate.into(), used.arity), used.facts));
        (found.folded.into(), (found.suspicions, uses.collect()))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), odd);
    let figures = Figures {
        facts: model.len(),
        duplicates: doubles.len(),
        contradictions: opposites.len(),
        functional: several.len(),
        suspicious: odd.len(),
    };
    assert_eq!(findings.figures(), figures);
    for fact in questions {
        let about = findings.about(&folder.entry(fact));
        let both = both(model, fact);
        let (same, opposite) =
            if fact.negated { (both.denied, both.holds) } else { (both.holds, both.denied) };
        assert_eq!((about.same, about.opposite), (same, opposite), "{fact}");
        let form = Folded::new(fact);
        let others = values(model, fact).into_iter().filter(|(_, other)| !fact.negated && *other != form);
        assert_eq!(about.other_values.first, others.map(|(id, _)| id).collect::<Vec<_>>(), "{fact}");
    }
}

/// Few words in several spellings, so that all that can be found is common.
fn facts() -> impl Strategy<Value = Fact> {
    let name = prop::sample::select(vec!["P", "p", "Q", "Capital", "CAPITAL"]);
    let argument = prop::sample::select(vec!["a", "A", "\"a\"", "b", "1", "1.0", "Q(b)"]);
    let plain = (any::<bool>(), name, prop::collection::vec(argument, 1..3)).prop_map(
        |(negated, name, arguments)| {
            format!("{}{name}({})", if negated { "-" } else { "" }, arguments.join(", "))
        },
    );
    let declaration = prop::sample::select(vec!["P", "\"p\"", "Capital", "Nobody", "Functional"])
        .prop_map(|name| format!("Functional({name})"));
    let text = prop_oneof![4 => plain, 1 => declaration];
    text.prop_map(|text| parse(&text).expect("made by the grammar"))
}

proptest! {
    #[test]
    fn what_is_found_is_what_looking_at_all_facts_finds(
        changes in prop::collection::vec((1..12_u64, prop::option::weighted(0.8, facts()), any::<bool>()), 1..60),
        questions in prop::collection::vec(facts(), 4),
    ) {
        let (folder, mut findings, mut model) = (Folder::default(), Findings::default(), Model::new());
        for (id, fact, is_looked_at) in changes {
            let id = FactId(id);
            // Twice: what is said again does no harm.
            for _ in 0..2 {
                findings.set(id, fact.as_ref().map(|fact| folder.entry(fact)).as_ref());
            }
            match fact {
                Some(fact) => drop(model.insert(id, fact)),
                None => drop(model.remove(&id)),
            }
            if is_looked_at {
                findings.settle();
                assert_same(&findings, &folder, &model, &questions);
            }
        }
        findings.settle();
        assert_same(&findings, &folder, &model, &questions);
        for id in model.keys() {
            findings.set(*id, None);
        }
        assert_same(&findings, &folder, &Model::new(), &questions);
    }
}

#[test]
fn pages_go_on_after_a_fact_and_what_stays_keeps_its_place() {
    let (folder, mut findings) = (Folder::default(), Findings::default());
    let mut set = |number: u64, text: &str| {
        findings.set(FactId(number), Some(&folder.entry(&parse(text).unwrap())));
    };
    for number in 1..=4 {
        set(number, &format!("P(n{number})"));
        set(number + 10, &format!("P(N{number})"));
    }
    let firsts = |findings: &Findings, after| -> Vec<u64> {
        findings.duplicates(FactId(after)).map(|group| group.first[0].0).collect()
    };
    assert_eq!(firsts(&findings, 0), [1, 2, 3, 4]);
    assert_eq!(firsts(&findings, 2), [3, 4]);
    findings.set(FactId(2), None);
    assert_eq!(firsts(&findings, 0), [1, 3, 4]);
    assert_eq!(firsts(&findings, 2), [3, 4]);
}

#[test]
fn of_very_many_the_first_are_named_and_all_are_counted() {
    let (folder, mut findings) = (Folder::default(), Findings::default());
    for number in 1..=100_u64 {
        // A hundred spellings of one fact, by the bits of the number.
        let name: String = (0..7).map(|bit| if number >> bit & 1 == 1 { 'X' } else { 'x' }).collect();
        findings.set(FactId(number), Some(&folder.entry(&parse(&format!("P({name})")).unwrap())));
    }
    let groups: Vec<_> = findings.duplicates(FactId(0)).collect();
    assert_eq!((groups.len(), groups[0].count, groups[0].first.len()), (1, 100, NAMED_MAX));
}

/// Far beyond what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

fn new(text: &str) -> NewFact {
    NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_follows_additions_changes_and_deletions_exactly() {
    let directory = Directory::new();
    let options = SqliteOptions { data_dir: directory.path().to_owned(), size_bytes_max: None };
    let (store, _threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    let store: crate::store::Store = Arc::new(store);
    let batch = |first: u32| (first..first + 1_000).map(|number| new(&format!("P(n{number}, x)"))).collect();
    for first in 0..7 {
        let sent = store.send_batch(batch(first * 1_000), Origin::default()).await.unwrap();
        sent.written().await.unwrap();
    }
    let (stop, shutdown) = Shutdown::manual();
    let (index, thread) = QualityIndex::start(&store, &Metrics::new(), shutdown);
    let reached = async |revision: Revision| {
        let mut state = index.watch();
        let there = state
            .wait_for(|state| state.position.as_ref().is_some_and(|position| position.revision >= revision));
        tokio::time::timeout(DEADLINE, there).await.expect("it follows").unwrap().figures
    };
    let mut expected = Figures { facts: 7_000, ..Figures::default() };
    assert_eq!(reached(store.snapshot().revision).await, expected);
    let written = store.add(new("Functional(P)"), Origin::default()).await.unwrap();
    expected.facts += 1;
    assert_eq!(reached(written.revision).await, expected);
    let written = store.update(FactId(1), new("P(N1, y)"), Origin::default()).await.unwrap();
    expected.functional += 1;
    assert_eq!(reached(written.revision).await, expected);
    let written = store.add(new("-P(n5, X)"), Origin::default()).await.unwrap();
    (expected.facts, expected.contradictions) = (expected.facts + 1, 1);
    assert_eq!(reached(written.revision).await, expected);
    let seen = index.ask("duplicates", Findings::figures).await.unwrap();
    assert_eq!((seen.revision, seen.value), (written.revision, expected));
    let written = store.delete(FactId(1), Origin::default()).await.unwrap();
    (expected.facts, expected.functional) = (expected.facts - 1, 0);
    assert_eq!(reached(written.revision).await, expected);
    stop.request();
    tokio::task::spawn_blocking(move || thread.join()).await.unwrap();
    tokio::time::timeout(DEADLINE, index.failed()).await.expect("who waits for its end is told");
}

/// The figures of `docs/decisions/020`.
#[test]
#[ignore = "measures, by hand: BYWASH_FACTS=.tools/wordnet/wordnet.facts cargo nextest run --run-ignored only"]
#[allow(clippy::print_stdout, reason = "this is what it is for")]
fn measures_what_a_file_of_facts_costs() {
    let path = std::env::var("BYWASH_FACTS").expect("BYWASH_FACTS names a file with a fact a line");
    let text = std::fs::read_to_string(path).unwrap();
    let folder = Folder::default();
    let timed = |name: &str, work: &mut dyn FnMut() -> usize| {
        let (started, before) = (Instant::now(), resident_bytes());
        let count = work();
        let grown = resident_bytes().saturating_sub(before) / 1_000_000;
        println!("{name}: {count} in {:?}, {grown} MB more", started.elapsed());
    };
    let mut facts = Vec::new();
    timed("parsed", &mut || {
        facts = text.lines().map(|line| parse(line).unwrap()).collect();
        facts.len()
    });
    let mut findings = Findings::default();
    timed("folded and set", &mut || {
        for (number, fact) in (1..).zip(&facts) {
            findings.set(FactId(number), Some(&folder.entry(fact)));
        }
        findings.settle();
        facts.len()
    });
    println!("{:?}", findings.figures());
    timed("two predicates declared", &mut || {
        for (number, name) in (facts.len() as u64 + 1..).zip(["Hypernym", "Word"]) {
            let declared = parse(&format!("Functional({name})")).unwrap();
            findings.set(FactId(number), Some(&folder.entry(&declared)));
        }
        findings.settle();
        findings.figures().functional
    });
    timed("a page of 100 duplicates", &mut || findings.duplicates(FactId(0)).take(100).count());
    timed("a page of 100 conflicts", &mut || findings.functional(FactId(0)).take(100).count());
    let entries: Vec<_> = facts.iter().step_by(facts.len() / 100).map(|fact| folder.entry(fact)).collect();
    timed("asked about", &mut || entries.iter().map(|entry| findings.about(entry).same.count).sum());
    timed("facts up to the last", &mut || findings.facts_upto(FactId(u64::MAX)));
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}
