//! Tokens and revocations: what one process learns of NATS, and how soon; what stays while NATS is away.

use std::time::{Duration, Instant, SystemTime};

use async_nats::HeaderMap;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{Platform, answer, set_up};
use bywash_tests::service::{Kind, Service};
use bywash_tests::wait::{DEADLINE, eventually};
use chassis::{ApiError, Auth, CommonConfig, Health, Metrics, Shutdown};
use clap::Parser;
use reqwest::StatusCode;

/// Signs the tokens below.
const SECRET: &str = "an e2e secret of more than 32 bytes";
/// `{"sub":"ada","jti":"issued-1","roles":["read","write"]}`, good until the year 2100.
const ADA: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJqdGkiOiJpc3N1ZWQtMSIsInJvbGVzIjpbInJl\
    YWQiLCJ3cml0ZSJdLCJleHAiOjQxMDI0NDQ4MDB9.rvs9yLfIA03gY5j52d8bJ5QtSRUBcrQJgv-slwwmOLA";
/// `{"sub":"bob","jti":"issued-2","roles":["read"]}`, good until the year 2100.
const BOB: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IiLCJqdGkiOiJpc3N1ZWQtMiIsInJvbGVzIjpbInJl\
    YWQiXSwiZXhwIjo0MTAyNDQ0ODAwfQ.fMcusmMT6Sdj32WZGt8ijHuar2yfYLyo1E8fdOPpbbg";
/// `{"sub":"ada","jti":"issued-3","roles":["read"]}`, good until the year 2020.
const ENDED: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJqdGkiOiJpc3N1ZWQtMyIsInJvbGVzIjpbInJl\
    YWQiXSwiZXhwIjoxNTc3ODM2ODAwfQ.BC-Dvj7EnCEWXEvf6Kllz3Kvrw8GN0QWV9-2DXPua_c";
/// How soon a revocation must be honoured.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);
const COUNT: &str = "/api/facts/count";

