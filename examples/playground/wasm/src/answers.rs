//! Questions by their name.

use serde_json::{Value as Json, json};

use crate::{explained, lesson, program, running};

/// The answer to a question, both as JSON. What is wrong with a question is in `error` of the answer.
pub fn answer_to(question: &str) -> String {
    let question: Json = match serde_json::from_str(question) {
        Ok(question) => question,
        Err(error) => return json!({"error": error.to_string()}).to_string(),
    };
    let text = |name: &str| question[name].as_str().unwrap_or_default();
    let number = |name: &str| question[name].as_u64().unwrap_or_default();
    let answer = match text("do") {
        "assemble" => Ok(program::assembled(text("text"))),
        "explain" => Ok(explained::logs(text("text"))),
        "lessons" => Ok(lesson::all()),
        "verdict" => lesson::verdict(number("lesson") as usize),
        "check" => lesson::checked(number("lesson") as usize, text("text")),
        "start" => {
            running::start(text("text"), number("program") as usize, text("ctx"), text("log"))
        }
        "start_lesson" => {
            let (lesson, run) = (number("lesson") as usize, number("run") as usize);
            running::start_lesson(text("text"), lesson, run)
        }
        "to" => running::to(number("step")),
        other => Err(format!("nobody answers {other:?}")),
    };
    answer.unwrap_or_else(|error| json!({"error": error})).to_string()
}
