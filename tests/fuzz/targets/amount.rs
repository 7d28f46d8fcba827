//! Amounts, wherever they are written.

use generect_guard::credits::Credits;

/// Exponents whose zeros are written out.
const EXPONENT_MAX: usize = 9_999;

/// The number without its sign as its digits and a fraction's, the point moved to where an exponent wants it.
fn plain(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (mut whole, mut fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole.to_owned(), fraction.to_owned()),
        Some(_) => return None,
        None => (mantissa.to_owned(), String::new()),
    };
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let size = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if whole.is_empty()
        || size.is_empty()
        || ![&*whole, &*fraction, size].into_iter().all(is_digits)
    {
        return None;
    }
    let size = size.parse().ok().filter(|size| *size <= EXPONENT_MAX)?;
    let zeros = "0".repeat(size);
    if exponent.starts_with('-') {
        whole.insert_str(0, &zeros);
        fraction.insert_str(0, &whole.split_off(whole.len() - size));
    } else {
        fraction.push_str(&zeros);
        let rest = fraction.split_off(size);
        whole.push_str(&std::mem::replace(&mut fraction, rest));
    }
    Some((whole, fraction))
}

/// Its micro-credits, cut off after the sixth decimal, and whether the rest is at least half of one.
/// `None`: no number, or one that is too large.
fn cut(text: &str) -> Option<(i64, bool)> {
    let (whole, fraction) = plain(text)?;
    let mut decimals = fraction.chars().chain("0000000".chars());
    let places: String = decimals.by_ref().take(6).collect();
    let is_half = decimals.next().is_some_and(|digit| digit >= '5');
    let digits = whole + &places;
    let digits = digits.trim_start_matches('0');
    let micros = if digits.is_empty() { "0" } else { digits };
    Some((micros.parse().ok()?, is_half))
}

pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let nearest = Credits::parse_nearest(text);
    let (down, up) = (
        Credits::parse_rounded_down(text),
        Credits::parse_rounded_up(text),
    );
    let expected = cut(text);
    if let (Ok(down), Ok(up)) = (down, up) {
        let nearest = nearest.unwrap();
        assert!(down <= nearest && nearest <= up, "{text}");
        assert!(up.micros() - down.micros() <= 1, "{text}");
        let towards_zero = if text.starts_with('-') {
            -up.micros()
        } else {
            down.micros()
        };
        if let Some((cut, is_half)) = expected {
            assert_eq!(towards_zero, cut, "{text}");
            assert_eq!(
                nearest.magnitude().micros(),
                cut.saturating_add(i64::from(is_half)),
                "{text}"
            );
        }
    } else if let Some((cut, _)) = expected {
        assert_eq!(cut, i64::MAX, "{text} is not read");
    }
    if let Ok(exact) = text.parse::<Credits>() {
        assert_eq!((down, up), (Ok(exact), Ok(exact)), "{text}");
        assert_eq!(exact.to_string().parse(), Ok(exact), "{text}");
    }
}
