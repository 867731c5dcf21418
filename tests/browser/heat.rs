//! The heat map's picture: what is drawn where, in which colors, and what the mouse finds.

use std::sync::OnceLock;
use std::time::Duration;

use rawbpf::aggregate::heat;
use rawbpf::view::heatmap::{HeatRow, LEVELS};
use rawbpf::view::scale::Scale;
use rawbpf::view::svg::{About, Picture};
use rawbpf::view::wall::Moment;
use serde_json::Value;

use crate::{Scheme, browse_at, contrast, luminance};

/// Everything that is drawn, as the browser has it, and what it finds where the mouse may be.
const LOOK: &str = r"<script><![CDATA[
const box = element => { const b = element.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
const title = element => element && element.querySelector(':scope > title')?.textContent;
const drawn = (element, more) =>
    ({ class: element.getAttribute('class'), box: box(element), fill: getComputedStyle(element).fill, ...more });
const under = ([left, top, right, bottom]) => {
    const found = new Set();
    for (let x = left + 1; x < right; x += 4) found.add(title(document.elementFromPoint(x, (top + bottom) / 2)));
    return [...found];
};
const all = (what, more) => [...document.querySelectorAll(what)].map(element => drawn(element, more(element)));
document.documentElement.setAttribute('data-seen', JSON.stringify({
    root: document.documentElement.namespaceURI + ' ' + document.documentElement.nodeName,
    picture: drawn(document.documentElement),
    page: all('.page', () => ({}))[0],
    texts: all('text', element => ({ text: element.textContent })),
    rects: all('rect:not(.page)', element => ({ title: title(element), under: under(box(element)) })),
}));
]]></script>";

fn scale() -> Scale {
    Scale::new(&heat::BOUNDS, heat::PER_DOUBLING)
}

fn row(start: Duration, end: Duration, missed: u64) -> HeatRow {
    HeatRow { start, end, missed, counts: vec![0; heat::COLUMNS as usize], under: 0, over: 0 }
}

/// A picture that begins at four minutes past two, an hour ahead of UTC.
fn about(title: &str) -> About {
    About {
        title: title.into(),
        host: "a-host-with-a-name.example.net".into(),
        kernel: "6.12.48+deb13-amd64".into(),
        start: Moment::new(Duration::from_secs(1_793_538_240), 3600),
        notes: vec![
            "3 requests were not counted, beyond 16384 at a time: a sentence that is longer \
                     than the picture is wide where letters are large"
                .into(),
        ],
    }
}

/// A second with requests at each power of ten and outside, three without anybody who read, and one
/// with a single request.
fn picture() -> String {
    let second = Duration::from_secs(1);
    let mut busy = HeatRow { under: 2, over: 5, ..row(Duration::ZERO, second, 0) };
    for (count, power) in LEVELS.iter().zip(3..=10) {
        busy.counts[scale().column(10u64.pow(power))] = *count;
    }
    let mut one = row(4 * second, 5 * second, 3);
    one.counts[scale().column(2_000_000)] = 1;
    let mut picture = Picture::new(about("loop0 & <more>"), scale().from(1000), second);
    picture.push(busy);
    picture.push(one);
    picture.to_svg()
}

/// The picture as a browser shows it.
fn seen(scheme: Scheme) -> &'static Value {
    static SEEN: [OnceLock<Value>; 2] = [const { OnceLock::new() }; 2];
    SEEN[scheme as usize].get_or_init(|| open(&picture(), scheme))
}

fn open(svg: &str, scheme: Scheme) -> Value {
    open_at(svg, scheme, 1600)
}

fn open_at(svg: &str, scheme: Scheme, width: u32) -> Value {
    let end = "</svg>\n";
    let svg = format!("{}{LOOK}{end}", svg.strip_suffix(end).unwrap());
    let (seen, _) = browse_at("heat.svg", &svg, scheme, width);
    assert_eq!(seen["root"], "http://www.w3.org/2000/svg svg");
    seen
}

/// Left, top, right, bottom.
fn place(drawn: &Value) -> [f64; 4] {
    std::array::from_fn(|index| drawn["box"][index].as_f64().unwrap())
}

fn rects(seen: &Value) -> &[Value] {
    seen["rects"].as_array().unwrap()
}

fn texts(seen: &Value) -> &[Value] {
    seen["texts"].as_array().unwrap()
}

/// What is drawn with this text for the mouse.
#[track_caller]
fn titled<'a>(seen: &'a Value, title: &str) -> &'a Value {
    let mut found = rects(seen).iter().filter(|rect| rect["title"] == title);
    let rect = found.next().unwrap_or_else(|| panic!("no {title:?} in {seen:#}"));
    assert!(found.next().is_none(), "{title:?} twice");
    rect
}

/// The text that reads so.
#[track_caller]
fn text<'a>(seen: &'a Value, text: &str) -> &'a Value {
    let found = texts(seen).iter().find(|drawn| drawn["text"] == text);
    found.unwrap_or_else(|| panic!("no {text:?} in {:#}", seen["texts"]))
}

