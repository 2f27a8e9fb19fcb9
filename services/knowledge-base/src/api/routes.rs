//! All endpoints of the knowledge base, and what `/openapi.json` says of each. What every service has (health, metrics,
//! keys) comes from `chassis::http::router`.

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use chassis::{Endpoints, Operation, Role};

use super::caught_up::CaughtUpQuery;
use super::{
    ApiState, body, bulk, changes, collections, documents, export, facts, graph, quality, search, statistics,
    status,
};

/// The endpoints over `state`.
pub fn router(state: ApiState) -> Endpoints {
    let facts = with_quality(with_statistics(with_graph(with_facts(Endpoints::new()))));
    with_status(with_documents(facts)).with_state(state)
}

/// A read: it waits for `min_revision`, and may be refused when there are too many.
fn read(operation: Operation) -> Operation {
    operation
        .needs(Role::Read)
        .query::<CaughtUpQuery>()
        .refuses(400, &["invalid_revision"])
        .refuses(409, &["other_epoch"])
        .refuses(503, &["revision_not_reached", "overloaded", "too_slow", "database_unavailable", "stopping"])
}

/// A write: it is on disk when it is answered.
fn write(operation: Operation) -> Operation {
    operation
        .needs(Role::Write)
        .refuses(503, &["overloaded", "database_unavailable", "outcome_unknown", "stopping"])
        .refuses(507, &["storage_full"])
}

fn with_facts(endpoints: Endpoints<ApiState>) -> Endpoints<ApiState> {
    let list = read(Operation::get("A page of facts, in the order of their numbers"))
        .query::<facts::ListQuery>()
        .gives::<facts::Page>(200, "The page, and a cursor where there is more")
        .refuses(400, &["invalid_limit", "invalid_cursor"]);
    let add = write(Operation::post("Adds a fact"))
        .takes::<body::FactBody>()
        .gives::<facts::AddedFact>(201, "It is in the store, on disk")
        .refuses(409, &["duplicate"])
        .refuses(422, &["unparsable", "context_too_long", "invalid_confidence"]);
    let count = read(Operation::get("How many facts there are")).gives::<facts::Count>(200, "Now");
    let import = write(Operation::post(
        "Adds many facts, one a line or element; a line that is no fact stops nothing",
    ))
    .query::<bulk::BulkQuery>()
    .takes_text(&bulk::MEDIA_TYPES, "Any number of facts, read as they arrive")
    .gives::<bulk::Report>(200, "What became of each; the counts add up to the lines")
    .refuses(400, &["malformed_json", "unreadable_body"])
    .refuses(415, &["unsupported_media_type"]);
    let everything = read(Operation::get("All facts of one moment, as the bulk endpoint takes them"))
        .query::<export::ExportQuery>()
        .gives_text(200, "text/plain", "In the order of numbers; the headers name the moment");
    let by_id = read(Operation::get("One fact"))
        .path("id", "Its number")
        .gives::<facts::OneFact>(200, "The fact")
        .refuses(400, &["invalid_id"])
        .refuses(404, &["no_such_fact"]);
    let update = write(Operation::put("Makes a fact what the body says, whole"))
        .path("id", "Its number")
        .takes::<body::FactBody>()
        .gives::<facts::OneFact>(200, "The fact as it is now")
        .refuses(400, &["invalid_id"])
        .refuses(404, &["no_such_fact"])
        .refuses(409, &["duplicate"])
        .refuses(422, &["unparsable", "context_too_long", "invalid_confidence"]);
    let delete = write(Operation::delete("Deletes a fact"))
        .path("id", "Its number")
        .gives::<facts::DeletedFact>(200, "What it was")
        .refuses(400, &["invalid_id"])
        .refuses(404, &["no_such_fact"]);
    let search = read(Operation::post("Facts or documents by words, by meaning, or by both; the best first"))
        .takes::<search::SearchBody>()
        .gives::<search::SearchAnswer>(200, "What was found, and which adapter found it")
        .refuses(400, &["invalid_limit", "invalid_filter"])
        .refuses(404, &["unknown_collection"])
        .refuses(422, &["empty_query", "query_too_long", "invalid_confidence", "invalid_threshold"])
        .refuses(422, &["missing_vector", "unwanted_vector", "wrong_dimension", "invalid_vector"])
        .refuses(503, &["search_unavailable"]);
    endpoints
        .route("/api/facts", get(facts::list).post(facts::add), [list, add])
        .route("/api/facts/count", get(facts::count), [count])
        .route("/api/facts/bulk", post(bulk::import), [import])
        .route("/api/facts/export", get(export::export), [everything])
        .route(
            "/api/facts/{id}",
            get(facts::by_id).put(facts::update).delete(facts::delete),
            [by_id, update, delete],
        )
        .route("/api/search", post(search::search), [search])
}

