//! What the benchmarks of whole processes share: the processes, each on its core, an upstream that
//! repeats what the simulator answered, and the load.

pub(crate) mod children;
pub(crate) mod load;
pub(crate) mod requests;
pub(crate) mod settings;
pub(crate) mod upstream;

/// The core of the proxies.
pub(crate) const PROXY_CORE: &str = "0";
/// The core of the load and of the upstream.
pub(crate) const LOAD_CORE: &str = "1";

/// Runs on this thread alone.
pub(crate) fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future);
}

/// An environment variable that is a number, or the default.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The middle of some figures, of which there is at least one.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
