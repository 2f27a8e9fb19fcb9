//! The primary adapter: full-text index and vector index of the place, and ranks fused where both are asked.

use std::collections::HashSet;
use std::sync::Arc;

use chassis::observe;
use tokio::sync::Semaphore;

use super::fusion::FUSED_PLACES_MIN;
use super::{
    Content, Item, Mode, Near, Nearest, NearestError, Place, Question, VECTOR_SEARCHES_AT_ONCE, fused,
    with_cosines, with_shares,
};
use crate::embed::Vector;
use crate::store::{DocumentId, Epoch, FactId, ReadError, Revision, Store, TextQuery};

/// Documents that a filter may name one by one; beyond it most that lie near pass it anyway, and are looked at in turn.
const ALLOWED_MAX: usize = 50_000;

/// Nearest vectors that are looked at for a search whose filter lets few of them through.
const CANDIDATES_MAX: usize = 5_000;

/// Why the primary adapter did not answer.
#[derive(Debug)]
pub enum Failure {
    /// Its own fault: the fallback is asked.
    Broken(String),
    /// It is not whole yet: the fallback is asked, and nothing is held against it.
    Building,
    /// Nobody's fault, and the fallback could not do better.
    Refused(ReadError),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(_) | ReadError::Failed(_) => Self::Broken(error.to_string()),
            ReadError::Behind => Self::Building,
            // A scan would take longer, and make the load that slows this down greater.
            ReadError::TooSlow | ReadError::Overloaded | ReadError::Unavailable | ReadError::Closed => {
                Self::Refused(error)
            }
        }
    }
}

/// What was found and the state it was found in.
pub type Ranked = (Vec<Item>, Revision, Epoch);

/// What was found by words and by meaning, as one; the older state is true of both.
pub fn together(text: Ranked, vector: Ranked, limit: usize) -> Ranked {
    let (revision, epoch) = if text.1 <= vector.1 { (text.1, text.2) } else { (vector.1, vector.2) };
    (fused(text.0, vector.0, limit), revision, epoch)
}

/// The adapter. Cheap to clone.
#[derive(Clone)]
pub struct Primary {
    store: Store,
    nearest: Arc<dyn Nearest>,
    vector_searches: Arc<Semaphore>,
}

impl Primary {
    /// Over the store's words and these vectors.
    pub fn new(store: Store, nearest: Arc<dyn Nearest>) -> Self {
        Self { store, nearest, vector_searches: Arc::new(Semaphore::new(VECTOR_SEARCHES_AT_ONCE)) }
    }

    /// Whether it can do all it is there for.
    pub fn is_ready(&self) -> bool {
        self.nearest.is_ready()
    }

    /// The best results.
    pub async fn search(&self, question: &Question) -> Result<Ranked, Failure> {
        match (question.mode, &question.words, &question.vector) {
            (Mode::Text, Some(words), _) => self.by_words(question, words, question.limit).await,
            (Mode::Vector, _, Some(vector)) => self.by_meaning(question, vector, question.limit).await,
            (Mode::Hybrid, Some(words), Some(vector)) => {
                let places = question.limit.max(FUSED_PLACES_MIN);
                let (text, vector) = tokio::try_join!(
                    self.by_words(question, words, places),
                    self.by_meaning(question, vector, places)
                )?;
                Ok(together(text, vector, question.limit))
            }
            // Words without a meaning that the model knows are still words.
            (Mode::Hybrid, Some(words), None) => self.by_words(question, words, question.limit).await,
            _ => {
                let snapshot = self.store.snapshot();
                Ok((Vec::new(), snapshot.revision, snapshot.epoch))
            }
        }
    }

    async fn by_words(
        &self,
        question: &Question,
        words: &TextQuery,
        limit: usize,
    ) -> Result<Ranked, Failure> {
        let (items, revision, epoch, elapsed) = match &question.place {
            Place::Facts(min_confidence) => {
                let seen = self.store.search(words.clone(), *min_confidence, limit).await?;
                let hits = seen.value.into_iter();
                let items = hits.map(|hit| (hit.score, hit.snippet, Content::Fact(hit.found))).collect();
                (items, seen.revision, seen.epoch, seen.elapsed)
            }
            Place::Documents(collection, filter) => {
                let search = self.store.search_documents(collection.id, words.clone(), filter.clone(), limit);
                let seen = search.await?;
                let hits = seen.value.into_iter();
                let items = hits.map(|hit| (hit.score, hit.snippet, Content::Document(hit.found))).collect();
                (items, seen.revision, seen.epoch, seen.elapsed)
            }
        };
        observe::record_stage("text", elapsed);
        Ok((with_shares(items), revision, epoch))
    }

