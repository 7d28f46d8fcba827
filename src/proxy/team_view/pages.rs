//! The pages as they are written, in the shapes of the account's own (dossier section 3).
//!
//! Amounts are JSON numbers there, so they are written as such, digit by digit. Members that are
//! ours are few, and stand beside the documented ones.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::left::{Left, UNLIMITED};
use super::query::{PLATFORM, UsageSpan};
use super::rows::Row;
use crate::catalogue::{Prices, USAGE_KINDS, usage_kind};
use crate::credits::Credits;
use crate::ids::{BudgetId, KeyId, OperationName, TeamId};
use crate::ledger::store::Spend;

/// What stands where the account has the name of its plan or tier.
const PLAN: &str = "generect-guard";
/// The counters of `users/me`, and the operations they are about.
const COUNTERS: [(&str, &str); 6] = [
    ("balance_companies_by_icp", "legacy_companies_by_icp"),
    ("balance_company_by_link", "legacy_company_by_link"),
    ("balance_email_finder", "legacy_email_finder"),
    ("balance_email_verifier", "legacy_email_validator"),
    ("balance_lead_by_link", "legacy_lead_by_link"),
    ("balance_leads_by_icp", "legacy_leads_by_icp"),
];

/// An amount as a JSON number with exactly its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(Credits);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?;
        digits.serialize(serializer)
    }
}

fn negative(amount: Credits) -> Number {
    Number(Credits::ZERO.saturating_sub(amount))
}

/// Whose page it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    pub(super) team: &'a TeamId,
    pub(super) name: &'a str,
}

impl Owner<'_> {
    /// The address of nobody: no mail is delivered below `invalid` (RFC 2606).
    fn email(&self) -> String {
        format!("{}@guard.invalid", self.team)
    }
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

fn written(page: &impl Serialize) -> Vec<u8> {
    // Numbers and texts only: nothing in it can fail to be written.
    serde_json::to_vec(page).unwrap_or_default()
}

#[derive(Serialize)]
struct Me<'a> {
    id: &'a TeamId,
    email: String,
    name: &'a str,
    plan: &'static str,
    credits: MyCredits<'a>,
    preview_tier: bool,
}

#[derive(Serialize)]
struct MyCredits<'a> {
    balance: Number,
    used_this_month: Number,
    monthly_limit: Option<Number>,
    budget: Option<&'a BudgetId>,
    unlimited: bool,
}

/// `accounts/me`. `used` is what the team was charged in this UTC month.
pub(super) fn me(owner: Owner<'_>, left: &Left, used: Credits) -> Vec<u8> {
    written(&Data {
        data: Me {
            id: owner.team,
            email: owner.email(),
            name: owner.name,
            plan: PLAN,
            credits: MyCredits {
                balance: Number(left.balance.unwrap_or(UNLIMITED)),
                used_this_month: Number(used),
                monthly_limit: left.monthly_limit.map(Number),
                budget: left.budget.as_ref(),
                unlimited: left.balance.is_none(),
            },
            preview_tier: false,
        },
    })
}

#[derive(Serialize)]
struct User<'a> {
    balance_platform: Number,
    blocked_balance_platform: Number,
    max_credits: Option<Number>,
    #[serde(flatten)]
    counters: BTreeMap<&'static str, Number>,
    email: String,
    full_name: &'a str,
    is_staff: bool,
    subscription: &'static str,
}

/// `users/me`. `spend` is the team's of this UTC month, `held` what its open calls hold.
pub(super) fn user(owner: Owner<'_>, left: &Left, spend: &[Spend], held: Credits) -> Vec<u8> {
    let counter = |(name, operation): (&'static str, &str)| {
        let about = spend
            .iter()
            .filter(|one| one.operation.as_str() == operation);
        let sum: Credits = about.map(|one| one.settled).sum();
        (name, negative(sum))
    };
    written(&User {
        balance_platform: Number(left.balance.unwrap_or(UNLIMITED)),
        blocked_balance_platform: Number(held),
        max_credits: left.monthly_limit.map(Number),
        counters: COUNTERS.into_iter().map(counter).collect(),
        email: owner.email(),
        full_name: owner.name,
        is_staff: false,
        subscription: PLAN,
    })
}

#[derive(Serialize)]
struct Usage<'a> {
    period: &'a str,
    total_credits: Number,
    breakdown: BTreeMap<&'a str, Number>,
}

