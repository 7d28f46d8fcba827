//! Whatever stands in the file or the environment: an answer, never a panic, never a secret.

use generect_guard::config;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{Folder, GOOD, TOKEN, environment};

const EXAMPLE: &str = include_str!("../../config/example.toml");

fn shown(text: &str, more: &[(&str, &str)]) -> String {
    let folder = Folder::with(text);
    match config::load(Some(&folder.config()), &environment(more)) {
        Ok(config) => format!("{:?}{:?}", config.upstream, config.warnings),
        Err(errors) => {
            assert!(!errors.complaints().is_empty());
            format!("{errors} {errors:?}")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_that_was_damaged_anywhere_gets_an_answer(
        edits in prop::collection::vec((any::<Index>(), "[\\[\\]{}=\"'.,#a-z0-9\n -]{0,3}"), 1..4),
        example in any::<bool>(),
    ) {
        let mut text = if example { EXAMPLE } else { GOOD }.to_owned();
        for (at, put) in edits {
            let at = at.index(text.len());
            text.replace_range(at..=at, &put);
        }
        prop_assert!(!shown(&text, &[]).contains(TOKEN));
    }

    #[test]
    fn any_override_gets_an_answer(
        name in "(SERVER|UPSTREAM|TEAM|KEY|LOG|X)(__|\\[|\\]|-|\\.|[A-Z_0-9]){0,8}",
        value in "[ -~]{0,12}",
    ) {
        let shown = shown(GOOD, &[(&format!("GUARD__{name}"), &value)]);
        prop_assert!(!shown.contains(TOKEN));
    }

    #[test]
    fn any_setting_gets_an_answer(key in "[a-z_\\[\\].0-9-]{1,12}", value in "[ -~]{0,12}") {
        let text = format!("\"{key}\" = {value:?}\n{GOOD}");
        prop_assert!(!shown(&text, &[]).contains(TOKEN));
    }
}
