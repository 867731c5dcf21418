//! What to change in a program that was written in C.

use super::Case;
use super::words::Bound;
use crate::insn::{Alu, Callee, Insn, Operand};
use crate::verifier::diagnose::advice::released_by;
use crate::verifier::history::{self, History};
use crate::verifier::source_line::SourceLine;

impl<'a> Case<'a, '_> {
    /// The change in C, with the one in instructions after it, if the program is of C and there is one.
    pub(super) fn in_c(
        &self,
        at: Option<u32>,
        remedy: &str,
        history: &History<'a>,
        lines: &[SourceLine],
    ) -> String {
        // Whoever leaves while something is held is refused for that.
        let index = self.index.unwrap_or(self.path.steps.len());
        let states = self.path.steps[..index].iter().rev().filter_map(|step| step.after);
        let held = states.take(1).any(|state| state.references().is_some());
        let remedy = match held && remedy.contains("goto L") {
            true => &format!("{remedy}; what is held must be released there too"),
            false => remedy,
        };
        let found = at.and_then(|at| self.c_change(at, remedy, history, lines));
        match found {
            Some((line, change)) => {
                format!("{}:{}: {change}; in instructions: {remedy}", line.file, line.line)
            }
            None => remedy.to_owned(),
        }
    }

    fn c_change<'s>(
        &self,
        at: u32,
        remedy: &str,
        history: &History<'a>,
        lines: &'s [SourceLine],
    ) -> Option<(&'s SourceLine, String)> {
        let line = |at: u32| {
            let line = SourceLine::of(lines, at)?;
            let (_, extension) = line.file.rsplit_once('.')?;
            matches!(extension, "c" | "h" | "cc" | "cpp").then_some(line)
        };
        let leave = match self.kind {
            "xdp" => "return XDP_PASS;",
            "sched_cls" | "sched_act" => "return TC_ACT_OK;",
            "cgroup_skb" => "return 1;",
            _ => "return 0;",
        };
        match self.class() {
            "null-not-checked" if remedy.starts_with("use r") => None,
            "null-not-checked" if self.argument_of_global(history).is_some() => {
                let line = line(at)?;
                let (name, _) = pointer(&line.text)?;
                Some((line, format!("before it, `if (!{name}) return 0;`")))
            }
            "null-not-checked" => {
                let step = history.origin()?.step;
                let made = self.path.steps[step].at;
                let line = line(made)?;
                let change = match assigned(&line.text, self.helper(made).map(|helper| helper.name))
                {
                    Some(name) => format!("after it, `if (!{name}) {leave}`"),
                    None if self.checked_before(step).is_some() => format!(
                        "load the pointer once, into a variable: compare that with NULL (`{leave}`), and use it"
                    ),
                    None => format!("compare the result with NULL: if it is NULL, `{leave}`"),
                };
                Some((line, change))
            }
            // Not where a helper takes no packet at all.
            "packet-bounds" if remedy.contains("goto L") || remedy.contains("data_end") => {
                let end = end_of_packet(lines);
                if let Some(bound) = Bound::of(remedy) {
                    return self.c_bound(bound, leave, line(bound.before)?);
                }
                let line = line(at)?;
                let change = match pointer(&line.text) {
                    Some((name, count)) => {
                        format!("before it, `if ((void *)({name} + {count}) > {end}) {leave}`")
                    }
                    None => format!(
                        "before it, compare the pointer plus what is read with {end}, as in \
                         `if ((void *)(p + 1) > {end}) {leave}`"
                    ),
                };
                Some((line, change))
            }
            "not-a-pointer" if remedy.contains("bpf_probe_read_") => {
                let line = line(at)?;
                let field = field(&line.text)?;
                let read = match remedy.contains("bpf_probe_read_kernel") {
                    true => "bpf_probe_read_kernel",
                    false => "bpf_probe_read_user",
                };
                let change = format!(
                    "in place of {field}, a variable x of its type, and before it `{read}(&x, sizeof(x), \
                     &{field});`"
                );
                Some((line, change))
            }
            "reference" => {
                let taken = self.slot("i")?;
                let helper = self.helper(taken).map(|it| it.name).or(self.kfunc(taken))?;
                // What C calls by a macro.
                let called = helper.trim_end_matches("_impl");
                let text = &line(taken)?.text;
                let release = match helper {
                    "bpf_ringbuf_reserve" => {
                        format!("bpf_ringbuf_discard({}, 0)", assigned(text, Some(called))?)
                    }
                    "bpf_ringbuf_reserve_dynptr" => {
                        format!("bpf_ringbuf_discard_dynptr(&{}, 0)", addressed(text)?)
                    }
                    _ => format!("{}({})", released_by(helper)?, assigned(text, Some(called))?),
                };
                Some((line(at)?, format!("on the path to it, `{release};`")))
            }
            "stack-uninit" => {
                let line = line(at)?;
                let what = addressed(&line.text)?;
                let change = format!(
                    "before it, set all bytes of {what}, padding too: `__builtin_memset(&{what}, 0, \
                     sizeof({what}));`"
                );
                Some((line, change))
            }
            "object-bounds" if self.is_empty_length(at) => {
                let (line, length) = (line(at)?, self.register? + 1);
                let name = argument(&line.text, self.helper(at)?.name, length)?;
                Some((line, format!("before it, `if (!({name})) {leave}`")))
            }
            "stack-bounds" if self.helper(at).is_some() && Bound::of(remedy).is_none() => {
                let (line, size) = (line(at)?, self.size("size")?);
                let what = addressed(&line.text)?;
                let change = format!(
                    "make {what} as large as what the call uses, {size} bytes: for a key or a value, the type \
                     that the map has"
                );
                Some((line, change))
            }
            "object-bounds" | "range" | "stack-bounds" => {
                let bound = Bound::of(remedy)?;
                self.c_bound(bound, leave, line(bound.before)?)
            }
            "return-value" => {
                let allowed = remedy.split_once("`r0 = ")?.1.split('`').next()?;
                Some((line(at)?, format!("`return {allowed};`, or another number that is allowed")))
            }
            "uninit-register" if matches!(self.insn(Some(at))?, Insn::Exit) => {
                Some((line(at)?, "end the function with a return of a number".into()))
            }
            _ => None,
        }
    }

    /// How to bound a variable.
    fn c_bound<'s>(
        &self,
        bound: Bound,
        leave: &str,
        line: &'s SourceLine,
    ) -> Option<(&'s SourceLine, String)> {
        let Bound { before, register, last } = bound;
        let is_name =
            |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let (name, last) = match self.helper(before) {
            Some(helper) => (argument(&line.text, helper.name, register), last),
            // An index such as `n - 1` may be folded into the address: the number in the register is n then.
            None => (index(&line.text).filter(is_name), last >> self.shifted(before, register)),
        };
        let Some(name) = name else {
            let change = format!(
                "before it, compare the number that is added, as an unsigned one, with {}, and leave if it is \
                 greater",
                bound.last
            );
            return Some((line, change));
        };
        let is_name = is_name(&name);
        let value = if is_name { name.to_owned() } else { format!("({name})") };
        let compare = format!("`if ((__u64){value} > {last}) {leave}`");
        let mask = is_name && last > 0 && (last as u64 + 1).is_power_of_two();
        Some((
            line,
            match mask {
                true => format!("before it, `{name} &= {last};`, or {compare}"),
                false => format!("before it, {compare}"),
            },
        ))
    }

    /// By how many bits the number in a register was shifted to the left on its way to an instruction, as an
    /// index is that becomes an offset.
    fn shifted(&self, at: u32, register: u8) -> u32 {
        let Some(index) = self.path.steps.iter().rposition(|step| step.at == at) else { return 0 };
        let mut bits = 0i32;
        for step in self.path.steps[..index].iter().rev().take(8) {
            match self.code.insn(step.at) {
                Some(Insn::Alu { op, dst, src: Operand::Imm(by), .. })
                    if dst.number() == register =>
                {
                    match op {
                        Alu::Lsh => bits += by.clamp(0, 63),
                        Alu::Rsh | Alu::Arsh => bits -= by.clamp(0, 63),
                        Alu::And => {}
                        _ => break,
                    }
                }
                Some(Insn::Call(Callee::Local { .. })) | None => break,
                Some(insn) if history::writes(insn, register) => break,
                _ => {}
            }
        }
        u32::try_from(bits).ok().filter(|bits| *bits <= 16).unwrap_or(0)
    }
}

