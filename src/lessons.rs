//! The course of `rawbpf lesson`. `programs/lessons/` has two programs for each lesson: one that the
//! verifier refuses, and a solution that it accepts. Here is what a solution must do.

use std::fmt;

use crate::insn::{Source, parse};
use crate::interpret::{self, Machine, MapDef, USER_ADDRESS, World};
use crate::texts::text;

/// A lesson.
pub struct Lesson {
    /// The stem of its files' names.
    pub name: &'static str,
    /// The helpers that the task asks the program to call.
    pub calls: &'static [&'static str],
    /// The elements that the map has before the program runs.
    pub map: &'static [Element],
    /// Whether the program is loaded with CAP_BPF alone, even for root.
    pub cap_bpf_alone: bool,
    /// The runs that the program must pass.
    pub runs: &'static [LessonRun],
}

/// The kernel whose verdicts are recorded.
pub const RECORDED: &str = "6.18";

/// Key and value of a map's element; the value as 8-byte numbers in the host's byte order.
pub type Element = (u32, &'static [u64]);

/// A run of a learner's program: the input, and the expected outcome.
pub struct LessonRun {
    /// The input.
    pub input: Input,
    /// The result that the program must return.
    pub returns: u32,
    /// An element that the map must have afterwards.
    pub leaves: Option<Element>,
}

/// The input of a run.
pub enum Input {
    /// A raw tracepoint's arguments.
    Arguments(&'static [u64]),
    /// A raw tracepoint's arguments, of which the first is not the number here but the address of
    /// that number in our memory.
    Address(&'static [u64]),
    /// A packet: its length in bytes, and its first bytes. The others are 0.
    Packet(usize, &'static [u8]),
}

impl Lesson {
    const fn calls(self, calls: &'static [&'static str]) -> Lesson {
        Lesson { calls, ..self }
    }

    const fn cap_bpf_alone(self) -> Lesson {
        Lesson { cap_bpf_alone: true, ..self }
    }

    const fn map(self, map: &'static [Element]) -> Lesson {
        Lesson { map, ..self }
    }

    /// The refused program. The comment above it is the lesson's text: title, concept, task.
    pub fn broken(&self) -> &'static str {
        self.file("bpf")
    }

    /// A program that does the task.
    pub fn solution(&self) -> &'static str {
        self.file("solution.bpf")
    }

    /// The log of [`RECORDED`]'s verifier for the refused program.
    pub fn log(&self) -> &'static str {
        self.file("log")
    }

    fn file(&self, extension: &str) -> &'static str {
        text(&format!("programs/lessons/{}.{extension}", self.name))
    }

    /// The lesson's title, and its text paragraph by paragraph.
    pub fn comment(&self) -> (String, Vec<String>) {
        let lines = self.broken().lines().map_while(|line| line.strip_prefix(';')).map(str::trim);
        let mut paragraphs = vec![String::new()];
        for line in lines {
            match (line, paragraphs.last_mut()) {
                ("", _) => paragraphs.push(String::new()),
                (line, Some(last)) if last.is_empty() => last.push_str(line),
                (line, last) => last.into_iter().for_each(|last| *last += &format!("\n{line}")),
            }
        }
        (paragraphs.remove(0), paragraphs)
    }
}

impl Lesson {
    /// A machine that is about to run the first program of a text, which this lesson's maps are filled for.
    ///
    /// # Errors
    /// The text lacks what the lesson needs.
    pub fn machine(&self, run: &LessonRun, source: &Source) -> Result<Machine, String> {
        let named = source.programs.first().ok_or("the text has no program")?;
        let maps: Vec<_> = source.maps.iter().map(MapDef::from).collect();
        let mut world = World::new(&maps)?;
        for (key, value) in self.map {
            let map = self.map_in(&world).ok_or("the lesson's map is missing")?;
            world.update(map, &key.to_ne_bytes(), &bytes(value))?;
        }
        let arguments = |first: Option<u64>, numbers: &[u64]| {
            let mut all = [0; 8];
            all[..numbers.len()].copy_from_slice(numbers);
            all[0] = first.unwrap_or(all[0]);
            interpret::Input::Context(bytes(&all))
        };
        let input = match run.input {
            Input::Arguments(numbers) => arguments(None, numbers),
            Input::Address(numbers) => {
                world.set_user(bytes(&numbers[..1]));
                arguments(Some(USER_ADDRESS), numbers)
            }
            Input::Packet(length, start) => {
                let mut packet = start.to_vec();
                packet.resize(length, 0);
                interpret::Input::of(&named.line.kind.text, packet)
            }
        };
        Machine::new(named.program.insns(), world, &input)
    }

