//! The table: how an exchange ended → what the ledger is told. Pure.
//!
//! Unknown is not zero: a charge that cannot be read leaves the hold in doubt, and only what
//! certainly took nothing gives it back.

use http::StatusCode;

use crate::catalogue::{Answer, Charge, Class};
use crate::credits::Credits;
use crate::ids::JobId;
use crate::ledger::{Ending, Evidence};

/// Whether test mode is certain: our token says it and the answer says it (dossier section 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestMode {
    /// Neither says so.
    No,
    /// Both say so: nothing is debited, whatever the answer states.
    Yes,
    /// Only one says so: charged, and warned of.
    Contradictory,
}

impl TestMode {
    /// Holds what our token says against what the answer says.
    pub fn of(token_is_test: bool, answer_says_test: bool) -> Self {
        match (token_is_test, answer_says_test) {
            (true, true) => Self::Yes,
            (false, false) => Self::No,
            _ => Self::Contradictory,
        }
    }
}

/// What becomes of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ends, or is left in doubt.
    End(Ending),
    /// It stays until this job ends.
    Bind(JobId),
}

/// Reads the end of a billable exchange whose answer came whole.
pub fn of_answer(class: Class, status: StatusCode, test: TestMode, answer: &Answer) -> Verdict {
    if status.is_redirection() || status.is_informational() {
        return doubted(format!("answered with status {status}"));
    }
    if status.is_success() {
        return of_success(class, test, answer);
    }
    // A job may have been accepted before it failed: what is stated of its charge means nothing yet.
    if class == Class::Submit && status.is_server_error() {
        return doubted(format!("a job's submission answered with status {status}"));
    }
    match &answer.charge {
        // A no that says it took something, however it words it, did take it.
        Charge::Stated { amount, .. } | Charge::Estimated { amount, .. }
            if *amount != Credits::ZERO =>
        {
            of_charge(test, &answer.charge)
        }
        Charge::Stated { .. } | Charge::Estimated { .. } => released(status),
        Charge::Negative { .. } | Charge::Nonsense(_) => of_charge(test, &answer.charge),
        _ if status.is_client_error() => released(status),
        _ => doubted(format!("answered with status {status} and no charge")),
    }
}

fn of_success(class: Class, test: TestMode, answer: &Answer) -> Verdict {
    if class != Class::Submit {
        return of_charge(test, &answer.charge);
    }
    let finished = answer.status.as_deref() == Some("completed");
    match &answer.job {
        Some(job) if !finished => Verdict::Bind(job.clone()),
        // The charge of an accepted job means nothing before its end (dossier section 5).
        None if !finished => doubted("accepted as a job without a job id".into()),
        _ => of_charge(test, &answer.charge),
    }
}

fn of_charge(test: TestMode, charge: &Charge) -> Verdict {
    if test == TestMode::Yes {
        return settled(Credits::ZERO, Evidence::TestMode);
    }
    match charge {
        Charge::Stated { amount, raw } => settled(*amount, Evidence::Stated { raw: raw.clone() }),
        Charge::Estimated { amount, how } => {
            settled(*amount, Evidence::Estimated { how: how.clone() })
        }
        Charge::Missing => doubted("the answer states no charge".into()),
        Charge::Null => doubted("the answer's charge is null".into()),
        Charge::Negative { raw } => doubted(format!("the answer's charge is negative: {raw}")),
        Charge::Nonsense(why) | Charge::Unreadable(why) => {
            doubted(format!("the answer's charge cannot be read: {why}"))
        }
    }
}

/// Reads the answer to a poll: the end of its job's hold, or `None` while the job runs.
pub fn of_poll(status: StatusCode, test: TestMode, answer: &Answer) -> Option<Ending> {
    let ended = matches!(
        answer.status.as_deref(),
        Some("completed" | "error" | "failed")
    );
    if !status.is_success() || !ended {
        return None;
    }
    match of_charge(test, &answer.charge) {
        Verdict::End(ending) => Some(ending),
        Verdict::Bind(_) => None,
    }
}

fn settled(charge: Credits, evidence: Evidence) -> Verdict {
    let ending = Ending::Settled { charge, evidence };
    if ending.ends() {
        Verdict::End(ending)
    } else {
        doubted(format!("{charge} is no charge the ledger can record"))
    }
}

fn released(status: StatusCode) -> Verdict {
    let why = format!("answered with status {} and no charge", status.as_u16());
    Verdict::End(Ending::Released { why })
}

