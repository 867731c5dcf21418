//! The walk in each log: nothing of it is lost, and no path runs into another.

use std::convert::Infallible;

use rawbpf::insn::{Asm, r1, r3, u64_at};
use rawbpf::verifier::log::{LogEvent, Place, Statistic, events};
use rawbpf::verifier::path::Code;
use rawbpf::verifier::walk::{Entry, walk};

use crate::{Recorded, recorded};

/// The level 2 logs that nobody shortened.
fn logs() -> impl Iterator<Item = (&'static Recorded, &'static str)> {
    let all = recorded().iter().flat_map(|one| one.logs.iter().map(move |log| (one, log)));
    let whole = all.filter(|(_, (level, log))| *level == 2 && !log.contains("\n=cut=\n"));
    whole.map(|(one, (_, log))| (one, log.as_str()))
}

fn entries(one: &Recorded, log: &'static str) -> Vec<Entry<'static>> {
    let mut all = vec![];
    let code = Code::from_bytes(&one.insns);
    walk::<Infallible>(&code, log, &mut |entry| {
        all.push(entry);
        Ok(())
    })
    .unwrap();
    all
}

#[test]
fn it_is_as_long_as_the_kernel_counted() {
    let mut compared = 0;
    for (one, log) in logs() {
        let processed = events(log).find_map(|event| match event {
            LogEvent::Statistic(Statistic::Processed(processed)) => Some(processed.insns),
            _ => None,
        });
        let entries = entries(one, log);
        let walked = |entry: &&Entry| matches!(entry, Entry::Step(_) | Entry::Safe { .. });
        let walked = entries.iter().filter(walked).count() as u32;
        let Some(processed) = processed else { continue };
        // The kernel counts an instruction before it finds that there is none to walk over.
        let missing = processed - walked;
        assert!(
            missing <= u32::from(!one.accepted),
            "{} {}: {processed} {walked}\n{log}",
            one.kernel,
            one.name
        );
        compared += 1;
    }
    assert!(compared > 400, "{compared}");
}

/// Behind an instruction kernels know the same of r0, however they print it.
#[test]
fn of_accepted_programs_kernels_tell_the_same_r0() {
    // Linux 7.3 does not speak of a value that nobody reads.
    let all: Vec<_> = logs().filter(|(one, _)| one.accepted && one.kernel != "7.3").collect();
    let r0 = |one: &Recorded, log| -> Vec<(u32, bool)> {
        let known = entries(one, log).into_iter().filter_map(|entry| match entry {
            Entry::Step(step) => {
                Some((step.at, step.known.iter().any(|(place, _)| *place == Place::Register(0))))
            }
            _ => None,
        });
        known.collect()
    };
    for name in ["ok_map_counter", "ok_packet_bounds", "ok_return0", "ok_subprog"] {
        let mut kernels = all.iter().filter(|(one, _)| one.name == name);
        let (first, log) = kernels.next().expect(name);
        let expected = r0(first, log);
        assert!(expected.iter().any(|(_, known)| *known), "{name}");
        for (other, log) in kernels {
            assert_eq!(r0(other, log), expected, "{name}: {} {}", first.kernel, other.kernel);
        }
    }
}

/// Of a tracing program the kernel says first which type an argument has, then what is known of it.
#[test]
fn what_is_known_behind_an_instruction_may_follow_a_remark() {
    let mut a = Asm::new();
    a.load(r3, u64_at(r1 + 0));
    a.exit();
    let code = Code::of(a.finish().unwrap().insns());
    let log = "0: R1=ctx() R10=fp0\n\
               0: (79) r3 = *(u64 *)(r1 +0)\n\
               func 'block_rq_issue' arg0 has btf_id 12833 type STRUCT 'request'\n\
               1: R1=ctx() R3=trusted_ptr_request() R10=fp0\n\
               1: (95) exit\n";
    let mut changes: Vec<Vec<Place>> = vec![];
    let mut told = vec![];
    walk::<Infallible>(&code, log, &mut |entry| {
        told.push(match entry {
            Entry::Begin { .. } => "begin",
            Entry::Said(_) => "said",
            Entry::Step(step) => {
                changes.push(step.changes.iter().map(|(place, _)| *place).collect());
                "step"
            }
            _ => "more",
        });
        Ok(())
    })
    .unwrap();
    assert_eq!(told, ["begin", "step", "said", "step"]);
    assert_eq!(changes, [vec![Place::Register(3)], vec![]]);
}

/// A store of four bytes keeps what is known of the number, above what was in the slot.
#[test]
fn a_number_in_half_a_slot_is_known() {
    let log = "0: R1=ctx() R6=fp-40 R10=fp0\n\
               0: (63) *(u32 *)(r6 +8) = r0         ; R0=scalar() R6=fp-40 fp-32=????scalar(umax=9)\n\
               1: (62) *(u32 *)(r6 +0) = 7          ; R6=fp-40 fp-40=mmmm7\n";
    let known = events(log).filter_map(|event| match event {
        LogEvent::Insn { state: Some(state), .. } => {
            state.values().find(|(place, _)| matches!(place, Place::Stack(_)))
        }
        _ => None,
    });
    let known: Vec<_> = known.map(|(place, value)| (place, value.bounds().umax)).collect();
    assert_eq!(known, [(Place::Stack(-32), 9), (Place::Stack(-40), 7)]);
}
