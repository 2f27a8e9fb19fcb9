//! A part with a graph (HNSW): a file that is mapped into memory, so that the kernel may take its pages back, and the
//! keys of its rows. The library knows rows only, numbered from 0.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Mutex;

use usearch::{Index, IndexOptions, MetricKind, ScalarKind, f16};

use super::files::{self, Damage};
use super::half::{self, HALF_BYTES, Half, Query};
use super::manifest::GraphRecord;
use super::part::{Allowed, Dead, Part, PartId, Unreadable};
use super::ranking::Ranking;

/// Searches under way at once in one index; more wait for one to end. The library keeps buffers for each in every
/// part, some 100 KiB once used; a search is all work and no waiting, so more than there are cores gain nothing.
pub const SEARCHES_AT_ONCE: usize = 16;

/// From this share of a part's rows on (1/8) an exact search costs no more than the graph, and misses nothing.
const EXACT_LIMIT_SHARE: usize = 8;

/// Below this share of allowed rows (1/16) the graph is left for a scan of those allowed: it would be walked far and
/// wide for the few.
const NARROW_SHARE: usize = 16;

/// Rows asked for their share of allowed ones: enough to tell 1/16 from much less and much more.
const NARROW_SAMPLE: usize = 512;

/// Most results that the library's exact search is asked for: it keeps them sorted, and moves them at each insertion.
const LIBRARY_EXACT_MAX: usize = 1_000;

/// How graphs are built and searched. See `docs/decisions/016-vector-index.md` for the figures behind the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Neighbours of a row in the graph; twice as many on its lowest level.
    pub connectivity: usize,
    /// Candidates kept while a row is linked.
    pub expansion_add: usize,
    /// Candidates kept while a part is searched.
    pub expansion_search: usize,
    /// Vectors from which a graph is built of them; fewer are scanned.
    pub seal_rows: usize,
}

/// A scan of 4,096 vectors takes a few tenths of a millisecond, no more than a walk through a graph, and keeps parts few.
impl Default for Tuning {
    fn default() -> Self {
        Self { connectivity: 32, expansion_add: 128, expansion_search: 192, seal_rows: 4096 }
    }
}

impl Tuning {
    /// An index of the library without rows.
    ///
    /// # Errors
    /// The library's word, when it cannot have its first bytes.
    pub fn index(&self, dimension: usize) -> Result<Index, String> {
        let options = IndexOptions {
            dimensions: dimension,
            metric: MetricKind::IP,
            quantization: ScalarKind::F16,
            connectivity: self.connectivity,
            expansion_add: self.expansion_add,
            expansion_search: self.expansion_search,
            multi: false,
        };
        Index::new(&options).map_err(|error| error.to_string())
    }

    /// Bytes that a graph of `rows` takes while it is built: a vector, its links, the library's tables, all of them in
    /// buffers that grow by doubling.
    pub fn building_bytes(&self, rows: usize, dimension: usize) -> usize {
        /// A row's head, its higher levels, its place, and its slot of a hash table.
        const TABLES_BYTES: usize = 64;
        let links = 2 * self.connectivity * size_of::<u32>();
        2 * rows * (dimension * HALF_BYTES + links + TABLES_BYTES)
    }
}

/// A mapped graph and its keys.
pub struct Graph {
    record: GraphRecord,
    dimension: usize,
    keys: Vec<u64>,
    index: Index,
}

