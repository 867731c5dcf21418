//! Programs of ours that the running kernel's verifier refuses.

use rawbpf::error::{Error, Failure};
use rawbpf::host::{Attach, AttachKind};
use rawbpf::insn::*;
use rawbpf::session::{self, All, Plan};
use rawbpf::sys::map::{MapSpec, MapType};

/// Why a program at a raw tracepoint is refused.
fn refused(write: impl Fn(&mut Asm)) -> Error {
    // A hash: the kernel knows of an array that a constant key in it is never missing.
    let maps = [MapSpec::new("counts", MapType::Hash, 4, 8, 4)];
    let plans = |_| {
        let mut a = Asm::new();
        write(&mut a);
        let attach = Attach::RawTp("sys_enter".into());
        Ok(vec![Plan { name: "broken", attach, program: a.finish().unwrap() }])
    };
    session::start(&maps, &[AttachKind::RawTp], &plans, &mut All).err().unwrap()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn a_missing_null_check_is_a_sentence_with_the_instructions_behind_it() {
    let error = refused(|a| {
        a.store(u32_at(fp - 4), 0);
        a.mov(r2, fp);
        a.add(r2, -4);
        a.load_map(r1, MapRef(0));
        a.call(helper::MAP_LOOKUP_ELEM);
        a.load(r1, u64_at(r0 + 0));
        a.mov(r0, 0);
        a.exit();
    });
    assert_eq!(error.failure, Failure::Failed);
    let sentence = "the verifier refused the raw_tp program: r0 may be NULL at 6: \
                    bpf_map_lookup_elem at 5 can return NULL";
    assert!(error.what.starts_with(sentence), "{error}");
    let refused = error.refused.unwrap();
    assert!(refused.log.contains("R0 invalid mem access 'map_value_or_null'"));
    let text = refused.render(false);
    println!("{}", refused.render(true));
    let shown = " 6 | (79) r1 = *(u64 *)(r0 +0)\n   |                    ^^ NULL or the address";
    assert!(text.contains(shown), "{text}");
    assert!(text.contains("change: put behind instruction 5: if r0 == 0x0 goto"), "{text}");
    assert!(!text.contains('\x1b') && refused.render(true).contains("\x1b[1;31merror\x1b[0m"));
}

/// More than a million instructions: a log of far more than 16 MiB, and the reason is still told.
#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn an_endless_log_still_has_a_reason() {
    let error = refused(|a| {
        a.mov(r0, 0);
        let turn = a.here();
        a.add(r0, 1);
        a.jump_if(r0, Cond::Lt, 2_000_000, &turn);
        a.exit();
    });
    assert!(error.what.contains("the loop from 1 to 2 has more turns than fit"), "{error}");
}
