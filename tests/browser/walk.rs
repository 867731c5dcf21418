//! The page of the verifier's walk: the logs of real kernels, gone through as a reader would.

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::OnceLock;

use rawbpf::verifier::diagnose::words;
use rawbpf::verifier::log::Value;
use rawbpf::verifier::page::{About, Page, Section};
use rawbpf::verifier::path::Code;
use rawbpf::verifier::verification::{Source, Verification};
use rawbpf::verifier::walk::{Entry, Step, name, walk};
use serde_json::Value as Json;

use crate::{Scheme, browse, contrast};

/// A program, whether it was refused, and what the verifier said.
struct Program {
    name: String,
    refused: bool,
    verification: Verification,
}

/// The walks of Linux 5.10, which prints all that is known each time, and of 6.18 over the recorded
/// programs.
fn recorded() -> &'static [Program] {
    static ALL: OnceLock<Vec<Program>> = OnceLock::new();
    ALL.get_or_init(|| {
        let packed = include_bytes!("../verifier/logs.jsonl.xz");
        let mut lines = vec![];
        lzma_rs::xz_decompress(&mut Cursor::new(packed), &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        lines.lines().filter_map(|line| one(&serde_json::from_str(line).unwrap())).collect()
    })
}

fn one(value: &Json) -> Option<Program> {
    let kernel = value["kernel"].as_str().unwrap();
    let log = value["logs"]["2"].as_str().filter(|log| !log.contains("\n=cut=\n"))?;
    let hex = value["insns"].as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let insns: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    ["5.10", "6.18"].contains(&kernel).then(|| Program {
        name: format!("{} {kernel}", value["name"].as_str().unwrap()),
        refused: !value["accepted"].as_bool().unwrap(),
        verification: Verification {
            code: Code::from_bytes(&insns),
            maps: vec![],
            lines: vec![],
            log: log.to_owned(),
        },
    })
}

fn named(name: &str) -> &'static Program {
    recorded().iter().find(|program| program.name == name).unwrap()
}

fn page<'a>(programs: impl IntoIterator<Item = &'a Program>) -> String {
    let mut page = Page::new();
    for program in programs {
        add(&mut page, program, program.refused);
    }
    page.to_html()
}

fn add(page: &mut Page, program: &Program, refused: bool) {
    let Program { name, verification, .. } = program;
    let mut section = Section::new(page.len(), verification);
    walk::<Infallible>(&verification.code, &verification.log, &mut |entry| {
        section.entry(&entry);
        Ok(())
    })
    .unwrap();
    page.add(section, &About { name, attached: "kprobe", refused, missing: "" });
}

fn steps(program: &Program) -> Vec<Step<'_>> {
    let Verification { code, log, .. } = &program.verification;
    let mut steps = vec![];
    walk::<Infallible>(code, log, &mut |entry| {
        if let Entry::Step(step) = entry {
            steps.push(step);
        }
        Ok(())
    })
    .unwrap();
    steps
}

/// What a reader can do, and what is to be seen then.
const READER: &str = r"
const all = (what, of) => [...document.querySelectorAll(what)].map(of);
const pause = () => new Promise(done => setTimeout(done, 400));
const key = key => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const click = what => document.querySelector(what).click();
const over = what => document.querySelector(what).dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
const known = () => all('.known tbody tr', line => [line.querySelector('button').textContent,
    line.querySelector('td').firstChild.textContent, line.className]);
const look = () => ({
    address: location.hash,
    picked: all('.picked', row => row.id),
    past: all('.walk .past', row => row.id),
    exact: all('.walk .exact', row => row.id),
    title: document.querySelector('aside h2').textContent,
    times: document.querySelector('.times').textContent.trim(),
    known: known(),
    history: all('.history:not([hidden]) li', item => item.textContent),
    source: all('.source [aria-current]', item => item.textContent),
    says: document.querySelector('output').textContent,
});
const colors = () => {
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode, element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility()) continue;
        let behind = element;
        while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)' && behind !== document.body) behind = behind.parentElement;
        found.push([text.data, getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]);
    }
    return found;
};
const foreign = [];
addEventListener('securitypolicyviolation', event => foreign.push(event.blockedURI));
";

