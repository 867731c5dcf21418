//! A sample as text: its tables, and below them what was not counted.

use std::fmt::{self, Display};

use super::elements::Elements;
use super::frequency::Frequencies;
use super::histogram::HistogramTable;
use super::summary::Summary;
use crate::sample::{Histogram, LostKind, Row, Sample, Table, Unit, Value};

/// The layout of histograms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether a histogram begins at the lowest bucket, even if it counted nothing.
    pub from_zero: bool,
    /// Whether count, average, extremes and percentiles are printed below each histogram.
    pub summary: bool,
    /// The titles of histograms, if there are several.
    pub titles: Titles,
}

/// The titles of histograms, if there are several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Titles {
    /// `disk = vda, flags = Read`
    Assigned,
    /// `PID: 17`
    Named,
    /// `  PID: 17 UID: 0 CMD: dd`, with an empty line before and after each histogram.
    Indented,
}

/// The tables of a sample, then a line for each kind of events that are missing from them.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// The sample.
    pub sample: &'a Sample,
    /// The layout.
    pub style: Style,
    /// The line in place of tables that have counted nothing: `(no requests)`.
    pub idle: Option<&'a str>,
}

/// Whether the tables of a sample have counted nothing.
pub fn is_idle(sample: &Sample) -> bool {
    let counted = |row: &Row| !matches!(row.value, Value::Histogram(_)) || row.value.count() > 0;
    !sample.tables.iter().any(|table| table.rows.iter().any(counted))
}

impl Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.idle.filter(|_| is_idle(self.sample)) {
            Some(line) if self.style.titles == Titles::Indented => writeln!(f, "\n{line}")?,
            Some(line) => writeln!(f, "{line}")?,
            None => self.sample.tables.iter().try_for_each(|table| self.table(f, table))?,
        }
        // The kernel counts missed events until the end of the run; they are reported then.
        let lost = self.sample.lost.iter().filter(|lost| lost.what != LostKind::MissedEvents);
        lost.into_iter().try_for_each(|lost| writeln!(f, "{lost}"))
    }
}

impl Tables<'_> {
    fn table(&self, f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
        match table.rows.first().map(|row| &row.value) {
            _ if table.unit == Unit::Data => return Elements(table).fmt(f),
            Some(Value::Histogram(_)) => {}
            _ => return Frequencies(table).fmt(f),
        }
        for (index, row) in table.rows.iter().enumerate() {
            if let Value::Histogram(histogram) = &row.value {
                self.title(f, table, row, index == 0)?;
                self.histogram(f, table, histogram)?;
            }
        }
        Ok(())
    }

    fn title(
        &self,
        f: &mut fmt::Formatter<'_>,
        table: &Table,
        row: &Row,
        first: bool,
    ) -> fmt::Result {
        let (before, assign, separate) = match self.style.titles {
            Titles::Indented => ("\n  ", ": ", " "),
            Titles::Assigned => (if first { "" } else { "\n" }, " = ", ", "),
            Titles::Named => (if first { "" } else { "\n" }, ": ", " "),
        };
        let labels = table.labels.iter().zip(&row.labels);
        let parts = labels.map(|(label, value)| format!("{}{assign}{value}", label.heading));
        let title = parts.collect::<Vec<_>>().join(separate);
        if title.is_empty() { Ok(()) } else { writeln!(f, "{before}{title}") }
    }

    fn histogram(
        &self,
        f: &mut fmt::Formatter<'_>,
        table: &Table,
        histogram: &Histogram,
    ) -> fmt::Result {
        let Style { from_zero, summary, titles } = self.style;
        HistogramTable { heading: table.heading(), histogram, from_zero }.fmt(f)?;
        if summary {
            Summary { unit: table.unit, histogram }.fmt(f)?;
        }
        if titles == Titles::Indented { writeln!(f) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::sample::{Bucket, LabelName, LabelValue, Lost, Span, Time};

    fn sample(labels: &[(&'static str, &str)], rows: usize) -> Sample {
        let buckets = [Bucket { low: 0, high: Some(1) }, Bucket { low: 2, high: None }];
        let histogram = Value::Histogram(Histogram::new(buckets.into(), vec![0, 3]));
        let row = Row {
            labels: labels.iter().map(|(_, value)| LabelValue::text(value)).collect(),
            value: histogram.clone(),
            total: histogram,
        };
        let table = Table {
            name: "size".into(),
            subject: "function".into(),
            help: "Sizes".into(),
            unit: Unit::Kibibytes,
            labels: labels.iter().map(|(heading, _)| LabelName::new("", heading)).collect(),
            rows: vec![row; rows],
            rest: vec![],
        };
        let time = Time { wall: SystemTime::UNIX_EPOCH, monotonic: Duration::ZERO };
        Sample::new(Span { start: time, end: time }, vec![table], vec![])
    }

    fn text(sample: &Sample, titles: Titles) -> String {
        let style = Style { from_zero: false, summary: false, titles };
        Tables { sample, style, idle: Some("(no requests)") }.to_string().replace(
            "     kbytes          : count     distribution\n       2 -> ...      : 3        |************************************* |\n",
            "TABLE\n",
        )
    }

    #[test]
    fn several_histograms_are_titled() {
        let two = sample(&[("disk", "vda"), ("flags", "Read")], 2);
        let title = "disk = vda, flags = Read\nTABLE\n";
        assert_eq!(text(&two, Titles::Assigned), format!("{title}\n{title}"));
        let two = sample(&[("PID", "7")], 2);
        assert_eq!(text(&two, Titles::Named), "PID: 7\nTABLE\n\nPID: 7\nTABLE\n");
        let one = sample(&[("PID", "7"), ("CMD", "a\u{1b}b")], 1);
        assert_eq!(text(&one, Titles::Indented), "\n  PID: 7 CMD: a?b\nTABLE\n\n");
        assert_eq!(text(&sample(&[], 1), Titles::Named), "TABLE\n");
    }

    #[test]
    fn an_idle_interval_is_a_line() {
        let mut empty = sample(&[], 0);
        assert_eq!(text(&empty, Titles::Named), "(no requests)\n");
        assert_eq!(text(&empty, Titles::Indented), "\n(no requests)\n");
        empty.lost.extend(Lost::some(LostKind::NoStart, 3, "completions"));
        assert_eq!(text(&empty, Titles::Named), "(no requests)\n3 completions\n");
        let mut zeros = sample(&[], 1);
        let Value::Histogram(histogram) = &mut zeros.tables[0].rows[0].value else { panic!() };
        histogram.counts.fill(0);
        assert_eq!(text(&zeros, Titles::Assigned), "(no requests)\n");
    }

    #[test]
    fn what_was_not_counted_stands_below() {
        let lost =
            |what| Lost::some(what, 3, "more calls, beyond 4 keys").unwrap().option("--max-keys");
        let mut sample = sample(&[], 1);
        sample.lost = [LostKind::BeyondMaxKeys, LostKind::MissedEvents].map(lost).to_vec();
        assert_eq!(
            text(&sample, Titles::Named),
            "TABLE\n3 more calls, beyond 4 keys: --max-keys\n"
        );
    }
}
