//! RFC 6455 over the real socket, by `/ws/echo`, which reads and writes as every WebSocket of the gateway does. Each
//! row is what a client sends and all that it gets until the connection ends; each is sent whole, in odd pieces, and
//! byte by byte. `docs/websocket-conformance.md` says how to run Autobahn's suite against the same endpoint.

use std::iter::once;

use bywash_tests::platform::Platform;
use bywash_tests::raw_ws::{Frame, RawWs, close, masked};
use bywash_tests::service::Kind;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
/// Without FIN: more of the message follows.
const TEXT_BEGUN: u8 = 0x01;
const BINARY_BEGUN: u8 = 0x02;
const CONTINUED: u8 = 0x00;
const LAST: u8 = 0x80;
/// Reserved bits, which only an extension may set.
const RESERVED: [u8; 3] = [0x40, 0x20, 0x10];

const NORMAL: u16 = 1000;
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_LARGE: u16 = 1009;

/// Larger than every buffer on the way.
const LARGE_BYTES: usize = 1024 * 1024 + 7;
/// What the endpoint takes at most.
const ECHO_SIZE_MAX: usize = 16 * 1024 * 1024;

/// What is sent, and what comes back before the close frame with this code.
struct Row {
    name: String,
    sent: Vec<u8>,
    echoed: Vec<Frame>,
    closed: u16,
}

/// A row whose client closes at the end.
fn stays(name: &str, frames: &[Vec<u8>], echoed: &[Frame]) -> Row {
    let sent = [frames.concat(), close(NORMAL, b"")].concat();
    Row { name: name.to_owned(), sent, echoed: echoed.to_vec(), closed: NORMAL }
}

/// A row that breaks a rule; what follows must not be echoed.
fn fails(name: &str, frames: &[Vec<u8>], echoed: &[Frame], closed: u16) -> Row {
    let sent = [frames.concat(), masked(TEXT, b"after the end")].concat();
    Row { name: name.to_owned(), sent, echoed: echoed.to_vec(), closed }
}

fn text(payload: &str) -> Frame {
    Frame::new(1, payload)
}

fn binary(payload: &[u8]) -> Frame {
    Frame::new(2, payload)
}

fn pong(payload: &[u8]) -> Frame {
    Frame::new(10, payload)
}

async fn gateway() -> Platform {
    Platform::builder().with(Kind::PushGateway).set(Kind::PushGateway, "BYWASH_WS_ECHO", "true").start().await
}

/// Runs every row in each way of cutting it.
async fn run(platform: &Platform, rows: &[Row], piece_sizes: &[usize]) {
    let addr = platform.service(Kind::PushGateway).addr();
    for Row { name, sent, echoed, closed } in rows {
        for &size in piece_sizes {
            let mut came = RawWs::open(addr, "/ws/echo", "").await.exchange(sent, size).await;
            let last = came.pop();
            assert_eq!(&came, echoed, "{name}, in pieces of {size}; then {last:?}");
            assert_eq!(
                last.and_then(|frame| frame.close_code()),
                Some(*closed),
                "{name}, in pieces of {size}"
            );
        }
    }
}

const PIECES: [usize; 3] = [usize::MAX, 7, 1];

#[tokio::test]
async fn messages_of_every_length_form_come_back_as_they_came() {
    let platform = gateway().await;
    let mut rows = Vec::new();
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        let payload = "*".repeat(length);
        rows.push(stays(
            &format!("text of {length}"),
            &[masked(TEXT, payload.as_bytes())],
            &[text(&payload)],
        ));
        let bytes = vec![0xfe; length];
        rows.push(stays(&format!("binary of {length}"), &[masked(BINARY, &bytes)], &[binary(&bytes)]));
    }
    run(&platform, &rows, &[usize::MAX, 997]).await;
}

