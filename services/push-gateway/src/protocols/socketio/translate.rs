//! Events of the hub in the words of the older front ends: names and fields of section 5 of `docs/clients.md`. Pure.
//!
//! A field that nobody knows is `null`, and a list or map that nobody knows is empty, because those front ends read
//! fields without asking whether they are there.
//!
//! What an event becomes (each also as `update {type, data}`, with the first name as its type):
//!
//! | event | becomes |
//! | --- | --- |
//! | `fact_added` | `fact_added` |
//! | `facts_imported` | nothing: the newer `kb_state` that follows has the count, once for all batches of an import |
//! | `kb_state` | `kb_update`, `kb_metrics` |
//! | `governor_decision` | `governor_decision` |
//! | `governor_state` | `governor_update`; and `engine_status`, its engines by name |
//! | `gpu_state` | `gpu_update`, `system_gpu_update`, `gpu_status` |
//! | `system_state` | `system_load_update` |
//! | `gateway_state` | `system_status`, `system_update` |

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::figures::Known;
use super::packet::{self, Transport};

/// One payload and the names under which it is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    names: &'static [&'static str],
    /// JSON.
    data: String,
}

impl Told {
    /// `data` under each of `names`; the first is the type in `update`.
    pub fn new(names: &'static [&'static str], data: &Value) -> Self {
        Self { names, data: packet::json(data) }
    }

    /// Adds the packets: one for each name, and the `update`.
    pub fn put(&self, transport: Transport, out: &mut BytesMut) {
        for name in self.names {
            transport.put(out, &packet::event(name, &self.data));
        }
        let kind = packet::json(self.names[0]);
        transport.put(out, &packet::event("update", &format!("{{\"type\":{kind},\"data\":{}}}", self.data)));
    }

    /// All packets.
    pub fn packets(told: &[Self], transport: Transport) -> Bytes {
        let mut out = BytesMut::new();
        told.iter().for_each(|one| one.put(transport, &mut out));
        out.freeze()
    }
}

/// What an event of this type is told as; nothing for what those front ends do not know.
pub fn event(event_type: &str, payload: &Value, raw: &str, known: &Known) -> Vec<Told> {
    match event_type {
        "fact_added" => vec![Told::new(&["fact_added"], &fact(payload))],
        "kb_state" => vec![Told::new(&["kb_update", "kb_metrics"], &kb_update(payload))],
        "governor_decision" => vec![Told::new(&["governor_decision"], &decision(payload))],
        "governor_state" => vec![
            Told::new(&["governor_update"], &governor(payload)),
            Told::new(&["engine_status"], &engines(payload)),
        ],
        "gpu_state" => {
            let names = &["gpu_update", "system_gpu_update", "gpu_status"];
            vec![Told { names, data: raw.to_owned() }]
        }
        "system_state" => vec![Told { names: &["system_load_update"], data: raw.to_owned() }],
        "gateway_state" => {
            let status = system_status(known, &field(payload, "time"));
            vec![Told::new(&["system_status", "system_update"], &status)]
        }
        _ => Vec::new(),
    }
}

/// A field, `null` where it is not there.
fn field(of: &Value, name: &str) -> Value {
    of.get(name).cloned().unwrap_or_default()
}

fn first_of(of: &Value, names: [&str; 2]) -> Value {
    of.get(names[0]).or_else(|| of.get(names[1])).cloned().unwrap_or_default()
}

fn fact(payload: &Value) -> Value {
    json!({
        "statement": field(payload, "statement"),
        "success": true,
        "timestamp": field(payload, "created_at"),
    })
}

/// Of the knowledge base's state or status.
pub fn kb_update(state: &Value) -> Value {
    let count = field(state, "fact_count");
    let words = field(state, "unique_predicates").as_f64().zip(field(state, "unique_entities").as_f64());
    let vocabulary_size = words.map_or_else(|| field(state, "vocabulary_size"), |(a, b)| json!(a + b));
    json!({
        "fact_count": count,
        "factCount": count,
        "vocabulary_size": vocabulary_size,
        "categories": state.get("categories").filter(|map| map.is_object()).unwrap_or(&json!({})),
        "timestamp": first_of(state, ["time", "timestamp"]),
    })
}

/// The part of `initial_data`.
pub fn kb_metrics(status: &Value, known: &Known) -> Value {
    let count = status.get("fact_count").cloned().unwrap_or_else(|| json!(known.fact_count));
    json!({
        "fact_count": count,
        "growth_rate": field(status, "growth_rate"),
        "connectivity": field(status, "connectivity"),
        "entropy": field(status, "entropy"),
        "unique_predicates": field(status, "unique_predicates"),
        "unique_entities": field(status, "unique_entities"),
    })
}

