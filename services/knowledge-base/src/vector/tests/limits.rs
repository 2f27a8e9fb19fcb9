//! Bounds, filters and wrong input.

use super::*;

const DIMENSION: usize = 16;

fn open(directory: &Directory, builders: &Builders, tuning: Tuning) -> VectorIndex {
    let options = Options { tuning, ..small(DIMENSION) };
    VectorIndex::open(directory.path(), &options, builders).unwrap()
}

#[test]
fn wrong_input_is_refused_as_a_whole() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders, Tuning::default());
    let good = vector(1, DIMENSION);
    let refuse = |bad: &[f32]| {
        let error = index.apply(&[(1, &good), (2, bad)], &[], &at(1)).unwrap_err();
        assert_eq!((index.len(), index.position()), (0, None));
        error.code()
    };
    assert_eq!(refuse(&good[1..]), "wrong_dimension");
    assert_eq!(refuse(&[f32::NAN; DIMENSION]), "vector_not_finite");
    let wrong = WrongDimension { found: 3, expected: DIMENSION };
    assert_eq!(index.search(&[1.0; 3], 1, None).unwrap_err(), wrong);
    assert_eq!(index.exact_search(&[1.0; 3], 1, None).unwrap_err(), wrong);
}

#[test]
fn an_empty_index_finds_nothing() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders, Tuning::default());
    let query = vector(1, DIMENSION);
    assert_eq!(index.search(&query, 10, None).unwrap(), []);
    assert_eq!(index.persist().unwrap(), None);
    fill(&index, 0..3, DIMENSION, 1);
    assert_eq!(index.search(&query, 0, None).unwrap(), []);
    index.apply(&[], &[0, 1, 2], &at(2)).unwrap();
    assert_eq!((index.search(&query, 10, None).unwrap(), index.is_empty()), (Vec::new(), true));
}

/// Of 3,000 vectors in graphs: a wide filter is left to the graph, a narrow one is scanned, and in both cases all that
/// were asked for come.
#[test]
fn a_filter_never_costs_results() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders, Tuning { seal_rows: 500, ..Tuning::default() });
    for batch in 0..6 {
        fill(&index, batch * 500..(batch + 1) * 500, DIMENSION, batch + 1);
    }
    assert!(index.wait_until_built(BUILT_WITHIN));
    assert_eq!(index.progress().waiting, 0);
    // Dead rows are between them all the while.
    let dead: Vec<u64> = (0..3000).filter(|key| key % 5 == 0).collect();
    index.apply(&[], &dead, &at(7)).unwrap();

    let query = vector(77_777, DIMENSION);
    for share in [2, 7, 13, 50, 290, 2999] {
        let allowed = move |key: u64| key % share == 1;
        let there = (0..3000).filter(|key| key % 5 != 0 && allowed(*key)).count();
        for limit in [1, 10, 100, 5000] {
            let found = index.search(&query, limit, Some(&allowed)).unwrap();
            assert_eq!(found.len(), limit.min(there), "{limit} of one in {share}");
            assert!(found.iter().all(|(key, _)| key % 5 != 0 && allowed(*key)));
        }
        let found = index.search(&query, 10, Some(&allowed)).unwrap();
        let exact = index.exact_search(&query, 10, Some(&allowed)).unwrap();
        let hits = found.iter().filter(|(key, _)| keys(&exact).contains(key)).count();
        assert!(hits * 10 >= exact.len() * 9, "{hits} of {} for one in {share}", exact.len());
    }
    assert_eq!(index.search(&query, 10, Some(&|_| false)).unwrap(), []);
}

#[test]
fn a_filter_that_panics_harms_nobody_else() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders, Tuning { seal_rows: 500, ..Tuning::default() });
    fill(&index, 0..2000, DIMENSION, 1);
    assert!(index.wait_until_built(BUILT_WITHIN));
    let query = vector(77_777, DIMENSION);
    let best = index.search(&query, 1, None).unwrap()[0].0;
    for _ in 0..2 * SEARCHES_AT_ONCE {
        let search = std::panic::AssertUnwindSafe(|| {
            let picky = |key: u64| if key == best { panic!("not this one") } else { true };
            index.search(&query, 1, Some(&picky))
        });
        assert!(std::panic::catch_unwind(search).is_err());
    }
    assert_eq!(index.search(&query, 1, None).unwrap()[0].0, best);
}

