//! The control flow graph: the drawing can be followed, and graphviz takes the other.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rawbpf::view::graph::{Drawing, Graph, Node};

use crate::{rawbpf, shown};

fn all() -> String {
    format!("{}/tests/dump/objects/all.o", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_object_is_drawn() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dump/objects/all-visual.txt");
    let drawn = String::from_utf8(rawbpf(&["dump", &all(), "-f", "visual"]).stdout).unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &drawn).unwrap();
    }
    assert_eq!(drawn, std::fs::read_to_string(golden).unwrap(), "BLESS=1 accepts the change");
}

#[test]
fn jumps_that_lead_nowhere_are_told() {
    let drawn = shown(b"0500640000000000 9500000000000000", &["-f", "visual"]);
    assert!(drawn.contains("0: (05) goto pc+100 → nowhere"), "{drawn}");
    let dot = shown(b"0500640000000000 9500000000000000", &["-f", "dot"]);
    assert!(!dot.contains("->"), "{dot}");
}

#[test]
#[ignore = "needs graphviz: run tests/run"]
fn graphviz_takes_every_graph_and_finds_its_edges() {
    for (args, nodes, edges) in [
        (&["dump", &all(), "-f", "dot"][..], 17, 17),
        (&["bitehist", "--dump-insns=dot", "--attach", "tracepoint"], 1, 0),
    ] {
        let dot = rawbpf(args).stdout;
        let mut graphviz = Command::new("dot")
            .arg("-Tplain")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        graphviz.stdin.take().unwrap().write_all(&dot).unwrap();
        let output = graphviz.wait_with_output().unwrap();
        assert!(output.status.success());
        let plain = String::from_utf8(output.stdout).unwrap();
        let count = |word: &str| plain.lines().filter(|line| line.starts_with(word)).count();
        assert_eq!((count("node "), count("edge ")), (nodes, edges), "{plain}");
    }
}

/// What a name holds does not end its string.
#[test]
fn quotes_and_backslashes_do_not_break_out_of_the_graph() {
    let name = "a\"b\\".to_owned();
    let node = Node { lines: vec!["\\\" ];".into()], ..Node::default() };
    let dot = rawbpf::view::graph::Dot(&Graph { name, nodes: vec![node] }).to_string();
    assert!(dot.starts_with("digraph \"a\\\"b\\\\\" {\n"), "{dot}");
    assert!(dot.contains("[label=\"\\\\\\\" ];\\l\"];"), "{dot}");
}

/// Boxes whose first line is their number.
fn graphs() -> impl Strategy<Value = Graph> {
    let node = (1..4usize, any::<bool>(), proptest::option::of(0..40usize));
    proptest::collection::vec(node, 1..40).prop_map(|nodes| {
        let count = nodes.len();
        let nodes = nodes.into_iter().enumerate().map(|(number, (lines, falls, jump))| Node {
            title: String::new(),
            lines: (0..lines).map(|line| format!("{number}: line {line}")).collect(),
            falls: falls && number + 1 < count,
            jump: jump.map(|jump| jump % count),
        });
        Graph { name: "g".into(), nodes: nodes.collect() }
    })
}

/// Follows the line that leaves a row to the left of a box to the box that it leads to.
fn follow(grid: &[Vec<char>], row: usize) -> usize {
    let at = |row: usize, column: usize| grid[row].get(column).copied().unwrap_or(' ');
    let mut column = grid[row].iter().position(|c| *c == '┤').unwrap() - 1;
    while matches!(at(row, column), '─' | '┼') {
        column -= 1;
    }
    // The lane: up and down from here, whichever ways it goes, to the arrow.
    let corner = at(row, column);
    let (up, down) = (matches!(corner, '└' | '├'), matches!(corner, '┌' | '├'));
    assert!(up || down, "{corner:?} in row {row}");
    let arrives = |row: usize| {
        let mut right = column + 1;
        while matches!(at(row, right), '─' | '┼') {
            right += 1;
        }
        at(row, right) == '►'
    };
    let walk = |step: isize| {
        let mut row = row;
        loop {
            row = row.checked_add_signed(step).unwrap();
            match at(row, column) {
                '│' | '┼' => {}
                '├' if arrives(row) => return Some(row),
                '├' => {}
                '┌' | '└' => return arrives(row).then_some(row),
                other => panic!("the line ends at {other:?} in row {row}"),
            }
        }
    };
    let ends: Vec<_> = [(up, -1), (down, 1)]
        .into_iter()
        .filter(|(goes, _)| *goes)
        .filter_map(|(_, step)| walk(step))
        .collect();
    assert_eq!(ends.len(), 1, "from row {row} to {ends:?}");
    ends[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_line_of_a_drawing_leads_to_its_box(graph in graphs()) {
        let text = Drawing(&graph).to_string();
        let grid: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        prop_assert!(grid.iter().all(|row| row.len() <= 80), "{text}");
        // A box's first row is above its first line.
        let row_of = |number: usize, line: usize| {
            let wanted = format!(" {number}: line {line} ");
            text.lines().position(|row| row.contains(&wanted)).unwrap()
        };
        for (number, node) in graph.nodes.iter().enumerate() {
            let last = row_of(number, node.lines.len() - 1);
            let leaves = grid[last].contains(&'┤');
            match node.jump {
                None => prop_assert!(!leaves, "{text}"),
                Some(jump) if leaves => {
                    prop_assert_eq!(follow(&grid, last) + 1, row_of(jump, 0), "{}", text);
                }
                // There was no room for a line.
                Some(jump) => {
                    let row: String = grid[last].iter().collect();
                    prop_assert!(row.contains(&format!("→ {jump} ")), "{text}");
                }
            }
            let bottom = &grid[last + 1];
            prop_assert_eq!(bottom.contains(&'┬'), node.falls, "{}", text);
        }
    }
}
