//! The playground: what it shows is what the command line prints, and it needs nothing but its file.

use std::fs;
use std::io::{Cursor, Write};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use miniz_oxide::deflate::compress_to_vec;
use rawbpf::lessons::{Input, LESSONS, bytes};
use serde_json::{Value as Json, json};

use crate::{Scheme, browse_at, contrast, luminance};

/// The page, made once.
fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let file = std::env::temp_dir().join(format!("rawbpf-play-{}.html", std::process::id()));
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--example", "playground", "--"]).arg(&file);
        let made = cargo.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let html = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        html
    })
}

/// What a reader can do.
const READER: &str = r"
const one = what => document.querySelector(what), all = (what, of) => [...document.querySelectorAll(what)].map(of);
const pause = (time = 50) => new Promise(done => setTimeout(done, time));
const click = what => one(what).click();
const type = (what, value) => { one(what).value = value; one(what).dispatchEvent(new Event('input', { bubbles: true })); };
const choose = (what, index) => { one(what).selectedIndex = index; one(what).dispatchEvent(new Event('change', { bubbles: true })); };
const key = key => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
const shown = what => { const it = one(what); return it.checkVisibility() ? it.textContent : null; };
const registers = () => all('.registers tr', row => row.children[1].textContent);
const foreign = [];
addEventListener('securitypolicyviolation', event => foreign.push(event.blockedURI));
while (!('ready' in document.documentElement.dataset)) await pause(5);
";

/// What the reader's doing, which is JavaScript, gives.
fn read(doing: &str) -> Json {
    read_in(Scheme::Light, 1600, doing)
}

fn read_in(scheme: Scheme, width: u32, doing: &str) -> Json {
    let end = "</html>\n";
    let html = format!(
        "{}<script type=module>{READER}
        let got; try {{ got = await (async () => {{ {doing} }})(); }} catch (error) {{ got = String(error); }}
        foreign.push(...performance.getEntriesByType('resource').map(it => it.name));
        document.documentElement.dataset.seen = JSON.stringify({{ got, foreign }});
        </script>{end}",
        page().strip_suffix(end).unwrap(),
    );
    let (seen, mistakes) = browse_at("playground.html", &html, scheme, width);
    assert_eq!(mistakes, [""; 0]);
    assert_eq!(seen["foreign"], json!([]), "the page asks for what is not in it");
    seen["got"].clone()
}

