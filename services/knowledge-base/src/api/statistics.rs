//! Figures of the facts, from counters that the graph keeps: nothing here counts anything in a request, only the
//! rankings look at each name once.

use std::time::Instant;

use axum::extract::State;
use chassis::extract::Json;
use chassis::{ApiError, CanRead, extract, observe};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caught_up::CaughtUp;
use super::graph::{EntityView, caught_up};
use super::graph_questions::{graph_error, limit_in};
use super::{ApiState, At};
use crate::graph::{Graph, GraphError, TOP_MAX, TopPredicate};

/// Names of a ranking where nobody says.
const TOP_DEFAULT: usize = 10;

/// What rankings take.
#[derive(Debug, Deserialize, IntoParams)]
pub struct TopQuery {
    /// 1 to 1,000; 10 where nobody says.
    limit: Option<i64>,
}

impl TopQuery {
    /// 400 `invalid_limit`.
    fn limit(&self) -> Result<usize, ApiError> {
        limit_in("limit", self.limit, TOP_DEFAULT, TOP_MAX)
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct PredicateView {
    predicate: Box<str>,
    /// Facts of it.
    count: u32,
    /// Those with a leading `-`.
    negated: u32,
}

/// The most frequent predicates.
#[derive(Debug, Serialize, ToSchema)]
pub struct PredicatesAnswer {
    predicates: Vec<PredicateView>,
    /// Different predicates, named here or not.
    unique_predicates: usize,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/predicates/top`.
pub async fn predicates(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<TopQuery>,
) -> Result<Json<PredicatesAnswer>, ApiError> {
    let limit = query.limit()?;
    caught_up(&state, &wanted_revision).await?;
    let rank = move |graph: &Graph| (graph.top_predicates(limit), graph.figures().predicates);
    let seen = state.graph.work("top_predicates", rank).await.map_err(graph_error)?;
    observe::record_stage("graph", seen.elapsed);
    let (top, unique_predicates) = seen.value;
    let view =
        |one: TopPredicate| PredicateView { predicate: one.name, count: one.facts, negated: one.negated };
    let predicates = top.into_iter().map(view).collect();
    Ok(Json(PredicatesAnswer { predicates, unique_predicates, at: At::new(seen.revision, &seen.epoch) }))
}

/// The most frequent entities.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntitiesAnswer {
    entities: Vec<EntityView>,
    /// Different entities, named here or not.
    unique_entities: usize,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/entities/stats`.
pub async fn entities(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
    extract::Query(query): extract::Query<TopQuery>,
) -> Result<Json<EntitiesAnswer>, ApiError> {
    let limit = query.limit()?;
    caught_up(&state, &wanted_revision).await?;
    let rank = move |graph: &Graph| (graph.top_entities(limit), graph.figures().entities);
    let seen = state.graph.work("top_entities", rank).await.map_err(graph_error)?;
    observe::record_stage("graph", seen.elapsed);
    let (top, unique_entities) = seen.value;
    let entities = top.into_iter().map(|one| EntityView::new(one.name, one.figures)).collect();
    Ok(Json(EntitiesAnswer { entities, unique_entities, at: At::new(seen.revision, &seen.epoch) }))
}

/// Figures of all facts.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactsAnswer {
    fact_count: usize,
    /// Those with a leading `-`.
    negated_facts: usize,
    unique_predicates: usize,
    /// Different words and short strings among the arguments.
    unique_entities: usize,
    /// Facts between two entities.
    edges: usize,
    /// Entities with at least one edge.
    nodes: usize,
    /// Edges for each node.
    connectivity: f64,
    /// Shannon entropy of the predicates, bits.
    entropy: f64,
    /// Facts added a second, less those removed; the mean of a minute.
    growth_rate: f64,
    #[serde(flatten)]
    at: At,
}

/// `GET /api/facts/stats`.
pub async fn facts(
    State(state): State<ApiState>,
    _: CanRead,
    wanted_revision: CaughtUp,
) -> Result<Json<FactsAnswer>, ApiError> {
    caught_up(&state, &wanted_revision).await?;
    let known = state.graph.state().ok_or_else(|| graph_error(GraphError::Building))?;
    let figures = known.figures;
    Ok(Json(FactsAnswer {
        fact_count: figures.facts,
        negated_facts: figures.negated,
        unique_predicates: figures.predicates,
        unique_entities: figures.entities,
        edges: figures.edges,
        nodes: figures.nodes,
        connectivity: figures.connectivity(),
        entropy: figures.entropy_bits,
        growth_rate: known.growth.per_second(Instant::now()),
        at: At::new(known.position.revision, &known.position.epoch),
    }))
}
