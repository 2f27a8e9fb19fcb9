//! The Protobuf form: a command or a reply with its length in front, as a varint.

use prost::Message;

use super::messages::{Command, Reply};
use super::wire::BadCommands;

/// The commands of a binary message. `data` must be JSON, which is what the topics carry.
pub fn commands(mut bytes: &[u8]) -> Result<Vec<Command>, BadCommands> {
    let mut commands = Vec::new();
    while !bytes.is_empty() {
        commands.push(Command::decode_length_delimited(&mut bytes).map_err(|_| BadCommands)?);
    }
    Ok(commands)
}

/// A reply with its length in front.
pub fn reply(reply: &Reply) -> Vec<u8> {
    reply.encode_length_delimited_to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::messages::{ConnectRequest, Empty, SubscribeRequest};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_come_one_after_the_other_with_their_lengths() {
        // As the published client writes them: id 1, connect {token: "t", name: "js"}; id 2, subscribe with recovery.
        let mut bytes = b"\x0b\x08\x01\x22\x07\x0a\x01t\x22\x02js".to_vec();
        bytes.extend(b"\x12\x08\x02\x2a\x0e\x0a\x05app.a\x18\x01\x32\x01e\x38\x07".iter());
        let commands = commands(&bytes).unwrap();
        assert_eq!(
            commands[0].connect,
            Some(ConnectRequest { token: "t".to_owned(), ..ConnectRequest::default() })
        );
        let subscribe = SubscribeRequest {
            channel: "app.a".to_owned(),
            recover: true,
            epoch: "e".to_owned(),
            offset: 7,
            flag: 0,
        };
        assert_eq!((commands[1].id, commands[1].subscribe.as_ref()), (2, Some(&subscribe)));
        assert_eq!(super::commands(b"\x00").unwrap(), [Command::default()], "the answer to a ping");
    }

    #[test]
    fn an_empty_result_is_said() {
        let reply = reply(&Reply { id: 3, unsubscribe: Some(Empty {}), ..Reply::default() });
        assert_eq!(reply, b"\x04\x08\x03\x3a\x00");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = commands(&bytes);
        }
    }
}
