//! Promise 2: no billable request leaves before its hold is on disk. The upstream of this test opens
//! the ledger file itself whenever a call arrives, and looks for the hold of that very call.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use generect_guard::ledger;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::asked::fingerprint;
use crate::support::traffic::plan;

const SEARCH: &str = "/api/v1/search/database/leads/";
const BULK: &str = "/api/v1/email/find/bulk/";

#[derive(Default)]
struct Upstream {
    ledger: OnceLock<PathBuf>,
    arrived: AtomicUsize,
    /// Calls that arrived without a hold on disk.
    unheld: Mutex<Vec<String>>,
}

impl Upstream {
    fn look(&self, path: &str, body: &[u8]) -> String {
        let operation = match path {
            SEARCH => "search_database_leads",
            BULK => "email_find_bulk",
            _ => return r#"{"data":{"credits":{"balance":1000}}}"#.to_owned(),
        };
        let number = self.arrived.fetch_add(1, Ordering::SeqCst);
        let print = fingerprint("growth", "growth-crm", operation, body);
        let reader = ledger::open_reader(self.ledger.get().unwrap()).unwrap();
        let open = reader.open_holds().unwrap();
        let held = open
            .iter()
            .any(|hold| hold.fingerprint.is_some_and(|held| held.0 == print));
        if !held {
            let call = format!("{path} {}", String::from_utf8_lossy(body));
            self.unheld.lock().unwrap().push(call);
        }
        match operation {
            "email_find_bulk" => format!(
                r#"{{"data":null,"meta":{{"job_id":"00000000-0000-4000-8000-{number:012}","status":"pending"}}}}"#
            ),
            _ => r#"{"data":{"leads":[]},"meta":{"amount_charged":0.02}}"#.to_owned(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_arrival_the_hold_is_already_on_disk() {
    const CLIENTS: usize = 16;
    const CALLS: usize = 25;
    let upstream = Arc::new(Upstream::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let answer = |State(upstream): State<Arc<Upstream>>, uri: Uri, body: Bytes| async move {
        let text = tokio::task::spawn_blocking(move || upstream.look(uri.path(), &body)).await;
        ([("content-type", "application/json")], text.unwrap())
    };
    let pages = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&upstream));
    let serving = tokio::spawn(async move { axum::serve(listener, pages).await });

    let home = plan().home(&base_url);
    upstream.ledger.set(home.ledger()).unwrap();
    let child = Arc::new(home.serve().await);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let child = Arc::clone(&child);
        clients.spawn(async move {
            for call in 0..CALLS {
                let (path, body) = if call % 5 == 0 {
                    (BULK, format!(r#"{{"leads":[{{"first_name":"{client}","last_name":"{call}","domain":"a.example"}}]}}"#))
                } else {
                    (SEARCH, format!(r#"{{"limit_by":2,"job_titles":["{client}-{call}"]}}"#))
                };
                let answer = child.post(path, &body).await;
                assert!(answer.status < 300, "{}", answer.text);
            }
        });
    }
    clients.join_all().await;
    assert_eq!(*upstream.unheld.lock().unwrap(), Vec::<String>::new());
    assert_eq!(upstream.arrived.load(Ordering::SeqCst), CLIENTS * CALLS);
    Arc::into_inner(child).unwrap().end().await;
    serving.abort();
}
