//! Judges what a store holds and what its stream told against what its writers were acknowledged. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::writers::{Acknowledged, Write};

/// Things of one kind that a message names.
const NAMED_MAX: usize = 10;

/// A change, as the stream or the log of changes tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub revision: u64,
    pub topic: String,
    pub event_type: String,
    pub body: Value,
}

/// What the store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Number -> statement.
    pub facts: BTreeMap<u64, String>,
    /// Key -> content.
    pub documents: BTreeMap<String, String>,
}

/// What is wrong; nothing where every write is there, every change was told once, and nothing else is there or was told.
/// The first change made the writers' collection.
pub fn judge(acknowledged: &[Vec<Acknowledged>], told: &[Told], stored: &Stored) -> Vec<String> {
    let mut wrong = without_holes(told);
    wrong.extend(all_is_stored(acknowledged, stored));
    wrong.extend(each_is_told_once(acknowledged, told, stored));
    wrong
}

/// Revisions begin with 1 and each follows the one before.
fn without_holes(told: &[Told]) -> Vec<String> {
    let revisions = told.iter().map(|told| told.revision);
    let wrong = revisions.zip(1..).find(|(revision, place)| revision != place);
    wrong
        .map(|(revision, place)| format!("change {revision} is told as number {place}"))
        .into_iter()
        .collect()
}

/// The store holds what the writers left there, and nothing else.
fn all_is_stored(acknowledged: &[Vec<Acknowledged>], stored: &Stored) -> Vec<String> {
    let mut wanted = Stored::default();
    let mut imported = BTreeSet::new();
    for done in acknowledged.iter().flatten() {
        match &done.write {
            Write::Add { statement } => {
                wanted.facts.extend(done.id.map(|id| (id, statement.clone())));
            }
            Write::Change { id, statement } => drop(wanted.facts.insert(*id, statement.clone())),
            Write::Delete { id } => drop(wanted.facts.remove(id)),
            Write::Import { statements } => imported.extend(statements.iter().cloned()),
            Write::PutDocuments { keys, content } => {
                wanted.documents.extend(keys.iter().map(|key| (key.clone(), content.clone())));
            }
            Write::DeleteDocuments { keys } => keys.iter().for_each(|key| drop(wanted.documents.remove(key))),
        }
    }
    // Nobody was told the numbers of those.
    let mut facts = stored.facts.clone();
    facts.retain(|_, statement| !imported.remove(statement));
    let mut wrong = different("fact", &wanted.facts, &facts);
    wrong.extend(different("document", &wanted.documents, &stored.documents));
    wrong.extend(named("imported facts are lost", imported));
    wrong
}

fn different<K, V>(what: &str, wanted: &BTreeMap<K, V>, found: &BTreeMap<K, V>) -> Vec<String>
where
    K: Ord + std::fmt::Debug,
    V: PartialEq + std::fmt::Debug,
{
    let lost = wanted.iter().filter(|(key, value)| found.get(key) != Some(value));
    let foreign = found.iter().filter(|(key, value)| wanted.get(key) != Some(value));
    let mut wrong = named(&format!("acknowledged {what}s are not there"), lost);
    wrong.extend(named(&format!("{what}s are there that nobody left so"), foreign));
    wrong
}

/// Each write is one change, that of the revision it was acknowledged with, and no change is nobody's.
fn each_is_told_once(acknowledged: &[Vec<Acknowledged>], told: &[Told], stored: &Stored) -> Vec<String> {
    let mut by_name: HashMap<String, Vec<u64>> = HashMap::new();
    for told in told {
        by_name.entry(name_of(told)).or_default().push(told.revision);
    }
    let ids: HashMap<&str, u64> =
        stored.facts.iter().map(|(id, statement)| (statement.as_str(), *id)).collect();
    let imports: BTreeMap<u64, &Told> = told
        .iter()
        .filter(|told| told.event_type == "facts_imported")
        .map(|told| (whole(&told.body["first_id"]), told))
        .collect();
    let (mut wrong, mut owned) = (Vec::new(), BTreeSet::from([1]));
    for done in acknowledged.iter().flatten() {
        let names: BTreeSet<String> = match &done.write {
            Write::Add { statement } => [format!("fact_added {statement}")].into(),
            Write::Change { id, statement } => [format!("fact_updated {id} {statement}")].into(),
            Write::Delete { id } => [format!("fact_deleted {id}")].into(),
            Write::PutDocuments { keys, .. } => [format!("documents_changed {keys:?}")].into(),
            Write::DeleteDocuments { keys } => [format!("documents_deleted {keys:?}")].into(),
            Write::Import { statements } => statements
                .iter()
                .filter_map(|statement| ids.get(statement.as_str()))
                .filter_map(|id| {
                    imports.range(..=*id).next_back().filter(|(_, told)| *id <= whole(&told.body["last_id"]))
                })
                .map(|(_, told)| name_of(told))
                .collect(),
        };
        let revisions: Vec<u64> =
            names.iter().filter_map(|name| by_name.get(name)).flatten().copied().collect();
        let right = done.revision.is_none_or(|revision| revisions.iter().max() == Some(&revision));
        if names.is_empty() || revisions.len() != names.len() || !right {
            wrong.push(format!("{done:?} is told in {revisions:?}"));
        }
        owned.extend(revisions);
    }
    let nobodys = told.iter().filter(|told| !owned.contains(&told.revision));
    wrong.extend(named("changes are told that nobody made", nobodys));
    wrong
}