const GAP: &str = "14:04:01.000 to 14:04:04.000\nnot read: the next row has the counts";
/// What is empty of a row tells of the row.
const ROWS: [&str; 2] = [
    "14:04:00.000 to 14:04:01.000\n62633 requests, p50 <11s, p99 <11s, max >17s",
    "14:04:04.000 to 14:04:05.000\n1 request, p50 <2.1ms, p99 <2.1ms, max <2.1ms",
];

#[test]
#[ignore = "needs a browser: run tests/run"]
fn the_mouse_finds_time_range_and_count_of_every_cell() {
    let seen = seen(Scheme::Light);
    for rect in rects(seen).iter().filter(|rect| rect["title"].is_string()) {
        let own = rect["title"].as_str().unwrap();
        let under = rect["under"].as_array().unwrap();
        match ROWS.contains(&own) {
            // The cells are on it.
            true => assert!(under.contains(&rect["title"]), "{own}: {under:?}"),
            false => assert_eq!(under, &[rect["title"].clone()], "{own}"),
        }
    }
    for title in [
        "14:04:00.000 to 14:04:01.000\n896 ns to 1.024 us\n1 request",
        "14:04:00.000 to 14:04:01.000\n917.504 us to 1.048576 ms\n100 requests",
        "14:04:00.000 to 14:04:01.000\nbelow 896ns\n2 requests",
        "14:04:00.000 to 14:04:01.000\n17s or more\n5 requests",
        GAP,
        ROWS[0],
        ROWS[1],
    ] {
        titled(seen, title);
    }
}

/// A label stands below the cell that its latency is in, or beside where a row begins.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn axes_tell_where_a_cell_is() {
    let seen = seen(Scheme::Light);
    for (label, range) in [
        ("1us", "896 ns to 1.024 us\n1 request"),
        ("10us", "8.192 us to 10.24 us\n5 requests"),
        ("100us", "98.304 us to 114.688 us\n20 requests"),
        ("1ms", "917.504 us to 1.048576 ms\n100 requests"),
        ("10ms", "8.388608 ms to 10.48576 ms\n500 requests"),
        ("100ms", "83.88608 ms to 100.663296 ms\n2000 requests"),
        ("1s", "939.524096 ms to 1.073741824 s\n10000 requests"),
        ("10s", "8.589934592 s to 10.73741824 s\n50000 requests"),
    ] {
        let [left, _, right, bottom] =
            place(titled(seen, &format!("14:04:00.000 to 14:04:01.000\n{range}")));
        let [from, top, to, _] = place(text(seen, label));
        assert!((left..=right).contains(&f64::midpoint(from, to)), "{label}");
        assert!(top > bottom, "{label}");
    }
    for (label, row) in [("14:04:00", ROWS[0]), ("14:04:04", ROWS[1])] {
        let [left, begins, _, _] = place(titled(seen, row));
        let [_, top, right, bottom] = place(text(seen, label));
        assert!((f64::midpoint(top, bottom) - begins).abs() < 3.0, "{label}");
        assert!(right < left, "{label}");
    }
    let [_, first, _, last] = place(titled(seen, GAP));
    let [_, begins, _, ends] = place(titled(seen, ROWS[0]));
    assert!(
        (last - first - 3.0 * (ends - begins)).abs() < 0.1,
        "three seconds are as long as three"
    );
}

