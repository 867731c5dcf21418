//! The script language: what it accepts, where it refuses, what it prints.

mod cases;
mod checks;
mod command;
mod fields;
mod hostile;
mod language;
mod ledger;
mod running;
mod syntax;
mod views;
