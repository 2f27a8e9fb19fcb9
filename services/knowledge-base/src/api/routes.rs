//! All endpoints of the knowledge base, and what `/openapi.json` says of each. What every service has (health, metrics,
//! keys) comes from `chassis::http::router`.

use axum::routing::{get, post};
use chassis::{Endpoints, Operation, Role};

use super::caught_up::CaughtUpQuery;
use super::{ApiState, body, bulk, changes, export, facts, search, status};

/// The endpoints over `state`.
pub fn router(state: ApiState) -> Endpoints {
    with_status(with_facts(Endpoints::new())).with_state(state)
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
        .refuses(503, &["overloaded", "database_unavailable", "stopping"])
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
    let search = read(Operation::post("Facts by the words in them, the best first"))
        .takes::<search::SearchBody>()
        .gives::<search::SearchAnswer>(200, "What was found")
        .refuses(400, &["invalid_limit"])
        .refuses(422, &["not_available", "empty_query", "query_too_long", "invalid_confidence"]);
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