#[tokio::test]
async fn control_frames_are_answered_between_the_fragments_of_a_message() {
    let platform = gateway().await;
    let full = [b'p'; 125];
    let rows = [
        stays("a ping with nothing", &[masked(PING, b"")], &[pong(b"")]),
        stays("a ping with all it may have", &[masked(PING, &full)], &[pong(&full)]),
        stays("a ping with bytes", &[masked(PING, b"\x00\xff\xfe")], &[pong(b"\x00\xff\xfe")]),
        stays("a pong that nobody asked for", &[masked(PONG, b"unasked")], &[]),
        stays(
            "pings in a row",
            &(0..10).map(|n| masked(PING, &[n])).collect::<Vec<_>>(),
            &(0..10).map(|n| pong(&[n])).collect::<Vec<_>>(),
        ),
        stays(
            "a message in fragments",
            &[masked(TEXT_BEGUN, b"one "), masked(CONTINUED, b"two "), masked(LAST, b"three")],
            &[text("one two three")],
        ),
        stays(
            "fragments without a byte",
            &[masked(TEXT_BEGUN, b""), masked(CONTINUED, b"middle"), masked(LAST, b"")],
            &[text("middle")],
        ),
        stays(
            "a ping and a pong between fragments",
            &[masked(BINARY_BEGUN, b"a"), masked(PING, b"now"), masked(PONG, b""), masked(LAST, b"b")],
            &[pong(b"now"), binary(b"ab")],
        ),
        fails("a ping that is too long", &[masked(PING, &[b'p'; 126])], &[], PROTOCOL_ERROR),
        fails("a ping in fragments", &[masked(0x09, b"a"), masked(LAST, b"b")], &[], PROTOCOL_ERROR),
        fails("a pong in fragments", &[masked(0x0a, b"a"), masked(LAST, b"b")], &[], PROTOCOL_ERROR),
        fails("an end of nothing", &[masked(LAST, b"x")], &[], PROTOCOL_ERROR),
        fails("a continuation of nothing", &[masked(CONTINUED, b"x")], &[], PROTOCOL_ERROR),
        fails(
            "a message within a message",
            &[masked(TEXT_BEGUN, b"a"), masked(TEXT, b"b")],
            &[],
            PROTOCOL_ERROR,
        ),
        fails(
            "a continuation after the end",
            &[masked(TEXT_BEGUN, b"a"), masked(LAST, b"b"), masked(CONTINUED, b"c")],
            &[text("ab")],
            PROTOCOL_ERROR,
        ),
    ];
    run(&platform, &rows, &PIECES).await;
}

#[tokio::test]
async fn opcodes_and_bits_that_mean_nothing_end_the_connection() {
    let platform = gateway().await;
    let before = || masked(TEXT, b"before");
    let mut rows = Vec::new();
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let name = format!("opcode {opcode}");
        rows.push(fails(&name, &[before(), masked(0x80 | opcode, b"x")], &[text("before")], PROTOCOL_ERROR));
    }
    for (bit, first) in RESERVED.into_iter().flat_map(|bit| [TEXT, BINARY, PING, CLOSE].map(|of| (bit, of))) {
        let name = format!("bit {bit:#x} on {first:#x}");
        rows.push(fails(&name, &[before(), masked(bit | first, b"")], &[text("before")], PROTOCOL_ERROR));
    }
    let mut unmasked = masked(TEXT, b"");
    unmasked[1] &= 0x7f;
    rows.push(fails("no mask", &[before(), unmasked], &[text("before")], PROTOCOL_ERROR));
    let endless = [vec![BINARY, 0x80 | 127], vec![0xff; 8], vec![0; 4]].concat();
    rows.push(fails(
        "a length with its first bit set",
        &[before(), endless],
        &[text("before")],
        PROTOCOL_ERROR,
    ));
    run(&platform, &rows, &PIECES).await;
}

