//! The device that a request comes from, and the token by which it is known the next time, in `X-Device-Token` both ways:
//! a header, as the API sets no cookie. It opens nothing; without it a device is told by its program and network alone.

use std::net::IpAddr;

use poem::{FromRequest, Request, RequestBody, http::header};

use crate::{
    domain::{
        device::{Device, UserAgent},
        network::Network,
        private::Private,
    },
    http::client_address::TrustedProxies,
};

/// The header that carries the token.
const HEADER: &str = "X-Device-Token";

/// The device of a request.
#[derive(Debug)]
pub struct From(pub Device);

impl<'a> FromRequest<'a> for From {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let address: Option<IpAddr> = request
            .data::<TrustedProxies>()
            .and_then(|proxies| proxies.client(request));
        let agent = request.headers().get(header::USER_AGENT);
        // Not always ASCII, and then seldom anything else than UTF-8.
        let agent = agent.and_then(|text| UserAgent::parse(&String::from_utf8_lossy(text.as_bytes())));
        Ok(Self(Device {
            agent,
            network: address.map(Network::of),
            token: request.header(HEADER).map(|token| Private::new(token.to_owned())),
        }))
    }
}
