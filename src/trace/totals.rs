//! The maps of a script as metrics, for those that store numbers over time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::maps::TracedMap;
use crate::error::Error;
use crate::sample::{BaseUnit, Datum, Family, FamilyKind, Point, Series};
use crate::script::MapUse;
use crate::script::contents::{self, Known, counted, words};
use crate::script::types::{Aggregate, Int, Type};

/// What a map is as a metric, or why it is none.
///
/// # Errors
/// Its values are no numbers, or its keys are stacks.
pub fn kind(map: &MapUse) -> Result<FamilyKind, &'static str> {
    if map.keyed == Some(true) && map.key.has_stack() {
        return Err("its keys are stacks");
    }
    match map.value {
        Type::Aggregate(aggregate) => Ok(match aggregate {
            Aggregate::Count | Aggregate::Sum(false) => FamilyKind::Counter,
            Aggregate::Sum(true) | Aggregate::Min(_) | Aggregate::Max(_) => FamilyKind::Gauge,
            Aggregate::Average(_) | Aggregate::Stats(_) => FamilyKind::Summary,
            Aggregate::Histogram(_) | Aggregate::Linear { .. } => FamilyKind::Histogram,
        }),
        Type::Int(_) | Type::Bool => Ok(FamilyKind::Gauge),
        _ => Err("its values are no numbers"),
    }
}

/// What the map has counted since the start of the run; None if it is no metric.
///
/// # Errors
/// It cannot be read.
pub(super) fn family(map: &TracedMap<'_>, known: &dyn Known) -> Result<Option<Family>, Error> {
    let held = map.held();
    let Ok(kind) = self::kind(held) else { return Ok(None) };
    let mut bounds = None;
    let mut series = BTreeMap::new();
    for (key, values) in &map.since_start()? {
        let Some(point) = point(held, values, &mut bounds) else { continue };
        let labels = match held.keyed {
            Some(true) => match contents::value(&held.key, &words(key), known) {
                Datum::Tuple(all) => all.iter().map(label).collect(),
                one => vec![label(&one)],
            },
            _ => vec![],
        };
        match series.entry(labels) {
            Entry::Vacant(place) => _ = place.insert(Series { point, changed: 0 }),
            // Keys that look the same, such as strings that are not UTF-8.
            Entry::Occupied(mut place) => add(&mut place.get_mut().point, point),
        }
    }
    let name = if held.name.is_empty() { "map" } else { &held.name };
    Ok(Some(Family {
        name: name.to_owned(),
        help: format!("The script's map @{}", held.name),
        kind,
        unit: BaseUnit::None,
        labels: if held.keyed == Some(true) { held.key_names.clone() } else { vec![] },
        series,
    }))
}

/// The value of a key: of extremes there are those of each CPU.
fn point(held: &MapUse, cpus: &[Vec<u64>], known: &mut Option<Arc<[i128]>>) -> Option<Point> {
    let words = cpus.first()?;
    let Type::Aggregate(aggregate) = held.value else {
        // The first word of a map without keys is whether it has a value.
        let words = match held.keyed {
            Some(true) => &words[..],
            _ => words.split_first().filter(|(set, _)| **set != 0)?.1,
        };
        let number = *words.first()?;
        return Some(Point::Number(match held.value {
            Type::Int(Int { signed: true, .. }) => number.cast_signed().into(),
            _ => number.into(),
        }));
    };
    match (aggregate, counted(aggregate, cpus)?) {
        (_, Datum::Stats { count, total, .. }) => Some(Point::Summary { count, sum: total }),
        (Aggregate::Average(signed), _) => match counted(Aggregate::Stats(signed), cpus)? {
            Datum::Stats { count, total, .. } => Some(Point::Summary { count, sum: total }),
            _ => None,
        },
        (_, Datum::Number(number)) => Some(Point::Number(number)),
        _ => {
            let bounds = known.get_or_insert_with(|| contents::ends(aggregate, words.len()));
            let counts = match words.len() == bounds.len() {
                // The last range has an end, so that nothing is beyond it.
                true => [&words[..], &[0]].concat(),
                false => words.clone(),
            };
            Some(Point::Histogram { bounds: bounds.clone(), counts, sum: None })
        }
    }
}

/// Adds the value of another key.
fn add(sum: &mut Point, more: Point) {
    match (sum, more) {
        (Point::Number(sum), Point::Number(more)) => *sum += more,
        (Point::Summary { count, sum }, Point::Summary { count: counted, sum: more }) => {
            *count += counted;
            *sum += more;
        }
        (Point::Histogram { counts, .. }, Point::Histogram { counts: more, .. }) => {
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
        _ => {}
    }
}

/// A part of a key as the value of a label.
fn label(key: &Datum) -> String {
    match key {
        Datum::Number(number) => number.to_string(),
        Datum::Bool(flag) => flag.to_string(),
        Datum::Text(text) | Datum::Bytes(text) => {
            crate::plain::line(&String::from_utf8_lossy(text)).into_owned()
        }
        Datum::Pointer(address) => format!("{address:#x}"),
        Datum::Enumerator(_, name) => name.clone(),
        Datum::Tuple(all) | Datum::Array(all) => {
            all.iter().map(label).collect::<Vec<_>>().join(",")
        }
        Datum::Record(fields) => {
            fields.iter().map(|(_, value)| label(value)).collect::<Vec<_>>().join(",")
        }
        // A map with stacks in its keys is no metric, and the others are no keys.
        Datum::Stack(..) | Datum::Stats { .. } | Datum::Histogram(_) => String::new(),
    }
}
