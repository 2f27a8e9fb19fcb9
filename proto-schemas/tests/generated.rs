//! The committed Rust of `src/generated/` is what the `.proto` files give. `BYWASH_REGENERATE=1` writes it anew
//! (`make codegen`).

#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost_build::Config;

fn proto_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.join("bywash/v1"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    files.sort();
    files
}

/// File name -> content, as generated from the `.proto` files of `folder`.
fn generate(folder: &Path) -> BTreeMap<String, String> {
    let out = env::temp_dir().join(format!("bywash-generated-{}", std::process::id()));
    fs::create_dir_all(&out).unwrap();
    let descriptors = protox::compile(proto_files(folder), [folder]).unwrap();
    let encoded = prost::Message::encode_to_vec(&descriptors);
    Config::new()
        .out_dir(&out)
        .enable_type_names()
        // For the services' descriptions of their HTTP endpoints.
        .message_attribute(".", "#[derive(utoipa::ToSchema)]")
        .compile_fds(descriptors)
        .unwrap();
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)
        .unwrap()
        .preserve_proto_field_names()
        .emit_fields()
        // A reader takes what a newer publisher adds.
        .ignore_unknown_fields()
        .out_dir(&out)
        .build(&[".bywash"])
        .unwrap();
    let files = fs::read_dir(&out)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    fs::remove_dir_all(&out).unwrap();
    files
}

#[test]
fn the_committed_code_is_what_the_proto_files_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed_folder = root.join("src/generated");
    let generated = generate(&root.join("proto"));
    if env::var_os("BYWASH_REGENERATE").is_some() {
        for (name, content) in &generated {
            fs::write(committed_folder.join(name), content).unwrap();
        }
    }
    let committed: BTreeMap<_, _> = fs::read_dir(&committed_folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(
        committed.keys().collect::<Vec<_>>(),
        generated.keys().collect::<Vec<_>>(),
        "files in src/generated; run `make codegen`"
    );
    for (name, content) in &generated {
        assert!(committed[name] == *content, "{name} is out of date; run `make codegen`");
    }
}
