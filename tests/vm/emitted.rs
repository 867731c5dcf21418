//! Objects that `asm` makes for either byte order. The guest's part is `guest/tools/emitted.sh`.

use std::fs;
use std::io::{self, Error};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bed::Outcome;

/// This host's, of both orders.
pub fn write(folder: &Path, text: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::copy(text, folder.join("emitted.bpf"))?;
    for order in ["little", "big"] {
        let mut asm = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
        let asm = asm.args(["asm", "emitted.bpf", "--emit", "elf", "--endian", order, "-o"]);
        if !asm.arg(format!("{order}.o")).current_dir(folder).status()?.success() {
            return Err(Error::other("asm failed"));
        }
    }
    Ok(())
}

/// The guest makes the same objects, so that the one for the other order is loaded as well by a guest of that order;
/// it runs the one of its own, and says of the other why it cannot.
fn either(outcome: &Outcome, own: &str, other: &str) {
    for order in [own, other] {
        assert_eq!(outcome.told(&format!("same {order} ")), "0");
    }
    let ran = outcome.told(&format!("{own} ")).strip_prefix("0 ").expect("it runs");
    let line: Value = serde_json::from_str(ran).unwrap();
    assert_eq!(line["returned"], 1, "{line}");
    let rows: Vec<_> =
        line["tables"].as_array().unwrap().iter().map(|table| &table["rows"][0]).collect();
    assert_eq!(
        json!(rows),
        json!([{"labels": {"key": 5}, "value": 7}, {"labels": {"key": 0}, "value": [0, 1]}])
    );
    let refused = outcome.told(&format!("{other} "));
    assert!(refused.starts_with("2 ") && refused.contains("byte order"), "{refused}");
}

pub fn little(outcome: &Outcome) {
    either(outcome, "little", "big");
}

pub fn big(outcome: &Outcome) {
    either(outcome, "big", "little");
}
