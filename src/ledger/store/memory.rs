//! tmp
/// tmp
#[derive(Debug, Default)]
pub struct MemoryStore;
