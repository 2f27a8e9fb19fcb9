//! `cmd.kb.traverse`: walks through the graph.

use std::ops::Range;

use chassis::ApiError;
use proto_schemas::v1::{GraphEdge, GraphNode, TraverseItem, TraversePage, TraverseRequest};

use super::PageHead;
use super::pages::{self, Cuts, Paged};
use crate::api::graph_questions::{depth_in, direction_in, entity_in, limit_in, predicates_in};
use crate::graph::{EDGES_MAX, NODES_MAX, Walk, WalkItem, WalkLimits, Walks};
use crate::store::{Epoch, Revision};

/// Most nodes and edges on a page: some 50 KiB, so that the largest walk has a hundred pages.
const PAGE_ITEMS_MAX: usize = 500;

/// The longest escape of a byte in JSON.
const ESCAPED_BYTES_MAX: usize = 6;

/// Bytes of an item as JSON besides its names, at most.
const ITEM_FRAME_BYTES: usize = 80;

/// A walk whose request makes sense.
///
/// 400 `missing_entity`, `invalid_direction`, `invalid_depth`, `too_many_predicates`, `invalid_limit`.
pub fn parse(request: &TraverseRequest) -> Result<Walks, ApiError> {
    Ok(Walks {
        start: entity_in("start_vertex", Some(&request.start_vertex))?,
        direction: direction_in(request.direction.as_deref())?,
        max_depth: depth_in(request.max_depth.map(i64::from))?,
        predicates: predicates_in(request.edge_collection.as_deref())?,
        limits: WalkLimits {
            nodes: limit_in("limit", request.limit.map(i64::from), NODES_MAX, NODES_MAX)?,
            edges: limit_in("edge_limit", request.edge_limit.map(i64::from), EDGES_MAX, EDGES_MAX)?,
        },
    })
}

/// What one walk found.
#[derive(Debug)]
pub struct WalkResults {
    walk: Walk,
    cuts: Cuts,
    revision: Revision,
    epoch: Epoch,
}

impl WalkResults {
    /// A walk of the graph at `revision`.
    pub fn new(walk: Walk, revision: Revision, epoch: Epoch) -> Self {
        let names_bytes = |item| match item {
            WalkItem::Node(node) => 2 * node.name.len(),
            WalkItem::Edge { from, predicate, to, .. } => from.len() + predicate.len() + to.len(),
        };
        let sizes = walk.items().map(|item| ITEM_FRAME_BYTES + ESCAPED_BYTES_MAX * names_bytes(item));
        let cuts = Cuts::new(sizes, PAGE_ITEMS_MAX);
        Self { walk, cuts, revision, epoch }
    }

    /// A page of it.
    pub fn page(&self, page: Range<usize>, head: PageHead) -> TraversePage {
        TraversePage {
            items: self.walk.items().skip(page.start).take(page.len()).map(told).collect(),
            total: pages::count(self.cuts.len()),
            total_nodes: pages::count(self.walk.nodes.len()),
            total_edges: pages::count(self.walk.edges.len()),
            truncated: self.walk.truncated.map(|truncated| truncated.as_str().to_owned()),
            instance: head.instance,
            next: head.next,
            duration_ms: head.duration_ms,
            revision: self.revision.as_f64(),
            epoch: self.epoch.as_str().to_owned(),
        }
    }
}

impl Paged for WalkResults {
    fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    fn kept_bytes(&self) -> usize {
        self.walk.kept_bytes() + self.cuts.len() * size_of::<u32>()
    }
}

fn told(item: WalkItem<'_>) -> TraverseItem {
    match item {
        WalkItem::Node(node) => {
            let (key, label) = (node.name.to_string(), node.name.to_string());
            TraverseItem { node: Some(GraphNode { key, label, depth: f64::from(node.depth) }), edge: None }
        }
        WalkItem::Edge { fact, from, predicate, to } => {
            let edge = GraphEdge {
                from: from.to_owned(),
                to: to.to_owned(),
                r#type: predicate.to_owned(),
                fact_id: fact.as_f64(),
            };
            TraverseItem { node: None, edge: Some(edge) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse as parse_fact;
    use crate::graph::Graph;
    use crate::store::FactId;
    use proto_schemas::json;

    fn request(start: &str) -> TraverseRequest {
        TraverseRequest { start_vertex: start.to_owned(), ..TraverseRequest::default() }
    }

    #[test]
    fn a_walk_that_makes_no_sense_says_why() {
        let code =
            |request: TraverseRequest| parse(&request).map(|_| "walks").unwrap_or_else(|error| error.code());
        assert_eq!(code(request("ada")), "walks");
        assert_eq!(code(request("")), "missing_entity");
        let of = |edit: fn(&mut TraverseRequest)| {
            let mut request = request("ada");
            edit(&mut request);
            code(request)
        };
        assert_eq!(of(|request| request.direction = Some("up".to_owned())), "invalid_direction");
        assert_eq!(of(|request| request.direction = Some("any".to_owned())), "walks");
        for depth in [-1, 0, 11, i32::MAX] {
            let request = TraverseRequest { max_depth: Some(depth), ..request("ada") };
            assert_eq!(code(request), "invalid_depth", "{depth}");
        }
        assert_eq!(of(|request| request.limit = Some(0)), "invalid_limit");
        assert_eq!(of(|request| request.limit = Some(10_001)), "invalid_limit");
        assert_eq!(of(|request| request.edge_limit = Some(50_001)), "invalid_limit");
        assert_eq!(of(|request| request.edge_collection = Some("P,".repeat(33))), "too_many_predicates");
        assert_eq!(of(|request| request.edge_collection = Some(String::new())), "walks");
    }

    #[test]
    fn a_page_of_a_walk_fits_a_message_whatever_the_names_are() {
        let mut graph = Graph::default();
        for number in 0..2_000_u64 {
            // Each byte is escaped, as a control character of one byte.
            let name: String =
                (0..120).map(|at| if number >> (at % 11) & 1 == 1 { "\\u0001" } else { "\\u0002" }).collect();
            let fact = parse_fact(&format!("{}(ada, \"{name}{number}\")", "P".repeat(200))).unwrap();
            graph.set(FactId(number + 1), Some(&fact));
        }
        let walk = parse(&request("ada")).unwrap().answer(&graph).unwrap();
        let results = WalkResults::new(walk, Revision(1), Epoch::kept("e"));
        let (mut at, mut told, mut pages) = (0, 0, 0);
        while at < results.cuts().len() {
            let cut = results.cuts().page(at);
            at = cut.end;
            let head = PageHead { instance: "kb".to_owned(), next: None, duration_ms: 0.0 };
            let page = results.page(cut, head);
            told += page.items.len();
            pages += 1;
            assert_eq!((page.total, page.total_nodes, page.total_edges), (4_001.0, 2_001.0, 2_000.0));
            let size = json::to_vec(&page).len();
            assert!(size < 257 * 1024, "{size} bytes, {} items", page.items.len());
        }
        assert!(told == 4_001 && pages > 9, "{told} in {pages}");
    }
}
