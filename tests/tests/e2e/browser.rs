//! The console in a real browser: what it shows, and how one signs in.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bywash_tests::platform::{Builder, Platform};
use bywash_tests::process::Process;
use bywash_tests::scratch::{Scratch, project_root};
use bywash_tests::service::Kind;
use serde_json::json;

/// The scripts give up by themselves before, and say at what.
const BROWSER_LIMIT: Duration = Duration::from_secs(150);

/// The platform with its console, each told of the other.
async fn with_console(builder: Builder) -> Platform {
    let console = project_root().join("services/push-gateway/console/dist");
    assert!(console.join("index.html").exists(), "{} is missing; `make test` builds it", console.display());
    let mut platform = builder
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
    platform
}

/// Runs a script of `tests/browser` to its end.
async fn browse(platform: &Platform, script: &str, settings: &[(&str, &str)]) {
    let folder = Scratch::new();
    let mut command = Command::new("node");
    command
        .arg(project_root().join("tests/browser").join(script))
        .env("BYWASH_GATEWAY", platform.url(Kind::PushGateway, "/"))
        .env("BYWASH_KNOWLEDGE_BASE", platform.url(Kind::KnowledgeBase, ""))
        .env("BYWASH_PROFILE", folder.path())
        .envs(settings.iter().copied());
    if let Some(pictures) = std::env::var_os("BYWASH_SCREENSHOTS").map(PathBuf::from) {
        command.env("BYWASH_SCREENSHOTS", pictures);
    }
    let mut process = Process::spawn("the browser", &mut command, &folder.path().join("browser.log"));
    let status = process.ended_within(BROWSER_LIMIT).await;
    assert!(status.success(), "the page does not show what it should ({status}):\n{}", process.output());
}

#[tokio::test]
async fn a_fact_that_is_added_appears_on_the_page() {
    let platform = with_console(Platform::builder()).await;
    browse(&platform, "console.mjs", &[]).await;
}

#[tokio::test]
async fn one_signs_in_with_a_key_or_a_token_until_one_signs_out_or_it_ends() {
    const KEY: &str = "the-key-of-the-browser-test";
    const SECRET: &str = "a browser's secret of more than 32 bytes";
    let folder = Scratch::new();
    let file = folder.path().join("keys.json");
    let keys = json!({"keys": [{"id": "ops", "key": KEY, "roles": ["read", "write"]}]});
    std::fs::write(&file, keys.to_string()).unwrap();
    let builder = Platform::builder()
        .set_all("BYWASH_API_KEYS_FILE", &file.display().to_string())
        .set_all("BYWASH_JWT_SECRET", SECRET)
        .set_all("BYWASH_JWT_LEEWAY_S", "0");
    let platform = with_console(builder).await;
    browse(&platform, "sign-in.mjs", &[("BYWASH_KEY", KEY), ("BYWASH_JWT_SECRET", SECRET)]).await;
}
