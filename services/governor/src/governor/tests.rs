//! The loop with real child processes: what it hears goes in, decisions and processes come out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chassis::Metrics;
use chassis::shutdown::Trigger;
use proto_schemas::v1::{KnowledgeBaseState, SystemState};
use proto_schemas::{event, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::decide::Band;
use crate::outbox::{self, Pending};

const DEADLINE: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(5);

struct Fixture {
    heard: watch::Sender<Heard>,
    requests: mpsc::Sender<Request>,
    snapshots: watch::Receiver<Snapshot>,
    pending: Pending,
    trigger: Trigger,
    task: JoinHandle<()>,
}

fn sleeper() -> EngineSpec {
    EngineSpec {
        name: "sleeper".into(),
        program: PathBuf::from("/bin/sleep"),
        arguments: vec!["600".to_owned()],
        environment: BTreeMap::new(),
        max_run: Duration::from_secs(600),
        stop_grace: Duration::from_secs(5),
    }
}

impl Fixture {
    fn new(engines: Vec<EngineSpec>) -> Self {
        let policy = Policy {
            load: Band { enter: 50.0, exit: 90.0 },
            growth: Band { enter: 100.0, exit: 1_000.0 },
            cooldown: Duration::ZERO,
            starts_per_hour: 100,
            stale_after: Duration::from_secs(60),
        };
        let metrics = GovernorMetrics::new(&Metrics::new());
        let (heard, hears) = watch::channel(Heard::default());
        let (requests, incoming) = mpsc::channel(4);
        let (outbox, pending) = outbox::outbox(metrics.outbox.clone());
        let wiring = Wiring { heard: hears, requests: incoming, outbox, metrics };
        let (governor, snapshots, _) = Governor::new(policy, engines, "here", wiring);
        let (trigger, shutdown) = Shutdown::manual();
        let task = tokio::spawn(governor.run(INTERVAL, shutdown));
        Self { heard, requests, snapshots, pending, trigger, task }
    }

    /// A host at `cpu_percent` and a knowledge base that does not grow.
    fn hear(&self, cpu_percent: f64) {
        let system = SystemState { cpu_percent: Some(cpu_percent), ..SystemState::default() };
        let kb =
            KnowledgeBaseState { epoch: "e".to_owned(), fact_count: 5.0, ..KnowledgeBaseState::default() };
        self.heard.send_modify(|heard| {
            let now = Instant::now();
            heard.hear(&event::state_system("n"), &json::to_vec(&system), now).unwrap();
            heard.hear(event::STATE_KB, &json::to_vec(&kb), now).unwrap();
            heard.hear(event::STATE_KB, &json::to_vec(&kb), now + Duration::from_millis(1)).unwrap();
        });
    }

    async fn ask(&self, command: Command) -> Result<Vec<Arc<DecisionEvent>>, Denied> {
        let (reply, answer) = oneshot::channel();
        let request = Request { command, by: "ada".to_owned(), trace: None, reply };
        self.requests.send(request).await.expect("the loop runs");
        tokio::time::timeout(DEADLINE, answer).await.expect("the loop answers").unwrap()
    }

    async fn until(&self, what: &str, condition: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let mut snapshots = self.snapshots.clone();
        match tokio::time::timeout(DEADLINE, snapshots.wait_for(condition)).await {
            Ok(snapshot) => snapshot.expect("the loop runs").clone(),
            Err(_) => panic!("{what} did not happen: {:?}", self.snapshots.borrow()),
        }
    }

    async fn end(self) -> Vec<String> {
        self.trigger.request();
        tokio::time::timeout(DEADLINE, self.task).await.expect("the loop ends").unwrap();
        outbox::tests::drain(self.pending)
            .iter()
            .map(|one| format!("{} {}", one.action, one.input.as_ref().unwrap().name))
            .collect()
    }
}

fn pid(snapshot: &Snapshot) -> Option<u32> {
    snapshot.engines[0].running.map(|(pid, _)| pid)
}

/// Waits until the process has the program's name; the kernel writes it after it has let the parent go on.
async fn becomes(pid: u32, program: &str) {
    let name = || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let changed = async {
        while name().trim() != program {
            tokio::task::yield_now().await;
        }
    };
    let changed = tokio::time::timeout(DEADLINE, changed).await;
    assert!(changed.is_ok(), "process {pid} is {:?}", name());
}

#[tokio::test]
async fn without_engines_nothing_is_decided_whatever_is_heard() {
    let fixture = Fixture::new(Vec::new());
    for load in [10.0, 99.0, 10.0] {
        fixture.hear(load);
        let seen = fixture
            .until("the load is shown", |shown| {
                shown
                    .inputs
                    .iter()
                    .any(|one| one.reading.as_ref().is_some_and(|reading| reading.value == load))
            })
            .await;
        assert_eq!(seen.summary, "no engine is configured: there is nothing to start");
        assert_eq!(seen.decisions_made, 0);
    }
    assert_eq!(fixture.end().await, Vec::<String>::new());
}

#[tokio::test]
async fn in_enforce_an_engine_really_starts_and_really_gives_way() {
    let fixture = Fixture::new(vec![sleeper()]);
    fixture.ask(Command::SetMode(Mode::Enforce)).await.unwrap();
    fixture.hear(10.0);
    let running = fixture.until("the engine runs", |shown| pid(shown).is_some()).await;
    becomes(pid(&running).unwrap(), "sleep").await;
    let decision = running.last_decision().unwrap();
    assert_eq!((decision.action.as_str(), decision.mode.as_str()), ("start_engine", "enforce"));
    assert!(decision.id.ends_with("-2"), "{decision:?}");

    fixture.hear(95.0);
    let stopped = fixture.until("it gives way", |shown| shown.engines[0].last_result.is_some()).await;
    assert_eq!(stopped.engines[0].last_result, Some(RunResult::Stopped));
    assert_eq!(pid(&stopped), None);
    assert_eq!(fixture.end().await, ["set_mode operator", "start_engine kb_growth", "stop_engine host_load"]);
}

#[tokio::test]
async fn a_dry_run_decides_and_starts_nothing() {
    let fixture = Fixture::new(vec![sleeper()]);
    fixture.hear(10.0);
    let decided = fixture.until("a decision", |shown| shown.decisions_made == 1).await;
    assert_eq!((pid(&decided), decided.engines[0].runs), (None, 0));
    assert_eq!(
        fixture.ask(Command::StartEngine("sleeper".into())).await,
        Err(Denied::Refused(Refusal::NotEnforcing(Mode::DryRun)))
    );
    assert_eq!(fixture.end().await, ["start_engine kb_growth"]);
}

#[tokio::test]
async fn an_engine_that_cannot_start_is_an_error_for_who_asked_and_a_decision_all_the_same() {
    let fixture = Fixture::new(vec![EngineSpec { program: "/no/such/program".into(), ..sleeper() }]);
    fixture.ask(Command::SetMode(Mode::Enforce)).await.unwrap();
    let denied = fixture.ask(Command::StartEngine("sleeper".into())).await.unwrap_err();
    assert!(
        matches!(&denied, Denied::EngineFailed { engine, .. } if engine.as_str() == "sleeper"),
        "{denied}"
    );
    assert_eq!(fixture.end().await, ["set_mode operator", "start_engine operator"]);
}

#[tokio::test]
async fn the_end_of_the_process_ends_its_engines_and_says_why() {
    let fixture = Fixture::new(vec![sleeper()]);
    fixture.ask(Command::SetMode(Mode::Enforce)).await.unwrap();
    fixture.ask(Command::StartEngine("sleeper".into())).await.unwrap();
    let running = fixture.until("the engine runs", |shown| pid(shown).is_some()).await;
    assert_eq!(fixture.end().await, ["set_mode operator", "start_engine operator", "stop_engine shutdown"]);
    assert!(
        !PathBuf::from(format!("/proc/{}", pid(&running).unwrap())).exists(),
        "it is gone and waited for"
    );
}

#[tokio::test]
async fn with_a_full_outbox_nothing_is_decided_and_commands_are_refused() {
    let fixture = Fixture::new(vec![sleeper()]);
    let mut followed = 0_u32;
    let denied = loop {
        let command = if followed.is_multiple_of(2) { Command::Pause } else { Command::Resume };
        match fixture.ask(command).await {
            Ok(decisions) => followed += u32::try_from(decisions.len()).unwrap(),
            Err(denied) => break denied,
        }
        assert!(followed < 5_000, "the outbox has a bound");
    };
    assert_eq!(denied, Denied::OutboxFull);
    fixture.hear(10.0);
    let shown = fixture.until("the input is shown", |shown| shown.inputs[0].reading.is_some()).await;
    assert_eq!(shown.decisions_made, u64::from(followed), "the calm inputs decided nothing");
    assert_eq!(shown.decisions.len(), DECISIONS_KEPT.min(followed as usize));
    assert_eq!(fixture.end().await.len(), followed as usize);
}
