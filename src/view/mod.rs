//! Pictures: data in, text out.
//!
//! | module | what it is for |
//! |---|---|
//! | [`histogram`] | counts in powers of two, as the kernel's first BPF tools drew them |
//! | [`heatmap`] | latency over time, as tracex3 drew it |
//! | [`color`] | the shades of a heat map, by what the terminal can |
//! | [`svg`] | a heat map as a picture for a browser |
//! | [`duration`] | how an interval is written |

pub mod color;
pub mod duration;
pub mod heatmap;
pub mod histogram;
pub mod svg;