fn doubted(why: String) -> Verdict {
    Verdict::End(Ending::Doubted { why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(charge: Charge) -> Answer {
        Answer {
            charge,
            job: None,
            status: None,
            funds_empty: false,
        }
    }

    fn stated(micros: i64) -> Charge {
        Charge::Stated {
            amount: Credits::from_micros(micros),
            raw: "raw".into(),
        }
    }

    fn kind(verdict: &Verdict) -> String {
        match verdict {
            Verdict::End(Ending::Settled { charge, evidence }) => match evidence {
                Evidence::TestMode => "test".into(),
                Evidence::Estimated { .. } => format!("estimated {charge}"),
                _ => format!("settled {charge}"),
            },
            Verdict::End(Ending::Released { .. }) => "released".into(),
            Verdict::End(Ending::Doubted { .. }) => "doubted".into(),
            Verdict::Bind(job) => format!("bound {job}"),
        }
    }

    /// Status, charge, and what becomes of the hold of a call that is answered at once.
    #[test]
    fn every_way_an_answer_can_end_a_hold() {
        let estimated = Charge::Estimated {
            amount: Credits::from_micros(20_000),
            how: "1 row".into(),
        };
        let negative = Charge::Negative { raw: "-1".into() };
        let unreadable = Charge::Unreadable("cut".into());
        let nonsense = Charge::Nonsense("twice".into());
        for (status, charge, expected) in [
            (200, stated(20_000), "settled 0.02"),
            (200, stated(0), "settled 0"),
            (200, estimated.clone(), "estimated 0.02"),
            (200, Charge::Missing, "doubted"),
            (200, Charge::Null, "doubted"),
            (200, negative.clone(), "doubted"),
            (200, unreadable.clone(), "doubted"),
            (200, nonsense.clone(), "doubted"),
            (200, stated(i64::MAX), "doubted"),
            (204, Charge::Missing, "doubted"),
            (301, stated(0), "doubted"),
            (304, Charge::Missing, "doubted"),
            (400, Charge::Missing, "released"),
            (400, Charge::Null, "released"),
            (400, unreadable.clone(), "released"),
            (400, nonsense.clone(), "doubted"),
            (400, stated(0), "released"),
            (400, stated(20_000), "settled 0.02"),
            (400, estimated, "estimated 0.02"),
            (400, negative.clone(), "doubted"),
            (402, Charge::Missing, "released"),
            (429, Charge::Missing, "released"),
            (500, Charge::Missing, "doubted"),
            (500, unreadable, "doubted"),
            (500, nonsense, "doubted"),
            (500, stated(0), "released"),
            (502, stated(40_000), "settled 0.04"),
            (503, negative, "doubted"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let verdict = of_answer(
                Class::Billable,
                status,
                TestMode::No,
                &answer(charge.clone()),
            );
            assert_eq!(kind(&verdict), expected, "{status} {charge:?}");
        }
    }

    #[test]
    fn test_mode_is_free_only_when_token_and_answer_agree() {
        let of = |token, says| {
            let test = TestMode::of(token, says);
            kind(&of_answer(
                Class::Billable,
                StatusCode::OK,
                test,
                &answer(stated(20_000)),
            ))
        };
        assert_eq!(of(true, true), "test");
        assert_eq!(of(true, false), "settled 0.02");
        assert_eq!(of(false, true), "settled 0.02");
        assert_eq!(of(false, false), "settled 0.02");
    }

    #[test]
    fn an_accepted_job_keeps_its_hold_whatever_charge_it_states() {
        let mut accepted = answer(stated(0));
        accepted.status = Some("pending".into());
        let of = |answer: &Answer| {
            kind(&of_answer(
                Class::Submit,
                StatusCode::ACCEPTED,
                TestMode::No,
                answer,
            ))
        };
        assert_eq!(of(&accepted), "doubted", "a job nobody can name");
        accepted.job = Some("j-1".into());
        assert_eq!(of(&accepted), "bound j-1");
        accepted.status = Some("completed".into());
        assert_eq!(of(&accepted), "settled 0");
    }

    #[test]
    fn a_submission_that_fails_is_in_doubt_whatever_charge_it_states() {
        for charge in [stated(0), stated(20_000), Charge::Missing] {
            for (status, expected) in [(502, "doubted"), (500, "doubted")] {
                let status = StatusCode::from_u16(status).unwrap();
                let verdict =
                    of_answer(Class::Submit, status, TestMode::No, &answer(charge.clone()));
                assert_eq!(kind(&verdict), expected, "{status} {charge:?}");
            }
        }
        let refused = of_answer(
            Class::Submit,
            StatusCode::BAD_REQUEST,
            TestMode::No,
            &answer(stated(0)),
        );
        assert_eq!(kind(&refused), "released", "nothing was accepted");
    }

    #[test]
    fn a_poll_ends_a_hold_only_when_the_job_has_ended() {
        let mut polled = answer(stated(20_000));
        let of = |answer: &Answer| {
            of_poll(StatusCode::OK, TestMode::No, answer).map(|ending| kind(&Verdict::End(ending)))
        };
        for running in [
            None,
            Some("pending"),
            Some("processing"),
            Some("surprising"),
        ] {
            polled.status = running.map(str::to_owned);
            assert_eq!(of(&polled), None);
        }
        for ended in ["completed", "error", "failed"] {
            polled.status = Some(ended.into());
            assert_eq!(of(&polled).as_deref(), Some("settled 0.02"));
        }
        polled.charge = Charge::Missing;
        assert_eq!(of(&polled).as_deref(), Some("doubted"));
        assert_eq!(of_poll(StatusCode::NOT_FOUND, TestMode::No, &polled), None);
    }
}
