//! The graph at its limits: cycles, a hub, questions that would go on for long. The figures of decision 017 are measured
//! here, too, by hand.

use super::*;
use crate::grammar::{Fact, parse};
use crate::store::FactId;

fn graph_of(statements: &[&str]) -> Graph {
    let mut graph = Graph::default();
    for (id, text) in (1..).zip(statements) {
        graph.set(FactId(id), Some(&parse(text).unwrap()));
    }
    graph
}

fn walk(start: &str) -> Walks {
    Walks {
        start: start.into(),
        direction: Direction::Outbound,
        max_depth: Depth::new(10).unwrap(),
        predicates: Predicates::ALL,
        limits: WalkLimits::MAX,
    }
}

#[test]
fn a_cycle_a_loop_and_doubles_are_walked_once() {
    let graph = graph_of(&["P(a, b)", "P(b, c)", "P(c, a)", "P(a, a)", "P(a, \"b\")", "Q(a, b)"]);
    for direction in [Direction::Outbound, Direction::Inbound, Direction::Any] {
        let found = Walks { direction, ..walk("a") }.answer(&graph).unwrap();
        let mut facts: Vec<_> = found.edges.iter().map(|edge| edge.fact).collect();
        facts.sort_unstable();
        assert_eq!(facts, (1..=6).map(FactId).collect::<Vec<_>>(), "{direction:?}");
        assert_eq!((found.nodes.len(), found.truncated), (3, None), "{direction:?}");
    }
    assert_eq!(walk("z").answer(&graph).unwrap_err(), UnknownEntity("z".into()));
}

/// As many as the brief of a large hub has: quadratic work would take minutes.
const HUB_EDGES: u64 = 100_000;

#[test]
fn a_hub_is_built_read_in_pages_walked_within_limits_and_taken_down() {
    let mut graph = Graph::default();
    let spoke = |number: u64| parse(&format!("Knows(hub, n{number})")).unwrap();
    for number in 1..=HUB_EDGES {
        graph.set(FactId(number), Some(&spoke(number)));
    }
    graph.set(FactId(HUB_EDGES + 1), Some(&parse("Likes(hub, last)").unwrap()));
    let hub = graph.find("hub").unwrap();
    assert_eq!(u64::from(graph.entity(hub).outbound), HUB_EDGES + 1);

    let whole = walk("hub").answer(&graph).unwrap();
    assert_eq!((whole.nodes.len(), whole.truncated), (NODES_MAX, Some(Truncated::Nodes)));
    let few = Walks { limits: WalkLimits { nodes: NODES_MAX, edges: 7 }, ..walk("hub") };
    let few = few.answer(&graph).unwrap();
    assert_eq!((few.edges.len(), few.truncated), (7, Some(Truncated::Edges)));

    let mut asked = Neighbours {
        entity: "hub".into(),
        direction: Direction::Any,
        predicates: Predicates::ALL,
        after: FactId(0),
        limit: NEIGHBOURS_MAX,
    };
    let mut told = 0;
    while let Some(next) = {
        let page = asked.answer(&graph).unwrap();
        told += page.edges.len();
        page.next
    } {
        asked.after = next;
    }
    assert_eq!(told as u64, HUB_EDGES + 1);

    // One edge of a rare predicate: pages without it are short and go on.
    let (mut pages, mut found) = (1, Vec::new());
    asked = Neighbours { predicates: Predicates::parse("Likes").unwrap(), after: FactId(0), ..asked };
    loop {
        let page = asked.answer(&graph).unwrap();
        found.extend(page.edges.into_iter().map(|edge| edge.fact));
        let Some(next) = page.next else { break };
        (asked.after, pages) = (next, pages + 1);
    }
    assert_eq!((found, pages), (vec![FactId(HUB_EDGES + 1)], 6));

    let across = Paths {
        from: "n1".into(),
        to: "last".into(),
        direction: Direction::Any,
        predicates: Predicates::ALL,
        max_depth: Depth::new(10).unwrap(),
    };
    let path = across.answer(&graph).unwrap().path.unwrap();
    assert_eq!(path.nodes, [Box::from("n1"), "hub".into(), "last".into()], "the hub is met, not crossed");

    // From the front, the back and the middle.
    for step in 0..HUB_EDGES {
        let number = match step % 3 {
            0 => 1 + step / 3,
            1 => HUB_EDGES - step / 3,
            _ => HUB_EDGES / 3 + 1 + step / 3,
        };
        graph.set(FactId(number), None);
    }
    for number in 1..=HUB_EDGES {
        graph.set(FactId(number), None);
    }
    assert_eq!(graph.entity(hub).outbound, 1);
}