fn decision(payload: &Value) -> Value {
    json!({
        "timestamp": field(payload, "timestamp"),
        "action": field(payload, "action"),
        "engine": field(payload, "engine"),
        "duration": field(payload, "duration"),
        "confidence": field(payload, "confidence"),
        "reasoning": payload.get("reasoning").filter(|list| list.is_array()).unwrap_or(&json!([])),
    })
}

/// Of the governor's state or status.
pub fn governor(state: &Value) -> Value {
    json!({
        "running": field(state, "running"),
        "mode": field(state, "mode"),
        "decisions_made": field(state, "decisions_made"),
        "last_decision": state.get("last_decision").filter(|last| last.is_object()).map(decision),
        "success_rate": field(state, "success_rate"),
        "engines": engines(state),
        "timestamp": first_of(state, ["timestamp", "time"]),
    })
}

/// Its engines by name; a state that only names them leaves the rest unknown.
pub fn engines(state: &Value) -> Value {
    let engine = |of: &Value| {
        json!({
            "running": field(of, "running"),
            "runs": field(of, "runs"),
            "pid": field(of, "pid"),
            "runtime": field(of, "runtime"),
        })
    };
    let engines: Map<String, Value> = match state.get("engines") {
        Some(Value::Object(map)) => map.iter().map(|(name, of)| (name.clone(), engine(of))).collect(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(|name| Some((name.as_str()?.to_owned(), engine(&Value::Null)))).collect()
        }
        _ => Map::new(),
    };
    Value::Object(engines)
}

/// How the whole system is, as far as this pod knows.
pub fn system_status(known: &Known, timestamp: &Value) -> Value {
    json!({
        "status": "operational",
        "fact_count": known.fact_count,
        "connected_clients": known.connected_clients,
        "timestamp": timestamp,
    })
}