/// `accounts/usage`. `spend` is the team's in the span.
pub(super) fn usage(span: &UsageSpan, spend: &[Spend]) -> Vec<u8> {
    let mut sums: BTreeMap<&str, Credits> = BTreeMap::new();
    for kind in USAGE_KINDS {
        sums.insert(kind, Credits::ZERO);
    }
    for one in spend {
        let sum = sums.entry(usage_kind(one.operation.as_str())).or_default();
        *sum = sum.saturating_add(one.settled);
    }
    written(&Data {
        data: Usage {
            period: &span.label,
            total_credits: Number(sums.values().copied().sum()),
            breakdown: sums
                .into_iter()
                .map(|(kind, sum)| (kind, Number(sum)))
                .collect(),
        },
    })
}

#[derive(Serialize)]
struct Transactions<'a> {
    transactions: Vec<Transaction<'a>>,
    /// Calls that began up to this moment were not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_after: Option<Timestamp>,
}

#[derive(Serialize)]
struct Transaction<'a> {
    id: String,
    timestamp: Timestamp,
    #[serde(rename = "type")]
    kind: &'a OperationName,
    credits: Number,
    details: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    balance_type: &'static str,
    status: &'static str,
    key: &'a KeyId,
}

impl<'a> From<&'a Row> for Transaction<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            id: format!("guard-{}", row.hold),
            timestamp: row.began_at,
            kind: &row.operation,
            credits: Number(row.credits),
            details: Details {
                balance_type: PLATFORM,
                status: row.status.as_str(),
                key: &row.key,
            },
        }
    }
}

/// `accounts/transactions`. `complete_after`: calls up to this moment were not looked at.
pub(super) fn transactions(rows: &[Row], complete_after: Option<Timestamp>) -> Vec<u8> {
    written(&Data {
        data: Transactions {
            transactions: rows.iter().map(Transaction::from).collect(),
            complete_after,
        },
    })
}

#[derive(Serialize)]
struct Tiers<'a> {
    current_tier: Tier<'a>,
}

#[derive(Serialize)]
struct Tier<'a> {
    name: &'static str,
    service_prices: PriceList<'a>,
}

struct PriceList<'a>(&'a Prices);

impl Serialize for PriceList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, price) in self.0.iter() {
            map.serialize_entry(name.as_str(), &Number(price))?;
        }
        map.end()
    }
}

