//! Whom the guard trusts to be the upstream.

use std::path::Path;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::StartError;
use crate::config;

/// The machine's roots and, in addition, those in `ca_file` (PEM).
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, StartError> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One odd certificate of the machine's is no reason to trust none.
        let _ = roots.add(certificate);
    }
    if let Some(path) = ca_file {
        add_file(&mut roots, path)?;
    }
    let provider = rustls::crypto::ring::default_provider();
    let versions =
        ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
    let builder =
        versions.map_err(|error| StartError::Upstream(format!("TLS cannot be set up: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), StartError> {
    let wrong =
        |why: String| StartError::Upstream(format!("upstream.ca_file {}: {why}", path.display()));
    let bytes = config::read_file(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err(wrong("has no certificate in it".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let error = client_config(Some(Path::new("/dev/zero"))).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("upstream.ca_file /dev/zero: it has more than 8 MiB"),
            "{said}"
        );
    }
}
