//! A sample as the bytes of a row.

use super::facts::nanoseconds;
use super::state::{KnownRow, KnownTable, Layout, Loss, MOST_LABELS, State, next_total};
use super::wire::{difference, number, text};
use super::{MOST_COUNTERS, MOST_WORK};
use crate::sample::{Data, Histogram, LabelValue, LostKind, Row, Sample, Table, Unit, Value};

/// Appends a row, and remembers what it says. `state` is of no use any more if that is false: there are too
/// many counters.
pub fn encode(state: &mut State, sample: &Sample, bytes: &mut Vec<u8>) -> bool {
    state.row += 1;
    let (layouts, tables) = (state.layouts.len(), state.tables.len());
    let (start, end) = (nanoseconds(sample.span.start), nanoseconds(sample.span.end));
    let follows = start == state.end;
    bytes.push(follows.into());
    if !follows {
        number(bytes, start.0);
        number(bytes, start.1);
    }
    let length = end.1.wrapping_sub(start.1);
    difference(bytes, length);
    difference(bytes, end.0.wrapping_sub(start.0).wrapping_sub(length));
    state.end = end;
    number(bytes, sample.tables.len() as u64);
    for (at, table) in sample.tables.iter().enumerate() {
        encode_table(state, at, table, bytes);
    }
    number(bytes, sample.lost.len() as u64);
    for lost in &sample.lost {
        let row = state.row;
        let same = |loss: &Loss| {
            loss.seen < row
                && loss.what == lost.what
                && loss.sentence == lost.sentence
                && loss.option == lost.option
        };
        let known = state.losses.iter().position(same);
        number(bytes, known.unwrap_or(state.losses.len()) as u64);
        if known.is_none() {
            let kind = LostKind::ALL.iter().position(|kind| *kind == lost.what);
            bytes.push(kind.unwrap_or_default() as u8);
            text(bytes, &lost.sentence);
            // No option is an empty one.
            text(bytes, lost.option.as_deref().unwrap_or_default());
            let (what, sentence, option) = (lost.what, lost.sentence.clone(), lost.option.clone());
            state.losses.push(Loss { what, sentence, option, seen: 0 });
        }
        let at = known.unwrap_or(state.losses.len() - 1);
        state.losses[at].seen = row;
        number(bytes, lost.count);
    }
    // Those before were looked at when they were new.
    state.counters <= MOST_COUNTERS
        && state.work <= MOST_WORK
        && state.layouts[layouts..].iter().all(Layout::is_sound)
        && state.tables[tables..].iter().all(|table| table.labels.len() <= MOST_LABELS)
}

fn encode_table(state: &mut State, at: usize, table: &Table, bytes: &mut Vec<u8>) {
    let row = state.row;
    let is = |known: &KnownTable| known.seen < row && known.is(table);
    let likely = state.tables.get(at).is_some_and(is).then_some(at);
    let known = likely.or_else(|| state.tables.iter().position(is));
    number(bytes, known.unwrap_or(state.tables.len()) as u64);
    let at = known.unwrap_or_else(|| {
        [&table.name, &table.subject, &table.help].iter().for_each(|word| text(bytes, word));
        bytes.push(unit(table.unit));
        number(bytes, table.labels.len() as u64);
        for label in &table.labels {
            text(bytes, &label.name);
            text(bytes, &label.heading);
        }
        state.tables.push(KnownTable {
            name: table.name.clone(),
            subject: table.subject.clone(),
            help: table.help.clone(),
            unit: table.unit,
            labels: table.labels.clone(),
            rows: vec![],
            places: Default::default(),
            seen: 0,
        });
        state.tables.len() - 1
    });
    state.tables[at].seen = row;
    for rows in [&table.rows, &table.rest] {
        number(bytes, rows.len() as u64);
        let mut next = 0;
        for row in rows {
            next = encode_row(state, at, next, row, bytes) + 1;
        }
    }
}

/// The number of a unit.
fn unit(unit: Unit) -> u8 {
    Unit::ALL.iter().position(|one| *one == unit).unwrap_or_default() as u8
}

/// Returns the row's place.
fn encode_row(state: &mut State, at: usize, next: usize, row: &Row, bytes: &mut Vec<u8>) -> usize {
    let KnownTable { rows, places, unit, .. } = &mut state.tables[at];
    // Two rows of one sample may look the same.
    let known = places.get(&row.labels).copied().filter(|place| rows[*place].seen < state.row);
    let place = known.unwrap_or(rows.len());
    difference(bytes, (place as u64).wrapping_sub(next as u64));
    if known.is_none() {
        row.labels.iter().for_each(|label| encode_label(label, bytes));
        places.insert(row.labels.clone(), place);
        rows.push(KnownRow { labels: vec![], total: None, seen: 0 });
    }
    let row_state = &mut rows[place];
    row_state.seen = state.row;
    let before = row_state.total.take();
    let counted = before.as_ref().map_or(0, counters);
    let expected = next_total(before, &row.value);
    let as_expected = expected == row.total;
    bytes.push(as_expected.into());
    encode_value(&mut state.layouts, *unit, &row.value, bytes);
    let total = match as_expected {
        true => expected,
        false => {
            encode_value(&mut state.layouts, *unit, &row.total, bytes);
            row.total.clone()
        }
    };
    let count = counters(&total);
    state.counters = state.counters + count - counted;
    state.work += (count + 8 * row.labels.len()) as u64;
    row_state.total = Some(total);
    place
}

