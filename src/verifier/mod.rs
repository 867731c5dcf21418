//! The verifier's log, read into values, and the diagnosis of a refused program.
//!
//! | module | what it is for |
//! |---|---|
//! | [`log`] | the log of Linux 5.10 to 7.3, at levels 1, 2 and 4, as a stream of events |
//! | [`causes`] | every way to be refused: cause, explanation, remedy |
//! | [`path`] | the instructions on the way to the refusal, and the state after each |
//! | [`walk`] | all that was walked over, in its order, and the changes by each instruction |
//! | [`history`] | how a value came about: back over the path |
//! | [`explain`](mod@explain) | from a text with a log to the explanation, without the program |
//! | [`pasted`] | the logs in a text as people have it |
//! | [`rebuild`](mod@rebuild) | the program that a log shows |
//! | [`diagnose`] | from a program and its log to the cause, the place, the history, the remedy |
//! | [`draw`] | a diagnosis and a walk drawn: as text, as JSON, as a web page, on a terminal |
//! | [`totals`] | how much the verifier had to do |
//! | [`trail`] | the walk in memory, with random access |
//! | [`compare`] | a program in the logs of two kernels: their values, the paths they walk |
//! | [`pair`] | a program here and in a file of another kernel's logs |
//! | [`recording`] | the files that hold logs |
//! | [`verification`] | a program with its source lines and the verifier's log |
//! | [`verified`] | a verification with the program's name and verdict |
//!
//! Nothing here does I/O. A log is text from outside: whatever it holds, reading it ends, in time
//! linear in its length and with at most ten times its memory, and never panics.

pub mod causes;
pub mod compare;
pub mod diagnose;
pub mod draw;
pub mod explain;
mod frames;
pub mod history;
pub mod log;
pub mod pair;
pub mod pasted;
pub mod path;
pub mod rebuild;
pub mod recording;
mod source_line;
pub mod totals;
pub mod trail;
pub mod verification;
pub mod verified;
mod waiting;
pub mod walk;
