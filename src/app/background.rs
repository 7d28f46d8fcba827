//! A thread for work that calls must not notice.

use std::io;

use tokio::sync::oneshot;

/// What the system gives the thread less of, when calls want the processor too: about a thirtieth of
/// what a thread of the proxy gets (nice, from 0 to 19).
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// Runs `work` to its end on a thread and a runtime of its own, called `name`. The future that is
/// returned is ready when `work` has ended; what it left running elsewhere is not waited for.
///
/// # Errors
/// The system gives no thread.
pub(super) fn spawn(
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name(name)
        .build()?;
    let (done, ended) = oneshot::channel::<()>();
    let run = move || {
        step_back();
        runtime.block_on(work);
        runtime.shutdown_background();
        drop(done);
    };
    std::thread::Builder::new().name(name.into()).spawn(run)?;
    Ok(async move {
        // Nothing is ever sent: the end of the thread is the message, also where it broke down.
        let _ = ended.await;
    })
}

/// Gives way to all other threads. Those that this one starts do so too.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "work in the background runs with the priority of calls");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_work_and_what_it_starts_step_back_and_nobody_else_does() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        let (tell, told) = oneshot::channel();
        let work = async move {
            let of_another = tokio::task::spawn_blocking(niceness).await.unwrap();
            tell.send((niceness(), of_another)).unwrap();
        };
        spawn("background", work).unwrap().await;
        let most = before.max(NICENESS);
        assert_eq!(told.await, Ok((most, most)));
        assert_eq!(niceness(), before);
    }

    #[tokio::test]
    async fn work_that_breaks_down_has_ended() {
        let work = async { panic!("on purpose") };
        spawn("background", work).unwrap().await;
    }
}
