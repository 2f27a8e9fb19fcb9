//! The JSON form: a command or a reply a line.

use bytes::{BufMut, BytesMut};

use super::messages::{Command, Reply};
use super::wire::BadCommands;
use crate::codec::put_json_string;
use crate::event::Event;

/// The commands of a text message.
pub fn commands(text: &str) -> Result<Vec<Command>, BadCommands> {
    let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(|_| BadCommands)).collect()
}

/// A reply as a line.
pub fn reply(reply: &Reply) -> Vec<u8> {
    serde_json::to_vec(reply).expect("data is checked JSON wherever a reply is made")
}

/// An event; written by hand, as it is the one message that is made often.
pub fn event(channel: &str, event: &Event) -> BytesMut {
    let mut out = BytesMut::with_capacity(event.payload.len() + 256);
    out.put_slice(b"{\"push\":{\"channel\":");
    put_json_string(&mut out, channel);
    out.put_slice(b",\"pub\":{\"data\":");
    out.put_slice(&event.payload);
    out.put_slice(format!(",\"offset\":{},\"tags\":{{\"topic\":", event.seq).as_bytes());
    put_json_string(&mut out, &event.topic);
    out.put_slice(b",\"type\":");
    put_json_string(&mut out, &event.event_type);
    out.put_slice(b",\"time\":");
    put_json_string(&mut out, &event.time);
    if let Some(trace) = event.trace {
        out.put_slice(b",\"trace\":");
        put_json_string(&mut out, &trace.trace_id());
    }
    out.put_slice(b"}}}}");
    out
}

#[cfg(test)]
mod tests {
    use super::super::messages::{Error, SubscribeResult};
    use super::*;

    #[test]
    fn commands_come_one_a_line_and_what_is_not_known_is_ignored() {
        let text = "{\"id\":1,\"connect\":{\"token\":\"t\",\"name\":\"js\",\"data\":{\"a\":1}}}\n\
                    {\"id\":2,\"subscribe\":{\"channel\":\"app.a\",\"recover\":true,\"epoch\":\"e\",\"offset\":7,\
                    \"flag\":3,\"tf\":{}}}\n{\"id\":3,\"rpc\":{\"method\":\"search\",\"data\":{\"q\":1.50}}}\n{}\n";
        let commands = commands(text).unwrap();
        assert_eq!(commands.len(), 4);
        assert_eq!(commands[0].connect.as_ref().unwrap().token, "t");
        let subscribe = commands[1].subscribe.as_ref().unwrap();
        assert_eq!((subscribe.recover, subscribe.offset, subscribe.flag), (true, 7, 3));
        assert_eq!(commands[2].rpc.as_ref().unwrap().data.as_ref(), b"{\"q\":1.50}");
        assert_eq!(commands[3], Command::default());
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for text in ["{", "[]x", "{\"id\":-1}", "{\"id\":1,\"connect\":3}", "{}\n{\"id\":\"x\"}"] {
            assert_eq!(commands(text), Err(BadCommands), "{text}");
        }
    }

    #[test]
    fn a_reply_says_only_what_is_there() {
        let text = |one: &Reply| String::from_utf8(reply(one)).unwrap();
        let error = Error { code: 102, message: "unknown channel".to_owned(), temporary: false };
        assert_eq!(
            text(&Reply { id: 4, error: Some(error), ..Reply::default() }),
            "{\"id\":4,\"error\":{\"code\":102,\"message\":\"unknown channel\"}}"
        );
        let subscribe = SubscribeResult {
            recoverable: true,
            positioned: true,
            epoch: "00000000000000ff".to_owned(),
            offset: 9,
            ..SubscribeResult::default()
        };
        assert_eq!(
            text(&Reply { id: 5, subscribe: Some(subscribe), ..Reply::default() }),
            "{\"id\":5,\"subscribe\":{\"recoverable\":true,\"epoch\":\"00000000000000ff\",\"offset\":9,\"positioned\":true}}"
        );
    }
}
