//! Reading a form body as Django does, nested names as DRF does.

use super::json::Json;

/// Reads `a=1&b.c=2&d=3&d=4`: repeated names keep all their values, a dot goes one map deeper.
pub(crate) fn read(bytes: &[u8]) -> Json {
    let mut root = Vec::new();
    for pair in bytes.split(|byte| *byte == b'&') {
        if pair.is_empty() {
            continue;
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(parts.next().unwrap_or_default());
        let value = decoded(parts.next().unwrap_or_default());
        insert(&mut root, &name, value);
    }
    Json::Map(root)
}

fn insert(members: &mut Vec<(String, Json)>, name: &str, value: String) {
    let (key, rest) = match name.split_once('.') {
        Some((key, rest)) => (key, Some(rest)),
        None => (name, None),
    };
    let index = members.iter().position(|(known, _)| known == key);
    let slot = match index {
        Some(index) => &mut members[index].1,
        None => {
            let empty = match rest {
                Some(_) => Json::Map(Vec::new()),
                None => Json::Form(Vec::new()),
            };
            members.push((key.to_owned(), empty));
            let last = members.len() - 1;
            &mut members[last].1
        }
    };
    match (slot, rest) {
        (Json::Map(inner), Some(rest)) => insert(inner, rest, value),
        (Json::Form(values), None) => values.push(value),
        // The same name as a field and as a map: the first spelling stays.
        _ => {}
    }
}

/// Percent escapes and `+` resolved; what is not UTF-8 becomes U+FFFD.
pub(crate) fn decoded(bytes: &[u8]) -> String {
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    unescaped(&spaced)
}

/// Percent escapes resolved.
pub(crate) fn unescaped(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_nesting_are_read() {
        let form = read(b"limit_by=2&limit_by=9&job_titles=a+b&lead.x%5Fy=%31&odd=%zz");
        assert_eq!(
            form.get("limit_by"),
            Some(&Json::Form(vec!["2".to_owned(), "9".to_owned()]))
        );
        assert_eq!(
            form.get("job_titles"),
            Some(&Json::Form(vec!["a b".to_owned()]))
        );
        assert_eq!(
            form.get("lead").and_then(|lead| lead.get("x_y")),
            Some(&Json::Form(vec!["1".to_owned()]))
        );
        assert_eq!(form.get("odd"), Some(&Json::Form(vec!["%zz".to_owned()])));
    }
}
