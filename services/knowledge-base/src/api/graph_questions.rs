//! What questions to the graph take, over HTTP and NATS alike: each parameter as a value that cannot be wrong, or the
//! code with which it is refused.

use chassis::ApiError;
use serde_json::json;

use crate::grammar::normal;
use crate::graph::{DEPTH_MAX, Depth, Direction, GraphError, PREDICATES_MAX, Predicates, UnknownEntity};
use crate::store::{Epoch, Revision};

/// Steps of a walk where nobody says.
const DEPTH_DEFAULT: u8 = 3;

/// What a client that comes too early or too often is asked to wait, seconds.
const RETRY_AFTER_S: u32 = 1;

/// The entity in the parameter `name`. 400 `missing_entity`.
pub fn entity_in(name: &str, entity: Option<&str>) -> Result<Box<str>, ApiError> {
    entity.filter(|entity| !entity.is_empty()).map(|entity| normal(entity).into()).ok_or_else(|| {
        ApiError::bad_request("missing_entity", format!("{name} must name an entity"))
            .with_details(json!({"parameter": name}))
    })
}

/// A direction; `outbound` where there is none. 400 `invalid_direction`.
pub fn direction_in(direction: Option<&str>) -> Result<Direction, ApiError> {
    let Some(name) = direction.filter(|name| !name.is_empty()) else { return Ok(Direction::default()) };
    Direction::by_name(name).ok_or_else(|| {
        let names = Direction::NAMES.map(|(name, _)| name);
        ApiError::bad_request("invalid_direction", format!("direction must be one of {}", names.join(", ")))
            .with_details(json!({"direction": name, "directions": names}))
    })
}

/// Steps; 3 where nobody says. 400 `invalid_depth`.
pub fn depth_in(depth: Option<i64>) -> Result<Depth, ApiError> {
    let wanted = depth.unwrap_or(DEPTH_DEFAULT.into());
    u32::try_from(wanted).ok().and_then(Depth::new).ok_or_else(|| {
        ApiError::bad_request("invalid_depth", format!("max_depth must be from 1 to {DEPTH_MAX}"))
            .with_details(json!({"max_depth": depth, "max": DEPTH_MAX}))
    })
}

/// Predicates separated by commas; all where there is none. 400 `too_many_predicates`.
pub fn predicates_in(list: Option<&str>) -> Result<Predicates, ApiError> {
    Predicates::parse(&normal(list.unwrap_or_default())).ok_or_else(|| {
        ApiError::bad_request("too_many_predicates", format!("name at most {PREDICATES_MAX} predicates"))
            .with_details(json!({"max": PREDICATES_MAX}))
    })
}

/// The limit in the parameter `name`. 400 `invalid_limit`.
pub fn limit_in(name: &str, limit: Option<i64>, default: usize, max: usize) -> Result<usize, ApiError> {
    let Some(wanted) = limit else { return Ok(default) };
    usize::try_from(wanted).ok().filter(|limit| (1..=max).contains(limit)).ok_or_else(|| {
        ApiError::bad_request("invalid_limit", format!("{name} must be from 1 to {max}"))
            .with_details(json!({name: wanted, "max": max}))
    })
}

/// 404 `unknown_entity`, and the state in which it was.
pub fn unknown_entity(unknown: &UnknownEntity, revision: Revision, epoch: &Epoch) -> ApiError {
    ApiError::not_found("unknown_entity", unknown.to_string())
        .with_details(json!({"entity": unknown.0, "revision": revision.0, "epoch": epoch.as_str()}))
}

/// 503 `graph_building`, `overloaded`; 500.
pub fn graph_error(error: GraphError) -> ApiError {
    match error {
        GraphError::Building => ApiError::unavailable(
            error.code(),
            "the graph is read from the store after a start; try again",
            RETRY_AFTER_S,
        ),
        GraphError::Overloaded => ApiError::unavailable(
            error.code(),
            "too many questions to the graph are waiting; try again",
            RETRY_AFTER_S,
        ),
        // The panic has been logged.
        GraphError::Failed => ApiError::internal(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_default_and_what_is_wrong_a_code() {
        let code = |error: ApiError| error.code();
        assert_eq!(entity_in("start", Some("ada")).map_err(code), Ok("ada".into()));
        for missing in [None, Some("")] {
            assert_eq!(entity_in("start", missing).map_err(code), Err("missing_entity"));
        }
        assert_eq!(direction_in(None).map_err(code), Ok(Direction::Outbound));
        assert_eq!(direction_in(Some("any")).map_err(code), Ok(Direction::Any));
        assert_eq!(direction_in(Some("Any")).map_err(code), Err("invalid_direction"));
        assert_eq!(depth_in(None).map_err(code).map(Depth::get), Ok(3));
        assert_eq!(depth_in(Some(10)).map_err(code).map(Depth::get), Ok(10));
        for depth in [-1, 0, 11, 256, i64::MAX] {
            assert_eq!(depth_in(Some(depth)).map_err(code), Err("invalid_depth"), "{depth}");
        }
        assert_eq!(predicates_in(None).map_err(code), Ok(Predicates::ALL));
        assert_eq!(predicates_in(Some(" , ")).map_err(code), Ok(Predicates::ALL));
        assert_eq!(predicates_in(Some(&"P,".repeat(33))).map_err(code), Err("too_many_predicates"));
        assert_eq!(limit_in("limit", None, 7, 9).map_err(code), Ok(7));
        assert_eq!(limit_in("limit", Some(9), 7, 9).map_err(code), Ok(9));
        for limit in [-1, 0, 10, i64::MIN] {
            let error = limit_in("edge_limit", Some(limit), 7, 9).unwrap_err();
            assert_eq!(error.details(), Some(&json!({"edge_limit": limit, "max": 9})));
        }
    }
}
