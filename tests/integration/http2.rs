//! An upstream that speaks HTTP/2: one connection for as many calls as it serves at a time, none of which may
//! suffer from another's client, from the connection's age, or from its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, pending};
use generect_guard::proxy::body::OutgoingBody;
use generect_guard::proxy::memory::Memory;
use generect_guard::proxy::upstream::{Arriving, SendError, Upstream, UpstreamSettings};
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::connections::{settings, until_open};
use crate::support::relay::{self, Identity};

/// Nothing here takes so long, unless it takes for ever.
pub const FOR_EVER: Duration = Duration::from_secs(60);
const A_SECOND: Duration = Duration::from_secs(1);
const BIG_BYTES: usize = 3 << 20;

/// The requests that were heard, as they came.
type Heard = Arc<Mutex<Vec<(Version, String, String)>>>;

/// So many calls are answered together.
const TOGETHER: usize = 6;
/// So many connections may rest.
const REST_MAX: usize = 3;

/// Answers by the path: `/big` with three megabytes, `/slow` in pieces, `/never` never, `/together` when all
/// are there, `/early` without ever reading the request, and briefly.
async fn respond(request: Request<Incoming>, heard: Heard) -> Result<Response<Pieces>, Infallible> {
    let uri = request.uri().to_string();
    let host = request.headers().get("host");
    let host = host.map_or("", |host| host.to_str().unwrap()).to_owned();
    let path = request.uri().path().to_owned();
    heard.lock().unwrap().push((request.version(), uri, host));
    let (piece, pieces, pause) = match path.as_str() {
        "/big" => (vec![b'b'; BIG_BYTES], 1, 0),
        "/slow" => (vec![b's'; 10], 10, 300),
        "/never" => pending().await,
        "/together" => {
            let is_it = |(_, uri, _): &&(_, String, _)| uri.ends_with("/together");
            while heard.lock().unwrap().iter().filter(is_it).count() % TOGETHER > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            (vec![b'{'; 2], 1, 0)
        }
        "/early" => {
            tokio::spawn(async move {
                pending::<()>().await;
                drop(request);
            });
            (vec![b'{'; 2], 1, 0)
        }
        _ => (vec![b'{'; 2], 1, 0),
    };
    let stream = futures_util::stream::unfold(0, move |sent| {
        let piece = Bytes::from(piece.clone());
        async move {
            tokio::time::sleep(Duration::from_millis(if sent == 0 { 0 } else { pause })).await;
            (sent < pieces).then_some((Ok(Frame::data(piece)), sent + 1))
        }
    });
    Ok(Response::new(StreamBody::new(Box::pin(stream))))
}

type Pieces = StreamBody<
    std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>,
>;

/// A server of one protocol, in the clear, that serves so many streams at a time.
async fn server(version: Version, streams_max: u32, heard: &Heard) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::clone(heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (io, heard) = (TokioIo::new(stream), Arc::clone(&heard));
            let service = service_fn(move |request| respond(request, Arc::clone(&heard)));
            if version == Version::HTTP_2 {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(streams_max);
                tokio::spawn(builder.serve_connection(io, service));
            } else {
                tokio::spawn(http1::Builder::new().serve_connection(io, service));
            }
        }
    });
    address
}

/// The way to this port, on connections that may rest for so long.
pub fn way(identity: &Identity, port: u16, rest: Duration) -> Upstream {
    Upstream::new(UpstreamSettings {
        pool_idle_timeout: rest,
        ..way_settings(identity, port)
    })
    .unwrap()
}

pub fn way_settings(identity: &Identity, port: u16) -> UpstreamSettings {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    UpstreamSettings {
        tls,
        ..settings(&format!("https://localhost:{port}"), REST_MAX)
    }
}

