//! What becomes of the cost when there is more of something: keys in a map, places to attach to,
//! events a second. Each step of a table has the exponent of its growth, 1 where twice as much costs
//! twice as much.
//!
//! `cargo bench --bench scale`, as root; `-- --svg FILE` draws it. What this host lacks is named and
//! left out.

use std::collections::BTreeMap;
use std::fs;
use std::iter;
use std::ops::ControlFlow;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rawbpf::aggregate::KeyedCounters;
use rawbpf::sys::map::{Entries, Update};
use rawbpf::sys::{Map, MapSpec, MapType, Tracefs, object};

mod common;
use common::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--read", keys, map, what] => return read(keys, map, what),
        ["--functions"] => return count_functions(),
        ["--svg", path, ..] => fs::write(path, draw(&measure()?)).map_err(text)?,
        _ => _ = measure()?,
    }
    Ok(())
}

/// Costs by how much there is of something.
struct Series {
    name: String,
    unit: &'static str,
    points: Vec<(f64, f64)>,
}

/// Series that grow with the same thing.
struct Chart {
    of: &'static str,
    series: Vec<Series>,
}

impl Chart {
    fn new(of: &'static str, series: &[(&str, &'static str)]) -> Chart {
        let series =
            series.iter().map(|(name, unit)| Series { name: (*name).into(), unit, points: vec![] });
        Chart { of, series: series.collect() }
    }

    /// A row of the table.
    fn push(&mut self, n: u64, costs: &[f64]) {
        print!("{n:>16}");
        for (series, cost) in self.series.iter_mut().zip(costs) {
            series.points.push((n as f64, *cost));
            let exponent = match series.points[..] {
                [.., before, last] if before.1 > 0.0 && last.1 > 0.0 => {
                    format!("^{:.2}", exponent(before, last))
                }
                _ => String::new(),
            };
            print!(" {:>14} {exponent:<6}", number(*cost));
        }
        println!();
    }

    fn head(&self) {
        println!(
            "\n{:>16}{}",
            self.of,
            self.series
                .iter()
                .map(|series| { format!(" {:>21}", format!("{}, {}", series.name, series.unit)) })
                .collect::<String>()
        );
    }
}

/// How often the cost grows by ten when there is ten times as much.
fn exponent(before: (f64, f64), last: (f64, f64)) -> f64 {
    (last.1 / before.1).ln() / (last.0 / before.0).ln()
}

fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn measure() -> Result<Vec<Chart>> {
    println!("^1 is linear");
    let charts = [
        keys,
        cpus,
        attached,
        syscall_rate,
        disk_rate,
        || functions("5.10", "functions, 5.10"),
        || functions("6.12", "functions, 6.12"),
        || functions("7", "functions, 7"),
    ];
    let charts = charts.into_iter().filter_map(|chart| match chart() {
        Ok(chart) => Some(chart),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    });
    Ok(charts.collect())
}

/// Reading an interval of a map with so many keys.
fn keys() -> Result<Chart> {
    let mut chart = Chart::new(
        "keys",
        &[
            ("reading a hash", "ms"),
            ("kernel alone", "ms"),
            ("all dropped", "ms"),
            ("hash per CPU", "ms"),
            ("RSS", "KiB"),
        ],
    );
    chart.head();
    for keys in [10, 100, 1000, 10_000, 100_000, 1_000_000] {
        let run = |map: &str, what: &str| -> Result<(f64, f64)> {
            let me = std::env::current_exe().map_err(text)?;
            // In a process of its own, so that memory is that of this map alone.
            let output = Command::new(me)
                .args(["--read", &keys.to_string(), map, what])
                .output()
                .map_err(text)?;
            let said = String::from_utf8_lossy(&output.stdout);
            let mut said = said.split_whitespace().map_while(|word| word.parse().ok());
            said.next().zip(said.next()).ok_or(String::from_utf8_lossy(&output.stderr).into())
        };
        let (hash, memory) = run("hash", "count")?;
        let (kernel, _) = run("hash", "kernel")?;
        let (dropped, _) = run("hash", "drop")?;
        let (per_cpu, _) = run("percpu", "count")?;
        chart.push(keys, &[hash, kernel, dropped, per_cpu, memory]);
    }
    Ok(chart)
}

