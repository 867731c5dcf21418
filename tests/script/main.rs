//! The script language: what it accepts, where it refuses, what it prints.

mod cases;
mod syntax;
mod views;
