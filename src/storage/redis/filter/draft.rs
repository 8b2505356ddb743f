//! A generation that is being built: what its builder finds is collected here and goes to Redis in one piece, where it
//! meets what others added meanwhile.

use async_trait::async_trait;

use crate::{
    crypto::filter_item::FilterItem,
    storage::{
        StoreError,
        email_filter::{Basis, Draft},
        redis::{
            connection::Connection,
            filter::{
                scripts,
                shape::{Bits, Shape},
            },
        },
    },
};

/// Bytes that go to Redis in one command.
pub(super) const CHUNK: usize = 4 * 1024 * 1024;

/// The draft.
pub(super) struct RedisDraft {
    pub(super) connection: Connection,
    pub(super) shape: Shape,
    pub(super) bits: Bits,
    pub(super) taken: u64,
    /// Of the Redis that it was begun in: what another one holds may lack additions.
    pub(super) run: String,
}

impl RedisDraft {
    async fn say(&self, is_held: bool) -> Result<bool, StoreError> {
        let mut call = scripts::HOLD.key(self.connection.key("f:building"));
        call.arg(self.connection.key("f:"))
            .arg(&self.shape.id)
            .arg(u8::from(is_held));
        let is_ours: u8 = self.connection.run(&call).await?;
        Ok(is_ours == 1)
    }
}

#[async_trait]
impl Draft for RedisDraft {
    fn take(&mut self, items: &[FilterItem]) {
        for item in items {
            self.bits.set(item.as_bytes());
        }
        self.taken += items.len() as u64;
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn capacity(&self) -> u64 {
        self.shape.capacity
    }

    async fn hold(&self) -> Result<bool, StoreError> {
        self.say(true).await
    }

    async fn abandon(self: Box<Self>) -> Result<(), StoreError> {
        self.say(false).await.map(drop)
    }

    async fn finish(self: Box<Self>, basis: &Basis) -> Result<bool, StoreError> {
        let scan = self.connection.key(&format!("f:{}:scan", self.shape.id));
        let bytes = self.shape.for_redis(self.bits);
        for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
            let mut command = redis::cmd("SETRANGE");
            let () = self
                .connection
                .ask(command.arg(&scan).arg(index * CHUNK).arg(chunk))
                .await?;
        }
        let mut call = scripts::FINISH.key(self.connection.key("f:current"));
        call.key(self.connection.key("f:building"));
        call.arg(self.connection.key("f:")).arg(&self.shape.id);
        call.arg(&self.run).arg(basis.to_string()).arg(self.taken);
        let finished: u8 = self.connection.run(&call).await?;
        Ok(finished == 1)
    }
}
