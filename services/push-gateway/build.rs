//! Lists the protocols: each file or folder in `src/protocols` is one, so that a new one touches no other file.

use std::path::Path;
use std::{env, fs};

fn main() {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src/protocols");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut modules: Vec<(String, String)> = fs::read_dir(&folder)
        .expect("the folder of protocols is part of the source")
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| {
            let name = path.file_stem().expect("it has a name").to_str().expect("names are UTF-8").to_owned();
            let file = if path.is_dir() { path.join("mod.rs") } else { path };
            (name, file.to_str().expect("names are UTF-8").to_owned())
        })
        .collect();
    modules.sort();
    let declared: String =
        modules.iter().map(|(name, file)| format!("#[path = {file:?}] mod {name};\n")).collect();
    let routes: String = modules.iter().map(|(name, _)| format!("{name}::routes, ")).collect();
    let text = format!(
        "{declared}\n/// The endpoints of each.\npub const ROUTES: &[fn() -> chassis::Endpoints<Api>] = &[{routes}];\n"
    );
    let target = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("protocols.rs");
    fs::write(target, text).expect("cargo's folder can be written");
}
