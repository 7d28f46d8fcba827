//! What is called, and whether this client may call it.
//!
//! - Decides: the operation, from method and path against the catalogue. What is not in the
//!   catalogue does not pass. What is there but shows the whole account (`account`) passes only
//!   for a key with `account = true`, unless a page of the team's own books answers it, which any
//!   key of the team may read; what is never passed on (`denied`) says why.
//!   What the client asks of the guard for this call is read here too, before anything is done for it.
//! - Needs: [`Identified`] with a normalised path.
//! - Leaves: [`Classified`].
//! - Fails: `unknown_operation`, `operation_not_allowed`, `unreadable_header`.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::HeaderMap;
use tower::{Layer, Service};

use super::ask::Wishes;
use super::authenticate::shows_key;
use super::refusal::Refusal;
use super::{Answer, Classified, Decided, Identified, refuse};
use crate::catalogue::{self, Class, Operation, OwnPage};
use crate::identity::AccountView;
use crate::ids::JobId;

/// Makes [`Classify`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ClassifyLayer;

/// See the module.
#[derive(Clone, Debug)]
pub struct Classify<S>(S);

impl<S> Layer<S> for ClassifyLayer {
    type Service = Classify<S>;

    fn layer(&self, inner: S) -> Classify<S> {
        Classify(inner)
    }
}

impl<S> Service<Identified> for Classify<S>
where
    S: Service<Classified, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Decided<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, identified: Identified) -> Self::Future {
        match classify(&identified) {
            Ok((operation, job)) => {
                identified.exchange.facts().operation = Some(operation.name.clone());
                let wishes = match Wishes::read(identified.request.headers()) {
                    Ok(wishes) => wishes,
                    Err(refusal) => return refuse(refusal),
                };
                let own_page = own_page(&identified, &operation);
                Decided::Right(self.0.call(Classified {
                    identified,
                    operation,
                    job,
                    own_page,
                    wishes,
                }))
            }
            Err(refusal) => refuse(refusal),
        }
    }
}

fn classify(identified: &Identified) -> Result<(Arc<Operation>, Option<JobId>), Refusal> {
    let method = identified.request.method().as_str();
    let path = identified.request.uri().path();
    let found = identified.policy.catalogue.classify(method, path);
    let shown = || shown(path, identified.request.headers());
    match found {
        catalogue::Classified::Known { job: Some(job), .. }
            if shows_key(identified.request.headers(), job.as_bytes()) =>
        {
            Err(Refusal::UnknownOperation(
                "Your key stands where a job's id belongs, so the path is no operation. Send the key as `Authorization: Token <key>` and the job's id in the path.".into(),
            ))
        }
        catalogue::Classified::Known { operation, job } => {
            allow(identified, operation)?;
            Ok((Arc::clone(operation), job.map(JobId::from)))
        }
        catalogue::Classified::WrongMethod { allowed } if allowed.is_empty() => {
            Err(Refusal::UnknownOperation(format!(
                "{method} {} is no operation in the guard's catalogue, and other calls of this path are never passed on. Ask the platform owner.",
                shown()
            )))
        }
        catalogue::Classified::WrongMethod { allowed } => Err(Refusal::UnknownOperation(format!(
            "{method} {} is no operation in the guard's catalogue; this path takes {}.",
            shown(),
            allowed.join(", ")
        ))),
        catalogue::Classified::Unknown => Err(Refusal::UnknownOperation(format!(
            "{method} {} is no operation in the guard's catalogue, so it has no known price and is not passed on. Check the path, or ask the platform owner to add it (catalogue.file).",
            shown()
        ))),
    }
}

/// A path as it may be repeated to the client: not if it has put its key there.
fn shown<'a>(path: &'a str, headers: &HeaderMap) -> &'a str {
    if shows_key(headers, path.as_bytes()) {
        "(a path with your key in it)"
    } else {
        path
    }
}

/// The page of the team's own books that answers it, if one does.
fn own_page(identified: &Identified, operation: &Operation) -> Option<OwnPage> {
    let view = || identified.policy.account_view(&identified.client.team.id);
    let is_ours = |page: &OwnPage| *page == OwnPage::Budgets || view() == AccountView::Own;
    operation.own_page.filter(is_ours)
}

fn allow(identified: &Identified, operation: &Operation) -> Result<(), Refusal> {
    let no = |why: String| Err(Refusal::OperationNotAllowed(why));
    let client = &identified.client;
    let name = &operation.name;
    if operation.class == Class::Denied {
        return no(format!(
            "{name} is not passed on by the guard: {}",
            operation.explanation
        ));
    }
    // A key's list is about what is asked of the upstream. What its team has spent is its team's.
    if own_page(identified, operation).is_some() {
        return Ok(());
    }
    if operation.class == Class::Account && !client.account {
        return no(format!(
            "{name} shows the whole account, every team together; key {} may not see it (account = true in its [[key]]).",
            client.key
        ));
    }
    if !client.may_use(name) {
        return no(format!(
            "key {} may not call {name}; its [[key]] lists the operations it may.",
            client.key
        ));
    }
    Ok(())
}
