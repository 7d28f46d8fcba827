//! Amounts, wherever they are written.

use generect_guard::credits::Credits;

/// The micro-credits of plain digits, cut off after the sixth decimal.
fn cut(text: &str) -> Option<i64> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 12 {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(whole.parse::<i64>().ok()? * 1_000_000 + micros.parse::<i64>().ok()?)
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
    if let (Ok(down), Ok(up)) = (down, up) {
        let nearest = nearest.unwrap();
        assert!(down <= nearest && nearest <= up, "{text}");
        assert!(up.micros() - down.micros() <= 1, "{text}");
        if let Some(cut) = cut(text) {
            let towards_zero = if text.starts_with('-') {
                -up.micros()
            } else {
                down.micros()
            };
            assert_eq!(towards_zero, cut, "{text}");
        }
    }
    if let Ok(exact) = text.parse::<Credits>() {
        assert_eq!((down, up), (Ok(exact), Ok(exact)), "{text}");
        assert_eq!(exact.to_string().parse(), Ok(exact), "{text}");
    }
}