/// The number of counters of a value.
pub fn counters(value: &Value) -> usize {
    match value {
        Value::Histogram(histogram) => {
            histogram.counts.len() + histogram.fine.as_ref().map_or(0, |fine| fine.counts.len())
        }
        _ => 1,
    }
}

fn encode_label(label: &LabelValue, bytes: &mut Vec<u8>) {
    match label {
        LabelValue::Number(value) => {
            bytes.push(0);
            number(bytes, *value);
        }
        LabelValue::Negative(value) => {
            bytes.push(1);
            difference(bytes, value.cast_unsigned());
        }
        LabelValue::Text(value) => {
            bytes.push(2);
            text(bytes, value);
        }
        LabelValue::Outside => bytes.push(3),
        LabelValue::Data(data) => {
            bytes.push(4);
            encode_data(data, bytes);
        }
    }
}

fn encode_data(data: &Data, bytes: &mut Vec<u8>) {
    match data {
        Data::Numbers(numbers) => {
            bytes.push(0);
            number(bytes, numbers.len() as u64);
            numbers.iter().for_each(|value| number(bytes, *value));
        }
        Data::Bytes(all) => {
            bytes.push(1);
            number(bytes, all.len() as u64);
            bytes.extend_from_slice(all);
        }
    }
}

fn encode_value(layouts: &mut Vec<Layout>, unit: Unit, value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Count(count) => {
            bytes.push(0);
            number(bytes, *count);
        }
        Value::Gauge(gauge) => {
            bytes.push(1);
            difference(bytes, gauge.cast_unsigned());
        }
        Value::Data(data) => {
            bytes.push(2);
            encode_data(data, bytes);
        }
        Value::Histogram(histogram) => {
            bytes.push(3);
            encode_histogram(layouts, unit, histogram, bytes);
        }
    }
}

fn encode_histogram(
    layouts: &mut Vec<Layout>,
    unit: Unit,
    histogram: &Histogram,
    bytes: &mut Vec<u8>,
) {
    let known = layouts.iter().position(|layout| layout.is(unit, histogram));
    number(bytes, known.unwrap_or(layouts.len()) as u64);
    if known.is_none() {
        let fine = histogram.fine.as_ref().map(|fine| (fine.lows.clone(), fine.steps));
        let (buckets, percentiles) = (histogram.buckets.clone(), histogram.percentiles.clone());
        let layout = Layout::new(unit, buckets, fine, percentiles);
        encode_layout(&layout, bytes);
        layouts.push(layout);
    }
    let layout = &layouts[known.unwrap_or(layouts.len() - 1)];
    let fine = histogram.fine.as_ref();
    let summed = fine.is_some_and(|fine| layout.sums(&fine.counts) == histogram.counts);
    let (sum, extremes) = (histogram.sum, histogram.extremes);
    let flag = |is: bool, bit: u8| u8::from(is) << bit;
    bytes.push(flag(sum.is_some(), 0) | flag(extremes.is_some(), 1) | flag(summed, 2));
    if let Some(sum) = sum {
        number(bytes, sum);
    }
    if let Some((least, greatest)) = extremes {
        number(bytes, least);
        difference(bytes, greatest.wrapping_sub(least));
    }
    if let Some(fine) = fine {
        encode_counts(&fine.counts, bytes);
    }
    if !summed {
        encode_counts(&histogram.counts, bytes);
    }
}

/// How many are not 0, and of each how many before it are, and the count.
fn encode_counts(counts: &[u64], bytes: &mut Vec<u8>) {
    number(bytes, counts.iter().filter(|count| **count > 0).count() as u64);
    let mut zeros = 0;
    for count in counts {
        if *count == 0 {
            zeros += 1;
        } else {
            number(bytes, zeros);
            number(bytes, *count);
            zeros = 0;
        }
    }
}

fn encode_layout(layout: &Layout, bytes: &mut Vec<u8>) {
    number(bytes, layout.buckets.len() as u64);
    let mut next = 0_u64;
    for bucket in layout.buckets.iter() {
        difference(bytes, bucket.low.wrapping_sub(next));
        bytes.push(bucket.high.is_some().into());
        if let Some(high) = bucket.high {
            difference(bytes, high.wrapping_sub(bucket.low));
            next = high.wrapping_add(1);
        }
    }
    let (lows, steps) =
        layout.fine.as_ref().map_or((&[][..], 0), |(lows, steps)| (&lows[..], *steps));
    number(bytes, lows.len() as u64);
    if !lows.is_empty() {
        number(bytes, steps.into());
    }
    let (mut last, mut width) = (0_u64, 0_u64);
    for low in lows {
        let this = low.wrapping_sub(last);
        difference(bytes, this.wrapping_sub(width));
        (last, width) = (*low, this);
    }
    number(bytes, layout.percentiles.len() as u64);
    layout.percentiles.iter().for_each(|percent| text(bytes, &percent.to_string()));
}
