//! Sends the facts of a file to the knowledge base, in requests small enough to show progress and to resume between.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::{Request, Response};
use crate::wordnet::Counts;

/// Facts a request: some tenths of a second of work, so the bar moves and Ctrl-C is heard.
const FACTS_PER_REQUEST: usize = 20_000;
/// A request of that size on a slow disk.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Where there is no terminal for a bar: one line each so many per cent.
const LINE_EVERY_PERCENT: u64 = 20;

/// Looked at between two requests; an error ends the load.
pub trait Watch {
    /// Fails if the load should not go on.
    fn check(&mut self) -> Result<()>;
}

/// Loads one file into one knowledge base.
pub struct Loader {
    address: SocketAddr,
    api_key: Option<String>,
    progress_path: PathBuf,
}

/// How far a load came: the store that it went into and the facts that this store has confirmed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    epoch: String,
    facts: usize,
}

/// What the bulk endpoint says about one request.
#[derive(Debug, Default, PartialEq, Eq)]
struct BulkAnswer {
    added: u64,
    duplicate: u64,
    epoch: String,
}

impl Loader {
    /// Progress is kept in `data_dir`, beside the data that it speaks of.
    pub fn new(address: SocketAddr, api_key: Option<String>, data_dir: &Path) -> Self {
        Self { address, api_key, progress_path: data_dir.join("wordnet.progress.json") }
    }

    /// Sends what the knowledge base does not have yet; in an instant if it has all.
    pub fn load(&self, facts: &Path, watch: &mut impl Watch) -> Result<()> {
        let total = Counts::WORDNET_3_1.total();
        let (stored, epoch) = self.stored()?;
        let Some(first) = first_to_send(stored, &epoch, &self.known_progress(), total) else {
            eprintln!("WordNet is loaded: {stored} facts");
            return Ok(());
        };
        eprintln!("loading WordNet: {} facts, through POST /api/facts/bulk", total - first);
        let began = Instant::now();
        let mut bar = Bar::new(total, first);
        let mut lines =
            BufReader::new(File::open(facts).with_context(|| format!("could not read {}", facts.display()))?)
                .lines();
        for line in lines.by_ref().take(first) {
            line?;
        }
        let mut sent = first;
        let (mut added, mut duplicate) = (0, 0);
        loop {
            let batch: Vec<String> = lines.by_ref().take(FACTS_PER_REQUEST).collect::<Result<_, _>>()?;
            if batch.is_empty() {
                break;
            }
            watch.check()?;
            let answer = match self.send(&(batch.join("\n") + "\n")) {
                Ok(answer) => answer,
                Err(error) => {
                    // A dead child explains a failed request better than the connection can.
                    watch.check()?;
                    return Err(
                        error.context(format!("facts {sent} to {} were not loaded", sent + batch.len()))
                    );
                }
            };
            sent += batch.len();
            added += answer.added;
            duplicate += answer.duplicate;
            self.remember(&Progress { epoch: answer.epoch, facts: sent })?;
            bar.set(sent);
        }
        bar.finish();
        let seconds = began.elapsed().as_secs_f64();
        let known = if duplicate > 0 { format!(" ({duplicate} were known)") } else { String::new() };
        eprintln!("loaded {added} facts in {seconds:.1} s{known}");
        Ok(())
    }

    /// The number of facts in the store, and its epoch.
    fn stored(&self) -> Result<(usize, String)> {
        let request = Request { api_key: self.api_key.as_deref(), ..Request::get("/api/facts/count") };
        let document = answered(request.send(self.address, REQUEST_TIMEOUT), "GET /api/facts/count")?;
        let count = document["count"].as_u64().context("the answer of /api/facts/count has no count")?;
        Ok((usize::try_from(count)?, epoch_of(&document)))
    }

    fn send(&self, body: &str) -> Result<BulkAnswer> {
        let request = Request {
            method: "POST",
            path: "/api/facts/bulk",
            api_key: self.api_key.as_deref(),
            body: Some(("text/plain", body.as_bytes())),
        };
        read_bulk_answer(&answered(request.send(self.address, REQUEST_TIMEOUT), "POST /api/facts/bulk")?)
    }

