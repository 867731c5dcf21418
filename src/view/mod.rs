//! Pictures: data in, text out.
//!
//! | module | what it is for |
//! |---|---|
//! | [`checks`] | a list of checks: what is there, and what is missing |
//! | [`color`] | the shades of a heat map, for each kind of terminal |
//! | [`frequency`] | counts by name |
//! | [`svg`] | a heat map as a picture for a browser |
//! | [`compared`] | two recordings side by side |
//! | [`dump`] | a program as text, bytes, JSON or a graph |
//! | [`duration`] | durations as text |
//! | [`elements`] | the elements of a map of which only the sizes are known |
//! | [`graph`] | boxes and the jumps between them |
//! | [`heatmap`] | latency over time, as tracex3 drew it |
//! | [`histogram`] | counts in powers of two, as the kernel's first BPF tools drew them |
//! | [`returned`] | what a program returned that was run once |
//! | [`script`] | the values and maps of a script, as bpftrace 0.27 prints them |
//! | [`scale`] | the columns of a heat map |
//! | [`tables`] | a sample: its tables, and what is missing from them |
//! | [`table`] | rows under a header, aligned |
//! | [`wall`] | moments by the wall clock |
//! | [`summary`] | count, average, extremes and percentiles of a distribution |

pub mod checks;
pub mod color;
pub mod compared;
pub mod dump;
pub mod duration;
pub mod elements;
pub mod fitted;
pub mod frequency;
pub mod graph;
pub mod heatmap;
pub mod histogram;
pub mod returned;
pub mod scale;
pub mod script;
pub mod summary;
pub mod svg;
pub mod table;
pub mod tables;
pub mod wall;
