//! What the embedded default keeps in the process: counters and remembered requests. They start empty; one server runs
//! on a folder, so that nobody else would need to see them.

mod idempotency;
mod limits;

pub use idempotency::MemoryIdempotency;
pub use limits::MemoryLimits;
