//! What is made for a browser, in a real one.

mod heat;
mod playground;
mod walk;

use std::env;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

#[derive(Clone, Copy, PartialEq)]
pub enum Scheme {
    Light,
    Dark,
}

/// Opens a file of this name in a browser; gives what its scripts have left in the attribute
/// `data-seen`, and what the browser says of mistakes.
pub fn browse(name: &str, content: &str, scheme: Scheme) -> (Value, Vec<String>) {
    browse_at(name, content, scheme, 1600)
}

/// As [`browse`], in a window of this width.
pub fn browse_at(name: &str, content: &str, scheme: Scheme, width: u32) -> (Value, Vec<String>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("rawbpf-test-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, content).unwrap();
    let output = Command::new("timeout")
        .args(["120", "chromium", "--headless", "--no-sandbox", "--disable-gpu"])
        .arg(format!("--window-size={width},1200"))
        .args(["--dump-dom", "--enable-logging=stderr"])
        // Time that nothing happens in does not pass.
        .arg("--virtual-time-budget=1000000")
        .args((scheme == Scheme::Dark).then_some("--force-dark-mode"))
        .arg(format!("--user-data-dir={}", folder.join("browser").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    // Its last process may be about to write there.
    while fs::remove_dir_all(&folder).is_err() {
        sleep(Duration::from_millis(50));
    }
    let dom = String::from_utf8(output.stdout).unwrap();
    let seen = dom.split_once("data-seen=\"").and_then(|(_, rest)| rest.split_once('"'));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let (seen, _) = seen.unwrap_or_else(|| panic!("nothing was seen: {dom}\n{stderr}"));
    let seen = seen.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    let seen = seen.replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let mistakes = stderr.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
    (serde_json::from_str(&seen).unwrap(), mistakes.collect())
}

/// Relative luminance, from 0 for black to 1 for white, of `rgb(1, 2, 3)`.
pub fn luminance(color: &Value) -> f64 {
    let color = color.as_str().unwrap();
    let parts = color.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')')).expect(color);
    let linear = |part: &str| {
        let part = part.trim().parse::<f64>().unwrap() / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    parts
        .split(',')
        .map(linear)
        .zip([0.2126, 0.7152, 0.0722])
        .map(|(part, weight)| part * weight)
        .sum()
}

/// From 1 for the same to 21 for black and white.
pub fn contrast(one: &Value, other: &Value) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}
