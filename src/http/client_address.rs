//! Who is calling, as an address: the socket's, or, behind proxies that are trusted, the right-most entry of
//! X-Forwarded-For that is not one of theirs. What a stranger writes into that header changes nothing.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};

use ipnet::IpNet;
use poem::{Request, http::HeaderMap};

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }

    /// Whether it comes by way of one of them.
    #[must_use]
    pub fn is_proxy(&self, request: &Request) -> bool {
        let peer = request.remote_addr().as_socket_addr();
        peer.is_some_and(|peer| self.has(peer.ip().to_canonical()))
    }

    /// The client's address; none where the socket has none.
    #[must_use]
    pub fn client(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.remote_addr().as_socket_addr()?.ip();
        if self.0.is_empty() {
            return Some(peer.to_canonical());
        }
        Some(self.rightmost_stranger(peer, &forwarded(request.headers())))
    }

    fn rightmost_stranger(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.has(peer) {
            return peer;
        }
        for entry in forwarded.iter().rev() {
            // What can't be read was not written by a proxy of ours: nothing to its left is believed.
            let Some(address) = read(entry.trim()) else {
                break;
            };
            let address = address.to_canonical();
            if !self.has(address) {
                return address;
            }
        }
        peer
    }
}

/// The entries of X-Forwarded-For. Of a line that is no text those that are count: a proxy appends to whatever a stranger
/// wrote.
fn forwarded(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all("x-forwarded-for").iter();
    let entries = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries
        .map(|entry| std::str::from_utf8(entry).unwrap_or_default())
        .collect()
}

/// An address; some proxies write the port behind it.
fn read(entry: &str) -> Option<IpAddr> {
    let address = entry.parse().ok();
    address.or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))
}

/// Networks from their text; the configuration has seen to it that each is one.
#[must_use]
pub fn networks(list: &[String]) -> Vec<IpNet> {
    list.iter().filter_map(|net| net.parse().ok()).collect()
}

/// Clients whose address is not counted. Cheap to clone: all clones see a replacement.
#[derive(Clone, Debug, Default)]
pub struct ExemptClients(Arc<RwLock<Vec<IpNet>>>);

impl ExemptClients {
    /// Those of these networks.
    #[must_use]
    pub fn new(list: &[String]) -> Self {
        Self(Arc::new(RwLock::new(networks(list))))
    }

    /// Others from now on.
    pub fn replace(&self, list: &[String]) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = networks(list);
    }

    /// Whether it is one of them. Who has no address is none.
    #[must_use]
    pub fn has(&self, client: Option<IpAddr>) -> bool {
        let networks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        client.is_some_and(|client| networks.iter().any(|net| net.contains(&client)))
    }
}

/// The subject that limits count: an IPv4 address, or the /64 of an IPv6 one, which is what one customer has.
#[must_use]
pub fn subject(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    #[test]
    fn a_strangers_header_changes_nothing_and_a_proxys_is_read_from_the_right() {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().expect("a net")]);
        let client = |peer: &str, forwarded: &[&str]| {
            proxies
                .rightmost_stranger(peer.parse().expect("an address"), forwarded)
                .to_string()
        };
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", &["6.6.6.6", " 198.51.100.1", " 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "garbage"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:5678"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:5678"]), "2001:db8::1");
    }

    #[test]
    fn what_a_stranger_wrote_does_not_hide_what_the_proxy_appended() {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().expect("a net")]);
        let client = |lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let line = HeaderValue::from_bytes(line).expect("a value");
                headers.append("x-forwarded-for", line);
            }
            let peer = "10.0.0.1".parse().expect("an address");
            proxies.rightmost_stranger(peer, &forwarded(&headers)).to_string()
        };
        assert_eq!(client(&[b"\xe9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&[b"\xe9", b"198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(&[b"6.6.6.6, \xe9"]), "10.0.0.1");
    }

    #[test]
    fn one_customers_ipv6_addresses_are_one_subject() {
        let [one, two] = ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::1"].map(|text| subject(text.parse().ok()));
        assert_eq!(one, two);
        assert_eq!(one, "2001:db8:1:2::/64");
    }
}
