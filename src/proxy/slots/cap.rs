//! How many calls of a family may be in flight: the setting, or less where the upstream says less.
//!
//! The upstream may tell its cap with each answer (`X-RateLimit-Limit`), or never: sources disagree
//! (dossier section 1.2). What it tells can lower the setting, to no less than one call, and is
//! forgotten when it has not been told again for a while. It never raises the setting.
//!
//! Pure: times are passed in, counted from any one moment.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");

/// So long what the upstream told holds. A lowered cap is lowered for good only if it goes on
/// saying so.
pub const TOLD_FOR: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    setting: u32,
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    limit: u32,
    at: Duration,
}

impl Cap {
    /// The setting, as long as nothing else is told. At least one.
    pub fn new(setting: u32) -> Self {
        Self {
            setting: setting.max(1),
            told: None,
        }
    }

    /// Changes the setting. What was told stays.
    pub fn set(&mut self, setting: u32) {
        self.setting = setting.max(1);
    }

    /// The upstream told its cap.
    pub fn tell(&mut self, limit: u32, at: Duration) {
        self.told = Some(Told { limit, at });
    }

    /// The cap in force.
    pub fn at(&self, now: Duration) -> u32 {
        match self.told {
            Some(told) if now.saturating_sub(told.at) < TOLD_FOR => {
                told.limit.clamp(1, self.setting)
            }
            _ => self.setting,
        }
    }
}

/// The cap that an answer's head tells, if it can be read: `20`, also in lists such as `20, 20;w=1`
/// that other servers write. The lowest of several.
pub fn told(headers: &HeaderMap) -> Option<u32> {
    let values = headers.get_all(X_RATELIMIT_LIMIT).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let first = texts.filter_map(|text| text.split([',', ';']).next());
    let limits = first.filter_map(|number| number.trim().parse::<u64>().ok());
    let lowest = limits.min()?;
    Some(u32::try_from(lowest).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_told_cap_lowers_the_setting_and_never_raises_it() {
        let mut cap = Cap::new(20);
        for (limit, expected) in [(50, 20), (7, 7), (0, 1), (12, 12), (20, 20), (9, 9)] {
            cap.tell(limit, SECOND);
            assert_eq!(cap.at(SECOND), expected, "told {limit}");
        }
        cap.set(5);
        assert_eq!(cap.at(SECOND), 5);
        cap.set(0);
        assert_eq!(cap.at(SECOND), 1, "one call can always be made");
    }

    #[test]
    fn what_is_not_told_again_is_forgotten() {
        let mut cap = Cap::new(20);
        cap.tell(3, SECOND);
        let last = SECOND + TOLD_FOR - Duration::from_nanos(1);
        assert_eq!(cap.at(last), 3);
        assert_eq!(cap.at(SECOND + TOLD_FOR), 20);
        assert_eq!(cap.at(Duration::ZERO), 3, "a time before it was told");
        cap.tell(4, last);
        assert_eq!(cap.at(SECOND + TOLD_FOR), 4);
    }

    #[test]
    fn a_header_is_read_as_far_as_it_makes_sense() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("X-RateLimit-Limit", value.parse().unwrap());
            }
            told(&headers)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["20"]), Some(20));
        assert_eq!(of(&[" 20, 20;w=1"]), Some(20));
        assert_eq!(of(&["20;w=60"]), Some(20));
        assert_eq!(of(&["50", "20", "soon"]), Some(20));
        assert_eq!(of(&["99999999999"]), Some(u32::MAX));
        for nonsense in [
            "",
            "-1",
            "20.5",
            "many",
            "0x14",
            "99999999999999999999999",
            "é",
        ] {
            assert_eq!(of(&[nonsense]), None, "{nonsense}");
        }
    }
}