#[tokio::test]
async fn text_is_utf8_to_the_letter_and_what_cannot_become_it_is_refused_at_once() {
    let platform = gateway().await;
    let mut rows = Vec::new();
    for whole in
        ["κόσμε", "\u{0}", "\u{7f}\u{80}\u{7ff}\u{800}", "\u{ffff}\u{10000}\u{10ffff}", "a\u{300}\u{1f6b0}"]
    {
        rows.push(stays(whole, &[masked(TEXT, whole.as_bytes())], &[text(whole)]));
        // Each character cut in two, and in the middle of a frame's head as well, by the pieces.
        let bytes = whole.as_bytes();
        let last = bytes.len() - 1;
        let cut = bytes.iter().enumerate().map(|(index, byte)| {
            let begins = if index == 0 { TEXT_BEGUN } else { CONTINUED };
            masked(begins | if index == last { LAST } else { 0 }, &[*byte])
        });
        rows.push(stays(&format!("{whole} in bytes"), &cut.collect::<Vec<_>>(), &[text(whole)]));
    }
    for (what, bytes) in [
        ("a continuation byte", &b"\x80"[..]),
        ("no character begins so", b"\xfe"),
        ("an overlong form", b"\xc0\xaf"),
        ("a longer overlong form", b"\xe0\x80\xaf"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond the last character", b"\xf4\x90\x80\x80"),
        ("a form of five bytes", b"\xf8\x88\x80\x80\x80"),
        ("a character that ends early", b"\xce\xbaa\xe1"),
    ] {
        rows.push(fails(what, &[masked(TEXT, bytes)], &[], NOT_UTF8));
        let begun = [masked(TEXT_BEGUN, "κ".as_bytes()), masked(LAST, bytes)];
        rows.push(fails(&format!("{what}, in a second fragment"), &begun, &[], NOT_UTF8));
    }
    rows.push(fails("half a character at the end", &[masked(TEXT, b"\xce")], &[], NOT_UTF8));
    rows.push(stays("binary is no text", &[masked(BINARY, b"\xff\xce")], &[binary(b"\xff\xce")]));
    run(&platform, &rows, &PIECES).await;

    // The end of neither message nor frame ever comes; the refusal must all the same.
    let addr = platform.service(Kind::PushGateway).addr();
    let mut open = RawWs::open(addr, "/ws/echo", "").await;
    open.send(&masked(TEXT_BEGUN, b"fine so far, \xf4\x90")).await;
    assert_eq!(open.closed().await, Some(NOT_UTF8), "in a message without an end");
    let mut open = RawWs::open(addr, "/ws/echo", "").await;
    let mut begun = masked(TEXT, &once(0xff).chain([b'x'; 200]).collect::<Vec<_>>());
    begun.truncate(20);
    open.send(&begun).await;
    assert_eq!(open.closed().await, Some(NOT_UTF8), "in a frame without an end");
}

#[tokio::test]
async fn a_close_is_answered_with_its_own_code_and_a_malformed_one_is_an_error() {
    let platform = gateway().await;
    let mut rows = Vec::new();
    let closes = |name: String, frame: Vec<u8>, closed| {
        let sent = [frame, masked(TEXT, b"after the end")].concat();
        Row { name, sent, echoed: Vec::new(), closed }
    };
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        rows.push(closes(format!("code {code}"), close(code, b"because"), code));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        rows.push(closes(format!("code {code}"), close(code, b""), PROTOCOL_ERROR));
    }
    rows.push(closes("a reason as long as it may be".to_owned(), close(NORMAL, &[b'r'; 123]), NORMAL));
    rows.push(closes("a reason that is too long".to_owned(), close(NORMAL, &[b'r'; 124]), PROTOCOL_ERROR));
    rows.push(closes("half a code".to_owned(), masked(CLOSE, b"\x03"), PROTOCOL_ERROR));
    rows.push(closes("a reason that is not UTF-8".to_owned(), close(NORMAL, b"\xce\xba\xff"), NOT_UTF8));
    rows.push(closes("a close in fragments".to_owned(), masked(0x08, b"\x03\xe8"), PROTOCOL_ERROR));
    run(&platform, &rows, &PIECES).await;

    let addr = platform.service(Kind::PushGateway).addr();
    let nothing = RawWs::open(addr, "/ws/echo", "").await.exchange(&masked(CLOSE, b""), 1).await;
    assert_eq!(nothing, [Frame::new(8, "")], "a close without a code is answered with one without a code");
    let between = [masked(TEXT_BEGUN, b"a"), close(NORMAL, b""), masked(LAST, b"b")].concat();
    let came = RawWs::open(addr, "/ws/echo", "").await.exchange(&between, usize::MAX).await;
    assert_eq!(came, [Frame::new(8, NORMAL.to_be_bytes())], "a close between fragments ends all of it");
}

#[tokio::test]
async fn large_messages_come_back_whole_however_they_are_cut_and_too_large_ones_end_with_1009() {
    let platform = gateway().await;
    let large: Vec<u8> = (0_u8..=250).cycle().take(LARGE_BYTES).collect();
    let fragments = |size: usize| {
        let count = large.len().div_ceil(size);
        let all = large.chunks(size).enumerate().map(|(index, piece)| {
            let begins = if index == 0 { BINARY_BEGUN } else { CONTINUED };
            masked(begins | if index + 1 == count { LAST } else { 0 }, piece)
        });
        all.collect::<Vec<_>>()
    };
    let rows = [
        stays("one frame", &[masked(BINARY, &large)], &[binary(&large)]),
        stays("fragments of 64", &fragments(64), &[binary(&large)]),
        stays("fragments of 65,537", &fragments(65_537), &[binary(&large)]),
        stays(
            "two of them",
            &[masked(BINARY, &large), masked(BINARY, &large)],
            &[binary(&large), binary(&large)],
        ),
    ];
    run(&platform, &rows, &[usize::MAX, 64 * 1024 + 1, 997]).await;
    let too_large = [fails("too large", &[masked(BINARY, &vec![0; ECHO_SIZE_MAX + 1])], &[], TOO_LARGE)];
    run(&platform, &too_large, &[usize::MAX]).await;
}

#[tokio::test]
async fn the_endpoint_is_not_there_unless_it_is_switched_on() {
    let platform = Platform::builder().with(Kind::PushGateway).start().await;
    let url = platform.url(Kind::PushGateway, "/ws/echo");
    let request = platform.http.get(url).header("connection", "Upgrade").header("upgrade", "websocket");
    let request = request.header("sec-websocket-version", "13");
    let answer = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
    assert_eq!(answer.status(), 404);
}
