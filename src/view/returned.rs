//! What a program returned that was run once.

const XDP: [&str; 5] =
    [" (XDP_ABORTED)", " (XDP_DROP)", " (XDP_PASS)", " (XDP_TX)", " (XDP_REDIRECT)"];

/// The line of a run: the program's name, its result, what that means to a program of this type, and the time in
/// words after a space.
///
/// ```
/// use rawbpf::view::returned::returned;
///
/// assert_eq!(returned("drop", "xdp", 1, " in 12 ns"), "drop returned 1 (XDP_DROP) in 12 ns");
/// ```
pub fn returned(name: &str, program_type: &str, value: u32, time: &str) -> String {
    let verdict = match program_type {
        "xdp" => XDP.get(value as usize).copied().unwrap_or_default(),
        _ => "",
    };
    format!("{name} returned {value}{verdict}{time}")
}
