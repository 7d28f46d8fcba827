//! `--version`, and the script that finds out what to say there.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder with sources, and the script compiled.
struct Sources {
    folder: TempDir,
    script: PathBuf,
}

impl Sources {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        let mut rustc = Command::new("rustc");
        rustc.arg("--edition=2024").arg("-o").arg(&script);
        assert!(
            rustc
                .arg(super::root().join("build.rs"))
                .status()
                .unwrap()
                .success()
        );
        let tree = folder.path().join("tree/src");
        std::fs::create_dir_all(tree).unwrap();
        let sources = Self { folder, script };
        sources.write("Cargo.toml", "[package]");
        sources.write("src/lib.rs", "//! Nothing.");
        sources
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.tree().join(path), text).unwrap();
    }

    fn git(&self, at: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(at)
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_COMMITTER_DATE", "2026-11-21T12:00:00Z")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) -> String {
        let tree = self.tree();
        self.git(&tree, &["add", "--all"]);
        self.git(&tree, &["commit", "--quiet", "--message=all"]);
        self.git(&tree, &["rev-parse", "--short=12", "HEAD"])
    }

    /// Commit, date and state, as the script says them.
    fn built(&self, variables: &[(&str, &str)]) -> [String; 3] {
        let mut script = Command::new(&self.script);
        script
            .current_dir(self.tree())
            .env_remove("GUARD_BUILD_COMMIT")
            .env_remove("GUARD_BUILD_DATE")
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.folder.path().parent().unwrap(),
            )
            .env("CARGO_MANIFEST_DIR", self.tree())
            .env("PROFILE", "release")
            .envs(variables.iter().copied());
        let output = script.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        ["COMMIT", "DATE", "STATE"].map(|name| {
            let start = format!("cargo:rustc-env=GUARD_SOURCE_{name}=");
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(&start));
            found.unwrap().to_owned()
        })
    }
}

#[test]
fn a_checkout_says_its_commit_and_whether_it_is_clean() {
    let sources = Sources::new();
    let tree = sources.tree();
    sources.git(&tree, &["init", "--quiet"]);
    let commit = sources.commit();
    let clean = [commit.as_str(), "2026-11-21", "clean"];
    assert_eq!(sources.built(&[]), clean);
    sources.write("notes", "no part of the binary");
    assert_eq!(sources.built(&[]), clean);
    sources.write("src/lib.rs", "//! Something.");
    assert_eq!(
        sources.built(&[]),
        [commit.as_str(), "2026-11-21", "with changes"]
    );
    let next = sources.commit();
    assert_ne!(next, commit);
    assert_eq!(sources.built(&[]), [next.as_str(), "2026-11-21", "clean"]);
}

#[test]
fn an_archive_says_what_its_builder_says_or_that_nobody_knows() {
    let sources = Sources::new();
    let unknown = ["unknown"; 3];
    assert_eq!(sources.built(&[]), unknown);
    let told = [
        ("GUARD_BUILD_COMMIT", "0123abc"),
        ("GUARD_BUILD_DATE", "2026-11-20"),
    ];
    assert_eq!(
        sources.built(&told),
        ["0123abc", "2026-11-20", "as released"]
    );
    assert_eq!(
        sources.built(&told[..1]),
        ["0123abc", "unknown", "as released"]
    );
    // Unpacked inside somebody else's checkout, whose commit is none of its.
    let outside = sources.folder.path();
    sources.git(outside, &["init", "--quiet"]);
    sources.git(
        outside,
        &["commit", "--quiet", "--allow-empty", "--message=theirs"],
    );
    assert_eq!(sources.built(&[]), unknown);
}

#[test]
fn a_debug_build_asks_nobody() {
    let debug = [("PROFILE", "debug")];
    let sources = Sources::new();
    let tree = sources.tree();
    sources.git(&tree, &["init", "--quiet"]);
    sources.commit();
    assert_eq!(sources.built(&debug), ["unknown", "unknown", "debug build"]);
}

#[test]
fn the_binary_says_what_it_is() {
    let said = |flag: &str| {
        let mut guard = Command::new(env!("CARGO_BIN_EXE_generect-guard"));
        let output = guard.arg(flag).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = concat!("generect-guard ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(said("-V"), version);
    let long = said("--version");
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines.len(), 3, "{long}");
    assert_eq!(format!("{}\n", lines[0]), version);
    assert!(lines[1].starts_with("commit "), "{long}");
    assert!(lines[2].starts_with("rustc 1."), "{long}");
    assert!(lines[2].contains(" for "), "{long}");
}
