//! What lies in the write-ahead log, read as it is documented (<https://sqlite.org/walformat.html>).
//!
//! SQLite takes a log up to the first page that is not whole, for a crash may have torn what was
//! written last; it does not ask whether that was the last. We do: after each commit the log is synced
//! before anything is written behind it, so a page that is not whole with a commit and more
//! behind it was whole once. And how far the log went stands in the index beside it, which
//! outlives the process (not the machine): a log that is shorter now was cut.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const MAGIC: u32 = 0x377f_0682;
const PAGE_MAX: u32 = 65_536;
/// The wal-index begins with two copies of a header of this length, the last 8 bytes its checksum.
const INDEX_HEADER: usize = 48;

/// The pages that a log has for the file.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// How many pages the file has after the last commit; `None`: the log has no commit.
    pub(super) pages_after: Option<u32>,
    /// The numbers of its pages, up to the last commit.
    pub(super) pages: BTreeSet<u32>,
    /// What is wrong with it.
    pub(super) fault: Option<String>,
}

/// The file beside the ledger with this ending.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Looks at the log of the ledger at `path`, which nobody may have open.
pub(super) fn look(path: &Path) -> io::Result<Log> {
    let mut scan = Scan::default();
    match File::open(beside(path, "-wal")) {
        Ok(file) => scan.read(BufReader::with_capacity(1 << 16, file))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if scan.log.fault.is_none() {
        scan.log.fault = index(path)?.and_then(|index| scan.falls_short(&index));
    }
    Ok(scan.log)
}

/// How far the log went when a process last wrote it.
struct Index {
    frames: u32,
    salt: u32,
}

/// `None`: there is no index, or it is not whole: then it says nothing, and is made anew.
fn index(path: &Path) -> io::Result<Option<Index>> {
    let bytes = match fs::read(beside(path, "-shm")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (Some(one), Some(other)) = (
        bytes.get(..INDEX_HEADER),
        bytes.get(INDEX_HEADER..2 * INDEX_HEADER),
    ) else {
        return Ok(None);
    };
    let native = |at: usize| word(one, at, u32::from_ne_bytes);
    let (first, second) = sum(&one[..40], u32::from_ne_bytes, (0, 0));
    let is_whole = one == other && one[12] == 1 && (native(40), native(44)) == (first, second);
    Ok(is_whole.then(|| Index {
        frames: native(16),
        salt: word(one, 32, u32::from_be_bytes),
    }))
}

fn word(bytes: &[u8], at: usize, read: fn([u8; 4]) -> u32) -> u32 {
    let four = bytes.get(at..at + 4);
    four.and_then(|four| four.try_into().ok()).map_or(0, read)
}

/// The log's own checksum, going on from `before`.
fn sum(bytes: &[u8], read: fn([u8; 4]) -> u32, before: (u32, u32)) -> (u32, u32) {
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().fold(before, |(first, second), pair| {
        let [a, b, c, d, e, f, g, h] = *pair;
        let first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
        let second = second.wrapping_add(read([e, f, g, h])).wrapping_add(first);
        (first, second)
    })
}

#[derive(Default)]
struct Scan {
    log: Log,
    /// Both salts, as they stand in the header: what does not have them is left over from before.
    salts: [u8; 8],
    /// Whole frames so far.
    whole: u32,
    /// Pages since the last commit.
    uncommitted: Vec<u32>,
    /// The first frame that is not whole.
    torn: Option<u32>,
    /// Whether a commit was seen behind it.
    commit_behind: bool,
}

impl Scan {
    fn read(&mut self, mut file: impl Read) -> io::Result<()> {
        let mut header = Vec::with_capacity(HEADER);
        file.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(());
        }
        let be = |at: usize| word(&header, at, u32::from_be_bytes);
        let read = if be(0) & 1 == 1 {
            u32::from_be_bytes
        } else {
            u32::from_le_bytes
        };
        let mut sums = sum(&header[..header.len().min(24)], read, (0, 0));
        let page = be(8);
        let is_page = (512..=PAGE_MAX).contains(&page) && page.is_power_of_two();
        if be(0) & !1 != MAGIC || !is_page || (be(24), be(28)) != sums {
            self.log.fault = Some("the header of its log (-wal) is damaged".into());
            return Ok(());
        }
        self.salts.copy_from_slice(&header[16..24]);
        let mut frame = vec![0; FRAME_HEADER + page as usize];
        let mut number = 0;
        while file.read_exact(&mut frame).is_ok() {
            number += 1;
            self.frame(number, &frame, read, &mut sums);
        }
        Ok(())
    }

    fn frame(
        &mut self,
        number: u32,
        frame: &[u8],
        read: fn([u8; 4]) -> u32,
        sums: &mut (u32, u32),
    ) {
        let be = |at: usize| word(frame, at, u32::from_be_bytes);
        let is_ours = frame[8..16] == self.salts;
        let commit = be(4);
        if self.torn.is_none() {
            *sums = sum(&frame[..8], read, *sums);
            *sums = sum(&frame[FRAME_HEADER..], read, *sums);
            if is_ours && (be(16), be(20)) == *sums {
                self.whole = number;
                self.uncommitted.push(be(0));
                if commit > 0 {
                    self.log.pages.extend(self.uncommitted.drain(..));
                    self.log.pages_after = Some(commit);
                }
                return;
            }
            self.torn = Some(number);
        }
        if is_ours && self.commit_behind {
            let torn = self.torn.unwrap_or_default();
            self.log.fault = Some(format!(
                "page {torn} of its log (-wal) is damaged, and commits behind it are lost"
            ));
        }
        self.commit_behind |= is_ours && commit > 0;
    }

    /// What is missing of what the index says the log had.
    fn falls_short(&self, index: &Index) -> Option<String> {
        let salt = word(&self.salts, 0, u32::from_be_bytes);
        // The first salt is counted up whenever the log begins anew: a later one is that of a log the
        // index, which is not synced, has not heard of.
        let is_later = salt != index.salt && salt.wrapping_sub(index.salt) < u32::MAX / 2;
        let has = if salt == index.salt { self.whole } else { 0 };
        let is_short = index.frames > has && (self.salts == [0; 8] || !is_later);
        is_short.then(|| {
            format!(
                "its log (-wal) had {} pages when it was last written, and has {has} of them now",
                index.frames
            )
        })
    }
}
