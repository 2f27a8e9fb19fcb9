//! What clients ask for: their events as questions to services, and the answers as events and acks. Pure.
//!
//! Every request is answered by an event, and through its ack as well where it asked for one: data by the event that
//! carries such data anyway, a command and every refusal by `command_response {status, result, message}` (with `code`
//! where it is an error). A search has its answer in pages: one `command_response` each, with `is_last`; the ack gets
//! the first.

use bytes::{Bytes, BytesMut};
use chassis::Identity;
use chassis::time;
use serde_json::{Value, json};

use super::figures::Known;
use super::packet::{DEFAULT_NAMESPACE, Kind, Transport, event, json, message};
use super::translate::{self, Told};
use crate::commands::{Answer, Command, CommandError};

/// Names that `run_command` and `command` take.
const COMMANDS: [&str; 7] =
    ["status", "search", "traverse", "governor.start", "governor.stop", "engine.start", "engine.stop"];

/// What an answer becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `initial_data`.
    InitialData,
    /// `system_status`.
    Status,
    /// `kb_metrics`.
    Metrics,
    /// `governor_update`.
    Governor,
    /// `command_response` to this command.
    Response(Box<str>),
}

/// A client's event as a question.
///
/// # Errors
/// `unknown_event`, `malformed_arguments`, and what [`Command::parse`] says.
pub fn question(name: &str, argument: Value, identity: &Identity) -> Result<(Wanted, Command), CommandError> {
    let wanted = match name {
        "request_initial_data" => Wanted::InitialData,
        "request_status" | "get_status" => Wanted::Status,
        "kb_metrics_request" => Wanted::Metrics,
        "governor_status_request" => Wanted::Governor,
        _ => return command(name, argument, identity),
    };
    Ok((wanted, Command::Status))
}

fn command(event: &str, mut argument: Value, identity: &Identity) -> Result<(Wanted, Command), CommandError> {
    let text = |of: &Value, field: &str| of.get(field).and_then(Value::as_str).map(str::to_owned);
    let needed = |found: Option<String>, fields: &str| {
        found.ok_or_else(|| {
            CommandError::new("malformed_arguments", format!("{event} takes an object with {fields}"))
        })
    };
    let (name, arguments) = match event {
        "governor_control" => {
            (format!("governor.{}", needed(text(&argument, "action"), "action")?), Value::Null)
        }
        "engine_control" => {
            let fields = "action and engine_id";
            let engine = needed(text(&argument, "engine_id"), fields)?;
            let name = format!("engine.{}", needed(text(&argument, "action"), fields)?);
            (name, json!({"engine_id": engine}))
        }
        "run_command" => {
            let name = needed(text(&argument, "command"), "command and arguments")?;
            (name, argument.get_mut("arguments").map_or(Value::Null, Value::take))
        }
        "command" => {
            let name = needed(text(&argument, "command"), "command and query")?;
            let query = text(&argument, "query");
            (name, query.map_or(Value::Null, |query| json!({"query": query})))
        }
        _ => {
            let message = format!("there is no event {event:?} for clients to send");
            return Err(CommandError::new("unknown_event", message));
        }
    };
    if !COMMANDS.contains(&name.as_str()) {
        let message = format!("there is no command {name:?}; there are {}", COMMANDS.join(", "));
        return Err(CommandError::new("unknown_command", message));
    }
    let command = Command::parse(&name, arguments, identity)?;
    Ok((Wanted::Response(name.into()), command))
}

