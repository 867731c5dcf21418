//! What several fuzz targets share.

use std::convert::Infallible;
use std::hint::black_box;

use rawbpf::host::KernelTypes;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::recording::Verdict;
use rawbpf::verifier::verification::Verification;
use rawbpf::verifier::verified::Verified;
use rawbpf::verifier::walk::{Entry, walk};

/// A program and a log, which need not be its own.
pub struct Input {
    /// Both, refused if the log says so.
    pub verified: Verified,
    /// What follows the log after a byte 255: another log, or keys.
    pub more: Vec<u8>,
}

impl Input {
    /// The first byte is how many slots the program has; the log is what comes after them.
    pub fn new(data: &[u8]) -> Option<Input> {
        let (&slots, rest) = data.split_first()?;
        let (program, rest) = rest.split_at_checked(8 * usize::from(slots))?;
        let mut parts = rest.splitn(2, |byte| *byte == 255);
        let log = text(parts.next().unwrap_or_default());
        let more = parts.next().unwrap_or_default().to_vec();
        let refused = Verdict::of(&log) == Verdict::Refused;
        let (code, maps) = (Code::from_bytes(program), vec!["hist".to_owned()]);
        let program = Verification { maps, ..Verification::of_log(code, log) };
        let (name, kind, place) = ("any".to_owned(), "xdp".to_owned(), String::new());
        let verified = Verified { name, kind, place, program, totals_only: false, refused };
        Some(Input { verified, more })
    }

    /// Hands over the walk, part by part.
    pub fn walk<'a>(&'a self, mut entry: impl FnMut(&Entry<'a>)) {
        let program = &self.verified.program;
        let Ok(()) = walk::<Infallible>(&program.code, &program.log, &mut |each| {
            entry(&each);
            Ok(())
        });
    }
}

/// Has a value made that nobody reads.
pub fn look<T>(value: T) {
    black_box(value);
}

/// Bytes as text; what is no UTF-8 becomes a replacement character.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Types that are the same on every host: those of an object.
pub fn types() -> KernelTypes {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/dump/objects/all.o");
    KernelTypes::new(Some(object.as_ref())).expect("an object with types")
}
