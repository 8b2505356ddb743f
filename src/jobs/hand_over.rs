//! From the answer to the queue without waiting for the relay: a bounded channel that never blocks the answer.

use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use crate::{
    jobs::{queue::JobQueue, relay::hand_over},
    service::Core,
    storage::outbox::{HandOver, MessageRef},
};

/// Messages that may wait; past that the relay finds them.
const CAPACITY: usize = 1024;

/// The sending end.
#[derive(Clone, Debug)]
pub struct Channel(Sender<MessageRef>);

impl HandOver for Channel {
    fn offer(&self, message: MessageRef) {
        if self.0.try_send(message).is_err() {
            tracing::debug!("the hand-over is full; the relay takes the message");
        }
    }
}

/// Both ends.
#[must_use]
pub fn bounded() -> (Channel, Receiver<MessageRef>) {
    let (sender, receiver) = channel(CAPACITY);
    (Channel(sender), receiver)
}

/// Hands over what comes until `stop`.
pub async fn run(
    core: Arc<Core>,
    queue: Arc<dyn JobQueue>,
    mut messages: Receiver<MessageRef>,
    stop: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            () = stop.cancelled() => return,
        };
        let Some(message) = message else { return };
        if let Err(error) = hand_over(&core, &*queue, &message).await {
            tracing::warn!(%error, "a message waits for the relay");
        }
    }
}
