//! What is shown of the programs that the verifier went over.

use std::io::Write;

use super::against::Against;
use super::logs::Logs;
use super::show::Show;
use super::{html, step, walk};
use crate::cli::dump::Dumped;
use crate::cli::output_file::OutputFile;
use crate::cli::report;
use crate::cli::stop::Stop;
use crate::cli::streams::Stdout;
use crate::error::{Error, Failure};
use crate::run::{self, Plan, Walked};
use crate::sys::Map;
use crate::tools::{describe, now};
use crate::verifier::draw::json;
use crate::verifier::draw::page::Page;
use crate::verifier::verified::Verified;

/// Shows these programs instead of attaching them.
///
/// # Errors
/// One is refused.
pub fn programs(what: &str, maps: &[Map], plans: &[Plan], show: &Show) -> Result<(), Stop> {
    let mut shown = Shown::new(what, show)?;
    let mut same = 0;
    for (index, plan) in plans.iter().enumerate() {
        // One program in many places is verified once.
        let insns = plan.program.insns();
        let kind = plan.attach.kind();
        if plans[..index].iter().any(|p| p.attach.kind() == kind && p.program.insns() == insns) {
            same += 1;
            continue;
        }
        shown.program(&Dumped::from(plan), run::verify(plan, maps))?;
    }
    if same > 0 {
        say!("verify: {same} more have the same instructions and are not shown again");
    }
    shown.end()
}

/// A page that names what was verified, where and when.
fn page(what: &str, show: &Show) -> Result<Page, Error> {
    if show.html.is_none() {
        return Ok(Page::new());
    }
    let run = describe("verify", now()?, vec![]);
    let start = report::moment(run.start.wall);
    let (day, time, zone) = (start.day_and_year(), start.time(0), start.zone());
    let (host, kernel) = (run.host, run.kernel);
    Ok(Page::new().about(format!("{what}, by Linux {kernel} on {host}, {day}, {time} {zone}")))
}

/// What is shown on stdout, program by program.
pub struct Shown<'a> {
    show: &'a Show,
    /// The file of the page.
    html: Option<OutputFile>,
    logs: Option<Logs>,
    against: Against<'a>,
    out: Stdout,
    page: Page,
    /// Whether there is more than one program.
    pub several: bool,
    /// The last program that was refused.
    refused: Option<Error>,
    /// The last program that could not be judged.
    unjudged: Option<Error>,
    /// What is stepped through at the end.
    stepped: Vec<Verified>,
    /// Whether an empty line goes before the next.
    more: bool,
    /// Whether nobody reads the output any more. The verdicts still make the exit code.
    unread: bool,
}

impl<'a> Shown<'a> {
    /// Nothing of `what`, a file or a tool, is shown yet.
    ///
    /// # Errors
    /// A file of the options cannot be read or written.
    pub fn new(what: &str, show: &'a Show) -> Result<Shown<'a>, Error> {
        let html = show.html.as_deref().map(OutputFile::open).transpose()?;
        let logs = show.verifier_log.as_deref().map(Logs::create).transpose()?;
        let others = [
            ("--html", html.as_ref().is_some_and(OutputFile::is_stdout)),
            ("--json", show.json),
            ("--against", !show.against.is_empty()),
        ];
        let other = others.into_iter().find(|(_, is_on_stdout)| *is_on_stdout);
        if let (Some((other, _)), true) = (other, logs.as_ref().is_some_and(Logs::is_stdout)) {
            let what = format!("{other} and --verifier-log would both be on stdout");
            return Err(Error::usage(what).hint("try: a file for --verifier-log"));
        }
        let against = Against::read(&show.against)?;
        let (out, page, stepped) = (Stdout::plain(), page(what, show)?, vec![]);
        let (refused, unjudged, more, several) = (None, None, false, false);
        Ok(Shown {
            show,
            html,
            logs,
            against,
            out,
            page,
            several,
            refused,
            unjudged,
            stepped,
            more,
            unread: false,
        })
    }

    /// Shows a program and the verdict on it.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn program(&mut self, dumped: &Dumped, verdict: Result<Walked, Error>) -> Result<(), Stop> {
        let (program, totals_only, error) = match verdict {
            Ok(Walked { program, totals_only }) => (program, totals_only, None),
            Err(error) => match &error.refused {
                // It never came to the verifier.
                None => return self.unjudged(dumped.name, error),
                Some(program) => ((**program).clone(), false, Some(error)),
            },
        };
        let (name, kind) = (dumped.name.to_owned(), dumped.kind.clone());
        let (place, refused) = (dumped.place.clone(), error.is_some());
        let verified = Verified { name, kind, place, program, totals_only, refused };
        self.write(|this| this.walk(verified))?;
        if let Some(error) = error {
            self.refuse(error);
        }
        Ok(())
    }