/// Prints how many milliseconds it takes to read an interval, and the peak of this process's memory.
fn read(keys: &str, map: &str, what: &str) -> Result<()> {
    let keys: u32 = keys.parse().map_err(text)?;
    let map_type = if map == "percpu" { MapType::PercpuHash } else { MapType::Hash };
    // Idle keys are dropped from a map that is half full.
    let room = if what == "drop" { keys } else { 2 * keys };
    let map = Map::create(&MapSpec::new("keys", map_type, 4, 8, room)).map_err(text)?;
    let rounds = (1_000_000 / keys).clamp(5, 101);
    let (mut times, mut entries) = (vec![], Entries::new());
    let mut counters = KeyedCounters::default();
    for round in 1..=rounds {
        fill(&map, keys, round)?;
        if what == "drop" {
            counters.read(&map).map_err(text)?;
        }
        let begin = Instant::now();
        let read = match what {
            "kernel" => map.read_all(&mut entries).map(|()| entries.len()).map_err(text)?,
            _ => counters.read(&map).map_err(text)?.iter().count(),
        };
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        assert_eq!(read, if what == "drop" { 0 } else { keys as usize });
    }
    println!("{} {}", median(times), peak_memory("self"));
    Ok(())
}

/// Gives all keys this value.
fn fill(map: &Map, keys: u32, value: u32) -> Result<()> {
    let mut value = u64::from(value).to_ne_bytes().to_vec();
    value.resize(map.value_len(), 0);
    let all: Vec<u32> = (0..keys).collect();
    all.chunks(4096).try_for_each(|keys| {
        let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_ne_bytes()).collect();
        map.update_batch(&bytes, &value.repeat(keys.len()), Update::Any).map_err(text)
    })
}

/// Reading 1000 keys that have a value for each of so many CPUs, which emulated machines could have.
fn cpus() -> Result<Chart> {
    let mut chart = Chart::new("CPUs", &[("reading 1000 keys", "M insns"), ("RSS", "KiB")]);
    chart.head();
    for possible in [1, 4, 16, 64] {
        // A nanosecond is an instruction there.
        let said = guest::run("6.1", possible, &[], "--read 1000 percpu count")?;
        let mut said = said.split_whitespace().map_while(|word| word.parse().ok());
        let costs = said.next().zip(said.next()).ok_or("the guest said nothing")?;
        chart.push(possible.into(), &[costs.0, costs.1]);
    }
    Ok(chart)
}

/// Starting and ending funccount in so many places.
fn attached() -> Result<Chart> {
    let mut events = vec![];
    let tracefs = Tracefs::find().ok_or("no tracefs")?;
    let all = tracefs.events(|category, name| {
        events.push(format!("{category}:{name}"));
        std::ops::ControlFlow::<()>::Continue(())
    });
    all.map_err(text)?;
    let (by_perf, raw): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event.starts_with("syscalls:"));
    let mut chart = Chart::new(
        "tracepoints",
        &[
            ("start, raw_tp", "ms"),
            ("end, raw_tp", "ms"),
            ("RSS", "KiB"),
            ("start, perf", "ms"),
            ("end, perf", "ms"),
        ],
    );
    chart.head();
    for count in [1, 10, 100, 1000] {
        let mut costs = run(&raw, count, 7)?.to_vec();
        // Each takes the kernel up to a tenth of a second to let go.
        if count <= 100 {
            costs.extend(&run(&by_perf, count, 3)?[..2]);
        }
        chart.push(count as u64, &costs);
    }
    Ok(chart)
}

/// Medians of start and end in milliseconds, and of the peak of memory in KiB.
fn run(events: &[String], count: usize, rounds: usize) -> Result<[f64; 3]> {
    let names =
        events.get(..count).ok_or_else(|| format!("it has {} tracepoints", events.len()))?;
    let command: Vec<&str> = [*RAWBPF, "funccount"]
        .into_iter()
        .chain(names.iter().map(|name| &**name))
        .chain(["3600"])
        .collect();
    let mut runs = vec![];
    for _ in 0..rounds {
        let before = programs();
        let tool = Running::start(&command)?;
        let (start, memory) = (tool.start.as_secs_f64() * 1e3, tool.memory());
        let (end, _) = tool.end()?;
        runs.push([start, end.as_secs_f64() * 1e3, memory]);
        wait_for_end(&before);
        sleep(Duration::from_millis(300));
    }
    Ok([0, 1, 2].map(|of| median(runs.iter().map(|run| run[of]))))
}

