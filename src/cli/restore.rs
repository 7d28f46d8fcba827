//! `restore`: puts a backup in the place of a ledger that was lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::cli::Context;
use crate::cli::progress::Progress;
use crate::config;
use crate::counted::counted;
use crate::ledger::store::check_closed;
use crate::ledger::{LedgerLock, Reader, open_reader};

/// Mismatches that are told of a backup that is damaged.
const TOLD: usize = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The backup; it stays as it is
    file: PathBuf,
}

pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let books = config::load_books(context.config(), &context.environment)?;
    let path = &books.ledger.path;
    must_be_free(path)?;
    let reader = sound(&args.file)?;
    // From here on no guard starts on what is not whole.
    let _lock = LedgerLock::acquire(path, context.clock.now())?;
    must_be_free(path)?;
    put(&*reader, path).with_context(|| format!("{} cannot be written", path.display()))?;
    let tail = open_reader(path)?.tail()?;
    let last = tail
        .recorded_at
        .map_or("never".to_owned(), |at| at.to_string());
    writeln!(
        out,
        "{}: {}, the last recorded at {last}.\n\
         What was called, granted, paused or resolved after that is not in it. Start the guard: calls that were \
         under way then are in doubt, and reconciliation reads the account's list from there on. What was charged \
         since stands there as findings of the kind theirs_only: it counts in no budget, and no team is \
         named. See `report --findings`; where it matters, lower a budget's limit for the rest of its window.",
        path.display(),
        counted(tail.seq, "entry", "entries"),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A log or an index of another file would be taken for the restored one's.
fn must_be_free(path: &Path) -> anyhow::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let there = PathBuf::from(name);
        if there.exists() {
            bail!(
                "{} is there: a ledger is never written over. Stop the guard, move it away with its -wal and -shm, and keep them: they may have what the backup has not",
                there.display()
            );
        }
    }
    Ok(())
}

/// Opens the backup, if nothing is wrong with it.
fn sound(file: &Path) -> anyhow::Result<Box<dyn Reader>> {
    if !file.exists() {
        bail!(
            "there is no backup at {}; name one that `backup` wrote",
            file.display()
        );
    }
    check_closed(file)?;
    let reader = open_reader(file)?;
    let progress = Progress::new("verifying", "entries");
    let report = reader
        .verify(&mut |done, all| progress.show(done, all))
        .with_context(|| format!("{} cannot be read to its end", file.display()))?;
    drop(progress);
    if !report.is_sound() {
        let told = report.mismatches.iter().take(TOLD);
        let told: Vec<&str> = told.map(String::as_str).collect();
        bail!(
            "{} is damaged: take an older backup.\n{}",
            file.display(),
            told.join("\n")
        );
    }
    Ok(reader)
}

/// Copies it under another name, and gives it its own when all of it is on disk.
fn put(reader: &dyn Reader, path: &Path) -> anyhow::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    if part.exists() {
        fs::remove_file(&part)?; // Of a run that was broken off.
    }
    let progress = Progress::new("copying", "pages");
    reader.backup(&part, &mut |done, all| progress.show(done, all))?;
    File::open(&part)?.sync_all()?;
    fs::rename(&part, path)?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()?;
    Ok(())
}
