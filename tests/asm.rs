//! From text to bytes and objects, as anybody may use it: and what llvm, bpftool and libbpf make of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use goblin::elf::Elf;
use goblin::elf::reloc::Reloc;

const RAWBPF: &str = env!("CARGO_BIN_EXE_rawbpf");

/// Every kind of reference that an object can hold.
const DROP: &str = "\
.program drop xdp
.license \"GPL\"
.map seen hash key 4 value 8 entries 16 flags 1
.map count array key 4 value 16 entries 1
        r6 = map[count][0]+8
        r1 = 1
        lock *(u64 *)(r6 + 0) += r1
        *(u32 *)(fp - 4) = 5
        *(u64 *)(fp - 16) = 7
        r1 = map[seen]
        r2 = fp
        r2 += -4
        r3 = fp
        r3 += -16
        r4 = 0
        call bpf_map_update_elem
        r1 = 3
        r2 = func[each]
        r3 = 0
        r4 = 0
        call bpf_loop
        call twice
        r0 += -3                ; XDP_DROP
        exit
twice:  r0 = 1
        call once
        r0 += r0
        exit
once:   r0 = 2
        exit
each:   r0 = 0
        exit
";

fn asm(text: &str, args: &[&str]) -> Output {
    let mut command = Command::new(RAWBPF);
    command.arg("asm").arg("-").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn assembled(text: &str, args: &[&str]) -> Vec<u8> {
    let output = asm(text, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
    assert_eq!(stderr, "");
    output.stdout
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("rawbpf-asm-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn bytes_are_written_in_the_order_that_is_asked_for() {
    let source = "r1 = 0x11223344\nif r1 > 5 goto +1\nexit\nexit";
    let little = "b7 01 00 00 44 33 22 11\n25 01 01 00 05 00 00 00\n";
    let big = "b7 10 00 00 11 22 33 44\n25 10 00 01 00 00 00 05\n";
    assert!(text(assembled(source, &["--endian", "little"])).starts_with(little));
    assert!(text(assembled(source, &["--endian", "big"])).starts_with(big));
    let raw = assembled(source, &["--emit", "raw", "--endian", "big"]);
    assert_eq!(raw[..8], [0xb7, 0x10, 0, 0, 0x11, 0x22, 0x33, 0x44]);
    let c = text(assembled(".program a-b xdp\nexit", &["--emit", "c", "--endian", "little"]));
    assert_eq!(
        c,
        "static const unsigned char a_b[8] = {\n\t0x95, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,\n};\n"
    );
    let json: serde_json::Value =
        serde_json::from_slice(&assembled(DROP, &["--emit", "json"])).unwrap();
    assert_eq!((&json["name"], &json["license"]), (&"drop".into(), &"GPL".into()));
    assert_eq!(json["maps"][0]["flags"], 1);
    assert_eq!(
        (&json["insns"][1]["line"], &json["insns"][1]["source"]),
        (&6.into(), &"r1 = 1".into())
    );
}

#[test]
fn what_every_tool_dumps_is_assembled_to_the_same_bytes() {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        eprintln!("skipped: this host has no BTF, and the bytes cannot be told");
        return;
    }
    for tool in ["bitehist", "bitesize", "biolatency", "bioheat"] {
        for kind in ["kprobe", "tp_btf", "raw_tp"] {
            let dump = |format: &str| {
                let format = format!("--dump-insns={format}");
                let output = Command::new(RAWBPF).args([tool, "--attach", kind, &format]).output();
                output.unwrap().stdout
            };
            let raw = dump("raw");
            assert!(!raw.is_empty(), "{tool} {kind}");
            for format in ["listing", "opcodes", "linum"] {
                let dumped = text(dump(format));
                assert_eq!(assembled(&dumped, &["--emit", "raw"]), raw, "{tool} {kind} {format}");
            }
            let listing = text(dump("listing"));
            assert_eq!(text(assembled(&listing, &["--emit", "listing"])), listing);
        }
    }
}

#[test]
fn what_is_wrong_is_said_on_stderr_and_nothing_is_written() {
    let folder = Folder::new("wrong");
    let out = folder.file("out");
    for (source, code, why) in [
        ("r0 = 0\nexti", 1, " --> <stdin>:2:1"),
        (".program x xpd\nexit", 1, "did you mean `xdp`?"),
        (".program x xdp eth0\nexit", 1, "`eth0` is no attach type of xdp"),
        (".program x cgroup/connect5\nexit", 1, "did you mean `cgroup/connect4`?"),
        (".map m array key 4 value 8 entries 1 lok 0\nexit", 1, "did you mean `lock`?"),
        (".map m arry key 4 value 4 entries 1\nexit", 1, "did you mean `array`?"),
        ("\u{0}", 1, "error: "),
        ("", 1, "no instructions"),
    ] {
        let output = asm(source, &["--emit", "raw", "-o", &out]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{source:?}: {stderr}");
        assert!(output.stdout.is_empty() && stderr.contains(why), "{source:?}: {stderr}");
        assert!(!Path::new(&out).exists(), "{source:?}");
    }
    for (args, why) in [
        (&["asm", "/nosuchfile"][..], "/nosuchfile"),
        (&["asm", "/"], "directory"),
        (&["asm", "/bin/sh"], "not text"),
        (&["asm", "-", "--emit", "poem"], "must be listing"),
        (&["asm"], "FILE"),
        (&["run", "/nosuchfile"], "/nosuchfile"),
        (&["run", "-", "--ctx", "0x123"], "pairs"),
        (&["run", "-", "--repeat", "0"], "whole number from 1"),
    ] {
        let output = Command::new(RAWBPF).args(args).stdin(Stdio::null()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty() && stderr.contains(why), "{args:?}: {stderr}");
    }
}

#[test]
fn without_types_fields_keep_their_names_and_bytes_are_refused() {
    let folder = Folder::new("void");
    let path = folder.file("btf");
    std::fs::write(&path, b"\x9f\xeb\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0").unwrap();
    let source = "r1 = *(u32 *)(r2 + offsetof(struct request, __data_len))\nexit";
    let output = asm(source, &["--btf", &path]);
    // These types were asked for: that they have no such struct is a mistake of the text.
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the kernel's types have no struct request"), "{stderr}");
}

#[test]
fn an_object_has_the_sections_symbols_and_relocations_that_libbpf_looks_for() {
    for (endian, little) in [("little", true), ("big", false)] {
        let bytes = assembled(DROP, &["--emit", "elf", "--endian", endian]);
        let elf = Elf::parse(&bytes).unwrap();
        assert_eq!((elf.header.e_machine, elf.header.e_type), (247, 1), "BPF, relocatable");
        assert_eq!((elf.is_64, elf.little_endian), (true, little));
        let names: Vec<_> = elf
            .section_headers
            .iter()
            .map(|section| elf.shdr_strtab.get_at(section.sh_name).unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "",
                "xdp",
                ".relxdp",
                ".text",
                ".rel.text",
                ".maps",
                ".data.count",
                "license",
                ".BTF",
                ".BTF.ext",
                ".symtab",
                ".strtab"
            ]
        );
        let section = |name: &str| names.iter().position(|other| *other == name).unwrap();
        let symbols: Vec<_> = elf
            .syms
            .iter()
            .skip(1)
            .map(|symbol| {
                let name = elf.strtab.get_at(symbol.st_name).unwrap();
                (name, names[symbol.st_shndx], symbol.st_value, symbol.st_size)
            })
            .collect();
        assert_eq!(
            symbols,
            [
                ("drop", "xdp", 0, 23 * 8),
                ("twice", ".text", 0, 4 * 8),
                ("once", ".text", 4 * 8, 2 * 8),
                ("each", ".text", 6 * 8, 2 * 8),
                ("seen", ".maps", 0, 5 * 8),
                ("count", ".data.count", 0, 16),
                ("_license", "license", 0, 4),
            ]
        );
        let relocations: Vec<_> = elf
            .shdr_relocs
            .iter()
            .flat_map(|(_, relocations)| relocations.iter())
            .map(|Reloc { r_offset, r_sym, r_type, .. }| (r_offset, symbols[r_sym - 1].0, r_type))
            .collect();
        assert_eq!(
            relocations,
            [
                (0, "count", 1),
                (6 * 8, "seen", 1),
                (15 * 8, "each", 1),
                (20 * 8, "twice", 10),
                (8, "once", 10),
            ]
        );
        let data = |name: &str| &bytes[elf.section_headers[section(name)].file_range().unwrap()];
        assert_eq!(data("license"), b"GPL\0");
        // The offset into the variable stands in the instruction.
        let immediate = if little { [8, 0, 0, 0] } else { [0, 0, 0, 8] };
        assert_eq!(data("xdp")[4..8], immediate);
        let mut btf = rawbpf::btf::Btf::parse(data(".BTF")).unwrap();
        for (kind, name) in [
            (rawbpf::btf::TypeKind::Var, "seen"),
            (rawbpf::btf::TypeKind::Datasec, ".maps"),
            (rawbpf::btf::TypeKind::Func, "drop"),
            (rawbpf::btf::TypeKind::Func, "each"),
        ] {
            assert!(btf.find_id(kind, name).unwrap().is_some(), "{name}");
        }
    }
}

#[test]
fn what_an_object_cannot_say_is_refused() {
    let array = ".map m array key 4 value 8 entries 2\n";
    for (source, why) in [
        (format!("{array}r1 = map[m][0]+0\nexit"), "cannot have the address of a value of map m"),
        ("r1 = map[fd:3]\nexit".into(), "has a number that is valid only on this kernel"),
        ("call kernel-function#7\nexit".into(), "has a number that is valid only on this kernel"),
        ("r1 = btf[7]\nexit".into(), "has a number that is valid only on this kernel"),
        ("call pc+1\nexit\ngoto -2\nexit".into(), "leaves its function"),
        ("call pc-1\nexit".into(), "calls the program itself"),
        (".program x tracing\nexit".into(), "no section for tracing"),
        ("r1 = map[idx:3]\nexit".into(), "refers to map 3"),
        (".map m array key 4 value 8 entries 2 lock 4\nexit".into(), "map m has a lock"),
        (".map m array key 4 value 8 entries 2\n.data m 01\nexit".into(), "map m has content"),
    ] {
        let output = asm(&source, &["--emit", "elf"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{source}: {stderr}");
        assert!(stderr.contains(why), "{source}: {stderr}");
    }
}

#[test]
#[ignore = "needs llvm-mc and llvm-objdump: run tests/run"]
fn llvm_lists_an_object_with_its_lines() {
    let folder = Folder::new("llvm");
    for endian in ["little", "big"] {
        let path = folder.file(endian);
        asm(DROP, &["--emit", "elf", "--endian", endian, "-o", &path]);
        let output = Command::new("llvm-objdump-19").args(["-S", "-r", &path]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, "", "{endian}");
        let listing = String::from_utf8_lossy(&output.stdout);
        for line in [
            "; call bpf_map_update_elem",
            "\tcall 0x2\n",
            "<drop>:",
            "<once>:",
            "R_BPF_64_64\tcount",
            "R_BPF_64_32\ttwice",
            "; once:   r0 = 2",
        ] {
            assert!(listing.contains(line), "{endian}: {line}\n{listing}");
        }
    }
}

/// Runs bpftool where it has a file system of its own to pin to.
fn bpftool(script: &str) -> Output {
    let script = format!("mount -t bpf bpf /sys/fs/bpf && {{ {script}\n}}");
    Command::new("unshare").args(["-m", "sh", "-e", "-c", &script]).output().unwrap()
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn bpftool_loads_and_runs_an_object() {
    let folder = Folder::new("bpftool");
    let (object, packet) = (folder.file("drop.o"), folder.file("packet"));
    asm(DROP, &["--emit", "elf", "-o", &object]);
    std::fs::write(&packet, [0; 64]).unwrap();
    let output = bpftool(&format!(
        "bpftool prog load {object} /sys/fs/bpf/drop pinmaps /sys/fs/bpf/maps
        bpftool prog run pinned /sys/fs/bpf/drop data_in {packet} repeat 3
        bpftool map dump pinned /sys/fs/bpf/maps/seen
        bpftool prog dump xlated pinned /sys/fs/bpf/drop linum"
    ));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("Return value: 1"), "{stdout}");
    let seen: String = stdout.split_whitespace().collect();
    assert!(
        seen.contains("\"key\":5,\"value\":7")
            || seen.contains("key:05000000value:0700000000000000"),
        "{stdout}"
    );
    assert!(stdout.contains("; call bpf_map_update_elem"), "the kernel has the lines: {stdout}");
}

#[test]
#[ignore = "needs root and bpf(2): run tests/run"]
fn libbpf_loads_the_programs_of_our_tools() {
    let folder = Folder::new("tools");
    for tool in ["bitehist", "bitesize", "biolatency", "bioheat"] {
        for kind in ["raw_tp", "tp_btf"] {
            let dump = Command::new(RAWBPF).args([tool, "--attach", kind, "--dump-insns"]).output();
            let object = folder.file("tool.o");
            asm(&text(dump.unwrap().stdout), &["--emit", "elf", "-o", &object]);
            let output = bpftool(&format!("bpftool prog loadall {object} /sys/fs/bpf/tool"));
            assert!(output.status.success(), "{tool} {kind}: {output:?}");
        }
    }
}

#[test]
fn a_map_keeps_its_lock_in_text() {
    let map = ".map m hash key 8 value 24 entries 2 lock 4\n";
    let text = assembled(&format!("{map}r1 = map[m]\nr0 = 0\nexit"), &["--emit", "listing"]);
    assert!(String::from_utf8(text).unwrap().contains(map));
}
