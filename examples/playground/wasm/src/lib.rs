//! What the playground's page asks: questions and answers are JSON in the memory of this module.
//!
//! The page writes a question of `n` bytes to where `room(n)` is, calls `ask()`, which gives the number of bytes
//! of the answer, and reads these from where `answer()` is. Nothing else crosses the border, and the module
//! imports nothing.

mod answers;
mod beside;
mod explained;
mod lesson;
mod program;
mod running;

use std::sync::Mutex;

pub use answers::answer_to;

static QUESTION: Mutex<Vec<u8>> = Mutex::new(vec![]);
static ANSWER: Mutex<Vec<u8>> = Mutex::new(vec![]);

// The page finds these by their names, so no other may have them: of the three names there is one each.

/// Where a question of so many bytes is written.
#[unsafe(no_mangle)]
pub extern "C" fn room(bytes: usize) -> *mut u8 {
    let mut question = QUESTION.lock().expect("there is one thread");
    question.resize(bytes, 0);
    question.as_mut_ptr()
}

/// Answers the question. Returns the length of the answer.
#[unsafe(no_mangle)]
pub extern "C" fn ask() -> usize {
    let question = QUESTION.lock().expect("there is one thread");
    let text = answer_to(&String::from_utf8_lossy(&question));
    let mut answer = ANSWER.lock().expect("there is one thread");
    *answer = text.into_bytes();
    answer.len()
}

/// Where the answer is, until the next question.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    ANSWER.lock().expect("there is one thread").as_ptr()
}
