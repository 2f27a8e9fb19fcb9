//! Figures of the facts, from counters that the graph keeps: nothing here counts anything in a request, only the
//! rankings look at each name once.

use std::time::Instant;

use axum::extract::State;
use axum::routing::get;
use chassis::extract::Json;
use chassis::{ApiError, CanRead, Endpoints, Operation, Role, extract, observe};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::graph::{AtLeast, EntityView};
use super::graph_questions::{graph_error, limit_in};
use super::{ApiState, At};
use crate::graph::{Graph, GraphError, TOP_MAX, TopPredicate};

/// Names of a ranking where nobody says.
const TOP_DEFAULT: usize = 10;

/// The endpoints.
pub fn endpoints() -> Endpoints<ApiState> {
    let figures = |summary| {
        Operation::get(summary)
            .needs(Role::Read)
            .refuses(503, &["graph_building", "overloaded", "revision_not_reached"])
    };
    let predicates = figures("The predicates with most facts")
        .query::<TopQuery>()
        .gives::<PredicatesAnswer>(200, "The first by facts, then by name")
        .refuses(400, &["invalid_limit"]);
    let entities = figures("The entities that most facts name")
        .query::<TopQuery>()
        .gives::<EntitiesAnswer>(200, "The first by facts, then by name")
        .refuses(400, &["invalid_limit"]);
    let facts = figures("Figures of all facts; kept, not counted")
        .query::<AtLeast>()
        .gives::<FactsAnswer>(200, "As of the revision");
    Endpoints::new()
        .route("/api/predicates/top", get(top_predicates), [predicates])
        .route("/api/entities/stats", get(top_entities), [entities])
        .route("/api/facts/stats", get(facts_figures), [facts])
}

/// What rankings take.
#[derive(Debug, Deserialize, IntoParams)]
pub struct TopQuery {
    /// 1 to 1,000; 10 where nobody says.
    limit: Option<i64>,
    /// Waits until the graph has this revision, up to 2 s.
    min_revision: Option<u64>,
}

impl TopQuery {
    async fn limit(&self, state: &ApiState) -> Result<usize, ApiError> {
        let limit = limit_in("limit", self.limit, TOP_DEFAULT, TOP_MAX)?;
        AtLeast::of(self.min_revision).reached(state).await?;
        Ok(limit)
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
async fn top_predicates(
    State(state): State<ApiState>,
    _: CanRead,
    extract::Query(query): extract::Query<TopQuery>,
) -> Result<Json<PredicatesAnswer>, ApiError> {
    let limit = query.limit(&state).await?;
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
async fn top_entities(
    State(state): State<ApiState>,
    _: CanRead,
    extract::Query(query): extract::Query<TopQuery>,
) -> Result<Json<EntitiesAnswer>, ApiError> {
    let limit = query.limit(&state).await?;
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
async fn facts_figures(
    State(state): State<ApiState>,
    _: CanRead,
    extract::Query(at_least): extract::Query<AtLeast>,
) -> Result<Json<FactsAnswer>, ApiError> {
    at_least.reached(&state).await?;
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