/// The library refuses a search beyond those it has buffers for; more than that come at once here.
#[test]
fn more_searches_than_may_run_at_once_wait_for_each_other() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders, Tuning { seal_rows: 500, ..Tuning::default() });
    fill(&index, 0..2000, DIMENSION, 1);
    assert!(index.wait_until_built(BUILT_WITHIN));
    let state = index.inner.state();
    let query = vector(77_777, DIMENSION);
    let begin = std::sync::Barrier::new(2 * SEARCHES_AT_ONCE);
    std::thread::scope(|scope| {
        for _ in 0..2 * SEARCHES_AT_ONCE {
            scope.spawn(|| {
                begin.wait();
                for _ in 0..50 {
                    let _permit = index.inner.searches.take();
                    assert!(state.graphs[0].part.can_search(&query), "the library refused a search");
                }
            });
        }
    });
}

/// Memory for 400 vectors, and 4,000 come: `apply` waits for graphs, and nothing fails.
#[test]
fn applying_waits_where_memory_is_short() {
    let directory = Directory::new();
    let row_bytes = DIMENSION * 2 + 8;
    let unmapped_bytes_max = 4 * 400 * row_bytes;
    let builders =
        Builders::start(BuildersOptions { threads: 1, unmapped_bytes_max, yields: false }).unwrap();
    // More than fit: memory alone makes it build.
    let index = open(&directory, &builders, Tuning { seal_rows: 100_000, ..Tuning::default() });
    for batch in 0..80 {
        fill(&index, batch * 50..(batch + 1) * 50, DIMENSION, batch + 1);
        let memory = index.memory();
        assert!(memory.waiting_bytes <= 400 * row_bytes, "{memory:?}");
    }
    assert_eq!(index.len(), 4000);
    assert!(index.progress().graphs > 0);
    assert_eq!(index.search(&vector(3999, DIMENSION), 1, None).unwrap()[0].0, 3999);
}

/// Each holds too little to be worth a graph, and together they hold all there is.
#[test]
fn many_small_indexes_share_the_memory() {
    let row_bytes = DIMENSION * 2 + 8;
    let options = BuildersOptions { threads: 1, unmapped_bytes_max: 4 * 200 * row_bytes, yields: false };
    let builders = Builders::start(options).unwrap();
    let directories: Vec<Directory> = (0..10).map(|_| Directory::new()).collect();
    let indexes: Vec<VectorIndex> =
        directories.iter().map(|directory| open(directory, &builders, Tuning::default())).collect();
    for round in 0..4 {
        for index in &indexes {
            fill(index, round * 15..(round + 1) * 15, DIMENSION, round + 1);
        }
    }
    assert!(indexes.iter().all(|index| index.len() == 60));
}

#[test]
fn a_stop_ends_an_apply_that_waits() {
    let directory = Directory::new();
    let builders =
        Builders::start(BuildersOptions { threads: 1, unmapped_bytes_max: 4 * 4000, yields: false }).unwrap();
    let index = open(&directory, &builders, Tuning { seal_rows: 100_000, ..Tuning::default() });
    fill(&index, 0..100, DIMENSION, 1);
    // No graph can be built: where its file would be is a directory.
    for number in 0..100 {
        std::fs::create_dir(directory.path().join(format!("part-{number}.graph.unfinished"))).unwrap();
    }
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let one = vector(7, DIMENSION);
            index.apply(&[(1000, &one)], &[], &at(2))
        });
        index.stop();
        assert_eq!(waiting.join().unwrap(), Err(ApplyError::Stopped));
    });
    // What could not be built is searched as it is.
    assert_eq!(index.search(&vector(42, DIMENSION), 1, None).unwrap()[0].0, 42);
}

/// One by one, as facts come from people.
#[test]
fn rows_that_come_one_by_one_lie_in_few_parts() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders, Tuning { seal_rows: 256, ..Tuning::default() });
    for key in 0..1500 {
        fill(&index, key..key + 1, DIMENSION, key + 1);
    }
    assert!(index.wait_until_built(BUILT_WITHIN));
    let state = index.inner.state();
    let parts = (state.flats.len(), state.graphs.len());
    assert!(parts.0 <= 10 && parts.1 <= 4, "{parts:?}");
    assert_eq!(index.len(), 1500);
}
