//! Every row of RFC 9669: what is then in r0.

use rawbpf::insn::Endian;
use rawbpf::interpret::Input;

use crate::machine;
#[path = "../insn/rows.rs"]
mod rows;
use rows::{Case, ENDED};

#[test]
fn every_instruction_does_what_the_rfc_says() {
    let cases = rows::cases(Endian::HOST);
    assert!(cases.len() > 500, "{}", cases.len());
    let mut wrong = vec![];
    for Case { text, a, b, expected } in &cases {
        let (program, functions) = text.split_once("---").unwrap_or((text, ""));
        let whole = format!(
            ".map in array key 4 value 16 entries 1
            .map out array key 4 value 8 entries 1
            r6 = r1
            r8 = map[in][0]+0
            r0 = *(u64 *)(r8 + 0)
            r1 = *(u64 *)(r8 + 8)
            {program}
            r8 = map[out][0]+0
            *(u64 *)(r8 + 0) = r0
            r0 = 0
            exit
            {functions}"
        );
        let mut machine = machine(&whole, &Input::of("socket_filter", (0..64).collect()));
        let operands = [a.to_ne_bytes(), b.to_ne_bytes()].concat();
        machine.world.update(0, &[0; 4], &operands).unwrap();
        machine.world.update(1, &[0; 4], &ENDED.to_ne_bytes()).unwrap();
        let ended = machine.run(10_000);
        let out = &machine.world.maps[1];
        let result = machine.world.elements(out).next().unwrap().1.to_vec();
        let result = u64::from_ne_bytes(result.try_into().unwrap());
        if ended != Ok(Some(0)) || result != *expected {
            wrong.push(format!(
                "{text}\n  of {a:#x}, {b:#x}: {result:#x}, not {expected:#x}; {ended:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