/// How the command ends on this input.
fn output(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rawbpf"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What the command prints on this input.
fn rawbpf(args: &[&str], input: &str) -> String {
    let output = output(args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs the target wasm32-unknown-unknown: run tests/run"]
fn the_page_is_small_and_names_no_other() {
    let html = page();
    let packed = compress_to_vec(html.as_bytes(), 9).len();
    println!("{} bytes, {packed} packed", html.len());
    assert!(packed < 400_000, "{packed}");
    assert!(!html.contains("://") && !html.contains(" src="));
    assert!(html.contains("default-src 'none'"));
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn each_lesson_reads_as_on_the_command_line() {
    let doing = "const found = [];
        for (let number = 1; number <= document.querySelectorAll('#contents button').length; number++) {
            click(`#contents li:nth-child(${number}) button`);
            const lesson = { verdict: one('.verdict').textContent, kernel: one('#lesson .note').textContent, title: one('#lesson h2').textContent };
            click('[data-show=listing]');
            lesson.listing = one('.shown').textContent;
            click('[data-do=check]');
            lesson.broken = one('.outcome').className;
            click('[data-do=solution]');
            click('[data-do=check]');
            lesson.solved = one('.outcome').textContent;
            lesson.solution = one('.shown').textContent;
            click('[data-show=graph]');
            lesson.graph = one('.shown').textContent;
            click('[data-show=run]');
            lesson.results = all('#input option', (_, index) => index).map(index => { choose('#input', index); click('[data-step=last]'); return one('.result').textContent; });
            found.push(lesson);
        }
        return found;";
    let seen = read(doing);
    let seen = seen.as_array().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(seen.len(), LESSONS.len());
    let mut run = 0;
    for ((number, lesson), seen) in (1..).zip(LESSONS).zip(seen) {
        let text = |name: &str| seen[name].as_str().unwrap();
        let (name, title) = (lesson.name, lesson.comment().0);
        assert_eq!(text("title"), format!("Lesson {number}: {title}"));
        // Without privileges the command shows the recorded verdict too.
        let shell = format!(
            "copy=$(mktemp -u) && cp {} $copy && chmod 755 $copy && setpriv --reuid 65534 --regid 65534 \
             --clear-groups --bounding-set=-all $copy lesson {number}; rm $copy",
            env!("CARGO_BIN_EXE_rawbpf")
        );
        let there = Command::new("sh").args(["-c", &shell]).output().unwrap();
        let there = String::from_utf8(there.stdout).unwrap();
        assert!(there.contains(text("verdict").trim_end()), "{name}: {}\n{there}", text("verdict"));
        assert!(text("kernel").contains("Linux 6.18, recorded"), "{name}");
        assert_eq!(
            text("listing"),
            rawbpf(&["asm", "-", "--emit", "listing"], lesson.broken()),
            "{name}"
        );
        assert_eq!(
            text("solution"),
            rawbpf(&["asm", "-", "--emit", "listing"], lesson.solution()),
            "{name}"
        );
        assert_eq!(text("broken"), "outcome failed", "{name}");
        assert!(text("graph").contains('┌'), "{name}: {}", text("graph"));
        assert!(
            text("solved").starts_with("It does the task on all inputs."),
            "{name}: {}",
            text("solved")
        );
        assert_eq!(seen["results"].as_array().unwrap().len(), lesson.runs.len());
        if !lesson.map.is_empty() {
            continue;
        }
        for (result, lesson_run) in seen["results"].as_array().unwrap().iter().zip(lesson.runs) {
            let input = match lesson_run.input {
                Input::Arguments(numbers) => bytes(&[numbers, &[0; 8][numbers.len()..]].concat()),
                Input::Packet(length, start) => [start, &vec![0; length - start.len()]].concat(),
                // The command has no memory of user space.
                Input::Address(_) => continue,
            };
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            let there = rawbpf(&["run", "-", "--interpret", "--ctx", &hex], lesson.solution());
            assert_eq!(result.as_str().unwrap(), there, "{name}");
            run += 1;
        }
    }
    assert!(run > 30, "{run}");
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn a_pasted_log_is_explained_as_on_the_command_line() {
    let packed = include_bytes!("../verifier/logs.jsonl.xz");
    let mut lines = vec![];
    lzma_rs::xz_decompress(&mut Cursor::new(packed), &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let logs = lines.lines().filter_map(|line| {
        let value: Json = serde_json::from_str(line).unwrap();
        value["logs"]["2"].as_str().map(str::to_owned)
    });
    let logs: Vec<String> = logs.filter(|log| !log.is_empty() && log.len() < 20_000).collect();
    assert!(logs.len() > 100, "{}", logs.len());
    let walked = logs.iter().find(|log| log.contains("invalid mem access 'map_value_or_null'"));
    let doing = format!(
        "click('#tab-log');
        const found = [];
        for (const log of {}) {{ type('#pasted', log); found.push(one('.explanation').textContent); }}
        type('#pasted', {});
        const walk = one('#walk');
        await pause(1000);
        const inside = walk.contentDocument, at = () => inside.querySelector('.walk .picked')?.id;
        const last = at();
        inside.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'k', bubbles: true }}));
        await pause(500);
        return {{ found, walk: [walk.checkVisibility(), last, at()] }};",
        json!(logs).to_string().replace("</", "<\\/"),
        json!(walked)
    );
    let seen = read(&doing);
    let found = seen["found"].as_array().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(found.len(), logs.len());
    let mut compared = 0;
    for (log, found) in logs.iter().zip(found) {
        let (found, there) = (found.as_str().unwrap(), output(&["explain"], log));
        let why = String::from_utf8_lossy(&there.stderr);
        match there.status.success() {
            true => assert_eq!(found, String::from_utf8_lossy(&there.stdout), "{log}"),
            // As the recording of a load that never came to the verifier.
            false => assert!(
                found.starts_with("There is no log") && why.contains("there is no log"),
                "{log}: {found} {why}"
            ),
        }
        compared += usize::from(there.status.success());
    }
    assert!(compared > 500, "{compared}");
    // It begins at the refused instruction, and goes back by its keys.
    let [visible, last, before] = [0, 1, 2].map(|at| &seen["walk"][at]);
    assert_eq!(*visible, true);
    assert!(last.is_string() && before.is_string() && last != before, "{last} {before}");
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn what_is_typed_is_assembled_and_its_mistakes_are_underlined() {
    let doing = "type('#text', 'r0 = 0\\ncall bpf_get_prandom_u31\\nexit\\n');
        const wrong = { marks: all('.editor u', it => it.textContent), said: one('.mistakes').textContent };
        type('#text', '; é\\nr0 = 7 ; é é\\nr0 = r0 ü\\nexit\\n');
        wrong.wide = all('.editor u', it => it.textContent);
        type('#text', '.program t xdp\\nr0 = 7\\nexit\\n');
        click('[data-show=bytes]');
        return { ...wrong, right: [shown('.mistakes'), all('.editor u', it => it.textContent).length], bytes: one('.shown').textContent };";
    let seen = read(doing);
    assert_eq!(seen["marks"], json!(["bpf_get_prandom_u31"]), "{seen}");
    let said = seen["said"].as_str().unwrap();
    assert!(said.contains("did you mean `bpf_get_prandom_u32`?"), "{said}");
    assert_eq!(seen["wide"], json!(["ü"]));
    assert_eq!(seen["right"], json!([null, 0]));
    let bytes = rawbpf(&["asm", "-", "--emit", "opcodes"], ".program t xdp\nr0 = 7\nexit\n");
    assert_eq!(seen["bytes"], bytes.as_str());
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn a_program_is_stepped_forward_and_back_and_the_address_keeps_it() {
    let text = ".program t socket_filter\\n.map m hash key 4 value 8 entries 4\\nr6 = *(u32 *)(r1 + 0)\\n\
        *(u32 *)(fp - 4) = 5\\n*(u64 *)(fp - 16) = 9\\nr1 = map[m]\\nr2 = fp\\nr2 += -4\\nr3 = fp\\nr3 += -16\\nr4 = 0\\n\
        call bpf_map_update_elem\\nr0 = r6\\nexit\\n";
    let doing = format!(
        "const look = () => ({{ at: one('.code [aria-current]')?.textContent ?? null, registers: registers(),
            stack: all('.stack tr', row => row.textContent), maps: one('.maps').textContent, says: one('.run output').textContent,
            result: one('.result').textContent }});
        type('#text', '{text}');
        type('#ctx', '{}');
        const seen = [look()];
        for (const doing of ['j', 'j', 'k', 'e', 'k', '0']) {{ key(doing); seen.push(look()); }}
        key('j'); key('j'); await pause(600);
        const address = location.hash;
        type('#text', 'r0 = 1\\nexit\\n'); await pause(600);
        const other = location.hash;
        location.hash = address; await pause(600);
        return {{ seen, other: other !== address, length: address.length, again: [one('#text').value, look().says] }};",
        "00".repeat(60)
    );
    let seen = read(&doing);
    let at = |index: usize| &seen["seen"][index];
    assert!(seen["seen"].is_array(), "{seen}");
    assert_eq!(at(0)["at"], "0: (61) r6 = *(u32 *)(r1 +0)");
    assert_eq!(at(0)["registers"][1], "context");
    assert_eq!(at(0)["registers"][6], "nothing");
    assert_eq!(at(1)["registers"][6], "46");
    assert_eq!(at(2)["stack"].as_array().unwrap().len(), 1);
    assert_eq!(at(3)["says"], at(1)["says"]);
    assert_eq!(at(3)["stack"], json!([]));
    assert_eq!(at(4)["maps"], "m (hash)\n  5: 9\n");
    assert_eq!(at(4)["result"], "t returned 46 in 12 instructions\nm (hash)\n  5: 9\n");
    assert_eq!(at(5)["at"], "12: (95) exit");
    assert_eq!(at(5)["result"], "");
    assert_eq!(at(6)["registers"], at(0)["registers"]);
    assert_eq!(seen["other"], true);
    assert!(seen["length"].as_u64().unwrap() < 1000, "{seen}");
    assert_eq!(seen["again"], json!([text.replace("\\n", "\n"), "step 2"]));
}

/// Of a lesson's program by its recorded log, and of any other by the log that was pasted.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn what_the_verifier_knew_stands_beside_what_is_so() {
    let text = "r0 = *(u8 *)(r1 + 0)\\nr2 = 5\\nr0 += r2\\nexit\\n";
    let log = "0: R1=ctx() R10=fp0\\n0: (71) r0 = *(u8 *)(r1 +0) ; R0=scalar(smin=smin32=0,smax=umax=smax32=umax32=255,\
        var_off=(0x0; 0xff)) R1=ctx()\\n1: (b7) r2 = 5 ; R2=5\\n2: (0f) r0 += r2 ; R0=scalar(smin=umin=smin32=umin32=5,\
        smax=umax=smax32=umax32=260,var_off=(0x0; 0x1ff)) R2=5\\n3: (95) exit\\nprocessed 4 insns (limit 1000000) \
        max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\\n";
    let doing = format!(
        "const beside = () => all('.registers tr', row => row.children[3].textContent);
        click('#contents li:nth-child(15) button');
        const lesson = [beside()[1]];
        for (let step = 0; step < 6; step++) key('j');
        lesson.push(beside()[0]);
        click('[data-do=close]'); type('#pasted', '{log}'); type('#text', '{text}'); type('#ctx', '08');
        key('j');
        const known = [beside()[0]];
        key('j'); key('j');
        known.push(beside()[0], beside()[2]);
        type('#text', 'r0 = 1\\nexit\\n'); key('j');
        return {{ lesson, known, none: beside().join('') }};"
    );
    let seen = read(&doing);
    assert_eq!(seen["lesson"][0], "verifier: the context; here: context", "{seen}");
    let found = seen["lesson"][1].as_str().unwrap();
    assert!(
        found.starts_with("verifier: NULL or the address of a map value of 8 bytes"),
        "{found}"
    );
    assert!(found.ends_with("here: map ages: value 0"), "{found}");
    let known =
        ["a number from 0 to 255; here: 8", "a number from 5 to 260; here: 13", "5; here: 5"];
    assert_eq!(seen["known"], json!(known.map(|known| format!("verifier: {known}"))));
    assert_eq!(seen["none"], "");
}

