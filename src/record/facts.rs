//! The facts about a recording: the run, the command line, the host's disks.

use std::time::{Duration, SystemTime};

use super::wire::{self, Rest, Wrong};
use crate::sample::{Attached, LeftOut, Run, Setting, Skipped, Time};

/// The facts about a recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    /// The version of the rawbpf that wrote it.
    pub version: String,
    /// The tool and its options, word for word.
    pub command: Vec<String>,
    /// The host's disks, each with its number of bytes.
    pub disks: Vec<(String, u64)>,
    /// The run.
    pub run: Run,
}

/// Nanoseconds since 1970 and since boot.
pub fn nanoseconds(time: Time) -> (u64, u64) {
    let wall = time.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (wall.as_nanos() as u64, time.monotonic.as_nanos() as u64)
}

/// The time of these nanoseconds.
pub fn time((wall, monotonic): (u64, u64)) -> Time {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_nanos(wall);
    Time { wall, monotonic: Duration::from_nanos(monotonic) }
}

impl Facts {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let Facts { version, command, disks, run } = self;
        wire::text(bytes, version);
        texts(bytes, command);
        wire::number(bytes, disks.len() as u64);
        for (name, size) in disks {
            wire::text(bytes, name);
            wire::number(bytes, *size);
        }
        let (wall, monotonic) = nanoseconds(run.start);
        wire::number(bytes, wall);
        wire::number(bytes, monotonic);
        [&run.tool[..], &run.host, &run.kernel].iter().for_each(|text| wire::text(bytes, text));
        wire::number(bytes, run.options.len() as u64);
        for (name, value) in &run.options {
            wire::text(bytes, name);
            setting(bytes, value);
        }
        wire::number(bytes, run.attached.len() as u64);
        for Attached { program, kind, place } in &run.attached {
            [program, kind, place].iter().for_each(|text| wire::text(bytes, text));
        }
        wire::number(bytes, run.skipped.len() as u64);
        for Skipped { kind, reason } in &run.skipped {
            [kind, reason].iter().for_each(|text| wire::text(bytes, text));
        }
        wire::number(bytes, run.left_out.len() as u64);
        for LeftOut { place, reason } in &run.left_out {
            [place, reason].iter().for_each(|text| wire::text(bytes, text));
        }
    }

    pub(super) fn decode(rest: &mut Rest<'_>) -> Result<Facts, Wrong> {
        let version = rest.text()?;
        let command = list(rest, |rest| rest.text())?;
        let disks = list(rest, |rest| Ok((rest.text()?, rest.number()?)))?;
        let start = time((rest.number()?, rest.number()?));
        let (tool, host, kernel) = (rest.text()?.into(), rest.text()?, rest.text()?);
        let options = list(rest, |rest| Ok((rest.text()?.into(), read_setting(rest)?)))?;
        let attached = list(rest, |rest| {
            Ok(Attached { program: rest.text()?, kind: rest.text()?, place: rest.text()? })
        })?;
        let skipped = list(rest, |rest| Ok(Skipped { kind: rest.text()?, reason: rest.text()? }))?;
        let left_out =
            list(rest, |rest| Ok(LeftOut { place: rest.text()?, reason: rest.text()? }))?;
        let run = Run { start, tool, host, kernel, options, attached, skipped, left_out };
        Ok(Facts { version, command, disks, run })
    }
}

fn texts(bytes: &mut Vec<u8>, texts: &[String]) {
    wire::number(bytes, texts.len() as u64);
    texts.iter().for_each(|text| wire::text(bytes, text));
}

/// As many as the number before them says.
pub fn list<T>(
    rest: &mut Rest<'_>,
    each: impl Fn(&mut Rest<'_>) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    (0..rest.count()?).map(|_| each(rest)).collect()
}

fn setting(bytes: &mut Vec<u8>, setting: &Setting) {
    match setting {
        Setting::Unset => bytes.push(0),
        Setting::Flag(flag) => bytes.push(1 + u8::from(*flag)),
        Setting::Number(number) => {
            bytes.push(3);
            wire::number(bytes, *number);
        }
        Setting::Seconds(seconds) => {
            bytes.push(4);
            bytes.extend(seconds.to_bits().to_le_bytes());
        }
        Setting::Text(text) => {
            bytes.push(5);
            wire::text(bytes, text);
        }
        Setting::List(list) => {
            bytes.push(6);
            texts(bytes, list);
        }
    }
}

fn read_setting(rest: &mut Rest<'_>) -> Result<Setting, Wrong> {
    Ok(match rest.byte()? {
        0 => Setting::Unset,
        1 => Setting::Flag(false),
        2 => Setting::Flag(true),
        3 => Setting::Number(rest.number()?),
        4 => {
            let mut bits = [0; 8];
            for byte in &mut bits {
                *byte = rest.byte()?;
            }
            Setting::Seconds(f64::from_bits(u64::from_le_bytes(bits)))
        }
        5 => Setting::Text(rest.text()?),
        6 => Setting::List(list(rest, |rest| rest.text())?),
        _ => return Err(Wrong),
    })
}
