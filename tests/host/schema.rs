//! docs/json.md against what the tools print, and against the words that they have for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hint::black_box;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use rawbpf::sample::{LostKind, Unit};
use serde_json::Value;

use crate::disk::LoopDisk;
use crate::lines::{intervals, returned};
use crate::tool::{self, Tool};

const PAGE: &str = include_str!("../../docs/json.md");

/// What stands under a heading, up to the next one.
fn section(heading: &str) -> &'static str {
    let (_, section) = PAGE.split_once(&format!("\n{heading}\n")).expect(heading);
    section.split("\n#").next().unwrap()
}

/// The schema in a section.
fn schema(section: &str) -> Value {
    let (_, schema) = section.split_once("```json\n").expect("a schema");
    let (schema, rest) = schema.split_once("\n```").unwrap();
    assert!(!rest.contains("```json\n"), "two schemas: {section}");
    serde_json::from_str(schema).unwrap()
}

/// The schemas of all lines and of a tool's.
struct Validator {
    schemas: Schemas,
    lines: SchemaIndex,
    tool: SchemaIndex,
}

impl Validator {
    fn new(tool: &str) -> Validator {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let all = [schema(section("### Schema")), schema(section(&format!("## {tool}")))];
        let [lines, tool] = all.map(|schema| {
            let id = schema["$id"].as_str().unwrap().to_owned();
            compiler.add_resource(&id, schema).unwrap();
            id
        });
        let mut compile =
            |id| compiler.compile(id, &mut schemas).unwrap_or_else(|e| panic!("{e:#}"));
        let (lines, tool) = (compile(&lines), compile(&tool));
        Validator { schemas, lines, tool }
    }

    fn accepts(&self, line: &Value) -> bool {
        [self.lines, self.tool].iter().all(|schema| self.schemas.validate(line, *schema).is_ok())
    }

    #[track_caller]
    fn check(&self, line: &Value) {
        for schema in [self.lines, self.tool] {
            let valid = self.schemas.validate(line, schema);
            valid.unwrap_or_else(|why| panic!("{line}\n{why:#}"));
        }
        // Whatever object of it has a field more is refused.
        for pointer in objects(line) {
            let mut more = line.clone();
            more.pointer_mut(&pointer).unwrap()["surplus"] = 1.into();
            assert!(!self.accepts(&more), "accepted: {more}");
        }
    }
}

/// Where in a value there are objects, as JSON pointers.
fn objects(value: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        objects(value).into_iter().map(move |rest| format!("/{key}{rest}")).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => {
            let below = fields.iter().flat_map(|(key, value)| below(key, value));
            [String::new()].into_iter().chain(below).collect()
        }
        Value::Array(elements) => {
            let elements = elements.iter().enumerate();
            elements.flat_map(|(at, element)| below(&at.to_string(), element)).collect()
        }
        _ => vec![],
    }
}

/// The words in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words in the first column of the table that has this heading.
fn first_column(section: &str, heading: &str) -> BTreeSet<String> {
    let Some((_, table)) = section.split_once(&format!("| {heading} | ")) else {
        return BTreeSet::new();
    };
    let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
    rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap())).collect()
}

/// The words of an `enum`.
fn words(list: &Value) -> BTreeSet<String> {
    let words = list["enum"].as_array().into_iter().flatten();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// What a tool's schema says of its table.
fn table(schema: &Value) -> &Value {
    let tables = &schema["properties"]["tables"];
    let one = &tables["prefixItems"][0]["properties"];
    if one.is_null() { &tables["items"]["properties"] } else { one }
}

fn labels(schema: &Value) -> BTreeSet<String> {
    keys(&table(schema)["rows"]["items"]["properties"]["labels"]["properties"])
}

fn lost(schema: &Value) -> BTreeSet<String> {
    words(&schema["properties"]["lost"]["items"]["properties"]["what"])
}

/// The tools by their names, each with its source.
fn tools() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let sources = files.map(|file| fs::read_to_string(file).unwrap());
    let named = sources.filter_map(|source| {
        let (_, tool) = source.split_once("\nimpl Tool for ")?;
        let (_, name) = tool.split_once("fn name(&self) -> &'static str {")?;
        Some((name.split('"').nth(1)?.to_owned(), source))
    });
    named.collect()
}

