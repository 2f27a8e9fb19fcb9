//! The console in a real browser, once.

use std::process::Command;

use bywash_tests::platform::Platform;
use bywash_tests::process::Process;
use bywash_tests::scratch::{Scratch, project_root};
use bywash_tests::service::Kind;

#[tokio::test]
async fn a_fact_that_is_added_appears_on_the_page() {
    let console = project_root().join("services/push-gateway/console/dist");
    assert!(console.join("index.html").exists(), "{} is missing; `make test` builds it", console.display());
    let mut platform = Platform::builder()
        .with(Kind::KnowledgeBase)
        .with(Kind::PushGateway)
        .set(Kind::PushGateway, "BYWASH_CONSOLE_DIR", &console.display().to_string())
        .start()
        .await;
    // Each needs the other's address: the page is told where the API is, and the API which page may call.
    let (page, api) = (platform.url(Kind::PushGateway, ""), platform.url(Kind::KnowledgeBase, ""));
    for (kind, name, value) in
        [(Kind::PushGateway, "BYWASH_KB_URL", api), (Kind::KnowledgeBase, "BYWASH_ALLOWED_ORIGINS", page)]
    {
        let service = platform.service_mut(kind);
        assert!(service.terminate().await.success());
        service.set(name, &value).start().await;
    }
    let folder = Scratch::new();
    let script = project_root().join("tests/browser/console.mjs");
    let mut command = Command::new("node");
    command
        .arg(&script)
        .env("BYWASH_GATEWAY", platform.url(Kind::PushGateway, "/"))
        .env("BYWASH_KNOWLEDGE_BASE", platform.url(Kind::KnowledgeBase, ""))
        .env("BYWASH_PROFILE", folder.path());
    let mut process = Process::spawn("the browser", &mut command, &folder.path().join("browser.log"));
    let status = process.ended().await;
    assert!(status.success(), "the page does not show what it should ({status}):\n{}", process.output());
}
