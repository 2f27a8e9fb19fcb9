//! The Helm chart, the plain manifests, the Dockerfile and the dashboard: each compared with the parts it speaks of,
//! and every pod started as it is rendered.
//!
//! No cluster and no container engine: `helm`, the published Kubernetes schemas, a linter and Linux namespaces.

mod chart {
    pub mod cluster;
    pub mod dockerfile;
    pub mod render;
    pub mod sandbox;
    pub mod security;
    pub mod workload;

    mod image_tests;
    mod manifest_tests;
    mod pod_tests;
    mod settings_tests;
}
