//! The container's settings are settings. Whether its image can be built is not tried here: that needs a
//! registry.

use std::process::Command;

use super::text_of;

const SETTINGS: &str = include_str!("../support/least.toml");

#[test]
fn the_guard_takes_every_setting_that_the_container_sets() {
    let file = text_of("config/deploy/Containerfile");
    let settings = file
        .lines()
        .filter_map(|line| line.strip_prefix("ENV ")?.split_once('='));
    let settings: Vec<(&str, &str)> = settings.collect();
    assert!(settings.len() >= 4, "{settings:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.toml");
    std::fs::write(&path, SETTINGS).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_generect-guard"));
    check.arg("check").envs(settings.iter().copied());
    let output = check
        .env("GUARD_CONFIG", &path)
        .env("GENERECT_TOKEN", "5ec2e7a1b0c94d3f8e7a6b5c4d3e2f1a")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (_, value) in settings
        .iter()
        .filter(|(name, _)| name.starts_with("GUARD__"))
    {
        assert!(said.contains(value), "{value} is not in {said}");
    }
}

#[test]
fn the_container_is_built_from_everything_that_a_build_reads() {
    let ignored = text_of(".dockerignore");
    for needed in [
        "build.rs",
        "Cargo.lock",
        "Cargo.toml",
        "benches",
        "config",
        "src",
        "tests",
    ] {
        assert!(
            ignored.lines().any(|line| line == format!("!{needed}")),
            "{needed}"
        );
    }
}