/// Starting and ending funccount at so many functions of this kernel, in an emulated machine, and what a
/// call of one of them costs there.
fn functions(kernel: &str, of: &'static str) -> Result<Chart> {
    let series = [("start", "ms"), ("end", "ms"), ("all let go", "ms"), ("a hit", "insns")];
    let mut chart = Chart::new(of, &series);
    chart.head();
    // A nanosecond is an instruction there.
    for line in guest::run(kernel, 1, &[], "--functions")?.lines() {
        let costs: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let (count, costs) = costs.split_first().ok_or("the guest said nothing")?;
        chart.push(*count as u64, costs);
    }
    Ok(chart)
}

/// In the guest: prints the costs for each number of functions.
fn count_functions() -> Result<()> {
    let mut all = BTreeMap::new();
    let tracefs = Tracefs::find().ok_or("no tracefs")?;
    let listed = tracefs.traceable_functions(|name, _| {
        *all.entry(name.to_owned()).or_insert(0) += 1;
        ControlFlow::<()>::Continue(())
    });
    listed.map_err(text)?;
    // Of files in /sys, which nobody reads or writes meanwhile. At a name that several functions have
    // there can be no kprobe.
    let is_idle = |name: &str| name.ends_with("_show") || name.ends_with("_store");
    let idle = all.iter().filter(|(name, count)| is_idle(name) && **count == 1);
    let called = iter::once("__x64_sys_getpgid");
    let names: Vec<&str> = called.chain(idle.map(|(name, _)| name.as_str())).collect();
    let mut rows = String::new();
    // The first warms up.
    for count in [1, 1, 10, 100, 1000] {
        let names = names.get(..count).ok_or_else(|| format!("{} such functions", names.len()))?;
        let (before, call) = (programs(), a_call());
        let tool = Running::start(&[&[guest::RUN, "funccount"], names, &["3600"]].concat())?;
        let (start, hit) = (tool.start, a_call() - call);
        let begin = Instant::now();
        let (end, _) = tool.end()?;
        wait_for_end(&before);
        let [start, end, gone] = [start, end, begin.elapsed()].map(|time| time.as_secs_f64() * 1e3);
        rows += &format!("{count} {start} {end} {gone} {hit}\n");
    }
    let (_, rows) = rows.split_once('\n').ok_or("no rows")?;
    print!("{rows}");
    Ok(())
}

/// The median time of a call of getpgid, in nanoseconds.
fn a_call() -> f64 {
    median((0..1000).map(|_| {
        let begin = Instant::now();
        _ = nix::unistd::getpgid(None);
        begin.elapsed().as_nanos() as f64
    }))
}

/// Counting calls of a system call that come at these rates.
fn syscall_rate() -> Result<Chart> {
    let pid = std::process::id().to_string();
    let tool = ["funccount", "syscalls:sys_enter_getpgid", "-p", &pid];
    rates("calls/s", &tool, &[1000, 10_000, 100_000, 1_000_000, u64::MAX], &mut || {
        Ok(_ = nix::unistd::getpgid(None).map_err(text)?)
    })
}

/// A histogram of requests that come at these rates.
fn disk_rate() -> Result<Chart> {
    let disk = LoopDisk::new();
    let reader = Reader::new(disk.name())?;
    let mut at = 0;
    rates(
        "requests/s",
        &["bitehist", "-d", disk.name()],
        &[100, 1000, 10_000, u64::MAX],
        &mut || {
            at += 1;
            reader.read(at)
        },
    )
}

fn rates(
    of: &'static str,
    tool: &[&str],
    rates: &[u64],
    event: &mut dyn FnMut() -> Result<()>,
) -> Result<Chart> {
    const LONG: Duration = Duration::from_secs(2);
    let _statistics = object::enable_stats().map_err(text)?;
    let mut chart =
        Chart::new(of, &[(tool[0], "us in a second"), ("an event", "ns"), ("lost", "events")]);
    chart.head();
    for rate in rates {
        let before = programs();
        let tool = Running::start(&[&[*RAWBPF], tool, &["--json", "0.1"]].concat())?;
        let begin = Instant::now();
        let mut made = 0;
        while begin.elapsed() < LONG {
            let due = (begin.elapsed().as_secs_f64() * *rate as f64) as u64;
            // At any rate: in bursts, between which the clock is read.
            let burst = due.saturating_sub(made).min(1000);
            for _ in 0..burst {
                event()?;
            }
            made += burst;
            if burst == 0 {
                sleep(Duration::from_micros(100));
            }
        }
        let seconds = begin.elapsed().as_secs_f64();
        let cost: u64 =
            tool.programs.iter().map(|id| Ok(info(*id)?.run_time_ns)).sum::<Result<u64>>()?;
        let (_, lines) = tool.end()?;
        let per_event = cost as f64 / made as f64;
        let costs = [cost as f64 / seconds / 1e3, per_event, made as f64 - counted(&lines) as f64];
        chart.push((made as f64 / seconds) as u64, &costs);
        wait_for_end(&before);
    }
    Ok(chart)
}

