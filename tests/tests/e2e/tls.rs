//! TLS of the services' own port: both versions of HTTP, WebSockets, and what goes wrong. `http2` has what is HTTP/2's.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use bywash_tests::nats::Nats;
use bywash_tests::platform::{answer, set_up};
use bywash_tests::service::{Kind, Service, value_of};
use bywash_tests::tls::{Certificate, Files, HTTP1, HTTP2, get, post, stream, text};
use bywash_tests::wait::{DEADLINE, eventually};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

const ALL: [Kind; 4] = [Kind::KnowledgeBase, Kind::Governor, Kind::GpuMonitor, Kind::PushGateway];
/// Handshakes are cut after 10 s.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(60);
/// Values that fill every buffer between the gateway and a client that does not read, and their size.
const FLOOD_VALUES: u64 = 160;
pub(super) const VALUE_SIZE_BYTES: usize = 60 * 1024;

/// A gateway that speaks TLS, ready, on a NATS of its own.
pub(super) struct Secure {
    gateway: Service,
    pub(super) certificate: Certificate,
    files: Files,
    _nats: Nats,
}

impl Secure {
    pub(super) async fn start() -> Self {
        let nats = Nats::start().await;
        set_up(&nats).await;
        let certificate = Certificate::new();
        let files = Files::new(&certificate);
        let mut gateway = with_files(Kind::PushGateway, &nats.url(), &files);
        gateway.set("BYWASH_TLS_RELOAD_INTERVAL_S", "1");
        gateway.listen().await;
        let secure = Self { gateway, certificate, files, _nats: nats };
        eventually("the gateway is ready", || async {
            let (status, body) = secure.get("/readyz").await;
            if status == 200 { Ok(()) } else { Err(body) }
        })
        .await;
        secure
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.gateway.addr()
    }

    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        let (status, body) = self.certificate.get(self.addr(), path).await.unwrap();
        (status.as_u16(), body)
    }

    pub(super) async fn metric(&self, series: &str) -> f64 {
        value_of(&self.get("/metrics").await.1, series)
    }

    /// Waits until a counter has reached `count`.
    pub(super) async fn counted(&self, series: &str, count: f64) {
        eventually(&format!("{series} is {count}"), || async {
            let seen = self.metric(series).await;
            if seen >= count { Ok(()) } else { Err(seen.to_string()) }
        })
        .await;
    }

    /// What `/debug/clients` says.
    pub(super) async fn clients(&self) -> Value {
        serde_json::from_str(&self.get("/debug/clients").await.1).unwrap()
    }

    /// Waits until there are so many clients.
    pub(super) async fn has_clients(&self, count: usize) {
        eventually(&format!("{count} clients"), || async {
            let clients = self.clients().await;
            if clients["total"] == json!(count) { Ok(()) } else { Err(clients.to_string()) }
        })
        .await;
    }

    /// A WebSocket at `path`.
    pub(super) async fn websocket(&self, path: &str) -> WebSocketStream<TlsStream<TcpStream>> {
        let socket = self.certificate.connect(self.addr(), HTTP1).await.unwrap();
        let (websocket, _) = client_async(format!("wss://localhost{path}"), socket).await.unwrap();
        websocket
    }
}

/// A service that reads its certificate from these files; not started.
fn with_files(kind: Kind, nats_url: &str, files: &Files) -> Service {
    let mut service = Service::new(kind, nats_url);
    service.set("BYWASH_TLS_CERT_FILE", &files.certificate().display().to_string());
    service.set("BYWASH_TLS_KEY_FILE", &files.key().display().to_string());
    service
}

