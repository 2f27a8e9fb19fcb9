//! Judges what a client received of one topic against what was published: exact, or with every hole told. Pure.
//!
//! A stream's history may fork: set back to an older state it loses its end and goes on otherwise, made anew it begins
//! again. Each such state is a *version*; a client that was told nothing stays within one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proto_schemas::TopicPattern;

/// Holes and the like that a message names.
const NAMED_MAX: usize = 10;

/// What is published: subject and the publisher's number, which rises over all versions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    topic: String,
    number: u64,
}

/// What a stream held over time.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Never empty.
    versions: Vec<Version>,
}

#[derive(Debug, Clone, Default)]
struct Version {
    /// By sequence, with those that are not kept any more.
    entries: BTreeMap<u64, Entry>,
    /// What is up to here need not be kept.
    trimmed_to: u64,
}

/// Where a client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the present; what is numbered higher than `after` was published later and must come.
    Now {
        /// Highest number given out when the client heard that it follows.
        after: u64,
    },
    /// After this sequence of the first version.
    After(u64),
}

/// What a client received of one topic (as subscribed), in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// An event.
    Event {
        /// Its sequence.
        seq: u64,
        /// Its number.
        number: u64,
    },
    /// It was told that events are lost.
    Gap {
        /// First sequence lost, where told.
        from: Option<u64>,
        /// Last sequence lost, where told.
        to: Option<u64>,
        /// As told.
        reason: String,
        /// Highest number given out when it heard so: what came later must come.
        after: u64,
    },
}

/// What was received, for a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events.
    pub events: u64,
    /// Told gaps.
    pub gaps: u64,
}

impl Default for Truth {
    /// An empty stream.
    fn default() -> Self {
        Self { versions: vec![Version::default()] }
    }
}

impl Truth {
    /// The stream took this.
    pub fn append(&mut self, seq: u64, topic: &str, number: u64) {
        let entry = Entry { topic: topic.to_owned(), number };
        self.newest_mut().entries.insert(seq, entry);
    }

    /// The stream lost everything after `to`.
    pub fn set_back(&mut self, to: u64) {
        let newest = self.newest();
        // A stream that lost nothing is the same one.
        if newest.entries.range(to + 1..).next().is_some() {
            let mut kept = newest.clone();
            kept.entries.split_off(&(to + 1));
            self.versions.push(kept);
        }
    }

    /// The stream was made anew.
    pub fn begin_anew(&mut self) {
        self.versions.push(Version::default());
    }

    /// The stream let everything up to `to` go.
    pub fn trim(&mut self, to: u64) {
        let newest = self.newest_mut();
        newest.trimmed_to = newest.trimmed_to.max(to);
    }

    /// Sequences of the newest version: first and last.
    pub fn bounds(&self) -> Option<(u64, u64)> {
        let newest = &self.newest().entries;
        Some((*newest.first_key_value()?.0, *newest.last_key_value()?.0))
    }

    /// The versions that have what the first one has up to `seq`.
    fn same_up_to(&self, seq: u64) -> Vec<usize> {
        let of = |version: usize| self.versions[version].entries.range(..=seq);
        (0..self.versions.len()).filter(|version| of(*version).eq(of(0))).collect()
    }

    fn newest(&self) -> &Version {
        self.versions.last().expect("there is always a version")
    }

    fn newest_mut(&mut self) -> &mut Version {
        self.versions.last_mut().expect("there is always a version")
    }

    /// The number of the newest entry that a follower of `topic` gets.
    pub fn last_number(&self, topic: &TopicPattern) -> Option<u64> {
        let mut newest = self.newest().entries.values().rev();
        newest.find(|entry| topic.matches(&entry.topic)).map(|entry| entry.number)
    }

    /// Says how often and with what a follower of `topic`, which began at `start` and has come to the newest version's
    /// end, was served, or what is wrong.
    ///
    /// # Errors
    /// A hole or a double that nobody told of, events of another order or of no version, a told gap without a cause.
    pub fn judge(&self, topic: &TopicPattern, start: Start, received: &[Received]) -> Result<Tally, String> {
        let mut judge = Judge::new(self, topic, start);
        for (index, one) in received.iter().enumerate() {
            judge.take(one).map_err(|wrong| {
                let around = &received[index.saturating_sub(4)..(index + 2).min(received.len())];
                format!("{topic:?}, entry {index}: {wrong}; around it: {around:?}", topic = topic.as_str())
            })?;
        }
        judge.end().map_err(|wrong| format!("{:?}, at the end: {wrong}", topic.as_str()))
    }
}

