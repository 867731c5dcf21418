//! Every instruction of RFC 9669 in the guest: text to bytes, to the kernel, to what is then in r0. The guest's part
//! is `guest/tools/conformance.sh`.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io, mem, slice};

use rawbpf::insn::Endian;
use serde_json::Value;

use crate::bed::Outcome;
#[path = "../insn/rows.rs"]
mod rows;
use rows::{Case, ENDED};

/// How many programs a text has.
const TOGETHER: usize = 32;

/// The programs in texts, which have names: first what every kernel of these takes.
fn texts(order: Endian) -> Vec<(String, Vec<Case>)> {
    let mut rest = rows::cases(order);
    let [ordered, called_back] =
        [&["load_acquire", "store_release"][..], &["func["]].map(|words| {
            let has = |case: &Case| words.iter().any(|word| case.text.contains(word));
            let (found, others) = mem::take(&mut rest).into_iter().partition(has);
            rest = others;
            found
        });
    let mut texts = vec![];
    while !rest.is_empty() {
        let more = rest.split_off(TOGETHER.min(rest.len()));
        texts.push((texts.len().to_string(), mem::replace(&mut rest, more)));
    }
    texts.extend([(ORDERED.to_owned(), ordered), (CALLED_BACK.to_owned(), called_back)]);
    texts
}

/// Loads and stores in order.
const ORDERED: &str = "ordered";
/// A function whose address a helper gets.
const CALLED_BACK: &str = "called_back";

/// What the guest's kernel says of a text that it does not take.
fn refusal(outcome: &Outcome, text: &str) -> Option<&'static str> {
    let since_6_15 = ["6.18.", "7."].iter().any(|it| outcome.told("release ").starts_with(it));
    match text {
        ORDERED if !since_6_15 => Some("this kernel has no instruction 0x"),
        CALLED_BACK if outcome.told("jit ") == "0" => Some("JIT"),
        _ => None,
    }
}

/// Writes them for a guest of this byte order.
pub fn write(folder: &Path, order: Endian) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, cases) in texts(order) {
        fs::write(folder.join(format!("{name}.bpf")), text(&cases, order))?;
    }
    Ok(())
}

/// The programs have their operands in one map, and put their results into another.
fn text(cases: &[Case], order: Endian) -> String {
    let bytes = |number: u64| {
        let bytes = if order == Endian::Big { number.to_be_bytes() } else { number.to_le_bytes() };
        bytes.map(|byte| format!("{byte:02x}")).join(" ")
    };
    let count = cases.len();
    let operands: Vec<_> = cases.iter().flat_map(|case| [case.a, case.b]).map(bytes).collect();
    let mut text = format!(
        ".license \"GPL\"\n\
        .map in array key 4 value {} entries 1\n.data in {}\n\
        .map out array key 4 value {} entries 1\n.data out {}\n",
        16 * count,
        operands.join(" "),
        8 * count,
        vec![bytes(ENDED); count].join(" ")
    );
    for (number, case) in cases.iter().enumerate() {
        let (program, functions) = case.text.split_once("---").unwrap_or((&case.text, ""));
        // Some look at the operands themselves.
        let second = 16 * number + 8;
        let mut program = program.replace("map[in][0]+8", &format!("map[in][0]+{second}"));
        if program.contains("r1 = map[in]\n") {
            program = program.replace("(r0 + 8)", &format!("(r0 + {second})"));
        }
        write!(
            text,
            ".program row{number} socket_filter\n\
            r6 = r1\nr8 = map[in][0]+{}\nr0 = *(u64 *)(r8 + 0)\nr1 = *(u64 *)(r8 + 8)\n{program}\n\
            r8 = map[out][0]+{}\n*(u64 *)(r8 + 0) = r0\nr0 = 0\nexit\n{functions}\n",
            16 * number,
            8 * number
        )
        .unwrap();
    }
    text
}

/// Each result is the expected one, on a guest of this byte order; or it is said why the kernel takes no such program.
fn are_right(outcome: &Outcome, order: Endian) {
    let (mut wrong, mut count) = (vec![], 0);
    for (name, cases) in texts(order) {
        if let Some(why) = refusal(outcome, &name) {
            let said = outcome.told(&format!("refused {name} "));
            assert!(said.contains(why), "{name}: {said}");
            continue;
        }
        let line = outcome.told(&format!("text {name} "));
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        let tables = line["tables"].as_array().expect("tables");
        let results = tables.iter().find(|table| table["name"] == "out").expect("the results");
        let results = match &results["rows"][0]["value"] {
            Value::Array(results) => &results[..],
            result => slice::from_ref(result),
        };
        assert_eq!(results.len(), cases.len());
        for (case, result) in cases.iter().zip(results) {
            count += 1;
            if *result != case.expected {
                let Case { text, a, b, expected } = case;
                wrong.push(format!("{text}\n  of {a:#x}, {b:#x}: {result}, not {expected}"));
            }
        }
    }
    assert!(count > 500, "{count}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

pub fn little(outcome: &Outcome) {
    are_right(outcome, Endian::Little);
}

pub fn big(outcome: &Outcome) {
    are_right(outcome, Endian::Big);
}

#[test]
fn each_row_is_a_program_in_either_order() {
    for order in [Endian::Little, Endian::Big] {
        for (_, cases) in texts(order) {
            let source = rawbpf::insn::parse("rows", &text(&cases, order));
            let source = source.unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert_eq!(source.programs.len(), cases.len());
        }
    }
}