    /// Writes to the output, if there is somebody who reads it.
    fn write(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        if self.unread {
            return Ok(());
        }
        match write(self) {
            Err(Stop::Quietly) => self.unread = true,
            written => written?,
        }
        Ok(())
    }

    /// Shows how the verifier went over a program.
    fn walk(&mut self, verified: Verified) -> Result<(), Stop> {
        if let Some(logs) = &mut self.logs {
            logs.write(&verified)?;
        }
        if self.show.step {
            self.stepped.push(verified);
        } else if self.show.html.is_some() {
            html::add(&verified, &mut self.page)?;
            if !verified.refused {
                say!("verify: {} accepted: {}", verified.name, verified.totals());
            }
        } else if self.logs.as_ref().is_some_and(Logs::is_stdout) {
            // That is all.
        } else if !self.show.against.is_empty() {
            self.against.program(&verified, self.show.json, &mut self.out)?;
        } else if self.show.json {
            walk::json(&verified, self.show.all, &mut self.out)?;
        } else {
            if std::mem::replace(&mut self.more, true) {
                writeln!(self.out)?;
            }
            walk::text(&verified, self.show.all, &mut self.out)?;
        }
        Ok(self.out.flush()?)
    }

    /// Keeps a refusal for the end, and prints the one before.
    fn refuse(&mut self, error: Error) {
        if let Some(earlier) = self.refused.replace(error) {
            say!("verify: {}", earlier.without_cause());
            report::detail(&earlier, "");
        }
    }

    /// Reports a program of this name that the verifier did not judge: it could not be made or loaded here,
    /// or the kernel refused it before.
    ///
    /// # Errors
    /// The output could not be written.
    pub fn unjudged(&mut self, name: &str, error: Error) -> Result<(), Stop> {
        if matches!(error.failure, Failure::Failed | Failure::Exhausted) && error.detail.is_some() {
            self.refuse(error);
            return Ok(());
        }
        if self.show.json {
            let line = json::unjudged(name, &error.what);
            self.write(|this| {
                writeln!(this.out, "{line}")?;
                Ok(this.out.flush()?)
            })?;
        }
        let error = Error { failure: Failure::Lacking, ..error };
        if let Some(earlier) =
            self.unjudged.replace(if self.several { one_line(error) } else { error })
        {
            say!("verify: {earlier}");
        }
        Ok(())
    }

    /// After the last program.
    ///
    /// # Errors
    /// A program was refused, or is not alike elsewhere; or the output could not be written.
    pub fn end(self) -> Result<(), Stop> {
        if self.show.step {
            step::run(&self.stepped)?;
        }
        let logs = self.logs.map_or(Ok(()), Logs::finish);
        let page = self.html.map_or(Ok(()), |file| file.write(self.page.to_html().as_bytes()));
        let written = logs.and(page);
        // The refusal is the most important of several failures.
        let refused = self.refused.or(self.against.unlike());
        match (&refused, written) {
            (Some(_), Err(Stop::Error(error))) => say!("verify: {}", error.what),
            (Some(_), _) | (None, Err(Stop::Quietly)) => {}
            (None, written) => written?,
        }
        let last = match (refused, self.unjudged) {
            (Some(refused), Some(unjudged)) => {
                say!("verify: {}", refused.without_cause());
                report::detail(&refused, "");
                Some(Error { failure: Failure::Failed, ..unjudged })
            }
            (refused, unjudged) => refused.or(unjudged),
        };
        match last {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// An error with what to do about it, in a line.
fn one_line(error: Error) -> Error {
    let Error { what, hint, .. } = &error;
    let what = hint.as_ref().map_or(what.clone(), |hint| format!("{what}; {hint}"));
    Error { what, hint: None, detail: None, ..error }
}
