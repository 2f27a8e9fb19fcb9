//! Facts that nearly say the same, a bounded number of facts at a time.
//!
//! For each fact the vector index gives its nearest, and `likeness` says which of them are near indeed. That takes
//! a thousand searches a page, so a page has a thread of its own, of low priority, and there is one at a time. Nothing is
//! kept: the thresholds are the asker's.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::folding::Folded;
use super::likeness::likeness;
use crate::embed::StaticTable;
use crate::grammar::{Fact, parse_kept};
use crate::priority::Class;
use crate::search::{Nearest, NearestError};
use crate::store::{CollectionId, Epoch, FactId, Filter, ReadError, Revision, Store, StoredFact};

/// Facts that a page looks at: a few hundred searches of about a millisecond each.
pub const FACTS_LOOKED_AT_MAX: usize = 256;

/// Longest time of a page; it ends after the facts that it has begun with, where the cores are busy with requests.
const PAGE_TIME_MAX: Duration = Duration::from_secs(2);

/// Facts looked at between two reads of the store: with their neighbours some thousand point reads, 10 ms.
const BATCH_FACTS: usize = 64;

/// Nearest facts that are compared with each: the same fact in other words is among the first few, if it is near at all.
pub const NEIGHBOURS: usize = 16;

/// Least cosine of a fact that is compared. With two of three parts equal it is above that, mostly.
const COSINE_MIN: f32 = 0.5;

/// Pages at once.
const PAGES_AT_ONCE: usize = 1;

/// Two facts that nearly say the same.
#[derive(Debug, Clone, PartialEq)]
pub struct NearPair {
    /// The one with the lower number.
    pub first: StoredFact,
    /// The other.
    pub second: StoredFact,
    /// How alike they are, from the threshold to 1.
    pub similarity: f64,
}

/// What a page looked at, and what it found.
#[derive(Debug, Clone, PartialEq)]
pub struct NearPage {
    /// In the order of the facts that were looked at.
    pub pairs: Vec<NearPair>,
    /// The last fact that was looked at; the page before's where there was none.
    pub upto: FactId,
    /// Whether there are facts after it.
    pub more: bool,
    /// What was compared is of this revision, or of a later one.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum NearError {
    /// Another page is under way.
    #[error("another page is under way")]
    Busy,
    /// The store could not answer.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// The vectors could not.
    #[error("the facts' vectors could not be searched")]
    Vectors(#[from] NearestError),
    /// The thread could not be started or has panicked.
    #[error("the page failed")]
    Failed,
}

/// Looks for facts that nearly say the same. Cheap to clone.
#[derive(Clone)]
pub struct NearDuplicates {
    store: Store,
    nearest: Arc<dyn Nearest>,
    pages: Arc<Semaphore>,
}

/// What a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearQuestion {
    /// The facts after this one are looked at.
    pub after: FactId,
    /// The page ends with the fact at which it has that many pairs.
    pub limit: usize,
    /// Least similarity.
    pub threshold: f64,
}

impl NearDuplicates {
    /// Among the facts of `store`, whose vectors `nearest` has.
    pub fn new(store: Store, nearest: Arc<dyn Nearest>) -> Self {
        Self { store, nearest, pages: Arc::new(Semaphore::new(PAGES_AT_ONCE)) }
    }

