//! Clients of the gateway that say nothing, too little or too much of a head, or go without a word: none is waited for
//! without an end.

use std::net::SocketAddr;
use std::time::Duration;

use bywash_tests::raw_ws::RawWs;
use bywash_tests::service::Kind;
use bywash_tests::wait::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::gateway_bad_input::{HEAD_DEADLINE, answered, gateway, grown};

/// Between two bytes of a head that never ends: often enough to show that progress does not buy time.
const BYTE_INTERVAL: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_however_slowly_it_comes_and_a_head_without_end_at_once() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let bad_heads = |reason| format!("bywash_http_bad_heads_total{{reason=\"{reason}\"}}");
    let head = "GET /ws HTTP/1.1\r\nhost: localhost\r\nx-slow: ";

    // Each in its way sends no whole head; the first has nothing at all to say and is only idle.
    let silent = TcpStream::connect(gateway.addr()).await.unwrap();
    let mut half = TcpStream::connect(gateway.addr()).await.unwrap();
    half.write_all(head.as_bytes()).await.unwrap();
    let drip = TcpStream::connect(gateway.addr()).await.unwrap();
    let (mut drip, mut drip_out) = drip.into_split();
    let dripping = tokio::spawn(async move {
        let bytes = head.bytes().chain(std::iter::repeat(b'x'));
        for byte in bytes {
            if drip_out.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(BYTE_INTERVAL).await;
        }
    });

    // Meanwhile: too many fields, too many bytes, and what is no HTTP.
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let long = format!("x-long: {}\r\n", "y".repeat(128 * 1024));
    // 414 says what is too long about a head that is too large as a whole; whether it comes to that depends on the pieces.
    for (what, bytes, statuses, reason) in [
        (
            "fields",
            format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
            &["431"][..],
            "too_large",
        ),
        ("bytes", format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{long}\r\n"), &["431"], "too_large"),
        ("an address", format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(70_000)), &["414", "431"], "too_large"),
        ("no HTTP", "\u{1b}[31m hello\r\n\r\n".to_owned(), &["400"], "malformed"),
    ] {
        let before = gateway.metric(&bad_heads(reason)).await;
        let answer = answered(gateway.addr(), bytes.as_bytes()).await;
        let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next());
        assert!(status.is_some_and(|status| statuses.contains(&status)), "{what}: {answer}");
        grown(gateway, &bad_heads(reason), before, 1.0).await;
    }

    for (what, socket) in [("silent", silent), ("half a head", half)] {
        ended(what, socket).await;
    }
    let mut rest = Vec::new();
    let read = tokio::time::timeout(HEAD_DEADLINE, drip.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "a byte now and then buys no time");
    dripping.await.unwrap();
    grown(gateway, &bad_heads("slow"), 0.0, 2.0).await;
    assert!((gateway.metric(&bad_heads("slow")).await - 2.0).abs() < 0.5, "the silent one was only idle");
}

/// Waits for the other end to close a connection that is not used.
async fn ended(what: &str, mut socket: TcpStream) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(HEAD_DEADLINE, socket.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "{what}: still open after {HEAD_DEADLINE:?}");
}

#[tokio::test]
async fn a_client_that_goes_without_a_word_is_asked_after_by_the_kernel() {
    let platform = gateway().await;
    let gateway = platform.service(Kind::PushGateway);
    let mut stream = TcpStream::connect(gateway.addr()).await.unwrap();
    stream
        .write_all(b"GET /api/events/stream?topics=app.x HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let websocket = RawWs::open(gateway.addr(), "/ws", "").await;
    for client in [stream.local_addr().unwrap(), websocket.local_addr()] {
        let (kind, left) = eventually("a timer of keep-alive on the gateway's socket", || async {
            // 1 is a retransmission: the gateway's last bytes are still on their way.
            kernel_timer(gateway.addr(), client)
                .filter(|(kind, _)| *kind == 2)
                .ok_or_else(|| format!("{client}"))
        })
        .await;
        assert_eq!(kind, 2);
        assert!(
            left <= Duration::from_secs(60),
            "it asks within a minute, not in {left:?} (default: two hours)"
        );
    }
}

/// The timer of the kernel on the socket from `local` to `remote`: its kind, and when it is due.
fn kernel_timer(local: SocketAddr, remote: SocketAddr) -> Option<(u8, Duration)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = |addr: SocketAddr| format!(":{:04X}", addr.port());
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|fields| {
        fields.get(1).is_some_and(|field| field.ends_with(&ends(local)))
            && fields.get(2).is_some_and(|field| field.ends_with(&ends(remote)))
    })?;
    let (kind, due) = row.get(5)?.split_once(':')?;
    // In hundredths of a second, on every Linux.
    let due = u64::from_str_radix(due, 16).ok()? * 10;
    Some((kind.parse().ok()?, Duration::from_millis(due)))
}
