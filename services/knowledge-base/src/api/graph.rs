//! The graph over HTTP: walks, paths and neighbours. A walk or a path comes at once, within its limits; who wants all
//! edges of a hub reads its neighbours page by page, and who wants a large walk piece by piece asks over NATS
//! (`cmd.kb.traverse`).

use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chassis::extract::Json;
use chassis::{ApiError, CanRead, extract, observe};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caught_up::CaughtUp;
use super::facts::{cursor_after, cursor_from};
use super::graph_questions::{
    depth_in, direction_in, entity_in, graph_error, limit_in, predicates_in, unknown_entity,
};
use super::{ApiState, At};
use crate::graph::{
    Direction, EDGES_MAX, EntityFigures, Graph, GraphState, NEIGHBOURS_MAX, NODES_MAX, NamedEdge, Neighbours,
    Paths, Truncated, UnknownEntity, Walk, WalkLimits, Walks,
};
use crate::store::{FactId, Revision, Seen};

/// Nodes of a walk where nobody says.
const NODES_DEFAULT: usize = 1_000;
/// Edges of a walk where nobody says.
const EDGES_DEFAULT: usize = 5_000;
/// Neighbours on a page where nobody says.
const NEIGHBOURS_DEFAULT: usize = 100;

/// Waits until the graph has the revision that the request wants.
pub async fn caught_up(state: &ApiState, caught_up: &CaughtUp) -> Result<(), ApiError> {
    let revision =
        |state: &Option<GraphState>| state.as_ref().map_or(Revision(0), |state| state.position.revision);
    caught_up.seen_by(&mut state.graph.watch(), revision).await
}

/// A fact between two entities.
#[derive(Debug, Serialize, ToSchema)]
struct EdgeView {
    /// Its number.
    fact_id: u64,
    /// Its first argument.
    from: Box<str>,
    predicate: Box<str>,
    /// Its second argument.
    to: Box<str>,
}

impl From<NamedEdge> for EdgeView {
    fn from(edge: NamedEdge) -> Self {
        Self { fact_id: edge.fact.0, from: edge.from, predicate: edge.predicate, to: edge.to }
    }
}

/// What `GET /api/graph/traverse` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct TraverseQuery {
    /// The entity where the walk starts.
    start: Option<String>,
    /// `outbound` (from a fact's first argument to its second), `inbound` or `any`; `outbound` where nobody says.
    direction: Option<String>,
    /// Steps, 1 to 10; 3 where nobody says.
    max_depth: Option<i64>,
    /// The predicates whose facts are followed, separated by commas; all where nobody says.
    predicate: Option<String>,
    /// Most nodes, 1 to 10,000; 1,000 where nobody says.
    limit: Option<i64>,
    /// Most edges, 1 to 50,000; 5,000 where nobody says.
    edge_limit: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct NodeView {
    name: Box<str>,
    /// Steps from the start.
    depth: u8,
}

/// What a walk found, in the order in which it found it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraverseAnswer {
    /// The start, and what was reached.
    nodes: Vec<NodeView>,
    /// Both ends of each are among the nodes.
    edges: Vec<EdgeView>,
    /// Where there is more: `nodes` or `edges` (as many as were asked for), `bytes` or `steps` (as much as a walk may
    /// give or look at). Then this is the beginning of the whole walk.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<&'static str>,
    #[serde(flatten)]
    at: At,
}

impl TraverseAnswer {
    fn new(walk: Walk, at: At) -> Self {
        let name = |node: usize| walk.nodes[node].name.clone();
        let edges = walk.edges.iter().map(|edge| EdgeView {
            fact_id: edge.fact.0,
            from: name(edge.from),
            predicate: walk.predicates[edge.predicate].clone(),
            to: name(edge.to),
        });
        let edges = edges.collect();
        let nodes = walk.nodes.into_iter().map(|node| NodeView { name: node.name, depth: node.depth });
        Self { nodes: nodes.collect(), edges, truncated: walk.truncated.map(Truncated::as_str), at }
    }
}

/// `GET /api/graph/traverse`.
pub async fn traverse(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<TraverseQuery>,
) -> Result<Response, ApiError> {
    let wanted = Walks {
        start: entity_in("start", query.start.as_deref())?,
        direction: direction_in(query.direction.as_deref())?,
        max_depth: depth_in(query.max_depth)?,
        predicates: predicates_in(query.predicate.as_deref())?,
        limits: WalkLimits {
            nodes: limit_in("limit", query.limit, NODES_DEFAULT, NODES_MAX)?,
            edges: limit_in("edge_limit", query.edge_limit, EDGES_DEFAULT, EDGES_MAX)?,
        },
    };
    caught_up(&state, &wanted_revision).await?;
    let started = Instant::now();
    let tell = |seen| {
        let (walk, at) = known(seen)?;
        Ok(Json(TraverseAnswer::new(walk, at)).into_response())
    };
    let answer = state.graph.work_and_tell("traverse", move |graph| wanted.answer(graph), tell).await;
    observe::record_stage("graph", started.elapsed());
    answer.map_err(graph_error)?
}

/// What `GET /api/graph/path` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PathQuery {
    /// The entity where the path begins.
    from: Option<String>,
    /// The entity where it ends.
    to: Option<String>,
    /// `outbound` (from a fact's first argument to its second), `inbound` or `any`; `outbound` where nobody says.
    direction: Option<String>,
    /// Its length at most, 1 to 10; 3 where nobody says.
    max_depth: Option<i64>,
    /// The predicates whose facts are followed, separated by commas; all where nobody says.
    predicate: Option<String>,
}

