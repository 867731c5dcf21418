//! What programs count in the kernel and what is read here, side by side: the layout in a map's value, the
//! instructions that write it, and the code that reads it.
//!
//! A block of instructions is a function with the program first. All its instructions are blamed on the
//! line that called it.
//!
//! | module | what it is for |
//! |---|---|
//! | [`counters`] | counters in an array's only value, and counters by key |
//! | [`buckets`] | ranges of values that are counted together |
//! | [`distribution`] | counts by bucket, sum and extremes, by key |
//! | [`heat`] | the columns of a heat map |
//! | [`slots`] | memory that an address leads to without a search |
//! | [`starts`] | when the requests began that are not over, by their addresses |
//! | [`places`] | the same by where on a disk they are |

pub mod buckets;
pub mod counters;
pub mod distribution;
mod evicted;
pub mod heat;
pub mod places;
pub mod slots;
pub mod starts;

pub use buckets::Buckets;
pub use counters::{Counters, KeyedCounters};
pub use distribution::{Distribution, Distributions, Measured};
pub use places::Places;
pub use starts::Starts;
