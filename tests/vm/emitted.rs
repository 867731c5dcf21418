//! Objects that `asm` makes for either byte order. The guest's part is `guest/tools/emitted.sh`.

use std::fs;
use std::io::{self, Error};
use std::path::Path;
use std::process::Command;

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

/// The guest makes the same objects, loads the one of its own order, and says of the other why it cannot.
pub fn either(outcome: &Outcome) {
    for order in ["little", "big"] {
        assert_eq!(outcome.told(&format!("same {order} ")), "0");
    }
    let mut loaded = ["little", "big"].map(|order| outcome.told(&format!("{order} ")));
    loaded.sort_unstable();
    let [own, other] = loaded;
    assert!(own.starts_with("0 ") && own.contains("accepted"), "{own}");
    assert!(other.starts_with("2 ") && other.contains("byte order"), "{other}");
}