/// A question to the graph, which is built anew at each start.
fn ask(summary: &'static str) -> Operation {
    read(Operation::get(summary)).refuses(503, &["graph_building"])
}

fn with_graph(endpoints: Endpoints<ApiState>) -> Endpoints<ApiState> {
    let about_entity =
        |summary| ask(summary).refuses(400, &["missing_entity"]).refuses(404, &["unknown_entity"]);
    let along_edges =
        |summary| about_entity(summary).refuses(400, &["invalid_direction", "too_many_predicates"]);
    let traverse = along_edges("Everything that is reached from an entity, breadth first")
        .query::<graph::TraverseQuery>()
        .gives::<graph::TraverseAnswer>(200, "What was reached; `truncated` where there is more")
        .refuses(400, &["invalid_depth", "invalid_limit"]);
    let path = along_edges("A shortest path between two entities")
        .query::<graph::PathQuery>()
        .gives::<graph::PathAnswer>(200, "The path, where there is one within the depth")
        .refuses(400, &["invalid_depth"]);
    let neighbours = along_edges("The edges of an entity, in the order of their facts")
        .query::<graph::NeighboursQuery>()
        .gives::<graph::NeighboursAnswer>(200, "A page, and a cursor where there is more")
        .refuses(400, &["invalid_cursor", "invalid_limit"]);
    let entity = about_entity("How many facts name an entity, and its degree")
        .path("name", "The word or string")
        .gives::<graph::EntityAnswer>(200, "Its counters");
    endpoints
        .route("/api/graph/traverse", get(graph::traverse), [traverse])
        .route("/api/graph/path", get(graph::path), [path])
        .route("/api/graph/neighbours", get(graph::neighbours), [neighbours])
        .route("/api/graph/entities/{name}", get(graph::entity), [entity])
}

fn with_statistics(endpoints: Endpoints<ApiState>) -> Endpoints<ApiState> {
    let predicates = ask("The predicates with most facts")
        .query::<statistics::TopQuery>()
        .gives::<statistics::PredicatesAnswer>(200, "The first by facts, then by name")
        .refuses(400, &["invalid_limit"]);
    let entities = ask("The entities that most facts name")
        .query::<statistics::TopQuery>()
        .gives::<statistics::EntitiesAnswer>(200, "The first by facts, then by name")
        .refuses(400, &["invalid_limit"]);
    let facts = ask("Figures of all facts; kept, not counted")
        .gives::<statistics::FactsAnswer>(200, "As of the revision");
    endpoints
        .route("/api/predicates/top", get(statistics::predicates), [predicates])
        .route("/api/entities/stats", get(statistics::entities), [entities])
        .route("/api/facts/stats", get(statistics::facts), [facts])
}

fn with_quality(endpoints: Endpoints<ApiState>) -> Endpoints<ApiState> {
    let kept = |operation: Operation| read(operation).refuses(503, &["quality_building"]);
    let paged = |summary| kept(Operation::get(summary)).refuses(400, &["invalid_limit", "invalid_cursor"]);
    let duplicates = paged("Facts that say the same in another spelling, or nearly the same")
        .query::<quality::DuplicatesQuery>()
        .gives::<quality::DuplicatesAnswer>(200, "A page, and a cursor where there is more")
        .refuses(400, &["invalid_kind", "invalid_threshold"])
        .refuses(503, &["vectors_unavailable"]);
    let consistency = paged("Facts that cannot all be true")
        .query::<quality::ConsistencyQuery>()
        .gives::<quality::ConsistencyAnswer>(200, "A page, and a cursor where there is more")
        .refuses(400, &["invalid_kind"]);
    let suspicious = paged("Predicates of which something looks like a mistake")
        .query::<quality::SuspiciousQuery>()
        .gives::<quality::SuspiciousAnswer>(200, "A page, and a cursor where there is more");
    let validate =
        kept(Operation::post("What would become of statements if they were posted; nothing is written"))
            .takes::<quality::ValidateBody>()
            .gives::<quality::ValidateAnswer>(200, "A verdict for each, in their order")
            .refuses(422, &["too_many_statements"]);
    let similarity =
        read(Operation::post("How near two texts are in meaning, or which facts are nearest to one"))
            .takes::<quality::SimilarityBody>()
            .gives::<quality::SimilarityAnswer>(200, "The cosine, or the facts, the nearest first")
            .refuses(400, &["invalid_limit", "invalid_threshold"])
            .refuses(422, &["missing_text", "text_too_long", "unknown_words"])
            .refuses(503, &["vectors_unavailable", "search_unavailable"]);
    endpoints
        .route("/api/quality/duplicates", get(quality::duplicates), [duplicates])
        .route("/api/quality/consistency", get(quality::consistency), [consistency])
        .route(
            "/api/quality/validate",
            get(quality::suspicious).post(quality::validate),
            [suspicious, validate],
        )
        .route("/api/quality/semantic_similarity", post(quality::semantic_similarity), [similarity])
}

