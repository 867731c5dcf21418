//! The fields of programs' contexts, and what their types may do with them, as this kernel has it.

use rawbpf::insn::{Endian, encode};
use rawbpf::sys::{AttachType, Load, ProgramType, prog};
use rawbpf::verifier::diagnose::contexts::{Field, fields};

fn accepted(kind: &str, line: &str) -> bool {
    let source = rawbpf::insn::parse("field", &format!("{line}\nr0 = 1\nexit\n")).unwrap();
    let slots = encode(source.programs[0].program.insns(), Endian::HOST);
    let number = ProgramType::NAMES.iter().zip(1..).find(|(name, _)| **name == kind).unwrap().1;
    // What some may, not all, depends on where they are attached.
    let attach: &[u32] = match kind {
        "cgroup_sock_addr" => &[10, 11, 14, 15],
        "cgroup_sock" => &[2, 12, 13, 34],
        "cgroup_sockopt" => &[21, 22],
        "sk_lookup" => &[36],
        "netfilter" => &[45],
        _ => &[0],
    };
    attach.iter().any(|attach| {
        let load = Load::new(ProgramType::from_raw(number).unwrap());
        let expected_attach_type = AttachType::from_raw(*attach);
        prog::load(&Load { insns: &slots, expected_attach_type, ..load }).is_ok()
    })
}

#[test]
#[ignore = "loads programs, which needs root"]
fn a_field_may_be_read_and_written_where_the_table_says_so() {
    let mut wrong = String::new();
    for kind in ProgramType::NAMES.iter().filter(|kind| fields(kind).is_some()) {
        let (_, fields) = fields(kind).unwrap();
        for Field { name, offset, size, read, write, .. } in fields {
            let place = format!("*(u{} *)(r1 +{offset})", size * 8);
            let reads = accepted(kind, &format!("r0 = {place}"));
            let writes = accepted(kind, &format!("r0 = 0\n{place} = r0"));
            if (reads, writes) != (read, write) {
                wrong += &format!("{kind} {name}: read {reads}, written {writes}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
