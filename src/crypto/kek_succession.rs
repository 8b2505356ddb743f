//! A provider that takes the place of another: keys of the one before still unwrap, and are destroyed, until everything is
//! wrapped by a key of the one after it. So an installation moves from a file to a service, or back, while it serves.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{
    crypto::kek::{KekError, KekProvider, WrappedKey},
    domain::ids::KekId,
};

/// Both.
pub struct Succession {
    before: Arc<dyn KekProvider>,
    after: Arc<dyn KekProvider>,
}

impl Succession {
    /// From `before` to `after`. At least one of them knows its keys without asking, or each would be asked for the other's.
    #[must_use]
    pub fn new(before: Arc<dyn KekProvider>, after: Arc<dyn KekProvider>) -> Self {
        Self { before, after }
    }

    /// Whose key that is; of one that neither knows, who may have got it since.
    fn of(&self, id: &KekId) -> &dyn KekProvider {
        match (self.after.is_own(id), self.before.is_own(id)) {
            (Some(true), _) => &*self.after,
            (_, Some(true)) | (Some(false), _) => &*self.before,
            (None, _) => &*self.after,
        }
    }
}

#[async_trait]
impl KekProvider for Succession {
    /// Those that may wrap from now on: none of the one before.
    async fn known(&self) -> Result<Vec<KekId>, KekError> {
        self.after.known().await
    }

    async fn make(&self) -> Result<KekId, KekError> {
        self.after.make().await
    }

    async fn destroy(&self, id: &KekId) -> Result<(), KekError> {
        self.of(id).destroy(id).await
    }

    async fn wrap(&self, under: &KekId, key: &[u8]) -> Result<WrappedKey, KekError> {
        self.of(under).wrap(under, key).await
    }

    async fn unwrap(&self, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, KekError> {
        self.of(&wrapped.kek_id).unwrap(wrapped).await
    }

    fn is_own(&self, id: &KekId) -> Option<bool> {
        self.of(id).is_own(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{kek::Keks, local_keks::LocalKeks};

    fn local(n: u8) -> (KekId, Arc<dyn KekProvider>) {
        let id: KekId = format!("kek_{}{n}", "0".repeat(25)).parse().expect("an id");
        let keks = LocalKeks::new(vec![(id.clone(), Zeroizing::new([n; 32]))]);
        (id, Arc::new(keks.expect("a key")))
    }

    #[tokio::test]
    async fn the_one_after_wraps_and_each_unwraps_its_own() {
        let ((old, before), (new, after)) = (local(1), local(2));
        let wrapped = before.wrap(&old, &[7; 32]).await.expect("wraps");
        let both: Arc<dyn KekProvider> = Arc::new(Succession::new(before, after));
        assert_eq!(both.known().await, Ok(vec![new.clone()]));
        let keks = Keks::newest(Arc::clone(&both)).await.expect("a key");
        assert_eq!(keks.active(), new);
        assert_eq!(keks.unwrap(&wrapped).await.expect("unwraps").as_slice(), [7; 32]);
        let anew = keks.wrap(&[7; 32]).await.expect("wraps");
        assert_eq!(anew.kek_id, new);
        assert_eq!(keks.unwrap(&anew).await.expect("unwraps").as_slice(), [7; 32]);
        // Until everything is wrapped anew, the key before wraps as well.
        keks.activate(old.clone());
        assert_eq!(keks.wrap(&[8; 32]).await.expect("wraps").kek_id, old);
        let (strange, _) = local(3);
        assert_eq!(both.wrap(&strange, &[1; 32]).await, Err(KekError::Unknown(strange)));
    }
}
