//! What the builder promises: mistakes are told with the line that made them, jumps arrive.

use rawbpf::insn::Cond::*;
use rawbpf::insn::helper::MAP_LOOKUP_ELEM;
use rawbpf::insn::*;

/// `tests/insn/builder.rs:12`, for a line of this file.
fn at(line: u32) -> String {
    format!("{}:{line}", file!())
}

/// The sentence that a program ends with.
#[track_caller]
fn mistake(a: Asm) -> String {
    a.finish().expect_err("a mistake").to_string()
}

#[track_caller]
fn listed(a: Asm) -> String {
    a.finish().unwrap_or_else(|error| panic!("{error}")).listing(&[]).to_string()
}

/// As many instructions that do nothing.
fn pad(a: &mut Asm, slots: usize) {
    for _ in 0..slots {
        a.mov(r0, 0);
    }
}

#[test]
fn an_empty_program_is_refused() {
    assert_eq!(mistake(Asm::new()), "the program has no instructions");
}

#[test]
fn a_program_that_runs_past_its_end_is_refused_with_its_last_line() {
    let mut a = Asm::new();
    a.exit();
    let last = line!() + 1;
    a.mov(w0, 0);
    let place = at(last);
    assert_eq!(
        mistake(a),
        format!(
            "{place}: the program runs past its last instruction, which must be an exit or a goto"
        )
    );
}

#[test]
fn a_program_may_end_with_a_jump_back() {
    let mut a = Asm::new();
    let top = a.here();
    a.exit();
    a.goto(&top);
    assert_eq!(listed(a), "0: (95) exit\n1: (05) goto pc-2\n");
}

#[test]
fn an_unplaced_label_is_told_with_where_it_was_made_and_used() {
    let mut a = Asm::new();
    let made = line!() + 1;
    let never = a.label();
    let jump = line!() + 1;
    a.goto(&never);
    a.exit();
    let (made, jump) = (at(made), at(jump));
    assert_eq!(mistake(a), format!("{made}: this label is jumped to from {jump} but never placed"));
}

#[test]
fn a_label_that_nothing_jumps_to_need_not_be_placed() {
    let mut a = Asm::new();
    let _spare = a.label();
    a.exit();
    assert_eq!(listed(a), "0: (95) exit\n");
}

#[test]
fn a_jump_past_the_end_is_refused_with_its_line() {
    let mut a = Asm::new();
    let end = a.label();
    let jump = line!() + 1;
    a.jump_if(r1, Eq, 0, &end);
    a.exit();
    a.place(end);
    let jump = at(jump);
    assert_eq!(
        mistake(a),
        format!("{jump}: this jumps to the end of the program, where there is no instruction")
    );
}

#[test]
fn a_label_of_another_program_is_refused_where_it_is_jumped_to() {
    let (mut a, mut other) = (Asm::new(), Asm::new());
    let foreign = other.here();
    a.here();
    let jump = line!() + 1;
    a.goto(&foreign);
    assert_eq!(mistake(a), format!("{}: this label belongs to another program", at(jump)));
}

#[test]
fn a_label_of_another_program_is_refused_where_it_is_placed() {
    let (mut a, mut other) = (Asm::new(), Asm::new());
    let foreign = other.label();
    let _own = a.label();
    let place = line!() + 1;
    a.place(foreign);
    a.exit();
    assert_eq!(mistake(a), format!("{}: this label belongs to another program", at(place)));
}

#[test]
fn an_offset_beyond_16_bits_is_refused_with_its_line() {
    let range = "is out of range, which is -32768 to 32767";
    for offset in [32768, -32769, i32::MAX, i32::MIN] {
        let mut a = Asm::new();
        let mistaken = line!() + 1;
        a.load(r1, u32_at(r2 + offset));
        a.exit();
        let place = at(mistaken);
        assert_eq!(mistake(a), format!("{place}: the offset {offset} {range}"));
    }
    let mut a = Asm::new();
    let mistaken = line!() + 1;
    a.store(u8_at(fp - i32::MIN), r0);
    a.exit();
    let place = at(mistaken);
    assert_eq!(mistake(a), format!("{place}: the offset 2147483647 {range}"));
}