/// From what the services said of themselves (`Command::Status`), and where they said nothing from the newest state.
pub fn initial_data(status: &Value, known: &Known) -> Value {
    let of = |name: &str| status.get(name).filter(|part| part.get("error").is_none());
    let governor_state = of("governor").or(known.governor.as_deref());
    let sample = |text: &Option<std::sync::Arc<str>>| -> Value {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    json!({
        "kb_metrics": kb_metrics(of("knowledge_base").unwrap_or(&Value::Null), known),
        "governor": governor(governor_state.unwrap_or(&Value::Null)),
        "engines": engines(governor_state.unwrap_or(&Value::Null)),
        "system_load": sample(&known.system),
        "gpu": sample(&known.gpu),
        "llm_providers": [],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn packets(event_type: &str, payload: &str, known: &Known) -> Vec<String> {
        let value = serde_json::from_str(payload).unwrap();
        let bytes = Told::packets(&event(event_type, &value, payload, known), Transport::Polling);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.split_terminator('\x1e').map(str::to_owned).collect()
    }

    #[test]
    fn a_fact_is_told_by_its_name_and_as_an_update() {
        let payload = r#"{"id":1,"statement":"A(b, c).","context":"","confidence":1,"created_at":"2026-01-01T00:00:00Z","revision":7}"#;
        let data = r#"{"statement":"A(b, c).","success":true,"timestamp":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(
            packets("fact_added", payload, &Known::default()),
            [
                format!(r#"42["fact_added",{data}]"#),
                format!(r#"42["update",{{"type":"fact_added","data":{data}}}]"#)
            ]
        );
    }

    #[test]
    fn an_import_says_nothing_itself_and_the_state_after_it_is_one_kb_update_in_both_spellings() {
        let import = r#"{"count":1000,"first_id":1,"last_id":1000,"created_at":"t","revision":8}"#;
        assert_eq!(packets("facts_imported", import, &Known::default()), [""; 0]);
        let state = r#"{"instance":"kb","epoch":"e","revision":8,"fact_count":1007,"relay_lag_changes":0,"time":"2026-01-01T00:00:00Z"}"#;
        let data = r#"{"categories":{},"factCount":1007,"fact_count":1007,"timestamp":"2026-01-01T00:00:00Z","vocabulary_size":null}"#;
        assert_eq!(
            packets("kb_state", state, &Known::default()),
            [
                format!(r#"42["kb_update",{data}]"#),
                format!(r#"42["kb_metrics",{data}]"#),
                format!(r#"42["update",{{"type":"kb_update","data":{data}}}]"#)
            ]
        );
    }

    #[test]
    fn the_vocabulary_is_predicates_and_entities_where_both_are_known() {
        let state = json!({"fact_count": 3, "unique_predicates": 2, "unique_entities": 5, "time": "t"});
        assert_eq!(packet::json(&kb_update(&state)["vocabulary_size"]), "7");
    }

    #[test]
    fn a_decision_has_every_field_of_the_older_form() {
        let payload = r#"{"id":"1-1","action":"start_engine","engine":"tidy","mode":"enforce","reasoning":["low load"],"input":{"name":"host_load","value":"3 %","observed_at":"t"},"timestamp":"2026-01-01T00:00:00Z"}"#;
        let data = r#"{"action":"start_engine","confidence":null,"duration":null,"engine":"tidy","reasoning":["low load"],"timestamp":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(
            packets("governor_decision", payload, &Known::default()),
            [
                format!(r#"42["governor_decision",{data}]"#),
                format!(r#"42["update",{{"type":"governor_decision","data":{data}}}]"#)
            ]
        );
    }

    #[test]
    fn the_governor_is_told_with_its_engines_and_they_once_more_by_themselves() {
        let payload = r#"{"instance":"g","running":true,"mode":"off","decisions_made":2,"engines":["tidy"],"summary":"waits","time":"t"}"#;
        let engines = r#"{"tidy":{"pid":null,"running":null,"runs":null,"runtime":null}}"#;
        let data = format!(
            r#"{{"decisions_made":2,"engines":{engines},"last_decision":null,"mode":"off","running":true,"success_rate":null,"timestamp":"t"}}"#
        );
        assert_eq!(
            packets("governor_state", payload, &Known::default()),
            [
                format!(r#"42["governor_update",{data}]"#),
                format!(r#"42["update",{{"type":"governor_update","data":{data}}}]"#),
                format!(r#"42["engine_status",{engines}]"#),
                format!(r#"42["update",{{"type":"engine_status","data":{engines}}}]"#),
            ]
        );
        let status =
            json!({"engines": {"tidy": {"running": true, "runs": 3, "pid": 7, "last_result": "success"}}});
        assert_eq!(
            governor(&status)["engines"],
            json!({"tidy": {"running": true, "runs": 3, "pid": 7, "runtime": null}})
        );
    }

    #[test]
    fn samples_are_told_as_they_are() {
        let gpus = r#"{"node":"n","source":"none","gpus":[],"time":"t"}"#;
        let names: Vec<_> = ["gpu_update", "system_gpu_update", "gpu_status"]
            .iter()
            .map(|name| format!(r#"42["{name}",{gpus}]"#))
            .chain([format!(r#"42["update",{{"type":"gpu_update","data":{gpus}}}]"#)])
            .collect();
        assert_eq!(packets("gpu_state", gpus, &Known::default()), names);
        let load = r#"{"node":"n","cpu_percent":3.5,"time":"t"}"#;
        assert_eq!(
            packets("system_state", load, &Known::default()),
            [
                format!(r#"42["system_load_update",{load}]"#),
                format!(r#"42["update",{{"type":"system_load_update","data":{load}}}]"#)
            ]
        );
    }

    #[test]
    fn the_system_is_told_with_the_facts_and_the_clients_of_all_pods() {
        let known = Known { fact_count: Some(7), connected_clients: Some(12), ..Known::default() };
        let data = r#"{"connected_clients":12,"fact_count":7,"status":"operational","timestamp":"t"}"#;
        let payload = r#"{"pod":"a","connections":4,"delivered":100,"behind":0,"time":"t"}"#;
        assert_eq!(
            packets("gateway_state", payload, &known),
            [
                format!(r#"42["system_status",{data}]"#),
                format!(r#"42["system_update",{data}]"#),
                format!(r#"42["update",{{"type":"system_status","data":{data}}}]"#)
            ]
        );
    }

    #[test]
    fn what_the_front_ends_do_not_know_is_not_told() {
        assert_eq!(packets("removed", "{}", &Known::default()), [""; 0]);
        assert_eq!(packets("log", "{}", &Known::default()), [""; 0]);
    }

    #[test]
    fn initial_data_prefers_what_services_say_and_falls_back_to_the_newest_state() {
        let known = Known {
            fact_count: Some(3),
            governor: Some(Arc::new(json!({"running": true, "mode": "off", "engines": ["tidy"]}))),
            gpu: Some(r#"{"node":"n","gpus":[]}"#.into()),
            ..Known::default()
        };
        let absent = json!({"error": {"code": "not_available", "message": "nobody answers"}});
        let data = initial_data(&json!({"knowledge_base": absent, "governor": absent}), &known);
        let unknown = Value::Null;
        assert_eq!(data["kb_metrics"]["fact_count"], 3);
        assert_eq!(data["kb_metrics"]["entropy"], unknown);
        assert_eq!(data["governor"]["mode"], "off");
        assert!(data["engines"]["tidy"].is_object());
        assert_eq!(data["gpu"], json!({"node": "n", "gpus": []}));
        assert_eq!(data["system_load"], unknown);
        assert_eq!(data["llm_providers"], json!([]));
        let said =
            json!({"knowledge_base": {"fact_count": 9, "entropy": 1.5}, "governor": {"running": false}});
        let data = initial_data(&said, &known);
        assert_eq!(
            (&data["kb_metrics"]["fact_count"], &data["kb_metrics"]["entropy"]),
            (&json!(9), &json!(1.5))
        );
        assert_eq!(data["governor"]["running"], false);
    }
}