/// A text if it is an expression that can be repeated: names, fields and operators, without calls.
fn plain(text: &str) -> Option<&str> {
    let text = text.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_->. +*&".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && text.len() <= 40 && text.chars().all(fits)).then_some(text)
}

/// The variable that a line gives a value to: that of a call of this function, if the line has one.
fn assigned<'s>(line: &'s str, callee: Option<&str>) -> Option<&'s str> {
    let (left, right) = match callee.and_then(|callee| line.find(callee)) {
        // Other variables of the line get other values.
        Some(call) => {
            let (left, between) = line[..call].rsplit_once('=')?;
            let cast = between.trim();
            let is_cast = cast.starts_with('(') && cast.ends_with(')');
            if !cast.is_empty() && !is_cast {
                return None;
            }
            (left, "")
        }
        None if line.matches(';').count() > 1 => return None,
        None => line.split_once('=')?,
    };
    if right.starts_with('=') || left.ends_with(['!', '<', '>', '=', '+', '-', '|', '&']) {
        return None;
    }
    // A condition may have an assignment in it.
    plain(left.rsplit([' ', '*', '(', '\t', ',', ';', '{']).find(|word| !word.is_empty())?)
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The name at the end of a text.
fn last_name(text: &str) -> Option<&str> {
    let begin = text.rfind(|c| !is_of_name(c));
    plain(&text[begin.map_or(0, |at| at + 1)..])
}

/// What the source calls the end of the packet.
fn end_of_packet(lines: &[SourceLine]) -> &str {
    let names = lines.iter().filter_map(|line| {
        let (before, _) = line.text.split_once("->data_end")?;
        let (before, _) = before.rsplit_once('=')?;
        last_name(before.trim_end())
    });
    { names }.next().unwrap_or("data_end")
}