#[test]
fn an_offset_of_16_bits_is_taken_to_its_ends() {
    let mut a = Asm::new();
    a.load(r1, u32_at(r2 + 32767));
    a.lock_add(u64_at(r2 - 32768), r1);
    a.exit();
    let expected = "0: (61) r1 = *(u32 *)(r2 +32767)\n1: (db) lock *(u64 *)(r2 -32768) += r1\n\
                    2: (95) exit\n";
    assert_eq!(listed(a), expected);
}

#[test]
fn the_first_mistake_is_the_one_that_is_told() {
    let mut a = Asm::new();
    let never = a.label();
    a.goto(&never);
    let first = line!() + 1;
    a.load(r1, u8_at(r2 + 40000));
    a.load(r1, u8_at(r2 + 50000));
    assert!(mistake(a).starts_with(&format!("{}: the offset 40000", at(first))));
}

#[test]
fn a_jump_too_far_names_both_ends_and_the_distance() {
    for isa in [Isa::V3, Isa::V4] {
        let mut a = Asm::with_isa(isa);
        let far = a.label();
        let from = line!() + 1;
        a.jump_if(r1, Ne, 0, &far);
        pad(&mut a, 32768);
        a.place(far);
        let to = line!() + 1;
        a.exit();
        let (from, to) = (at(from), at(to));
        let expected = format!(
            "{from}: the jump to {to} spans 32768 instruction slots, more than 16 bits hold"
        );
        assert_eq!(mistake(a), expected);
    }
}

#[test]
fn a_jump_back_too_far_is_refused_with_a_negative_distance() {
    let mut a = Asm::new();
    let top = a.here();
    pad(&mut a, 32768);
    a.goto(&top);
    assert!(mistake(a).contains(" spans -32769 instruction slots"));
}

#[test]
fn a_jump_as_far_as_16_bits_hold_is_made() {
    let mut a = Asm::new();
    let far = a.label();
    let top = a.here();
    a.goto(&far);
    pad(&mut a, 32766);
    a.goto(&top);
    a.place(far);
    a.exit();
    let text = listed(a);
    assert!(text.starts_with("0: (05) goto pc+32767\n"), "{}", &text[..40]);
    assert!(text.contains("\n32767: (05) goto pc-32768\n"));
}

#[test]
fn a_goto_too_far_becomes_gotol_where_the_isa_has_it() {
    let far_jump = |isa| {
        let mut a = Asm::with_isa(isa);
        let (near, far) = (a.label(), a.label());
        a.goto(&near);
        a.place(near);
        a.goto(&far);
        pad(&mut a, 40000);
        a.place(far);
        a.exit();
        a.finish()
    };
    let v4 = far_jump(Isa::V4).expect("gotol reaches it");
    assert_eq!(v4.insns()[0], Insn::Goto { offset: 0 });
    assert_eq!(v4.insns()[1], Insn::Gotol { offset: 40000 });
    assert!(matches!(far_jump(Isa::V3), Err(AsmError::JumpTooFar { distance: 40000, .. })));
}

#[test]
fn jumps_count_a_two_slot_load_twice() {
    let mut a = Asm::new();
    let (forward, out) = (a.label(), a.label());
    let back = a.here();
    a.load_imm64(r1, 1);
    a.jump_if(w1, Sgt, w2, &forward);
    a.load_imm64(r2, 2);
    a.may_goto(&out);
    a.place(forward);
    a.load_map(r3, MapRef(0));
    a.gotol(&back);
    let out = a.place(out);
    a.goto(&out);
    assert_eq!(
        listed(a),
        "0: (18) r1 = 0x1\n\
         2: (6e) if w1 s> w2 goto pc+3\n\
         3: (18) r2 = 0x2\n\
         5: (e5) may_goto pc+3\n\
         6: (18) r3 = map[idx:0]\n\
         8: (06) gotol pc-9\n\
         9: (05) goto pc-1\n"
    );
}

/// The kernel takes slot + immediate + 1 for both, though a load has two slots.
#[test]
fn a_function_is_called_and_loaded_by_its_distance_from_the_first_slot() {
    let mut a = Asm::new();
    let function = a.label();
    a.call_local(&function);
    a.load_func(r2, &function);
    a.exit();
    let function = a.place(function);
    a.load_func(r2, &function);
    a.call_local(&function);
    a.exit();
    assert_eq!(
        listed(a),
        "0: (85) call pc+3\n\
         1: (18) r2 = func[pc+2]\n\
         3: (95) exit\n\
         4: (18) r2 = func[pc-1]\n\
         6: (85) call pc-3\n\
         7: (95) exit\n"
    );
}

