//! Asks the running guard through its socket. When none runs, takes the ledger's lock and does it by
//! the same code.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::bail;
use arc_swap::ArcSwap;

use crate::cli::progress::Progress;
use crate::cli::{Context, note};
use crate::config::{self, Books};
use crate::control::{
    self, AskError, Command, HearProgress, Names, Pausing, Question, Reply, Running,
};
use crate::ledger::store::{HearMigrating, open_locked_heard};
use crate::ledger::{Ledger, Settings, Store as _};

/// Has `command` done for `reason`, and tells how it went; `not` begins what is told when it was not.
pub(super) fn change(
    command: Command,
    reason: String,
    not: &str,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let books = config::load_books(context.config(), &context.environment)?;
    let question = Question {
        command,
        who: context.who(),
        reason,
    };
    // The guard compares at half speed, and meanwhile says nothing.
    let waits = matches!(question.command, Command::Archive { .. });
    let waiting = waits.then(|| Progress::waiting("the running guard compares it with the ledger"));
    let asked = control::ask(&control::socket_path(&books.ledger.path), &question);
    drop(waiting);
    let reply = match asked {
        Ok(reply) => reply,
        Err(AskError::NobodyThere) => alone(&books, question, context)?,
        Err(error) => return Err(error.into()),
    };
    match reply {
        Reply::Done(what) => {
            note(&what);
            Ok(ExitCode::SUCCESS)
        }
        Reply::Refused(why) => bail!("{not}: {why}"),
        Reply::Reconciled(_) => bail!("the running guard answered something else"),
    }
}

/// Without a guard: opens the ledger as it would, does it, and closes it.
fn alone(books: &Books, question: Question, context: &Context) -> anyhow::Result<Reply> {
    let path = &books.ledger.path;
    // Opening for writing would make a ledger where none is.
    if !path.exists() {
        bail!(
            "there is no ledger at {}; check ledger.path",
            path.display()
        );
    }
    let (lock, store) = open_locked_heard(path, context.clock.now(), &migrating())?;
    let pauses = Arc::new(ArcSwap::from_pointee(Pausing::kept(store.reader())?));
    let names = Names {
        teams: books.teams.iter().map(|one| one.team.id.clone()).collect(),
        keys: books.keys.clone(),
    };
    let settings = Settings {
        budgets: books.budgets.clone(),
        ..Settings::default()
    };
    let (ledger, writer) = Ledger::open(Box::new(store), settings, context.clock.clone())?;
    let writer = writer.spawn()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let reply = runtime.block_on(async {
        let running = Running {
            ledger: ledger.clone(),
            path: path.clone(),
            clock: context.clock.clone(),
            pausing: Pausing::new(pauses, move || names.clone()),
            reload: None,
            reconcile: None,
            hear: progress(),
        };
        let reply = question.answer(&running, &peer()).await;
        ledger.close().await.map(|()| reply)
    })?;
    if writer.join().is_err() {
        bail!("the ledger's writer broke down; run `generect-guard verify`");
    }
    drop(lock);
    Ok(reply)
}

/// Tells on standard error that the ledger is brought to a newer schema first.
pub(super) fn migrating() -> HearMigrating {
    HearMigrating::new(|told| note(&told.to_string()))
}

/// A bar for each thing that is done, one after another.
fn progress() -> HearProgress {
    let bar = Mutex::new(None::<(&str, Progress)>);
    HearProgress::new(move |what, done, all| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.as_ref().is_none_or(|(before, _)| *before != what) {
            *bar = Some((what, Progress::new(what, "entries")));
        }
        if let Some((_, bar)) = &*bar {
            bar.show(done, all);
        }
    })
}

/// The kernel's word for who runs this.
fn peer() -> String {
    format!(
        "uid {}, no guard running",
        rustix::process::getuid().as_raw()
    )
}
