//! All closed months moved to an archive, and what commands take then: with the archive, and those that
//! copy the ledger.

use std::fs;
use std::path::Path;

use crate::commands::{Setting, month};

pub(crate) fn show(place: &Path) {
    let folder = place.with_extension("archived");
    fs::create_dir_all(&folder).unwrap();
    let ledger = folder.join("ledger.db");
    let name = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (archive, whole, small) = (name("archive.db"), name("whole.db"), name("small.db"));
    let setting = Setting::of(&folder);
    fs::copy(place.join("ledger.db"), &ledger).unwrap();
    setting.run("backup", &["backup", &whole]);
    remove(&ledger);
    setting.run("restore", &["restore", &whole]);
    remove(Path::new(&whole));
    let closed = month(1);
    let to = &["archive", "--before", &closed[..7], "--to", &archive];
    setting.run("archive", to);
    setting.serve();
    let (first, from, then) = (month(40), month(14), month(13));
    setting.run("report", &["report"]);
    setting.run("report of all years", &["report", "--from", &first]);
    let export = &["export", "--from", &from, "--to", &then];
    setting.run("export of a month", export);
    let export = &["export", "--from", &first, "--to", &closed];
    setting.run("export of all years", export);
    setting.run("verify", &["verify"]);
    setting.run("verify without it", &["verify", "--without-archives"]);
    setting.run("backup", &["backup", &small]);
    remove(&ledger);
    setting.run("restore", &["restore", &small]);
    for file in [archive, small, ledger.to_str().unwrap().into()] {
        let size = fs::metadata(&file).unwrap().len();
        println!("{file}: {} MB", size >> 20);
    }
    setting.end();
    fs::remove_dir_all(&folder).unwrap();
}

/// With its log and its index, which may be there or not.
fn remove(file: &Path) {
    fs::remove_file(file).unwrap();
    for ending in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(file.with_extension(ending));
    }
}
