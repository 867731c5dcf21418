//! The page of the verifier's walk: the logs of real kernels, gone through as a reader would.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Cursor;
use std::sync::OnceLock;

use rawbpf::verifier::diagnose::words;
use rawbpf::verifier::draw::page::{About, Page, PageSection};
use rawbpf::verifier::log::KnownValue;
use rawbpf::verifier::path::Code;
use rawbpf::verifier::verification::{SourceLine, Verification};
use rawbpf::verifier::walk::{Entry, WalkStep, name, walk};
use serde_json::{Value as Json, json};

use crate::{Scheme, browse, contrast, luminance};

/// A program, whether it was refused, and what the verifier said.
struct Program {
    name: String,
    refused: bool,
    verification: Verification,
}

/// The walks of Linux 5.10, which prints all that is known each time, and of 6.18 over the recorded
/// programs, those aside that were shortened.
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

/// A walk over 600 instructions: r0 = 0, then r0 += 1.
fn long() -> Program {
    let insns: Vec<u8> = (0..600u32)
        .flat_map(|at| [if at == 0 { 0xb7 } else { 7 }, 0, 0, 0, u8::from(at > 0), 0, 0, 0])
        .collect();
    let line = |at: u32| format!("{at}: (07) r0 += 1 ; R0={at}\n");
    let lines: String = (1..600).map(line).collect();
    let verification = Verification::of_log(
        Code::from_bytes(&insns),
        format!("0: R1=ctx() R10=fp0\n0: (b7) r0 = 0 ; R0=0\n{lines}"),
    );
    Program { name: "long".into(), refused: false, verification }
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
        verification: Verification::of_log(Code::from_bytes(&insns), log.to_owned()),
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
    let mut section = PageSection::new(page.count(), verification);
    walk::<Infallible>(&verification.code, &verification.log, &mut |entry| {
        section.entry(&entry);
        Ok(())
    })
    .unwrap();
    page.add(section, &About { name, attached: "kprobe", refused, missing: "" });
}

fn steps(program: &Program) -> Vec<WalkStep<'_>> {
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
const known = () => all('.known tbody tr', line => [line.querySelector('a').textContent,
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
const attempt = doing => { try { return doing(); } catch (error) { return [`${doing}: ${error}`]; } };
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
        for (const doing of [{}]) {{ const got = attempt(doing); await pause(); seen.push(got?.length ? got : look()); }}
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

fn is(value: &KnownValue) -> String {
    format!("{}{}", words(*value), if value.precise { " exactly" } else { "" })
}

/// From the first instruction of the first program to the last of the last by the key for the next.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn at_each_step_the_page_knows_what_the_walk_does() {
    let long = long();
    let programs = recorded().iter().chain([&long]);
    let walked: Vec<_> = programs.clone().map(|it| (it, steps(it))).collect();
    let count: usize = walked.iter().map(|(_, steps)| steps.len()).sum();
    assert!(count > 2000, "{count}");
    let doing = "(() => { const found = [];
        for (let last = ''; last !== document.querySelector('.picked')?.id; key('j')) {
            last = document.querySelector('.picked')?.id; found.push([last, known()]); }
        return found; })()";
    let mut page = Page::new();
    // At a refused instruction it tells what was known before.
    programs.for_each(|program| add(&mut page, program, false));
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
                    json!([name(*place), is(value), class])
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
    let doings = vec!["key('e')"; refused.len()];
    let mut all = read(&page(refused.iter().copied()), Scheme::Light, &doings).into_iter();
    let mut compared = 0;
    for (number, program) in refused.iter().enumerate() {
        let Some(why) = program.verification.diagnose() else { continue };
        let steps = steps(program);
        let Some(row) = steps.iter().rposition(|step| Some(step.at) == why.at) else { continue };
        let (name, seen) = (&program.name, all.next().unwrap());
        assert_eq!(seen["picked"], json!([format!("p{number}-s{row}")]), "{name}");
        let at = |id: &Json| {
            let (_, row) = id.as_str().unwrap().split_once("-s").unwrap();
            steps[row.parse::<usize>().unwrap()].at
        };
        let marked: BTreeSet<u32> = seen["past"].as_array().unwrap().iter().map(at).collect();
        // That a call took away what a pointer led to is the diagnosis' own conclusion.
        let told = why.history.iter().filter(|told| !told.what.contains("is invalid from here on"));
        let told: BTreeSet<u32> = told.map(|told| told.at).collect();
        // A copy that was compared in place of the value has a past of its own, which is marked when it is picked.
        match why.sentence.contains("was compared at") {
            true => assert!(marked.is_subset(&told), "{name}: {:?}", why.history),
            false => assert_eq!(marked, told, "{name}: {:?}", why.history),
        }
        compared += usize::from(!marked.is_empty());
    }
    assert!(compared > 80, "{compared}");
}