fn with_documents(endpoints: Endpoints<ApiState>) -> Endpoints<ApiState> {
    let unknown = |operation: Operation| operation.refuses(404, &["unknown_collection"]);
    let list_collections =
        read(Operation::get("All collections")).gives::<collections::AllCollections>(200, "By name");
    let create = write(Operation::post("Makes a collection"))
        .takes::<collections::CollectionBody>()
        .gives::<collections::OneCollection>(201, "It is new")
        .gives::<collections::OneCollection>(200, "It was there just so")
        .refuses(409, &["collection_exists", "too_many_collections"])
        .refuses(422, &["invalid_collection", "invalid_model", "invalid_dimension", "no_embedder"])
        .refuses(502, &["embedder_refused"])
        .refuses(503, &["embedder_unavailable"]);
    let collection = unknown(read(Operation::get("One collection")))
        .path("name", "Its name")
        .gives::<collections::OneCollection>(200, "The collection");
    let delete_collection = unknown(write(Operation::delete("Deletes a collection with its documents")))
        .path("name", "Its name")
        .gives::<collections::OneCollection>(200, "What it was");
    let list =
        unknown(read(Operation::get("A page of documents, in the order in which they were first put")))
            .query::<documents::DocumentsQuery>()
            .gives::<documents::DocumentPage>(200, "The page, and a cursor where there is more")
            .refuses(400, &["invalid_limit", "invalid_cursor", "invalid_filter"]);
    let put = unknown(write(Operation::post("Adds or replaces documents, all or none")))
        .takes::<documents::DocumentsBody>()
        .gives::<documents::PutAnswer>(200, "They are in the store, on disk")
        .refuses(409, &["other_model"])
        .refuses(502, &["embedder_refused", "wrong_dimension", "invalid_vector"])
        .refuses(503, &["embedder_unavailable"])
        .refuses(422, &["too_many_documents", "invalid_id", "document_too_long", "invalid_metadata"])
        .refuses(422, &["missing_vector", "unwanted_vector", "wrong_dimension", "invalid_vector"]);
    let by_id = unknown(read(Operation::get("One document")))
        .path("collection", "Where it is")
        .path("id", "The client's id")
        .gives::<documents::OneDocument>(200, "The document")
        .refuses(404, &["no_such_document"]);
    let delete_one = unknown(write(Operation::delete("Deletes a document")))
        .path("collection", "Where it is")
        .path("id", "The client's id")
        .gives::<documents::DeleteAnswer>(200, "It is gone")
        .refuses(404, &["no_such_document"]);
    let delete = unknown(write(Operation::post("Deletes documents, as many of them as there are")))
        .takes::<documents::DeleteBody>()
        .gives::<documents::DeleteAnswer>(200, "How many there were")
        .refuses(422, &["too_many_documents", "invalid_id"]);
    endpoints
        .route(
            "/api/collections",
            get(collections::list).post(collections::create),
            [list_collections, create],
        )
        .route(
            "/api/collections/{name}",
            get(collections::by_name).delete(collections::delete),
            [collection, delete_collection],
        )
        .route(
            "/api/documents",
            get(documents::list).post(documents::put).layer(DefaultBodyLimit::max(documents::BODY_BYTES_MAX)),
            [list, put],
        )
        .route("/api/documents/delete", post(documents::delete), [delete])
        .route(
            "/api/documents/{collection}/{id}",
            get(documents::by_id).delete(documents::delete_one),
            [by_id, delete_one],
        )
}

fn with_status(endpoints: Endpoints<ApiState>) -> Endpoints<ApiState> {
    let changes = Operation::get("The log of changes, for consumers that pull")
        .needs(Role::Read)
        .query::<changes::ChangesQuery>()
        .gives::<changes::ChangesPage>(200, "In order, without holes; none where there are none yet")
        .refuses(400, &["invalid_limit", "invalid_wait", "revision_beyond_end"])
        .refuses(409, &["other_epoch"])
        .refuses(410, &["revision_trimmed"])
        .refuses(503, &["database_unavailable", "stopping"]);
    let status = Operation::get("What the knowledge base says about itself")
        .needs(Role::Read)
        .gives::<status::StatusAnswer>(200, "As last known; nothing is asked for it");
    let limits = Operation::get("What a client can make grow, and how far")
        .needs(Role::Read)
        .gives::<status::Limits>(200, "The limits");
    endpoints
        .route("/api/kb/changes", get(changes::changes), [changes])
        .route("/api/status", get(status::status), [status])
        .route("/api/limits", get(status::limits), [limits])
}
