//! Changes as the stream tells them: what the log of every store keeps. Pure.

use chassis::time::rfc3339;
use proto_schemas::v1::{
    CollectionCreated, CollectionDeleted, DocumentsChanged, DocumentsDeleted, FactAdded, FactDeleted,
    FactUpdated, FactsImported,
};

use super::backend::BATCH_DELETE_MAX;
use super::documents::Collection;
use super::model::{FactId, NewFact, Revision, StoredFact, UnixMillis};

/// A fact is new.
pub fn fact_added(id: FactId, fact: &NewFact, created_at: UnixMillis, revision: Revision) -> FactAdded {
    FactAdded {
        id: id.as_f64(),
        statement: fact.statement().to_owned(),
        context: fact.context.as_str().to_owned(),
        confidence: fact.confidence.get(),
        created_at: time(created_at),
        revision: revision.as_f64(),
    }
}

/// Facts with consecutive numbers are new; there is at least one.
pub fn facts_imported(
    first: FactId,
    added: u64,
    created_at: UnixMillis,
    revision: Revision,
) -> FactsImported {
    FactsImported {
        count: number(added),
        first_id: first.as_f64(),
        last_id: FactId(first.0 + added - 1).as_f64(),
        created_at: time(created_at),
        revision: revision.as_f64(),
    }
}

/// A fact is another now.
pub fn fact_updated(before: &StoredFact, now: &StoredFact, updated_at: UnixMillis) -> FactUpdated {
    FactUpdated {
        id: now.id.as_f64(),
        statement: now.statement.clone(),
        context: now.context.clone(),
        confidence: now.confidence,
        previous_statement: before.statement.clone(),
        created_at: time(before.created_at),
        updated_at: time(updated_at),
        revision: now.revision.as_f64(),
    }
}

/// A fact is gone.
pub fn fact_deleted(before: &StoredFact, deleted_at: UnixMillis, revision: Revision) -> FactDeleted {
    FactDeleted {
        id: before.id.as_f64(),
        statement: before.statement.clone(),
        deleted_at: time(deleted_at),
        revision: revision.as_f64(),
    }
}

/// A collection is new.
pub fn collection_created(collection: &Collection, revision: Revision) -> CollectionCreated {
    CollectionCreated {
        collection: collection.made_as.name.as_str().to_owned(),
        embedding_model: collection.made_as.model.clone(),
        dimension: number(collection.made_as.dimension as u64),
        created_at: time(collection.created_at),
        revision: revision.as_f64(),
    }
}

/// A collection is gone, with its documents.
pub fn collection_deleted(
    collection: &Collection,
    deleted_at: UnixMillis,
    revision: Revision,
) -> CollectionDeleted {
    CollectionDeleted {
        collection: collection.made_as.name.as_str().to_owned(),
        document_count: number(collection.document_count),
        deleted_at: time(deleted_at),
        revision: revision.as_f64(),
    }
}

/// Documents are new or others now; the event names the first of them.
pub fn documents_changed<'a>(
    collection: &Collection,
    keys: impl ExactSizeIterator<Item = &'a str>,
    changed_at: UnixMillis,
    revision: Revision,
) -> DocumentsChanged {
    DocumentsChanged {
        collection: collection.made_as.name.as_str().to_owned(),
        count: number(keys.len() as u64),
        ids: keys.take(BATCH_DELETE_MAX).map(str::to_owned).collect(),
        changed_at: time(changed_at),
        revision: revision.as_f64(),
    }
}

/// Documents are gone.
pub fn documents_deleted(
    collection: &Collection,
    keys: Vec<String>,
    deleted_at: UnixMillis,
    revision: Revision,
) -> DocumentsDeleted {
    DocumentsDeleted {
        collection: collection.made_as.name.as_str().to_owned(),
        count: number(keys.len() as u64),
        ids: keys,
        deleted_at: time(deleted_at),
        revision: revision.as_f64(),
    }
}

fn time(at: UnixMillis) -> String {
    rfc3339(at.to_system())
}

/// A count as the contract's number, exact below 2^53.
fn number(count: u64) -> f64 {
    FactId(count).as_f64()
}
