//! The tools, a file each under `programs/`.

#[path = "../programs/argdist.rs"]
pub mod argdist;
#[path = "../programs/bioheat.rs"]
pub mod bioheat;
#[path = "../programs/biolatency.rs"]
pub mod biolatency;
#[path = "../programs/bitehist.rs"]
pub mod bitehist;
#[path = "../programs/bitesize.rs"]
pub mod bitesize;
#[path = "../programs/disk_names.rs"]
pub mod disk_names;
#[path = "../programs/funccount.rs"]
pub mod funccount;
#[path = "../programs/funclatency.rs"]
pub mod funclatency;
#[path = "../programs/record.rs"]
pub mod record;
#[path = "../programs/request.rs"]
pub mod request;
#[path = "../programs/submitter.rs"]
pub mod submitter;
#[path = "../programs/task.rs"]
pub mod task;
