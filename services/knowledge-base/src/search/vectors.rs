//! The indexes of vectors by collection, as the primary adapter asks them.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Nearest, NearestError};
use crate::embed::Vector;
use crate::store::{CollectionId, Revision};
use crate::vector::{FactVectors, Position, VectorIndex};

/// What there is to search. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vectors {
    facts: Option<Followed>,
}

/// An index, and where it stands.
#[derive(Debug, Clone)]
struct Followed {
    index: Arc<VectorIndex>,
    exact: watch::Receiver<Option<Position>>,
}

impl Vectors {
    /// Those of the facts.
    pub fn of(facts: &FactVectors) -> Self {
        Self { facts: Some(Followed { index: Arc::clone(facts.index()), exact: facts.exact() }) }
    }

    /// None: the primary adapter is switched off.
    pub fn none() -> Self {
        Self { facts: None }
    }

    /// Follows what the index of a collection holds; `None` where it has none and the store itself is searched.
    pub fn exact(&self, collection: CollectionId) -> Option<watch::Receiver<Option<Position>>> {
        let facts = self.facts.as_ref().filter(|_| collection == CollectionId::FACTS);
        facts.map(|facts| facts.exact.clone())
    }
}

/// Of what [`Vectors::exact`] follows.
pub fn revision_of(position: &Option<Position>) -> Revision {
    position.as_ref().map_or(Revision(0), |position| position.revision)
}

impl Nearest for Vectors {
    fn nearest(
        &self,
        collection: CollectionId,
        query: &Vector,
        limit: usize,
        allowed: Option<&dyn Fn(u64) -> bool>,
    ) -> Result<Vec<(u64, f32)>, NearestError> {
        let facts = self.facts.as_ref().filter(|_| collection == CollectionId::FACTS);
        let facts = facts.filter(|facts| facts.exact.borrow().is_some()).ok_or(NearestError::Building)?;
        facts.index.search(query, limit, allowed).map_err(|error| NearestError::Failed(error.to_string()))
    }

    fn is_ready(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.exact.borrow().is_some())
    }
}
