//! What the disk takes, in the folder of a ledger: a sync, and a commit of the stand-in's books.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use tokio::time::Instant;

use crate::books::{Books, Entry, Sqlite};
use crate::support::load::Seen;

/// In each of the two loops.
const TIMES: usize = 300;
const PAGE: [u8; 4_096] = [0x5a; 4_096];

/// A page appended and synced, again and again.
pub(crate) fn syncs(folder: &Path) -> Seen {
    let path = folder.join("syncs");
    let mut file = File::create(&path).unwrap();
    let seen = timed(|| {
        file.write_all(&PAGE).unwrap();
        file.sync_data().unwrap();
    });
    std::fs::remove_file(path).unwrap();
    seen
}

/// One call's hold and another's ending committed together, again and again: a batch of the
/// smallest size there is under load.
pub(crate) fn commits(folder: &Path) -> Seen {
    let own = tempfile::tempdir_in(folder).unwrap();
    let mut books = Sqlite::create(&own.path().join("commits.db"));
    let settled = Entry::Settled {
        hold: 1,
        began_at: 0,
    };
    let batch = [settled, Entry::Held];
    timed(|| {
        books.append(batch.iter(), 0);
    })
}

fn timed(mut what: impl FnMut()) -> Seen {
    let started = Instant::now();
    let mut latencies = Vec::with_capacity(TIMES);
    let mut before = started;
    for _ in 0..TIMES {
        what();
        let now = Instant::now();
        latencies.push(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
        before = now;
    }
    latencies.sort_unstable();
    Seen {
        took: started.elapsed(),
        latencies,
    }
}
