//! The verifier's logs of five kernels: 123 programs, most of them refused, at three log levels.
//!
//! `logs.jsonl.xz` has a line of JSON for each program and kernel (Debian's 5.10.223, 6.1.176,
//! 6.12.95 and 6.18.44, and 7.3.4): its bytes, the verdict, and the logs word for word, recorded in
//! virtual machines by BPF_PROG_LOAD. `\n=cut=\n` stands where a log of megabytes was shortened.

mod advice;
mod compare;
mod contexts;
mod costs;
mod diagnoses;
mod explained;
mod hostile;
mod logs;
mod messages;
mod pages;
mod stepping;
mod walks;

use std::io::Cursor;
use std::sync::OnceLock;

use serde_json::Value;

/// One program on one kernel.
pub struct Recorded {
    pub kernel: String,
    pub name: String,
    pub type_: String,
    pub accepted: bool,
    pub errno: i32,
    pub insns: Vec<u8>,
    /// The level and the log.
    pub logs: Vec<(u32, String)>,
}

/// All that was recorded.
pub fn recorded() -> &'static [Recorded] {
    static ALL: OnceLock<Vec<Recorded>> = OnceLock::new();
    ALL.get_or_init(|| {
        let packed = include_bytes!("logs.jsonl.xz");
        let mut lines = vec![];
        lzma_rs::xz_decompress(&mut Cursor::new(packed), &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        lines.lines().map(|line| one(&serde_json::from_str(line).unwrap())).collect()
    })
}

fn one(value: &Value) -> Recorded {
    let text = |key: &str| value[key].as_str().unwrap().to_owned();
    let hex = text("insns");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let logs = value["logs"].as_object().unwrap().iter();
    Recorded {
        kernel: text("kernel"),
        name: text("name"),
        type_: text("type"),
        accepted: value["accepted"].as_bool().unwrap(),
        errno: value["errno"].as_i64().unwrap() as i32,
        insns: (0..hex.len()).step_by(2).map(byte).collect(),
        logs: logs
            .map(|(level, log)| (level.parse().unwrap(), log.as_str().unwrap().to_owned()))
            .collect(),
    }
}
