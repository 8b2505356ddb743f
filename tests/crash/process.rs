//! One process of the installation: the service and its jobs, on the store as its faults let it through.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sealgate::{
    app::{self, Foundation},
    config::Config,
    crypto::{digest::link_digest, system_entropy::SystemEntropy},
    domain::{
        account::NewPerson, challenge::Purpose, clock::Clock, email::Email, ids::AccountId, password::Password,
        person_name::PersonName, private::Private, token::LinkToken, user_type::UserType,
    },
    jobs::{
        deliver::Deliverer,
        queue::{Job, JobQueue, QueueError},
        relay::relay,
    },
    service::{
        Core, Failure,
        confirm::{ConfirmError, Confirmed, confirm},
        register::{RegisterError, register},
        sessions::TokenPair,
        sign_in::{SignIn, SignInError, sign_in},
        sweep::{Swept, sweep},
    },
    storage::{Change, Ref, Stores, change, registrations::RegistrationRecord},
};

use crate::{faults::Faults, ports::faulty};

/// What is in the queue.
#[derive(Default)]
struct Queue(Mutex<Vec<Job>>);

#[async_trait]
impl JobQueue for Queue {
    async fn push(&self, job: Job) -> Result<(), QueueError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(job);
        Ok(())
    }
}

/// One process.
pub(crate) struct Process {
    pub(crate) core: Arc<Core>,
    pub(crate) faults: Arc<Faults>,
    deliverer: Arc<Deliverer>,
    user_type: UserType,
    /// Keeps the hand-over open.
    _foundation: Foundation,
}

impl Process {
    /// Starts it on `stores`.
    pub(crate) async fn start(config: &Config, stores: &Stores, clock: Arc<dyn Clock>) -> Self {
        let faults = Arc::default();
        let world = app::World {
            clock,
            entropy: Arc::new(SystemEntropy),
            stores: Some(faulty(stores, &faults)),
        };
        let foundation = Foundation::open(config, world).await.expect("opens");
        Self {
            core: Arc::clone(&foundation.core),
            faults,
            deliverer: foundation.deliverer(config).expect("a sender"),
            user_type: config.user_types.order[0].clone(),
            _foundation: foundation,
        }
    }

    fn key(&self, id: &AccountId) -> Ref<AccountId> {
        Ref::new(&self.user_type, id.clone())
    }

    pub(crate) async fn register(&self, email: &str, password: &str) -> Result<AccountId, RegisterError> {
        let person = NewPerson {
            email: Email::parse(email).expect("valid"),
            username: None,
            first_name: PersonName::parse("Ada").expect("valid"),
            last_name: PersonName::parse("O'Brien").expect("valid"),
            phone: None,
            country_code: None,
        };
        let password = Password::for_check(password.to_owned()).expect("short enough");
        register(&self.core, &self.user_type, person, password).await
    }

    /// A link of the registration, as if it had been mailed.
    pub(crate) async fn make_link(&self, id: &AccountId) -> String {
        let token = LinkToken::make(id.clone(), &SystemEntropy);
        let digest = link_digest(&self.user_type, Purpose::ConfirmAddress, &token);
        let (registrations, key) = (&*self.core.stores.registrations, self.key(id));
        let changed = change(registrations, &key, |registration: &mut RegistrationRecord| {
            registration.link_digest = Some(digest);
            Change::Store(())
        });
        changed.await.expect("stored").into_value().expect("a registration");
        token.expose().expose().to_owned()
    }

    pub(crate) async fn confirm(&self, link: &str) -> Result<Confirmed, ConfirmError> {
        confirm(&self.core, &self.user_type, link).await
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<TokenPair, SignInError> {
        let attempt = SignIn {
            identifier: Private::new(email.to_owned()),
            password: Password::for_check(password.to_owned()).expect("short enough"),
            remember: true,
        };
        sign_in(&self.core, &self.user_type, attempt).await
    }

    pub(crate) async fn sweep(&self) -> Result<Swept, Failure> {
        sweep(&self.core, &self.user_type).await
    }

    /// What the relay hands over now.
    pub(crate) async fn due(&self) -> Vec<Job> {
        let queue = Queue::default();
        relay(&self.core, &queue).await.expect("relayed");
        queue.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn deliver(&self, job: &Job) {
        self.deliverer.run(job).await;
    }

    /// Whether the account's data key is there and opens it.
    pub(crate) async fn opens(&self, id: &AccountId) -> bool {
        let key = self.key(id);
        let account = self
            .core
            .stores
            .accounts
            .find(&key)
            .await
            .expect("answers")
            .expect("an account");
        let Ok(keys) = self.core.vault.open(&key).await else {
            return false;
        };
        account.sealed.is_some_and(|sealed| sealed.open(&keys).is_ok())
    }
}
