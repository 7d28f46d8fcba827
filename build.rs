//! Tells the binary what it was built from: `generect-guard --version` repeats it.
//!
//! In a checkout git is asked. Where there is none, a source archive or a container's build, the
//! variables below say it, and they win over git. Debug builds do not ask: each commit would compile
//! everything again.

use std::process::Command;

/// The commit, as any length of its hexadecimal name.
const COMMIT: &str = "GUARD_BUILD_COMMIT";
/// Its date, as `2026-11-21`.
const DATE: &str = "GUARD_BUILD_DATE";
/// What the binary is made from; changes elsewhere do not make it another one.
const SOURCES: [&str; 5] = ["src", "config", "build.rs", "Cargo.toml", "Cargo.lock"];
/// What stands for anything that is not known.
const UNKNOWN: &str = "unknown";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={COMMIT}");
    println!("cargo:rerun-if-env-changed={DATE}");
    let release = variable("PROFILE").as_deref() == Some("release");
    let source = told().or_else(|| release.then(asked).flatten());
    let source = source.unwrap_or_else(|| Source {
        commit: UNKNOWN.into(),
        date: UNKNOWN.into(),
        state: if release { UNKNOWN } else { "debug build" },
    });
    println!("cargo:rustc-env=GUARD_SOURCE_COMMIT={}", source.commit);
    println!("cargo:rustc-env=GUARD_SOURCE_DATE={}", source.date);
    println!("cargo:rustc-env=GUARD_SOURCE_STATE={}", source.state);
    let rustc = variable("RUSTC").and_then(|rustc| output(Command::new(rustc).arg("--version")));
    let rustc = rustc.unwrap_or_else(|| UNKNOWN.into());
    println!("cargo:rustc-env=GUARD_RUSTC={rustc}");
    let target = variable("TARGET").unwrap_or_else(|| UNKNOWN.into());
    println!("cargo:rustc-env=GUARD_TARGET={target}");
}

struct Source {
    commit: String,
    date: String,
    state: &'static str,
}

/// What the environment says.
fn told() -> Option<Source> {
    Some(Source {
        commit: variable(COMMIT)?,
        date: variable(DATE).unwrap_or_else(|| UNKNOWN.into()),
        state: "as released",
    })
}

/// What git says.
fn asked() -> Option<Source> {
    let root = variable("CARGO_MANIFEST_DIR")?;
    let git = |arguments: &[&str]| output(Command::new("git").current_dir(&root).args(arguments));
    // An archive unpacked inside another project's checkout is not that project.
    let tracked = git(&["ls-files", "--", "Cargo.toml"])?;
    if tracked.is_empty() {
        return None;
    }
    // Commits, and switches between branches, are written here.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo:rerun-if-changed={log}");
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
    }
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    Some(Source {
        commit: git(&["rev-parse", "--short=12", "HEAD"])?,
        date: git(&["show", "--no-patch", "--format=%cs", "HEAD"])?,
        state: if git(&status)?.is_empty() {
            "clean"
        } else {
            "with changes"
        },
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|run| run.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
