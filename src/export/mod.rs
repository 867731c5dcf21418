//! Samples for other programs.
//!
//! | module | what it is for |
//! |---|---|
//! | [`json`] | a line of JSON for a run, and one for each sample |
//! | [`metrics`] | what a run counted since its start, by labels and in base units |
//! | [`otlp`] | metrics in the protocol of OpenTelemetry |
//! | [`prometheus`] | metrics in Prometheus' text formats |
//! | [`script`] | a line of JSON for each thing that a script prints |

pub mod json;
pub mod metrics;
pub mod otlp;
pub mod prometheus;
pub mod script;
