//! Whom the guard trusts to be the upstream.

use std::path::Path;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::StartError;

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
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = false;
    for certificate in certificates {
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
