//! The measure: what a proxy out of hyper and its pooled client takes, which passes a request on,
//! puts the account's token in it, and streams both bodies through.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use generect_guard::simulator::LIVE_TOKEN;
use http::header::{AUTHORIZATION, HeaderValue};
use http::uri::{Authority, Parts, Scheme, Uri};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

type Pool = Client<HttpConnector, Incoming>;
pub(crate) type Body = BoxBody<Bytes, hyper::Error>;

/// Passes requests on.
pub(crate) struct Proxy {
    pool: Pool,
    token: HeaderValue,
    upstream: Authority,
}

impl Proxy {
    pub(crate) fn to(upstream: SocketAddr) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        Self {
            pool: Client::builder(TokioExecutor::new()).build(tcp),
            token: HeaderValue::from_str(&format!("Token {LIVE_TOKEN}")).unwrap(),
            upstream: upstream.to_string().parse().unwrap(),
        }
    }

    pub(crate) async fn pass(&self, mut request: Request<Incoming>) -> Response<Body> {
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.upstream.clone());
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts).unwrap();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.token.clone());
        match self.pool.request(request).await {
            Ok(response) => response.map(BodyExt::boxed),
            Err(_) => {
                let nothing = Empty::new().map_err(|never| match never {}).boxed();
                let mut response = Response::new(nothing);
                *response.status_mut() = http::StatusCode::BAD_GATEWAY;
                response
            }
        }
    }
}

pub(crate) async fn serve(upstream: SocketAddr) {
    let proxy = Arc::new(Proxy::to(upstream));
    answer(move |request| {
        let proxy = Arc::clone(&proxy);
        async move { proxy.pass(request).await }
    })
    .await;
}

/// Answers for ever; the first line of standard output says where.
pub(crate) async fn answer<A, F>(answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = answer.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = answer(request);
                async move { Ok::<_, Infallible>(response.await) }
            });
            let io = TokioIo::new(stream);
            // How a connection ends is the load's business.
            let _ = http1::Builder::new().serve_connection(io, answer).await;
        });
    }
}
