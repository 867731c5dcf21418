//! Two recordings side by side, as text and as a picture.

use std::fmt::Write;

use super::svg::escape;
use crate::record::compare::{Compared, Comparison, Pair};
use crate::sample::{Bucket, Histogram, Percentile, Unit};

/// A comparison, and what is said about it.
pub struct Comparing<'a> {
    /// The comparison.
    pub comparison: &'a Comparison,
    /// A line for each side.
    pub sides: [String; 2],
    /// What differs besides the numbers, and what they lack, a line each.
    pub notes: Vec<String>,
    /// How many rows are shown.
    pub top: usize,
}

/// What the star means.
const STAR: &str = "* differs beyond chance: all tests together find a difference where there is none once in a hundred";

/// The width of a bar of text.
const BAR: usize = 16;

/// A number and its name, for both sides.
type Fact = (String, [String; 2], bool);

impl Comparing<'_> {
    /// The rows that are shown.
    fn shown(&self) -> &[Compared] {
        let rows = &self.comparison.rows;
        &rows[..rows.len().min(self.top)]
    }

    /// Lines about the rows that are not shown, and about what the star means.
    fn end(&self) -> Vec<String> {
        let hidden = &self.comparison.rows[self.shown().len()..];
        let differ = hidden.iter().filter(|row| self.comparison.any_differs(row)).count();
        let mut lines = vec![];
        if !hidden.is_empty() {
            lines.push(format!(
                "{} more rows, of which {differ} differ beyond chance",
                hidden.len()
            ));
        }
        let any = self.comparison.rows.iter().any(|row| self.comparison.any_differs(row));
        lines.push(if any { STAR.into() } else { "nothing differs beyond chance".into() });
        lines
    }

    fn facts(&self, row: &Compared) -> Vec<Fact> {
        let star = self.comparison.differs(&row.rates);
        let [before, after] = row.rates.values;
        let change = match before > 0.0 {
            true => format!("{} ({:+.1} %)", rounded(after), 100.0 * (after / before - 1.0)),
            false => rounded(after),
        };
        let mut facts = vec![
            ("count".into(), row.counts.map(|count| count.to_string()), false),
            ("a second".into(), [rounded(before), change], star),
        ];
        let Some(both) = &row.histograms else { return facts };
        let base = row.unit.in_base() as f64;
        let average = |it: &Histogram| it.average().map(|average| rounded(average / base));
        if let [Some(one), Some(other)] = [average(&both[0]), average(&both[1])] {
            facts.push((format!("average {}", unit(row)), [one, other], false));
        }
        for percent in both[0].percentiles.iter() {
            let bounds = [0, 1].map(|side| match both[side].percentile(*percent, row.unit) {
                Some(Percentile::Below(end)) => format!("< {}", rounded(end as f64 / base)),
                Some(Percentile::AtLeast(low)) => format!(">= {}", rounded(low as f64 / base)),
                None => "-".into(),
            });
            facts.push((format!("p{percent} {}", unit(row)), bounds, false));
        }
        facts
    }

    /// As text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (letter, side) in ["A", "B"].iter().zip(&self.sides) {
            let _ = writeln!(text, "{letter}: {side}");
        }
        self.notes.iter().for_each(|note| _ = writeln!(text, "{note}"));
        for row in self.shown() {
            let _ = writeln!(text, "\n{:<24} {:<23} B", title(row), "A");
            for (name, [one, other], star) in self.facts(row) {
                let _ = writeln!(text, "  {name:<22} {one:<23} {other}{}", mark(star));
            }
            let most = most(row);
            for (bucket, pair) in &row.buckets {
                let [one, other] = pair.values.map(|share| {
                    let bar = "#".repeat((share / most * BAR as f64).round() as usize);
                    format!("{:>5.1} % {bar:<BAR$}", 100.0 * share)
                });
                let star = mark(self.comparison.differs(pair));
                let line = format!("  {:<22} {one}{other}", range(bucket));
                let _ = writeln!(text, "{}{star}", line.trim_end());
            }
        }
        let _ = writeln!(text);
        self.end().iter().for_each(|line| _ = writeln!(text, "{line}"));
        text
    }

    /// As a picture for a browser: bars of A above those of B.
    pub fn to_svg(&self) -> String {
        let mut body = String::new();
        let mut y = 24;
        let line = |body: &mut String, class: &str, x: u32, y: u32, text: &str| {
            let text = escape(text);
            let _ = writeln!(body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
        };
        for (letter, side) in ["A", "B"].iter().zip(&self.sides) {
            line(&mut body, &letter.to_lowercase(), 16, y, &format!("{letter}: {side}"));
            y += 20;
        }
        for note in &self.notes {
            line(&mut body, "dim", 16, y, note);
            y += 18;
        }
        for row in self.shown() {
            y += 22;
            line(&mut body, "title", 16, y, &title(row));
            for (name, [one, other], star) in self.facts(row) {
                y += 18;
                line(&mut body, "dim", 16, y, &name);
                line(&mut body, "a", 200, y, &one);
                line(&mut body, "b", 400, y, &format!("{other}{}", mark(star)));
            }
            let most = most(row);
            for (bucket, pair) in &row.buckets {
                y += 26;
                let text = format!("{}{}", range(bucket), mark(self.comparison.differs(pair)));
                line(&mut body, "end", 190, y, &text);
                for (class, share, y) in
                    [("a", pair.values[0], y - 12), ("b", pair.values[1], y - 2)]
                {
                    let width = share / most * 480.0;
                    let percent = 100.0 * share;
                    let _ = writeln!(
                        body,
                        "<rect class=\"{class}\" x=\"200\" y=\"{y}\" width=\"{width:.1}\" height=\"9\">\
                         <title>{percent:.2} %</title></rect>",
                    );
                }
            }
            y += 12;
        }
        for text in self.end() {
            y += 20;
            line(&mut body, "dim", 16, y, &text);
        }
        let height = y + 20;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"compared\" width=\"100%\" height=\"{height}\" \
             viewBox=\"0 0 720 {height}\" preserveAspectRatio=\"xMidYMin\">\n{STYLE}{body}</svg>\n"
        )
    }
}