    /// The next page. Each pair is on one page, as long as neither fact changes: that of the first of the two that has the
    /// other among its nearest.
    ///
    /// # Errors
    /// [`NearError`]; [`NearError::Busy`] at once.
    pub async fn page(&self, question: NearQuestion) -> Result<NearPage, NearError> {
        let turn = Arc::clone(&self.pages).try_acquire_owned().map_err(|_| NearError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let this = self.clone();
        let runtime = Handle::current();
        let work = move || {
            Class::Follow.enter();
            let page = this.look(question, &runtime, &|| reply.is_closed());
            // Held until here, for who asked may be gone while the page goes on; and no longer, for whoever has this page
            // may ask for the next one at once.
            drop(turn);
            // Nobody takes it where who asked is gone.
            let _ = reply.send(page);
        };
        let thread = std::thread::Builder::new().name("kb-near".to_owned()).spawn(work);
        thread.map_err(|error| {
            tracing::error!(%error, "the system gives no thread for near duplicates");
            NearError::Failed
        })?;
        answer.await.map_err(|_| NearError::Failed)?
    }

    fn look(
        &self,
        question: NearQuestion,
        runtime: &Handle,
        is_unwanted: &dyn Fn() -> bool,
    ) -> Result<NearPage, NearError> {
        let started = Instant::now();
        let snapshot = self.store.snapshot();
        let mut page = NearPage {
            pairs: Vec::new(),
            upto: question.after,
            more: true,
            revision: snapshot.revision,
            epoch: snapshot.epoch,
        };
        let mut looked_at = 0;
        while looked_at < FACTS_LOOKED_AT_MAX && started.elapsed() < PAGE_TIME_MAX && !is_unwanted() {
            let listed = self.store.list(Filter::default(), page.upto, BATCH_FACTS);
            let listed = runtime.block_on(listed)?.value;
            looked_at += listed.len();
            page.more = listed.len() == BATCH_FACTS;
            let Some(last) = listed.last().map(|fact| fact.id) else { break };
            self.compare(&listed, question, runtime, &mut page)?;
            page.more |= page.upto != last;
            if !page.more || page.pairs.len() >= question.limit {
                break;
            }
        }
        Ok(page)
    }

    /// Compares each fact with its nearest, until there are pairs enough.
    fn compare(
        &self,
        listed: &[StoredFact],
        question: NearQuestion,
        runtime: &Handle,
        page: &mut NearPage,
    ) -> Result<(), NearError> {
        let mut near = Vec::with_capacity(listed.len());
        for fact in listed {
            near.push((fact.id, self.neighbours(&fact.statement, fact.id, Some(&mut page.revision))?));
        }
        // All in one read, so that what is compared was there at one moment.
        let mut ids: Vec<_> = near.iter().flat_map(|(id, near)| near.iter().chain([id])).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let read = runtime.block_on(self.store.facts(ids))?.value;
        let parsed = read.into_iter().filter_map(|stored| Some((stored.id, Parsed::new(stored)?)));
        let facts: HashMap<FactId, Parsed> = parsed.collect();
        for (id, near) in near {
            if let Some(fact) = facts.get(&id) {
                for other in near.iter().filter_map(|other| facts.get(other)) {
                    page.pairs.extend(self.pair(fact, other, question.threshold)?);
                }
            }
            page.upto = id;
            if page.pairs.len() >= question.limit {
                break;
            }
        }
        Ok(())
    }

    /// The pair that two facts are, where this is the place to tell it.
    fn pair(&self, fact: &Parsed, other: &Parsed, threshold: f64) -> Result<Option<NearPair>, NearError> {
        let Some(similarity) = likeness(&fact.fact, &other.fact, threshold) else { return Ok(None) };
        if fact.form == other.form {
            // It is an exact duplicate, and told as that.
            return Ok(None);
        }
        let (first, second) = if fact.id() < other.id() { (fact, other) } else { (other, fact) };
        // Being near is not mutual where there are many: the first of the two tells of it, if it has the other.
        if first.id() == other.id()
            && self.neighbours(&first.stored.statement, first.id(), None)?.contains(&second.id())
        {
            return Ok(None);
        }
        let (first, second) = (first.stored.clone(), second.stored.clone());
        Ok(Some(NearPair { first, second, similarity }))
    }

    /// The nearest facts, without the fact itself. `revision` becomes that of the vectors, where it is an older one.
    fn neighbours(
        &self,
        statement: &str,
        id: FactId,
        revision: Option<&mut Revision>,
    ) -> Result<Vec<FactId>, NearError> {
        let Some(vector) = StaticTable::built_in().embed_statement(statement) else { return Ok(Vec::new()) };
        let near = self.nearest.nearest(CollectionId::FACTS, &vector, NEIGHBOURS + 1, None)?;
        if let Some(revision) = revision {
            *revision = near.position.revision.min(*revision);
        }
        let others =
            near.numbers.into_iter().filter(|(other, cosine)| *other != id.0 && *cosine >= COSINE_MIN);
        Ok(others.map(|(other, _)| FactId(other)).collect())
    }
}

/// A fact to compare.
struct Parsed {
    stored: StoredFact,
    fact: Fact,
    form: Folded,
}

impl Parsed {
    /// What the store holds parses, or it is damaged: then it is left out.
    fn new(stored: StoredFact) -> Option<Self> {
        let fact = parse_kept(&stored.statement).ok()?;
        let form = Folded::new(&fact);
        Some(Self { stored, fact, form })
    }

    fn id(&self) -> FactId {
        self.stored.id
    }
}
