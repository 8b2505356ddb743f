//! One process of the installation: the service and its jobs, on the store as its faults let it through.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sealgate::{
    config::Config,
    crypto::{
        digest::link_digest,
        kek::Keks,
        kek_file::{self, KekFile},
        keyring::SharedKeyring,
        password_hasher::{HashCost, PasswordHasher},
        system_entropy::SystemEntropy,
        token_signer::{SigningMethod, TokenSigner},
    },
    domain::{
        account::NewPerson,
        challenge::Purpose,
        clock::{Clock, SystemClock},
        device::Device,
        email::Email,
        ids::{AccountId, WorkerId},
        network::Network,
        password::Password,
        person_name::PersonName,
        private::Private,
        share::Share,
        token::LinkToken,
        user_type::UserType,
    },
    jobs::{
        deliver::Deliverer,
        hand_over,
        health::ProviderHealth,
        mailer::Mailer,
        queue::{Job, JobQueue, QueueError},
        relay::relay,
        schedule::key_jobs_round,
        sms::Sms,
    },
    service::{
        Core, Failure, UserTypeSettings,
        confirm::{ConfirmError, Confirmed, confirm},
        keyring::{KeyReader, establish},
        register::{RegisterError, register},
        sessions::TokenPair,
        sign_in::{SignIn, SignInError, sign_in},
        sweep::{Swept, sweep},
        vault::Vault,
    },
    storage::{Change, Ref, Stores, change, memory::MemoryIdempotency, registrations::RegistrationRecord},
    templates::Templates,
};

use tokio_util::sync::CancellationToken;

use crate::{
    faults::Faults,
    ports::{faulty, faulty_erasures},
};

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

/// What every process of an installation has in common: its configuration and its keys.
pub(crate) struct Installation {
    pub(crate) config: Config,
    keks: Arc<Keks>,
    keyring: SharedKeyring,
    hasher: PasswordHasher,
}

impl Installation {
    /// Makes the keys of a new store. Passwords are hashed cheaply.
    pub(crate) async fn found(config: Config, stores: &Stores, clock: &dyn Clock) -> Self {
        let path = &config.stores.kek_file;
        kek_file::make(path, clock.now()).expect("a key file");
        let file = KekFile::open(path, Arc::new(SystemClock)).expect("a key");
        let keks = Arc::new(Keks::newest(Arc::new(file)).await.expect("a key"));
        let keyring = establish(stores, &keks, &config.user_types.order, config.tokens.algorithm, clock).await;
        let keyring = SharedKeyring::new(keyring.expect("keys"));
        let cheap = HashCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        Self {
            hasher: PasswordHasher::new(keyring.clone(), cheap, 4, 1000),
            config,
            keks,
            keyring,
        }
    }
}

/// One process.
pub(crate) struct Process {
    pub(crate) core: Arc<Core>,
    pub(crate) faults: Arc<Faults>,
    deliverer: Arc<Deliverer>,
    user_type: UserType,
}

impl Process {
    /// Starts it, as [`sealgate::app`] does.
    pub(crate) fn start(installation: &Installation, stores: &Stores, clock: Arc<dyn Clock>) -> Self {
        let (config, keyring) = (&installation.config, &installation.keyring);
        let faults = Arc::default();
        let journal = config.erasures.journal.as_deref().expect("a journal");
        let erasures = faulty_erasures(journal, &faults);
        let stores = faulty(stores, &faults);
        let user_types = config.user_types.order.iter().cloned();
        // Nobody takes what is handed over: the relay finds it, as after a crash.
        let (hand_over, _) = hand_over::bounded();
        let core = Arc::new(Core {
            vault: Vault::new(
                Arc::clone(&installation.keks),
                Arc::clone(&stores.deks),
                keyring.clone(),
            ),
            keys: KeyReader::new(Arc::clone(&installation.keks)),
            signer: TokenSigner::new(
                keyring.clone(),
                SigningMethod::Keyring,
                Vec::new(),
                config.http.public_url.as_str(),
            ),
            keyring: keyring.clone(),
            hasher: installation.hasher.clone(),
            clock,
            entropy: Arc::new(SystemEntropy),
            hand_over: Arc::new(hand_over),
            policy: sealgate::service::limit_policy::LimitPolicy::default(),
            limits: None,
            throttle: None,
            idempotency: Arc::new(MemoryIdempotency::default()),
            texts: sealgate::service::text_guard::TextPolicy::default(),
            leases: Arc::new(sealgate::storage::memory::FreeLeases),
            filter: Arc::new(sealgate::storage::memory::AlwaysMaybe),
            revocations: None,
            look_ups: sealgate::service::email_filter::LookupTimes::default(),
            shared: None,
            audit_lines: None,
            erasures: Some(erasures),
            user_types: user_types
                .map(|user_type| {
                    let settings = UserTypeSettings {
                        allows_text_factor: true,
                        ..UserTypeSettings::default()
                    };
                    (user_type, settings)
                })
                .collect(),
            stores,
        });
        let deliverer = Deliverer {
            core: Arc::clone(&core),
            mailer: Mailer::directory(&config.mail.from, config.mail.directory.clone()).expect("a sender"),
            sms: Sms::Directory(config.mail.directory.clone()),
            templates: Templates::new(None),
            public_url: config.http.public_url.as_str().to_owned(),
            app_name: config.http.app_name.clone(),
            mail_health: ProviderHealth::default(),
            sms_health: ProviderHealth::default(),
            collector: None,
        };
        Self {
            core,
            faults,
            deliverer: Arc::new(deliverer),
            user_type: config.user_types.order[0].clone(),
        }
    }

    /// One look at the jobs of keys.
    pub(crate) async fn key_jobs_round(&self, worker: &WorkerId) {
        let share = Share::new(100).expect("a share");
        key_jobs_round(&self.deliverer, worker, share, &CancellationToken::new()).await;
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
            attributes: None,
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
        self.sign_in_from("127.0.0.1", email, password).await
    }

    /// From a device that is told by its address.
    pub(crate) async fn sign_in_from(
        &self,
        address: &str,
        email: &str,
        password: &str,
    ) -> Result<TokenPair, SignInError> {
        let attempt = SignIn {
            identifier: Private::new(email.to_owned()),
            password: Password::for_check(password.to_owned()).expect("short enough"),
            remember: true,
            device: Device {
                network: Some(Network::of(address.parse().expect("an address"))),
                ..Device::default()
            },
        };
        Ok(sign_in(&self.core, &self.user_type, attempt).await?.pair)
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

    /// Whether the account can be opened with its data key. A tombstone has nothing to open.
    pub(crate) async fn opens(&self, id: &AccountId) -> bool {
        let key = self.key(id);
        let found = self.core.stores.accounts.find(&key).await.expect("answers");
        let Some(sealed) = found.expect("an account").sealed else {
            return true;
        };
        match self.core.vault.open(&key).await {
            Ok(keys) => sealed.open(&keys).is_ok(),
            Err(_) => false,
        }
    }
}