/// The answer's packets.
pub fn answer(
    wanted: &Wanted,
    answer: Answer,
    known: &Known,
    ack: Option<u64>,
    transport: Transport,
) -> Bytes {
    let result = match (answer, wanted) {
        (Ok(result), _) => result,
        // Whoever has just connected gets what the pod knows, also while services are busy.
        (Err(_), Wanted::InitialData) => Value::Null,
        (Err(error), _) => return refusal(&error, ack, transport),
    };
    let knowledge_base = result.get("knowledge_base").filter(|part| part.get("error").is_none());
    let governor = result.get("governor").filter(|part| part.get("error").is_none());
    let part_error = |name: &str| {
        let error = &result[name]["error"];
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        CommandError { code: text("code"), message: text("message") }
    };
    let mut out = BytesMut::new();
    let data = match wanted {
        Wanted::InitialData => {
            let data = translate::initial_data(&result, known);
            transport.put(&mut out, &event("initial_data", &json(&data)));
            data
        }
        Wanted::Status => {
            let mut known = known.clone();
            let count = knowledge_base.and_then(|status| status["fact_count"].as_u64());
            known.fact_count = count.or(known.fact_count);
            let data = translate::system_status(&known, &json!(time::now()));
            Told::new(&["system_status", "system_update"], &data).put(transport, &mut out);
            data
        }
        Wanted::Metrics => match knowledge_base {
            Some(status) => {
                let data = translate::kb_update(status);
                Told::new(&["kb_metrics", "kb_update"], &data).put(transport, &mut out);
                data
            }
            None => return refusal(&part_error("knowledge_base"), ack, transport),
        },
        Wanted::Governor => match governor.or(known.governor.as_deref()) {
            Some(status) => {
                let data = translate::governor(status);
                Told::new(&["governor_update"], &data).put(transport, &mut out);
                data
            }
            None => return refusal(&part_error("governor"), ack, transport),
        },
        Wanted::Response(name) => {
            let is_last = Command::next_page(&result).is_none();
            let data = json!({
                "status": "success",
                "result": result,
                "message": format!("{name} was carried out"),
                "is_last": is_last,
            });
            transport.put(&mut out, &event("command_response", &json(&data)));
            data
        }
    };
    put_ack(&mut out, ack, &data, transport);
    out.freeze()
}

/// `command_response` with an error, and the same through the ack.
pub fn refusal(error: &CommandError, ack: Option<u64>, transport: Transport) -> Bytes {
    let data = json!({
        "status": "error",
        "result": null,
        "message": error.message,
        "code": error.code,
    });
    let mut out = BytesMut::new();
    transport.put(&mut out, &event("command_response", &json(&data)));
    put_ack(&mut out, ack, &data, transport);
    out.freeze()
}