const STYLE: &str = "<style>
.compared{color-scheme:light dark;--page:#fff;--ink:#1b1b1f;--dim:#5b5b66;--a:#2a6fb0;--b:#c2571a;
font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums}
@media (prefers-color-scheme:dark){.compared{--page:#111113;--ink:#e4e4e8;--dim:#a2a2ac;--a:#6db1f2;--b:#f08c4a}}
.compared .page{fill:var(--page)}.compared text{fill:var(--ink)}.compared text.dim{fill:var(--dim)}
.compared .a{fill:var(--a)}.compared .b{fill:var(--b)}
.compared .title{font-size:15px;font-weight:600}.compared .end{text-anchor:end}
</style>
<rect class=\"page\" width=\"100%\" height=\"100%\"/>
";

fn mark(star: bool) -> &'static str {
    if star { " *" } else { "" }
}

/// The greatest share of a bucket.
fn most(row: &Compared) -> f64 {
    let shares = row.buckets.iter().flat_map(|(_, Pair { values, .. })| values);
    shares.fold(f64::MIN_POSITIVE, |most, share| most.max(*share))
}

fn unit(row: &Compared) -> &'static str {
    if row.unit == Unit::Number { "" } else { row.unit.name() }
}

fn title(row: &Compared) -> String {
    let labels = row.labels.iter().map(|(heading, value)| format!("{heading} = {value}"));
    let labels = labels.collect::<Vec<_>>().join(", ");
    format!("{} {labels}", row.name).trim_end().to_owned()
}

fn range(Bucket { low, high }: &Bucket) -> String {
    format!("{low} -> {}", high.map_or("...".into(), |high| high.to_string()))
}

/// With four digits or more.
fn rounded(number: f64) -> String {
    match number.abs() {
        0.0 => "0".into(),
        ..1.0 => format!("{number:.4}"),
        ..100.0 => format!("{number:.2}"),
        ..1000.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
