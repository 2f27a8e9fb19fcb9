//! `kill -9` at any moment, under load: every acknowledged write is there, and every event is told once and in order.
//!
//! A seed decides who dies and when. `BYWASH_FAULT_SEED=7` repeats one course, `BYWASH_FAULT_SEEDS=50` runs the first
//! fifty (with `cargo test -p bywash-tests --test knowledge_base faults`, which has no limit of time).

use bywash_tests::course::Course;

use super::world::World;

/// Courses that run where the environment asks for nothing.
const SEEDS: u64 = 1;
/// Faults on a course.
const FAULTS: usize = 6;

fn courses() -> impl Iterator<Item = Course> {
    Course::all("BYWASH_FAULT", SEEDS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_knowledge_base_that_is_killed_loses_no_write_and_repeats_no_event() {
    for mut course in courses() {
        let mut world = World::alone(&mut course).await;
        for _ in 0..FAULTS {
            world.go_on().await;
            world.kill_knowledge_base(0);
            world.start_knowledge_base(0).await;
        }
        world.go_on().await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_while_nats_is_killed_and_every_event_comes_once() {
    for mut course in courses() {
        let mut world = World::alone(&mut course).await;
        for _ in 0..FAULTS {
            world.go_on().await;
            world.kill_nats();
            world.go_on().await;
            world.start_nats().await;
        }
        world.go_on().await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_knowledge_base_and_nats_that_are_killed_together_lose_and_repeat_nothing() {
    for mut course in courses() {
        let mut world = World::alone(&mut course).await;
        for _ in 0..FAULTS / 2 {
            world.go_on().await;
            world.kill_nats();
            world.go_on().await;
            world.kill_knowledge_base(0);
            if world.rng.bool() {
                world.start_knowledge_base(0).await;
                world.go_on().await;
                world.start_nats().await;
            } else {
                world.start_nats().await;
                world.start_knowledge_base(0).await;
            }
        }
        world.go_on().await;
        world.end().await;
    }
}

/// What happens to knowledge bases that share a database.
#[derive(Debug, Clone, Copy)]
enum Fault {
    RelayDies,
    OtherDies,
    BothDie,
    PostgresDies,
    NatsDies,
    PostgresDiesWithTheRelay,
}

/// In an order that the seed decides.
const COURSE: [Fault; FAULTS] = [
    Fault::RelayDies,
    Fault::OtherDies,
    Fault::BothDie,
    Fault::PostgresDies,
    Fault::NatsDies,
    Fault::PostgresDiesWithTheRelay,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_knowledge_bases_their_database_and_nats_any_may_be_killed() {
    for mut course in courses() {
        let mut world = World::shared(&mut course).await;
        let mut faults = COURSE;
        world.rng.shuffle(&mut faults);
        for fault in faults {
            world.go_on().await;
            let relay = world.relay().await;
            match fault {
                Fault::RelayDies | Fault::OtherDies => {
                    let index = if matches!(fault, Fault::RelayDies) { relay } else { 1 - relay };
                    world.kill_knowledge_base(index);
                    world.go_on().await;
                    world.start_knowledge_base(index).await;
                }
                Fault::BothDie => {
                    (0..2).for_each(|index| world.kill_knowledge_base(index));
                    for index in 0..2 {
                        world.start_knowledge_base(index).await;
                    }
                }
                Fault::PostgresDies => world.restart_postgres(),
                Fault::NatsDies => {
                    world.kill_nats();
                    world.go_on().await;
                    world.start_nats().await;
                }
                Fault::PostgresDiesWithTheRelay => {
                    world.kill_knowledge_base(relay);
                    world.restart_postgres();
                    world.start_knowledge_base(relay).await;
                }
            }
        }
        world.go_on().await;
        world.end().await;
    }
}