/// Light and dark, and as wide as a phone: every text can be read, and nothing is wider than the window.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn every_text_can_be_read_at_any_width() {
    let doing = "click('#contents li:nth-child(15) button'); one('#lesson details').open = true; click('[data-step=on]'); await pause();
        const found = [];
        const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode, element = text.parentElement;
            if (!text.data.trim() || !element.checkVisibility() || element.closest('script, [aria-hidden]')) continue;
            let behind = element;
            while (getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)' && behind !== document.body) behind = behind.parentElement;
            found.push([text.data, getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]);
        }
        return { found, wide: [document.documentElement.scrollWidth, innerWidth] };";
    for (scheme, width, page_is) in [
        (Scheme::Light, 1600, 0.9..=1.0),
        (Scheme::Dark, 1600, 0.0..=0.1),
        (Scheme::Light, 500, 0.9..=1.0),
    ] {
        let seen = read_in(scheme, width, doing);
        let found = seen["found"].as_array().unwrap_or_else(|| panic!("{seen}"));
        assert!(found.len() > 60, "{}", found.len());
        assert!(page_is.contains(&luminance(&found[0][2])), "{}", found[0]);
        for color in found {
            assert!(contrast(&color[1], &color[2]) >= 4.5, "{color}");
        }
        let wide = [&seen["wide"][0], &seen["wide"][1]].map(|it| it.as_u64().unwrap());
        assert!(wide[0] <= wide[1], "{wide:?}");
    }
}
