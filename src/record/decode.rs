//! The bytes of a row as a sample. They may be anybody's.

use std::sync::Arc;

use super::encode::counters;
use super::facts::{list, time};
use super::state::{KnownRow, KnownTable, Layout, Loss, MOST_LABELS, State, next_total};
use super::wire::{Rest, Wrong};
use super::{MOST_COUNTERS, MOST_WORK};
use crate::sample::{
    Bucket, Data, FineCounts, Histogram, LabelName, LabelValue, Lost, LostKind, Row, Sample, Span,
    Table, Unit, Value,
};

/// Reads a row, and remembers what it says.
///
/// # Errors
/// No writer wrote it.
pub fn decode(state: &mut State, rest: &mut Rest<'_>) -> Result<Sample, Wrong> {
    state.row += 1;
    let start = match rest.byte()? {
        0 => (rest.number()?, rest.number()?),
        _ => state.end,
    };
    let length = rest.difference()?;
    let wall = start.0.wrapping_add(length).wrapping_add(rest.difference()?);
    state.end = (wall, start.1.wrapping_add(length));
    let span = Span { start: time(start), end: time(state.end) };
    let mut tables = vec![];
    for _ in 0..rest.count()? {
        tables.push(decode_table(state, rest)?);
    }
    let mut lost = vec![];
    for _ in 0..rest.count()? {
        lost.push(decode_loss(state, rest)?);
    }
    match rest.0.is_empty() {
        true => Ok(Sample::new(span, tables, lost)),
        false => Err(Wrong),
    }
}

fn decode_loss(state: &mut State, rest: &mut Rest<'_>) -> Result<Lost, Wrong> {
    let at = rest.index(state.losses.len() + 1)?;
    if at == state.losses.len() {
        let what = *LostKind::ALL.get(usize::from(rest.byte()?)).ok_or(Wrong)?;
        let (sentence, option) = (rest.text()?, rest.text()?);
        let option = (!option.is_empty()).then(|| option.into());
        state.losses.push(Loss { what, sentence, option, seen: 0 });
    }
    let loss = &mut state.losses[at];
    once(&mut loss.seen, state.row)?;
    let (sentence, option) = (loss.sentence.clone(), loss.option.clone());
    Ok(Lost { what: loss.what, count: rest.number()?, sentence, option })
}

/// What was said before may be named once in a row: otherwise a few bytes would become many.
fn once(seen: &mut u64, row: u64) -> Result<(), Wrong> {
    if std::mem::replace(seen, row) < row { Ok(()) } else { Err(Wrong) }
}

fn decode_table(state: &mut State, rest: &mut Rest<'_>) -> Result<Table, Wrong> {
    let at = rest.index(state.tables.len() + 1)?;
    if at == state.tables.len() {
        let (name, subject, help) = (rest.text()?.into(), rest.text()?.into(), rest.text()?.into());
        let unit = *Unit::ALL.get(usize::from(rest.byte()?)).ok_or(Wrong)?;
        let labels = list(rest, |rest| {
            Ok(LabelName { name: rest.text()?.into(), heading: rest.text()?.into() })
        })?;
        if labels.len() > MOST_LABELS {
            return Err(Wrong);
        }
        let (rows, places, seen) = (vec![], Default::default(), 0);
        state.tables.push(KnownTable { name, subject, help, unit, labels, rows, places, seen });
    }
    once(&mut state.tables[at].seen, state.row)?;
    let (rows, others) = (decode_rows(state, at, rest)?, decode_rows(state, at, rest)?);
    let KnownTable { name, subject, help, unit, labels, .. } = &state.tables[at];
    Ok(Table {
        name: name.clone(),
        subject: subject.clone(),
        help: help.clone(),
        unit: *unit,
        labels: labels.clone(),
        rows,
        rest: others,
    })
}

fn decode_rows(state: &mut State, at: usize, rest: &mut Rest<'_>) -> Result<Vec<Row>, Wrong> {
    let mut rows = vec![];
    let mut next = 0_u64;
    for _ in 0..rest.count()? {
        let place = next.wrapping_add(rest.difference()?);
        rows.push(decode_row(state, at, place, rest)?);
        next = place.wrapping_add(1);
    }
    Ok(rows)
}

fn decode_row(state: &mut State, at: usize, place: u64, rest: &mut Rest<'_>) -> Result<Row, Wrong> {
    let KnownTable { rows, unit, labels, .. } = &mut state.tables[at];
    let place = usize::try_from(place).map_err(|_| Wrong)?;
    if place == rows.len() {
        let labels = (0..labels.len()).map(|_| decode_label(rest)).collect::<Result<_, _>>()?;
        rows.push(KnownRow { labels, total: None, seen: 0 });
    }
    let known = rows.get_mut(place).ok_or(Wrong)?;
    once(&mut known.seen, state.row)?;
    let as_expected = rest.byte()? != 0;
    let value = decode_value(&mut state.layouts, *unit, rest)?;
    let before = known.total.take();
    let counted = before.as_ref().map_or(0, counters);
    let total = match as_expected {
        true => next_total(before, &value),
        false => decode_value(&mut state.layouts, *unit, rest)?,
    };
    let count = counters(&total);
    state.counters = state.counters + count - counted;
    state.work += (count + 8 * known.labels.len()) as u64;
    known.total = Some(total.clone());
    if state.counters > MOST_COUNTERS || state.work > MOST_WORK {
        return Err(Wrong);
    }
    Ok(Row { labels: known.labels.clone(), value, total })
}

