//! Every log is read without a remainder, and means the same however its kernel spells it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rawbpf::insn::Insn;
use rawbpf::verifier::causes;
use rawbpf::verifier::log::{Backtrack, Bounds, KnownValue, LogEvent, Statistic, events, missing};
use rawbpf::verifier::path::Code;

use crate::{Recorded, recorded};

/// The parts of a log that was shortened, or the whole.
fn parts(log: &str) -> Vec<&str> {
    log.split("\n=cut=\n").collect()
}

/// What is known in an event, in its states.
fn values<'a>(event: &LogEvent<'a>) -> Vec<KnownValue<'a>> {
    let state = match *event {
        LogEvent::Insn { state, .. } | LogEvent::Edge { state, .. } => state,
        LogEvent::State { state, .. } | LogEvent::Loop { state, .. } => Some(state),
        LogEvent::Backtrack(Backtrack::Parent { state, .. }) => state,
        _ => None,
    };
    state.iter().flat_map(|state| state.values()).map(|(_, value)| value).collect()
}

fn find<'a>(all: &'a [Recorded], kernel: &str, name: &str, level: u32) -> &'a str {
    let mut named = all.iter().filter(|one| one.kernel == kernel && one.name == name);
    &named.next().unwrap().logs.iter().find(|(found, _)| *found == level).unwrap().1
}

const KERNELS: [&str; 5] = ["5.10", "6.1", "6.12", "6.18", "7.3"];

#[test]
fn every_log_is_read_without_a_remainder() {
    let all = recorded();
    let programs: BTreeSet<_> = all.iter().map(|one| &one.name).collect();
    assert_eq!((programs.len(), all.len()), (123, 5 * 123));
    // Of the two programs with a million instructions two kernels have only level 4.
    assert_eq!(all.iter().map(|one| one.logs.len()).sum::<usize>(), 3 * all.len() - 8);
    for Recorded { kernel, name, accepted, logs, .. } in all {
        for (level, log) in logs {
            let parts = parts(log);
            for (index, part) in parts.iter().enumerate() {
                let missing = missing(part);
                let cut = parts.len() > 1;
                // Newer kernels keep the end, and of that the beginning is here.
                let head = cut && (index == 1 || !matches!(kernel.as_str(), "5.10" | "6.1"));
                assert_eq!(missing.head, head, "{kernel} {name} {level}");
                assert!(!missing.tail || cut, "{kernel} {name} {level}");
                for event in events(part) {
                    match event {
                        LogEvent::Message(text) => {
                            assert!(!accepted, "{kernel} {name} {level}: {text}");
                            let known = causes::find(text);
                            assert!(known.is_some(), "{kernel} {name} {level}: {text}");
                        }
                        LogEvent::Cut(_) => assert!(cut, "{kernel} {name} {level}"),
                        _ => {}
                    }
                }
            }
        }
    }
}

#[test]
fn every_instruction_is_the_programs_own() {
    for Recorded { kernel, name, insns, logs, .. } in recorded() {
        let code = Code::from_bytes(insns);
        let texts = |insn: Insn| insn.to_string();
        for (level, log) in logs.iter().filter(|(_, log)| !log.contains("=cut=")) {
            for event in events(log) {
                let LogEvent::Insn { at, code: opcode, text, .. } = event else { continue };
                let Some(insn) = code.insn(at) else {
                    // What is no instruction the kernel cannot print either, or in its own way.
                    continue;
                };
                // Maps are addresses there; Linux 7.3 shows what it has made of some conditions.
                let address = matches!(insn, Insn::LoadImm64 { .. });
                let folded = kernel == "7.3" && matches!(insn, Insn::JumpIf { .. });
                if folded {
                    continue;
                }
                assert_eq!(opcode, code.slots()[at as usize].code, "{kernel} {name} {level}");
                if !address {
                    assert_eq!(text, texts(insn), "{kernel} {name} {level}");
                }
            }
        }
    }
}

