//! Real processes: what they are, how they end, and that they are stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

fn engines(program: &str, arguments: &[&str], stop_grace: Duration) -> (Engines, mpsc::Receiver<Ended>) {
    Engines::new(vec![EngineSpec {
        name: "it".into(),
        program: PathBuf::from(program),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: BTreeMap::from([("GIVEN".to_owned(), "yes".to_owned())]),
        max_run: Duration::from_secs(60),
        stop_grace,
    }])
}

fn shell(script: &str, stop_grace: Duration) -> (Engines, mpsc::Receiver<Ended>) {
    engines("/bin/sh", &["-c", script], stop_grace)
}

async fn end_of(engines: &mut Engines, ended: &mut mpsc::Receiver<Ended>) -> RunResult {
    let ended = tokio::time::timeout(DEADLINE, ended.recv()).await.expect("it ends").unwrap();
    engines.note(ended).expect("it ran").1
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended; only its parent has not looked yet.
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn the_end_of_a_run_is_observed_with_its_status() {
    for (script, expected) in [
        ("exit 0", RunResult::Success),
        ("exit 3", RunResult::Failure("exit status: 3".to_owned())),
        ("kill -9 $$", RunResult::Failure("signal: 9 (SIGKILL)".to_owned())),
    ] {
        let (mut engines, mut ended) = shell(script, Duration::ZERO);
        engines.start(&"it".into()).unwrap();
        assert_eq!(end_of(&mut engines, &mut ended).await, expected, "{script}");
        assert_eq!(engines.statuses()[0].last_result, Some(expected));
        assert!(!engines.any_runs());
    }
}

#[tokio::test]
async fn an_engine_gets_its_own_environment_and_not_ours() {
    let script = r#"test "$GIVEN" = yes && test -z "$CARGO_MANIFEST_DIR" && test -n "$PATH""#;
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "the test's own environment has it");
    let (mut engines, mut ended) = shell(script, Duration::ZERO);
    engines.start(&"it".into()).unwrap();
    assert_eq!(end_of(&mut engines, &mut ended).await, RunResult::Success);
}

#[tokio::test]
async fn an_engine_runs_once_at_most() {
    let (mut engines, mut ended) = shell("exec sleep 60", Duration::from_secs(5));
    engines.start(&"it".into()).unwrap();
    let first = engines.statuses()[0].clone();
    engines.start(&"it".into()).unwrap();
    assert_eq!(engines.statuses()[0], first);
    engines.stop(&"it".into());
    assert_eq!(engines.views()[0].running.map(|run| run.stopping), Some(true));
    assert_eq!(end_of(&mut engines, &mut ended).await, RunResult::Stopped);
}

/// The number that a script wrote to `file`.
async fn written_pid(file: &Path) -> u32 {
    let pid = async {
        loop {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            // Without its line's end it may not be complete.
            if let Some(pid) = text.strip_suffix('\n').and_then(|pid| pid.parse().ok()) {
                return pid;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, pid).await.expect("it has a child")
}

async fn gone(pid: u32) {
    let gone = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, gone).await.expect("its child is killed too");
}

/// Runs `script`, in which FILE is where the number of its child goes, and returns how the run and the child ended.
async fn run_with_child(case: &str, script: &str, stop: bool, grace: Duration) -> RunResult {
    let folder = std::env::temp_dir().join(format!("bywash-engine-{case}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("child");
    let (mut engines, mut ended) = shell(&script.replace("FILE", &file.display().to_string()), grace);
    engines.start(&"it".into()).unwrap();
    let child = written_pid(&file).await;
    if stop {
        assert!(is_alive(child));
        engines.stop(&"it".into());
    }
    let result = end_of(&mut engines, &mut ended).await;
    gone(child).await;
    std::fs::remove_dir_all(&folder).unwrap();
    result
}

#[tokio::test]
async fn one_that_ignores_the_request_is_killed_with_its_children() {
    let script = "trap '' TERM; sleep 600 & echo $! > FILE; wait";
    let result = run_with_child("both", script, true, Duration::from_millis(200)).await;
    assert_eq!(result, RunResult::Stopped);
}

#[tokio::test]
async fn a_child_that_ignores_the_request_does_not_outlive_the_engine_that_follows_it() {
    let script = "(trap '' TERM; sh -c 'echo $$ > FILE; exec sleep 600') & wait";
    let result = run_with_child("child", script, true, DEADLINE).await;
    assert_eq!(result, RunResult::Stopped);
}

#[tokio::test]
async fn an_engine_that_ends_by_itself_leaves_no_child_behind() {
    let script = "sleep 600 & echo $! > FILE; exit 0";
    assert_eq!(run_with_child("exit", script, false, DEADLINE).await, RunResult::Success);
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_a_failed_run() {
    let (mut engines, _ended) = engines("/no/such/program", &[], Duration::ZERO);
    assert!(engines.start(&"it".into()).is_err());
    let status = engines.statuses()[0].clone();
    assert_eq!((status.runs, status.running), (1, None));
    assert!(matches!(status.last_result, Some(RunResult::Failure(_))), "{status:?}");
}
