//! What a client asks of the guard itself, in headers of the guard's own. They never go upstream.

use http::header::{HeaderMap, HeaderName};

use crate::credits::Credits;
use crate::proxy::refusal::Refusal;

/// `true`: say what would become of the call, and do not send it. On the answer too.
pub const GUARD_DRY_RUN: HeaderName = HeaderName::from_static("guard-dry-run");
/// The most the call may take, in credits.
pub const GUARD_MAX_CHARGE: HeaderName = HeaderName::from_static("guard-max-charge");
/// What all such names begin with.
const OURS: &str = "guard-";

/// What a client asks of the guard for one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Say what would become of it, and do not send it.
    pub dry_run: bool,
    /// Refuse it if it can take more.
    pub max_charge: Option<Credits>,
}

impl Wishes {
    /// Reads the headers. One that cannot be read is refused: a client that meant to ask or to be
    /// protected must not be charged for a slip of the pen.
    pub fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        // Most calls ask for nothing.
        if !headers.keys().any(|name| name.as_str().starts_with(OURS)) {
            return Ok(Self::default());
        }
        let dry_run = match only(headers, &GUARD_DRY_RUN)? {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(unreadable(&GUARD_DRY_RUN, "is neither true nor false")),
        };
        let max_charge = only(headers, &GUARD_MAX_CHARGE)?.map(amount).transpose()?;
        Ok(Self {
            dry_run,
            max_charge,
        })
    }
}

/// The one value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(unreadable(name, "is given more than once"));
    }
    let text = first.map(|value| value.to_str().map(str::trim));
    text.transpose()
        .map_err(|_| unreadable(name, "is not plain text"))
}

fn amount(text: &str) -> Result<Credits, Refusal> {
    match text.parse::<Credits>() {
        Ok(amount) if !amount.is_negative() => Ok(amount),
        _ => Err(unreadable(
            &GUARD_MAX_CHARGE,
            "is no amount of credits, such as 0.50",
        )),
    }
}

fn unreadable(name: &HeaderName, why: &str) -> Refusal {
    Refusal::UnreadableHeader(format!(
        "The header {name} {why}, so the call was not sent. Correct it, or leave it out."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&HeaderName, &str)]) -> Result<(bool, Option<i64>), &'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let wishes = Wishes::read(&headers).map_err(|refusal| refusal.reason())?;
        Ok((wishes.dry_run, wishes.max_charge.map(Credits::micros)))
    }

    #[test]
    fn what_is_not_asked_for_is_not_wished() {
        assert_eq!(read(&[]), Ok((false, None)));
        assert_eq!(read(&[(&GUARD_DRY_RUN, "false")]), Ok((false, None)));
        let both = [(&GUARD_DRY_RUN, "true"), (&GUARD_MAX_CHARGE, "0.50")];
        assert_eq!(read(&both), Ok((true, Some(500_000))));
        assert_eq!(read(&[(&GUARD_MAX_CHARGE, " 0 ")]), Ok((false, Some(0))));
    }

    #[test]
    fn a_slip_of_the_pen_is_never_taken_for_leave_to_send() {
        for value in ["", "True", "TRUE", "1", "yes", "tru", "true, true", "null"] {
            let found = read(&[(&GUARD_DRY_RUN, value)]);
            assert_eq!(found, Err("unreadable_header"), "{value:?}");
        }
        for value in ["", "-0.5", "0,50", "$1", "NaN", "one", "0.5 credits"] {
            let found = read(&[(&GUARD_MAX_CHARGE, value)]);
            assert_eq!(found, Err("unreadable_header"), "{value:?}");
        }
        for name in [&GUARD_DRY_RUN, &GUARD_MAX_CHARGE] {
            let twice = [(name, "true"), (name, "true")];
            assert_eq!(read(&twice), Err("unreadable_header"), "{name}");
        }
    }
}
