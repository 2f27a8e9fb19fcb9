//! A follower that runs by itself: is where it is sent, comes back when its connection ends, and notes what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use proto_schemas::{Stream, TopicPattern};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Follower, Kind, Numbers, Told};
use crate::exact::{Received, Start, Tally, Truth};
use crate::wait::Inbox;

/// Pause before it comes back where the gateway named none.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// One thing that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It began a connection.
    Came,
    /// It was told this, when this was the highest number given out.
    Told(Told, u64),
    /// Its connection ended, or there was none to be had.
    Ended,
}

/// See the module. Gone when it is dropped.
#[derive(Debug)]
pub struct Client {
    /// How it speaks.
    pub kind: Kind,
    /// What it follows.
    pub topics: Vec<TopicPattern>,
    /// What happened to it.
    pub notes: Inbox<Note>,
    since: Option<(Stream, u64)>,
    reads: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Client {
    /// Runs `follower`, which is wherever `place` says; `None` is nowhere. `since` is what it continues from at first.
    ///
    /// # Panics
    /// When it follows what is no topic.
    pub fn run(
        follower: Follower,
        since: Option<(Stream, u64)>,
        place: watch::Receiver<Option<SocketAddr>>,
        numbers: &Numbers,
    ) -> Self {
        let kind = follower.conversation.kind();
        let topics = follower.conversation.topics().iter();
        let topics = topics.map(|topic| topic.parse().expect("tests follow topics that there are")).collect();
        let notes = Inbox::default();
        let (reads, may_read) = watch::channel(true);
        let running = tokio::spawn(run(follower, place, may_read, numbers.clone(), notes.clone()));
        Self { kind, topics, notes, since, reads, running }
    }

    /// Leaves its connection open and reads nothing more, but for what it may be reading just now.
    pub fn stall(&self) {
        self.reads.send_replace(false);
    }

    /// Reads on after [`Self::stall`].
    pub fn read_again(&self) {
        self.reads.send_replace(true);
    }

    /// Waits until it follows everything.
    ///
    /// # Panics
    /// When it does not within the deadline.
    pub async fn ready(&self) {
        let what = format!("{} follows", self.name());
        self.notes
            .wait(&what, |notes| {
                let is_ready = |topic| notes.iter().any(|note| is_ready_of(note, topic));
                self.topics.iter().all(is_ready).then_some(())
            })
            .await;
    }

    /// Waits until the newest event of each of its topics has come, or a gap that may have taken it.
    ///
    /// # Panics
    /// When neither does within the deadline.
    pub async fn caught_up<'a>(&self, truth: impl Fn(Stream) -> &'a Truth) {
        for topic in &self.topics {
            let Some(wanted) = truth(topic.stream()).last_number(topic) else { continue };
            let what = format!("number {wanted} of {} comes to {}", topic.as_str(), self.name());
            let is_there = |note: &&Note| match note {
                Note::Told(Told::Event { number, .. }, _) => *number == wanted,
                Note::Told(Told::Gap { topic: of, from: None, to: None, .. }, after) => {
                    topic.as_str() == of && *after >= wanted
                }
                _ => false,
            };
            self.notes.wait(&what, |notes| notes.iter().rev().find(is_there).map(|_| ())).await;
        }
    }

    /// Judges what it was told of each topic.
    ///
    /// # Errors
    /// What is wrong, see [`Truth::judge`].
    pub fn judge<'a>(&self, truth: impl Fn(Stream) -> &'a Truth) -> Result<Tally, String> {
        let notes = self.notes.all();
        let mut sum = Tally::default();
        for topic in &self.topics {
            let (start, received) = self.received(topic, &notes);
            let start = start.ok_or_else(|| format!("{} never followed {}", self.name(), topic.as_str()))?;
            let tally = truth(topic.stream()).judge(topic, start, &received);
            let tally = tally.map_err(|wrong| format!("{}: {wrong}\n{}", self.name(), lines(&notes)))?;
            sum.events += tally.events;
            sum.gaps += tally.gaps;
        }
        Ok(sum)
    }

    /// What a report calls it.
    pub fn name(&self) -> String {
        let topics: Vec<&str> = self.topics.iter().map(TopicPattern::as_str).collect();
        format!("the {:?} client of {}", self.kind, topics.join(","))
    }

    /// Where it began with `topic`, and what it received of it.
    fn received(&self, topic: &TopicPattern, notes: &[Note]) -> (Option<Start>, Vec<Received>) {
        let since = self.since.filter(|(stream, _)| *stream == topic.stream());
        let mut start = since.map(|(_, seq)| Start::After(seq));
        let mut received = Vec::new();
        for note in notes {
            let Note::Told(told, after) = note else { continue };
            match told {
                Told::Ready { .. } if is_ready_of(note, topic) => {
                    start.get_or_insert(Start::Now { after: *after });
                }
                Told::Event { topic: of, seq, number } if topic.matches(of) => {
                    received.push(Received::Event { seq: *seq, number: *number });
                }
                Told::Gap { topic: of, from, to, reason } if topic.as_str() == of => {
                    received.push(Received::Gap {
                        from: *from,
                        to: *to,
                        reason: reason.clone(),
                        after: *after,
                    });
                }
                _ => {}
            }
        }
        (start, received)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn lines(notes: &[Note]) -> String {
    notes.iter().map(|note| format!("    {note:?}\n")).collect()
}

fn is_ready_of(note: &Note, topic: &TopicPattern) -> bool {
    matches!(note, Note::Told(Told::Ready { topics, .. }, _) if topics.iter().any(|one| one == topic.as_str()))
}

async fn run(
    mut follower: Follower,
    mut place: watch::Receiver<Option<SocketAddr>>,
    mut may_read: watch::Receiver<bool>,
    numbers: Numbers,
    notes: Inbox<Note>,
) {
    let mut told = Vec::new();
    loop {
        let wanted = *place.borrow_and_update();
        if let Some(addr) = wanted
            && !follower.is_connected()
        {
            notes.push(Note::Came);
            if follower.come(addr).await.is_err() {
                notes.push(Note::Ended);
            }
        }
        let mut pause = (wanted.is_some() && !follower.is_connected()).then_some(RETRY_PAUSE);
        if pause.is_none() {
            tokio::select! {
                moved = place.changed() => {
                    follower.leave();
                    if moved.is_err() {
                        return;
                    }
                }
                is_open = hear(&mut follower, &mut may_read, &mut told) => {
                    pause = (!is_open).then(|| retry_of(&told).unwrap_or(RETRY_PAUSE));
                    let after = numbers.newest();
                    told.drain(..).for_each(|told| notes.push(Note::Told(told, after)));
                    if !is_open {
                        notes.push(Note::Ended);
                    }
                }
            }
        }
        if let Some(pause) = pause {
            // A client that is sent elsewhere does not wait.
            let _ = tokio::time::timeout(pause, place.changed()).await;
        }
    }
}

async fn hear(follower: &mut Follower, may_read: &mut watch::Receiver<bool>, told: &mut Vec<Told>) -> bool {
    // An error means that the client is gone, and its task ends soon.
    let _ = may_read.wait_for(|may| *may).await;
    follower.hear(told).await
}

/// After which time the gateway wants to be asked again.
fn retry_of(told: &[Told]) -> Option<Duration> {
    told.iter().find_map(|told| match told {
        Told::Closing { retry_ms } => retry_ms.map(Duration::from_millis),
        _ => None,
    })
}