#[test]
fn a_question_gives_up_after_its_steps_and_says_so() {
    let mut graph = Graph::default();
    let facts = u64::try_from(question::STEPS_MAX).unwrap() + 1;
    for number in 1..=facts {
        let fact = parse(&format!("P(a, n{})", number % 1_000)).unwrap();
        graph.set(FactId(number), Some(&fact));
    }
    let mut asked = Walks { predicates: Predicates::parse("None").unwrap(), ..walk("a") };
    graph.set(FactId(facts + 1), Some(&parse("None(x, y)").unwrap()));
    assert_eq!(asked.answer(&graph).unwrap().truncated, Some(Truncated::Steps));
    asked.predicates = Predicates::ALL;
    assert_eq!(asked.answer(&graph).unwrap().truncated, Some(Truncated::Edges));
    let path = Paths {
        from: "a".into(),
        to: "y".into(),
        direction: Direction::Outbound,
        predicates: Predicates::ALL,
        max_depth: Depth::new(10).unwrap(),
    };
    let answer = path.answer(&graph).unwrap();
    assert_eq!(
        (answer.path, answer.truncated),
        (None, None),
        "nothing leads to y, which the other side sees"
    );
    graph.set(FactId(facts + 2), Some(&parse("None(z, y)").unwrap()));
    let answer = Paths { to: "y".into(), direction: Direction::Any, ..path }.answer(&graph).unwrap();
    assert_eq!(answer.path, None);
}

#[test]
fn names_of_many_bytes_end_an_answer_within_its_bytes() {
    let mut graph = Graph::default();
    for number in 1..=1_000 {
        let predicate = format!("P{}", "x".repeat(8_000 + number % 7));
        let fact = parse(&format!("{predicate}{number}(a, n{number})")).unwrap();
        graph.set(FactId(number as u64), Some(&fact));
    }
    let found = walk("a").answer(&graph).unwrap();
    assert_eq!(found.truncated, Some(Truncated::Bytes));
    assert!((500..530).contains(&found.edges.len()), "{}", found.edges.len());
    let page = Neighbours {
        entity: "a".into(),
        direction: Direction::Any,
        predicates: Predicates::ALL,
        after: FactId(0),
        limit: NEIGHBOURS_MAX,
    };
    let first = page.answer(&graph).unwrap();
    let second = Neighbours { after: first.next.unwrap(), ..page }.answer(&graph).unwrap();
    assert_eq!((first.edges.len() + second.edges.len(), second.next), (1_000, None));
}

/// Bytes of this process that are in memory.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The figures of `docs/decisions/017`.
#[test]
#[ignore = "measures, by hand: BYWASH_FACTS=.tools/wordnet/wordnet.facts cargo nextest run --release --run-ignored only"]
#[allow(clippy::print_stdout, reason = "this is what it is for")]
fn measures_what_a_file_of_facts_costs() {
    let path = std::env::var("BYWASH_FACTS").expect("BYWASH_FACTS names a file with a fact a line");
    let text = std::fs::read_to_string(path).unwrap();
    let facts: Vec<Fact> = text.lines().map(|line| parse(line).unwrap()).collect();
    let before = resident_bytes();
    let started = std::time::Instant::now();
    let mut graph = Graph::default();
    for (number, fact) in (1..).zip(&facts) {
        graph.set(FactId(number), Some(fact));
    }
    let loading = started.elapsed();
    let loaded = resident_bytes();
    println!("{:?}", graph.figures());
    println!("{} facts set in {loading:?}, {} MB", facts.len(), (loaded - before) / 1_000_000);
    let timed = |name: &str, work: &dyn Fn() -> usize| {
        let started = std::time::Instant::now();
        let count = work();
        println!("{name}: {count} in {:?}", started.elapsed());
    };
    let loaded = resident_bytes();
    let started = std::time::Instant::now();
    let packed = graph.packed();
    println!("packed in {:?}, {} MB", started.elapsed(), (resident_bytes() - loaded) / 1_000_000);
    let graph = packed;
    let top = graph.top_entities(5);
    println!("{top:?}");
    timed("top 100 entities", &|| graph.top_entities(100).len());
    timed("figures, predicates", &|| graph.figures().predicates);
    let hub = top[0].name.clone();
    for depth in [1, 2, 10] {
        let asked = Walks { direction: Direction::Any, max_depth: Depth::new(depth).unwrap(), ..walk(&hub) };
        timed(&format!("walk from {hub}, depth {depth}, edges"), &|| {
            asked.answer(&graph).unwrap().edges.len()
        });
    }
    let none =
        Walks { predicates: Predicates::parse("Nothing").unwrap(), direction: Direction::Any, ..walk(&hub) };
    timed("walk that follows nothing, nodes", &|| none.answer(&graph).unwrap().nodes.len());
    let names: Vec<_> = graph.entities().map(|node| graph.name(node).to_owned()).collect();
    let slowest = (0..names.len() / 2).step_by(names.len() / 400).map(|at| {
        let asked = Paths {
            from: names[at].as_str().into(),
            to: names[names.len() - 1 - at].as_str().into(),
            direction: Direction::Any,
            predicates: Predicates::ALL,
            max_depth: Depth::new(10).unwrap(),
        };
        let started = std::time::Instant::now();
        let answer = asked.answer(&graph).unwrap();
        (started.elapsed(), answer.path.map(|path| path.edges.len()), answer.truncated)
    });
    println!("slowest of 200 paths: {:?}", slowest.max_by_key(|(elapsed, ..)| *elapsed));
}