#[test]
fn each_word_for_a_unit_and_for_lost_events_is_on_the_page_and_no_other() {
    let page = &schema(section("### Schema"))["$defs"];
    let units = set(Unit::ALL.map(Unit::name));
    assert_eq!(first_column(section("### Units"), "`unit`"), units);
    assert_eq!(words(&page["unit"]), units);
    let kinds = set(LostKind::ALL.map(LostKind::name));
    assert_eq!(first_column(section("### Lost events"), "`what`"), kinds);
    assert_eq!(words(&page["what"]), kinds);
}

#[test]
fn each_tool_has_a_section_that_says_what_its_schema_says() {
    let tools = tools();
    assert!(tools.contains_key("bitehist") && tools.contains_key("run"), "{:?}", tools.keys());
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("## "));
    let known: BTreeSet<_> = tools.keys().cloned().chain(["Lines".to_owned()]).collect();
    assert_eq!(headings.map(str::to_owned).collect::<BTreeSet<_>>(), known);
    for (name, source) in &tools {
        let section = section(&format!("## {name}"));
        let schema = schema(section);
        assert_eq!(schema["$id"], format!("urn:rawbpf:{name}"));
        assert_eq!(schema["properties"]["tool"]["const"], **name);
        assert_eq!(first_column(section, "label"), labels(&schema), "{name}");
        let (_, sentence) = section.split_once("\nLost events: ").expect(name);
        let kinds = quoted(sentence.split('.').next().unwrap());
        assert_eq!(kinds, lost(&schema), "{name}");
        // Those that the tool itself makes, and those that it shares with all.
        let made = LostKind::ALL.into_iter().filter(|kind| {
            let named = |(_, rest): (usize, &str)| {
                rest.strip_prefix(&format!("{kind:?}"))
                    .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            };
            let uses = source.match_indices("LostKind::");
            uses.map(|(at, kind)| (at, &source[at + kind.len()..])).any(named)
        });
        let made: Vec<_> = made.map(LostKind::name).chain(["missed_events"]).collect();
        assert_eq!(kinds, set(made), "{name}");
        let options = &schema["properties"]["options"];
        let required = options["required"].as_array().into_iter().flatten();
        assert_eq!(keys(&options["properties"]), set(required.map(|name| name.as_str().unwrap())));
    }
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn rawbpf_test_schema(value: u64) -> u64 {
    black_box(value)
}

/// Maps of each type that holds data, with keys and values of several lengths.
const MAPS: &str = "\
.program fill raw_tp sched_switch
.map numbers array key 4 value 8 entries 1
.map each_cpu percpu_array key 4 value 16 entries 1
.map odd hash key 3 value 5 entries 4
.map empty lru_hash key 4 value 4 entries 4
    r1 = map[numbers][0]+0
    r2 = 7
    *(u64 *)(r1 + 0) = r2
    r1 = 0
    *(u64 *)(fp - 16) = r1
    *(u64 *)(fp - 8) = r1
    r1 = map[odd]
    r2 = fp
    r2 += -8
    r3 = fp
    r3 += -16
    r4 = 0
    call bpf_map_update_elem
    r0 = 0
    exit
";

/// What is run of each tool, in the order of the page, so that it shows all that it can print on a disk
/// of its own and a function of this test.
fn runs<'a>(disk: &'a str, function: &'a str, text: &'a str) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut runs = vec![];
    let mut add = |name, common: &[&'a str], all: &[&[&'a str]]| {
        runs.extend(all.iter().map(|options| (name, [common, *options].concat())));
    };
    add("bitehist", &["-d", disk], &[&[], &["--bytes", "--attach", "raw_tp"]]);
    let few = ["--by", "comm", "--max-keys", "1"];
    let keys: [&[_]; 7] = [
        &[],
        &["--by", "tid", "-F", "--top", "1"],
        &["--by", "comm", "--sort", "count"],
        &["--by", "uid"],
        &["--by", "cgroup"],
        &["--attach", "tracepoint"],
        &few,
    ];
    add("bitesize", &["-d", disk], &keys);
    let keys: [&[_]; 8] = [
        &[],
        &["-D", "-m"],
        &["-F", "-Q"],
        &["-D", "-F"],
        &["-F", "--max-keys", "1"],
        &["--by", "tid", "-p", "1"],
        &["--by", "tid"],
        &["--by", "cgroup", "-c", "dd", "--cgroup", "/"],
    ];
    add("biolatency", &["-d", disk], &keys);
    add("bioheat", &[], &[&["-d", disk], &["--attach", "raw_tp"]]);
    let keys: [&[_]; 7] = [
        &[],
        &["--top", "1"],
        &["--by", "pid", "--max-keys", "1"],
        &["--by", "comm"],
        &["--by", "uid"],
        &["--by", "cpu"],
        &["--by", "pid", "--top", "1"],
    ];
    add("funccount", &["sched:sched_process_*"], &keys);
    let keys: [&[_]; 4] = [
        &[],
        &["--by", "pid", "--unit", "ns"],
        &["--unit", "ms", "--linear", "0,100,10"],
        &["--custom", "1,1000"],
    ];
    add("funclatency", &[function], &keys);
    add("argdist", &[function, "arg0"], &[&[], &["--custom", "5,6"]]);
    add("argdist", &["syscalls:sys_exit_close", "ret"], &[&[], &["--each", "--top", "1"]]);
    add("argdist", &["sched:sched_process_exec", "filename"], &[&["--max-keys", "1"]]);
    add("run", &[text], &[&[]]);
    runs
}

