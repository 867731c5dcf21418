//! Values and maps as text and JSON: hand-made contents give what bpftrace printed.

use rawbpf::sample::{Datum, HistogramRange, ScriptMap, ScriptMapKind};
use rawbpf::view::script::printf::Format;
use rawbpf::view::script::{json, text};

use crate::cases;

fn number(number: i128) -> Datum {
    Datum::Number(number)
}

fn string(text: &str) -> Datum {
    Datum::Text(text.into())
}

fn map(name: &str, kind: ScriptMapKind, rows: Vec<(Option<Datum>, Datum)>) -> ScriptMap {
    ScriptMap { name: name.into(), kind, rows }
}

/// Ranges by powers of two, from 0 or the negative numbers on.
fn powers(counts: &[(i32, u64)]) -> Datum {
    let range = |(power, count): &(i32, u64)| match power {
        -2 => HistogramRange { low: None, high: Some(-1), count: *count },
        -1 => HistogramRange { low: Some(0), high: Some(0), count: *count },
        power => {
            let low = 1_i128 << power;
            HistogramRange { low: Some(low), high: Some(2 * low - 1), count: *count }
        }
    };
    Datum::Histogram(counts.iter().map(range).collect())
}

/// What a case prints at its end, which is after what it prints before, must be these maps.
fn assert_prints(name: &str, mut maps: Vec<ScriptMap>) {
    let case = cases::run().into_iter().find(|case| case.name == name).unwrap();
    maps.iter_mut().for_each(|map| map.arrange(None, 1));
    let printed: Vec<u8> = maps.iter().flat_map(text::map).collect();
    let printed = format!("\n\n{}", String::from_utf8(printed).unwrap());
    assert!(case.section("text").ends_with(&printed), "{name}:\n{printed}");
    let lines: String = maps.iter().map(json::map).collect();
    assert!(case.section("json").ends_with(&lines), "{name}:\n{lines}");
}

const POWERS: ScriptMapKind = ScriptMapKind::Histogram { powers: true };

#[test]
fn maps_are_printed_as_bpftrace_prints_them() {
    let rows = |rows: &[(Datum, Datum)]| {
        rows.iter().map(|(key, value)| (Some(key.clone()), value.clone())).collect::<Vec<_>>()
    };
    let values = ScriptMapKind::Values;
    let by_letter = [("a", 30), ("b", 10), ("c", 20), ("d", -5), ("e", 0)];
    let by_letter = by_letter.map(|(key, value)| (string(key), number(value)));
    assert_prints("order_values_wide", vec![map("", values, rows(&by_letter))]);

    let tuple = |first, second: &str| Datum::Tuple(vec![number(first), string(second)]);
    let tuples =
        [(tuple(2, "a"), "w"), (tuple(1, "b"), "x"), (tuple(1, "a"), "y"), (tuple(-1, "z"), "z")];
    let tuples = tuples.map(|(key, value)| (key, string(value)));
    assert_prints("map_order_tuple_keys", vec![map("", values, rows(&tuples))]);

    let extremes =
        [("a", -5), ("b", 3), ("c", -50)].map(|(key, value)| (string(key), number(value)));
    assert_prints(
        "agg_max_negative_order",
        vec![map("m", ScriptMapKind::Extremes, rows(&extremes))],
    );

    let stats = |count, average, total| Datum::Stats { count, average, total };
    let all = [("small", stats(1, 1, 1)), ("big", stats(2, 2000, 4000)), ("neg", stats(1, -7, -7))];
    let all = all.map(|(key, value)| (string(key), value));
    assert_prints("agg_stats_keys", vec![map("", ScriptMapKind::Stats, rows(&all))]);

    let big = [u64::MAX.into(), i64::MAX.into(), i64::MIN.into()];
    let big = ["big", "edge", "neg"].iter().zip(big);
    let big = big.map(|(name, value)| map(name, values, vec![(None, number(value))])).collect();
    assert_prints("lit_u64_max", big);
}

