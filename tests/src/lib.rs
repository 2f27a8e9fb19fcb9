//! The parts that the end-to-end tests and the proof share: real processes on free loopback ports, clients of every
//! protocol, and waits that tell what they saw. No test is here, and nothing that a service uses.

pub mod alone;
pub mod collector;
pub mod course;
pub mod dashboard;
pub mod door;
pub mod exact;
mod figure;
pub mod follower;
mod knowledge_bench;
pub mod memory_group;
pub mod nats;
pub mod platform;
pub mod postgres;
pub mod process;
pub mod proof;
pub mod published;
pub mod raw_ws;
pub mod scratch;
pub mod service;
pub mod sse;
pub mod swarm;
mod swarm_process;
pub mod tls;
pub mod wait;
pub mod ws;