    /// The place of the lesson's map among those of a world.
    fn map_in(&self, world: &World) -> Option<usize> {
        let solution = parse(self.name, self.solution()).ok()?;
        let name = &solution.maps.first()?.name.text;
        world.maps.iter().position(|map| map.def.name == *name)
    }

    /// What is wrong with the result of a machine that has run; `None` if nothing.
    pub fn wrong(&self, run: &LessonRun, returned: u64, world: &World) -> Option<String> {
        let map = self.map_in(world).and_then(|place| world.maps.get(place));
        let key = run.leaves.map(|(key, _)| key.to_ne_bytes());
        let mut elements = map.into_iter().flat_map(|map| world.elements(map));
        let found = elements.find(|(other, _)| key.is_some_and(|key| *other == key));
        run.wrong(returned as u32, found.map(|(_, value)| value))
    }
}

impl LessonRun {
    /// What is wrong with a run that returned this, and after which the element that it must leave has this
    /// value; `None` if nothing.
    pub fn wrong(&self, returned: u32, found: Option<&[u8]>) -> Option<String> {
        if returned != self.returns {
            return Some(format!("it returned {returned}, not {}", self.returns));
        }
        let (key, wanted) = self.leaves?;
        match found {
            Some(value) if *value == *bytes(wanted) => None,
            Some(_) => Some(format!("the map's value at key {key} is not {}", wanted[0])),
            None => Some(format!("the map has no key {key} afterwards")),
        }
    }
}

/// Numbers in the kernel's memory layout.
pub fn bytes(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn number_text(number: u64) -> String {
    if number > 1 << 16 { format!("{number:#x}") } else { number.to_string() }
}

/// The input in words.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |numbers: &[u64]| {
            let numbers: Vec<_> = numbers.iter().map(|number| number_text(*number)).collect();
            numbers.join(", ")
        };
        match *self {
            Input::Arguments(numbers) => {
                let several = if numbers.len() > 1 { "s" } else { "" };
                write!(f, "the argument{several} {}", list(numbers))
            }
            Input::Address(numbers) => {
                let rest = if numbers.len() > 1 { " and " } else { "" };
                let number = number_text(numbers[0]);
                write!(f, "the address of {number}{rest}{} as arguments", list(&numbers[1..]))
            }
            Input::Packet(length, start) => {
                let start: Vec<_> = start.iter().map(|byte| format!("{byte:02x}")).collect();
                let begins = if start.is_empty() { "of zeros".into() } else { start.join(" ") };
                write!(f, "a packet of {length} bytes ({begins})")
            }
        }
    }
}

macro_rules! lesson {
    ($name:literal, $($run:expr),+) => {
        Lesson {
            name: $name,
            calls: &[],
            map: &[],
            cap_bpf_alone: false,
            runs: &[$($run),+],
        }
    };
}

const fn on(arguments: &'static [u64], returns: u32) -> LessonRun {
    LessonRun { input: Input::Arguments(arguments), returns, leaves: None }
}

const fn leaving(
    arguments: &'static [u64],
    returns: u32,
    key: u32,
    value: &'static [u64],
) -> LessonRun {
    LessonRun { input: Input::Arguments(arguments), returns, leaves: Some((key, value)) }
}

const fn on_address(arguments: &'static [u64], returns: u32) -> LessonRun {
    LessonRun { input: Input::Address(arguments), returns, leaves: None }
}

const fn on_packet(length: usize, bytes: &'static [u8], returns: u32) -> LessonRun {
    LessonRun { input: Input::Packet(length, bytes), returns, leaves: None }
}

const fn locked(length: usize, bytes: &'static [u8], value: &'static [u64]) -> LessonRun {
    LessonRun {
        input: Input::Packet(length, bytes),
        returns: length as u32,
        leaves: Some((0, value)),
    }
}

const fn packet_leaving(length: usize, returns: u32, key: u32, value: &'static [u64]) -> LessonRun {
    LessonRun { input: Input::Packet(length, &[]), returns, leaves: Some((key, value)) }
}

const IPV4: &[u8] = &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45];
const IPV6: &[u8] = &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60];
/// Each byte is its own offset.
const COUNTED: &[u8] =
    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25];
const TABLE: &[Element] = &[(0, &[u64::from_ne_bytes([11, 22, 33, 44, 55, 66, 77, 88])])];
const AGES: &[Element] = &[(7, &[61]), (8, &[12])];
/// A number that reads the same in either byte order.
const SAME: u64 = 0x5a5a_5a5a_5a5a_5a5a;

