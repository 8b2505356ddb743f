//! The rule: which module tree may name which, and which crate has its home where.

/// What the files of one module tree may name of the crate.
pub(super) struct Layer {
    /// The tree, as a path from the crate's root. The first row that fits a file is its row.
    pub(super) tree: &'static str,
    /// Trees and items that it may name.
    pub(super) may: &'static [&'static str],
    /// Parts of those that it may not.
    pub(super) never: &'static [&'static [&'static str]],
}

/// Concrete stores, named by the composition root alone.
const ADAPTERS: &[&str] = &["storage::sqlite", "storage::mongo", "storage::redis"];

/// What an adapter sees of the crypto layer: values that stand in records. No key, and nothing that takes one.
const RECORD_TYPES: &[&str] = &[
    "storage",
    "domain",
    "crypto::Sealed",
    "crypto::sealed::Sealed",
    "crypto::field",
    "crypto::blind_index::Candidate",
    "crypto::blind_index::IndexSlots",
    "crypto::blind_index::Slot",
    "crypto::filter_item::FilterItem",
    "crypto::kek::WrappedKey",
    "crypto::keyring::KeyState",
    "crypto::password_hasher::PasswordHash",
    "crypto::record_mac::SignedSecurity",
];

/// The edge towards people opens no field, and neither wraps nor signs a record.
const KEYS_OF_RECORDS: &[&str] = &[
    "crypto::data_key",
    "crypto::dek_cache",
    "crypto::kek::KekProvider",
    "crypto::kek::Keks",
    "crypto::kek_file",
    "crypto::local_keks",
    "crypto::record_mac::RecordMac",
    "crypto::sealed",
    "crypto::Sealed",
];

/// The edge towards providers opens addresses, but lets nobody in.
const KEYS_OF_SIGN_IN: &[&str] = &[
    "crypto::kek",
    "crypto::kek_file",
    "crypto::local_keks",
    "crypto::password_hasher::PasswordHasher",
    "crypto::token_signer",
];

pub(super) const LAYERS: &[Layer] = &[
    Layer {
        tree: "domain",
        may: &["domain"],
        never: &[],
    },
    Layer {
        tree: "crypto",
        may: &["crypto", "domain"],
        never: &[],
    },
    Layer {
        tree: "storage::sqlite",
        may: RECORD_TYPES,
        never: &[&["storage::mongo", "storage::redis"]],
    },
    Layer {
        tree: "storage::mongo",
        may: RECORD_TYPES,
        never: &[&["storage::sqlite", "storage::redis"]],
    },
    Layer {
        tree: "storage::redis",
        may: RECORD_TYPES,
        never: &[&["storage::sqlite", "storage::mongo"]],
    },
    // Where key-encryption keys lie elsewhere: nothing but keys passes.
    Layer {
        tree: "kms",
        may: &["kms", "traces", "crypto::kek", "crypto::transit_names", "domain"],
        never: &[],
    },
    Layer {
        tree: "storage",
        may: &["storage", "crypto", "domain"],
        never: &[ADAPTERS],
    },
    Layer {
        tree: "service",
        may: &["service", "traces", "storage", "crypto", "domain"],
        never: &[ADAPTERS],
    },
    Layer {
        tree: "templates",
        may: &["templates", "domain"],
        never: &[],
    },
    Layer {
        tree: "http",
        may: &[
            "http",
            "logs",
            "traces",
            "templates",
            "service",
            "storage",
            "crypto",
            "domain",
            "config",
        ],
        never: &[ADAPTERS, KEYS_OF_RECORDS],
    },
    Layer {
        tree: "jobs",
        may: &[
            "jobs",
            "logs",
            "traces",
            "templates",
            "service",
            "storage",
            "crypto",
            "domain",
            "config",
        ],
        never: &[ADAPTERS, KEYS_OF_SIGN_IN],
    },
    Layer {
        tree: "config",
        may: &[
            "config",
            "domain",
            "crypto::password_hasher::HashCost",
            // Keys that are configured: each is checked where it is read.
            "crypto::key_pair::KeyPair",
            "crypto::local_keks",
            "crypto::public_key",
            "crypto::rsa_pem",
            "crypto::token_signer::SigningMethod",
            "crypto::token_signer::VerifyingKey",
        ],
        never: &[],
    },
    Layer {
        tree: "process",
        may: &["process", "config", "logs", "traces", "service::audit::AuditLines"],
        never: &[],
    },
    Layer {
        tree: "logs",
        may: &["logs", "traces", "config"],
        never: &[],
    },
    // What is exported: names and numbers, of no record and no key.
    Layer {
        tree: "traces",
        may: &["traces", "config", "domain", "logs::BoxedLayer", "logs::WORK"],
        never: &[],
    },
    Layer {
        tree: "health_check",
        may: &["health_check"],
        never: &[],
    },
];

/// The composition root and what stands around it: puts concrete things together and therefore names them all. `main`
/// and `bin` are crates of their own.
pub(super) const ROOTS: &[&str] = &["lib", "app", "doctor", "metrics_listener", "main", "commands", "bin"];

/// Crates with one home each.
pub(super) const HOMES: &[(&[&str], &[&str])] = &[
    (
        &[
            "aes",
            "aes_gcm",
            "aes_kw",
            "argon2",
            "aws_lc_rs",
            "bcrypt",
            "getrandom",
            "hkdf",
            "hmac",
            "jsonwebtoken",
            "md4",
            "totp_rs",
        ],
        &["crypto"],
    ),
    // Whoever asks others over HTTP: providers of mails and texts, collectors, key management.
    (&["reqwest"], &["jobs", "kms"]),
    // Binaries install its provider of ciphers before anything else runs. Beside that TLS is touched by hand where the server
    // speaks it, and where it is asked over it whether it is ready.
    (&["rustls"], &["process", "http::tls", "health_check"]),
    (&["tokio_rustls", "x509_parser"], &["http::tls"]),
];
