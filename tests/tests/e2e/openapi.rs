//! `/openapi.json` of every service: whether it is whole, and whether it is true.

use std::collections::BTreeSet;

use bywash_tests::platform::{Builder, Platform, answer};
use bywash_tests::scratch::project_root;
use bywash_tests::service::Kind;
use reqwest::{Method, StatusCode};
use serde_json::Value;

const SERVICES: [Kind; 4] = [Kind::KnowledgeBase, Kind::PushGateway, Kind::Governor, Kind::GpuMonitor];
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];
/// Asked for by every service, so that nothing below is carried out.
const SECRET: &str = "an e2e secret of more than 32 bytes";

async fn platform() -> Platform {
    let builder = SERVICES.into_iter().fold(Platform::builder(), Builder::with);
    builder.set_all("BYWASH_JWT_SECRET", SECRET).start().await
}

async fn document(platform: &Platform, kind: Kind) -> Value {
    let (status, document) = platform.get(kind, "/openapi.json").await;
    assert_eq!(status, StatusCode::OK, "{kind:?}: the document asks for no key: {document}");
    document
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value))
}

/// What the braces of a path name.
fn names_in(path: &str) -> BTreeSet<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

#[tokio::test]
async fn every_method_of_every_documented_path_is_there_and_no_other() {
    let platform = platform().await;
    for kind in SERVICES {
        let document = document(&platform, kind).await;
        for (path, item) in object(&document["paths"]) {
            let url = platform.url(kind, &path.replace(['{', '}'], ""));
            for method in METHODS {
                let is_documented = !item[method.as_str().to_lowercase()].is_null();
                let response = platform.http.request(method.clone(), &url).send().await.unwrap();
                let status = response.status();
                let body: Value = response.json().await.unwrap_or_default();
                let told = format!("{kind:?} {method} {path}: {status} {body}");
                assert_eq!(status != StatusCode::METHOD_NOT_ALLOWED, is_documented, "{told}");
                assert_ne!(body["error"]["code"], "not_found", "{told}");
            }
        }
    }
}

#[tokio::test]
async fn who_may_is_documented_as_it_is_asked() {
    let platform = platform().await;
    for kind in SERVICES {
        let document = document(&platform, kind).await;
        for (path, item) in object(&document["paths"]) {
            for (method, operation) in object(item) {
                let url = platform.url(kind, &path.replace(['{', '}'], ""));
                let method: Method = method.to_uppercase().parse().unwrap();
                let (status, body) = answer(platform.http.request(method.clone(), url)).await;
                let told = format!("{kind:?} {method} {path}: {status} {body}");
                assert_eq!(status == StatusCode::UNAUTHORIZED, operation["security"].is_array(), "{told}");
                let answers = operation["responses"].as_object().unwrap();
                assert!(answers.contains_key(status.as_str()), "not documented: {told}");
            }
        }
    }
}

/// `/api/{a,b}` as `/api/a` and `/api/b`; a name in braces stays.
fn spelled_out(path: &str) -> Vec<String> {
    let list = path.match_indices('{').find_map(|(start, _)| {
        let end = start + path[start..].find('}')?;
        path[start..end].contains(',').then_some((start, end))
    });
    let Some((start, end)) = list else { return vec![path.to_owned()] };
    let choices = path[start + 1..end].split(',');
    choices
        .flat_map(|choice| spelled_out(&format!("{}{choice}{}", &path[..start], &path[end + 1..])))
        .collect()
}

#[tokio::test]
async fn the_page_for_readers_has_the_same_endpoints() {
    let page = std::fs::read_to_string(project_root().join("docs/http-api.md")).unwrap();
    let words = page.split(|letter: char| letter.is_whitespace() || letter == '`' || letter == '?');
    let told: BTreeSet<String> =
        words.filter(|word| word.starts_with('/') && word.len() > 1).flat_map(spelled_out).collect();
    let told: BTreeSet<&str> = told.iter().map(|path| path.trim_end_matches(['/', ',', '.', ';'])).collect();
    let platform = platform().await;
    let mut documented = BTreeSet::new();
    for kind in SERVICES {
        let document = document(&platform, kind).await;
        documented.extend(object(&document["paths"]).map(|(path, _)| path.trim_end_matches('/').to_owned()));
    }
    let documented: BTreeSet<&str> = documented.iter().map(String::as_str).collect();
    let missing: Vec<_> = documented.difference(&told).collect();
    assert!(missing.is_empty(), "not in docs/http-api.md: {missing:?}");
    let is_endpoint = |path: &&&str| path.starts_with("/api") && !path.contains('*');
    let unknown: Vec<_> = told.difference(&documented).filter(is_endpoint).collect();
    assert!(unknown.is_empty(), "no service has {unknown:?}");
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_names_nothing_that_it_does_not_have() {
    let platform = platform().await;
    for kind in SERVICES {
        let document = document(&platform, kind).await;
        assert_eq!(document["openapi"], "3.1.0");
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"").skip(1) {
            let (reference, _) = reference.split_once('"').unwrap();
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{kind:?}: {reference} is not there");
        }
        let mut ids = BTreeSet::new();
        for (path, item) in object(&document["paths"]) {
            for (method, operation) in object(item) {
                let told = format!("{kind:?} {method} {path}");
                assert!(
                    ids.insert(operation["operationId"].as_str().unwrap()),
                    "{told}: the id is not its own"
                );
                assert!(!operation["summary"].as_str().unwrap().is_empty(), "{told}");
                let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
                let in_path = parameters.iter().filter(|one| one["in"] == "path" && one["required"] == true);
                let in_path: BTreeSet<_> = in_path.map(|one| one["name"].as_str().unwrap()).collect();
                assert_eq!(in_path, names_in(path), "{told}");
                let places = parameters.iter().map(|one| (one["in"].as_str(), one["name"].as_str()));
                assert_eq!(places.collect::<BTreeSet<_>>().len(), parameters.len(), "{told}: told twice");
                assert!(operation["responses"].as_object().is_some_and(|all| all.len() > 1), "{told}");
            }
        }
    }
}
