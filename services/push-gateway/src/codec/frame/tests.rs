use super::*;
use proptest::prelude::*;

fn client_frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let unmasked = encode(Opcode::Text, payload);
    let head_length = unmasked.len() - payload.len();
    let mut frame = unmasked[..head_length].to_vec();
    frame[0] = u8::from(fin) << 7 | opcode;
    frame[1] |= 0x80;
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn reader() -> Reader {
    Reader::new(100, BadInputs::unregistered())
}

fn read(bytes: &[u8]) -> Result<Vec<Incoming>, FrameError> {
    let mut out = Vec::new();
    reader().read(bytes, &mut out).map(|()| out)
}

#[test]
fn the_accept_key_is_the_one_of_the_standard() {
    assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn a_message_in_pieces_with_a_ping_between_is_one_message() {
    let mut bytes = client_frame(false, 1, b"ab");
    bytes.extend(client_frame(true, 9, b"hi"));
    bytes.extend(client_frame(true, 0, b"cd"));
    assert_eq!(read(&bytes), Ok(vec![Incoming::Ping(b"hi".to_vec()), Incoming::Text("abcd".into())]));
}

#[test]
fn a_message_beyond_the_limit_is_dropped_and_the_next_is_read() {
    let mut bytes = client_frame(true, 1, &[b'x'; 101]);
    bytes.extend(client_frame(true, 1, b"next"));
    assert_eq!(read(&bytes), Ok(vec![Incoming::TooLarge, Incoming::Text("next".into())]));
}

#[test]
fn broken_framing_is_an_error() {
    let unmasked = encode(Opcode::Text, b"a");
    let mut reserved_bit = client_frame(true, 1, b"a");
    reserved_bit[0] |= 0x40;
    for bytes in [
        unmasked.to_vec(),
        reserved_bit,
        client_frame(true, 3, b""),
        client_frame(true, 0, b"continuation of nothing"),
        client_frame(false, 9, b"fragmented ping"),
        [client_frame(false, 1, b"a"), client_frame(true, 1, b"b")].concat(),
        client_frame(true, 8, b"x"),
        client_frame(true, 8, &999_u16.to_be_bytes()),
    ] {
        assert_eq!(read(&bytes), Err(FrameError::Protocol), "{bytes:x?}");
    }
    assert_eq!(read(&client_frame(true, 1, &[0xff])), Err(FrameError::Utf8));
}

#[test]
fn text_that_cannot_become_utf8_any_more_is_refused_before_its_end() {
    let begun = client_frame(false, 1, "κόσμε".as_bytes());
    assert_eq!(read(&begun), Ok(vec![]), "so far it is text");
    let (first, last) = "\u{1f6b0}".as_bytes().split_at(2);
    let (first, last) = (client_frame(false, 1, first), client_frame(true, 0, last));
    assert_eq!(read(&first), Ok(vec![]), "half a character may become one");
    let whole = [first.clone(), last].concat();
    assert_eq!(read(&whole), Ok(vec![Incoming::Text("\u{1f6b0}".into())]));
    assert_eq!(read(&[begun, client_frame(false, 0, b"\xed\xa0")].concat()), Err(FrameError::Utf8));
    assert_eq!(read(&client_frame(true, 1, b"a\xffbcdefgh")[..9]), Err(FrameError::Utf8));
    assert_eq!(read(&[first, client_frame(true, 0, b"")].concat()), Err(FrameError::Utf8), "it ends there");
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_messages(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..90), 0..6),
        cut in 1_usize..40,
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| client_frame(true, 2, message)).collect();
        let (mut reader, mut out) = (reader(), Vec::new());
        for piece in bytes.chunks(cut) {
            reader.read(piece, &mut out).unwrap();
        }
        prop_assert_eq!(out, messages.into_iter().map(Incoming::Binary).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }
}