/// The pointer by which a line reads, and how many of what it points to.
fn pointer(line: &str) -> Option<(&str, u32)> {
    // The context's own fields lead to the packet.
    let mut reads = line.match_indices("->").filter(|(at, _)| {
        let after = &line[at + 2..];
        let end = after.find(|c| !is_of_name(c)).unwrap_or(after.len());
        !matches!(&after[..end], "data" | "data_end" | "data_meta")
    });
    if let Some((at, _)) = reads.next() {
        return Some((last_name(&line[..at])?, 1));
    }
    let (before, rest) = line.split_once('[')?;
    let index: u32 = rest.split_once(']')?.0.trim().parse().ok()?;
    Some((last_name(before)?, index.checked_add(1)?))
}

/// The field that a line reads by a pointer: `t->pid`.
fn field(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("->")?;
    let begin = before.len() - last_name(before)?.len();
    let length = after.find(|c| !is_of_name(c)).unwrap_or(after.len());
    (length > 0).then(|| &line[begin..before.len() + 2 + length])
}

/// The index that a line uses.
fn index(line: &str) -> Option<&str> {
    let (_, rest) = line.rsplit_once('[')?;
    plain(rest.split_once(']')?.0)
}

/// The variable whose address a line passes: the second one of two, since maps come first.
fn addressed(line: &str) -> Option<&str> {
    let words = line.split(['(', ',', ')']);
    let mut passed = words.filter_map(|word| word.trim().strip_prefix('&'));
    let first = passed.next();
    plain(passed.next().or(first)?)
}

/// An argument of a call in a line, counted from 1.
fn argument<'s>(line: &'s str, callee: &str, number: u8) -> Option<&'s str> {
    let (_, rest) = line.split_once(callee)?;
    let rest = rest.trim_start().strip_prefix('(')?;
    let (mut depth, mut from, mut count) = (0, 0, 1);
    for (at, c) in rest.char_indices() {
        match c {
            ')' | ',' if depth == 0 && count == number => return plain(&rest[from..at]),
            ')' if depth == 0 => return None,
            ',' if depth == 0 => (count, from) = (count + 1, at + 1),
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_lines_of_c() {
        let lookup = |line| assigned(line, Some("bpf_map_lookup_elem"));
        assert_eq!(lookup("\tstruct value *v = bpf_map_lookup_elem(&m, &key);"), Some("v"));
        assert_eq!(lookup("__u32 k = 1, *v = bpf_map_lookup_elem(&m, &k);"), Some("v"));
        assert_eq!(
            lookup("__u32 k=1; __u64 *v=(__u64 *)bpf_map_lookup_elem(&m, &k); *v+=1;"),
            Some("v")
        );
        assert_eq!(lookup("int k = 0; use(bpf_map_lookup_elem(&m, &k));"), None);
        assert_eq!(lookup("if (!(v = bpf_map_lookup_elem(&m, &key)))"), Some("v"));
        assert_eq!(lookup("if (a == bpf_map_lookup_elem(&m, &key))"), None);
        assert_eq!(lookup("v = lookup(&m, &key);"), Some("v"));
        assert_eq!(lookup("int k = 0; v = lookup(&m, &k);"), None);
        assert_eq!(assigned("e = bpf_ringbuf_reserve(&rb, sizeof(*e), 0);", None), Some("e"));
        assert_eq!(assigned("if (a == b)", None), None);
        assert_eq!(lookup("bpf_map_lookup_elem(&m, &key);"), None);
        assert_eq!(pointer("if (tcp->dest == 80)"), Some(("tcp", 1)));
        assert_eq!(pointer("if (ports[1] == 80)"), Some(("ports", 2)));
        assert_eq!(pointer("x = data[i];"), None);
        assert_eq!(
            pointer("void *end = (void *)(long)ctx->data_end; x = eth->h;"),
            Some(("eth", 1))
        );
        let line = |text: &str| SourceLine { text: text.to_owned(), ..SourceLine::default() };
        let lines = ["x = 1;", "\tvoid *stop = (void *)(long)ctx->data_end;"].map(line);
        assert_eq!((end_of_packet(&lines), end_of_packet(&lines[..1])), ("stop", "data_end"));
        assert_eq!(field("return t->pid == 1;"), Some("t->pid"));
        assert_eq!(field("return a - b;"), None);
        assert_eq!(index("v->slots[i] += 1;"), Some("i"));
        assert_eq!(index("v->slots[i + 1] += 1;"), Some("i + 1"));
        assert_eq!(index("v->slots[f(i)] += 1;"), None);
        assert_eq!(addressed("v = bpf_map_lookup_elem(&m, &key);"), Some("key"));
        let call = "bpf_probe_read_kernel(e->name, n, (void *)f(p, q));";
        assert_eq!(argument(call, "bpf_probe_read_kernel", 2), Some("n"));
        assert_eq!(argument(call, "bpf_probe_read_kernel", 3), None);
        assert_eq!(argument(call, "bpf_probe_read_kernel", 4), None);
    }
}
