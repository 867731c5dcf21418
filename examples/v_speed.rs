use rawbpf::verifier::log::{Event, events};
use rawbpf::verifier::path::Code;
use std::time::Instant;
fn main() {
    let file = std::env::args().nth(1).unwrap();
    let base = std::fs::read_to_string(&file).unwrap();
    for mb in [2usize, 4, 8, 16] {
        let mut log = String::new();
        while log.len() < mb << 20 {
            log.push_str(&base);
        }
        let start = Instant::now();
        let (mut n, mut v) = (0, 0);
        for e in events(&log) {
            n += 1;
            if let Event::Insn { state: Some(s), .. } = e {
                v += s.values().count();
            }
        }
        let took = start.elapsed();
        let code = Code::from_bytes(&std::fs::read(std::env::args().nth(2).unwrap()).unwrap());
        let start = Instant::now();
        let refused = rawbpf::verifier::render::Refused { code, maps: vec![], lines: vec![], log };
        let r = refused.render(false).len();
        println!(
            "{mb} MB: events {n} values {v} in {took:?}; rendered {r} in {:?}",
            start.elapsed()
        );
    }
}
