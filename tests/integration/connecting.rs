//! Connections to the upstream in the making: begun for whoever waits, and for few that do not; one that
//! fails, fails nobody for whom another is on its way.

use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use generect_guard::proxy::body::{BodyError, OutgoingBody};
use generect_guard::proxy::link::Link;
use generect_guard::proxy::upstream::{Connector, SendError, Upstream};
use generect_guard::simulator::{Simulator, SimulatorSettings};
use http::{Request, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::connections::settings;

/// May rest at a time.
const REST_MAX: usize = 4;
/// Nothing here takes so long, unless it takes for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

type Linked = Result<Link, BodyError>;

/// Connections in the making, each of which the test ends as it likes.
#[derive(Clone, Default)]
struct Dials(Arc<Mutex<Vec<oneshot::Sender<Linked>>>>);

impl Dials {
    fn way(&self) -> Upstream {
        let dials = self.clone();
        over(move |_| {
            let (end, ended) = oneshot::channel();
            dials.0.lock().unwrap().push(end);
            async { ended.await.unwrap() }
        })
    }

    /// So many were begun and are not ended.
    async fn begun(&self) -> usize {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.0.lock().unwrap().len()
    }

    /// Ends the oldest.
    fn end(&self, linked: Linked) {
        assert!(self.0.lock().unwrap().remove(0).send(linked).is_ok());
    }
}

fn over<F>(connect: impl Fn(Uri) -> F + Clone + Send + Sync + 'static) -> Upstream
where
    F: Future<Output = Linked> + Send + 'static,
{
    let connector = Connector::new(tower::service_fn(connect));
    Upstream::over(connector, &settings("http://upstream", REST_MAX)).unwrap()
}

/// Sends something free; an answer's status, or why there is none.
async fn ask(upstream: Upstream) -> Result<u16, SendError> {
    let request = Request::get("/api/v1/accounts/me/").body(OutgoingBody::Empty);
    let answer = upstream.send(Box::new(request.unwrap())).await?;
    Ok(answer.status().as_u16())
}

async fn link(simulator: &Simulator) -> Linked {
    let stream = TcpStream::connect(simulator.address()).await.unwrap();
    Ok(Link::Given(
        Box::new(TokioIo::new(stream)),
        Version::HTTP_11,
    ))
}

async fn simulator() -> Simulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(listener, SimulatorSettings::default()).await
}

#[tokio::test]
async fn a_connection_that_breaks_down_in_the_making_is_told_to_the_call_that_waits_for_it() {
    let upstream = over(|_| async { panic!("a connector with a bug") });
    for _ in 0..3 {
        let asked = tokio::time::timeout(FOR_EVER, ask(upstream.clone())).await;
        assert!(matches!(asked.unwrap(), Err(SendError::Unsent { .. })));
    }
}

#[tokio::test]
async fn no_connection_is_begun_where_all_that_may_rest_would_be_left_over() {
    let dials = Dials::default();
    let upstream = dials.way();
    for _ in 0..100 {
        assert!(ask(upstream.clone()).now_or_never().is_none());
    }
    assert_eq!(dials.begun().await, REST_MAX + 1);
    // Whoever waits has one of its own all the same.
    let waiting: Vec<_> = (0..3)
        .map(|_| tokio::spawn(ask(upstream.clone())))
        .collect();
    assert_eq!(dials.begun().await, REST_MAX + waiting.len());
    let simulator = simulator().await;
    for _ in &waiting {
        dials.end(link(&simulator).await);
    }
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), 401);
    }
}

#[tokio::test]
async fn a_connection_that_fails_fails_nobody_for_whom_another_is_being_made() {
    let dials = Dials::default();
    let upstream = dials.way();
    let simulator = simulator().await;
    assert!(ask(upstream.clone()).now_or_never().is_none());
    assert_eq!(dials.begun().await, 1);
    let waiting = tokio::spawn(ask(upstream));
    assert_eq!(dials.begun().await, 2);
    dials.end(Err("refused".into()));
    assert_eq!(dials.begun().await, 1);
    assert!(!waiting.is_finished());
    dials.end(link(&simulator).await);
    assert_eq!(waiting.await.unwrap().unwrap(), 401);
}

#[tokio::test]
async fn when_the_last_connection_in_the_making_fails_everybody_who_waits_is_told() {
    let dials = Dials::default();
    let upstream = dials.way();
    let waiting: Vec<_> = (0..9)
        .map(|_| tokio::spawn(ask(upstream.clone())))
        .collect();
    assert_eq!(dials.begun().await, 9);
    for _ in 0..9 {
        dials.end(Err("refused".into()));
    }
    for waiting in waiting {
        let told = tokio::time::timeout(FOR_EVER, waiting).await.unwrap();
        let Err(SendError::Unsent { why, .. }) = told.unwrap() else {
            panic!("nothing can have been sent");
        };
        assert_eq!(why, "refused");
    }
}

#[tokio::test]
async fn where_connections_lead_to_has_its_port_for_an_egress_proxy_knows_no_schemes() {
    for (base_url, port) in [
        ("http://upstream", 80),
        ("https://upstream", 443),
        ("http://upstream:8080", 8080),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&asked);
        let connector = Connector::new(tower::service_fn(move |to: Uri| {
            seen.store(to.port_u16().unwrap_or(0).into(), Ordering::SeqCst);
            pending::<Linked>()
        }));
        let upstream = Upstream::over(connector, &settings(base_url, 1)).unwrap();
        assert!(ask(upstream).now_or_never().is_none());
        tokio::task::yield_now().await;
        assert_eq!(asked.load(Ordering::SeqCst), port, "{base_url}");
    }
}

/// Reads a request of HTTP/2, and lets go of the connection with `last_words` (RFC 9113, section 6.8).
pub async fn let_go<End>(mut end: End, last_words: &str) -> std::io::Result<()>
where
    End: AsyncRead + AsyncWrite + Unpin,
{
    let (settings, headers, go_away) = (4, 1, 7);
    end.write_all(&[0, 0, 0, settings, 0, 0, 0, 0, 0]).await?;
    end.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()])
        .await?;
    let mut head = [0; 9];
    while head[3] != headers {
        end.read_exact(&mut head).await?;
        let mut frame = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        end.read_exact(&mut frame).await?;
    }
    let length = u8::try_from(8 + last_words.len()).unwrap();
    end.write_all(&[0, 0, length, go_away, 0, 0, 0, 0, 0])
        .await?;
    end.write_all(&[0; 8]).await?;
    end.write_all(last_words.as_bytes()).await
}

#[tokio::test]
async fn what_an_upstream_says_as_it_lets_go_of_a_connection_goes_no_further() {
    let upstream = over(|_| {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        tokio::spawn(async { let_go(theirs, "you are Token s3cret").await.unwrap() });
        let link = Link::Given(Box::new(TokioIo::new(ours)), Version::HTTP_2);
        ready(Ok(link))
    });
    let asked = tokio::time::timeout(FOR_EVER, ask(upstream)).await.unwrap();
    let Err(SendError::Unanswered(why)) = asked else {
        panic!("{asked:?}")
    };
    assert!(!why.contains("s3cret"), "{why}");
    assert!(
        why.ends_with("let go of the connection: not a result of an error"),
        "{why}"
    );
}