#[test]
fn every_value_is_of_a_known_type_with_known_attributes() {
    let types = "scalar fp ctx map_ptr map_value map_value_or_null pkt pkt_end ringbuf_mem \
                 ringbuf_mem_or_null alloc_mem alloc_mem_or_null mem mem_or_null";
    let keys = "id ref_obj_id off imm ks vs sz r map smin smax umin umax smin32 smax32 umin32 umax32 \
                var_off smin_value smax_value umin_value umax_value s32_min s32_max u32_min u32_max \
                s32_min_value s32_max_value u32_min_value u32_max_value";
    let types: Vec<_> = types.split_whitespace().collect();
    let keys: Vec<_> = keys.split_whitespace().collect();
    let mut seen = BTreeSet::new();
    for Recorded { kernel, name, logs, .. } in recorded() {
        for (_, log) in logs {
            for value in parts(log).into_iter().flat_map(events).flat_map(|event| values(&event)) {
                if value.bytes.is_none() {
                    assert!(types.contains(&value.type_), "{kernel} {name}: {value:?}");
                    seen.insert(value.type_.to_owned());
                }
                for (key, number) in value.attributes() {
                    assert!(keys.contains(&key), "{kernel} {name}: {key} of {value:?}");
                    let bits = number.strip_prefix("(0x");
                    let number = number.replace('+', "");
                    let decimal = number.trim_start_matches('-').parse::<u64>().is_ok();
                    let hex = number
                        .strip_prefix("0x")
                        .is_some_and(|hex| u64::from_str_radix(hex, 16).is_ok());
                    assert!(bits.is_some() || decimal || hex || key == "map", "{key}={number}");
                }
            }
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}

/// The number in r1 behind `if r1 > 0x7`, in five spellings.
#[test]
fn bounds_are_the_same_in_every_spelling() {
    let all = recorded();
    for kernel in KERNELS {
        let log = find(all, kernel, "path_dependent_oob", 2);
        let bounds: Vec<_> = events(log)
            .filter_map(|event| match event {
                LogEvent::Insn { state, .. } => state,
                LogEvent::State { state, .. } => Some(state),
                _ => None,
            })
            .filter_map(|state| Some(state.register(1)?.bounds()))
            .collect();
        let wanted = Bounds { smin: 0, smax: 7, umin: 0, umax: 7 };
        assert!(bounds.contains(&wanted), "{kernel}: {bounds:?}");
        assert!(bounds.contains(&Bounds { smin: 100, smax: 100, umin: 100, umax: 100 }));
    }
}

/// r1 is traced back from instruction 11 to 7, by bits in hexadecimal or by name.
#[test]
fn backtracking_is_the_same_in_every_spelling() {
    let all = recorded();
    for kernel in KERNELS {
        let log = find(all, kernel, "path_dependent_oob", 2);
        let steps: Vec<_> = events(log)
            .filter_map(|event| match event {
                LogEvent::Backtrack(Backtrack::Before { registers, stack, at, .. }) => {
                    Some((registers, stack, at))
                }
                _ => None,
            })
            .collect();
        assert_eq!(steps, [(2, 0, 9), (2, 0, 8), (2, 0, 7), (2, 0, 10)], "{kernel}");
    }
}

#[test]
fn walks_branches_functions_and_statistics_are_told() {
    let all = recorded();
    for kernel in KERNELS {
        let log = find(all, kernel, "ok_subprog", 2);
        let walked: Vec<_> = events(log)
            .filter_map(|event| match event {
                LogEvent::Insn { at, .. } => Some(at),
                _ => None,
            })
            .collect();
        assert_eq!(walked, [0, 1, 3, 4, 5, 2], "{kernel}");
        let functions = events(log).filter(|event| matches!(event, LogEvent::Function { .. }));
        assert_eq!(functions.count(), 2, "{kernel}");
        let processed = events(log).find_map(|event| match event {
            LogEvent::Statistic(Statistic::Processed(processed)) => Some(processed),
            _ => None,
        });
        assert_eq!(processed.map(|p| (p.insns, p.limit)), Some((6, 1_000_000)), "{kernel}");
        let log = find(all, kernel, "ok_subprog", 4);
        let time = events(log).any(|e| matches!(e, LogEvent::Statistic(Statistic::Time(_))));
        assert!(time, "{kernel}");
        let log = find(all, kernel, "ok_state_pruning", 2);
        let pruned =
            |event| matches!(event, LogEvent::Safe { .. } | LogEvent::Edge { state: None, .. });
        assert!(events(log).any(pruned), "{kernel}");
    }
}

#[test]
fn the_kernels_own_report_is_taken_apart() {
    let all = recorded();
    let log = find(all, "7.3", "path_dependent_oob", 1);
    let report = events(log).find_map(|event| match event {
        LogEvent::Report(report) => Some(report),
        _ => None,
    });
    let report = report.unwrap();
    assert_eq!(report.title(), "Memory Safety: Access outside bounds");
    assert_eq!(report.at(), Some(12));
    assert!(report.section("Reason").unwrap().starts_with("The verifier cannot prove offset"));
    assert!(report.section("Suggestion").unwrap().ends_with("within the object."));
    let path: Vec<_> = report.path().map(|step| (step.at.unwrap(), step.kind)).collect();
    assert_eq!(path, [(5, "update"), (6, "branch"), (8, "branch"), (11, "update")]);
    // With source lines the instruction stands below them.
    let log = find(all, "7.3", "btf_lineinfo_null", 1);
    let at = events(log).find_map(|event| match event {
        LogEvent::Report(report) => report.at(),
        _ => None,
    });
    assert_eq!(at, Some(6));
    let reports = all.iter().flat_map(|one| &one.logs).filter(|(level, log)| {
        *level == 1 && events(log).any(|event| matches!(event, LogEvent::Report(_)))
    });
    assert_eq!(reports.count(), 49);
}

#[test]
fn source_lines_have_their_place_where_the_kernel_tells_it() {
    let all = recorded();
    for kernel in KERNELS {
        let log = find(all, kernel, "btf_lineinfo_null", 1);
        let first = events(log).find_map(|event| match event {
            LogEvent::Source { text, place } => Some((text, place)),
            _ => None,
        });
        let place = (kernel != "5.10" && kernel != "6.1").then_some(("l03.rs", 41));
        assert_eq!(first, Some(("b.st_w(R10, -4, 0);", place)), "{kernel}");
    }
}

#[test]
fn a_log_without_its_beginning_or_end_says_so() {
    let all = recorded();
    let log = find(all, "6.18", "path_dependent_oob", 1);
    let middle = log.find("(85)").unwrap();
    assert!(missing(&log[middle..]).head && !missing(&log[middle..]).tail);
    assert!(!missing(&log[..middle]).head && missing(&log[..middle]).tail);
    assert!(matches!(events(&log[middle..]).next(), Some(LogEvent::Cut(_))));
    assert!(matches!(events(&log[..middle]).last(), Some(LogEvent::Cut(_))));
    assert!(
        !events(&log[middle..])
            .any(|event| matches!(event, LogEvent::Message(text) if text.contains("(85)")))
    );
}

/// Everything that is done with a log.
fn read(log: &str) {
    let mut bytes = 0;
    for event in events(log) {
        for value in values(&event) {
            let _ = (value.bounds(), value.attributes().count());
        }
        if let LogEvent::Report(report) = event {
            let _ = (report.title(), report.at(), report.path().count());
        }
        bytes += 1;
    }
    // A line is at most two events, and there is one for each end.
    assert!(bytes <= 2 * (log.lines().count() + 1));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn words_of_logs_in_any_order_are_read(words in prop::collection::vec(
        prop::sample::select(vec![
            "0: ", "R1", "=", "fp-8", "fp[1]-8", "(", ")", "inv", "P", "scalar", "umax=", ",", "; ", "\n",
            "from ", " to ", ":", " safe", "mark_precise: frame0: ", "regs=", " stack=", " before ", "r1,r99",
            "-8,-999999", "99999999999999999999", "-9223372036854775808", "0x", "ffffffffffffffffff", "(0f) ",
            "Verification failed:", "At:\n", "  >>> 3 | (00)", "       | ^-- ", "processed ", " insns (limit ",
            "caller:", "frame1:", "refs=", "cb", "ä", "func#", "@", "Causal path:", "BUG_", "1 2: ..........",
            "last_idx ", "from 1 to 2: R0=0",
        ]), 0..40)) {
        read(&words.concat());
    }
}
