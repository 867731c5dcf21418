//! What the kernel's verifier says, understood: its log as values, and a refused program diagnosed.
//!
//! | module | what it is for |
//! |---|---|
//! | [`log`] | the log of Linux 5.10 to 7.3, at levels 1, 2 and 4, as a stream of events |
//! | [`causes`] | every way to be refused: cause, explanation, remedy |
//! | [`path`] | the instructions on the way to the refusal, and what was known after each |
//! | [`walk`] | all that was walked over, in its order, and what each instruction changed |
//! | [`history`] | how a value came about: back over the path |
//! | [`diagnose`] | from a program and its log to the cause, the place, the history, the remedy |
//! | [`draw`] | a diagnosis and a walk drawn: as text, as JSON, as a web page, on a terminal |
//! | [`totals`] | how much there was to do |
//! | [`trail`] | the whole walk, to go about in |
//! | [`compare`] | a program in the logs of two kernels: what they know, which paths they walk |
//! | [`pair`] | a program here and in a file of another kernel's logs |
//! | [`recording`] | the files that hold logs |
//! | [`verification`] | a program with what the verifier said of it |
//! | [`verified`] | that with the program's name and verdict |
//!
//! Nothing here does I/O. A log is text from outside: whatever it holds, reading it ends, in time
//! linear in its length, and never panics.

pub mod causes;
pub mod compare;
pub mod diagnose;
pub mod draw;
pub mod history;
pub mod log;
pub mod pair;
pub mod path;
pub mod recording;
pub mod totals;
pub mod trail;
pub mod verification;
pub mod verified;
pub mod walk;