#[test]
fn each_instruction_knows_its_slot_and_its_line() {
    let mut a = Asm::new();
    let first = line!() + 1;
    a.load_imm64(r1, 1);
    a.mov(w0, 0);
    a.exit();
    let program = a.finish().expect("no mistake");
    let lines: Vec<(usize, String)> =
        program.lines().map(|(slot, _, line)| (slot, line.to_string())).collect();
    assert_eq!(lines, [(0, at(first)), (2, at(first + 1)), (3, at(first + 2))]);
    assert!(program.lines().map(|(_, insn, _)| insn).eq(program.insns()));
}

#[test]
fn a_program_shows_the_lines_of_the_file_that_it_is_given() {
    static SOURCE: SourceText = rawbpf::source_text!("builder.rs");
    let mut a = Asm::with_source(&SOURCE);
    a.load_imm64(r1, 1); // And a comment.
    rawbpf::aggregate::counters::count_one(&mut a, MapRef(0), 7);
    a.exit();
    let program = a.finish().expect("no mistake");
    let mut texts: Vec<_> = program.lines().map(|(.., line)| line.text).collect();
    texts.dedup();
    let lines = [
        "a.load_imm64(r1, 1); // And a comment.",
        "rawbpf::aggregate::counters::count_one(&mut a, MapRef(0), 7);",
        "a.exit();",
    ];
    assert_eq!(texts, lines.map(Some));
}

#[test]
fn a_source_text_must_be_of_the_file_it_stands_in() {
    use rawbpf::insn::source_text::is_named;
    assert!(["a.rs", "src/a.rs", "src\\a.rs"].into_iter().all(|path| is_named(path, "a.rs")));
    assert!(["b.rs", "src/ba.rs", ".rs", ""].into_iter().all(|path| !is_named(path, "a.rs")));
}

#[test]
fn lines_of_another_file_than_the_given_one_have_no_text() {
    let mut a = Asm::with_source(&super::registers::SOURCE);
    a.exit();
    let program = a.finish().expect("no mistake");
    assert!(program.lines().all(|(.., line)| line.text.is_none()));
}

#[test]
fn all_of_a_block_is_blamed_on_the_line_that_asked_for_it() {
    const FIELD: Field = Field { of: "request", member: "__data_len", offset: Some(44) };
    let mut a = Asm::new();
    let unreadable = a.label();
    let first = line!() + 1;
    a.log2(r1, r2, r3);
    rawbpf::aggregate::counters::count(&mut a, MapRef(0), r4);
    a.read(Access::Probe, r1, u32_at(r6 + FIELD), &unreadable);
    a.read(Access::Typed, r1, u64_at(r6 + FIELD), &unreadable);
    a.place(unreadable);
    a.exit();
    let program = a.finish().expect("no mistake");
    let mut lines: Vec<String> = program.lines().map(|(.., line)| line.to_string()).collect();
    assert!(lines.len() > 30);
    lines.dedup();
    assert_eq!(lines, [0, 1, 2, 3, 5].map(|line| at(first + line)));
}

#[test]
fn maps_become_file_descriptors_and_nothing_else_changes() {
    let mut a = Asm::new();
    a.load_map(r1, MapRef(1));
    a.load_map_value(r2, MapRef(0), 24);
    a.load_imm64(r3, 1);
    a.call(MAP_LOOKUP_ELEM);
    a.exit();
    let program = a.finish().expect("no mistake");
    let loaded = program.with_map_fds(&[30, 31]).expect("two maps");
    let text: Vec<String> = loaded.iter().map(Insn::to_string).collect();
    assert_eq!(text[..3], ["r1 = map[fd:31]", "r2 = map[fd:30][0]+24", "r3 = 0x1"]);
    assert_eq!(loaded[2..], program.insns()[2..]);
    assert_eq!(program.with_map_fds(&[30]), None);
    let listing = program.listing(&["hist", "start"]).to_string();
    assert!(listing.starts_with("0: (18) r1 = map[start]\n2: (18) r2 = map[hist][0]+24\n"));
}

