//! The measure: what a proxy out of hyper and its pooled client takes, which passes a request on,
//! puts the account's token in it, and streams both bodies through.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use generect_guard::simulator::LIVE_TOKEN;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

type Pool = Client<HttpConnector, Incoming>;
type Body = BoxBody<Bytes, hyper::Error>;

/// Serves for ever; the first line of standard output says where.
pub(crate) async fn serve(upstream: SocketAddr) {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    let pool: Pool = Client::builder(TokioExecutor::new()).build(tcp);
    let token = HeaderValue::from_str(&format!("Token {LIVE_TOKEN}")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (pool, token) = (pool.clone(), token.clone());
        tokio::spawn(async move {
            let answer = service_fn(|request| pass(request, pool.clone(), token.clone(), upstream));
            let io = TokioIo::new(stream);
            // How a connection ends is the load's business.
            let _ = http1::Builder::new().serve_connection(io, answer).await;
        });
    }
}

async fn pass(
    mut request: Request<Incoming>,
    pool: Pool,
    token: HeaderValue,
    upstream: SocketAddr,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path_and_query().cloned().unwrap();
    let uri = Uri::builder()
        .scheme("http")
        .authority(upstream.to_string())
        .path_and_query(path);
    *request.uri_mut() = uri.build().unwrap();
    request.headers_mut().insert(AUTHORIZATION, token);
    Ok(match pool.request(request).await {
        Ok(response) => response.map(BodyExt::boxed),
        Err(_) => {
            let nothing = Empty::new().map_err(|never| match never {}).boxed();
            let mut response = Response::new(nothing);
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            response
        }
    })
}
