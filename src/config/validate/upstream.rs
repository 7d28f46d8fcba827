//! Rules of `[upstream]`.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::scalars;
use crate::config::complaint::Complaints;
use crate::config::file::{BreakerFile, RetryFile, UpstreamFile};
use crate::config::settings::{Breaker, Retry, Upstream};
use crate::identity::Secret;

/// The vendor's own address (dossier section 1).
const BASE_URL: &str = "https://api.generect.com";
/// The longest pause, unless the first is longer.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// Checks how the account's API is called. The token was fetched before.
pub(super) fn upstream(
    file: &UpstreamFile,
    token: Secret,
    complaints: &mut Complaints,
) -> Upstream {
    let c = complaints;
    let seconds = Duration::from_secs;
    Upstream {
        base_url: base_url(file.base_url.as_deref().unwrap_or(BASE_URL), c),
        token,
        connect_timeout: scalars::span(
            c,
            "upstream.connect_timeout",
            file.connect_timeout,
            seconds(5),
        ),
        // The slowest operations are given 300 s (dossier section 1.2).
        response_timeout: scalars::span(
            c,
            "upstream.response_timeout",
            file.response_timeout,
            seconds(310),
        ),
        ca_file: ca_file(file.ca_file.as_deref(), c),
        proxy: file
            .proxy
            .as_ref()
            .and_then(|hidden| egress_proxy(&hidden.0, c)),
        pool_idle_timeout: scalars::span(
            c,
            "upstream.pool_idle_timeout",
            file.pool_idle_timeout,
            seconds(50),
        ),
        idle_connections_max: usize::try_from(scalars::count(
            c,
            "upstream.idle_connections_max",
            file.idle_connections_max,
            256,
            0..=10_000,
        ))
        .unwrap_or(usize::MAX),
        retry: retry(&file.retry, c),
        breaker: breaker(&file.breaker, c),
    }
}

fn retry(file: &RetryFile, c: &mut Complaints) -> Retry {
    let tries = scalars::count(c, "upstream.retry.tries", file.tries, 3, 1..=100);
    let pause = Duration::from_millis(100);
    Retry {
        tries: NonZeroU32::new(tries).unwrap_or(NonZeroU32::MIN),
        pause: scalars::span(c, "upstream.retry.pause", file.pause, pause),
    }
}

fn breaker(file: &BreakerFile, c: &mut Complaints) -> Breaker {
    let failures = scalars::count(
        c,
        "upstream.breaker.failures",
        file.failures,
        10,
        1..=10_000,
    );
    let within = Duration::from_secs(10);
    let within = scalars::span(c, "upstream.breaker.within", file.within, within);
    let pause = Duration::from_secs(5);
    let pause = scalars::span(c, "upstream.breaker.pause", file.pause, pause);
    let longest = PAUSE_MAX.max(pause);
    let pause_max = scalars::span(c, "upstream.breaker.pause_max", file.pause_max, longest);
    if pause_max < pause {
        c.error(
            "upstream.breaker.pause_max",
            "is shorter than upstream.breaker.pause",
            "pauses begin with pause and grow to pause_max",
        );
    }
    Breaker {
        failures: NonZeroU32::new(failures).unwrap_or(NonZeroU32::MIN),
        within,
        pause,
        pause_max,
    }
}

fn base_url(text: &str, complaints: &mut Complaints) -> Uri {
    const PATH: &str = "upstream.base_url";
    let hint = format!("write scheme and host only, such as \"{BASE_URL}\"");
    let wrong = |complaints: &mut Complaints, what: &str| {
        complaints.error(PATH, what, hint.clone());
        Uri::from_static(BASE_URL)
    };
    let Ok(url) = text.parse::<Uri>() else {
        return wrong(complaints, "is no URL");
    };
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return wrong(complaints, "has no scheme or no host");
    };
    if scheme != "http" && scheme != "https" {
        return wrong(complaints, "is neither http nor https");
    }
    if authority.as_str().contains('@') {
        return wrong(complaints, "has a user name in it");
    }
    if !is_port(&authority.as_str()[authority.host().len()..]) {
        return wrong(complaints, "has a port that is none");
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || text.contains(['?', '#']) {
        return wrong(complaints, "has a path or a query");
    }
    if scheme == "http" && !is_loopback(authority.host()) {
        complaints.warning(
            PATH,
            "is plain http to another machine: the account's token travels unencrypted",
            "write https://",
        );
    }
    url
}

/// What follows a host: nothing, or a port that can be called.
fn is_port(text: &str) -> bool {
    let number = text.strip_prefix(':').map(str::parse::<NonZeroU16>);
    text.is_empty() || matches!(number, Some(Ok(_)))
}

pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// The proxy's address may hold a user name and a password, so it is never repeated.
fn egress_proxy(text: &str, complaints: &mut Complaints) -> Option<Secret> {
    let good = text.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|host| !host.is_empty())
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
    });
    if good {
        return Some(Secret::new(text));
    }
    complaints.error(
        "upstream.proxy",
        "is no http or https URL without a path",
        "write it as \"http://proxy.example:3128\"",
    );
    None
}

fn ca_file(text: Option<&str>, complaints: &mut Complaints) -> Option<PathBuf> {
    let path = PathBuf::from(text?);
    let certificates = CertificateDer::pem_file_iter(&path)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
    let what = match certificates {
        Ok(certificates) if certificates.is_empty() => "holds no certificate".to_owned(),
        Ok(_) => return Some(path),
        Err(error) => format!("cannot be read: {error}"),
    };
    complaints.error(
        "upstream.ca_file",
        format!("{} {what}", path.display()),
        "name a file of certificates in PEM",
    );
    None
}
