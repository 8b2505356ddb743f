//! Mails to an SMTP server.
//!
//! What the server says decides whether a mail is tried again. Its words are never kept or logged, for they may repeat
//! the address: a code and a fixed phrase are all that is said.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    transport::smtp::{
        Error, PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use tokio::time::timeout;

use crate::{
    config::mail::{SmtpConfig, SmtpSecurity},
    jobs::mailer::Delivery,
};

/// Connections kept, and how long an unused one is.
const CONNECTIONS: u32 = 8;
const IDLE: Duration = Duration::from_secs(30);

/// A server that takes mails.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    patience: Duration,
}

impl Smtp {
    /// Connects to nothing yet. `own_name` is who it says it is (EHLO): the host of the service's public URL.
    pub fn new(config: &SmtpConfig, own_name: Option<&str>) -> anyhow::Result<Self> {
        let mut tls = TlsParameters::builder(config.host.clone())
            .dangerous_accept_invalid_certs(!config.validates_certificates)
            .dangerous_accept_invalid_hostnames(!config.validates_certificates);
        if let Some(pem) = &config.authority {
            let certificate = Certificate::from_pem(pem)
                .map_err(|_| anyhow::anyhow!("MAIL_CA_FILE holds no certificate in PEM form; name one that does"))?;
            tls = tls.add_root_certificate(certificate);
        }
        let parameters = || {
            tls.build_rustls().map_err(|_| {
                anyhow::anyhow!("TLS towards MAIL_SERVER can't be set up; check its name and MAIL_CA_FILE")
            })
        };
        let security = match config.security {
            SmtpSecurity::StartTls => Tls::Required(parameters()?),
            SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
            SmtpSecurity::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
            .port(config.port)
            .tls(security)
            .timeout(Some(config.patience))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE));
        if let Some(name) = own_name {
            builder = builder.hello_name(ClientId::Domain(name.to_owned()));
        }
        if let Some((user, password)) = &config.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            patience: config.patience,
        })
    }

    /// Gives one mail to the server.
    pub async fn send(&self, message: Message) -> Delivery {
        match timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_)) => Delivery::Accepted,
            Ok(Err(error)) => {
                let (delivery, code) = (judge(&error), error.status().map(u16::from));
                tracing::debug!(code, ?delivery, "the mail server did not take a mail");
                delivery
            }
            Err(_) => Delivery::Later("the mail server does not answer"),
        }
    }

    /// Connects and signs in.
    pub async fn probe(&self) -> Result<(), &'static str> {
        match timeout(self.patience, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("the mail server answers, and takes no mails now"),
            Ok(Err(error)) => Err(match judge(&error) {
                Delivery::Later(reason) | Delivery::Never(reason) => reason,
                Delivery::Accepted => "the mail server can't be used",
            }),
            Err(_) => Err("the mail server does not answer"),
        }
    }
}

/// What an error means for the mail (RFC 5321 section 4.2, RFC 4954 section 6).
fn judge(error: &Error) -> Delivery {
    let Some(code) = error.status() else {
        return if error.is_client() {
            // For one, an address that needs SMTPUTF8 and a server without it.
            Delivery::Never("the mail server can't take such a mail")
        } else if error.is_tls() || is_handshake(error) {
            Delivery::Later("the mail server's certificate or TLS is not accepted; see VALIDATE_CERTS, MAIL_CA_FILE")
        } else if error.is_timeout() {
            Delivery::Later("the mail server does not answer")
        } else {
            Delivery::Later("the mail server can't be reached, or hung up")
        };
    };
    match u16::from(code) {
        530 | 534 | 535 | 538 => Delivery::Later("the mail server refuses the credentials; see MAIL_USERNAME"),
        // Not about this mail: commands out of order or unknown, or a host that takes none at all.
        500 | 502..=504 | 521 => Delivery::Later("the mail server does not speak SMTP as expected"),
        code if code >= 500 => Delivery::Never("the mail server refuses the mail"),
        _ => Delivery::Later("the mail server takes no mail now"),
    }
}

/// A failed handshake comes as an input error whose cause is TLS's own.
fn is_handshake(error: &Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::InvalidData)
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Smtp")
    }
}
