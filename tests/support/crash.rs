//! A guard that dies, inside the process of the test: what it had on disk goes on without it.

use generect_guard::ledger;

use super::{Plan, World};

impl World {
    /// Starts another guard on what is on disk at this moment, before the same simulator. The old
    /// one is ended, and whatever it still writes is lost, as if it had died here. Its calls
    /// upstream are cut.
    pub async fn crashed(mut self, plan: Plan) -> Self {
        let folder = self.folder.take().unwrap();
        let beside = folder.path().parent().unwrap();
        let image = tempfile::tempdir_in(beside).unwrap();
        let from = folder.path().join("ledger.db");
        let reader = ledger::open_reader(&from).unwrap();
        let path = image.path().join("ledger.db");
        reader.backup(&path, &mut |_, _| {}).unwrap();
        drop(reader);
        self.simulator.faults().close_connections();
        self.guard.take().unwrap().drain().await;
        let guard = plan.guard(&self.simulator.base_url(), image.path()).await;
        self.address = guard.address;
        self.admin_address = guard.admin_address;
        self.guard = Some(guard);
        self.folder = Some(image);
        self
    }
}
