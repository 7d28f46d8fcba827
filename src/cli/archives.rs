//! Opens the archives that a command needs: where they were written, or where it is told.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::ledger::store::{Reader, open_archive};
use crate::ledger::{ArchiveSpan, Archived};

/// Opens the archives that are `wanted`, in order. One of `given` is taken where it has the entries.
pub(super) fn open(
    reader: &dyn Reader,
    given: &[PathBuf],
    wanted: impl Fn(&ArchiveSpan) -> bool,
) -> anyhow::Result<Vec<Box<dyn Reader>>> {
    let mut moved = Vec::new();
    for path in given {
        let (archive, span) = open_archive(path)?;
        moved.push((path, span, Some(archive)));
    }
    let mut opened = Vec::new();
    let known = reader.archives()?;
    for archived in known.iter().filter(|archived| wanted(&archived.span)) {
        let given = moved.iter_mut().find(|(_, span, _)| *span == archived.span);
        match given.and_then(|(_, _, archive)| archive.take()) {
            Some(archive) => opened.push(archive),
            None => opened.push(remembered(archived)?),
        }
    }
    for (path, span, _) in &moved {
        if !known.iter().any(|archived| archived.span == *span) {
            bail!("{} is no archive of this ledger", path.display());
        }
    }
    Ok(opened)
}

fn remembered(archived: &Archived) -> anyhow::Result<Box<dyn Reader>> {
    let ArchiveSpan {
        first,
        last,
        before,
        ..
    } = archived.span;
    let path = Path::new(&archived.path);
    if !path.exists() {
        bail!(
            "the archive of entries {first} to {last} (recorded before {before}) is not at {}: say where with --archive FILE",
            path.display()
        );
    }
    let (archive, span) = open_archive(path)?;
    if span != archived.span {
        bail!(
            "{} is another archive than that of entries {first} to {last} (recorded before {before}): say where that is with --archive FILE",
            path.display()
        );
    }
    Ok(archive)
}
