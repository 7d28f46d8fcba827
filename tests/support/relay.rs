//! Relays between the guard and the simulator: a plain one, a TLS terminator, and an egress proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Something that listens on loopback and counts what it did.
pub struct Relay {
    pub address: SocketAddr,
    pub uses: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Relay {
    /// How often it relayed.
    pub fn uses(&self) -> usize {
        self.uses.load(Ordering::SeqCst)
    }

    /// How many connections it relays now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// A certificate and its key, in PEM. It is its own authority.
pub struct Identity {
    pub certificate: String,
    key: String,
}

impl Identity {
    /// For `localhost`.
    pub fn new() -> Self {
        Self::of("localhost")
    }

    /// For the host of this name.
    pub fn of(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }
}

/// Passes on what comes.
pub async fn plain(upstream: SocketAddr) -> Relay {
    serve(move |stream| relay(stream, upstream)).await
}

/// Speaks TLS to the guard, offering these protocols, and plain TCP to `upstream`.
pub async fn tls(identity: &Identity, protocols: &[&str], upstream: SocketAddr) -> Relay {
    let acceptor = acceptor(identity, protocols);
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(stream).await?;
            relay(stream, upstream).await
        }
    })
    .await
}

fn acceptor(identity: &Identity, protocols: &[&str]) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}

/// An HTTP proxy that knows `CONNECT` only, and leads wherever it is told.
pub async fn egress_proxy() -> Relay {
    serve(|stream| lead(stream, "")).await
}

/// The same in TLS, for those who send this header field only.
pub async fn guarded_egress_proxy(identity: &Identity, field: &'static str) -> Relay {
    let acceptor = acceptor(identity, &[]);
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move { lead(acceptor.accept(stream).await?, field).await }
    })
    .await
}

async fn lead(stream: impl AsyncRead + AsyncWrite + Unpin, field: &str) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut target, mut fields, mut line) = (String::new(), String::new(), String::new());
    stream.read_line(&mut target).await?;
    while stream.read_line(&mut line).await? > 2 {
        fields += &std::mem::take(&mut line);
    }
    if !fields.contains(field) {
        let no = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
        return stream.write_all(no).await;
    }
    let target = target
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    let target = target
        .map(str::to_owned)
        .ok_or(std::io::ErrorKind::InvalidData)?;
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    let mut upstream = TcpStream::connect(target).await?;
    copy_bidirectional(&mut stream, &mut upstream)
        .await
        .map(drop)
}

async fn relay(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    upstream: SocketAddr,
) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    copy_bidirectional(&mut stream, &mut upstream)
        .await
        .map(drop)
}

async fn serve<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> Relay
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let uses = Arc::new(AtomicUsize::new(0));
    let open = Arc::new(AtomicUsize::new(0));
    let (counted, counted_open) = (Arc::clone(&uses), Arc::clone(&open));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            counted_open.fetch_add(1, Ordering::SeqCst);
            // A relay whose ends went away has nothing to report.
            let answering = answer(stream);
            let open = Arc::clone(&counted_open);
            tokio::spawn(async move {
                drop(answering.await);
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Relay {
        address,
        uses,
        open,
    }
}