fn put_ack(out: &mut BytesMut, ack: Option<u64>, data: &Value, transport: Transport) {
    if ack.is_some() {
        transport.put(out, &message(Kind::Ack, DEFAULT_NAMESPACE, ack, Some(&[data])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chassis::Role;

    /// What a client's event asks, or the code with which it is refused.
    fn asked(name: &str, argument: Value) -> Result<(Wanted, Option<(String, Value)>), String> {
        match question(name, argument, &Identity::local()) {
            Ok((wanted, Command::Status)) => Ok((wanted, None)),
            Ok((wanted, Command::Service { subject, body })) => Ok((wanted, Some((subject, body)))),
            Ok((_, other)) => panic!("{name} became {other:?}"),
            Err(error) => Err(error.code),
        }
    }

    fn service(subject: &str, body: Value) -> Option<(String, Value)> {
        Some((subject.to_owned(), body))
    }

    fn texts(bytes: &Bytes) -> Vec<String> {
        let text = std::str::from_utf8(bytes).unwrap();
        text.split_terminator('\x1e').map(str::to_owned).collect()
    }

    #[test]
    fn every_event_of_the_older_front_ends_is_a_question() {
        for (name, wanted) in [
            ("request_initial_data", Wanted::InitialData),
            ("request_status", Wanted::Status),
            ("get_status", Wanted::Status),
            ("kb_metrics_request", Wanted::Metrics),
            ("governor_status_request", Wanted::Governor),
        ] {
            assert_eq!(asked(name, Value::Null), Ok((wanted, None)), "{name}");
        }
        let response = |name: &str| Wanted::Response(name.into());
        let stop = service("cmd.governor.control", json!({"action": "stop"}));
        assert_eq!(
            asked("governor_control", json!({"action": "stop"})),
            Ok((response("governor.stop"), stop))
        );
        let start = service("cmd.governor.engine", json!({"action": "start", "engine_id": "tidy"}));
        assert_eq!(
            asked("engine_control", json!({"action": "start", "engine_id": "tidy"})),
            Ok((response("engine.start"), start))
        );
        let search = service("cmd.kb.search", json!({"query": "paris"}));
        assert_eq!(
            asked("command", json!({"command": "search", "query": "paris"})),
            Ok((response("search"), search.clone()))
        );
        let run = json!({"command": "search", "arguments": {"query": "paris"}});
        assert_eq!(asked("run_command", run), Ok((response("search"), search)));
        assert_eq!(asked("run_command", json!({"command": "status"})), Ok((response("status"), None)));
    }

    #[test]
    fn what_is_no_question_is_refused_with_its_code() {
        for (name, argument, code) in [
            ("shell", json!({}), "unknown_event"),
            ("run_command", json!({"command": "rm -rf /"}), "unknown_command"),
            ("run_command", json!({"command": "user_message"}), "unknown_command"),
            ("run_command", json!("status"), "malformed_arguments"),
            ("run_command", json!({"command": "search", "arguments": [1]}), "malformed_arguments"),
            ("command", Value::Null, "malformed_arguments"),
            ("governor_control", json!({"action": "explode"}), "unknown_command"),
            ("governor_control", json!({}), "malformed_arguments"),
            ("engine_control", json!({"action": "start"}), "malformed_arguments"),
        ] {
            assert_eq!(asked(name, argument.clone()), Err(code.to_owned()), "{name} {argument}");
        }
        let reader = Identity::new("r".to_owned(), [Role::Read]);
        let refused = question("governor_control", json!({"action": "stop"}), &reader).unwrap_err();
        assert_eq!(refused.code, "missing_role");
    }

    #[test]
    fn an_answer_is_an_event_and_an_ack_where_one_is_wanted() {
        let wanted = Wanted::Response("search".into());
        let result = json!({"items": [], "instance": "kb", "next": "c"});
        let bytes = answer(&wanted, Ok(result), &Known::default(), Some(4), Transport::Polling);
        let data = r#"{"is_last":false,"message":"search was carried out","result":{"instance":"kb","items":[],"next":"c"},"status":"success"}"#;
        assert_eq!(texts(&bytes), [format!(r#"42["command_response",{data}]"#), format!("434[{data}]")]);
    }

    #[test]
    fn an_error_has_its_code_in_the_event_and_in_the_ack() {
        let error = CommandError::new("not_available", "nobody answers");
        let data = r#"{"code":"not_available","message":"nobody answers","result":null,"status":"error"}"#;
        let expected = [format!(r#"42["command_response",{data}]"#), format!("430[{data}]")];
        for wanted in [Wanted::Response("search".into()), Wanted::Status, Wanted::Metrics] {
            let bytes = answer(&wanted, Err(error.clone()), &Known::default(), Some(0), Transport::Polling);
            assert_eq!(texts(&bytes), expected);
        }
        let part = json!({"error": {"code": "not_available", "message": "nobody answers"}});
        for (wanted, name) in [(Wanted::Metrics, "knowledge_base"), (Wanted::Governor, "governor")] {
            let said = Ok(json!({name: part}));
            assert_eq!(
                texts(&answer(&wanted, said, &Known::default(), Some(0), Transport::Polling)),
                expected
            );
        }
    }

    #[test]
    fn initial_data_comes_also_while_services_are_busy() {
        let busy = Err(CommandError::new("overloaded", "come again"));
        let known = Known { fact_count: Some(3), ..Known::default() };
        let bytes = answer(&Wanted::InitialData, busy, &known, Some(1), Transport::Polling);
        let texts = texts(&bytes);
        assert!(texts[0].starts_with(r#"42["initial_data",{"engines":{}"#), "{texts:?}");
        assert!(texts[0].contains(r#""fact_count":3"#) && texts[1].starts_with("431[{"), "{texts:?}");
    }

    #[test]
    fn questions_for_data_are_answered_by_the_events_that_carry_it() {
        let said = json!({
            "knowledge_base": {"fact_count": 9, "unique_predicates": 1, "unique_entities": 2, "time": "t"},
            "governor": {"running": true, "mode": "off", "engines": {}, "timestamp": "t"},
        });
        for (wanted, names) in [
            (Wanted::Status, vec!["system_status", "system_update", "update"]),
            (Wanted::Metrics, vec!["kb_metrics", "kb_update", "update"]),
            (Wanted::Governor, vec!["governor_update", "update"]),
            (Wanted::InitialData, vec!["initial_data"]),
        ] {
            let bytes = answer(&wanted, Ok(said.clone()), &Known::default(), Some(5), Transport::Polling);
            let texts = texts(&bytes);
            let told: Vec<_> =
                texts.iter().filter_map(|text| text.strip_prefix("42[\"")?.split('"').next()).collect();
            assert_eq!(told, names, "{texts:?}");
            assert!(texts.last().unwrap().starts_with("435[{"), "{texts:?}");
        }
    }
}
