//! Whatever happens to clients, pods, NATS and its streams, what a client received is exact and in order, or it was
//! told what it lost. A seed decides the course; what came of it is judged by `bywash_tests::exact`.
//!
//! `BYWASH_RESUME_SEED=7` repeats one course, `BYWASH_RESUME_SEEDS=50` runs the first fifty (with `cargo test --test
//! e2e resume_property`, which has no limit of time); a few run without either.

use std::net::SocketAddr;

use async_nats::jetstream;
use bywash_tests::course::Course;
use bywash_tests::follower::{Client, Conversation, Follower, Kind, Line, Note, Source, Told};
use bywash_tests::nats::Nats;
use bywash_tests::platform::set_up;
use bywash_tests::service::{Kind as ServiceKind, Service};
use proto_schemas::Stream;
use proto_schemas::event::EPOCH_METADATA;
use tokio::sync::watch;

/// Courses that run where the environment asks for nothing.
const SEEDS: u64 = 3;
/// What events are published on.
const SUBJECTS: [&str; 3] = ["app.a", "app.b", "governor.decisions"];
/// What clients follow; no two topics of one client match the same event.
const FOLLOWED: [&[&str]; 4] =
    [&["app.>", "governor.decisions"], &["app.a", "governor.decisions"], &["app.b", "app.a"], &["app.>"]];
const STREAMS: [Stream; 2] = [Stream::App, Stream::Events];
/// Clients beside the two that watch a pod each.
const CLIENTS: usize = 10;
/// Events published at once, at most.
const BURST_MAX: usize = 30;
/// Some events of each topic; what is older must be read back from NATS.
const RING_BYTES: &str = "4000";

#[derive(Debug, Clone, Copy)]
enum Disaster {
    /// A pod dies and comes back.
    PodDies,
    /// NATS dies and comes back with everything.
    NatsRestarts,
    /// A stream lets its oldest events go.
    StreamIsTrimmed,
    /// NATS dies and comes back with an older state.
    TailIsLost,
    /// A stream is made anew.
    StreamBeginsAnew,
}

/// In an order that the seed decides.
const COURSE: [Disaster; 6] = [
    Disaster::PodDies,
    Disaster::NatsRestarts,
    Disaster::StreamIsTrimmed,
    Disaster::StreamIsTrimmed,
    Disaster::TailIsLost,
    Disaster::StreamBeginsAnew,
];

#[tokio::test]
async fn what_a_client_received_is_exact_or_a_gap_tells_what_it_lost() {
    for mut course in Course::all("BYWASH_RESUME", SEEDS) {
        run(&mut course).await;
    }
}

async fn run(course: &mut Course) {
    let mut world = World::begin(course).await;
    let mut disasters = COURSE;
    world.rng.shuffle(&mut disasters);
    for disaster in disasters {
        world.go_on(3).await;
        world.note(format!("{disaster:?}"));
        match disaster {
            Disaster::PodDies => world.pod_dies().await,
            Disaster::NatsRestarts => world.nats_restarts().await,
            Disaster::StreamIsTrimmed => world.stream_is_trimmed().await,
            Disaster::TailIsLost => world.tail_is_lost().await,
            Disaster::StreamBeginsAnew => world.stream_begins_anew().await,
        }
    }
    world.go_on(3).await;
    world.end().await;
}

/// A client, and who says where it is.
struct Placed {
    client: Client,
    place: watch::Sender<Option<SocketAddr>>,
}

struct World<'a> {
    course: &'a mut Course,
    rng: fastrand::Rng,
    nats: Nats,
    jetstream: jetstream::Context,
    pods: [Service; 2],
    source: Source,
    /// The first two watch a pod each and stay there.
    clients: Vec<Placed>,
}

impl<'a> World<'a> {
    async fn begin(course: &'a mut Course) -> Self {
        let rng = fastrand::Rng::with_seed(course.seed);
        let nats = Nats::start().await;
        set_up(&nats).await;
        let jetstream = jetstream::new(nats.client().await);
        let mut source = Source::new(0);
        source.publish(&jetstream, &SUBJECTS.repeat(3)).await;
        let pods = ["one", "two"].map(|name| {
            let mut pod = Service::new(ServiceKind::PushGateway, &nats.url());
            pod.set("BYWASH_INSTANCE", name).set("BYWASH_RING_BYTES", RING_BYTES);
            pod
        });
        let mut world = Self { course, rng, nats, jetstream, pods, source, clients: Vec::new() };
        for pod in &mut world.pods {
            pod.start().await;
        }
        for index in 0..2 {
            let place = world.pods[index].addr();
            world.add_client(Kind::Sse, FOLLOWED[0], None, place);
        }
        let since = world.since().await;
        for index in 0..CLIENTS {
            let kind = world.kinds()[index % world.kinds().len()];
            let followed = world.rng.choice(FOLLOWED).unwrap();
            // A place in one stream: what else a client follows begins now.
            let since = since.clone().filter(|_| index < 3 && kind != Kind::Centrifugo);
            let place = world.pods[index % 2].addr();
            world.add_client(kind, followed, since, place);
        }
        for placed in &world.clients {
            placed.client.ready().await;
        }
        world
    }

