//! What the verifier said, drawn: from a walk or a diagnosis to text.
//!
//! | module | what it is for |
//! |---|---|
//! | [`comparison`] | two kernels' verdicts and walks side by side, as text or JSON |
//! | [`diagnosis`] | a diagnosis as text, laid out as compilers do |
//! | [`json`] | the walk as JSON |
//! | [`page`] | the walk as a web page |
//! | [`stepper`] | a walk stepped through: from keys to a screen |
//! | [`text`] | the walk as text |
//! | [`wording`] | the parts of a walk in words, which all of these share |

pub mod comparison;
pub mod diagnosis;
pub mod json;
pub mod page;
pub mod stepper;
pub mod text;
pub mod wording;
