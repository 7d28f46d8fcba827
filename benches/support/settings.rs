//! The guards' settings: few budgets and one key that calls, or hundreds of both.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use generect_guard::identity::KeyDigest;

/// A budget no run can use up.
const PLENTY: &str = "1000000000";

/// How much a guard has to look after.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) teams: usize,
    pub(crate) keys: usize,
}

/// One team, one key, three budgets.
pub(crate) const NARROW: Shape = Shape { teams: 1, keys: 1 };
/// A hundred teams with three budgets each, and a key for each, of which only the first calls: a
/// budget that no key could use is a mistake in the settings.
pub(crate) const MANY_BUDGETS: Shape = Shape {
    teams: 100,
    keys: 100,
};
/// One team with three budgets and a thousand keys.
pub(crate) const MANY_KEYS: Shape = Shape {
    teams: 1,
    keys: 1_000,
};
/// A hundred teams with three budgets each, and a thousand keys.
pub(crate) const WIDE: Shape = Shape {
    teams: 100,
    keys: 1_000,
};

/// The secret of a team's key.
pub(crate) fn secret(key: usize) -> String {
    format!("gg_secret-of-key-{key}-for-this-run-only")
}

/// The secret of the key whose budget is used up.
pub(crate) const SPENT_SECRET: &str = "gg_secret-of-a-key-without-credits";

/// Where a guard listens: for clients, for the admin pages. A stranger is refused in full each time.
pub(crate) fn listening(listen: SocketAddr, admin: SocketAddr) -> String {
    format!(
        "[server]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\"\n\
         unknown_keys_per_second = 1000000\nunknown_keys_burst = 1000000\n"
    )
}

/// Everything else there is to set.
pub(crate) fn settings(upstream: SocketAddr, folder: &Path, shape: Shape, level: &str) -> String {
    let ledger = folder.join("ledger.db");
    let mut text = format!(
        r#"
[upstream]
base_url = "http://{upstream}"
token_env = "GENERECT_TOKEN"
[ledger]
path = "{}"
[log]
level = "{level}"
"#,
        ledger.display()
    );
    for team in 0..shape.teams {
        let budgets = [
            ("day", "per = \"day\""),
            ("month", "per = \"month\"\ntimezone = \"Europe/Kyiv\""),
            ("rolling", "per = { rolling = \"24h\" }"),
        ];
        writeln!(text, "[[team]]\nid = \"team-{team}\"").unwrap();
        for (id, per) in budgets {
            let id = format!("team-{team}-{id}");
            writeln!(
                text,
                "[[budget]]\nid = \"{id}\"\nteam = \"team-{team}\"\nlimit = {PLENTY}\n{per}"
            )
            .unwrap();
        }
    }
    for key in 0..shape.keys {
        write_key(
            &mut text,
            &format!("key-{key}"),
            &format!("team-{}", key % shape.teams),
            &secret(key),
        );
    }
    text += "[[team]]\nid = \"spent\"\n";
    text +=
        "[[budget]]\nid = \"spent-month\"\nteam = \"spent\"\nlimit = 0.000001\nper = \"month\"\n";
    write_key(&mut text, "spent-key", "spent", SPENT_SECRET);
    text
}

fn write_key(text: &mut String, id: &str, team: &str, secret: &str) {
    let digest = KeyDigest::of(secret);
    writeln!(
        text,
        "[[key]]\nid = \"{id}\"\nteam = \"{team}\"\nsha256 = \"{digest}\""
    )
    .unwrap();
}
