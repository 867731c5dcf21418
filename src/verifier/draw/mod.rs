//! What the verifier said, drawn: from a walk or a diagnosis to text.
//!
//! | module | what it is for |
//! |---|---|
//! | [`diagnosis`] | a diagnosis as text, laid out as compilers do |
//! | [`page`] | the walk as a web page |
//! | [`stepper`] | a walk stepped through: from keys to a screen |
//! | [`wording`] | the parts of a walk in words, which all of these share |

pub mod diagnosis;
pub mod page;
pub mod stepper;
pub mod wording;