fn decode_label(rest: &mut Rest<'_>) -> Result<LabelValue, Wrong> {
    Ok(match rest.byte()? {
        0 => LabelValue::Number(rest.number()?),
        1 => LabelValue::Negative(rest.difference()?.cast_signed()),
        2 => LabelValue::text(&rest.text()?),
        3 => LabelValue::Outside,
        4 => LabelValue::Data(decode_data(rest)?),
        _ => return Err(Wrong),
    })
}

fn decode_data(rest: &mut Rest<'_>) -> Result<Data, Wrong> {
    Ok(match rest.byte()? {
        0 => Data::Numbers(list(rest, |rest| rest.number())?),
        1 => Data::Bytes(rest.bytes()?.to_vec()),
        _ => return Err(Wrong),
    })
}

fn decode_value(
    layouts: &mut Vec<Layout>,
    unit: Unit,
    rest: &mut Rest<'_>,
) -> Result<Value, Wrong> {
    Ok(match rest.byte()? {
        0 => Value::Count(rest.number()?),
        1 => Value::Gauge(rest.difference()?.cast_signed()),
        2 => Value::Data(decode_data(rest)?),
        3 => Value::Histogram(decode_histogram(layouts, unit, rest)?),
        _ => return Err(Wrong),
    })
}

fn decode_histogram(
    layouts: &mut Vec<Layout>,
    unit: Unit,
    rest: &mut Rest<'_>,
) -> Result<Histogram, Wrong> {
    let at = rest.index(layouts.len() + 1)?;
    if at == layouts.len() {
        layouts.push(decode_layout(unit, rest)?);
    }
    let layout = &layouts[at];
    let flags = rest.byte()?;
    let sum = if flags & 1 != 0 { Some(rest.number()?) } else { None };
    let extremes = match flags & 2 {
        0 => None,
        _ => {
            let least = rest.number()?;
            Some((least, least.wrapping_add(rest.difference()?)))
        }
    };
    let fine = match &layout.fine {
        Some((lows, steps)) => {
            let counts = decode_counts(lows.len(), rest)?;
            Some(FineCounts { lows: lows.clone(), counts, steps: *steps })
        }
        None => None,
    };
    let counts = match (flags & 4, &fine) {
        (0, _) => decode_counts(layout.buckets.len(), rest)?,
        (_, Some(fine)) => layout.sums(&fine.counts),
        _ => return Err(Wrong),
    };
    let (buckets, percentiles) = (layout.buckets.clone(), layout.percentiles.clone());
    Ok(Histogram { buckets, counts, sum, extremes, fine, percentiles })
}

fn decode_counts(length: usize, rest: &mut Rest<'_>) -> Result<Vec<u64>, Wrong> {
    let mut counts = vec![0; length];
    let mut next = 0_usize;
    for _ in 0..rest.count()? {
        let zeros = rest.index(length)?;
        let count = counts.get_mut(next + zeros).ok_or(Wrong)?;
        *count = rest.number()?;
        next += zeros + 1;
    }
    Ok(counts)
}

fn decode_layout(unit: Unit, rest: &mut Rest<'_>) -> Result<Layout, Wrong> {
    let mut next = 0_u64;
    let mut buckets = vec![];
    for _ in 0..rest.count()? {
        let low = next.wrapping_add(rest.difference()?);
        let mut high = None;
        if rest.byte()? != 0 {
            let end = low.wrapping_add(rest.difference()?);
            (high, next) = (Some(end), end.wrapping_add(1));
        }
        buckets.push(Bucket { low, high });
    }
    let count = rest.count()?;
    let steps = if count > 0 { rest.number()? } else { 0 };
    let (mut low, mut width, mut lows) = (0_u64, 0_u64, vec![]);
    for _ in 0..count {
        width = width.wrapping_add(rest.difference()?);
        low = low.wrapping_add(width);
        lows.push(low);
    }
    let percents = list(rest, |rest| rest.text()?.parse().map_err(|_| Wrong))?;
    let lows: Arc<[u64]> = lows.into();
    let fine = (count > 0).then(|| (lows, u32::try_from(steps).unwrap_or(u32::MAX)));
    let layout = Layout::new(unit, buckets.into(), fine, percents.into());
    if layout.is_sound() { Ok(layout) } else { Err(Wrong) }
}
