//! The tools on this host's own kernel, as far as that goes: a disk of the test's own, requests of
//! known sizes, exact results.

mod argdist;
mod bioheat;
mod biolatency;
mod bitehist;
mod bitesize;
mod buckets;
mod confined;
mod denied;
mod disk;
mod disks;
mod distributions;
mod doctor;
mod dump;
mod files;
mod folder;
mod funccount;
mod funclatency;
mod lesson;
mod lines;
mod list;
mod namespaces;
mod objects;
mod program;
mod refusals;
mod run;
mod samples;
mod schema;
mod session;
mod steering;
mod step;
mod system_calls;
mod tool;
mod user;
mod verify;
mod whose;
