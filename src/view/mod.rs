//! Pictures: data in, text out.
//!
//! | module | what it is for |
//! |---|---|
//! | [`histogram`] | counts in powers of two, as the kernel's first BPF tools drew them |
//! | [`summary`] | the line under a histogram: count, average, extremes, percentiles |
//! | [`heatmap`] | latency over time, as tracex3 drew it |
//! | [`color`] | the shades of a heat map, by what the terminal can |
//! | [`summary`] | count, average, extremes and percentiles of a distribution |
//! | [`duration`] | how an interval is written |

pub mod color;
pub mod duration;
pub mod heatmap;
pub mod histogram;
pub mod summary;
