//! How many of something, in words: "1 entry", "3 entries".

use std::fmt::Display;

/// `count` and the name of what is counted.
pub fn counted<N>(count: N, one: &str, many: &str) -> String
where
    N: Display + PartialEq + From<u8>,
{
    let name = if count == N::from(1) { one } else { many };
    format!("{count} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many_and_none_is() {
        assert_eq!(counted(0_u64, "entry", "entries"), "0 entries");
        assert_eq!(counted(1_i64, "entry", "entries"), "1 entry");
        assert_eq!(counted(2_usize, "entry", "entries"), "2 entries");
    }
}
