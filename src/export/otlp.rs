//! Metrics as a request of OTLP, the protocol of OpenTelemetry: `ExportMetricsServiceRequest` in protobuf, version 1.
//! The numbers of fields are those of opentelemetry/proto/metrics/v1/metrics.proto.

use super::metrics::{Metrics, grouped};
use crate::sample::{BaseUnit, Family, FamilyKind, Point, Time};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: counts since the start.
const CUMULATIVE: u64 = 2;

/// The metrics of one or more runs at `now`. `instance` tells this process from others of the host.
pub fn request<'a>(
    runs: impl Iterator<Item = &'a Metrics> + Clone,
    now: Time,
    instance: &str,
) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |of_resource| {
        if let Some(Metrics { run, .. }) = runs.clone().next() {
            of_resource.message(1, |resource| {
                let version = env!("CARGO_PKG_VERSION");
                for (key, value) in [
                    ("service.name", "rawbpf"),
                    ("service.version", version),
                    ("service.instance.id", instance),
                    ("host.name", &run.host),
                    ("os.type", "linux"),
                    ("os.version", &run.kernel),
                ] {
                    resource.attribute(1, key, value);
                }
            });
        }
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.bytes(1, b"rawbpf");
                scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
            });
            for (name, all) in grouped(runs) {
                of_scope.message(2, |metric| self::metric(metric, &name, &all, now));
            }
        });
    });
    request.0
}

fn metric(metric: &mut Message, name: &str, all: &[(&Metrics, &Family)], now: Time) {
    let Some((_, Family { help, unit, kind, .. })) = all.first() else { return };
    metric.bytes(1, name.as_bytes());
    metric.bytes(2, help.as_bytes());
    let unit = match unit {
        BaseUnit::None => "1",
        BaseUnit::Bytes => "By",
        BaseUnit::Seconds => "s",
    };
    metric.bytes(3, unit.as_bytes());
    let field = match kind {
        FamilyKind::Gauge => 5,
        FamilyKind::Counter => 7,
        FamilyKind::Histogram => 9,
        FamilyKind::Summary => 11,
    };
    metric.message(field, |data| {
        for (run, family) in all {
            for (labels, series) in &family.series {
                data.message(1, |point| {
                    let attributes = if *kind == FamilyKind::Histogram { 9 } else { 7 };
                    let own = family.labels.iter().map(String::as_str).zip(labels);
                    for (key, value) in
                        own.chain(run.labels.iter().map(|(key, value)| (*key, value)))
                    {
                        point.attribute(attributes, key, value);
                    }
                    point.fixed(2, nanoseconds(run.run.start));
                    point.fixed(3, nanoseconds(now));
                    self::point(point, &series.point, family.unit);
                });
            }
        }
        if matches!(kind, FamilyKind::Counter | FamilyKind::Histogram) {
            data.number(2, CUMULATIVE);
        }
        if *kind == FamilyKind::Counter {
            data.number(3, 1);
        }
    });
}

fn point(message: &mut Message, point: &Point, unit: BaseUnit) {
    match point {
        Point::Number(number) => match i64::try_from(*number) {
            Ok(number) if unit != BaseUnit::Seconds => message.fixed(6, number.cast_unsigned()),
            _ => message.fixed(4, in_unit(*number, unit).to_bits()),
        },
        Point::Summary { count, sum } => {
            message.fixed(4, *count);
            message.fixed(5, in_unit(*sum, unit).to_bits());
        }
        Point::Histogram { bounds, counts, sum } => {
            let count = counts.iter().fold(0, |all: u64, count| all.saturating_add(*count));
            message.fixed(4, count);
            if let Some(sum) = sum {
                message.fixed(5, in_unit(*sum, unit).to_bits());
            }
            message.packed(6, counts.iter().copied());
            message.packed(7, bounds.iter().map(|bound| in_unit(*bound, unit).to_bits()));
        }
    }
}

/// A number of base units, times in seconds.
fn in_unit(number: i128, unit: BaseUnit) -> f64 {
    // One rounding: the quotient is the nearest to what the decimal digits say.
    if unit == BaseUnit::Seconds { number as f64 / 1e9 } else { number as f64 }
}

fn nanoseconds(time: Time) -> u64 {
    let since = time.wall.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A message of protobuf.
#[derive(Default)]
struct Message(Vec<u8>);

/// How a field is written.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(&mut self, field: u64, number: u64) {
        self.varint(field << 3 | VARINT);
        self.varint(number);
    }

    fn fixed(&mut self, field: u64, bits: u64) {
        self.varint(field << 3 | FIXED64);
        self.0.extend(bits.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn packed(&mut self, field: u64, all: impl ExactSizeIterator<Item = u64>) {
        self.varint(field << 3 | LENGTH);
        self.varint(8 * all.len() as u64);
        all.for_each(|bits| self.0.extend(bits.to_le_bytes()));
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    /// A `KeyValue` whose value is a string.
    fn attribute(&mut self, field: u64, key: &str, value: &str) {
        self.message(field, |pair| {
            pair.bytes(1, key.as_bytes());
            pair.message(2, |any| any.bytes(1, value.as_bytes()));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_protobuf_wants() {
        let mut message = Message::default();
        message.number(1, 300);
        message.bytes(2, b"ab");
        message.fixed(3, 1);
        message.packed(4, [1, 2].into_iter());
        let expected = [
            &[8, 0xac, 2, 0x12, 2, b'a', b'b', 0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x22, 16][..],
            &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(message.0, expected.concat());
    }

    #[test]
    fn seconds_are_what_their_digits_say() {
        assert_eq!(in_unit(131_071, BaseUnit::Seconds), 0.000131071);
        assert_eq!(in_unit(3_999, BaseUnit::Seconds), 0.000003999);
    }
}
