//! What each kernel's verifier has to do for each of our programs: the tables in VERIFIER.md.
//!
//! A guest measures its kernel's column. On the release that the column is of, the cells must be the
//! same; on another one, which a package update brings, the verdicts must be, and the instructions must
//! be the same but for a tenth: the verifier changed then, not the program. `BLESS=1` writes the column.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use rawbpf::lessons::LESSONS;
use serde_json::Value;

use crate::KERNELS;
use crate::bed::{Kernel, Outcome};

/// Tests run side by side, and have a column each.
static FILE: Mutex<()> = Mutex::new(());

/// The kernels that have a column.
static COLUMNS: LazyLock<Vec<&Kernel>> = LazyLock::new(|| {
    let measures =
        |kernel: &&Kernel| kernel.cases.iter().any(|case| case.name == "verify_costs_of_tools");
    KERNELS.into_iter().filter(measures).collect()
});

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("VERIFIER.md")
}

/// Every tool's programs.
pub fn of_tools(outcome: &Outcome) {
    measured("Tools", outcome);
}

/// The program of each lesson, and its solution.
pub fn of_lessons(outcome: &Outcome) {
    measured("Lessons", outcome);
}

/// The first row, with the releases.
const RELEASE: &str = "*release*";

/// A program, and a cell for each kernel.
type Row = (String, Vec<String>);

/// One of the tables.
struct Table {
    /// The file before its rows and behind them.
    around: [String; 2],
    rows: Vec<Row>,
}

impl Table {
    fn read(section: &str) -> Table {
        let text = fs::read_to_string(file()).unwrap();
        let heading = format!("\n## {section}\n");
        let start = text.find(&heading).expect("the section") + heading.len();
        let rule = start + text[start..].find("\n|--").expect("a table") + 1;
        let (before, rest) = text.split_at(rule + text[rule..].find('\n').unwrap() + 1);
        let lines = rest.split_inclusive('\n').take_while(|line| line.starts_with('|'));
        let bytes: usize = lines.clone().map(str::len).sum();
        let around = [before.to_owned(), rest[bytes..].to_owned()];
        Table { around, rows: lines.map(row).collect() }
    }

    fn write(&self) {
        let [before, behind] = &self.around;
        let mut text = before.clone();
        for (name, cells) in &self.rows {
            writeln!(text, "| {name} | {} |", cells.join(" | ")).unwrap();
        }
        fs::write(file(), text + behind).unwrap();
    }

    fn cell(&self, name: &str, column: usize) -> Option<&str> {
        let (_, cells) = self.rows.iter().find(|(row, _)| row == name)?;
        Some(cells[column].as_str()).filter(|cell| !cell.is_empty())
    }

