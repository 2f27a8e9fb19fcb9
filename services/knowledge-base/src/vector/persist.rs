//! The way of an index to its directory and back.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use crate::store::{Epoch, Revision};

use super::budget::Purpose;
use super::builders::Shared;
use super::files::{self, Damage, FileRecord};
use super::flat::Flat;
use super::graph::{Graph, GraphError};
use super::half::{HALF_BYTES, Half};
use super::index::Inner;
use super::manifest::{self, FlatRecord, GraphRecord, Manifest};
use super::part::{Held, Part, PartId};
use super::state::{Position, State};
use super::{OpenError, Options};

/// Begins the name of every file but the manifest: `part-<number>.<what>`.
const PART_PREFIX: &str = "part-";

/// What is on disk.
#[derive(Debug, Default)]
pub struct Persisted {
    /// The state that the manifest describes.
    generation: Option<u64>,
    /// Files of parts without a graph.
    flats: HashMap<PartId, FileRecord>,
}

/// See [`super::VectorIndex::persist`].
pub fn persist(inner: &Inner) -> io::Result<Option<Position>> {
    let mut persisted = inner.persisted.lock().unwrap_or_else(PoisonError::into_inner);
    let (state, retired, next_part) = inner.state_to_persist();
    let Some(position) = state.position.clone() else {
        inner.retire_again(retired);
        return Ok(None);
    };
    if persisted.generation != Some(state.generation) {
        write(inner, &state, &position, next_part, &mut persisted)
            .inspect_err(|_| inner.retire_again(retired.clone()))?;
        persisted.generation = Some(state.generation);
    }
    let retired: HashSet<PartId> = retired.into_iter().collect();
    persisted.flats.retain(|id, _| !retired.contains(id));
    remove_parts(&inner.directory, |id| retired.contains(&id))?;
    Ok(Some(position))
}

fn write(
    inner: &Inner,
    state: &State,
    position: &Position,
    next_part: PartId,
    persisted: &mut Persisted,
) -> io::Result<()> {
    let mut flats = Vec::with_capacity(state.flats.len());
    for held in &state.flats {
        let id = held.part.id();
        let rows = match persisted.flats.get(&id) {
            Some(record) => record.clone(),
            None => write_flat(&inner.directory, &held.part)?,
        };
        persisted.flats.insert(id, rows.clone());
        flats.push(FlatRecord { id, rows, dead: manifest::encode(&held.dead) });
    }
    let graph =
        |held: &Held<Graph>| GraphRecord { dead: manifest::encode(&held.dead), ..held.part.record().clone() };
    let manifest = Manifest {
        model: inner.model.clone(),
        dimension: inner.dimension,
        epoch: position.epoch.as_str().to_owned(),
        revision: position.revision.0,
        next_part,
        graphs: state.graphs.iter().map(graph).collect(),
        flats,
    };
    manifest.write(&inner.directory)
}

fn write_flat(directory: &Path, flat: &Flat) -> io::Result<FileRecord> {
    files::write(directory, &format!("{PART_PREFIX}{}.flat", flat.id().0), |file| {
        flat.keys().iter().try_for_each(|key| file.write_all(&key.to_le_bytes()))?;
        flat.vectors().iter().try_for_each(|component| file.write_all(&component.0.to_le_bytes()))
    })
}

/// The index as its directory has it.
pub fn open(directory: &Path, options: &Options, shared: &Arc<Shared>) -> Result<Arc<Inner>, OpenError> {
    fs::create_dir_all(directory)?;
    let manifest = Manifest::read(directory)??;
    let named: HashSet<&str> = manifest.iter().flat_map(Manifest::files).collect();
    // What was being built when the process ended.
    remove_files(directory, |name| !named.contains(name))?;

    let mut persisted = Persisted::default();
    let (state, next_part) = match &manifest {
        None => (State::default(), PartId(0)),
        Some(manifest) => {
            let state = read(directory, options, shared, manifest)?;
            persisted.generation = Some(state.generation);
            persisted.flats = manifest.flats.iter().map(|flat| (flat.id, flat.rows.clone())).collect();
            (state, manifest.next_part)
        }
    };
    Ok(Inner::new(directory, options, shared, state, persisted, next_part))
}

