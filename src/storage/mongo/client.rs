//! What the driver is told: the URL's options, and ours over them.

use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};

use crate::storage::{documents::StoreError, mongo::MongoOptions};

/// Connections to one server, unless somebody says otherwise.
const CONNECTIONS: u32 = 50;

/// Sets what an operator may set, and what nobody may weaken.
///
/// A write is acknowledged by a majority, journaled, and tried again by the driver when its connection breaks: a URL that
/// asks for less is refused rather than corrected, for whoever wrote it believes that it holds.
pub(super) fn complete(mut client: ClientOptions, options: &MongoOptions) -> Result<ClientOptions, StoreError> {
    if let Some(weakened) = weakened(&client) {
        return Err(StoreError::Unavailable(format!(
            "MONGO_URL: {weakened} is not what Sealgate promises; take it out: every write waits for the journals of a \
             majority, and is retried"
        )));
    }
    client.write_concern = Some(durable());
    client.retry_writes = Some(true);
    client.app_name.get_or_insert_with(|| "sealgate".to_owned());
    client.server_selection_timeout = Some(options.server_selection_timeout);
    client.connect_timeout = Some(options.connect_timeout);
    client.max_pool_size = options.max_pool.or(client.max_pool_size).or(Some(CONNECTIONS));
    client.min_pool_size = options.min_pool.or(client.min_pool_size);
    Ok(client)
}

/// What every write waits for.
pub(super) fn durable() -> WriteConcern {
    WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build()
}

/// The option of the URL that asks for less than a majority, journaled and retried.
fn weakened(client: &ClientOptions) -> Option<&'static str> {
    let concern = client.write_concern.clone().unwrap_or_default();
    if concern.w.is_some_and(|w| w != Acknowledgment::Majority) {
        Some("the option w")
    } else if concern.journal == Some(false) {
        Some("journal=false")
    } else if client.retry_writes == Some(false) {
        Some("retryWrites=false")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mongodb::options::{AuthMechanism, SelectionCriteria, ServerAddress, Tls};

    use super::*;
    use crate::domain::private::Private;

    async fn complete_url(url: &str, set: impl FnOnce(&mut MongoOptions)) -> Result<ClientOptions, StoreError> {
        let mut options = MongoOptions::new(Private::new(url.to_owned()), Vec::new());
        set(&mut options);
        complete(ClientOptions::parse(url).await.expect("a URL"), &options)
    }

    #[tokio::test]
    async fn writes_are_a_majoritys_and_retried_whatever_the_url_leaves_open() {
        for url in [
            "mongodb://db.example.com",
            "mongodb://db.example.com/?w=majority&journal=true&retryWrites=true&wTimeoutMS=10",
        ] {
            let client = complete_url(url, |_| ()).await.expect("sound");
            assert_eq!(client.write_concern, Some(durable()), "{url}");
            assert_eq!(client.retry_writes, Some(true), "{url}");
        }
    }

    #[tokio::test]
    async fn a_url_that_asks_for_less_is_refused_with_its_mend() {
        for option in ["w=1", "w=0", "w=2", "w=tag", "journal=false", "retryWrites=false"] {
            let url = format!("mongodb://ada:s3cret@db.example.com/?{option}");
            let refused = complete_url(&url, |_| ()).await.expect_err(option).to_string();
            let name = option.split('=').next().expect("a name");
            assert!(refused.contains(name) && refused.contains("take it out"), "{refused}");
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }

    #[tokio::test]
    async fn pool_and_time_outs_are_the_settings_before_the_urls() {
        let url = "mongodb://db.example.com/?maxPoolSize=7&minPoolSize=3&serverSelectionTimeoutMS=90000&connectTimeoutMS=90000";
        let client = complete_url(url, |_| ()).await.expect("sound");
        assert_eq!((client.max_pool_size, client.min_pool_size), (Some(7), Some(3)));
        let of_ours = Some(Duration::from_secs(2));
        assert_eq!(
            (client.server_selection_timeout, client.connect_timeout),
            (of_ours, of_ours)
        );

        let client = complete_url(url, |options| {
            options.max_pool = Some(20);
            options.min_pool = Some(2);
            options.server_selection_timeout = Duration::from_millis(300);
            options.connect_timeout = Duration::from_millis(400);
        })
        .await
        .expect("sound");
        assert_eq!((client.max_pool_size, client.min_pool_size), (Some(20), Some(2)));
        assert_eq!(client.server_selection_timeout, Some(Duration::from_millis(300)));
        assert_eq!(client.connect_timeout, Some(Duration::from_millis(400)));

        let client = complete_url("mongodb://db.example.com", |_| ()).await.expect("sound");
        assert_eq!((client.max_pool_size, client.min_pool_size), (Some(50), None));
    }

    /// What the driver then does with them needs a server that has them.
    #[tokio::test]
    async fn credentials_replica_set_and_tls_of_the_url_reach_the_driver() {
        let url = "mongodb://sealgate:s3cret@a.example.com,b.example.com:27018/?authSource=admin\
                   &authMechanism=SCRAM-SHA-256&replicaSet=rs0&tls=true&tlsCAFile=/ca.pem&readPreference=secondaryPreferred";
        let client = complete_url(url, |_| ()).await.expect("sound");
        let hosts = ["a.example.com:27017", "b.example.com:27018"];
        let named: Vec<String> = client.hosts.iter().map(ServerAddress::to_string).collect();
        assert_eq!(named, hosts);
        assert_eq!(client.repl_set_name.as_deref(), Some("rs0"));
        let credential = client.credential.expect("one");
        assert_eq!(credential.username.as_deref(), Some("sealgate"));
        assert_eq!(credential.password.as_deref(), Some("s3cret"));
        assert_eq!(credential.source.as_deref(), Some("admin"));
        assert_eq!(credential.mechanism, Some(AuthMechanism::ScramSha256));
        let Some(Tls::Enabled(tls)) = client.tls else {
            panic!("TLS is on");
        };
        assert_eq!(tls.ca_file_path.as_deref(), Some(std::path::Path::new("/ca.pem")));
        assert_ne!(tls.allow_invalid_certificates, Some(true));
        assert!(
            matches!(client.selection_criteria, Some(SelectionCriteria::ReadPreference(_))),
            "for lists"
        );
    }
}
