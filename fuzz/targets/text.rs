//! A text is programs that read the same once they are printed, or mistakes that are drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::insn::parse;
use rawbpf_fuzz::look;

fuzz_target!(|text: &str| {
    let source = match parse("any", text) {
        Ok(source) => source,
        Err(mistakes) => return look(mistakes.to_string()),
    };
    let maps: Vec<&str> = source.maps.iter().map(|map| map.name.text.as_str()).collect();
    for named in &source.programs {
        let program = &named.program;
        look(program.lines().count() + program.functions().count() + program.notes().len());
        let printed = program.listing(&maps).to_string();
        // Maps are named in lines that stand above the listing.
        if maps.is_empty() && !program.insns().is_empty() {
            let again = parse("printed", &printed).expect(&printed);
            assert_eq!(again.programs[0].program.insns(), program.insns(), "{printed}");
        }
    }
});
