//! Search by words: the index for search says what fits, the database what it says.

use std::collections::HashMap;
use std::hash::Hash;

use super::super::backend::{Hit, Seen};
use super::super::documents::{CollectionId, DocumentId, MetadataFilter, StoredDocument};
use super::super::error::ReadError;
use super::super::model::{Confidence, FactId, Revision, StoredFact};
use super::super::text::TextQuery;
use super::search_index::Found;
use super::{PostgresStore, READ_TIME_MAX, document_queries, fact_queries};

/// Looks at a search whose finds are written to meanwhile; what is changed after the last one is left out.
const LOOKS_MAX: usize = 3;

impl PostgresStore {
    /// The best facts for a query.
    pub(super) async fn search_facts(
        &self,
        query: TextQuery,
        min_confidence: Option<Confidence>,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredFact>>>, ReadError> {
        let mut least = self.state.watch().borrow().revision;
        for look in 1.. {
            self.index_reaches(least).await?;
            let found = self.index.facts(query.clone(), min_confidence, limit).await?;
            let ids: Vec<FactId> = found.hits.iter().map(|hit| hit.0).collect();
            let mut reading = self.search_reads.begin().await?;
            let facts = fact_queries::facts(&mut reading, &ids).await?;
            let seen = reading.seen(()).await;
            let facts = facts.into_iter().map(|fact| (fact.id, fact.revision, fact));
            let (hits, whole) = put_together(&found, facts);
            if whole || look == LOOKS_MAX {
                let Seen { epoch, elapsed, .. } = seen;
                return Ok(Seen { value: hits, revision: found.revision, epoch, elapsed });
            }
            least = seen.revision;
        }
        unreachable!("the last look answers")
    }

    /// The best documents of a collection for a query.
    pub(super) async fn search_texts(
        &self,
        collection: CollectionId,
        query: TextQuery,
        filter: MetadataFilter,
        limit: usize,
    ) -> Result<Seen<Vec<Hit<StoredDocument>>>, ReadError> {
        let mut least = self.state.watch().borrow().revision;
        for look in 1.. {
            self.index_reaches(least).await?;
            let found = self.index.documents(collection, query.clone(), filter.clone(), limit).await?;
            let ids: Vec<DocumentId> = found.hits.iter().map(|hit| hit.0).collect();
            let mut reading = self.search_reads.begin().await?;
            let documents = document_queries::documents(&mut reading, collection, &ids, &filter).await?;
            let seen = reading.seen(()).await;
            let documents = documents.into_iter().map(|document| (document.id, document.revision, document));
            let (hits, whole) = put_together(&found, documents);
            if whole || look == LOOKS_MAX {
                let Seen { epoch, elapsed, .. } = seen;
                return Ok(Seen { value: hits, revision: found.revision, epoch, elapsed });
            }
            least = seen.revision;
        }
        unreachable!("the last look answers")
    }

    async fn index_reaches(&self, revision: Revision) -> Result<(), ReadError> {
        let reaching = self.index.reaches(revision);
        tokio::time::timeout(READ_TIME_MAX, reaching).await.map_err(|_| ReadError::Behind)?
    }
}

/// The hits whose rows are as the index saw them, and whether these are all.
fn put_together<Id: Copy + Eq + Hash, T>(
    found: &Found<Id>,
    rows: impl Iterator<Item = (Id, Revision, T)>,
) -> (Vec<Hit<T>>, bool) {
    let as_found = rows.filter(|(_, revision, _)| *revision <= found.revision);
    let mut rows: HashMap<Id, T> = as_found.map(|(id, _, row)| (id, row)).collect();
    let hits: Vec<Hit<T>> = found
        .hits
        .iter()
        .filter_map(|(id, score, snippet)| {
            let found = rows.remove(id)?;
            Some(Hit { score: *score, found, snippet: snippet.clone() })
        })
        .collect();
    let whole = hits.len() == found.hits.len();
    (hits, whole)
}