#[test]
fn a_field_of_unknown_offset_is_listed_by_its_name() {
    const FIELD: Field = Field { of: "request", member: "__data_len", offset: None };
    let mut a = Asm::new();
    a.add(r3, FIELD);
    a.load(r3, u32_at(r1 + FIELD));
    a.store(u8_at(r1 + FIELD), 7);
    a.lock_add(u64_at(r1 + FIELD), r2);
    a.add(r3, 0);
    a.exit();
    let program = a.finish().expect("no mistake");
    assert_eq!(program.unresolved(), Some("offsetof(struct request, __data_len)"));
    assert_eq!(
        program.listing(&[]).to_string(),
        "0: (07) r3 += offsetof(struct request, __data_len)\n\
         1: (61) r3 = *(u32 *)(r1 +offsetof(struct request, __data_len))\n\
         2: (72) *(u8 *)(r1 +offsetof(struct request, __data_len)) = 7\n\
         3: (db) lock *(u64 *)(r1 +offsetof(struct request, __data_len)) += r2\n\
         4: (07) r3 += 0\n\
         5: (95) exit\n"
    );
}

#[test]
fn a_field_of_known_offset_is_a_number() {
    const FIELD: Field = Field { of: "request", member: "__data_len", offset: Some(44) };
    let mut a = Asm::new();
    a.add(r3, FIELD);
    a.load(r3, u32_at(r1 + FIELD));
    a.exit();
    let program = a.finish().expect("no mistake");
    assert_eq!(program.unresolved(), None);
    let listing = program.listing(&[]).to_string();
    assert_eq!(listing, "0: (07) r3 += 44\n1: (61) r3 = *(u32 *)(r1 +44)\n2: (95) exit\n");
}

#[test]
fn the_offset_of_a_field_must_fit_too() {
    const FAR: Field = Field { of: "task_struct", member: "thread", offset: Some(40000) };
    let mut a = Asm::new();
    let mistaken = line!() + 1;
    a.load(r3, u32_at(r1 + FAR));
    a.exit();
    assert!(mistake(a).starts_with(&format!("{}: the offset 40000", at(mistaken))));
}

#[test]
fn places_on_the_stack_do_not_overlap_and_are_aligned() {
    let mut a = Asm::new();
    a.frame.place_for_reads();
    let (four, sixteen, one) = (a.frame.place(4), a.frame.place(16), a.frame.place(1));
    a.store(u32_at(four), 1);
    a.store(u64_at(sixteen), 2);
    a.store(u64_at(sixteen + 8), 3);
    a.store(u8_at(one), 4);
    a.load_address(r1, sixteen);
    a.exit();
    assert_eq!(
        listed(a),
        "0: (62) *(u32 *)(r10 -16) = 1\n\
         1: (7a) *(u64 *)(r10 -32) = 2\n\
         2: (7a) *(u64 *)(r10 -24) = 3\n\
         3: (72) *(u8 *)(r10 -40) = 4\n\
         4: (bf) r1 = r10\n\
         5: (07) r1 += -32\n\
         6: (95) exit\n"
    );
}

#[test]
fn more_than_the_stack_holds_is_a_mistake_of_the_line_that_wants_it() {
    for (bytes, fits) in [(8, true), (9, false), (u32::MAX, false)] {
        let mut a = Asm::new();
        a.frame.place(504);
        let mistaken = line!() + 1;
        a.frame.place(bytes);
        a.exit();
        match fits {
            true => drop(a.finish().expect("512 bytes")),
            false => assert!(mistake(a).starts_with(&format!("{}: with this", at(mistaken)))),
        }
    }
}

#[test]
fn a_read_never_overwrites_another_place() {
    let mut a = Asm::new();
    let key = a.frame.place(8);
    let mistaken = line!() + 1;
    read(&mut a);
    a.store(u64_at(key), r1);
    a.exit();
    assert!(mistake(a).starts_with(&format!("{}: a read copies", at(mistaken))));

    let mut a = Asm::new();
    read(&mut a);
    let key = a.frame.place(8);
    a.store(u64_at(key), r1);
    a.exit();
    assert!(listed(a).contains("*(u64 *)(r10 -16) = r1\n"));
}

/// `r1 = *(u32 *)(r6 +0)`
#[track_caller]
fn read(a: &mut Asm) {
    let unreadable = a.label();
    a.read(Access::Probe, r1, u32_at(r6 + 0), &unreadable);
    a.place(unreadable);
}