    /// Makes a column what was measured. A new row stands behind the one that was measured before it.
    fn set(&mut self, column: usize, measured: &[(String, String)]) {
        for (_, cells) in &mut self.rows {
            cells[column].clear();
        }
        let mut place = 0;
        for (name, cell) in measured {
            let found = self.rows.iter().position(|(row, _)| row == name);
            let index = found.unwrap_or_else(|| {
                self.rows.insert(place, (name.clone(), vec![String::new(); COLUMNS.len()]));
                place
            });
            self.rows[index].1[column].clone_from(cell);
            place = index + 1;
        }
        self.rows.retain(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    }
}

fn row(line: &str) -> Row {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    let mut cells = line.split('|').map(|cell| cell.trim().to_owned());
    let name = cells.next().unwrap();
    let cells: Vec<_> = cells.collect();
    assert_eq!(cells.len(), COLUMNS.len(), "{line}");
    (name, cells)
}

/// What a guest told: the release, then each program's verdict. `refused, 6 / 1`: that after six
/// instructions, with one state kept.
fn told(outcome: &Outcome) -> Vec<(String, String)> {
    let (release, rest) = outcome.stdout.split_once("\n== ").expect("a release");
    let mut all = vec![(RELEASE.to_owned(), release.to_owned())];
    for command in rest.split("\n== ") {
        let (command, verdicts) = command.split_once('\n').unwrap_or((command, ""));
        assert!(!verdicts.is_empty(), "{command} has no verdict");
        for verdict in verdicts.lines() {
            let verdict: Value = serde_json::from_str(verdict).unwrap();
            let program = verdict["program"].as_str().unwrap();
            // Of several programs that a tool has, one is called as the tool.
            let name = match command.split_once(' ') {
                Some((tool, _)) if tool != program => format!("`{command}`: {program}"),
                _ => format!("`{command}`"),
            };
            let refused = if verdict["verdict"] == "refused" { "refused, " } else { "" };
            let number =
                |key| verdict[key].as_u64().map_or("-".into(), |number| number.to_string());
            let cell = format!("{refused}{} / {}", number("processed"), number("states"));
            assert!(all.iter().all(|(other, _)| *other != name), "{name} is there twice");
            all.push((name, cell));
        }
    }
    all
}

fn measured(section: &str, outcome: &Outcome) {
    let measured = told(outcome);
    let release = &measured[0].1;
    let is_release = |name: &str| release.starts_with(&format!("{name}."));
    let column = COLUMNS.iter().position(|kernel| is_release(kernel.name)).unwrap();
    let _alone = FILE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut table = Table::read(section);
    if std::env::var_os("BLESS").is_some() {
        table.set(column, &measured);
        table.write();
        return;
    }
    let mut wrong = vec![];
    let same_release = table.cell(RELEASE, column) == Some(release);
    for (name, now) in &measured[1..] {
        match table.cell(name, column) {
            None => wrong.push(format!("{name} takes {now}, of which the table says nothing")),
            Some(then) if same_release && now == then || !same_release && alike(now, then) => {}
            Some(then) => wrong.push(format!("{name} takes {now}, and not {then}")),
        }
    }
    for (name, cells) in &table.rows {
        if !cells[column].is_empty() && measured.iter().all(|(other, _)| other != name) {
            wrong.push(format!("{name} is not verified any more"));
        }
    }
    let wrong = wrong.join("\n  ");
    assert!(
        wrong.is_empty(),
        "Linux {release}, instructions / states:\n  {wrong}\nif that is right: BLESS=1 tests/run verify_costs"
    );
}

/// The same verdict after as many instructions, but for a tenth.
fn alike(now: &str, then: &str) -> bool {
    let parts = |cell: &str| {
        let insns = cell.trim_start_matches("refused, ").split(' ').next()?.parse::<f64>().ok()?;
        Some((cell.starts_with("refused"), insns))
    };
    match (parts(now), parts(then)) {
        (Some((refused, insns)), Some((before, then))) => {
            refused == before && (insns - then).abs() <= then / 10.0
        }
        _ => now == then,
    }
}

#[test]
fn another_release_may_take_a_tenth_more_or_less_for_the_same_verdict() {
    assert!(alike("109 / 7", "100 / 3") && alike("refused, 91 / 1", "refused, 100 / 1"));
    assert!(!alike("111 / 3", "100 / 3") && !alike("refused, 100 / 3", "100 / 3"));
    assert!(alike("refused, - / -", "refused, - / -") && !alike("refused, - / -", "1 / 0"));
}

/// No tool and no lesson is forgotten, on none of the kernels.
#[test]
fn the_tables_have_every_tool_and_lesson_on_every_kernel() {
    let tools = Table::read("Tools");
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let files = fs::read_dir(programs).unwrap().map(|entry| entry.unwrap().file_name());
    let names = files.filter_map(|file| Some(file.to_str()?.strip_suffix(".rs")?.to_owned()));
    // What the block tools share, and a program that runs beside theirs on old kernels.
    let shared = ["request", "record", "submitter", "task", "disk_names"];
    for name in names.filter(|name| !shared.contains(&&**name)) {
        let is_its = |row: &&Row| row.0.starts_with(&format!("`{name} "));
        let mut kernels = vec![false; COLUMNS.len()];
        for (row, cells) in tools.rows.iter().filter(is_its) {
            assert!(cells.iter().all(|cell| !cell.starts_with("refused")), "{row}: {cells:?}");
            kernels.iter_mut().zip(cells).for_each(|(has, cell)| *has |= !cell.is_empty());
        }
        assert_eq!(kernels, vec![true; COLUMNS.len()], "{name}: BLESS=1 tests/run verify_costs");
    }
    // What is refused only without privileges may be taken in a guest.
    let lessons = Table::read("Lessons");
    for lesson in LESSONS {
        let name = format!("`{}.solution`", lesson.name);
        // A new one is asked for by the guests.
        let Some((_, cells)) = lessons.rows.iter().find(|(row, _)| *row == name) else { continue };
        let accepted = |cell: &String| !cell.is_empty() && !cell.starts_with("refused");
        assert!(cells.iter().all(accepted), "{name}: {cells:?}");
    }
}
