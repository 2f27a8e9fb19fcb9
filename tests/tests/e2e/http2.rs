//! HTTP/2 of the gateway, which browsers speak over TLS only: many streams on one connection, the same answers as over
//! HTTP/1.1, and connections that break the protocol.

use bywash_tests::sse::Sse;
use bywash_tests::tls::{HTTP2, get, stream, text};
use bywash_tests::wait::DEADLINE;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tls::{Secure, VALUE_SIZE_BYTES, publish};

/// Streams that one connection has open at once: more than browsers open connections of HTTP/1.1 to a host.
const STREAMS: usize = 20;

#[tokio::test]
async fn many_event_streams_and_requests_share_one_connection_of_http2() {
    let secure = Secure::start().await;
    let mut connection = secure.certificate.http2(secure.addr()).await.unwrap();
    let mut streams = Vec::new();
    for n in 0..STREAMS {
        let answer =
            connection.send_request(get(&format!("/api/events/stream?topics=app.{n}"))).await.unwrap();
        assert!(!answer.headers().contains_key("connection"), "no field of HTTP/1.1: {answer:?}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let sse = stream(answer);
        sse.named("ready").await;
        streams.push(sse);
    }
    secure.has_clients(STREAMS).await;
    for (n, sse) in streams.iter().enumerate() {
        let topic = format!("app.{n}");
        let seq = publish(&mut connection, &topic, &json!({"n": n})).await;
        let event = sse.with_sequence(&topic, seq).await;
        assert_eq!(event.data["data"]["n"], json!(n));
    }
    // One more than is read at once, so that frames and windows are used up.
    let seq = publish(&mut connection, "app.0", &json!("x".repeat(VALUE_SIZE_BYTES))).await;
    streams[0].with_sequence("app.0", seq).await;

    // A stream that its client resets is gone; the others go on.
    drop(streams.pop());
    secure.has_clients(STREAMS - 1).await;
    let seq = publish(&mut connection, "app.1", &json!(1)).await;
    streams[1].with_sequence("app.1", seq).await;
    // And all of them with their connection.
    drop((streams, connection));
    secure.has_clients(0).await;
}

#[tokio::test]
async fn errors_resume_tokens_and_switched_protocols_are_the_same_over_http2() {
    let secure = Secure::start().await;
    let mut connection = secure.certificate.http2(secure.addr()).await.unwrap();
    let (status, body) =
        text(connection.send_request(get("/api/events/stream?topics=nope")).await.unwrap()).await.unwrap();
    assert!(status == 400 && body.contains("unknown_topic"), "{status} {body}");
    // WebSocket over HTTP/2 (RFC 8441) is not offered: browsers open a connection of HTTP/1.1 for it.
    let (status, body) = text(connection.send_request(get("/ws")).await.unwrap()).await.unwrap();
    assert!(status == 426 && body.contains("websocket_required"), "{status} {body}");

    let first = stream(connection.send_request(get("/api/events/stream?topics=app.x")).await.unwrap());
    first.named("ready").await;
    let before = publish(&mut connection, "app.x", &json!(1)).await;
    let token = first.with_sequence("app.x", before).await.id.unwrap();
    drop(first);
    let after = publish(&mut connection, "app.x", &json!(2)).await;
    let mut request = get("/api/events/stream?topics=app.x");
    request.headers_mut().insert("last-event-id", token.parse().unwrap());
    let resumed: Sse = stream(connection.send_request(request).await.unwrap());
    assert_eq!(resumed.named("ready").await.data["resumed"], true);
    resumed.with_sequence("app.x", after).await;
    assert_eq!(resumed.sequences("app.x"), [after], "what was missed, once");
}

#[tokio::test]
async fn a_connection_of_http2_that_breaks_the_protocol_is_ended_and_counted() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // HEADERS of the first stream, whole and the last of it.
    const HEADERS: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01";
    let secure = Secure::start().await;
    for (count, (what, sent)) in (1..).zip([
        ("another protocol", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("a compressed field that is none", [PREFACE, HEADERS, &[0xff; 6]].concat()),
        ("a stream that only servers open", [PREFACE, b"\0\0\x01\x01\x05\0\0\0\x02\x82"].concat()),
    ]) {
        let mut socket = secure.certificate.connect(secure.addr(), HTTP2).await.unwrap();
        socket.write_all(&sent).await.unwrap();
        let mut rest = Vec::new();
        // A reset is an end as well.
        let ended = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{what} is still listened to");
        secure.counted("bywash_http_bad_heads_total{reason=\"malformed\"}", f64::from(count)).await;
    }
}
