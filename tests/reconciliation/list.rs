//! An account whose list of transactions is what a test says.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use generect_guard::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The operation that most tests call; its rows are of the same kind.
pub const SEARCH: &str = "search_database_leads";

/// One row of the pretended list.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub at: Timestamp,
    pub kind: String,
    pub credits: String,
    pub status: &'static str,
}

/// The account's list: newest first, looks at the bounds, as a test last said.
#[derive(Clone)]
pub struct List {
    rows: Arc<Mutex<Vec<Row>>>,
    clock: Clock,
    /// How far the account's clock is ahead, in seconds: its `Date` says so.
    ahead: Arc<AtomicI64>,
}

impl List {
    pub fn new(clock: &Clock) -> Self {
        Self {
            rows: Arc::default(),
            clock: clock.clone(),
            ahead: Arc::default(),
        }
    }

    /// The account's clock is so many seconds ahead of ours.
    pub fn is_ahead_by(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    /// The present moment by the account's clock.
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed);
        self.clock.now() + SignedDuration::from_secs(ahead)
    }

    /// A final row of now that took `credits`.
    pub fn took(&self, id: &str, at: Timestamp, credits: &str) {
        self.put(Row {
            id: id.into(),
            at,
            kind: SEARCH.into(),
            credits: format!("-{credits}"),
            status: "success",
        });
    }

    /// Adds a row, or puts it in the place of that with its id.
    pub fn put(&self, row: Row) {
        let mut rows = self.rows.lock().unwrap();
        rows.retain(|known| known.id != row.id);
        rows.push(row);
        rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    }

    /// Changes the row of an id.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut Row)) {
        let mut rows = self.rows.lock().unwrap();
        change(rows.iter_mut().find(|row| row.id == id).unwrap());
    }

    fn answer(&self, head: &str) -> String {
        let query = head.split(['?', ' ']).nth(2).unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let value = |name: &str| {
            let mut pairs = pairs.iter();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let moment = |name| {
            let text = value(name)?;
            let text = format!("{}Z", text.trim_end_matches('Z'));
            Some(text.parse::<Timestamp>().unwrap())
        };
        let number = |name| value(name).map_or(0, |text| text.parse::<usize>().unwrap());
        let (from, to) = (moment("created_at__gte"), moment("created_at__lt"));
        let rows = self.rows.lock().unwrap();
        let inside =
            |row: &&Row| from.is_none_or(|from| row.at >= from) && to.is_none_or(|to| row.at < to);
        let asked = rows.iter().filter(inside);
        let asked = asked.skip(number("offset")).take(number("limit").min(100));
        if head.contains("/api/auth/") {
            let shown: Vec<_> = asked
                .map(|row| {
                    serde_json::json!({
                        "id": format!("old-{}", row.id), "created_at": row.at.to_string(),
                        "balance_type": row.kind, "amount": row.credits, "status": row.status,
                    })
                })
                .collect();
            return serde_json::json!({"results": shown}).to_string();
        }
        let shown: Vec<_> = asked
            .map(|row| {
                serde_json::json!({
                    "id": row.id, "timestamp": row.at.to_string(), "type": row.kind,
                    "credits": row.credits, "details": {"status": row.status},
                })
            })
            .collect();
        serde_json::json!({"data": {"transactions": shown}}).to_string()
    }

    /// Answers whoever asks for the list, one question a connection.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let list = self.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let body = list.answer(&String::from_utf8_lossy(&head));
                let length = body.len();
                let date = list.now().strftime("%a, %d %b %Y %H:%M:%S GMT");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: {date}\r\n\
                     content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    }
}
