//! From the text of a script to its probes with their types.

use std::ops::Range;

use super::ast::Probe;
use super::cursor::{Cursor, Read};
use super::doubts::doubts;
use super::fold::fold;
use super::host::Host;
use super::infer::{Types, infer};
use super::names::resolve;
use super::parse::parse;
use super::probes::{Event, events};
use super::settings::{Missing, Settings};
use crate::insn::parse::{Mistake, TextSpan};

/// A script whose names and types are known.
#[derive(Clone, PartialEq, Debug)]
pub struct Checked {
    /// What it sets.
    pub settings: Settings,
    /// Its probes.
    pub probes: Vec<CheckedProbe>,
    /// The types of its variables and maps.
    pub types: Types,
    /// What may not be meant, and what is otherwise here than the script says: probes that are missing, keys
    /// that are cut. A warning whose line is 0 has no place.
    pub warnings: Vec<Mistake>,
}

/// Keys of so many bytes can be had everywhere.
const SHORT_KEYS: usize = 512;

/// A probe whose names and types are known.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckedProbe {
    /// Where it runs.
    pub events: Vec<Event>,
    /// What was written.
    pub probe: Probe,
    /// The indices of its variables.
    pub variables: Range<usize>,
}

/// Reads a script and checks it; `parameters` follow it on the command line.
///
/// # Errors
/// Its first mistake, or what it uses that is not supported.
pub fn check(text: &str, parameters: &[String], host: &dyn Host) -> Read<Checked> {
    let mut script = parse(text, parameters)?;
    let cursor = Cursor::new(text);
    if let Some(definition) = script.definitions.first() {
        let what = format!("{} definitions are not supported", definition.keyword);
        return Err(cursor.mistake(definition.span, what));
    }
    if let Some(import) = script.imports.first() {
        return Err(cursor.mistake(import.span, "imports are not supported"));
    }
    if let Some(found) = script.macros.first() {
        let what = if found.keyword.text == "fn" { "functions" } else { "macros" };
        return Err(cursor.mistake(found.keyword.span, format!("{what} are not supported")));
    }
    let settings = Settings::of(&cursor, &script.config, &host.variables())?;
    let (mut events, mut warnings, mut count) = (vec![], vec![], 0);
    for probe in &script.probes {
        let mut found = vec![];
        for (point, event) in probe.points.iter().zip(self::events(&cursor, probe)?) {
            let exists = match settings.missing_probes {
                Missing::Error => None,
                _ => host.missing(&event),
            };
            match exists.map_or_else(|| host.expand(event), Err) {
                Ok(events) => found.extend(events),
                Err(why) if settings.missing_probes == Missing::Error => {
                    return Err(cursor.mistake(point.span, why));
                }
                Err(why) if settings.missing_probes == Missing::Warn => {
                    warnings.push(*cursor.mistake(point.span, why));
                }
                Err(_) => {}
            }
        }
        count += found.len();
        if count as u64 > settings.max_probes {
            let what = format!(
                "this script has more than {} probes; the setting max_probes is their limit",
                settings.max_probes
            );
            return Err(cursor.mistake(probe.points[0].span, what));
        }
        events.push(found);
    }
    fold(&cursor, &mut script.probes, parameters, settings.max_strlen as usize)?;
    let variables = resolve(&cursor, &mut script.probes)?;
    let all = events.into_iter().zip(script.probes).zip(variables);
    let mut probes: Vec<_> =
        all.map(|((events, probe), variables)| CheckedProbe { events, probe, variables }).collect();
    let count = probes.last().map_or(0, |probe| probe.variables.end);
    let mut types = infer(
        &cursor,
        host,
        &settings,
        &script.maps,
        probes.iter_mut().map(|probe| (&*probe.events, &mut probe.probe)).collect(),
        count,
    )?;
    let short = types.maps.iter().any(|map| 8 * map.key.words() > SHORT_KEYS);
    let longest = if short { host.longest_key() } else { usize::MAX };
    for map in types.maps.iter_mut().filter(|map| 8 * map.key.words() > longest) {
        map.key = map.key.within(longest / 8);
        let what = format!(
            "a key of this kernel's maps has at most {longest} bytes: those of @{} are cut, to {}",
            map.name, map.key
        );
        warnings.push(*Mistake::new(TextSpan::default(), what));
    }
    let written = probes.iter().map(|probe| &probe.probe);
    warnings.extend(doubts(&cursor, &types, settings.max_strlen, written));
    Ok(Checked { settings, probes, types, warnings })
}
