//! What a team sees where the account's own pages would show every team together.
//!
//! - Decides: whether a page of the team's own books answers the call. Then nothing goes upstream,
//!   and nothing of the account or of another team is in the answer.
//! - Needs and leaves: [`Classified`]. Behind throttle, so that a rate holds here too.
//! - Fails: `overloaded`, `ledger_unavailable`, `draining`.
//!
//! One page is the guard's own: `GET /_guard/budgets`, how the budgets over the key stand.
//!
//! The other shapes are the vendor's, so that its clients work: its MCP server asks for `accounts/me`
//! before it does anything, and for `my-tier` to quote prices. A team that is to see the account
//! itself has `account_view = "account"`, and a key with `account = true`.

mod books;
mod budgets;
mod left;
mod pages;
mod query;
mod rows;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, Either};
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use tower::{Layer, Service};

use super::body::AnswerBody;
use super::refusal::Refusal;
use super::{Answer, Classified, Identified, ask};
use crate::catalogue::OwnPage;
use left::left;
use pages::Owner;
use query::{TransactionsQuery, UsageSpan};

pub use books::Books;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The longest a page may take. A ledger whose disk hangs should not keep its readers.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes [`TeamView`].
#[derive(Clone, Debug)]
pub struct TeamViewLayer {
    /// Where the numbers come from.
    pub books: Arc<Books>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct TeamView<S> {
    inner: S,
    books: Arc<Books>,
}

impl<S> Layer<S> for TeamViewLayer {
    type Service = TeamView<S>;

    fn layer(&self, inner: S) -> TeamView<S> {
        TeamView {
            inner,
            books: Arc::clone(&self.books),
        }
    }
}

impl<S> Service<Classified> for TeamView<S>
where
    S: Service<Classified, Response = Answer, Error = Refusal>,
{
    type Response = Answer;
    type Error = Refusal;
    type Future = Either<S::Future, BoxFuture<'static, Result<Answer, Refusal>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, classified: Classified) -> Self::Future {
        let Some(own_page) = classified.own_page else {
            return Either::Left(self.inner.call(classified));
        };
        if classified.wishes.dry_run {
            let exchange = &classified.identified.exchange;
            let answer = ask::dry_run_of_own_page(exchange, &classified.operation.name);
            return Either::Right(Box::pin(std::future::ready(Ok(answer))));
        }
        let books = Arc::clone(&self.books);
        Either::Right(Box::pin(async move {
            let page = page(own_page, &classified.identified, &books);
            match tokio::time::timeout(PAGE_TIMEOUT, page).await {
                Ok(page) => Ok(answer(page?)),
                Err(_) => Err(Refusal::Overloaded("the books take too long to read")),
            }
        }))
    }
}

fn answer(page: Vec<u8>) -> Answer {
    let mut answer = Response::new(AnswerBody::full(page));
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    answer
}

async fn page(
    own_page: OwnPage,
    identified: &Identified,
    books: &Books,
) -> Result<Vec<u8>, Refusal> {
    let (client, policy) = (&identified.client, &identified.policy);
    let team = &client.team.id;
    let owner = Owner {
        team,
        name: policy.team_name(team),
    };
    let query = identified.request.uri().query();
    match own_page {
        OwnPage::Me | OwnPage::User => {
            let standing = books.standing().await?;
            let operations = policy.catalogue.operations().map(AsRef::as_ref);
            let left = left(client, operations, &standing.budgets);
            let spend = standing.spend_of(team);
            if own_page == OwnPage::User {
                let held = books.held(team.clone()).await?;
                return Ok(pages::user(owner, &left, &spend, held));
            }
            let used = spend.iter().map(|one| one.settled).sum();
            Ok(pages::me(owner, &left, used))
        }
        OwnPage::Usage => {
            let span = UsageSpan::read(query, books.now());
            let spend = books.spend(team.clone(), &span).await?;
            Ok(pages::usage(&span, &spend))
        }
        OwnPage::Transactions => {
            let query = TransactionsQuery::read(query);
            let listed = books.list(team.clone(), query).await?;
            Ok(pages::transactions(&listed.rows, listed.complete_after))
        }
        OwnPage::Budgets => {
            let outlook = books.outlook().await?;
            let operations = policy.catalogue.operations().map(AsRef::as_ref);
            Ok(budgets::page(client, operations, &outlook))
        }
        OwnPage::Prices => Ok(pages::prices(&policy.prices)),
    }
}