/// A path, or that there is none.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathAnswer {
    /// Whether there is one.
    found: bool,
    /// Its edges.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    /// From the first entity to the last; empty where there is no path.
    nodes: Vec<Box<str>>,
    /// As they stand in facts, whichever way they are followed.
    edges: Vec<EdgeView>,
    /// `steps` where the search was given up: then there may be a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<&'static str>,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/graph/path`.
pub async fn path(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<PathQuery>,
) -> Result<Json<PathAnswer>, ApiError> {
    let wanted = Paths {
        from: entity_in("from", query.from.as_deref())?,
        to: entity_in("to", query.to.as_deref())?,
        direction: direction_in(query.direction.as_deref())?,
        predicates: predicates_in(query.predicate.as_deref())?,
        max_depth: depth_in(query.max_depth)?,
    };
    caught_up(&state, &wanted_revision).await?;
    let seen = state.graph.work("path", move |graph| wanted.answer(graph)).await;
    let (answer, at) = found(seen.map_err(graph_error)?)?;
    let truncated = answer.truncated.map(Truncated::as_str);
    let (nodes, edges) = answer.path.map(|path| (path.nodes, path.edges)).unwrap_or_default();
    Ok(Json(PathAnswer {
        found: !nodes.is_empty(),
        length: nodes.len().checked_sub(1),
        nodes,
        edges: edges.into_iter().map(EdgeView::from).collect(),
        truncated,
        at,
    }))
}

/// What `GET /api/graph/neighbours` takes.
#[derive(Debug, Deserialize, IntoParams)]
pub struct NeighboursQuery {
    /// Whose edges.
    entity: Option<String>,
    /// `outbound` (those from it), `inbound` (to it) or `any`; `any` where nobody says.
    direction: Option<String>,
    /// Predicates, separated by commas; all where nobody says.
    predicate: Option<String>,
    /// Edges on a page, 1 to 1,000; 100 where nobody says.
    limit: Option<i64>,
    /// `next_cursor` of an earlier answer.
    cursor: Option<String>,
}

/// Edges of an entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct NeighboursAnswer {
    edges: Vec<EdgeView>,
    /// Where there is more: `cursor` of the next request. A page may be short and still have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/graph/neighbours`.
pub async fn neighbours(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<NeighboursQuery>,
) -> Result<Json<NeighboursAnswer>, ApiError> {
    let direction = match query.direction.as_deref() {
        None | Some("") => Direction::Any,
        named => direction_in(named)?,
    };
    let wanted = Neighbours {
        entity: entity_in("entity", query.entity.as_deref())?,
        direction,
        predicates: predicates_in(query.predicate.as_deref())?,
        after: match &query.cursor {
            None => FactId(0),
            Some(text) => FactId(cursor_from(text, &state.store.snapshot().epoch)?),
        },
        limit: limit_in("limit", query.limit, NEIGHBOURS_DEFAULT, NEIGHBOURS_MAX)?,
    };
    caught_up(&state, &wanted_revision).await?;
    let seen = state.graph.look("neighbours", move |graph| wanted.answer(graph)).await;
    let seen = seen.map_err(graph_error)?;
    let epoch = seen.epoch.clone();
    let (page, at) = found(seen)?;
    let next_cursor = page.next.map(|fact| cursor_after(fact.0, &epoch));
    Ok(Json(NeighboursAnswer {
        edges: page.edges.into_iter().map(EdgeView::from).collect(),
        next_cursor,
        at,
    }))
}

/// How often an entity occurs.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityView {
    entity: Box<str>,
    /// Facts that name it.
    count: u32,
    /// Edges from it.
    outbound: u32,
    /// Edges to it.
    inbound: u32,
}

impl EntityView {
    /// An entity and its counters.
    pub fn new(entity: Box<str>, figures: EntityFigures) -> Self {
        Self { entity, count: figures.facts, outbound: figures.outbound, inbound: figures.inbound }
    }
}

/// One entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityAnswer {
    #[serde(flatten)]
    entity: EntityView,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/graph/entities/{name}`.
pub async fn entity(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<EntityAnswer>, ApiError> {
    let name = entity_in("name", path.ok().map(|Path(name)| name).as_deref())?;
    caught_up(&state, &wanted_revision).await?;
    let look = |graph: &Graph| match graph.find(&name) {
        Some(node) => Ok(EntityView::new(name, graph.entity(node))),
        None => Err(UnknownEntity(name)),
    };
    let (entity, at) = found(state.graph.look("entity", look).await.map_err(graph_error)?)?;
    Ok(Json(EntityAnswer { entity, at }))
}

/// What was seen of a graph that knows the entity, with the time it took as a stage of the request.
fn found<T>(seen: Seen<Result<T, UnknownEntity>>) -> Result<(T, At), ApiError> {
    observe::record_stage("graph", seen.elapsed);
    known(seen)
}

/// What was seen of a graph that knows the entity.
fn known<T>(seen: Seen<Result<T, UnknownEntity>>) -> Result<(T, At), ApiError> {
    let at = At::new(seen.revision, &seen.epoch);
    let value = seen.value.map_err(|unknown| unknown_entity(&unknown, seen.revision, &seen.epoch))?;
    Ok((value, at))
}
