//! Files that are not what was written: never opened, never a crash.

use std::fs;

use super::*;

const DIMENSION: usize = 16;

/// An index with a part of each kind, dead rows in both, closed.
fn closed(directory: &Directory, builders: &Builders) {
    let index = VectorIndex::open(directory.path(), &small(DIMENSION), builders).unwrap();
    fill(&index, 0..100, DIMENSION, 1);
    assert!(index.wait_until_built(BUILT_WITHIN));
    fill(&index, 97..103, DIMENSION, 2);
    index.apply(&[], &[5, 102], &at(3)).unwrap();
    assert_eq!(index.close().unwrap(), Some(at(3)));
}

fn open(directory: &Directory, builders: &Builders) -> Result<VectorIndex, OpenError> {
    VectorIndex::open(directory.path(), &small(DIMENSION), builders)
}

#[test]
fn what_was_persisted_is_there_again() {
    let (directory, builders) = (Directory::new(), builders());
    closed(&directory, &builders);
    let index = open(&directory, &builders).unwrap();
    assert_eq!((index.len(), index.position()), (101, Some(at(3))));
    assert!(!index.contains(5) && !index.contains(102) && index.contains(98) && index.contains(101));
    let memory = index.memory();
    assert!(memory.mapped_bytes > 0 && memory.waiting_bytes > 0 && memory.table_bytes > 0, "{memory:?}");
}

#[test]
fn any_byte_of_any_file_that_differs_is_damage() {
    let (pristine, builders) = (Directory::new(), builders());
    closed(&pristine, &builders);
    let names = pristine.files();
    assert_eq!(names.len(), 4, "{names:?}");

    for name in &names {
        let whole = fs::read(pristine.path().join(name)).unwrap();
        let flip = |place: usize| {
            let mut bytes = whole.clone();
            bytes[place] ^= 4;
            bytes
        };
        let step = whole.len().div_ceil(40);
        let mut cases: Vec<(String, Vec<u8>)> = (0..whole.len())
            .step_by(step)
            .map(|place| (format!("byte {place} flipped"), flip(place)))
            .collect();
        cases.push(("last byte flipped".into(), flip(whole.len() - 1)));
        cases.push(("last byte lost".into(), whole[..whole.len() - 1].to_vec()));
        cases.push(("half lost".into(), whole[..whole.len() / 2].to_vec()));
        cases.push(("all lost".into(), Vec::new()));
        cases.push(("a byte more".into(), [&whole[..], b"}"].concat()));
        for (case, bytes) in cases {
            fs::write(pristine.path().join(name), bytes).unwrap();
            match open(&pristine, &builders) {
                Err(OpenError::Damaged(_)) => {}
                other => panic!("{name}, {case}: {other:?}"),
            }
        }
        fs::write(pristine.path().join(name), whole).unwrap();
    }
    assert_eq!(open(&pristine, &builders).unwrap().len(), 101);
}

#[test]
fn a_part_that_is_missing_is_damage_and_without_a_manifest_the_index_is_empty() {
    let builders = builders();
    for what in [".graph", ".keys", ".flat", "manifest.json"] {
        let directory = Directory::new();
        closed(&directory, &builders);
        let name = directory.files().into_iter().find(|name| name.ends_with(what)).unwrap();
        fs::remove_file(directory.path().join(&name)).unwrap();
        if what == "manifest.json" {
            let index = open(&directory, &builders).unwrap();
            assert_eq!((index.len(), index.position()), (0, None));
            assert_eq!(directory.files(), Vec::<String>::new(), "parts without a manifest stay behind");
        } else {
            let error = open(&directory, &builders).unwrap_err();
            assert_eq!(
                (error.code(), error.to_string().as_str()),
                ("index_file_missing", "the vector index is damaged")
            );
        }
    }
}

#[test]
fn every_way_to_be_unusable_has_its_code() {
    let (directory, builders) = (Directory::new(), builders());
    closed(&directory, &builders);
    let code =
        |options: &Options| VectorIndex::open(directory.path(), options, &builders).unwrap_err().code();
    assert_eq!(code(&Options { model: "another".into(), ..small(DIMENSION) }), "index_of_other_model");
    assert_eq!(code(&small(DIMENSION + 1)), "index_of_other_model");

    let edit = |name: &str, from: &str, to: &str| {
        let path = directory.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let code = code(&small(DIMENSION));
        fs::write(&path, text).unwrap();
        code
    };
    assert_eq!(edit("manifest.json", "\"version\":1", "\"version\":2"), "index_file_version");
    assert_eq!(edit("manifest.json", "\"revision\":3", "\"revision\":4"), "index_file_checksum");
    assert_eq!(edit("manifest.json", "{", "["), "index_file_unreadable");

    let keys = directory.files().into_iter().find(|name| name.ends_with(".keys")).unwrap();
    let path = directory.path().join(&keys);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[8..]).unwrap();
    assert_eq!(code(&small(DIMENSION)), "index_file_length");
    fs::write(&path, whole).unwrap();

    let file = directory.path().join("no-directory");
    fs::write(&file, "").unwrap();
    let error = VectorIndex::open(&file, &small(DIMENSION), &builders).unwrap_err();
    assert_eq!(error.code(), "index_directory");
}

#[test]
fn an_erased_index_leaves_nothing_behind_and_can_be_built_again() {
    let (directory, builders) = (Directory::new(), builders());
    closed(&directory, &builders);
    fs::write(directory.path().join("somebody-elses"), "").unwrap();
    VectorIndex::erase(directory.path()).unwrap();
    assert_eq!(directory.files(), ["somebody-elses"]);
    let index = open(&directory, &builders).unwrap();
    assert_eq!((index.len(), index.position()), (0, None));
}

/// The files of a process that ended while it built.
#[test]
fn what_no_manifest_names_is_removed() {
    let (directory, builders) = (Directory::new(), builders());
    closed(&directory, &builders);
    let before = directory.files();
    for name in ["part-900.graph", "part-901.graph.unfinished", "manifest.json.unfinished"] {
        fs::write(directory.path().join(name), "half a fi").unwrap();
    }
    drop(open(&directory, &builders).unwrap());
    assert_eq!(directory.files(), before);
}

#[test]
fn only_the_files_of_the_persisted_state_stay() {
    let (directory, builders) = (Directory::new(), builders());
    let index = open(&directory, &builders).unwrap();
    for round in 0..20 {
        fill(&index, round * 10..round * 10 + 12, DIMENSION, round + 1);
        index.persist().unwrap();
    }
    assert!(index.wait_until_built(BUILT_WITHIN));
    index.persist().unwrap();
    let graphs = index.progress().graphs;
    let files = directory.files();
    let of = |what: &str| files.iter().filter(|name| name.ends_with(what)).count();
    assert_eq!((of(".graph"), of(".keys"), of(".unfinished")), (graphs, graphs, 0), "{files:?}");
    assert!(of(".flat") <= 4, "{files:?}");
}
