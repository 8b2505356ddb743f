//! When the queue is asked for work: at every tick, whatever happens in between.
//!
//! apalis has an interval of its own. It arms the next tick without asking to be woken by it, which is enough as long as
//! something else wakes the worker. A fetch that ends empty in the very moment of a tick (the disk was busy) leaves
//! nothing else, and messages then wait for the next heartbeat.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Wakes the worker every so often.
#[derive(Debug)]
pub struct Ticks(Interval);

impl Ticks {
    /// Every `period`.
    #[must_use]
    pub fn every(period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(ticks)
    }
}

impl PollStrategy for Ticks {
    fn poll_drive(&mut self, context: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        // A tick that is taken arms nothing: only one that is waited for does.
        while self.0.poll_tick(context).is_ready() {}
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        task::{Wake, Waker},
    };

    use tokio::{sync::Notify, time::timeout};

    use super::*;

    struct Woken(Notify);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.notify_one();
        }
    }

    #[tokio::test]
    async fn every_poll_is_followed_by_a_wake_also_one_that_finds_a_tick_due() {
        let woken = Arc::new(Woken(Notify::new()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut ticks = Ticks::every(Duration::from_millis(1));
        for poll in 0..5 {
            let _ = ticks.poll_drive(&mut Context::from_waker(&waker), &PollSnapshot::new());
            let waited = timeout(Duration::from_secs(20), woken.0.notified()).await;
            assert!(waited.is_ok(), "nothing wakes the worker after poll {poll}");
        }
    }
}