/// Status and code of a read of the knowledge base with this token.
async fn read(platform: &Platform, token: &str) -> (u16, String) {
    let url = platform.url(Kind::KnowledgeBase, COUNT);
    let (status, body) = answer(platform.http.get(url).bearer_auth(token)).await;
    (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

/// Waits until that read is answered like this.
async fn reads(platform: &Platform, token: &str, status: u16, code: &str) {
    eventually(&format!("{status} {code}"), || async {
        let seen = read(platform, token).await;
        if seen == (status, code.to_owned()) { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// Waits until the knowledge base knows all revocations.
async fn revocations_known(platform: &Platform) {
    eventually("the revocations are known", || async {
        let (_, body) = platform.get(Kind::KnowledgeBase, "/readyz").await;
        if body["conditions"]["revocations"] == true { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
}

/// Writes a key of the bucket as any client of NATS may.
async fn put(nats: &Nats, key: &str, headers: HeaderMap, value: &'static str) {
    let jetstream = async_nats::jetstream::new(nats.client().await);
    let subject = format!("$KV.REVOKED.{key}");
    let stored = jetstream.publish_with_headers(subject, headers, value.into()).await.unwrap();
    stored.await.expect("the bucket is there");
}

#[tokio::test]
async fn a_token_opens_until_it_ends_or_is_revoked_and_stays_revoked_without_nats() {
    let mut platform =
        Platform::builder().with(Kind::KnowledgeBase).set_all("BYWASH_JWT_SECRET", SECRET).start().await;
    revocations_known(&platform).await;
    assert_eq!(read(&platform, ADA).await, (200, String::new()));
    assert_eq!(read(&platform, BOB).await, (200, String::new()));
    assert_eq!(read(&platform, ENDED).await, (401, "token_expired".to_owned()));
    let forged = format!("{}.{}", ADA.rsplit_once('.').unwrap().0, BOB.rsplit_once('.').unwrap().1);
    assert_eq!(read(&platform, &forged).await, (401, "token_signature".to_owned()));
    let (status, body) = platform.get(Kind::KnowledgeBase, COUNT).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::UNAUTHORIZED, &"missing_key".into()));

    put(&platform.nats, "issued-1", HeaderMap::new(), r#"{"until":null}"#).await;
    let stored = Instant::now();
    reads(&platform, ADA, 401, "token_revoked").await;
    assert!(stored.elapsed() < REVOKED_WITHIN, "{:?}", stored.elapsed());
    assert_eq!(read(&platform, BOB).await, (200, String::new()), "nobody else is");

    let metrics =
        reqwest::get(platform.url(Kind::KnowledgeBase, "/metrics")).await.unwrap().text().await.unwrap();
    for reason in ["token_expired", "token_signature", "missing_key", "token_revoked"] {
        let counted = format!("bywash_auth_refused_total{{reason=\"{reason}\"}} ");
        assert!(metrics.contains(&counted), "no {counted} in {metrics}");
    }

    // NATS goes with its store: what is known stays, also once an empty bucket is read.
    platform.nats.kill();
    eventually("the loss of NATS is seen", || async {
        let (_, body) = platform.get(Kind::KnowledgeBase, "/readyz").await;
        if body["conditions"]["nats"] == false { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
    assert_eq!(read(&platform, ADA).await, (401, "token_revoked".to_owned()));
    platform.nats.wipe();
    platform.nats.restart().await;
    set_up(&platform.nats).await;
    revocations_known(&platform).await;
    assert_eq!(read(&platform, ADA).await, (401, "token_revoked".to_owned()));
    assert_eq!(read(&platform, BOB).await, (200, String::new()));

    // A service that starts now knows what was written before, from its first answer on.
    put(&platform.nats, "issued-2", HeaderMap::new(), "{}").await;
    reads(&platform, BOB, 401, "token_revoked").await;
    let service = platform.service_mut(Kind::KnowledgeBase);
    service.terminate().await;
    service.start().await;
    assert_eq!(read(&platform, BOB).await, (401, "token_revoked".to_owned()));

    // `nats kv del` takes it back.
    let mut deleted = HeaderMap::new();
    deleted.insert("KV-Operation", "DEL");
    put(&platform.nats, "issued-2", deleted, "").await;
    reads(&platform, BOB, 200, "").await;
}

/// Settings of a process that this test stands for.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    common: CommonConfig,
}

/// What one service has of authentication, connected to `nats`; the feed ends with the trigger.
async fn authentication(nats: &Nats) -> (Auth, Health, chassis::shutdown::Trigger) {
    let settings = Settings::parse_from(["x", "--nats-url", &nats.url(), "--jwt-secret", SECRET]).common;
    let (metrics, health, (trigger, shutdown)) = (Metrics::new(), Health::new("x"), Shutdown::manual());
    let (auth, background) = Auth::from_config(&settings, &metrics).unwrap();
    let connection = chassis::Nats::connect("x", &settings, &metrics, &shutdown).await.unwrap();
    background.spawn(&connection, &health, &shutdown);
    eventually("the revocations are known", || async {
        let (_, body) = health.readiness();
        if body.conditions.get("revocations") == Some(&true) { Ok(()) } else { Err(format!("{body:?}")) }
    })
    .await;
    (auth, health, trigger)
}

#[tokio::test]
async fn a_revocation_by_one_service_reaches_the_others_and_ends_at_its_time() {
    let nats = Nats::start().await;
    set_up(&nats).await;
    let (here, _, _here) = authentication(&nats).await;
    let (there, _, _there) = authentication(&nats).await;
    let mut changes = there.revocations().changes();

    let until = SystemTime::now() + Duration::from_secs(2);
    here.revocations().revoke("issued-1", Some(until)).await.unwrap();
    let stored = Instant::now();
    assert_eq!(here.identify(ADA).unwrap_err().code(), "token_revoked", "at once where it was asked for");
    let told = tokio::time::timeout(DEADLINE, changes.recv()).await.expect("it is told").unwrap();
    assert_eq!(&*told, "issued-1");
    assert!(stored.elapsed() < REVOKED_WITHIN, "{:?}", stored.elapsed());
    assert_eq!(there.identify(ADA).unwrap_err().code(), "token_revoked");
    eventually("the revocation ends", || async { there.identify(ADA).map_err(|error| format!("{error:?}")) })
        .await;
    assert!(SystemTime::now() >= until);

    // NATS lets the key go by itself, and leaves a marker.
    let stream = async_nats::jetstream::new(nats.client().await).get_stream("KV_REVOKED").await.unwrap();
    eventually("the key goes", || async {
        let last = stream.get_last_raw_message_by_subject("$KV.REVOKED.issued-1").await;
        let message = last.map_err(|error| error.to_string())?;
        let reason = message.headers.get("Nats-Marker-Reason").map(async_nats::HeaderValue::as_str);
        if reason == Some("MaxAge") { Ok(()) } else { Err(format!("{:?}", message.headers)) }
    })
    .await;

    // For ever is not made shorter.
    here.revocations().revoke("issued-2", None).await.unwrap();
    here.revocations().revoke("issued-2", Some(SystemTime::now() + Duration::from_secs(60))).await.unwrap();
    let last = stream.get_last_raw_message_by_subject("$KV.REVOKED.issued-2").await.unwrap();
    assert_eq!(&last.payload[..], br#"{"until":null}"#);
}

#[tokio::test]
async fn a_revocation_that_cannot_be_stored_says_so() {
    let mut nats = Nats::start().await;
    set_up(&nats).await;
    let (auth, health, _trigger) = authentication(&nats).await;
    let jetstream = async_nats::jetstream::new(nats.client().await);
    let mut config = jetstream.get_stream("KV_REVOKED").await.unwrap().cached_info().config.clone();
    config.max_bytes = 512;
    jetstream.update_stream(&config).await.unwrap();
    let mut refused = None;
    for n in 0..10 {
        if let Err(error) = auth.revocations().revoke(&format!("issued-{n}"), None).await {
            refused = Some(ApiError::from(error));
            break;
        }
    }
    let refused = refused.expect("512 bytes do not hold ten keys");
    assert_eq!((refused.code(), refused.status()), ("revocations_full", StatusCode::INSUFFICIENT_STORAGE));
    assert!(auth.revocations().is_revoked("issued-0"), "what was there stays");

    nats.kill();
    eventually("the loss of NATS is seen", || async {
        let (_, body) = health.readiness();
        if body.conditions.get("revocations") == Some(&false) { Ok(()) } else { Err(format!("{body:?}")) }
    })
    .await;
    let refused = ApiError::from(auth.revocations().revoke("issued-0", None).await.unwrap_err());
    assert_eq!(refused.code(), "revocations_unavailable");
}

#[tokio::test]
async fn settings_that_cannot_check_a_token_end_the_start_with_status_78() {
    for (settings, reason) in [
        (&[("BYWASH_JWT_SECRET", "short")][..], "5 bytes"),
        (&[("BYWASH_JWT_KEY_FILE", "/nowhere.pem")], "cannot be read"),
        (&[("BYWASH_JWT_SECRET", SECRET), ("BYWASH_JWT_KEY_FILE", "/nowhere.pem")], "not several"),
        (&[("BYWASH_JWT_AUDIENCE", "bywash")], "nothing that checks tokens"),
    ] {
        let mut service = Service::new(Kind::GpuMonitor, "nats://127.0.0.1:1");
        for (name, value) in settings {
            service.set(name, value);
        }
        let process = service.spawn();
        let status = process.ended().await;
        let output = process.output();
        assert_eq!(status.code(), Some(78), "{settings:?}: {output}");
        assert!(output.contains(reason) && !output.contains(SECRET), "{settings:?}: {output}");
    }
}