/// What tells one change from all others.
fn name_of(told: &Told) -> String {
    let (kind, body) = (told.event_type.as_str(), &told.body);
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match kind {
        "fact_added" => format!("{kind} {}", text("statement")),
        "fact_updated" => format!("{kind} {} {}", whole(&body["id"]), text("statement")),
        "fact_deleted" => format!("{kind} {}", whole(&body["id"])),
        "facts_imported" => format!("{kind} {}", whole(&body["first_id"])),
        _ => {
            let keys: Vec<&str> =
                body["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{kind} {keys:?}")
        }
    }
}

/// A whole number of an event; 0 where there is none.
pub fn whole(value: &Value) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "revisions and numbers are whole and below 2^53"
    )]
    value.as_f64().map_or(0, |number| number as u64)
}

/// One line for all of a kind, or none where there is none.
fn named(what: &str, all: impl IntoIterator<Item = impl std::fmt::Debug>) -> Vec<String> {
    let all: Vec<_> = all.into_iter().collect();
    if all.is_empty() {
        return Vec::new();
    }
    vec![format!("{} {what}: {:?}", all.len(), &all[..all.len().min(NAMED_MAX)])]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(revision: u64, event_type: &str, body: Value) -> Told {
        Told { revision, topic: String::new(), event_type: event_type.to_owned(), body }
    }

    fn done(write: Write, revision: Option<u64>, id: Option<u64>) -> Acknowledged {
        Acknowledged { write, revision, id }
    }

    /// One of each kind of write, all as it should be.
    fn right() -> (Vec<Vec<Acknowledged>>, Vec<Told>, Stored) {
        let (a, b, c) = ("A(x).".to_owned(), "B(x).".to_owned(), "C(x).".to_owned());
        let key = |key: &str| vec![key.to_owned()];
        let put = |name: &str| Write::PutDocuments { keys: key(name), content: "text".into() };
        let acknowledged = vec![
            vec![
                done(Write::Add { statement: a.clone() }, Some(2), Some(1)),
                done(Write::Change { id: 1, statement: b.clone() }, Some(4), None),
                done(Write::Add { statement: a.clone() + "2" }, None, Some(4)),
                done(Write::Delete { id: 4 }, None, None),
            ],
            vec![
                done(Write::Import { statements: vec![b.clone() + "2", c.clone()] }, Some(3), None),
                done(put("k"), Some(6), None),
                done(put("l"), None, None),
                done(Write::DeleteDocuments { keys: key("k") }, Some(9), None),
            ],
        ];
        let all_told = vec![
            told(1, "collection_created", json!({})),
            told(2, "fact_added", json!({"id": 1.0, "statement": a})),
            told(3, "facts_imported", json!({"first_id": 2, "last_id": 3})),
            told(4, "fact_updated", json!({"id": 1, "statement": b})),
            told(5, "fact_added", json!({"id": 4, "statement": a + "2"})),
            told(6, "documents_changed", json!({"ids": ["k"]})),
            told(7, "documents_changed", json!({"ids": ["l"]})),
            told(8, "fact_deleted", json!({"id": 4})),
            told(9, "documents_deleted", json!({"ids": ["k"]})),
        ];
        let stored = Stored {
            facts: [(1, b.clone()), (2, b + "2"), (3, c)].into(),
            documents: [("l".to_owned(), "text".to_owned())].into(),
        };
        (acknowledged, all_told, stored)
    }

    #[test]
    fn what_is_right_is_not_complained_of() {
        let (acknowledged, told, stored) = right();
        assert_eq!(judge(&acknowledged, &told, &stored), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_lost_doubled_or_foreign_is_found() {
        let (acknowledged, told, stored) = right();
        let is_wrong = |told: &[Told], stored: &Stored, what: &str| {
            assert!(!judge(&acknowledged, told, stored).is_empty(), "{what}");
        };
        for lost in 0..told.len() {
            let mut fewer = told.clone();
            fewer.remove(lost);
            is_wrong(&fewer, &stored, "a change that was not told");
            let mut moved = told.clone();
            moved.iter_mut().skip(lost).for_each(|told| told.revision += 1);
            is_wrong(&moved, &stored, "a hole");
        }
        for double in 1..told.len() {
            let mut more = told.clone();
            more.push(Told { revision: 10, ..told[double].clone() });
            is_wrong(&more, &stored, "a change that was told twice");
        }
        for id in stored.facts.keys() {
            let mut fewer = stored.clone();
            fewer.facts.remove(id);
            is_wrong(&told, &fewer, "a lost fact");
        }
        let mut fewer = stored.clone();
        fewer.documents.clear();
        is_wrong(&told, &fewer, "a lost document");
        let mut more = stored.clone();
        more.facts.insert(4, "A(x).2".to_owned());
        is_wrong(&told, &more, "a fact that was deleted");
    }
}