#[test]
#[ignore = "needs root, bpf(2) and a loop device: run tests/run"]
fn what_each_tool_prints_is_what_the_page_says() {
    tool::with_tracefs();
    let disk = LoopDisk::new();
    let function = format!("{}:rawbpf_test_schema", std::env::current_exe().unwrap().display());
    let text = tool::file(MAPS);
    let runs = runs(disk.name(), &function, &text);
    let start = |(name, options): &(&str, Vec<&str>)| {
        Tool::start(name, &[options, &["--json", "3600"][..]].concat())
    };
    let started: Vec<_> = runs.iter().map(start).collect();
    disk.read(4, 11);
    // The steps of a flush begin without being issued to the driver, and dd and cat end as processes.
    let script = format!(
        "dd if=/dev/zero of=/dev/{0} bs=16k count=3 oflag=direct conv=notrunc,fsync status=none && \
         exec cat /dev/{0} >/dev/null",
        disk.name()
    );
    assert_eq!(tool::shell(&script).code, Some(0));
    (0..5).for_each(|value| assert_eq!(rawbpf_test_schema(value), value));

    let mut lines = BTreeMap::<_, Vec<Value>>::new();
    for ((name, options), tool) in runs.iter().zip(started) {
        let output = tool.stop();
        assert_eq!(output.code, Some(0), "{name} {options:?}: {}", output.stderr);
        assert_eq!(intervals(&output.stdout).len(), 1, "{}", output.stdout);
        let printed = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.entry(*name).or_default().extend(printed);
    }
    fs::remove_file(&text).unwrap();
    let once = MAPS.replace("raw_tp sched_switch", "socket_filter");
    let here = tool::shell(&format!("echo '{once}' | $RAWBPF run - --json --interpret"));
    let once = tool::shell(&format!("echo '{once}' | $RAWBPF run - --json"));
    assert_eq!(returned(&once.stdout)["type"], "returned");
    let both = once.stdout.lines().chain(here.stdout.lines());
    let printed = both.map(|line| serde_json::from_str(line).unwrap());
    lines.get_mut("run").unwrap().extend(printed);

    assert_eq!(lines.keys().copied().collect::<Vec<_>>(), tools().keys().collect::<Vec<_>>());
    for (name, lines) in &lines {
        let validator = Validator::new(name);
        lines.iter().for_each(|line| validator.check(line));
        let schema = schema(section(&format!("## {name}")));
        let tables: Vec<_> =
            lines.iter().flat_map(|line| line["tables"].as_array()).flatten().collect();
        let seen = |field: &str| {
            let words = tables.iter().map(|table| table[field].as_str().unwrap());
            words.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        // Nothing is on the page that no tool prints.
        assert_eq!(seen("unit"), words(&table(&schema)["unit"]), "{name}");
        if let Some(table) = table(&schema)["name"]["const"].as_str() {
            assert_eq!(seen("name"), set([table]), "{name}");
        }
        let rows = tables.iter().flat_map(|table| table["rows"].as_array().unwrap());
        let seen: BTreeSet<_> = rows.flat_map(|row| keys(&row["labels"])).collect();
        assert_eq!(seen, labels(&schema), "{name}");
    }
    let all: Vec<_> = lines.values().flatten().collect();
    let is_there = |pointer: &str| all.iter().any(|line| line.pointer(pointer).is_some());
    for pointer in ["/skipped/0", "/lost/0/option", "/tables/0/rest", "/returned"] {
        assert!(is_there(pointer), "no line has {pointer}, so that it was not checked");
    }
}
