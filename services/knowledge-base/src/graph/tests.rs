//! The graph against a model that keeps a plain list of facts and works everything out anew.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::walk::WalkItem;
use super::*;
use crate::grammar::{Fact, parse};
use crate::store::FactId;

/// Facts by number, and nothing else.
#[derive(Debug, Default)]
struct Model(BTreeMap<FactId, Fact>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct PlainEdge {
    fact: FactId,
    from: String,
    predicate: String,
    to: String,
}

impl PlainEdge {
    fn other_end(&self, node: &str) -> &str {
        if self.from == node { &self.to } else { &self.from }
    }
}

impl Model {
    fn edges(&self) -> Vec<PlainEdge> {
        let edge = |(id, fact): (&FactId, &Fact)| {
            let (from, to) = fact.edge()?;
            let predicate = fact.predicate().to_owned();
            Some(PlainEdge { fact: *id, from: from.to_owned(), predicate, to: to.to_owned() })
        };
        self.0.iter().filter_map(edge).collect()
    }

    fn entities(&self) -> BTreeMap<String, u32> {
        let mut entities = BTreeMap::new();
        for fact in self.0.values() {
            let mut named = BTreeSet::new();
            fact.each_entity(&mut |entity| {
                named.insert(entity.to_owned());
            });
            for entity in named {
                *entities.entry(entity).or_default() += 1;
            }
        }
        entities
    }

    /// Facts, and those with a leading `-`, by predicate.
    fn predicates(&self) -> BTreeMap<String, (u32, u32)> {
        let mut predicates: BTreeMap<String, (u32, u32)> = BTreeMap::new();
        for fact in self.0.values() {
            let (facts, negated) = predicates.entry(fact.predicate().to_owned()).or_default();
            *facts += 1;
            *negated += u32::from(fact.negated);
        }
        predicates
    }

    /// The edges of a node, in the order of their facts.
    fn edges_of(&self, node: &str, direction: Direction, wanted: &[&str]) -> Vec<PlainEdge> {
        let follows = |edge: &PlainEdge| {
            (direction != Direction::Inbound && edge.from == node)
                || (direction != Direction::Outbound && edge.to == node)
        };
        let is_wanted = |edge: &PlainEdge| wanted.is_empty() || wanted.contains(&edge.predicate.as_str());
        self.edges().into_iter().filter(|edge| follows(edge) && is_wanted(edge)).collect()
    }

    /// Everything that is reached, breadth first: nodes with their depth, and the facts of the edges.
    fn walk(
        &self,
        start: &str,
        direction: Direction,
        depth: u8,
        wanted: &[&str],
    ) -> (Vec<(String, u8)>, Vec<FactId>) {
        let (mut nodes, mut facts) = (vec![(start.to_owned(), 0)], Vec::new());
        let mut at = 0;
        while let Some((node, steps)) = nodes.get(at).cloned().filter(|(_, steps)| *steps < depth) {
            for edge in self.edges_of(&node, direction, wanted) {
                let other = edge.other_end(&node).to_owned();
                if !facts.contains(&edge.fact) {
                    facts.push(edge.fact);
                }
                if !nodes.iter().any(|(known, _)| *known == other) {
                    nodes.push((other, steps + 1));
                }
            }
            at += 1;
        }
        (nodes, facts)
    }
}

const ENTITIES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const DIRECTIONS: [Direction; 3] = [Direction::Outbound, Direction::Inbound, Direction::Any];

/// Facts over few names, so that cycles, loops, doubles and hubs are common.
fn statement() -> impl Strategy<Value = String> {
    let entity = || prop::sample::select(&ENTITIES[..]);
    let predicate = || prop::sample::select(&["P", "Q", "R"][..]);
    prop_oneof![
        8 => (predicate(), entity(), entity()).prop_map(|(p, a, b)| format!("{p}({a}, {b})")),
        1 => (predicate(), entity(), entity()).prop_map(|(p, a, b)| format!("-{p}({a}, {b})")),
        1 => (predicate(), entity(), entity()).prop_map(|(p, a, b)| format!("{p}({a}, \"{b}\")")),
        1 => (predicate(), entity()).prop_map(|(p, a)| format!("{p}({a})")),
        1 => (predicate(), entity(), entity()).prop_map(|(p, a, b)| format!("{p}({a}, S({b}, {a}), 3)")),
    ]
}

/// Facts that are set and removed, over few numbers.
fn changes() -> impl Strategy<Value = Vec<(u64, Option<String>)>> {
    let change = (1..24_u64, prop::option::weighted(0.75, statement()));
    prop::collection::vec(change, 0..60)
}

fn built(changes: &[(u64, Option<String>)]) -> (Graph, Model) {
    let (mut graph, mut model) = (Graph::default(), Model::default());
    for (id, statement) in changes {
        let fact = statement.as_deref().map(|text| parse(text).unwrap());
        graph.set(FactId(*id), fact.as_ref());
        match fact {
            Some(fact) => model.0.insert(FactId(*id), fact),
            None => model.0.remove(&FactId(*id)),
        };
    }
    (graph, model)
}

/// A walk that goes everywhere.
fn walk(start: &str) -> Walks {
    Walks {
        start: start.into(),
        direction: Direction::Outbound,
        max_depth: Depth::new(10).unwrap(),
        predicates: Predicates::ALL,
        limits: WalkLimits::MAX,
    }
}

/// Nodes with their depth, and facts.
fn plain(walk: &Walk) -> (Vec<(String, u8)>, Vec<FactId>) {
    let nodes = walk.nodes.iter().map(|node| (node.name.to_string(), node.depth)).collect();
    (nodes, walk.edges.iter().map(|edge| edge.fact).collect())
}

proptest! {
    #[test]
    fn every_counter_is_what_counting_anew_gives(changes in changes()) {
        let (graph, model) = built(&changes);
        let (entities, predicates, edges) = (model.entities(), model.predicates(), model.edges());
        let total = adjacency::as_f64(model.0.len());
        let entropy: f64 = predicates.values().map(|(facts, _)| {
            let share = f64::from(*facts) / total;
            -share * share.log2()
        }).sum();
        let nodes: BTreeSet<_> = edges.iter().flat_map(|edge| [&edge.from, &edge.to]).collect();
        let figures = graph.figures();
        prop_assert!((figures.entropy_bits - entropy).abs() < 1e-9, "{} {entropy}", figures.entropy_bits);
        prop_assert_eq!(figures, Figures {
            facts: model.0.len(),
            negated: model.0.values().filter(|fact| fact.negated).count(),
            edges: edges.len(),
            entities: entities.len(),
            nodes: nodes.len(),
            predicates: predicates.len(),
            entropy_bits: figures.entropy_bits,
        });
        for entity in ENTITIES {
            let found = graph.find(entity).map(|node| graph.entity(node));
            let degree = |of: fn(&PlainEdge) -> &String| {
                u32::try_from(edges.iter().filter(|edge| of(edge) == entity).count()).unwrap()
            };
            let expected = entities.get(entity).map(|facts| EntityFigures {
                facts: *facts,
                outbound: degree(|edge| &edge.from),
                inbound: degree(|edge| &edge.to),
            });
            prop_assert_eq!(found, expected, "{}", entity);
        }
        for limit in [0, 1, 2, 10] {
            let mut by_facts: Vec<_> = entities.iter().map(|(name, facts)| (name.as_str(), *facts)).collect();
            by_facts.sort_by_key(|(name, facts)| (std::cmp::Reverse(*facts), *name));
            by_facts.truncate(limit);
            let top = graph.top_entities(limit);
            let top: Vec<_> = top.iter().map(|one| (&*one.name, one.figures.facts)).collect();
            prop_assert_eq!(top, by_facts);
            let mut by_facts: Vec<_> =
                predicates.iter().map(|(name, (facts, negated))| (name.as_str(), *facts, *negated)).collect();
            by_facts.sort_by_key(|(name, facts, _)| (std::cmp::Reverse(*facts), *name));
            by_facts.truncate(limit);
            let top = graph.top_predicates(limit);
            let top: Vec<_> = top.iter().map(|one| (&*one.name, one.facts, one.negated)).collect();
            prop_assert_eq!(top, by_facts);
        }
    }

    #[test]
    fn what_is_removed_leaves_nothing_and_what_is_said_again_changes_nothing(changes in changes()) {
        let (mut graph, model) = built(&changes);
        let before = graph.figures();
        for (id, fact) in &model.0 {
            graph.set(*id, Some(fact));
        }
        prop_assert_eq!(graph.figures(), before);
        for id in model.0.keys() {
            graph.set(*id, None);
            graph.set(*id, None);
        }
        prop_assert_eq!(graph.figures(), Figures::default());
        prop_assert!(graph.entities().next().is_none() && graph.predicates().next().is_none());
    }

    #[test]
    fn a_walk_is_the_beginning_of_what_searching_anew_finds(
        changes in changes(),
        start in prop::sample::select(&ENTITIES[..]),
        direction in prop::sample::select(&DIRECTIONS[..]),
        depth in 1..5_u8,
        wanted in prop::sample::subsequence(vec!["P", "Q", "None"], 0..=2),
        limits in (1..8_usize, 0..12_usize),
    ) {
        let (graph, model) = built(&changes);
        let mut asked = Walks {
            direction,
            max_depth: Depth::new(depth.into()).unwrap(),
            predicates: Predicates::parse(&wanted.join(",")).unwrap(),
            ..walk(start)
        };
        let (nodes, facts) = model.walk(start, direction, depth, &wanted);
        let Ok(whole) = asked.answer(&graph) else {
            prop_assert!(!model.entities().contains_key(start));
            return Ok(());
        };
        prop_assert_eq!(plain(&whole), (nodes.clone(), facts.clone()));
        prop_assert_eq!(whole.truncated, None);
        let (mut told_nodes, mut told_facts) = (Vec::new(), Vec::new());
        for item in whole.items() {
            match item {
                WalkItem::Node(node) => told_nodes.push(node.name.to_string()),
                WalkItem::Edge { fact, from, to, .. } => {
                    prop_assert!([from, to].iter().all(|end| told_nodes.iter().any(|node| node == *end)));
                    told_facts.push(fact);
                }
            }
        }
        let names: Vec<_> = nodes.iter().map(|(name, _)| name.clone()).collect();
        prop_assert_eq!((told_nodes, told_facts), (names, facts.clone()));

        asked.limits = WalkLimits { nodes: limits.0, edges: limits.1 };
        let part = asked.answer(&graph).unwrap();
        let (part_nodes, part_facts) = plain(&part);
        prop_assert!(nodes.starts_with(&part_nodes) && facts.starts_with(&part_facts));
        let is_whole = part_nodes.len() == nodes.len() && part_facts.len() == facts.len();
        prop_assert_eq!(part.truncated.is_none(), is_whole);
        match part.truncated {
            Some(Truncated::Nodes) => prop_assert_eq!(part_nodes.len(), limits.0),
            Some(Truncated::Edges) => prop_assert_eq!(part_facts.len(), limits.1),
            other => prop_assert_eq!(other, None),
        }
    }

    #[test]
    fn a_path_is_as_short_as_searching_anew_finds(
        changes in changes(),
        ends in prop::array::uniform2(prop::sample::select(&ENTITIES[..])),
        direction in prop::sample::select(&DIRECTIONS[..]),
        depth in 1..6_u8,
        wanted in prop::sample::subsequence(vec!["P", "Q"], 0..=1),
    ) {
        let (graph, model) = built(&changes);
        let [from, to] = ends;
        let predicates = Predicates::parse(&wanted.join(",")).unwrap();
        let max_depth = Depth::new(depth.into()).unwrap();
        let asked = Paths { from: from.into(), to: to.into(), direction, predicates, max_depth };
        let Ok(answer) = asked.answer(&graph) else {
            prop_assert!(ends.iter().any(|end| !model.entities().contains_key(*end)));
            return Ok(());
        };
        let (nodes, _) = model.walk(from, direction, depth, &wanted);
        let steps = nodes.iter().find(|(node, _)| node == to).map(|(_, steps)| usize::from(*steps));
        prop_assert_eq!(answer.path.as_ref().map(|path| path.edges.len()), steps);
        prop_assert_eq!(answer.truncated, None);
        if let Some(path) = answer.path {
            prop_assert_eq!((&*path.nodes[0], &*path.nodes[path.nodes.len() - 1]), (from, to));
            for (edge, ends) in path.edges.iter().zip(path.nodes.windows(2)) {
                let leads = model
                    .edges_of(&ends[0], direction, &wanted)
                    .iter()
                    .any(|known| known.fact == edge.fact && known.other_end(&ends[0]) == &*ends[1]);
                prop_assert!(leads, "{edge:?} {ends:?}");
            }
        }
    }

    #[test]
    fn pages_of_neighbours_hold_every_edge_that_stays_once_and_in_order(
        changes in changes(),
        entity in prop::sample::select(&ENTITIES[..]),
        direction in prop::sample::select(&DIRECTIONS[..]),
        wanted in prop::sample::subsequence(vec!["P", "Q"], 0..=1),
        limit in 1..4_usize,
        between in prop::collection::vec((1..24_u64, prop::option::of(statement())), 0..8),
    ) {
        let (mut graph, mut model) = built(&changes);
        let predicates = Predicates::parse(&wanted.join(",")).unwrap();
        let mut asked = Neighbours { entity: entity.into(), direction, predicates, after: FactId(0), limit };
        let mut stay: Option<Vec<FactId>> = None;
        let (mut told, mut between) = (Vec::new(), between.into_iter());
        loop {
            let there: Vec<_> =
                model.edges_of(entity, direction, &wanted).iter().map(|edge| edge.fact).collect();
            stay = Some(stay.map_or(there.clone(), |stay| {
                stay.into_iter().filter(|fact| there.contains(fact)).collect()
            }));
            let Ok(page) = asked.answer(&graph) else {
                prop_assert_eq!(there, []);
                break;
            };
            prop_assert!(page.edges.len() <= limit);
            told.extend(page.edges.iter().map(|edge| edge.fact));
            let Some(next) = page.next else { break };
            asked.after = next;
            // Something changes between two pages.
            if let Some((id, text)) = between.next() {
                let fact = text.as_deref().map(|text| parse(text).unwrap());
                graph.set(FactId(id), fact.as_ref());
                match fact {
                    Some(fact) => model.0.insert(FactId(id), fact),
                    None => model.0.remove(&FactId(id)),
                };
            }
        }
        prop_assert!(told.is_sorted_by(|a, b| a < b), "{told:?}");
        let missed: Vec<_> = stay.into_iter().flatten().filter(|fact| !told.contains(fact)).collect();
        prop_assert_eq!(missed, []);
    }
}