    /// A position without a time cannot tell a stream that lost its end and wrote on from one that did not: where
    /// clients have no other, a lost tail is followed by nothing until they are back.
    fn kinds(&self) -> &'static [Kind] {
        if self.course.seed.is_multiple_of(2) { &[Kind::Sse, Kind::Ws] } else { &Kind::ALL }
    }

    fn note(&mut self, step: String) {
        self.course.note(step);
    }

    /// `since` after the second event of `app.>`, and what that is to the judge.
    async fn since(&self) -> Option<(String, (Stream, u64))> {
        let stream = self.jetstream.get_stream(Stream::App.spec().name).await.unwrap();
        let epoch = &stream.cached_info().config.metadata[EPOCH_METADATA];
        Some((format!("app:{epoch}:2"), (Stream::App, 2)))
    }

    fn add_client(
        &mut self,
        kind: Kind,
        followed: &[&str],
        since: Option<(String, (Stream, u64))>,
        place: SocketAddr,
    ) {
        let topics = followed.iter().map(|&topic| topic.to_owned()).collect();
        let (since, start) = since.unzip();
        let start = start.filter(|_| followed.iter().any(|topic| topic.starts_with("app")));
        let follower = Follower::new(Conversation::new(kind, topics, since), Line::default());
        let (place, is_placed) = watch::channel(Some(place));
        let client = Client::run(follower, start, is_placed, &self.source.numbers);
        self.note(format!("client {}: {} since {start:?}", self.clients.len(), client.name()));
        self.clients.push(Placed { client, place });
    }

    /// Life between disasters: events are published, clients come and go.
    async fn go_on(&mut self, rounds_max: usize) {
        for _ in 0..self.rng.usize(1..=rounds_max) {
            self.publish().await;
            self.move_some();
        }
    }

    async fn publish(&mut self) {
        let count = self.rng.usize(1..=BURST_MAX);
        let subjects: Vec<&str> = (0..count).map(|_| self.rng.choice(SUBJECTS).unwrap()).collect();
        self.source.publish(&self.jetstream, &subjects).await;
        self.note(format!("{count} events up to number {}", self.source.numbers.newest()));
    }

    fn move_some(&mut self) {
        for _ in 0..self.rng.usize(1..=4) {
            let index = self.rng.usize(2..self.clients.len());
            let pod = self.rng.usize(0..3);
            let place = self.pods.get(pod).map(Service::addr);
            self.note(format!("client {index} goes to pod {pod}"));
            self.clients[index].place.send_replace(place);
        }
    }

    async fn pod_dies(&mut self) {
        let index = self.rng.usize(0..2);
        self.pods[index].kill();
        self.note(format!("pod {index} is dead"));
        self.go_on(2).await;
        self.pods[index].start().await;
        self.note(format!("pod {index} is back"));
    }

    async fn nats_restarts(&mut self) {
        self.nats.kill();
        self.move_some();
        let dies = self.rng.bool().then(|| self.rng.usize(0..2));
        if let Some(index) = dies {
            self.note(format!("pod {index} dies as well"));
            self.pods[index].kill();
            // It knows no stream before NATS is back, and clients come to it all the same.
            self.pods[index].listen().await;
            self.move_some();
        }
        self.nats_is_back().await;
        if let Some(index) = dies {
            self.pods[index].ready().await;
        }
    }

    async fn nats_is_back(&mut self) {
        self.nats.restart().await;
        self.jetstream = jetstream::new(self.nats.client().await);
        self.note("NATS is back".to_owned());
    }

    async fn stream_is_trimmed(&mut self) {
        let stream = self.rng.choice(STREAMS).unwrap();
        let Some((first, last)) = self.source.truth(stream).bounds() else { return };
        let to = self.rng.u64(first..=last);
        let of_nats = self.jetstream.get_stream_no_info(stream.spec().name).await.unwrap();
        of_nats.purge().sequence(to + 1).await.unwrap();
        self.source.truth_mut(stream).trim(to);
        self.note(format!("{stream:?} is trimmed up to {to} of {last}"));
    }

    async fn stream_begins_anew(&mut self) {
        let stream = self.rng.choice(STREAMS).unwrap();
        self.jetstream.delete_stream(stream.spec().name).await.unwrap();
        set_up(&self.nats).await;
        self.source.truth_mut(stream).begin_anew();
        self.note(format!("{stream:?} is made anew"));
    }

    async fn tail_is_lost(&mut self) {
        self.nats.kill();
        let older = self.nats.snapshot();
        let ends = STREAMS.map(|stream| self.source.truth(stream).bounds().map_or(0, |(_, last)| last));
        self.nats_is_back().await;
        self.go_on(2).await;
        let careful = self.kinds().contains(&Kind::Centrifugo);
        if careful {
            self.both_pods_have_all().await;
            self.place_centrifugo_clients(false);
        } else if self.rng.bool() {
            self.both_pods_have_all().await;
        }
        let marks: Vec<usize> = self.clients.iter().map(|placed| placed.client.notes.len()).collect();
        self.nats.kill();
        self.nats.restore(&older);
        self.move_some_of_others();
        self.nats_is_back().await;
        for (stream, end) in STREAMS.into_iter().zip(ends) {
            self.source.truth_mut(stream).set_back(end);
            self.note(format!("{stream:?} ends with {end} again"));
        }
        if careful {
            self.watchers_are_told(&marks).await;
            self.place_centrifugo_clients(true);
            self.positions_are_right(&marks, ends).await;
        }
    }

    async fn both_pods_have_all(&mut self) {
        // The first events may come while a pod still finds out about the last disaster.
        for _ in 0..2 {
            self.source.publish(&self.jetstream, &SUBJECTS).await;
            for placed in &self.clients[..2] {
                placed.client.caught_up(|stream| self.source.truth(stream)).await;
            }
        }
        self.note("both pods have seen it all".to_owned());
    }

    /// As [`Self::move_some`], but who has only a position stays away.
    fn move_some_of_others(&mut self) {
        for index in 2..self.clients.len() {
            if self.clients[index].client.kind != Kind::Centrifugo && self.rng.bool() {
                let place = self.pods[self.rng.usize(0..2)].addr();
                self.clients[index].place.send_replace(Some(place));
            }
        }
    }

    fn place_centrifugo_clients(&mut self, anywhere: bool) {
        for placed in self.clients.iter().filter(|placed| placed.client.kind == Kind::Centrifugo) {
            let place = anywhere.then(|| self.pods[self.rng.usize(0..2)].addr());
            placed.place.send_replace(place);
        }
    }

    /// Waits until both pods know what became of the streams.
    async fn watchers_are_told(&self, marks: &[usize]) {
        for (placed, mark) in self.clients[..2].iter().zip(marks) {
            for topic in FOLLOWED[0] {
                let is_gap =
                    |note: &Note| matches!(note, Note::Told(Told::Gap { topic: of, .. }, _) if of == topic);
                let what = format!("{} is told of the lost end of {topic}", placed.client.name());
                let notes = &placed.client.notes;
                notes.wait(&what, |notes| notes[*mark..].iter().any(is_gap).then_some(())).await;
            }
        }
    }

    /// Waits until no client has a position beyond the ends.
    async fn positions_are_right(&self, marks: &[usize], ends: [u64; 2]) {
        for (placed, mark) in self.clients.iter().zip(marks) {
            if placed.client.kind != Kind::Centrifugo {
                continue;
            }
            for topic in &placed.client.topics {
                let end = if topic.stream() == STREAMS[0] { ends[0] } else { ends[1] };
                let what = format!("{} is placed within the {end} events", placed.client.name());
                let newest = |notes: &[Note]| {
                    notes.iter().rev().find_map(|note| match note {
                        Note::Told(Told::Ready { topics, offset, .. }, _)
                            if topics.iter().any(|one| one == topic.as_str()) =>
                        {
                            *offset
                        }
                        _ => None,
                    })
                };
                let is_right = |notes: &[Note]| newest(&notes[*mark..]).filter(|offset| *offset <= end);
                placed.client.notes.wait(&what, is_right).await;
            }
        }
    }

    /// Everybody comes back and gets everything; then each is judged.
    async fn end(mut self) {
        for index in 0..self.clients.len() {
            let place = self.pods[index % 2].addr();
            // Who is there already stays.
            self.clients[index].place.send_if_modified(|now| now.is_none() && now.replace(place).is_none());
        }
        // Who is told of a gap after the first events has the rest still to come; the second ones end that as well.
        for _ in 0..2 {
            self.source.publish(&self.jetstream, &SUBJECTS).await;
            self.note(format!("the last number is {}", self.source.numbers.newest()));
            for placed in &self.clients {
                placed.client.caught_up(|stream| self.source.truth(stream)).await;
            }
        }
        let judge = |placed: &Placed| placed.client.judge(|stream| self.source.truth(stream)).err();
        let wrong: Vec<String> = self.clients.iter().filter_map(judge).collect();
        assert!(wrong.is_empty(), "{} clients were served wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
