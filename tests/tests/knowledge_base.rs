//! The knowledge base as a real process beside a real NATS: what its API answers, and that every change reaches the
//! stream once and in order, or a new epoch says so.

mod knowledge_base {
    mod api_tests;
    mod backup_tests;
    mod bulk_tests;
    mod change_tests;
    mod fail_point_tests;
    mod faults {
        mod disk;
        mod full_disk_tests;
        mod judge;
        mod kill_tests;
        mod world;
        mod writers;
    }
    mod graph_tests;
    mod log;
    mod postgres_tests;
    mod quality_tests;
    mod relay_tests;
    mod search_tests;
    mod start_tests;
    mod trace_tests;
}
