//! The documents: an index for each collection, of the vectors that the store keeps.
//!
//! One delta tells of all collections, so one position holds for all indexes; it is in a file beside them, with the
//! revision that each index must at least be at. An index whose file is older, or damaged, is filled alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::IntGauge;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::super::manifest;
use super::super::{Builders, OpenError, Options, Position, VectorIndex};
use super::{FollowError, Follower, Following, ROWS_AT_ONCE, TakeError, Taken};
use crate::embed::Vector;
use crate::store::{
    Collection, CollectionId, Delta, DeltaAnswer, DocumentId, DocumentRow, Epoch, Revision, Store,
};

/// The file with the position.
const FOLLOWED_FILE: &str = "followed.json";

type Indexes = Arc<RwLock<HashMap<CollectionId, Arc<VectorIndex>>>>;

/// The documents' vectors, by [`DocumentId`], in an index for each collection.
#[derive(Debug)]
pub struct DocumentVectors {
    indexes: Indexes,
    follower: Follower,
}

impl DocumentVectors {
    /// Follows the collections of `store`, each in a directory of its own below `directory`. Called within a Tokio
    /// runtime; reads files, so not on one of its workers. `reached` shows how far it is.
    ///
    /// # Errors
    /// [`FollowError`], when the directory or the system is at fault.
    pub fn start(
        store: &Store,
        directory: &Path,
        builders: &Builders,
        reached: IntGauge,
    ) -> Result<Self, FollowError> {
        std::fs::create_dir_all(directory).map_err(OpenError::Io)?;
        let indexes = Indexes::default();
        let mut following = Documents {
            store: store.clone(),
            directory: directory.to_owned(),
            builders: builders.clone(),
            indexes: indexes.clone(),
            position: None,
            expected: BTreeMap::new(),
        };
        following.recall().map_err(OpenError::Io)?;
        Ok(Self { indexes, follower: Follower::start(store, following, reached)? })
    }

    /// The index of a collection; `None` until the follower has seen it.
    pub fn index(&self, collection: CollectionId) -> Option<Arc<VectorIndex>> {
        self.indexes.read().unwrap_or_else(PoisonError::into_inner).get(&collection).cloned()
    }

    /// Follows the position that all indexes are exact at; `None` until they have caught up once.
    pub fn exact(&self) -> watch::Receiver<Option<Position>> {
        self.follower.exact.clone()
    }

    /// Stops, puts the indexes on disk and ends. Blocks for that long.
    pub fn finish(&self) {
        self.follower.stop.request();
        let indexes: Vec<_> =
            self.indexes.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        indexes.iter().for_each(|index| index.stop());
        self.follower.join();
    }
}

/// What lies in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Followed {
    epoch: String,
    revision: u64,
    /// For each collection the revision that its index was put on disk at; nothing for an empty one.
    collections: BTreeMap<u64, Option<u64>>,
}

struct Documents {
    store: Store,
    directory: PathBuf,
    builders: Builders,
    indexes: Indexes,
    position: Option<Position>,
    /// Indexes that are on disk and not yet open.
    expected: BTreeMap<u64, Option<u64>>,
}

impl Following for Documents {
    const WHAT: &'static str = "documents";

    fn position(&self) -> Option<Position> {
        self.position.clone()
    }

    fn clear(&mut self) {
        self.position = None;
        self.expected.clear();
        self.all().iter().for_each(|(_, index)| index.clear());
    }

    fn take(&mut self, after: Revision, runtime: &Handle) -> Result<Taken, TakeError> {
        let seen = runtime.block_on(self.store.document_delta(after, ROWS_AT_ONCE))?;
        let DeltaAnswer::Delta(delta) = seen.value else { return Ok(Taken::TooOld) };
        let position = Position { epoch: seen.epoch, revision: delta.upto };
        if self.position.as_ref() != Some(&position) || !self.expected.is_empty() {
            // Read after the delta: all collections that it tells of and that still are.
            let collections = runtime.block_on(self.store.collections())?.value;
            self.open_and_close(&collections, runtime)?;
            for (id, index) in self.all() {
                apply(&index, id, &delta, &position)?;
            }
            self.position = Some(position);
        }
        Ok(Taken::Applied { newest: seen.revision })
    }

    fn persist(&mut self) -> io::Result<()> {
        let Some(position) = &self.position else { return Ok(()) };
        let mut collections = self.expected.clone();
        for (id, index) in self.all() {
            collections.insert(id.0, index.persist()?.map(|at| at.revision.0));
        }
        let (epoch, revision) = (position.epoch.as_str().to_owned(), position.revision.0);
        manifest::write_checked(&self.directory, FOLLOWED_FILE, &Followed { epoch, revision, collections })
    }
}

impl Documents {
    /// Reads where it was. A file that cannot be used is one that is not there: all begins anew.
    fn recall(&mut self) -> io::Result<()> {
        match manifest::read_checked::<Followed>(&self.directory, FOLLOWED_FILE)? {
            Ok(Some(Followed { epoch, revision, collections })) => {
                self.position = Some(Position { epoch: Epoch::kept(&epoch), revision: Revision(revision) });
                self.expected = collections;
            }
            Ok(None) => {}
            Err(damage) => tracing::warn!(error = %damage, "the documents' vectors are indexed again"),
        }
        Ok(())
    }