/// The first way stays below the bound, the other adds 100 to the address of a value of 8 bytes.
const TWO_WAYS: &str = "path_dependent_oob 6.18";

/// Where the reader is after each, and the slots of the history there.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn what_is_clicked_is_told_and_has_an_address_of_its_own() {
    let html = page([named(TWO_WAYS)]);
    let find = |text| {
        format!(
            "{{ const input = document.querySelector('input'); input.value = '{text}';
            input.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true }})); }}"
        )
    };
    let (found, not_found) = (find("(95)"), find("nowhere"));
    let doings = [
        ("click('#p0-s9')", "#p0-s9", ""),
        // A register where it stands.
        ("{ over('#p0-s9 > code'); click('#p0-s9 > code b:nth-of-type(2)'); }", "#p0-s9,r1", "7 8"),
        ("click('.history a')", "#p0-s6,r1", "7"),
        ("history.back()", "#p0-s9,r1", "7 8"),
        ("key('u')", "#p0-s7,r1", "7 8"),
        ("key('u')", "#p0-s6,r1", "7"),
        ("{ key('n'); click('#p0-s9'); }", "#p0-s9", ""),
        ("key('n')", "#p0-s15", ""),
        ("key('k')", "#p0-s14", ""),
        ("key('0')", "#p0-s14,r0", "5 6"),
        // The registers in the table.
        ("click('.known tr:nth-child(2) a')", "#p0-s14,r1", "10"),
        ("click('.known [aria-current]')", "#p0-s14", ""),
        ("click('.walk summary a')", "#p0-s7", ""),
        (&found, "#p0-s13", ""),
        (&not_found, "#p0-s13", ""),
    ];
    let seen = read(&html, Scheme::Light, &doings.map(|(doing, ..)| doing));
    for (seen, (doing, address, slots)) in seen[1..].iter().zip(doings) {
        let history = seen["history"].as_array().unwrap_or_else(|| panic!("{doing}: {seen}"));
        let history = history.iter().map(|it| it.as_str().unwrap().split(' ').next().unwrap());
        let history: Vec<_> = history.collect();
        assert_eq!(
            (&seen["address"], history.join(" ")),
            (&json!(address), slots.into()),
            "{doing}"
        );
    }
    // At first the failure is shown, and what was known before it.
    assert_eq!(seen[0]["picked"], json!(["p0-s16"]));
    let r0 = "the address of a map value of 8 bytes, +100 bytes";
    assert_eq!(seen[0]["known"][0], json!(["r0", r0, ""]));
    assert_eq!(seen[8]["times"], "Visit 2 of 2 previous");
    // The exact value of r1 was traced back on the own path.
    assert_eq!(seen[1]["exact"], json!(["p0-s6", "p0-s7", "p0-s8"]));
    assert_eq!(seen[8]["exact"], json!(["p0-s14"]));
    assert_eq!(seen.last().unwrap()["says"], "not found");
}

/// r1 = 3, call, in the function r0 = r1, r0 += 1, exit, and behind the call exit.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn a_history_goes_into_functions_and_out_of_them() {
    let doings = ["click('#p0-s5')", "key('0')", "click('#p0-s2')", "key('1')"];
    for kernel in ["5.10", "6.18"] {
        let seen = read(&page([named(&format!("ok_subprog {kernel}"))]), Scheme::Light, &doings);
        assert_eq!(seen[1]["title"], "2: (95) exit", "{kernel}");
        let whole = json!(["p0-s0", "p0-s1", "p0-s2", "p0-s3", "p0-s4"]);
        assert_eq!(seen[2]["past"], whole, "{kernel}: {}", seen[2]);
        assert_eq!(seen[4]["past"], json!(["p0-s0", "p0-s1"]), "{kernel}: {}", seen[4]);
        assert_eq!(seen[3]["times"], "In a function, 1 call deep");
    }
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn branches_fold_and_open_for_what_is_looked_for() {
    let shown = "[String(document.querySelector('#p0-s16').checkVisibility())]";
    let doings = [shown, "key('f')", shown, "key('e')", shown];
    let seen = read(&page([named(TWO_WAYS)]), Scheme::Light, &doings);
    assert_eq!(
        [&seen[1], &seen[3], &seen[5]],
        [&json!(["true"]), &json!(["false"]), &json!(["true"])]
    );
    // Where a path ends, a link leads to the same instruction on an earlier one.
    let html = page([named("ok_state_pruning 6.18")]);
    let safe = "all('.safe a', link => [link.textContent, document.querySelector(link.hash)
        .firstChild.textContent, link.compareDocumentPosition(document.querySelector(link.hash))])";
    let seen = read(&html, Scheme::Light, &[safe]);
    let links = seen[1].as_array().unwrap();
    assert_eq!(links.len(), 6);
    for link in links {
        assert_eq!((&link[0], &link[2]), (&link[1], &json!(2)), "{link}");
    }
}