struct Judge<'a> {
    truth: &'a Truth,
    topic: &'a TopicPattern,
    /// Versions that it may be in.
    versions: Vec<usize>,
    /// Last sequence received.
    seq: u64,
    /// It stands nowhere; of what comes, all that is numbered higher must come.
    free_after: Option<u64>,
    /// Ranges of sequences that it was told are lost, since the last event.
    lost: Vec<(u64, u64)>,
    numbers: BTreeSet<u64>,
    tally: Tally,
}

impl<'a> Judge<'a> {
    fn new(truth: &'a Truth, topic: &'a TopicPattern, start: Start) -> Self {
        let (versions, seq, free_after) = match start {
            Start::Now { after } => ((0..truth.versions.len()).collect(), 0, Some(after)),
            Start::After(seq) => (truth.same_up_to(seq), seq, None),
        };
        let (lost, numbers) = (Vec::new(), BTreeSet::new());
        Self { truth, topic, versions, seq, free_after, lost, numbers, tally: Tally::default() }
    }

    fn take(&mut self, received: &Received) -> Result<(), String> {
        match received {
            Received::Event { seq, number } => self.event(*seq, *number),
            Received::Gap { from, to, reason, after } => self.gap(*from, *to, reason, *after),
        }
    }

    fn event(&mut self, seq: u64, number: u64) -> Result<(), String> {
        if !self.numbers.insert(number) {
            return Err(format!("number {number} is a double"));
        }
        if self.free_after.is_none() && seq <= self.seq {
            return Err(format!("sequence {seq} after {}", self.seq));
        }
        if self.lost.iter().any(|(from, to)| (*from..=*to).contains(&seq)) {
            return Err(format!("sequence {seq} was told as lost"));
        }
        let holders: Vec<usize> =
            self.versions.iter().copied().filter(|version| self.holds(*version, seq, number)).collect();
        if holders.is_empty() {
            return Err(format!(
                "number {number} at sequence {seq} is in none of the versions {:?} of {}",
                self.versions,
                self.truth.versions.len()
            ));
        }
        let holes: Vec<(usize, Vec<u64>)> =
            holders.into_iter().map(|version| (version, self.holes(version, Some(seq)))).collect();
        let whole: Vec<usize> =
            holes.iter().filter(|(_, holes)| holes.is_empty()).map(|(version, _)| *version).collect();
        if whole.is_empty() {
            return Err(hole(&holes));
        }
        self.versions = whole;
        self.seq = seq;
        self.free_after = None;
        self.lost.clear();
        self.tally.events += 1;
        Ok(())
    }

    fn gap(&mut self, from: Option<u64>, to: Option<u64>, reason: &str, after: u64) -> Result<(), String> {
        self.tally.gaps += 1;
        match (reason, from, to) {
            ("trimmed", from, Some(to)) => {
                let trimmed_to = self.trimmed_to();
                if to > trimmed_to {
                    return Err(format!("told as trimmed up to {to}, but it was up to {trimmed_to}"));
                }
                // Without a beginning: what was seen itself may have been replaced before it was let go.
                let seen = if self.free_after.is_some() { 0 } else { self.seq };
                let is_right = from.map_or(to >= seen, |from| from <= to && from > seen);
                if !is_right {
                    return Err(format!("{from:?} to {to} is told as lost after {}", self.seq));
                }
                self.lost.push((from.unwrap_or(0), to));
                // Where the stream forked before what it let go, nothing is left to tell the versions apart.
                let trimmed = self.later().filter(|version| self.truth.versions[*version].trimmed_to >= to);
                let trimmed: Vec<usize> =
                    trimmed.filter(|version| !self.versions.contains(version)).collect();
                self.versions.extend(trimmed);
                Ok(())
            }
            ("reset" | "unrecovered", ..) => {
                let is_another = self.later().len() > 1;
                if !is_another && self.trimmed_to() <= self.seq {
                    return Err(format!("told {reason} without a cause"));
                }
                self.versions = self.later().collect();
                self.free_after = Some(self.free_after.unwrap_or(0).max(after));
                // It may have heard of the other stream before, from a pod that knew it earlier than this one.
                self.numbers.clear();
                self.lost.clear();
                Ok(())
            }
            _ => Err(format!("a gap {reason:?} {from:?} {to:?} has no place in an ordered topic")),
        }
    }

    fn end(&mut self) -> Result<Tally, String> {
        let newest = self.truth.versions.len() - 1;
        if !self.versions.contains(&newest) {
            return Err(format!(
                "the stream is at version {newest}, the client at {:?}, untold",
                self.versions
            ));
        }
        let holes = self.holes(newest, None);
        if holes.is_empty() { Ok(self.tally) } else { Err(hole(&[(newest, holes)])) }
    }

    /// The versions that it may be in and all that came after.
    fn later(&self) -> std::ops::Range<usize> {
        self.versions.iter().copied().min().unwrap_or(0)..self.truth.versions.len()
    }

