//! ELF objects that clang made of `objects/all.c`, which says how.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::rawbpf;

fn objects() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dump/objects")
}

fn dumped(object: &Path, args: &[&str]) -> String {
    let output = rawbpf(&[&["dump", object.to_str().unwrap()][..], args].concat());
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_object_is_shown_by_name_with_its_source() {
    let golden = objects().join("all.txt");
    let shown = dumped(&objects().join("all.o"), &[]);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(golden).unwrap(), "BLESS=1 accepts the change");
}

#[test]
fn the_same_source_reads_the_same_in_big_endian() {
    let (little, big) = (objects().join("all.o"), objects().join("all-big.o"));
    // The content of variables has the object's byte order.
    let code = |object: &Path| {
        let lines = dumped(object, &[]);
        let lines = lines.lines().filter(|line| !line.starts_with(".data "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(code(&big), code(&little));
    assert_ne!(dumped(&big, &["-f", "hex"]), dumped(&little, &["-f", "hex"]));
}

#[test]
fn json_tells_the_same_as_the_text() {
    let all = dumped(&objects().join("all.o"), &["--format", "json"]);
    let names: Vec<Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        names.iter().map(|it| it["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["on_issue", "shared", "own", "drop", "each"]
    );
    assert_eq!(names[0]["section"], "kprobe/blk_mq_start_request");
    assert_eq!(names[0]["license"], "GPL");
    assert_eq!(names[0]["maps"][0]["max_entries"], 1024);
    let read = &names[0]["insns"][1];
    assert_eq!(read["note"], "CO-RE <byte_off> [27] struct request::q (0:1)");
    assert_eq!((read["line"].as_u64(), read["file"].as_str()), (Some(81), Some("./all.c")));
}

#[test]
fn an_object_for_another_machine_is_refused() {
    let mut object = std::fs::read(objects().join("all.o")).unwrap();
    object[18] = 62; // e_machine: x86-64
    let ended = crate::dump(&object, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("another machine (number 62)"), "{}", ended.stderr);
}

/// An instruction as both tell it: opcode, line of source, and what is said of it besides.
#[derive(PartialEq, Debug)]
struct Told {
    function: String,
    code: u64,
    line: Option<u64>,
    relocation: Option<String>,
}

/// What llvm-objdump tells of an object.
fn by_llvm(object: &Path) -> Vec<Told> {
    let output = Command::new("llvm-objdump-19").args(["-dr", "-l"]).arg(object).output().unwrap();
    let mut told: Vec<Told> = vec![];
    let (mut function, mut source) = (String::new(), None);
    for text in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<_> = text.split_whitespace().collect();
        if let Some(name) = text.strip_suffix(">:") {
            function = name.split_once('<').unwrap().1.to_owned();
            source = None;
        } else if let [";", place] = words[..] {
            source = place.rsplit_once(':').and_then(|(_, line)| line.parse().ok());
        } else if text.starts_with('\t') {
            let relocation = text.split_once(":  ").unwrap().1.replace('\t', " ");
            told.last_mut().unwrap().relocation = Some(relocation);
        } else if let Some((slot, rest)) = text.split_once(":\t")
            && slot.trim().parse::<usize>().is_ok()
        {
            let code = u64::from_str_radix(&rest[..2], 16).unwrap();
            let function = function.clone();
            told.push(Told { function, code, line: source, relocation: None });
        }
    }
    told
}

/// What we tell of it; `texts` are our instructions beside it.
fn by_us(object: &Path) -> (Vec<Told>, Vec<String>) {
    let (mut told, mut texts) = (vec![], vec![]);
    for function in dumped(object, &["--format", "json"]).lines() {
        let function: Value = serde_json::from_str(function).unwrap();
        for insn in function["insns"].as_array().unwrap() {
            let note = insn["note"].as_str();
            told.push(Told {
                function: function["name"].as_str().unwrap().to_owned(),
                code: insn["slots"][0]["code"].as_u64().unwrap(),
                line: insn["line"].as_u64(),
                relocation: note.filter(|note| note.starts_with("CO-RE")).map(str::to_owned),
            });
            texts.push(format!("{} {}", insn["text"].as_str().unwrap(), note.unwrap_or_default()));
        }
    }
    (told, texts)
}

#[track_caller]
fn same_as_llvms(object: &Path) {
    let mut theirs = by_llvm(object);
    let (ours, texts) = by_us(object);
    // Ours stand behind the programs that call them.
    let order = ["on_issue", "shared", "own", "drop", "each"];
    theirs.sort_by_key(|told| order.iter().position(|name| *name == told.function));
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 50);
    let mut relocations = 0;
    for ((ours, mut theirs), text) in ours.into_iter().zip(theirs).zip(texts) {
        // What llvm gives as a relocation, we say in the instruction.
        if let Some(symbol) = theirs.relocation.take_if(|it| it.starts_with("R_BPF")) {
            let symbol = symbol.split_once(' ').unwrap().1;
            match symbol {
                ".text" => assert!(text.contains("func[each]") || text == "call own ", "{text}"),
                ".bss" => assert!(text.contains("map[.bss][0]+0 missed"), "{text}"),
                name => assert!(text.contains(name), "{name}: {text}"),
            }
            relocations += 1;
        }
        relocations += usize::from(ours.relocation.is_some());
        assert_eq!(ours, theirs);
    }
    assert!(relocations > 15);
}

#[test]
#[ignore = "needs llvm-objdump: run tests/run"]
fn instructions_lines_and_relocations_are_those_of_llvm() {
    same_as_llvms(&objects().join("all.o"));
    same_as_llvms(&objects().join("all-big.o"));
}

#[test]
#[ignore = "needs clang and llvm-objdump: run tests/run"]
fn what_clang_makes_today_for_each_version_of_the_instructions_is_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for cpu in ["v1", "v2", "v3", "v4"] {
        let object = folder.join(format!("all-{cpu}.o"));
        let clang = Command::new("clang-19")
            .args(["-O2", "-g", "--target=bpfel", &format!("-mcpu={cpu}"), "-c", "all.c", "-o"])
            .arg(&object)
            .current_dir(objects())
            .output()
            .unwrap();
        assert!(clang.status.success(), "{clang:?}");
        let strip = Command::new("llvm-strip-19").arg("-g").arg(&object).status().unwrap();
        assert!(strip.success());
        same_as_llvms(&object);
    }
}

/// Before there was BTF a map was five numbers.
#[test]
#[ignore = "needs clang: run tests/run"]
fn an_object_without_types_is_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, object) = (folder.join("old.c"), folder.join("old.o"));
    let program = r#"
        struct { unsigned type, key_size, value_size, max_entries, flags; } __attribute__((packed))
        counts __attribute__((section("maps"), used)) = { 1, 4, 8, 77, 1 },
        others __attribute__((section("maps"), used)) = { 2, 4, 16, 3 };
        static void *(*lookup)(void *map, void *key) = (void *)1;
        __attribute__((section("socket"), used)) int both(void *ctx)
        {
            int key = 0;
            return lookup(&counts, &key) && lookup(&others, &key);
        }
    "#;
    std::fs::write(&source, program).unwrap();
    let clang = Command::new("clang-19")
        .args(["-O2", "--target=bpfel", "-c"])
        .arg(&source)
        .arg("-o")
        .arg(&object)
        .output()
        .unwrap();
    assert!(clang.status.success(), "{clang:?}");
    let text = dumped(&object, &[]);
    for line in [
        ".map counts hash key 4 value 8 entries 77 flags 0x1\n",
        ".map others array key 4 value 16 entries 3\n",
        ".program both socket_filter\n",
        " r1 = map[counts]\n",
        " r1 = map[others]\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains(';'), "{text}");
}

/// From text to an object, to text, to bytes: the same as from the first text.
#[test]
fn what_is_dumped_of_our_own_object_assembles_to_the_same_bytes() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str| folder.join(format!("dumped-{name}"));
    let (text, object) = (file("bitehist.bpf"), file("bitehist.o"));
    let tool = rawbpf(&["bitehist", "--dump-insns", "--attach", "tracepoint"]).stdout;
    std::fs::write(&text, &tool).unwrap();
    let text = text.to_str().unwrap();
    let made = rawbpf(&["asm", text, "--emit", "elf"]);
    assert!(made.status.success(), "{made:?}");
    std::fs::write(&object, made.stdout).unwrap();
    let again = file("again.bpf");
    std::fs::write(&again, dumped(&object, &["--format", "listing"])).unwrap();
    let hex = |text: &str| rawbpf(&["asm", text, "--emit", "hex"]).stdout;
    assert!(hex(text).len() > 100);
    assert_eq!(hex(again.to_str().unwrap()), hex(text));
}
