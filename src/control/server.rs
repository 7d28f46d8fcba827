//! Listens at the socket and runs what it is asked.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::message::{Question, Reply, Running};

/// A command is a line of a few hundred bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Whoever connects and says nothing is not waited for.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);

/// The listening socket. Its file goes when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens at `path`. One that is left over from a killed guard is replaced: the ledger's
    /// lock, which the caller has, says that nobody listens there any more.
    pub fn bind(path: &Path) -> io::Result<Self> {
        // Made where nobody else can look, so that it is never open to others, not even briefly.
        let nursery = path.with_extension(format!("sock-{}", std::process::id()));
        let _ = fs::remove_dir_all(&nursery);
        DirBuilder::new().mode(0o700).create(&nursery)?;
        let made = Self::bind_in(&nursery, path);
        let _ = fs::remove_dir_all(&nursery);
        made
    }

    fn bind_in(nursery: &Path, path: &Path) -> io::Result<Self> {
        let newborn = nursery.join("s");
        let listener = UnixListener::bind(&newborn)?;
        fs::set_permissions(&newborn, Permissions::from_mode(0o600))?;
        fs::rename(&newborn, path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers until `ended`.
    pub async fn serve(self, running: Running, ended: CancellationToken) {
        // Each in a task of its own: a reconciliation may take minutes, and nobody else waits for it.
        let mut asking = JoinSet::new();
        while let Some(accepted) = ended.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, _)) => {
                    while asking.try_join_next().is_some() {}
                    let running = running.clone();
                    asking.spawn(async move {
                        if let Err(error) = answer(stream, &running).await {
                            tracing::warn!(%error, "a command could not be answered");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket failed to accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn answer(mut stream: UnixStream, running: &Running) -> io::Result<()> {
    let peer = match stream.peer_cred() {
        Ok(peer) => format!("uid {}", peer.uid()),
        Err(_) => "uid unknown".into(),
    };
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX));
    tokio::time::timeout(LINE_TIMEOUT, reader.read_line(&mut line)).await??;
    let reply = match serde_json::from_str::<Question>(&line) {
        Ok(question) => {
            tracing::info!(%peer, ?question, "asked through the control socket");
            question.answer(running, &peer).await
        }
        Err(error) => Reply::Refused(format!("not a command of this guard: {error}")),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    writer.write_all(text.as_bytes()).await
}