/// How the costs grow, each as a multiple of what it was at first, on logarithmic axes. Below the
/// dashed line it is less than linear.
fn draw(charts: &[Chart]) -> String {
    const SIZE: f64 = 220.0;
    const IN_A_ROW: i32 = 5;
    const COLORS: [&str; 5] = ["#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#868e96"];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"11\" fill=\"#868e96\" stroke-width=\"1.5\">\n",
        f64::from(IN_A_ROW) * (SIZE + 50.0) + 10.0,
        charts.len().div_ceil(IN_A_ROW as usize) as f64 * (SIZE + 130.0),
    );
    for (chart, number) in charts.iter().zip(0..) {
        let left = f64::from(number % IN_A_ROW) * (SIZE + 50.0) + 40.0;
        let top = f64::from(number / IN_A_ROW) * (SIZE + 130.0) + 20.0;
        let drawn = || chart.series.iter().filter(|series| series.is_drawn());
        let all = || drawn().flat_map(Series::growth);
        let bounds = |of: fn((f64, f64)) -> f64| {
            let (low, high) = all().map(of).fold((0.0, 0.0), |(low, high), decades: f64| {
                (decades.min(low), decades.max(high))
            });
            (low.floor(), high.ceil())
        };
        let ((_, width), (low, high)) = (bounds(|point| point.0), bounds(|point| point.1));
        let place = |(x, y): (f64, f64)| {
            format!("{:.1},{:.1}", left + x / width * SIZE, top + (high - y) / (high - low) * SIZE)
        };
        let line = |points: &[(f64, f64)], more: &str| {
            let points: Vec<_> = points.iter().map(|point| place(*point)).collect();
            format!("<polyline points=\"{}\" fill=\"none\" {more}/>\n", points.join(" "))
        };
        let first = chart.series[0].points[0].0;
        for decade in 0..=width as i32 {
            let x = f64::from(decade);
            svg += &line(&[(x, low), (x, high)], "stroke=\"#868e96\" stroke-opacity=\"0.25\"");
            svg += &label(
                left + x / width * SIZE,
                top + SIZE + 16.0,
                "middle",
                &power(x + first.log10()),
            );
        }
        for decade in low as i32..=high as i32 {
            let y = f64::from(decade);
            svg += &line(&[(0.0, y), (width, y)], "stroke=\"#868e96\" stroke-opacity=\"0.25\"");
            let height = top + (high - y) / (high - low) * SIZE + 4.0;
            svg += &label(left - 4.0, height, "end", &format!("x{}", power(y)));
        }
        let end = width.min(high);
        svg += &line(&[(0.0, 0.0), (end, end)], "stroke=\"#868e96\" stroke-dasharray=\"5 4\"");
        svg += &label(left + SIZE / 2.0, top + SIZE + 34.0, "middle", chart.of);
        for ((series, color), number) in drawn().zip(COLORS).zip(0..) {
            svg += &line(&series.growth().collect::<Vec<_>>(), &format!("stroke=\"{color}\""));
            let y = top + SIZE + 52.0 + 14.0 * f64::from(number);
            svg += &format!("<g fill=\"{color}\">{}</g>\n", label(left, y, "start", &series.name));
        }
    }
    svg + "</svg>\n"
}

impl Series {
    /// A cost, and not how many were lost, at more than one place.
    fn is_drawn(&self) -> bool {
        self.points.len() > 1 && self.points.iter().all(|(_, cost)| *cost > 0.0)
    }

    /// The points in decades from the first.
    fn growth(&self) -> impl Iterator<Item = (f64, f64)> {
        let (n, cost) = self.points[0];
        self.points.iter().map(move |point| ((point.0 / n).log10(), (point.1 / cost).log10()))
    }
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

/// 10 to the power of it.
fn power(decades: f64) -> String {
    let value = 10f64.powf(decades);
    match value {
        999_999.5.. => format!("{}M", (value / 1e6).round()),
        999.5.. => format!("{}k", (value / 1e3).round()),
        1.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
