//! Whose connections they are, as each protocol names it.

use http::header::HeaderValue;
use http::uri::{Authority, Parts, PathAndQuery, Scheme, Uri};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    scheme: Scheme,
    authority: Authority,
    /// The authority without the port that goes without saying.
    pub(super) host: HeaderValue,
}

impl Origin {
    /// `None` if `base_url` has no scheme or no host.
    pub(super) fn of(base_url: Uri) -> Option<Self> {
        let parts = base_url.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let host = match authority.port_u16() {
            Some(port) if port == usual_port(&scheme) => authority.host(),
            _ => authority.as_str(),
        };
        let host = HeaderValue::from_str(host).ok()?;
        Some(Self {
            scheme,
            authority,
            host,
        })
    }

    /// Where connections lead to, with the port: an egress proxy is told no scheme.
    pub(super) fn destination(&self) -> Uri {
        let to = format!("{}:{}", self.authority.host(), self.port());
        let mut parts = self.absolute(Uri::default()).into_parts();
        parts.authority = to.parse().ok().or(parts.authority);
        Uri::from_parts(parts).unwrap_or_default()
    }

    fn port(&self) -> u16 {
        let usual = usual_port(&self.scheme);
        self.authority.port_u16().unwrap_or(usual)
    }

    /// The same path and query, with scheme and authority: what HTTP/2 wants (RFC 9113, section 8.3.1).
    pub(super) fn absolute(&self, uri: Uri) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_of(uri));
        // All three are there, so they are a URI.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

fn usual_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

/// The path and query alone: what HTTP/1.1 wants (RFC 9112, section 3.2.1).
pub(super) fn origin_form(uri: Uri) -> Uri {
    Uri::from(path_of(uri))
}

fn path_of(uri: Uri) -> PathAndQuery {
    let path = uri.into_parts().path_and_query;
    path.unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_names_the_port_only_where_it_is_an_unusual_one() {
        for (base_url, host) in [
            ("https://api.example.com", "api.example.com"),
            ("https://api.example.com:443/", "api.example.com"),
            ("https://api.example.com:80", "api.example.com:80"),
            ("http://api.example.com:80", "api.example.com"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            let origin = Origin::of(base_url.parse().unwrap()).unwrap();
            assert_eq!(origin.host, host, "{base_url}");
            let absolute = origin.absolute("/api/v1/a/?b=c".parse().unwrap());
            assert_eq!(absolute.authority(), Some(&origin.authority), "{base_url}");
            assert_eq!(absolute.path_and_query().unwrap(), "/api/v1/a/?b=c");
            assert_eq!(origin_form(absolute), "/api/v1/a/?b=c");
        }
        assert!(Origin::of("/api/".parse().unwrap()).is_none());
    }
}