#[test]
fn histograms_are_drawn_as_bpftrace_draws_them() {
    let one = |kind, value| vec![map("", kind, vec![(None, value)])];
    assert_prints("agg_hist_small", one(POWERS, powers(&[(-1, 1), (0, 2), (1, 2), (2, 1)])));
    assert_prints("agg_hist_negative", one(POWERS, powers(&[(-2, 2), (-1, 1)])));
    assert_prints("agg_hist_bars", one(POWERS, powers(&[(0, 53), (1, 52), (2, 26), (3, 1)])));
    let huge: Vec<_> = (-2..63)
        .map(|power| (power, u64::from(power == -2) + 2 * u64::from(power == 62)))
        .collect();
    assert_prints("agg_hist_huge", one(POWERS, powers(&huge)));
    let units: Vec<_> = (9..32)
        .map(|power| {
            (
                power,
                [(9, 2), (10, 1), (16, 1), (20, 1), (31, 1)]
                    .iter()
                    .find(|(p, _)| *p == power)
                    .map_or(0, |(_, n)| *n),
            )
        })
        .collect();
    assert_prints("agg_hist_units", one(POWERS, powers(&units)));
    let fine = |low, high, count| HistogramRange { low: Some(low), high: Some(high), count };
    let fine = [
        fine(0, 0, 1),
        fine(1, 1, 1),
        fine(2, 2, 1),
        fine(3, 3, 1),
        fine(4, 5, 2),
        fine(6, 7, 2),
        fine(8, 11, 4),
        fine(12, 15, 4),
        fine(16, 23, 1),
    ];
    assert_prints(
        "agg_hist_bits1",
        one(ScriptMapKind::Histogram { powers: false }, Datum::Histogram(fine.to_vec())),
    );
    let linear = |ranges: &[(i128, i128, u64)]| {
        let range = |(low, high, count): &(i128, i128, u64)| HistogramRange {
            low: Some(*low),
            high: Some(*high),
            count: *count,
        };
        Datum::Histogram(ranges.iter().map(range).collect())
    };
    let mega = 1 << 20;
    assert_prints(
        "agg_lhist_kilo",
        vec![
            map(
                "",
                ScriptMapKind::Linear { step: mega as u64 },
                vec![(
                    None,
                    linear(&[
                        (0, mega - 1, 1),
                        (mega, 2 * mega - 1, 0),
                        (2 * mega, 3 * mega - 1, 1),
                    ]),
                )],
            ),
            map(
                "k",
                ScriptMapKind::Linear { step: 1024 },
                vec![(None, linear(&[(2048, 3071, 1)]))],
            ),
        ],
    );
    let over = HistogramRange { low: Some(100), high: None, count: 1 };
    assert_prints(
        "agg_lhist_over_only",
        one(ScriptMapKind::Linear { step: 10 }, Datum::Histogram(vec![over])),
    );
    assert_prints(
        "agg_hist_zeroed",
        vec![
            map("", POWERS, vec![(None, powers(&[]))]),
            map("k", POWERS, vec![(Some(number(1)), powers(&[]))]),
        ],
    );
}

#[test]
fn the_last_rows_are_kept_and_values_divided() {
    let rows = (1..6).map(|key| (Some(number(key)), number(key * 100))).collect();
    let whole = map("m", ScriptMapKind::Values, rows);
    let printed = |top, divisor| {
        let mut map = whole.clone();
        map.arrange(top, divisor);
        String::from_utf8(text::map(&map)).unwrap()
    };
    assert_eq!(printed(Some(2), 7), "@m[4]: 57\n@m[5]: 71\n");
    assert_eq!(printed(None, 100), "@m[1]: 1\n@m[2]: 2\n@m[3]: 3\n@m[4]: 4\n@m[5]: 5\n");
    let stats = Datum::Stats { count: 1, average: 40, total: 40 };
    let mut map = map("s", ScriptMapKind::Stats, vec![(Some(number(4)), stats)]);
    map.arrange(Some(2), 10);
    assert_eq!(text::map(&map), b"@s[4]: { .count = 1, .average = 4, .total = 40 }\n");
}

#[test]
fn printf_writes_as_bpftrace_writes() {
    let written = |format: &str, arguments: &[Datum]| {
        String::from_utf8(Format::parse(format.as_bytes()).unwrap().write(arguments)).unwrap()
    };
    let ints = [number(42), number(42), number(42), number(42), number(42), number(42), number(42)];
    assert_eq!(
        written("[%5d][%-5d][%05d][%+d][% d][%#x][%#o]", &ints),
        "[   42][42   ][00042][+42][42][0x2a][052]"
    );
    let wide = vec![number(5_000_000_000); 8];
    assert_eq!(
        written("%d %ld %lld %u %lu %llu %x %lx", &wide),
        "705032704 5000000000 5000000000 705032704 5000000000 5000000000 2a05f200 12a05f200"
    );
    let negative = vec![number(-2); 9];
    assert_eq!(
        written("%d %ld %u %lu %x %lx %hd %hhd %hhx", &negative),
        "-2 -2 4294967294 18446744073709551614 fffffffe fffffffffffffffe -2 -2 fe"
    );
    assert_eq!(written("%05d|%#08x", &[number(-42), number(48879)]), "00-42|000xbeef");
    assert_eq!(
        written("[%8s][%-8s][%.2s]", &["abc", "abc", "abcdef"].map(string)),
        "[     abc][abc     ][abcdef]"
    );
    assert_eq!(
        written("%s %s %d%%", &[Datum::Bool(true), number(7), Datum::Bool(true)]),
        "true 7 1%"
    );
    let bytes = vec![Datum::Bytes(vec![65, 0, 255, 126]); 3];
    assert_eq!(written("%r|%rx|%rh", &bytes), "A\\x00\\xff~|\\x41\\x00\\xff\\x7e|41 00 ff 7e");
    // A % that begins no conversion is text.
    assert_eq!(written("%*d %f %n %q 100% |%.%|%l| %", &[]), "%*d %f %n %q 100% |%.%|%l| %");
    assert_eq!(written("%% %5% %-5% %.5%", &[]), "% % % %");
    assert!(Format::parse(b"%99999d").is_err());
}
