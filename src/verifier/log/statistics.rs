//! The statistics that end the log.

use super::words::Words;

/// A line of statistics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Statistic<'a> {
    /// The last line.
    Processed(Processed),
    /// Microseconds that the verifier took (level 4).
    Time(u64),
    /// Bytes of stack of each function, or of the deepest chain of calls since Linux 7.3 (level 4).
    StackDepth(&'a str),
    /// One function's part, as the kernel prints it (level 4, Linux 7.3).
    Function(&'a str),
}

/// How much the verifier processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Processed {
    /// Instructions, each as often as it was walked over.
    pub insns: u32,
    /// The number of instructions at which it gives up.
    pub limit: u32,
    /// States that were kept at one instruction, at most.
    pub states_per_insn: u32,
    /// States that were kept.
    pub states: u32,
    /// States that were kept at one time, at most.
    pub peak_states: u32,
    /// The longest chain of states that a mark was handed through; 0 since Linux 6.18.
    pub mark_read: u32,
}

impl<'a> Statistic<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Statistic<'a>> {
        let mut words = Words(line);
        if words.skip("processed ").is_some() {
            return processed(words).map(Statistic::Processed);
        }
        if words.skip("verification time ").is_some() {
            let usec = words.take(|byte| byte.is_ascii_digit()).parse().ok()?;
            return (words.0 == " usec").then_some(Statistic::Time(usec));
        }
        if words.skip("stack depth ").is_some() {
            let depth = words.skip("max ").map_or(words.0, |()| words.0);
            let numbers = depth.bytes().all(|byte| byte == b'+' || byte.is_ascii_digit());
            return numbers.then_some(Statistic::StackDepth(depth));
        }
        words.skip("subprog ")?;
        words.number()?;
        line.contains(" insns_self ").then_some(Statistic::Function(line))
    }
}

fn processed(mut words: Words) -> Option<Processed> {
    let mut numbers = [0; 6];
    let between = [
        " insns (limit ",
        ") max_states_per_insn ",
        " total_states ",
        " peak_states ",
        " mark_read ",
        "",
    ];
    for (number, behind) in numbers.iter_mut().zip(between) {
        *number = words.number()?;
        words.skip(behind)?;
    }
    let [insns, limit, states_per_insn, states, peak_states, mark_read] = numbers;
    let all = Processed { insns, limit, states_per_insn, states, peak_states, mark_read };
    words.0.trim_end().is_empty().then_some(all)
}