/// What was seen at the beginning and after each of these, which are the reader's doing in JavaScript.
fn read(html: &str, scheme: Scheme, doings: &[&str]) -> Vec<Json> {
    let end = "</html>\n";
    let doings: Vec<_> = doings.iter().map(|doing| format!("() => {doing}")).collect();
    let html = format!(
        "{}<script type=module>{READER}
        const seen = [look()];
        for (const doing of [{}]) {{ const got = doing(); await pause(); seen.push(got?.length ? got : look()); }}
        foreign.push(...performance.getEntriesByType('resource').map(it => it.name));
        document.documentElement.dataset.seen = JSON.stringify({{ seen, foreign }});
        </script>{end}",
        html.strip_suffix(end).unwrap(),
        doings.join(",\n")
    );
    let (seen, mistakes) = browse("walk.html", &html, scheme);
    assert_eq!(mistakes, [""; 0]);
    assert_eq!(seen["foreign"], Json::Array(vec![]), "the page asks for what is not in it");
    seen["seen"].as_array().unwrap().clone()
}

fn is(value: &Value) -> String {
    format!("{}{}", words(*value), if value.precise { " exactly" } else { "" })
}

/// From the first instruction of the first program to the last of the last by the key for the next.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn at_each_step_the_page_knows_what_the_walk_does() {
    let walked: Vec<_> = recorded().iter().map(|it| (it, steps(it))).collect();
    let count: usize = walked.iter().map(|(_, steps)| steps.len()).sum();
    assert!(count > 1500, "{count}");
    let doing = "(() => { const found = [];
        for (let last = ''; last !== document.querySelector('.picked')?.id; key('j')) {
            last = document.querySelector('.picked')?.id; found.push([last, known()]); }
        return found; })()";
    let mut page = Page::new();
    // At a refused instruction it tells what was known before.
    recorded().iter().for_each(|program| add(&mut page, program, false));
    let seen = read(
        &page.to_html(),
        Scheme::Light,
        &["{ location.hash = document.querySelector('.walk li[id]').id; }", doing],
    );
    let mut seen = seen[2].as_array().unwrap().iter();
    for (number, (program, steps)) in walked.iter().enumerate() {
        for (row, step) in steps.iter().enumerate() {
            let found = seen.next().unwrap();
            let at = format!("p{number}-s{row}");
            assert_eq!(found[0], at.as_str(), "{}", program.name);
            let changed = |place| step.changes.iter().any(|(other, _)| *other == place);
            let expected: Vec<_> = step
                .known
                .iter()
                .map(|(place, value)| {
                    let class = if changed(*place) { "changed" } else { "" };
                    serde_json::json!([name(*place), is(value), class])
                })
                .collect();
            assert_eq!(found[1], Json::Array(expected), "{} {at}", program.name);
        }
    }
    assert!(seen.next().is_none());
}

/// From anywhere the key leads to the refused instruction, one program after the other; what the page
/// marks there is what the diagnosis tells of the value's past.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn the_failure_is_reached_by_its_key_and_its_history_marks_what_the_diagnosis_tells() {
    let refused: Vec<_> = recorded().iter().filter(|program| program.refused).collect();
    let html = page(refused.iter().copied());
    let doings = vec!["key('e')"; refused.len()];
    let seen = read(&html, Scheme::Light, &doings);
    let (mut failures, mut compared) = (0, 0);
    for (number, program) in refused.iter().enumerate() {
        let Some(why) = program.verification.diagnose() else { continue };
        let steps = steps(program);
        let Some(row) = steps.iter().rposition(|step| Some(step.at) == why.at) else { continue };
        let seen = &seen[failures];
        failures += 1;
        let name = &program.name;
        let register = why.register.map_or(String::new(), |register| format!(",r{register}"));
        assert_eq!(seen["picked"], serde_json::json!([format!("p{number}-s{row}")]), "{name}");
        if seen["address"] != format!("#p{number}-s{row}{register}") {
            println!("{name} {} {register}", seen["address"]);
        }
        let told: Vec<_> = why.history.iter().map(|told| told.at).collect();
        let mut marked: Vec<u32> = seen["past"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| {
                let row = id.as_str().unwrap().split_once("-s").unwrap().1;
                steps[row.parse::<usize>().unwrap()].at
            })
            .collect();
        marked.sort();
        marked.dedup();
        let mut told = told;
        told.sort();
        told.dedup();
        compared += usize::from(!told.is_empty());
        if told != marked {
            println!("{name}: told {told:?}, marked {marked:?}");
        }
    }
    println!("{failures} {compared}");
}