/// Publishes a value over HTTP/2; its sequence.
pub(super) async fn publish(connection: &mut SendRequest<Full<Bytes>>, topic: &str, data: &Value) -> u64 {
    let request = post("/api/publish", &json!({"topic": topic, "data": data}));
    let (status, body) = text(connection.send_request(request).await.unwrap()).await.unwrap();
    assert_eq!(status, 201, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["seq"].as_u64().unwrap()
}

async fn next_json(websocket: &mut WebSocketStream<TlsStream<TcpStream>>) -> Value {
    loop {
        let message = tokio::time::timeout(DEADLINE, websocket.next()).await.expect("a message");
        if let Message::Text(text) = message.expect("the connection stays").unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn every_service_speaks_https_in_both_versions_of_http() {
    let certificate = Certificate::new();
    let files = Files::new(&certificate);
    for kind in ALL {
        // Health asks nothing of NATS.
        let mut service = with_files(kind, "nats://127.0.0.1:1", &files);
        service.listen().await;
        let (status, body) = certificate.get(service.addr(), "/health").await.unwrap();
        assert_eq!(status, 200, "{kind:?}: {body}");
        let mut http2 = certificate.http2(service.addr()).await.unwrap();
        let (status, second) = text(http2.send_request(get("/health")).await.unwrap()).await.unwrap();
        assert_eq!(status, 200, "{kind:?}: {second}");
        // A client that names no version gets HTTP/1.1, and a stranger's certificate is not taken for this one.
        let mut bare = certificate.connect(service.addr(), &[]).await.unwrap();
        bare.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        bare.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{kind:?}: {answer}");
        let stranger = Certificate::new().connect(service.addr(), HTTP1).await;
        assert!(stranger.is_err(), "{kind:?}: the test trusts one certificate alone");
        let log = service.process().output();
        assert!(log.contains("\"tls\":true"), "{kind:?} says so at start: {log}");
    }
}

#[tokio::test]
async fn websockets_of_every_protocol_work_over_tls_and_end_with_a_close() {
    let secure = Secure::start().await;
    let mut ws = secure.websocket("/ws").await;
    assert_eq!(next_json(&mut ws).await["type"], "system_message");
    ws.send(Message::text(r#"{"type":"echo","payload":"through","message_id":"m"}"#)).await.unwrap();
    assert_eq!(next_json(&mut ws).await["payload"], "through");
    let mut centrifugo = secure.websocket("/connection/websocket").await;
    centrifugo.send(Message::text(r#"{"id":1,"connect":{}}"#)).await.unwrap();
    assert!(next_json(&mut centrifugo).await["connect"]["client"].is_string());
    centrifugo.send(Message::text(r#"{"id":2,"subscribe":{"channel":"app.x"}}"#)).await.unwrap();
    assert_eq!(next_json(&mut centrifugo).await["id"], 2);
    let mut themis = secure.websocket("/api/v3/ws/search").await;
    themis.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();
    assert_eq!(next_json(&mut themis).await["type"], "pong");
    secure.has_clients(3).await;

    let mut connection = secure.certificate.http2(secure.addr()).await.unwrap();
    publish(&mut connection, "app.x", &json!("told")).await;
    assert_eq!(next_json(&mut centrifugo).await["push"]["pub"]["data"], "told");

    ws.close(None).await.unwrap();
    let last = tokio::time::timeout(DEADLINE, ws.next()).await.expect("the close is answered");
    assert!(matches!(last, Some(Ok(Message::Close(_))) | None), "{last:?}");
    // One that goes without a word is gone as well.
    drop((centrifugo, themis));
    secure.has_clients(0).await;
}

#[tokio::test]
async fn a_client_of_tls_gets_a_ticket_for_tls_alone_and_is_told_the_port_of_https() {
    let secure = Secure::start().await;
    let ask = || post("/api/events/ticket", &Value::Null);
    let mut http1 = secure.certificate.http1(secure.addr()).await.unwrap();
    let mut http2 = secure.certificate.http2(secure.addr()).await.unwrap();
    let answers = [http1.send_request(ask()).await.unwrap(), http2.send_request(ask()).await.unwrap()];
    for answer in answers {
        assert_eq!(answer.status(), 201, "{answer:?}");
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
        let is_secure = |cookie: &&HeaderValue| cookie.to_str().unwrap().ends_with("; Secure");
        assert!(cookies.len() == 2 && cookies.iter().all(is_secure), "{cookies:?}");
    }
    let mut ws = secure.websocket("/socket.io/?EIO=4&transport=websocket").await;
    ws.send(Message::text("40")).await.unwrap();
    let mut told = String::new();
    while !told.contains("connection_status") {
        let message = tokio::time::timeout(DEADLINE, ws.next()).await.expect("its status").unwrap().unwrap();
        told = message.to_text().unwrap().to_owned();
    }
    assert!(told.contains("\"port\":443"), "its address names no port: {told}");
}

#[tokio::test]
async fn a_socketio_client_moves_from_polling_to_websocket_over_tls() {
    let secure = Secure::start().await;
    let polling = "/socket.io/?EIO=4&transport=polling";
    let (_, open) = secure.get(polling).await;
    let told: Value = serde_json::from_str(open.trim_start_matches('0')).unwrap();
    let sid = told["sid"].as_str().unwrap();
    let mut sender = secure.certificate.http1(secure.addr()).await.unwrap();
    let mut join = post(&format!("{polling}&sid={sid}"), &Value::Null);
    *join.body_mut() = Full::from("40");
    let (status, _) = text(sender.send_request(join).await.unwrap()).await.unwrap();
    assert_eq!(status, 200);

    let mut ws = secure.websocket(&format!("/socket.io/?EIO=4&transport=websocket&sid={sid}")).await;
    ws.send(Message::text("2probe")).await.unwrap();
    let probed = ws.next().await.unwrap().unwrap();
    assert_eq!(probed, Message::text("3probe"));
    ws.send(Message::text("5")).await.unwrap();
    // What was on its way by polling comes first.
    let joined = tokio::time::timeout(DEADLINE, ws.next()).await.expect("it goes on").unwrap().unwrap();
    assert!(joined.to_text().unwrap().starts_with("40{"), "{joined:?}");
    ws.send(Message::text(r#"42["get_status"]"#)).await.unwrap();
    let mut told = String::new();
    while !told.contains("system_status") {
        let message = tokio::time::timeout(DEADLINE, ws.next()).await.expect("an answer").unwrap().unwrap();
        told = message.to_text().unwrap().to_owned();
    }
    secure.has_clients(1).await;
}

#[tokio::test]
async fn a_client_of_tls_that_does_not_read_fills_bounded_buffers_and_delays_nobody() {
    let secure = Secure::start().await;
    let mut connection = secure.certificate.http2(secure.addr()).await.unwrap();
    let reader = stream(connection.send_request(get("/api/events/stream?topics=app.flood")).await.unwrap());
    reader.named("ready").await;
    // One of each version; neither is read from after its head.
    let mut http1 = secure.certificate.connect(secure.addr(), HTTP1).await.unwrap();
    http1.write_all(b"GET /api/stream?topics=app.flood HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut second = secure.certificate.http2(secure.addr()).await.unwrap();
    let http2 = second.send_request(get("/api/stream?topics=app.flood")).await.unwrap();
    secure.has_clients(3).await;
    let mut last = 0;
    let data = json!("x".repeat(VALUE_SIZE_BYTES));
    for _ in 0..FLOOD_VALUES {
        last = publish(&mut connection, "app.flood", &data).await;
    }
    reader.with_sequence("app.flood", last).await;
    assert_eq!(reader.sequences("app.flood").len() as u64, FLOOD_VALUES, "the one that reads has all");
    eventually("both that do not read are behind", || async {
        let clients = secure.clients().await;
        if clients["blocked"] == 2 { Ok(()) } else { Err(clients.to_string()) }
    })
    .await;
    drop((http1, http2, second));
    secure.has_clients(1).await;
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_told_in_its_own_words() {
    let secure = Secure::start().await;
    let url = |path: &str| format!("http://{}{path}", secure.addr());
    let http = reqwest::Client::new();
    for path in ["/health", "/api/events/stream", "/ws"] {
        let (status, body) = answer(http.get(url(path))).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("tls_required")), "{body}");
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("https://") && message.contains("wss://"), "{body}");
    }
    // With a body that nobody reads, the answer arrives all the same.
    let (status, body) = answer(http.post(url("/api/publish")).body(vec![b' '; 1024 * 1024])).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("tls_required")), "{body}");
    secure.counted("bywash_http_tls_handshakes_total{outcome=\"not_tls\"}", 4.0).await;
}

#[tokio::test]
async fn a_handshake_that_is_slow_broken_or_of_no_known_version_is_cut_and_counted() {
    let secure = Secure::start().await;
    let outcome = |outcome| format!("bywash_http_tls_handshakes_total{{outcome=\"{outcome}\"}}");
    // The first bytes of a handshake, of which the rest never comes; and nothing at all.
    let mut half = TcpStream::connect(secure.addr()).await.unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    let silent = TcpStream::connect(secure.addr()).await.unwrap();

    let mut garbage = TcpStream::connect(secure.addr()).await.unwrap();
    garbage.write_all(&[0x16, 3, 1, 0, 5, b'h', b'e', b'l', b'l', b'o']).await.unwrap();
    let mut rest = Vec::new();
    // An alert, or a reset: either is an end.
    let ended = tokio::time::timeout(DEADLINE, garbage.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "garbage ends at once");
    let unknown = secure.certificate.connect(secure.addr(), &[b"spdy/3"]).await;
    assert!(unknown.is_err(), "no version in common");
    secure.counted(&outcome("failed"), 2.0).await;

    for (what, mut socket) in [("half a handshake", half), ("silence", silent)] {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(HANDSHAKE_DEADLINE, socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{what} is still waited for after {HANDSHAKE_DEADLINE:?}");
    }
    secure.counted(&outcome("timeout"), 2.0).await;
    let (status, _) = secure.get("/api/profile").await;
    assert_eq!(status, 200, "others are served meanwhile and after");
}

#[tokio::test]
async fn a_changed_certificate_is_taken_without_a_restart_and_a_broken_one_leaves_the_one_before() {
    let mut secure = Secure::start().await;
    let mut connection = secure.certificate.http2(secure.addr()).await.unwrap();
    let old = stream(connection.send_request(get("/api/events/stream?topics=app.x")).await.unwrap());
    old.named("ready").await;
    let second = Certificate::new();
    secure.files.put(&second);
    eventually("new connections get the new certificate", || async {
        let socket = second.connect(secure.addr(), HTTP2).await.map_err(|error| error.to_string())?;
        let shown = socket.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
        if shown == [second.der().clone()] { Ok(()) } else { Err("another one".to_owned()) }
    })
    .await;
    assert!(secure.certificate.connect(secure.addr(), HTTP1).await.is_err(), "the old one is gone");
    let seq = publish(&mut connection, "app.x", &json!(1)).await;
    old.with_sequence("app.x", seq).await;
    secure.certificate = second;

    let reloads = |outcome| format!("bywash_http_tls_reloads_total{{outcome=\"{outcome}\"}}");
    type Change = fn(&Files);
    let broken: [(&str, Change); 3] = [
        ("no PEM", |files| files.put_text("no PEM", "no PEM")),
        ("a key of another", |files| files.mix(&Certificate::new(), &Certificate::new())),
        ("no file", |files| std::fs::remove_file(files.key()).unwrap()),
    ];
    for (count, (what, change)) in (1..).zip(broken) {
        change(&secure.files);
        secure.counted(&reloads("failed"), f64::from(count)).await;
        let (status, _) = secure.get("/livez").await;
        assert_eq!(status, 200, "{what}: the certificate before it stays");
    }
    let log = secure.gateway.process().output();
    let warnings = log.lines().filter(|line| line.contains("the certificate before them stays")).count();
    assert_eq!(warnings, 3, "each is said once: {log}");
    assert!(!log.contains("PRIVATE KEY"), "no key in the log");

    let third = Certificate::new();
    secure.files.put(&third);
    eventually("a good one after broken ones", || async {
        third.connect(secure.addr(), HTTP1).await.map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
}

#[tokio::test]
async fn half_of_the_settings_or_files_that_cannot_work_end_the_start_with_status_78() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let (whole, mixed, empty) =
        (Files::new(&certificate), Files::new(&certificate), Files::new(&certificate));
    mixed.mix(&certificate, &other);
    empty.put_text("", "");
    let path = |path: std::path::PathBuf| path.display().to_string();
    for kind in ALL {
        for (certificate, key, said) in [
            (Some(path(whole.certificate())), None, "--tls-key-file is missing"),
            (None, Some(path(whole.key())), "--tls-cert-file is missing"),
            (Some("/nowhere.crt".to_owned()), Some(path(whole.key())), "/nowhere.crt cannot be read"),
            (Some(path(empty.certificate())), Some(path(whole.key())), "holds no certificate"),
            (Some(path(whole.certificate())), Some(path(empty.key())), "holds no private key"),
            (Some(path(mixed.certificate())), Some(path(mixed.key())), "cannot be used together"),
        ] {
            let mut service = Service::new(kind, "nats://127.0.0.1:1");
            for (name, value) in [("BYWASH_TLS_CERT_FILE", certificate), ("BYWASH_TLS_KEY_FILE", key)] {
                if let Some(value) = value {
                    service.set(name, &value);
                }
            }
            let process = service.spawn();
            let status = process.ended().await;
            let output = process.output();
            assert_eq!(status.code(), Some(78), "{kind:?}: {output}");
            assert!(output.contains(said), "{kind:?}: {said} in {output}");
        }
    }
}
