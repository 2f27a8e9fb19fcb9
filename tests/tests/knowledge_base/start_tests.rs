//! What keeps the knowledge base from starting: one line with the next step, and an exit status.

use bywash_tests::service::{Kind, Service};

fn service() -> Service {
    Service::new(Kind::KnowledgeBase, "nats://127.0.0.1:9")
}

/// Starts a process that must end by itself and returns its status and the last line it printed.
async fn refused(service: &mut Service) -> (Option<i32>, String) {
    let status = service.spawn().ended().await;
    let output = service.process().output();
    let last = output.lines().last().unwrap_or_default().to_owned();
    (status.code(), last)
}

#[tokio::test]
async fn a_taken_port_is_one_line_and_status_69() {
    let mut first = service();
    first.start().await;
    let mut second = service();
    second.set("BYWASH_HTTP_ADDR", &first.addr().to_string());
    let (code, line) = refused(&mut second).await;
    assert_eq!(code, Some(69), "{line}");
    assert!(line.contains("cannot listen") && line.contains("--http-addr"), "{line}");
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused() {
    let mut first = service();
    first.start().await;
    let mut second = service();
    second.set("BYWASH_DATA_DIR", &first.data().display().to_string());
    let (code, line) = refused(&mut second).await;
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("in use by another process") && line.contains("--data-dir"), "{line}");
}

#[tokio::test]
async fn a_damaged_store_is_refused_with_what_to_do() {
    let mut damaged = service();
    std::fs::create_dir_all(damaged.data()).expect("a scratch folder can be written");
    std::fs::write(damaged.data().join("facts.sqlite"), [0x5A; 8192])
        .expect("a scratch folder can be written");
    let (code, line) = refused(&mut damaged).await;
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("facts.sqlite") && line.contains("backup"), "{line}");
}

#[tokio::test]
async fn a_public_address_without_keys_is_refused() {
    let mut open = service();
    open.set("BYWASH_HTTP_ADDR", "0.0.0.0:0");
    let (code, line) = refused(&mut open).await;
    assert_eq!(code, Some(78), "{line}");
    assert!(line.contains("--api-keys-file") && line.contains("--insecure-open"), "{line}");
}