/// `my-tier`: the prices that quotes are made with.
pub(super) fn prices(prices: &Prices) -> Vec<u8> {
    written(&Tiers {
        current_tier: Tier {
            name: PLAN,
            service_prices: PriceList(prices),
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::catalogue::Catalogue;

    const GROWTH: &str = "growth";

    fn credits(text: &str) -> Credits {
        text.parse().unwrap()
    }

    fn spend(operation: &str, settled: &str) -> Spend {
        Spend {
            team: GROWTH.into(),
            key: "crm".into(),
            operation: operation.into(),
            calls: 1,
            settled: credits(settled),
        }
    }

    fn read(page: &[u8]) -> Value {
        serde_json::from_slice(page).unwrap()
    }

    fn left(balance: Option<&str>) -> Left {
        Left {
            balance: balance.map(credits),
            budget: balance.map(|_| "growth-month".into()),
            monthly_limit: balance.map(|_| credits("200")),
        }
    }

    fn with_owner<T>(show: impl FnOnce(Owner<'_>) -> T) -> T {
        let team = GROWTH.into();
        show(Owner {
            team: &team,
            name: "Growth \"marketing\"",
        })
    }

    #[test]
    fn me_has_every_documented_member() {
        let page = with_owner(|owner| me(owner, &left(Some("41.3699")), credits("8.63")));
        let expected = json!({"data": {
            "id": "growth",
            "email": "growth@guard.invalid",
            "name": "Growth \"marketing\"",
            "plan": "generect-guard",
            "credits": {"balance": 41.3699, "used_this_month": 8.63, "monthly_limit": 200,
                        "budget": "growth-month", "unlimited": false},
            "preview_tier": false,
        }});
        assert_eq!(read(&page), expected);
        let text = String::from_utf8(page).unwrap();
        assert!(
            text.contains("\"balance\":41.3699,"),
            "digit by digit: {text}"
        );
    }

    #[test]
    fn without_a_limit_the_balance_is_still_a_number() {
        let page = read(&with_owner(|owner| me(owner, &left(None), Credits::ZERO)));
        let credits = &page["data"]["credits"];
        assert_eq!(credits["balance"], json!(1_000_000_000));
        assert_eq!(credits["unlimited"], json!(true));
        assert_eq!(credits["monthly_limit"], Value::Null);
        assert_eq!(credits["budget"], Value::Null);
    }

    #[test]
    fn the_older_shape_is_flat_and_counts_below_zero() {
        let spent = [
            spend("legacy_lead_by_link", "4"),
            spend("legacy_lead_by_link", "0.5"),
        ];
        let page = with_owner(|owner| user(owner, &left(Some("-2.5")), &spent, credits("3")));
        let expected = json!({
            "balance_platform": -2.5,
            "blocked_balance_platform": 3,
            "max_credits": 200,
            "balance_companies_by_icp": 0,
            "balance_company_by_link": 0,
            "balance_email_finder": 0,
            "balance_email_verifier": 0,
            "balance_lead_by_link": -4.5,
            "balance_leads_by_icp": 0,
            "email": "growth@guard.invalid",
            "full_name": "Growth \"marketing\"",
            "is_staff": false,
            "subscription": "generect-guard",
        });
        assert_eq!(read(&page), expected);
    }

    #[test]
    fn usage_adds_up_by_the_documented_kinds_and_else_by_operation() {
        let span = UsageSpan {
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::MAX,
            label: "2026-11".into(),
        };
        let spent = [
            spend("search_database_leads", "0.1"),
            spend("search_database_companies", "0.2"),
            spend("search_realtime_leads_count", "0.04"),
            spend("enrich_database_leads_bulk", "1"),
            spend("email_find", "0.02"),
            spend("email_find_bulk", "0.04"),
            spend("email_validate", "0.005"),
            spend("phone_find", "0.4"),
        ];
        let expected = json!({"data": {"period": "2026-11", "total_credits": 1.805, "breakdown": {
            "search_database": 0.3, "search_realtime": 0.04, "enrich_database": 1,
            "enrich_realtime": 0, "email_find": 0.06, "email_validate": 0.005, "phone_find": 0.4,
        }}});
        assert_eq!(read(&usage(&span, &spent)), expected);
    }

    #[test]
    fn every_charged_operation_has_one_kind_of_usage() {
        let catalogue = Catalogue::built_in().unwrap();
        for operation in catalogue.operations().filter(|one| one.class.is_charged()) {
            let name = operation.name.as_str();
            let kind = usage_kind(operation.name.as_str());
            assert!(name.starts_with(kind), "{name}: {kind}");
            let documented = USAGE_KINDS.contains(&kind);
            let searches = name.starts_with("search_") || name.starts_with("enrich_");
            assert_eq!(
                documented,
                searches || name.starts_with("email_find"),
                "{name}"
            );
        }
        for (_, operation) in COUNTERS {
            assert!(catalogue.operation(operation).is_some(), "{operation}");
        }
    }

    #[test]
    fn a_list_says_where_it_ends_only_if_it_was_cut() {
        let row = Row {
            hold: "17".parse().unwrap(),
            began_at: "2026-11-15T10:30:00.25Z".parse().unwrap(),
            operation: "search_database_leads".into(),
            key: "crm".into(),
            credits: credits("-0.5"),
            status: crate::proxy::team_view::rows::Status::Success,
        };
        let expected = json!({"data": {"transactions": [{
            "id": "guard-17", "timestamp": "2026-11-15T10:30:00.25Z",
            "type": "search_database_leads", "credits": -0.5,
            "details": {"balance_type": "platform", "status": "success", "key": "crm"},
        }]}});
        assert_eq!(
            read(&transactions(std::slice::from_ref(&row), None)),
            expected
        );
        let cut = read(&transactions(&[], Some(row.began_at)));
        let expected =
            json!({"data": {"transactions": [], "complete_after": "2026-11-15T10:30:00.25Z"}});
        assert_eq!(cut, expected);
    }

    #[test]
    fn the_prices_are_those_in_force() {
        let mut list = Catalogue::built_in().unwrap().prices().clone();
        list.set("phones", credits("0.333333")).unwrap();
        let page = read(&prices(&list));
        let tier = &page["current_tier"];
        assert_eq!(tier["name"], "generect-guard");
        for (name, price) in [
            ("phones", 0.333_333),
            ("api_cached", 0.02),
            ("api_realtime", 0.04),
        ] {
            assert_eq!(tier["service_prices"][name], json!(price), "{name}");
        }
    }
}
