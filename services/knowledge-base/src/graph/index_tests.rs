//! The index over a real store: what is written is followed, and questions are bounded.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use chassis::shutdown::Trigger;
use chassis::{Metrics, Shutdown};
use futures_util::future::join_all;
use futures_util::poll;

use super::copies;
use super::follower::Follower;
use super::index::{GraphThread, LONG_AT_ONCE, LONG_WAITING};
use super::metrics::GraphMetrics;
use super::*;
use crate::grammar::parse;
use crate::store::{
    Confidence, Context, FactId, Filter, NewFact, Origin, Revision, SqliteOptions, SqliteStore, Store,
    StoreMetrics,
};
use crate::testing::Directory;

/// Far beyond what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

struct Followed {
    store: Store,
    graph: GraphIndex,
    stop: Trigger,
    thread: GraphThread,
    _directory: Directory,
}

fn store(directory: &Directory) -> Store {
    let options = SqliteOptions { data_dir: directory.path().to_owned(), size_bytes_max: None };
    let (store, _threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
    Arc::new(store)
}

impl Followed {
    fn start() -> Self {
        let directory = Directory::new();
        let store = store(&directory);
        let (stop, shutdown) = Shutdown::manual();
        let (graph, thread) = GraphIndex::start(&store, &Metrics::new(), shutdown);
        Self { store, graph, stop, thread, _directory: directory }
    }

    async fn reached(&self, revision: Revision) -> GraphState {
        let mut state = self.graph.watch();
        let is_there = |state: &Option<GraphState>| {
            state.as_ref().is_some_and(|state| state.position.revision >= revision)
        };
        let reached = tokio::time::timeout(DEADLINE, state.wait_for(is_there)).await;
        reached.expect("the graph follows").unwrap().clone().unwrap()
    }

    async fn add(&self, texts: impl Iterator<Item = String>) -> Revision {
        let facts = texts.map(|text| fact(&text)).collect();
        let batch = self.store.send_batch(facts, Origin::default()).await.unwrap();
        batch.written().await.unwrap().revision
    }

    /// The graph that the store's facts give, built anew.
    async fn rebuilt(&self) -> Graph {
        let facts = self.store.list(Filter::default(), FactId(0), 100_000).await.unwrap().value;
        let mut graph = Graph::default();
        for fact in facts {
            graph.set(fact.id, Some(&parse(&fact.statement).unwrap()));
        }
        graph
    }
}

fn fact(text: &str) -> NewFact {
    NewFact::new(&parse(text).unwrap(), Context::default(), Confidence::DEFAULT)
}

fn walk(start: &str) -> Walks {
    Walks {
        start: start.into(),
        direction: Direction::Any,
        max_depth: Depth::new(10).unwrap(),
        predicates: Predicates::ALL,
        limits: WalkLimits::MAX,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_is_the_store_s_facts_through_additions_changes_and_deletions() {
    let followed = Followed::start();
    let empty = followed.reached(Revision(0)).await;
    assert_eq!(empty.figures, Figures::default());
    let mut revision = Revision(0);
    // More than is kept for the second copy, then less, so that both ways to it are gone.
    for batch in 0..12_u32 {
        revision = followed.add((0..1_000).map(|n| format!("P(n{}, n{})", n % 97, batch * 1_000 + n))).await;
    }
    followed.reached(revision).await;
    for id in [1, 2, 3, 500, 12_000] {
        revision = followed.store.delete(FactId(id), Origin::default()).await.unwrap().revision;
    }
    for id in [4, 5, 600] {
        let update = fact(&format!("Q(changed, n{id})"));
        revision = followed.store.update(FactId(id), update, Origin::default()).await.unwrap().revision;
    }
    // Each look reads the other copy than the one before.
    for look in 0..3 {
        let state = followed.reached(revision).await;
        let expected = followed.rebuilt().await;
        assert_eq!(state.figures, expected.figures());
        let seen = followed.graph.work("traverse", |graph| walk("changed").answer(graph)).await.unwrap();
        assert_eq!((seen.revision, seen.value), (revision, walk("changed").answer(&expected)));
        revision = followed.store.add(fact(&format!("R({look})")), Origin::default()).await.unwrap().revision;
    }
    followed.stop.request();
    tokio::task::spawn_blocking(move || followed.thread.join()).await.unwrap();
    tokio::time::timeout(DEADLINE, followed.graph.failed()).await.expect("who waits for its end is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_questions_are_bounded_and_hold_up_neither_short_ones_nor_the_follower() {
    let followed = Followed::start();
    // After the first the copies are made level, and for that one time the follower waits for who reads; the second is
    // seen when that is over.
    for text in ["P(a, b)", "Q(a)"] {
        let revision = followed.add([text.to_owned()].into_iter()).await;
        followed.reached(revision).await;
    }
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let (began, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let mut asked: Vec<_> = (0..LONG_AT_ONCE + LONG_WAITING)
        .map(|_| {
            let (released, began) = (Arc::clone(&released), began.clone());
            Box::pin(followed.graph.work("held", move |graph| {
                began.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
                graph.figures().edges
            }))
        })
        .collect();
    for question in &mut asked {
        assert!(poll!(question).is_pending(), "it has a place");
    }
    for _ in 0..LONG_AT_ONCE {
        tokio::time::timeout(DEADLINE, begun.recv()).await.expect("they are under way").unwrap();
    }
    let more = followed.graph.work("more", |graph| graph.figures().edges).await;
    assert_eq!(more.map(|seen| seen.value).unwrap_err(), GraphError::Overloaded);

    let second = followed.add(["P(b, c)".to_owned()].into_iter()).await;
    followed.reached(second).await;
    let seen = followed.graph.look("figures", |graph| graph.figures().edges).await.unwrap();
    assert_eq!((seen.value, seen.revision), (2, second));

    for _ in &asked {
        release.send(()).unwrap();
    }
    let edges: Vec<_> = join_all(asked).await.into_iter().map(|seen| seen.unwrap().value).collect();
    let before = edges.iter().filter(|edges| **edges == 1).count();
    assert_eq!(before, LONG_AT_ONCE, "those under way saw what was there when they began");
    let third = followed.add(["P(c, d)".to_owned()].into_iter()).await;
    assert_eq!(followed.reached(third).await.figures.edges, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_is_ahead_of_a_store_that_was_put_back_is_built_anew() {
    let directory = Directory::new();
    let store = store(&directory);
    for number in 0..6 {
        store.add(fact(&format!("P(a, n{number})")), Origin::default()).await.unwrap();
    }
    store.delete(FactId(2), Origin::default()).await.unwrap();
    while store.trim_changes(Revision(7)).await.unwrap().outcome > 0 {}
    let (writer, reader) = copies::new();
    let (sender, state) = tokio::sync::watch::channel(None);
    let metrics = GraphMetrics::new(&Metrics::new());
    let mut follower = Follower::new(store.clone(), writer, sender, metrics);
    follower.holds(
        Revision(9),
        &[(FactId(2), parse("P(a, n1)").unwrap()), (FactId(9), parse("P(x, y)").unwrap())],
    );
    let runtime = tokio::runtime::Handle::current();
    let caught_up = tokio::task::spawn_blocking(move || follower.catch_up(&runtime)).await.unwrap();
    caught_up.unwrap();
    let figures = state.borrow().as_ref().unwrap().figures;
    assert_eq!((figures.edges, figures.entities), (5, 6));
    let copy = reader.read();
    assert_eq!(copy.position.as_ref().unwrap().revision, Revision(7));
    assert_eq!(copy.graph.find("n1"), None);
}
