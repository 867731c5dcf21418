//! The course's solutions do their tasks without a kernel too.

use rawbpf::insn::parse;
use rawbpf::interpret::{Input, Machine, MapDef, USER_ADDRESS, World};
use rawbpf::lessons::{self, LESSONS, Lesson, LessonRun};

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// A machine that a lesson's program of this text has run on.
fn after(lesson: &Lesson, run: &LessonRun, text: &str) -> (Machine, Option<u64>) {
    let source = parse(lesson.name, text).unwrap();
    let maps: Vec<_> = source.maps.iter().map(MapDef::from).collect();
    let mut world = World::new(&maps).unwrap();
    for (key, value) in lesson.map {
        world.update(0, &key.to_ne_bytes(), &numbers(value)).unwrap();
    }
    let input = match run.input {
        lessons::Input::Arguments(arguments) => {
            let mut all = [0; 8];
            all[..arguments.len()].copy_from_slice(arguments);
            Input::Context(numbers(&all))
        }
        lessons::Input::Address(arguments) => {
            world.set_user(numbers(&arguments[..1]));
            let mut all = [0; 8];
            all[..arguments.len()].copy_from_slice(arguments);
            all[0] = USER_ADDRESS;
            Input::Context(numbers(&all))
        }
        lessons::Input::Packet(length, start) => {
            let mut packet = start.to_vec();
            packet.resize(length, 0);
            Input::of(&source.programs[0].line.kind.text, packet)
        }
    };
    let mut machine = Machine::new(source.programs[0].program.insns(), world, &input).unwrap();
    let returned =
        machine.run(1_000_000).unwrap_or_else(|fault| panic!("{}: {fault}", lesson.name));
    (machine, returned)
}

#[test]
fn every_solution_returns_what_its_lesson_asks_for() {
    let mut count = 0;
    for lesson in LESSONS {
        for run in lesson.runs {
            let (machine, returned) = after(lesson, run, lesson.solution());
            assert_eq!(returned.map(|it| it as u32), Some(run.returns), "{}", lesson.name);
            let Some((key, value)) = run.leaves else { continue };
            let found = machine.world.elements(&machine.world.maps[0]);
            let found = found.filter(|(other, _)| *other == key.to_ne_bytes());
            let found: Vec<_> = found.map(|(_, value)| value.to_vec()).collect();
            assert_eq!(found, [numbers(value)], "{}", lesson.name);
            count += 1;
        }
    }
    assert!(count > 4, "{count}");
}
