//! The indexes of vectors by collection, as the primary adapter asks them.

use std::path::Path;
use std::sync::Arc;

use chassis::Metrics;
use tokio::sync::watch;

use super::{Near, Nearest, NearestError};
use crate::embed::Vector;
use crate::store::{CollectionId, Revision, Store};
use crate::vector::{
    Builders, BuildersOptions, DocumentVectors, FactVectors, FollowError, Position, VectorMetrics,
};

/// What there is to search. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vectors(Option<Arc<Followers>>);

/// What keeps the indexes at the store's revision.
#[derive(Debug)]
struct Followers {
    facts: FactVectors,
    documents: DocumentVectors,
}

impl Vectors {
    /// Opens what lies in `directory`, or begins anew, and follows `store`. Reads files, so not on a thread that serves
    /// connections; needs a Tokio runtime around it.
    ///
    /// # Errors
    /// [`FollowError`], when the directory or the system is at fault.
    pub fn start(store: &Store, directory: &Path, metrics: &Metrics) -> Result<Self, FollowError> {
        let VectorMetrics { facts: facts_reached, documents: documents_reached } =
            VectorMetrics::new(metrics);
        let builders = Builders::start(BuildersOptions::default()).map_err(FollowError::Thread)?;
        let facts = FactVectors::start(store, &directory.join("facts"), &builders, facts_reached)?;
        let documents =
            DocumentVectors::start(store, &directory.join("documents"), &builders, documents_reached)?;
        Ok(Self(Some(Arc::new(Followers { facts, documents }))))
    }

    /// None: the primary adapter is switched off.
    pub fn none() -> Self {
        Self(None)
    }

    /// Follows what the index of a collection holds; `None` where there are no indexes and the store itself is searched.
    pub fn exact(&self, collection: CollectionId) -> Option<watch::Receiver<Option<Position>>> {
        let followers = self.0.as_ref()?;
        Some(if collection == CollectionId::FACTS {
            followers.facts.exact()
        } else {
            followers.documents.exact()
        })
    }

    /// Puts the indexes on disk and ends their threads. Blocks for that long. A search that is still under way finds
    /// what it finds.
    pub fn finish(&self) {
        if let Some(followers) = &self.0 {
            followers.facts.finish();
            followers.documents.finish();
        }
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
    ) -> Result<Near, NearestError> {
        let followers = self.0.as_ref().ok_or(NearestError::Building)?;
        // Before the search: what is taken in meanwhile may be found or not.
        let exact = self.exact(collection).and_then(|exact| exact.borrow().clone());
        let position = exact.ok_or(NearestError::Building)?;
        let index = if collection == CollectionId::FACTS {
            Some(Arc::clone(followers.facts.index()))
        } else {
            followers.documents.index(collection)
        };
        let index = index.ok_or(NearestError::Building)?;
        let numbers = index.search(query, limit, allowed);
        let numbers = numbers.map_err(|error| NearestError::Failed(error.to_string()))?;
        // It may have been emptied meanwhile, to be built anew.
        self.exact(collection).filter(|exact| exact.borrow().is_some()).ok_or(NearestError::Building)?;
        Ok(Near { numbers, position })
    }

    fn is_ready(&self) -> bool {
        self.0.as_ref().is_some_and(|followers| {
            followers.facts.exact().borrow().is_some() && followers.documents.exact().borrow().is_some()
        })
    }
}