fn read(
    directory: &Path,
    options: &Options,
    shared: &Arc<Shared>,
    manifest: &Manifest,
) -> Result<State, OpenError> {
    if manifest.model != options.model || manifest.dimension != options.dimension {
        return Err(OpenError::OtherModel {
            found: manifest.model.clone(),
            found_dimension: manifest.dimension,
            expected: options.model.clone(),
            expected_dimension: options.dimension,
        });
    }
    let position = Position { epoch: Epoch::kept(&manifest.epoch), revision: Revision(manifest.revision) };
    let mut state = State { position: Some(position), ..State::default() };
    for record in &manifest.graphs {
        let graph = Graph::open(directory, record.clone(), manifest.dimension, &options.tuning)?;
        state.graphs.push(hold(graph, &record.graph, &record.dead)?);
    }
    for record in &manifest.flats {
        let flat = read_flat(directory, record, manifest.dimension, shared)?;
        state.flats.push(hold(flat, &record.rows, &record.dead)?);
    }
    Ok(state)
}

fn hold<P: Part>(part: P, file: &FileRecord, dead: &str) -> Result<Held<P>, Damage> {
    let dead = manifest::decode(dead, part.keys().len()).ok_or_else(|| Damage::Unreadable {
        name: file.name.clone(),
        reason: "other dead rows than rows".to_owned(),
    })?;
    Ok(Held { part: Arc::new(part), dead: Arc::new(dead) })
}

fn read_flat(
    directory: &Path,
    record: &FlatRecord,
    dimension: usize,
    shared: &Arc<Shared>,
) -> Result<Flat, OpenError> {
    let bytes = files::read(directory, &record.rows)??;
    let row_bytes = size_of::<u64>() + dimension * HALF_BYTES;
    let (keys, vectors) = bytes.split_at(bytes.len() / row_bytes * size_of::<u64>());
    let keys: Vec<u64> = keys.as_chunks::<8>().0.iter().map(|key| u64::from_le_bytes(*key)).collect();
    let vectors: Vec<Half> =
        vectors.as_chunks::<HALF_BYTES>().0.iter().map(|bits| Half(u16::from_le_bytes(*bits))).collect();
    if vectors.len() != keys.len() * dimension || !keys.is_sorted_by(|left, right| left < right) {
        let (name, reason) = (record.rows.name.clone(), "no whole rows, or keys that do not rise".to_owned());
        return Err(Damage::Unreadable { name, reason }.into());
    }
    let charge = shared.budget.take_now(Purpose::Waiting, Flat::bytes(keys.len(), dimension));
    Ok(Flat::new(record.id, dimension, keys, vectors, charge))
}

impl From<GraphError> for OpenError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Damaged(damage) => Self::Damaged(damage),
            GraphError::Io(error) => Self::Io(error),
        }
    }
}

/// Removes all files of an index, and nothing else.
pub fn erase(directory: &Path) -> io::Result<()> {
    // First what names the others.
    files::if_there(fs::remove_file(directory.join(manifest::MANIFEST_FILE)))?;
    remove_files(directory, |_| true)
}

fn remove_parts(directory: &Path, condemned: impl Fn(PartId) -> bool) -> io::Result<()> {
    remove_files(directory, |name| {
        let number = name.strip_prefix(PART_PREFIX).and_then(|rest| rest.split('.').next());
        number.and_then(|number| number.parse().ok()).is_some_and(|number| condemned(PartId(number)))
    })
}

fn remove_files(directory: &Path, condemned: impl Fn(&str) -> bool) -> io::Result<()> {
    let Some(entries) = files::if_there(fs::read_dir(directory))? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| is_ours(name) && condemned(name)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    name.starts_with(PART_PREFIX) || name.starts_with(manifest::MANIFEST_FILE)
}
