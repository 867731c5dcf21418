//! The verifier's totals: the statistics at the end of its log (levels with 4; Linux 5.2).

use std::fmt;

use super::log::{LogEvent, Processed, Statistic, events};

/// The verifier's totals for a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals<'a> {
    /// Instructions and states.
    pub processed: Option<Processed>,
    /// Bytes of stack, for each function that is verified separately: `32+0`.
    pub stack: Option<&'a str>,
    /// The time of the verification, in microseconds.
    pub microseconds: Option<u64>,
}

impl<'a> Totals<'a> {
    /// The totals in a log.
    pub fn of(log: &'a str) -> Totals<'a> {
        let mut totals = Totals::default();
        for event in events(log) {
            match event {
                LogEvent::Statistic(Statistic::Processed(processed)) => {
                    totals.processed = Some(processed);
                }
                LogEvent::Statistic(Statistic::StackDepth(stack)) => totals.stack = Some(stack),
                LogEvent::Statistic(Statistic::Time(time)) => totals.microseconds = Some(time),
                _ => {}
            }
        }
        totals
    }
}

impl fmt::Display for Totals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Processed { insns, limit, states, peak_states, states_per_insn, .. }) =
            self.processed
        else {
            return f.write_str("the kernel gave no totals");
        };
        write!(
            f,
            "processed {insns} of {limit} instructions, {states} states (peak {peak_states}, at most \
             {states_per_insn} at an instruction)"
        )?;
        if let Some(stack) = self.stack {
            write!(f, ", stack {stack} bytes")?;
        }
        self.microseconds.map_or(Ok(()), |time| write!(f, ", {time} us"))
    }
}