/// A text with everything that means something in a page.
const HOSTILE: &str =
    "</script></template></section><script>window.bad=1</script><img src=x onerror=bad=1>\"'&lt;";

#[test]
#[ignore = "needs a browser: run tests/run"]
fn hostile_text_stays_text() {
    // r1 = map[...], exit
    let insns = [0x18, 0x51, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let line = |slot| SourceLine {
        slot,
        file: HOSTILE.into(),
        line: slot + 1,
        text: format!("{HOSTILE}{slot}"),
    };
    let program = Program {
        name: HOSTILE.into(),
        refused: true,
        verification: Verification {
            code: Code::from_bytes(&insns),
            maps: vec![HOSTILE.into()],
            lines: vec![line(0), line(2)],
            log: format!(
                "0: R1=ctx() R10=fp0\n0: (18) r1 = 0x0 ; R1=map_ptr(map={HOSTILE},ks=4,vs=8)\n\
                 2: (95) exit\n{HOSTILE}\n"
            ),
            kind: HOSTILE.into(),
        },
    };
    let doing = "[document.querySelectorAll('script').length, document.querySelectorAll('img').length,
        String(window.bad), document.title, document.querySelector('h2').firstChild.data.trim(),
        document.querySelector('.said').textContent.trim(), document.querySelector('#p0-s0 code').textContent,
        document.querySelector('.src code').textContent, document.querySelector('.source a').textContent]";
    let seen = read(&page([&program]), Scheme::Light, &["click('#p0-s0')", doing]);
    let (title, map) =
        (format!("{HOSTILE}: the verifier's walk"), format!("(18) r1 = map[{HOSTILE}]"));
    let (source, first) = (format!("{HOSTILE}0"), format!("1 {HOSTILE}0"));
    // The page's own script, and the reader's.
    let expected = json!([2, 0, "undefined", title, HOSTILE, HOSTILE, map, source, first]);
    assert_eq!(seen[2], expected);
}

/// What the accessibility guidelines ask of a text of this size, on whatever is behind it.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn every_text_can_be_read_in_light_and_dark() {
    let programs = [named(TWO_WAYS), named("ok_state_pruning 6.18"), named("ok_subprog 6.18")];
    for (scheme, page_is) in [(Scheme::Light, 0.9..=1.0), (Scheme::Dark, 0.0..=0.1)] {
        let doings =
            ["colors()", "click('#p0-s9')", "key('0')", "colors()", "key('e')", "colors()"];
        let seen = read(&page(programs), scheme, &doings);
        for colors in [&seen[1], &seen[4], &seen[6]] {
            let colors = colors.as_array().unwrap();
            assert!(colors.len() > 200, "{}", colors.len());
            assert!(page_is.contains(&luminance(&colors[0][2])), "{}", colors[0]);
            for color in colors {
                assert!(contrast(&color[1], &color[2]) >= 4.5, "{color}");
            }
        }
    }
}

/// The marks that a text has without a browser.
#[test]
fn without_its_script_the_page_tells_the_walk_and_why_it_ended() {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('>', "&gt;");
    let program = named(TWO_WAYS);
    let html = page([program]);
    let (text, _) = html.split_once("<aside hidden").unwrap();
    let steps = steps(program);
    for (row, step) in steps.iter().enumerate() {
        let insn = escaped(&program.verification.text(step.at));
        let line =
            text.split_once(&format!("<a href=#p0-s{row}>{}</a><code>{insn}</code>", step.at));
        let (_, line) = line.unwrap_or_else(|| panic!("{row}: {insn}"));
        for (place, value) in &step.changes {
            let Some(value) = value else { continue };
            let change = format!("<b>{}</b> = {}", name(*place), is(value));
            assert!(line.split('\n').next().unwrap().contains(&change), "{row}: {change}");
        }
    }
    let why = program.verification.diagnose().unwrap();
    for said in [&why.sentence, &why.demand, &why.remedy] {
        assert!(text.contains(&escaped(said)), "{said}");
    }
    assert!(!html.contains("://") && !html.contains("src="));
}
