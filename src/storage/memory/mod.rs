//! What the embedded default keeps in the process: counters and remembered requests. They start empty; one server runs
//! on a folder, so that nobody else would need to see them. [`SharedLimits`] is what a server of many does.

mod email_filter;
mod fallback;
mod idempotency;
mod leases;
mod limits;
mod shared_limits;
mod shared_throttle;
mod throttle;

pub use email_filter::AlwaysMaybe;
pub use idempotency::MemoryIdempotency;
pub use leases::FreeLeases;
pub use limits::MemoryLimits;
pub use shared_limits::SharedLimits;
pub use shared_throttle::SharedThrottle;
pub use throttle::MemoryThrottle;
