//! One program in the logs of two kernels: the values of which they know different things, and the
//! paths that only one of them walks over.
//!
//! The walks are compared path by path: a step here and a step there are the same if the instructions
//! that lead to them are. So it matters neither in which order the kernels take up branches, nor how
//! they print a state.

mod matching;
mod pairs;
mod result;
mod same;
mod tree;

pub use matching::is_of;
pub use result::{Comparison, Coverage, Differing, Match, Parting, Side, Why};

use super::path::Code;
use pairs::pairs;
use tree::Tree;

/// Compares the logs of two kernels for this program.
pub fn compare<'a>(code: &Code, here: &'a str, there: &'a str) -> Comparison<'a> {
    let program = is_of(code, there);
    let (one, other) = (Tree::new(code, here), Tree::new(code, there));
    let (told_here, told_there) = (one.coverage(), other.coverage());
    let (values, paths) = match program {
        Match::Other(..) => (vec![], vec![]),
        // A log without instructions has nothing to compare.
        _ if one.is_empty() || other.is_empty() => (vec![], vec![]),
        _ => pairs(code, &one, &other, [told_here.whole, told_there.whole]),
    };
    Comparison { program, here: told_here, there: told_there, values, paths }
}
