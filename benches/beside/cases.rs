//! The lines of the table: who is called with what, and what is wanted of it.

use crate::contestants::Contestants;
use crate::support::children::Child;
use crate::support::requests::{Requests, billable, exhausted, free, unknown};
use crate::support::settings::{MANY_KEYS, WIDE};

/// One line of the table.
pub(crate) struct Case<'a> {
    pub(crate) name: &'static str,
    pub(crate) proxy: &'a Child,
    pub(crate) requests: Requests,
    /// The bare proxy and nginx with the same requests.
    pub(crate) bases: [&'static str; 2],
}

pub(crate) const DIRECT: &str = "the upstream directly, search";
pub(crate) const DIRECT_COUNT: &str = "the upstream directly, count";
pub(crate) const BARE: &str = "bare hyper proxy, search";
pub(crate) const BARE_COUNT: &str = "bare hyper proxy, count";
pub(crate) const NGINX: &str = "nginx, search";
pub(crate) const NGINX_COUNT: &str = "nginx, count";
pub(crate) const PLAIN_STAND_IN: &str = "plain sqlite stand-in, search";
pub(crate) const STAND_IN: &str = "tuned sqlite stand-in, search";
/// The least that a call on disk takes.
pub(crate) const PAGES: &str = "bare proxy, synced pages, search";
pub(crate) const BILLABLE: &str = "billable";

/// A share of another case's speed that is wanted.
pub(crate) struct Wanted {
    pub(crate) case: &'static str,
    pub(crate) of: &'static str,
    pub(crate) share: f64,
    /// Only where the disk is quick.
    pub(crate) disk: bool,
}

const fn wanted(case: &'static str, share: f64, of: &'static str) -> Wanted {
    Wanted {
        case,
        of,
        share,
        disk: false,
    }
}

pub(crate) const WANTED: [Wanted; 13] = [
    wanted("free", 0.8, BARE_COUNT),
    wanted("free", 0.65, NGINX_COUNT),
    wanted(BILLABLE, 0.8, PLAIN_STAND_IN),
    wanted(BILLABLE, 0.8, STAND_IN),
    Wanted {
        disk: true,
        ..wanted(BILLABLE, 0.36, BARE)
    },
    wanted("refused: budget exhausted", 1.3, BARE),
    wanted("refused: unknown key", 1.3, BARE),
    wanted("free, 301 budgets, 1001 keys", 0.8, "free"),
    wanted("billable, 301 budgets, one caller", 0.8, BILLABLE),
    wanted("billable, 4 budgets, 1001 keys", 0.8, BILLABLE),
    wanted("billable, 301 budgets, 1001 keys", 0.8, BILLABLE),
    wanted(
        "exhausted, 301 budgets, 1001 keys",
        0.8,
        "refused: budget exhausted",
    ),
    wanted(
        "unknown key, 301 budgets, 1001 keys",
        0.8,
        "refused: unknown key",
    ),
];

/// All of them, but for what is not installed.
pub(crate) fn all(them: &Contestants) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    let mut case = |name, proxy: Option<_>, requests, bases| {
        cases.extend(proxy.map(|proxy| Case {
            name,
            proxy,
            requests,
            bases,
        }));
    };
    let (count, search) = ([BARE_COUNT, NGINX_COUNT], [BARE, NGINX]);
    let bare = Some(&them.bare);
    case(DIRECT_COUNT, Some(&them.upstream), free(), count);
    case(NGINX_COUNT, them.nginx.as_ref(), free(), count);
    case("haproxy, count", them.haproxy.as_ref(), free(), count);
    case(BARE_COUNT, bare, free(), count);
    let [guard, wide] = [Some(&them.guard), Some(&them.wide)];
    let quiet = Some(&them.quiet);
    case("free", guard, free(), count);
    case("free, log warn", quiet, free(), count);
    case("free, 301 budgets, 1001 keys", wide, free(), count);
    case(DIRECT, Some(&them.upstream), billable(1), search);
    case(NGINX, them.nginx.as_ref(), billable(1), search);
    let off = them.nginx_quiet.as_ref();
    case("nginx, search, log off", off, billable(1), search);
    case(
        "haproxy, search",
        them.haproxy.as_ref(),
        billable(1),
        search,
    );
    let off = them.haproxy_quiet.as_ref();
    case("haproxy, search, log off", off, billable(1), search);
    case(BARE, bare, billable(1), search);
    let plain = Some(&them.plain_stand_in);
    case(PLAIN_STAND_IN, plain, billable(1), search);
    case(STAND_IN, Some(&them.stand_in), billable(1), search);
    case(PAGES, Some(&them.pages), billable(1), search);
    case(BILLABLE, guard, billable(1), search);
    case("billable, log warn", quiet, billable(1), search);
    let (budgets, keys) = (Some(&them.budgets), Some(&them.keys));
    case(
        "billable, 301 budgets, one caller",
        budgets,
        billable(1),
        search,
    );
    let name = "billable, 4 budgets, 1001 keys";
    case(name, keys, billable(MANY_KEYS.keys), search);
    let name = "billable, 301 budgets, 1001 keys";
    case(name, wide, billable(WIDE.keys), search);
    case("refused: budget exhausted", guard, exhausted(), search);
    let name = "exhausted, 301 budgets, 1001 keys";
    case(name, wide, exhausted(), search);
    case("refused: unknown key", guard, unknown(), search);
    case("refused: unknown key, log warn", quiet, unknown(), search);
    let name = "unknown key, 301 budgets, 1001 keys";
    case(name, wide, unknown(), search);
    if let Ok(only) = std::env::var("ONLY") {
        cases.retain(|case| only.split('|').any(|text| case.name.contains(text)));
    }
    cases
}