    fn all(&self) -> Vec<(CollectionId, Arc<VectorIndex>)> {
        let indexes = self.indexes.read().unwrap_or_else(PoisonError::into_inner);
        indexes.iter().map(|(id, index)| (*id, index.clone())).collect()
    }

    /// An index for each collection, and none for others.
    fn open_and_close(&mut self, collections: &[Collection], runtime: &Handle) -> Result<(), TakeError> {
        let there: HashSet<CollectionId> = collections.iter().map(|collection| collection.id).collect();
        let open = self.all();
        for (id, index) in open.iter().filter(|(id, _)| !there.contains(id)) {
            self.indexes.write().unwrap_or_else(PoisonError::into_inner).remove(id);
            index.stop();
            let directory = self.directory_of(*id);
            VectorIndex::erase(&directory)
                .and_then(|()| std::fs::remove_dir(directory))
                .map_err(OpenError::Io)?;
        }
        let open: HashSet<CollectionId> = open.into_iter().map(|(id, _)| id).collect();
        for collection in collections.iter().filter(|collection| !open.contains(&collection.id)) {
            let index = Arc::new(self.open(collection, runtime)?);
            self.indexes.write().unwrap_or_else(PoisonError::into_inner).insert(collection.id, index);
            self.expected.remove(&collection.id.0);
        }
        // What is left was of collections that are gone.
        for id in std::mem::take(&mut self.expected).into_keys() {
            VectorIndex::erase(&self.directory_of(CollectionId(id))).map_err(OpenError::Io)?;
        }
        Ok(())
    }

    fn directory_of(&self, collection: CollectionId) -> PathBuf {
        self.directory.join(collection.0.to_string())
    }

    /// The index of a collection as it must be at the position: from disk, or filled from the store where that does
    /// not do.
    fn open(&self, collection: &Collection, runtime: &Handle) -> Result<VectorIndex, TakeError> {
        let directory = self.directory_of(collection.id);
        let made_as = &collection.made_as;
        let options = Options::new(&made_as.model, made_as.dimension);
        let expected = self.expected.get(&collection.id.0).copied().flatten();
        if let (Some(revision), Some(position)) = (expected, &self.position) {
            match VectorIndex::open(&directory, &options, &self.builders) {
                Ok(index)
                    if index
                        .position()
                        .is_some_and(|at| at.epoch == position.epoch && at.revision.0 >= revision) =>
                {
                    return Ok(index);
                }
                // Closed before its directory is emptied.
                Ok(index) => drop(index),
                Err(OpenError::Io(error)) => return Err(OpenError::Io(error).into()),
                Err(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::warn!(
                        code = error.code(),
                        error = cause,
                        collection = collection.id.0,
                        "a collection is indexed again"
                    );
                }
            }
        }
        VectorIndex::erase(&directory).map_err(OpenError::Io)?;
        let index = VectorIndex::open(&directory, &options, &self.builders)?;
        if expected.is_some() {
            self.fill(&index, collection.id, runtime)?;
        }
        Ok(index)
    }

    /// Takes all that one collection holds, up to the position of the others.
    fn fill(&self, index: &VectorIndex, collection: CollectionId, runtime: &Handle) -> Result<(), TakeError> {
        let mut after = Revision(0);
        while self.position.as_ref().is_some_and(|position| after < position.revision) {
            let seen = runtime.block_on(self.store.document_delta(after, ROWS_AT_ONCE))?;
            // From 0 there is always one.
            let DeltaAnswer::Delta(delta) = seen.value else { return Ok(()) };
            after = delta.upto;
            apply(index, collection, &delta, &Position { epoch: seen.epoch, revision: after })?;
        }
        Ok(())
    }
}

/// What of `delta` is of one collection. Nothing where nothing is.
fn apply(
    index: &VectorIndex,
    collection: CollectionId,
    delta: &Delta<DocumentRow, DocumentId>,
    position: &Position,
) -> Result<(), TakeError> {
    let rows = delta.changed.iter().filter(|row| row.collection == collection);
    let (mut vectors, mut removed) = (Vec::new(), Vec::new());
    for row in rows {
        // Of unit length, whoever made it.
        match row.vector.as_ref().and_then(|vector| Vector::new(vector.to_vec()).ok()) {
            Some(vector) => vectors.push((row.id.0, vector)),
            None => removed.push(row.id.0),
        }
    }
    removed.extend(delta.removed.iter().map(|id| id.0));
    removed.retain(|id| index.contains(*id));
    if !vectors.is_empty() || !removed.is_empty() {
        let upserts: Vec<(u64, &[f32])> = vectors.iter().map(|(id, vector)| (*id, &**vector)).collect();
        index.apply(&upserts, &removed, position)?;
    }
    Ok(())
}
