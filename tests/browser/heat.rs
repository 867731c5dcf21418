//! The heat map's picture: what is drawn where, in which colors, and what the mouse finds.

use std::sync::OnceLock;
use std::time::Duration;

use rawbpf::aggregate::heat;
use rawbpf::view::heatmap::{HeatRow, LEVELS};
use rawbpf::view::scale::Scale;
use rawbpf::view::svg::Picture;
use serde_json::Value;

use crate::{Scheme, browse, contrast, luminance};

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
    let mut picture = Picture::new("loop0 & <more>".into(), scale().from(1000), second);
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
    let end = "</svg>\n";
    let svg = format!("{}{LOOK}{end}", svg.strip_suffix(end).unwrap());
    let (seen, _) = browse("heat.svg", &svg, scheme);
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

const GAP: &str = "1.000 s to 4.000 s\nnobody read: the next row has the counts";
/// What is empty of a row tells of the row.
const ROWS: [&str; 2] = [
    "0.000 s to 1.000 s\n4451 requests, p50 <12s, p99 <12s, max >11s",
    "4.000 s to 5.000 s\n1 request, p50 <2.1ms, p99 <2.1ms, max <2.1ms",
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
        "0.000 s to 1.000 s\n856 ns to 1.024 us\n1 request",
        "0.000 s to 1.000 s\n876.544 us to 1.048576 ms\n30 requests",
        "0.000 s to 1.000 s\nbelow 856ns\n2 requests",
        "0.000 s to 1.000 s\n11s or more\n5 requests",
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
        ("1us", "856 ns to 1.024 us\n1 request"),
        ("10us", "8.192 us to 11.008 us\n3 requests"),
        ("100us", "88.064 us to 109.568 us\n10 requests"),
        ("1ms", "876.544 us to 1.048576 ms\n30 requests"),
        ("10ms", "8.388608 ms to 11.272192 ms\n100 requests"),
        ("100ms", "90.177536 ms to 112.197632 ms\n300 requests"),
        ("1s", "897.581056 ms to 1.073741824 s\n1000 requests"),
        ("10s", "8.589934592 s to 11.542724608 s\n3000 requests"),
    ] {
        let [left, _, right, bottom] = place(titled(seen, &format!("0.000 s to 1.000 s\n{range}")));
        let [from, top, to, _] = place(text(seen, label));
        assert!((left..=right).contains(&f64::midpoint(from, to)), "{label}");
        assert!(top > bottom, "{label}");
    }
    for (label, row) in [("0 s", ROWS[0]), ("1 s", GAP), ("4 s", ROWS[1])] {
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
    let texts = texts(seen);
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
        text(seen, "a row is 1s, 4452 requests");
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
        let mut picture = Picture::new(title.into(), scale, every);
        for index in 0..rows {
            picture.push(row(every * index, every * (index + 1), 0));
        }
        can_be_read(&open(&picture.to_svg(), Scheme::Light));
    }
}

/// The legend's shades are those of the cells, each with the least count that has it.
#[test]
#[ignore = "needs a browser: run tests/run"]
fn the_legend_tells_how_much_a_shade_is() {
    for scheme in [Scheme::Light, Scheme::Dark] {
        let seen = seen(scheme);
        let legend: Vec<_> = rects(seen).iter().filter(|rect| rect["title"].is_null()).collect();
        let labels = ["1", "3", "10", "30", "100", "300", "1k", "3k", "10k", "30k", "100k"];
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
            if let Some(power) = [3u32, 4, 5, 6, 7, 8, 9, 10].get(index) {
                let count = LEVELS[index];
                let plural = if count == 1 { "" } else { "s" };
                let ending = format!("\n{count} request{plural}");
                let cell = rects(seen).iter().find(|rect| {
                    rect["title"].as_str().is_some_and(|title| {
                        title.starts_with("0.000 s") && title.ends_with(&ending)
                    })
                });
                let cell = cell.unwrap_or_else(|| panic!("no cell of 10^{power} ns"));
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
        let legend = rects(seen).iter().filter(|rect| rect["title"].is_null());
        let shades: Vec<_> = [titled(seen, ROWS[0])].into_iter().chain(legend).collect();
        for pair in shades.windows(2) {
            let step = sign * (luminance(&pair[1]["fill"]) - luminance(&pair[0]["fill"]));
            assert!(step > 0.002, "{} and {}", pair[0]["fill"], pair[1]["fill"]);
        }
        fills.push(shades.iter().map(|shade| shade["fill"].clone()).collect::<Vec<_>>());
    }
    assert!(fills[0].iter().all(|fill| !fills[1].contains(fill)), "{fills:?}");
}