async fn ask(upstream: &Upstream, path: &str) -> Result<Response<Arriving>, SendError> {
    let request = Request::get(path).body(OutgoingBody::Empty).unwrap();
    let asked = tokio::time::timeout(FOR_EVER, upstream.send(Box::new(request))).await;
    asked.unwrap()
}

/// Sends more than fits into the window of a stream, of which nothing is read.
async fn send_unread(upstream: &Upstream) -> Response<Arriving> {
    let room = Arc::new(Memory::new(0, 0)).of(&"team".into());
    let body = Full::new(Bytes::from(vec![b'u'; BIG_BYTES]));
    let request = Request::post("/early").body(OutgoingBody::Full(body, Arc::new(room)));
    upstream.send(Box::new(request.unwrap())).await.unwrap()
}

async fn length(answer: Response<Arriving>) -> usize {
    let read = tokio::time::timeout(FOR_EVER, answer.into_body().collect());
    read.await.unwrap().unwrap().to_bytes().len()
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_stop_those_of_others() {
    let (identity, heard) = (Identity::new(), Heard::default());
    let plain = server(Version::HTTP_2, 100, &heard).await;
    let tls = relay::tls(&identity, &["h2"], plain).await;
    let upstream = way(&identity, tls.address.port(), FOR_EVER);
    assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
    let unread: Vec<_> = join_all((0..8).map(|_| ask(&upstream, "/big"))).await;
    for _ in 0..3 {
        assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
    }
    for answer in unread {
        assert_eq!(length(answer.unwrap()).await, BIG_BYTES);
    }
    assert_eq!(tls.uses(), 1, "all of it over one connection");
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_connection_may_rest() {
    let (identity, heard) = (Identity::new(), Heard::default());
    let plain = server(Version::HTTP_2, 100, &heard).await;
    let tls = relay::tls(&identity, &["h2"], plain).await;
    let upstream = way(&identity, tls.address.port(), A_SECOND);
    let slow = ask(&upstream, "/slow").await.unwrap();
    tokio::time::sleep(2 * A_SECOND).await;
    assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
    assert_eq!(tls.uses(), 1, "taken long ago, and not at rest");
    assert_eq!(length(slow).await, 100);
    assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
    assert_eq!(tls.uses(), 1, "at rest from the end of its last exchange");
    tokio::time::sleep(A_SECOND).await;
    assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
    assert_eq!(tls.uses(), 2, "rested for as long as it may");
}

#[tokio::test]
async fn calls_that_a_connection_has_no_room_for_go_over_others() {
    let identity = Identity::new();
    for streams_max in [1, 2] {
        let heard = Heard::default();
        let plain = server(Version::HTTP_2, streams_max, &heard).await;
        let tls = relay::tls(&identity, &["h2"], plain).await;
        let upstream = way(&identity, tls.address.port(), FOR_EVER);
        for round in 0..3 {
            let before = tls.uses();
            // None is answered before all have left.
            let answers = join_all((0..TOGETHER).map(|_| ask(&upstream, "/together"))).await;
            for answer in answers {
                assert_eq!(length(answer.unwrap()).await, 2);
            }
            until_open(&tls, REST_MAX).await;
            if round > 0 {
                let had = REST_MAX * usize::try_from(streams_max).unwrap();
                assert_eq!(tls.uses() - before, TOGETHER - had, "those at rest served");
            }
        }
    }
}

#[tokio::test]
async fn of_calls_that_left_no_more_connections_rest_than_may() {
    let (identity, heard) = (Identity::new(), Heard::default());
    let plain = server(Version::HTTP_2, 1, &heard).await;
    let tls = relay::tls(&identity, &["h2"], plain).await;
    let upstream = way(&identity, tls.address.port(), FOR_EVER);
    let asked = join_all((0..TOGETHER).map(|_| ask(&upstream, "/never")));
    let all_left = async {
        while heard.lock().unwrap().len() < TOGETHER {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = asked => panic!("answered"),
        () = all_left => {}
    }
    until_open(&tls, REST_MAX).await;
}

/// What becomes of the first connection.
#[derive(Default)]
struct Fate {
    cut: Notify,
    /// Nothing passes any more, and neither side hears of it.
    forgotten: Notify,
}

/// Leads the first connection to one address, and whatever comes later to another.
async fn switch(first: SocketAddr, later: SocketAddr) -> (u16, Arc<Fate>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fate = Arc::new(Fate::default());
    let of_first = Arc::clone(&fate);
    tokio::spawn(async move {
        let mut to = (first, of_first);
        while let Ok((mut stream, _)) = listener.accept().await {
            let (onward, fate) = std::mem::replace(&mut to, (later, Arc::default()));
            tokio::spawn(async move {
                let mut onward = TcpStream::connect(onward).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut stream, &mut onward) => {}
                    () = fate.cut.notified() => {}
                    () = fate.forgotten.notified() => pending().await,
                }
            });
        }
    });
    (port, fate)
}

#[tokio::test]
async fn a_connection_that_dies_without_a_word_is_noticed() {
    let (identity, heard) = (Identity::new(), Heard::default());
    let plain = server(Version::HTTP_2, 100, &heard).await;
    let tls = relay::tls(&identity, &["h2"], plain).await;
    let (port, fate) = switch(tls.address, tls.address).await;
    let upstream = way(&identity, port, 60 * FOR_EVER);
    let awaited = ask(&upstream, "/slow").await.unwrap();
    fate.forgotten.notify_one();
    tokio::time::pause();
    let broken = tokio::time::timeout(60 * FOR_EVER, awaited.into_body().collect()).await;
    assert!(broken.unwrap().is_err());
    tokio::time::resume();
    assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
}

#[tokio::test]
async fn calls_that_a_dying_connection_gives_back_go_out_once_over_one_of_another_protocol() {
    let (identity, heard) = (Identity::new(), Heard::default());
    let two = server(Version::HTTP_2, 3, &heard).await;
    let one = server(Version::HTTP_11, 1, &heard).await;
    let two = relay::tls(&identity, &["h2"], two).await;
    let one = relay::tls(&identity, &["http/1.1"], one).await;
    let (port, fate) = switch(two.address, one.address).await;
    let upstream = way(&identity, port, FOR_EVER);
    assert_eq!(length(ask(&upstream, "/").await.unwrap()).await, 2);
    // Two of three streams stay open behind their answers, and nobody but hyper knows: of three calls one has the
    // third, the others stand behind it. For three more there is no room.
    for _ in 0..2 {
        assert_eq!(length(send_unread(&upstream).await).await, 2);
    }
    let asked = async {
        let paths = (0..6).map(|call| format!("/{}?{call}", if call == 0 { "never" } else { "" }));
        let paths: Vec<String> = paths.collect();
        join_all(paths.iter().map(|path| ask(&upstream, path))).await
    };
    let dies = async {
        while heard.lock().unwrap().len() < 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        fate.cut.notify_one();
    };
    let (answers, ()) = tokio::join!(asked, dies);
    let heard = heard.lock().unwrap();
    let times = |call: usize| {
        let ends = format!("?{call}");
        heard
            .iter()
            .filter(|(_, uri, _)| uri.ends_with(&ends))
            .count()
    };
    let mut again = 0;
    for (call, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(_) => {
                assert_eq!(times(call), 1);
                again += 1;
            }
            Err(SendError::Unanswered(_)) => assert!(times(call) <= 1),
            Err(error) => panic!("call {call}: {error}"),
        }
    }
    assert_eq!(again, 4, "one came back");
    let briefly = heard.iter().filter(|(_, uri, _)| uri.contains("/?"));
    for (version, uri, host) in briefly {
        assert_eq!(*version, Version::HTTP_11);
        assert!(uri.starts_with('/'), "{uri}");
        assert_eq!(*host, format!("localhost:{port}"));
    }
}