/// The course, in its order.
pub static LESSONS: &[Lesson] = &[
    lesson!("01-result", on(&[0], 42)),
    lesson!("02-exit", on(&[0], 100), on(&[1], 200), on(&[1 << 32], 200)),
    lesson!("03-unreachable", on(&[0], 2), on(&[20], 42)),
    lesson!("04-wide-constant", on(&[0], 0), on(&[3], 0x2345_6789)),
    lesson!("05-calls", on(&[7], 7), on(&[1234], 1234)).calls(&["bpf_ktime_get_ns"]),
    lesson!("06-two-paths", on(&[101], 1), on(&[100], 0), on(&[u64::MAX], 1)),
    lesson!("07-stack", on(&[7], 7), on(&[1234], 1234)),
    lesson!("08-alignment", on(&[7], 7), on(&[1234], 1234)),
    lesson!("09-context", on_packet(64, &[], 64), on_packet(100, &[], 100)),
    lesson!("10-moved-context", on_packet(64, IPV4, 0x0800), on_packet(64, IPV6, 0x86dd)),
    lesson!("11-numbers", on_address(&[SAME], SAME as u32), on_address(&[0], 0), on(&[0], 0))
        .calls(&["bpf_probe_read_user"]),
    lesson!("12-pointer-arithmetic", on(&[7, 8], 15), on(&[1000, 234], 1234)),
    lesson!("13-helper-arguments", leaving(&[7, 61], 0, 7, &[61]), leaving(&[9, 3], 0, 9, &[3]))
        .calls(&["bpf_map_update_elem"]),
    lesson!("14-program-type", on_packet(64, COUNTED, 20), on_packet(64, &[], 0))
        .calls(&["bpf_skb_load_bytes"]),
    lesson!("15-null", on(&[7], 61), on(&[8], 12), on(&[9], 404))
        .calls(&["bpf_map_lookup_elem"])
        .map(AGES),
    lesson!("16-value-bounds", on(&[1], 20), on(&[2], 40), on(&[3], 0))
        .calls(&["bpf_map_lookup_elem"])
        .map(&[(1, &[10, 20]), (2, &[30, 40])]),
    lesson!("17-index", on(&[0], 11), on(&[7], 88), on(&[8], 0), on(&[u64::MAX], 0))
        .calls(&["bpf_map_lookup_elem"])
        .map(TABLE),
    lesson!(
        "18-length",
        on_address(&[SAME, 4], SAME as u32),
        on_address(&[SAME, 8], SAME as u32),
        on_address(&[SAME, 9], 0),
        on_address(&[SAME, u64::MAX], 0)
    )
    .calls(&["bpf_probe_read_user"]),
    lesson!("19-loop", on(&[1], 10), on(&[7], 70)),
    lesson!("20-off-by-one", on(&[0], 396)).calls(&["bpf_map_lookup_elem"]).map(TABLE),
    lesson!("21-packet", on_packet(64, IPV4, 1), on_packet(64, IPV6, 2)),
    lesson!("22-moved-packet", on_packet(64, COUNTED, 4), on_packet(64, &[9; 20], 9))
        .calls(&["bpf_xdp_adjust_head"]),
    lesson!("23-functions", on_packet(64, &[], 64), on_packet(100, &[], 100)),
    lesson!("24-reference", on(&[7], 1)).calls(&["bpf_ringbuf_reserve", "bpf_ringbuf_submit"]),
    lesson!("25-after-release", on(&[7], 8), on(&[1233], 1234))
        .calls(&["bpf_ringbuf_reserve", "bpf_ringbuf_submit"]),
    lesson!("26-lock", locked(64, IPV4, &[0, 0x0800, 64]), locked(100, IPV6, &[0, 0x86dd, 100]))
        .calls(&["bpf_spin_lock", "bpf_spin_unlock"]),
    lesson!("27-return-range", on_packet(40, &[], 0), on_packet(200, &[], 1)),
    lesson!("28-privilege", packet_leaving(64, 50, 0, &[50]), packet_leaving(100, 86, 0, &[86]))
        .calls(&["bpf_map_lookup_elem"])
        .cap_bpf_alone(),
    lesson!("29-patience", on(&[0], 0), on(&[0b1011], 3), on(&[u64::MAX], 64)),
    lesson!(
        "30-explosion",
        on(&[0], 88),
        on(&[0xfff_ff00], 11),
        on(&[0x600], 22),
        on(&[0x100], 77),
        on(&[0xffff_ffff_f000_05ff], 33)
    )
    .calls(&["bpf_map_lookup_elem"])
    .map(TABLE),
];