/// No text is cut off, on another, or in a color too near the page's.
#[track_caller]
fn can_be_read(seen: &Value) {
    let [left, top, right, bottom] = place(&seen["picture"]);
    // Where letters are large, some labels are left out.
    let is_drawn = |text: &&Value| {
        let [x, _, to_x, _] = place(text);
        to_x > x || !text["class"].as_str().is_some_and(|class| class.contains("minor"))
    };
    let texts: Vec<_> = texts(seen).iter().filter(is_drawn).collect();
    for (index, one) in texts.iter().enumerate() {
        let name = &one["text"];
        let [x, y, to_x, to_y] = place(one);
        assert!(x >= left && y >= top && to_x <= right && to_y <= bottom, "{name} is cut off");
        assert!(to_x > x && to_y > y, "{name} is not drawn");
        for other in &texts[..index] {
            let [other_x, other_y, other_to_x, other_to_y] = place(other);
            let apart = to_x <= other_x || other_to_x <= x || to_y <= other_y || other_to_y <= y;
            assert!(apart, "{name} is written over {}", other["text"]);
        }
        // What the accessibility guidelines ask of a text of this size.
        assert!(contrast(&one["fill"], &seen["page"]["fill"]) >= 4.5, "{name}: {}", one["fill"]);
    }
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn every_text_can_be_read() {
    for scheme in [Scheme::Light, Scheme::Dark] {
        let seen = seen(scheme);
        can_be_read(seen);
        text(seen, "loop0 & <more>");
        text(seen, "a-host-with-a-name.example.net, Linux 6.12.48+deb13-amd64");
        text(seen, "1 Nov 2026, 14:04:00 to 14:04:05 UTC+01:00");
    }
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn texts_of_short_and_long_runs_and_of_all_columns_can_be_read_too() {
    let title = "Block I/O latency of all disks, Sun Nov  1 14:03:59 2026";
    for (scale, every, rows) in [
        (scale().from(1000), Duration::from_secs(2), 0),
        (scale(), Duration::from_millis(1), 3),
        (scale(), Duration::from_millis(200), 100),
        (scale().from(1000), Duration::from_secs(60), 200),
        (scale().from(1000), Duration::from_secs(3600), 200),
        (scale().from(1000), Duration::from_secs(86400), 200),
    ] {
        let mut picture = Picture::new(about(title), scale, every);
        for index in 0..rows {
            picture.push(row(every * index, every * (index + 1), 0));
        }
        can_be_read(&open(&picture.to_svg(), Scheme::Light));
    }
}

/// The shades of the legend, from no requests to the most.
fn legend(seen: &Value) -> Vec<&Value> {
    let shades = rects(seen).iter().filter(|rect| rect["title"].is_null());
    shades.filter(|rect| rect["class"].as_str().unwrap().starts_with('c')).collect()
}

/// On a phone the whole picture is there, in letters that can be read.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn a_narrow_window_shows_all_of_it() {
    for scheme in [Scheme::Light, Scheme::Dark] {
        let seen = open_at(&picture(), scheme, 500);
        can_be_read(&seen);
        let texts = texts(&seen).iter().filter(|text| {
            let [x, _, to_x, _] = place(text);
            to_x > x
        });
        for text in texts {
            let [x, y, to_x, to_y] = place(text);
            assert!(x >= 0.0 && to_x <= 500.0, "{} is cut off", text["text"]);
            assert!(to_y - y >= 11.0, "{} is {} high", text["text"], to_y - y);
        }
        titled(&seen, GAP);
    }
}

#[test]
#[ignore = "needs a browser: run tests/run"]
fn a_gap_is_explained_and_losses_are_told() {
    let seen = seen(Scheme::Light);
    let gap = rects(seen).iter().find(|rect| rect["class"] == "gap").unwrap();
    let [_, top, right, bottom] = place(gap);
    let [left, from, _, to] = place(text(seen, "not read: the next row has the counts"));
    assert!((0.0..12.0).contains(&(left - right)), "beside its mark");
    assert!((top..bottom).contains(&f64::midpoint(from, to)), "beside its mark");
    let notes = texts(seen).iter().filter_map(|text| text["text"].as_str());
    assert!(notes.collect::<Vec<_>>().join(" ").contains("3 requests were not counted, beyond"));
}

/// The legend's shades are those of the cells, each with the least count that has it.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn the_legend_tells_how_much_a_shade_is() {
    for scheme in [Scheme::Light, Scheme::Dark] {
        let seen = seen(scheme);
        let legend = legend(seen);
        let labels = ["0", "1", "5", "20", "100", "500", "2k", "10k", "50k"];
        assert_eq!(legend.len(), labels.len());
        for (index, (shade, label)) in legend.iter().zip(labels).enumerate() {
            let [_, top, right, bottom] = place(shade);
            let beside = |drawn: &&Value| {
                let [left, text_top, _, text_bottom] = place(drawn);
                (0.0..8.0).contains(&(left - right))
                    && (top..bottom).contains(&f64::midpoint(text_top, text_bottom))
            };
            let beside = texts(seen).iter().find(beside).map(|drawn| drawn["text"].clone());
            assert_eq!(beside, Some(label.into()));
            if let Some(count) = index.checked_sub(1).map(|level| LEVELS[level]) {
                let plural = if count == 1 { "" } else { "s" };
                let ending = format!("\n{count} request{plural}");
                let cell = rects(seen).iter().find(|rect| {
                    rect["title"].as_str().is_some_and(|title| {
                        title.starts_with("14:04:00.000")
                            && title.ends_with(&ending)
                            && title.matches('\n').count() == 2
                    })
                });
                let cell = cell.unwrap_or_else(|| panic!("no cell of {count}"));
                assert_eq!(cell["fill"], shade["fill"], "{ending}");
            }
        }
    }
}

/// On a dark page more is lighter, on a light page darker; each shade differs from the one before and
/// from nothing.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn light_and_dark_pages_have_shades_of_their_own() {
    let mut fills = vec![];
    for (scheme, page, sign) in [(Scheme::Light, 0.9..=1.0, -1.0), (Scheme::Dark, 0.0..=0.1, 1.0)] {
        let seen = seen(scheme);
        assert!(page.contains(&luminance(&seen["page"]["fill"])), "{}", seen["page"]);
        let shades = legend(seen);
        assert_eq!(shades[0]["fill"], titled(seen, ROWS[0])["fill"]);
        for pair in shades.windows(2) {
            let step = sign * (luminance(&pair[1]["fill"]) - luminance(&pair[0]["fill"]));
            assert!(step > 0.002, "{} and {}", pair[0]["fill"], pair[1]["fill"]);
        }
        fills.push(shades.iter().map(|shade| shade["fill"].clone()).collect::<Vec<_>>());
    }
    assert!(fills[0].iter().all(|fill| !fills[1].contains(fill)), "{fills:?}");
}
