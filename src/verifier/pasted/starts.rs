//! Lines that can only be of a verifier's log, wherever they begin.

/// The introductions after which a log begins, in the same line.
pub(super) const INTRODUCTIONS: [&str; 4] =
    ["erifier output: ", "erifier log: ", "erifier error: ", "rror log: "];

/// Where a line of the log begins in a line of text, if it is one that cannot be anything else: an instruction, a
/// state at an instruction, the totals, a remark of tracing back.
pub(super) fn starts(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    // Words and numbers begin after what is neither.
    let begins = |at: usize| at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    let may = |byte: u8| byte.is_ascii_digit() || b"pfrlmvVsLt(".contains(&byte);
    let found =
        (0..bytes.len()).find(|at| may(bytes[*at]) && begins(*at) && is_start(&line[*at..]));
    // After a message it belongs to that.
    found.filter(|at| {
        let before = line[..*at].trim();
        let is_source = before.starts_with(';') || before.contains(" ; ");
        !is_source && (bytes[*at] != b'(' || before.is_empty())
    })
}

/// Whether a line of the log begins here.
pub(super) fn is_start(text: &str) -> bool {
    // A line is not searched to its end from each of its places.
    let near = |words: &str| {
        let bytes = &text.as_bytes()[..text.len().min(300)];
        bytes.windows(words.len()).any(|found| found == words.as_bytes())
    };
    let number = |text: &str| text.bytes().take(8).take_while(u8::is_ascii_digit).count();
    let after = |text: &'_ str, prefix: &str, next: &str| {
        let rest = text.strip_prefix(prefix).unwrap_or_default();
        let digits = number(rest);
        digits > 0 && rest[digits..].starts_with(next)
    };
    let digits = number(text);
    if digits > 0 {
        let Some(rest) = text[digits..].strip_prefix(": ") else { return false };
        return match rest.as_bytes() {
            [b'(', high, low, b')', b' ', ..] => {
                high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
            }
            [b'R', digit, ..] => digit.is_ascii_digit(),
            // Live registers: `.1...5....`.
            [b'.' | b'0'..=b'9', ..] => {
                rest.get(..12).is_some_and(|live| live.ends_with(" ("))
                    && rest.bytes().take(10).all(|byte| byte == b'.' || byte.is_ascii_digit())
            }
            [b'<', ..] => ["<invalid ", "<missing "].iter().any(|word| rest.starts_with(word)),
            _ => rest == "safe" || rest.starts_with("BUG_") || after(rest, "frame", ": "),
        };
    }
    let edge = |text: &str| {
        let both = text.strip_prefix("from ").unwrap_or_default();
        let to = both[number(both)..].strip_prefix(" to ").unwrap_or_default();
        let rest = &to[number(to)..];
        number(both) > 0 && number(to) > 0 && (rest.starts_with(':') || rest.starts_with(" (spec"))
    };
    after(text, "processed ", " insns")
        || edge(text)
        || after(text, "func#", " @")
        || after(text, "last_idx ", " first_idx ")
        || after(text, "verification time ", " usec")
        || after(text, "stack depth ", "")
        || text.starts_with("regs=") && near(" before ")
        || text.starts_with("parent didn't have regs=")
        || text.starts_with("parent already had regs=")
        || text.starts_with("mark_precise: frame")
        || text.starts_with("Live regs before insn:")
        || text.starts_with("topo_order[")
        || text.starts_with("stack use/def subprog#")
        || after(text, "subprog#", ":")
        || is_omission(text)
        || text.starts_with("Validating ") && near("() func#")
}

/// `(646 line(s) omitted)`, as cilium/ebpf writes where it leaves out lines.
pub(super) fn is_omission(text: &str) -> bool {
    text.len() < 60 && text.starts_with('(') && text.contains("line(s) omitted)")
}