    /// The nearest that the place lets through: more and more of them are looked at until there are enough.
    async fn by_meaning(
        &self,
        question: &Question,
        vector: &Vector,
        limit: usize,
    ) -> Result<Ranked, Failure> {
        let allowed = self.allowed(&question.place).await?;
        let is_filtered = match &question.place {
            Place::Facts(min_confidence) => min_confidence.is_some(),
            Place::Documents(_, filter) => !filter.is_empty() && allowed.is_none(),
        };
        let mut candidates = if is_filtered { limit * 4 } else { limit };
        loop {
            let near = self.nearest(question, vector, candidates, allowed.clone()).await?;
            let found = near.numbers.len();
            let mut items = self.look_up(&question.place, near.numbers).await?;
            if items.len() >= limit || found < candidates || candidates >= CANDIDATES_MAX || !is_filtered {
                items.truncate(limit);
                // What was looked up is newer, but what the index did not know yet is not among it.
                return Ok((with_cosines(items), near.position.revision, near.position.epoch));
            }
            candidates = (candidates * 4).min(CANDIDATES_MAX);
        }
    }

    /// The documents that a filter names, where they are few enough to be named.
    async fn allowed(&self, place: &Place) -> Result<Option<Arc<HashSet<u64>>>, Failure> {
        match place {
            Place::Documents(collection, filter) if !filter.is_empty() => {
                let read = self.store.matching_documents(collection.id, filter.clone(), ALLOWED_MAX);
                let ids = read.await?.value;
                Ok(ids.map(|ids| Arc::new(ids.into_iter().map(|id| id.0).collect())))
            }
            _ => Ok(None),
        }
    }

    async fn nearest(
        &self,
        question: &Question,
        vector: &Vector,
        limit: usize,
        allowed: Option<Arc<HashSet<u64>>>,
    ) -> Result<Near, Failure> {
        let turn = Arc::clone(&self.vector_searches).acquire_owned().await;
        let (nearest, collection, vector) =
            (Arc::clone(&self.nearest), question.place.collection(), vector.clone());
        let search = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let is_allowed = |number| allowed.as_ref().is_none_or(|allowed| allowed.contains(&number));
            let is_allowed: Option<&dyn Fn(u64) -> bool> =
                if allowed.is_some() { Some(&is_allowed) } else { None };
            nearest.nearest(collection, &vector, limit, is_allowed)
        });
        match observe::stage("vector", search).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(NearestError::Building)) => Err(Failure::Building),
            Ok(Err(error @ NearestError::Failed(_))) => Err(Failure::Broken(error.to_string())),
            Err(error) => Err(Failure::Broken(error.to_string())),
        }
    }

    /// What the numbers stand for, in their order. One that the place does not let through, or that is gone by now, is
    /// left out.
    async fn look_up(&self, place: &Place, nearest: Vec<(u64, f32)>) -> Result<Vec<(f64, Content)>, Failure> {
        let (contents, elapsed) = match place {
            Place::Facts(min_confidence) => {
                let ids = nearest.iter().map(|(number, _)| FactId(*number)).collect();
                let seen = self.store.facts(ids).await?;
                let least = min_confidence.map_or(0.0, crate::store::Confidence::get);
                let facts = seen.value.into_iter().filter(|fact| fact.confidence >= least);
                (facts.map(Content::Fact).collect::<Vec<_>>(), seen.elapsed)
            }
            Place::Documents(collection, filter) => {
                let ids = nearest.iter().map(|(number, _)| DocumentId(*number)).collect();
                let seen = self.store.documents(collection.id, ids, filter.clone()).await?;
                let documents = seen.value.into_iter().map(Content::Document).collect::<Vec<_>>();
                (documents, seen.elapsed)
            }
        };
        observe::record_stage("read", elapsed);
        let mut by_number: std::collections::HashMap<u64, Content> =
            contents.into_iter().map(|content| (content.number(), content)).collect();
        let found = nearest
            .into_iter()
            .filter_map(|(number, cosine)| Some((f64::from(cosine), by_number.remove(&number)?)));
        Ok(found.collect())
    }
}
