//! Paths, up to the operation they stand for.

use generect_guard::catalogue::Classified;
use generect_guard::proxy::normalise_path::normalise;

use super::CATALOGUE;

pub fn run(input: &[u8]) {
    let Ok(path) = std::str::from_utf8(input) else {
        return;
    };
    let _ = CATALOGUE.classify("POST", path);
    let Ok(normal) = normalise(path) else {
        return;
    };
    assert_eq!(normalise(&normal).as_ref(), Ok(&normal));
    assert!(normal.starts_with('/') && normal.ends_with('/'), "{normal}");
    for other in ["//", "/./", "/../", "%", "\\", ";", "?", "#"] {
        assert!(!normal.contains(other), "{normal}");
    }
    // Nothing but slashes is added or taken away.
    let letters = |path: &str| path.replace('/', "");
    assert_eq!(letters(&normal), letters(path));
    for method in ["GET", "POST", "DELETE"] {
        if let Classified::Known { operation, job } = CATALOGUE.classify(method, &normal) {
            assert_eq!(operation.method, method);
            let known = match job {
                Some(job) => operation.path.replace("{job_id}", job),
                None => operation.path.clone(),
            };
            assert!(
                known == normal || known.contains("{id}"),
                "{normal} is not {known}"
            );
        }
    }
}