impl fmt::Debug for Graph {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Graph")
            .field("id", &self.record.id)
            .field("rows", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// Why a graph cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// The files are not those that were recorded.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The system's word.
    #[error("a part cannot be read")]
    Io(#[from] std::io::Error),
}

impl Graph {
    /// Maps the files of `record`, once they are seen to be those that were written: what is mapped is trusted by the
    /// library, byte for byte.
    pub fn open(
        directory: &Path,
        record: GraphRecord,
        dimension: usize,
        tuning: &Tuning,
    ) -> Result<Self, GraphError> {
        files::verify(directory, &record.graph)??;
        let keys = files::read(directory, &record.keys)??;
        let (keys, rest) = keys.as_chunks::<8>();
        let keys: Vec<u64> = keys.iter().map(|key| u64::from_le_bytes(*key)).collect();
        let unreadable = |record: &files::FileRecord, reason: String| {
            GraphError::Damaged(Damage::Unreadable { name: record.name.clone(), reason })
        };
        if !rest.is_empty() || !keys.is_sorted_by(|left, right| left < right) {
            return Err(unreadable(&record.keys, "keys that do not rise".to_owned()));
        }
        let index = Self::map(&directory.join(&record.graph.name), dimension, tuning)
            .map_err(|reason| unreadable(&record.graph, reason))?;
        if index.size() != keys.len() || index.dimensions() != dimension {
            let reason = format!("{} rows of {} for {} keys", index.size(), index.dimensions(), keys.len());
            return Err(unreadable(&record.graph, reason));
        }
        Ok(Self { record, dimension, keys, index })
    }

    fn map(path: &Path, dimension: usize, tuning: &Tuning) -> Result<Index, String> {
        let index = tuning.index(dimension)?;
        index.reserve_capacity_and_threads(0, SEARCHES_AT_ONCE).map_err(|error| error.to_string())?;
        index.view(utf8(path)?).map_err(|error| error.to_string())?;
        Ok(index)
    }

    /// Its files.
    pub fn record(&self) -> &GraphRecord {
        &self.record
    }

    /// Bytes mapped from its file.
    pub fn mapped_bytes(&self) -> u64 {
        self.record.graph.length_bytes
    }

    /// Bytes that it keeps beside the mapping: keys, and the library's tables from rows to places.
    pub fn table_bytes(&self) -> usize {
        /// A pointer to the links, one to the vector, and a slot of a hash table that is two thirds full.
        const LIBRARY_BYTES: usize = 8 + 8 + 24;
        self.keys.len() * (size_of::<u64>() + LIBRARY_BYTES)
    }

    /// Ranks the best `limit` of the live and allowed rows. Approximate where that is cheaper, and exact otherwise; at
    /// least `limit` rows where that many are live and allowed.
    pub fn rank(
        &self,
        query: &Query<'_>,
        limit: usize,
        dead: &Dead,
        allowed: Allowed<'_>,
        ranking: &mut Ranking,
    ) {
        let live = self.keys.len() - dead.count();
        if live == 0 {
            return;
        }
        if limit >= live / EXACT_LIMIT_SHARE || allowed.is_some_and(|allowed| self.is_narrow(allowed)) {
            return self.rank_all(query, dead, allowed, ranking);
        }
        let found = match (allowed, dead.count()) {
            (None, 0) => self.index.search(query.full, limit),
            (None, _) => self.index.filtered_search(query.full, limit, |row| !dead.contains(place(row))),
            (Some(allowed), _) => contain_panics(|panics| {
                self.index.filtered_search(query.full, limit, |row| {
                    let row = place(row);
                    !dead.contains(row) && panics.guard(|| allowed(self.keys[row]))
                })
            }),
        };
        match found {
            Ok(found) if found.keys.len() == limit => {
                for (row, distance) in found.keys.into_iter().zip(found.distances) {
                    ranking.push(self.keys[place(row)], 1.0 - distance);
                }
            }
            // Fewer than there are: what is left cannot be reached from where the walk began.
            Ok(_) => self.rank_all(query, dead, allowed, ranking),
            Err(error) => {
                tracing::error!(%error, "a graph cannot be searched; its vectors are scanned instead");
                self.rank_all(query, dead, allowed, ranking);
            }
        }
    }

    /// Whether the library answers at all.
    #[cfg(test)]
    pub fn can_search(&self, query: &[f32]) -> bool {
        self.index.search(query, 1).is_ok()
    }

    /// Whether few of the rows are allowed, by a sample of them.
    fn is_narrow(&self, allowed: &dyn Fn(u64) -> bool) -> bool {
        let step = self.keys.len().div_ceil(NARROW_SAMPLE);
        let (mut asked, mut hits) = (0, 0);
        for &key in self.keys.iter().step_by(step) {
            asked += 1;
            hits += usize::from(allowed(key));
        }
        hits * NARROW_SHARE < asked
    }

    /// The library's own scan, which is several times as fast; `false` when it is not for this question.
    fn rank_all_at_once(&self, query: &Query<'_>, dead: &Dead, ranking: &mut Ranking) -> bool {
        let wanted = ranking.limit().saturating_add(dead.count());
        if wanted > LIBRARY_EXACT_MAX {
            return false;
        }
        let Ok(found) = self.index.exact_search(query.full, wanted) else {
            return false;
        };
        for (row, distance) in found.keys.into_iter().zip(found.distances) {
            let row = place(row);
            if !dead.contains(row) {
                ranking.push(self.keys[row], 1.0 - distance);
            }
        }
        true
    }
}

impl Part for Graph {
    fn id(&self) -> PartId {
        self.record.id
    }

    fn keys(&self) -> &[u64] {
        &self.keys
    }

    fn read(&self, row: usize, to: &mut [f32]) -> Result<(), Unreadable> {
        match self.index.get(row as u64, to) {
            Ok(1) => Ok(()),
            Ok(_) => Err(Unreadable(format!("row {row} is not there"))),
            Err(error) => Err(Unreadable(error.to_string())),
        }
    }

    fn rank_all(&self, query: &Query<'_>, dead: &Dead, allowed: Allowed<'_>, ranking: &mut Ranking) {
        if allowed.is_none() && self.rank_all_at_once(query, dead, ranking) {
            return;
        }
        let mut read = f16::from_i16s(&vec![0; self.dimension]).to_vec();
        let mut vector = vec![Half::default(); self.dimension];
        for (row, &key) in self.keys.iter().enumerate() {
            if dead.contains(row) || !allowed.is_none_or(|allowed| allowed(key)) {
                continue;
            }
            if !matches!(self.index.get(row as u64, &mut read), Ok(1)) {
                tracing::error!(row, part = self.record.id.0, "a vector of a part cannot be read");
                continue;
            }
            for (to, bits) in vector.iter_mut().zip(f16::to_i16s(&read)) {
                *to = Half(bits.cast_unsigned());
            }
            ranking.push(key, half::dot(&query.half, &vector));
        }
    }
}

/// The library's key is our row.
#[allow(clippy::cast_possible_truncation, reason = "it was a row's number when the part was built")]
fn place(row: u64) -> usize {
    row as usize
}

/// The library takes paths as text.
pub fn utf8(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
}

/// Keeps panics of a filter from crossing the library, which would end the process; they go on behind it.
struct Panics(Mutex<Option<Box<dyn std::any::Any + Send>>>);

impl Panics {
    fn guard(&self, filter: impl FnOnce() -> bool) -> bool {
        catch_unwind(AssertUnwindSafe(filter)).unwrap_or_else(|panic| {
            *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(panic);
            false
        })
    }
}

fn contain_panics<T>(search: impl FnOnce(&Panics) -> T) -> T {
    let panics = Panics(Mutex::new(None));
    let found = search(&panics);
    match panics.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(panic) => resume_unwind(panic),
        None => found,
    }
}