    /// Up to where the stream may have let events go.
    fn trimmed_to(&self) -> u64 {
        self.later().map(|version| self.truth.versions[version].trimmed_to).max().unwrap_or(0)
    }

    fn holds(&self, version: usize, seq: u64, number: u64) -> bool {
        let entry = self.truth.versions[version].entries.get(&seq);
        entry.is_some_and(|entry| entry.number == number && self.topic.matches(&entry.topic))
    }

    /// What should have come before `end`, in that version.
    fn holes(&self, version: usize, end: Option<u64>) -> Vec<u64> {
        let entries = &self.truth.versions[version].entries;
        let from = if self.free_after.is_some() { 0 } else { self.seq + 1 };
        entries
            .range(from..end.unwrap_or(u64::MAX).max(from))
            .filter(|(_, entry)| self.free_after.is_none_or(|after| entry.number > after))
            .filter(|(seq, entry)| {
                let is_told = self.lost.iter().any(|(from, to)| (from..=to).contains(seq));
                self.topic.matches(&entry.topic) && !is_told
            })
            .map(|(seq, _)| *seq)
            .collect()
    }
}

fn hole(holes: &[(usize, Vec<u64>)]) -> String {
    let mut text = String::from("a hole");
    for (version, holes) in holes {
        let named = &holes[..holes.len().min(NAMED_MAX)];
        // Writing to a string cannot fail.
        let _ = write!(text, ", in version {version} {} events: {named:?}", holes.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Start = Start::Now { after: 0 };

    /// Ten events, numbered by their sequences; odd ones on `app.a`, even ones on `app.b`.
    fn truth() -> Truth {
        let mut truth = Truth::default();
        (1..=10).for_each(|seq| truth.append(seq, if seq % 2 == 1 { "app.a" } else { "app.b" }, seq));
        truth
    }

    fn events(seqs: &[u64]) -> Vec<Received> {
        seqs.iter().map(|seq| Received::Event { seq: *seq, number: *seq }).collect()
    }

    fn gap(from: Option<u64>, to: Option<u64>, reason: &str, after: u64) -> Received {
        Received::Gap { from, to, reason: reason.to_owned(), after }
    }

    fn judge(truth: &Truth, topic: &str, start: Start, parts: &[Vec<Received>]) -> Result<Tally, String> {
        truth.judge(&topic.parse().unwrap(), start, &parts.concat())
    }

    #[track_caller]
    fn wrong(result: Result<Tally, String>, why: &str) {
        let error = result.expect_err(why);
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn all_events_of_a_topic_in_order_are_exact() {
        let tally = judge(&truth(), "app.a", NOW, &[events(&[1, 3, 5, 7, 9])]).unwrap();
        assert_eq!(tally, Tally { events: 5, gaps: 0 });
        judge(&truth(), "app.>", Start::After(7), &[events(&[8, 9, 10])]).unwrap();
        judge(&truth(), "app.>", Start::Now { after: 8 }, &[events(&[9, 10])]).unwrap();
        judge(&truth(), "app.>", Start::Now { after: 8 }, &[events(&[6, 7, 8, 9, 10])]).unwrap();
    }

    #[test]
    fn a_hole_that_nobody_told_of_is_found_wherever_it_is() {
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1, 5, 7, 9])]), "a hole, in version 0 1 events: [3]");
        wrong(judge(&truth(), "app.a", NOW, &[events(&[3, 5, 7, 9])]), "a hole");
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1, 3, 5, 7])]), "at the end: a hole");
        wrong(judge(&truth(), "app.>", Start::After(7), &[events(&[9, 10])]), "a hole");
        wrong(judge(&truth(), "app.>", Start::Now { after: 8 }, &[events(&[10])]), "a hole");
        wrong(judge(&truth(), "app.a", NOW, &[]), "a hole");
    }

    #[test]
    fn doubles_and_another_order_and_what_was_never_published_are_found() {
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1, 3, 3, 5, 7, 9])]), "3 is a double");
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1, 5, 3, 7, 9])]), "a hole");
        wrong(judge(&truth(), "app.b", NOW, &[events(&[1, 2, 4, 6, 8, 10])]), "in none of the versions");
        let foreign = vec![Received::Event { seq: 3, number: 4 }];
        wrong(judge(&truth(), "app.>", Start::After(2), &[foreign]), "in none of the versions");
    }

    #[test]
    fn a_trimmed_part_must_be_told_exactly() {
        let mut trimmed = truth();
        trimmed.trim(6);
        let told = vec![gap(Some(2), Some(6), "trimmed", 10)];
        judge(&trimmed, "app.a", NOW, &[events(&[1]), told.clone(), events(&[7, 9])]).unwrap();
        wrong(judge(&trimmed, "app.a", NOW, &[events(&[1]), events(&[7, 9])]), "a hole");
        wrong(judge(&trimmed, "app.a", NOW, &[events(&[1]), told.clone(), events(&[9])]), "a hole");
        wrong(
            judge(&trimmed, "app.a", NOW, &[events(&[1]), told.clone(), events(&[5, 7, 9])]),
            "told as lost",
        );
        wrong(judge(&trimmed, "app.a", NOW, &[events(&[1, 3]), told.clone(), events(&[7, 9])]), "after 3");
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1]), told, events(&[7, 9])]), "it was up to 0");
        let unknown = vec![gap(None, Some(6), "trimmed", 10)];
        judge(&trimmed, "app.a", NOW, &[events(&[1]), unknown.clone(), events(&[7, 9])]).unwrap();
        wrong(judge(&trimmed, "app.a", NOW, &[events(&[1, 3, 5, 7]), unknown.clone()]), "after 7");
        wrong(judge(&trimmed, "app.a", NOW, &[events(&[1]), unknown, events(&[9])]), "a hole");
        let short = vec![gap(Some(2), Some(4), "trimmed", 10)];
        wrong(judge(&trimmed, "app.a", NOW, &[events(&[1]), short, events(&[7, 9])]), "a hole");
    }

    #[test]
    fn a_lost_end_must_be_told_and_what_comes_after_the_word_must_come() {
        let mut forked = truth();
        forked.set_back(4);
        (5..=8).for_each(|seq| forked.append(seq, "app.a", seq + 10));
        let after = |seqs: &[u64]| -> Vec<Received> {
            seqs.iter().map(|seq| Received::Event { seq: *seq, number: seq + 10 }).collect()
        };
        let reset = |after| vec![gap(None, None, "reset", after)];
        judge(&forked, "app.a", NOW, &[events(&[1, 3, 5]), reset(16), after(&[7, 8])]).unwrap();
        judge(&forked, "app.a", NOW, &[events(&[1, 3]), after(&[5, 6, 7, 8])]).unwrap();
        judge(&forked, "app.a", Start::After(3), &[after(&[5, 6, 7, 8])]).unwrap();
        wrong(judge(&forked, "app.a", Start::After(5), &[after(&[6, 7, 8])]), "in none of the versions");
        wrong(judge(&forked, "app.a", NOW, &[events(&[1, 3, 5]), after(&[7, 8])]), "in none of the versions");
        wrong(judge(&forked, "app.a", NOW, &[events(&[1, 3, 5]), reset(15), after(&[7, 8])]), "a hole");
        wrong(judge(&forked, "app.a", NOW, &[events(&[1, 3, 5, 7, 9])]), "untold");
        wrong(judge(&forked, "app.a", NOW, &[events(&[1, 3, 5]), reset(16), after(&[7, 8, 8])]), "double");
    }

    #[test]
    fn a_lost_end_that_was_trimmed_since_must_be_told_without_a_beginning() {
        let mut forked = truth();
        forked.set_back(4);
        (5..=8).for_each(|seq| forked.append(seq, "app.a", seq + 10));
        forked.trim(6);
        let after = [7, 8].map(|seq| Received::Event { seq, number: seq + 10 }).to_vec();
        let told = |from| vec![gap(from, Some(6), "trimmed", 18)];
        judge(&forked, "app.a", NOW, &[events(&[1, 3, 5]), told(None), after.clone()]).unwrap();
        judge(&forked, "app.b", NOW, &[events(&[2, 4]), told(None)]).unwrap();
        wrong(judge(&forked, "app.a", NOW, &[events(&[1, 3]), told(Some(6)), after]), "a hole");
    }

    #[test]
    fn a_stream_made_anew_must_be_told() {
        let mut anew = truth();
        anew.begin_anew();
        anew.append(1, "app.a", 11);
        let first = vec![Received::Event { seq: 1, number: 11 }];
        let all = events(&[1, 3, 5, 7, 9]);
        judge(&anew, "app.a", NOW, &[all.clone(), vec![gap(None, None, "reset", 10)], first.clone()])
            .unwrap();
        wrong(judge(&anew, "app.a", NOW, &[all.clone(), first]), "sequence 1 after 9");
        wrong(judge(&anew, "app.a", NOW, &[all]), "untold");
    }

    #[test]
    fn a_word_without_a_cause_is_wrong() {
        let reset = vec![gap(None, None, "reset", 10)];
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1, 3]), reset]), "without a cause");
        let skipped = vec![gap(Some(4), Some(6), "skipped", 10)];
        wrong(judge(&truth(), "app.a", NOW, &[events(&[1, 3]), skipped]), "no place");
        let mut same = truth();
        same.set_back(10);
        assert_eq!(same.versions.len(), 1, "it lost nothing");
    }
}