    /// Nothing, if no load was begun; a broken file only means that known facts are sent again.
    fn known_progress(&self) -> Progress {
        let text = fs::read_to_string(&self.progress_path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn remember(&self, progress: &Progress) -> Result<()> {
        let text = serde_json::to_string(progress)?;
        fs::write(&self.progress_path, text)
            .with_context(|| format!("could not write {}", self.progress_path.display()))
    }
}

/// The first fact of the file that must be sent; none if the store has all.
///
/// Progress counts only in the epoch that it was made in: another epoch may be another store. To send facts again is
/// safe, the store answers that it knows them.
fn first_to_send(stored: usize, epoch: &str, progress: &Progress, total: usize) -> Option<usize> {
    let confirmed = if progress.epoch == epoch && !epoch.is_empty() { progress.facts.min(total) } else { 0 };
    (stored < total && confirmed < total).then_some(confirmed)
}

fn answered(answer: std::io::Result<Response>, what: &str) -> Result<Value> {
    let answer = answer.with_context(|| format!("{what} got no answer"))?;
    if answer.status != 200 {
        bail!("{what} answered {}: {}", answer.status, answer.body.chars().take(500).collect::<String>());
    }
    serde_json::from_str(&answer.body).with_context(|| format!("{what} answered no JSON"))
}

fn read_bulk_answer(document: &Value) -> Result<BulkAnswer> {
    let number =
        |name: &str| document[name].as_u64().with_context(|| format!("the bulk answer has no {name}"));
    let rejected = number("rejected")?;
    if rejected > 0 {
        let errors = document["errors"].as_array().map(Vec::as_slice).unwrap_or_default().iter().take(3);
        let shown: Vec<String> =
            errors.map(|error| format!("    line {}: {}", error["line"], error["message"])).collect();
        bail!("the knowledge base rejected {rejected} facts, the first:\n{}", shown.join("\n"));
    }
    Ok(BulkAnswer { added: number("added")?, duplicate: number("duplicate")?, epoch: epoch_of(document) })
}

fn epoch_of(document: &Value) -> String {
    document["epoch"].as_str().unwrap_or_default().to_owned()
}

/// A progress bar; some lines where there is no terminal.
struct Bar {
    bar: ProgressBar,
    total: u64,
    told_percent: u64,
}

impl Bar {
    fn new(total: usize, done: usize) -> Self {
        let template = "  {bar:40} {percent:>3} % {human_pos} of {human_len} facts, {per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        let bar = ProgressBar::new(total as u64).with_style(style).with_position(done as u64);
        bar.reset_eta();
        Self { bar, total: total as u64, told_percent: 0 }
    }

    fn set(&mut self, done: usize) {
        let done = done as u64;
        self.bar.set_position(done);
        let percent = done * 100 / self.total;
        if self.bar.is_hidden() && percent >= self.told_percent + LINE_EVERY_PERCENT {
            self.told_percent = percent;
            eprintln!("  {percent} %");
        }
    }

    fn finish(self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn progress(epoch: &str, facts: usize) -> Progress {
        Progress { epoch: epoch.into(), facts }
    }

    #[test]
    fn a_complete_store_is_left_alone() {
        assert_eq!(first_to_send(100, "a", &progress("", 0), 100), None);
        assert_eq!(first_to_send(101, "b", &progress("a", 40), 100), None);
        // Facts that a user removed after a complete load stay removed.
        assert_eq!(first_to_send(99, "a", &progress("a", 100), 100), None);
    }

    #[test]
    fn an_interrupted_load_continues_in_its_own_epoch_only() {
        assert_eq!(first_to_send(40, "a", &progress("a", 40), 100), Some(40));
        assert_eq!(first_to_send(40, "b", &progress("a", 40), 100), Some(0));
        assert_eq!(first_to_send(0, "", &Progress::default(), 100), Some(0));
    }

    #[test]
    fn a_rejected_fact_is_an_error_that_shows_it() {
        let answer = json!({"added": 1, "duplicate": 0, "rejected": 1, "epoch": "a",
            "errors": [{"line": 2, "code": "unparsable", "message": "expected a dot"}]});
        let error = read_bulk_answer(&answer).expect_err("a fact was rejected").to_string();
        assert!(
            error.contains("rejected 1") && error.contains("line 2") && error.contains("expected a dot"),
            "{error}"
        );
    }

    #[test]
    fn the_counts_of_an_answer_are_read() {
        let answer =
            json!({"added": 3, "duplicate": 1, "rejected": 0, "errors": [], "revision": 7, "epoch": "a"});
        let expected = BulkAnswer { added: 3, duplicate: 1, epoch: "a".into() };
        assert_eq!(read_bulk_answer(&answer).expect("valid"), expected);
    }
}
