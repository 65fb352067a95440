//! Who may use the router, and who may look into it.
//!
//! Without keys only loopback and private peers are served, because the default
//! address is open to the network. What a client sends as a key is compared
//! here and goes nowhere else. Knows nothing of what is asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq as _;

use crate::{
    api::{
        Api,
        error::{Error, Protocol},
    },
    config::value::{Secret, allow::Allow},
};

/// The operator's rules.
pub struct Access {
    /// Who is served while there are no client keys.
    pub allow: Allow,
    /// Keys, one of which a client must send; empty means that none is needed.
    pub client_keys: Vec<Secret>,
    /// The key for the routes of operators.
    pub admin_key: Option<Secret>,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Its address.
    pub peer: SocketAddr,
    /// The one address that the router listens on; none if it listens on all, where this
    /// machine has the loopback, and another peer of its address may be any forwarder.
    pub bound: Option<IpAddr>,
}

impl Ends {
    /// Tells whether it is this machine: by the loopback, or by the one address that it has
    /// to reach the router at.
    fn is_here(&self) -> bool {
        let peer = self.peer.ip().to_canonical();
        peer.is_loopback() || self.bound.is_some_and(|bound| bound.to_canonical() == peer)
    }
}

/// Lets clients in, or tells them why not.
pub(super) async fn clients(State(api): State<Api>, ends: ConnectInfo<Ends>, request: Request, next: Next) -> Response {
    match api.0.access.client(&ends, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.respond(Protocol::of(&request)),
    }
}

/// Lets operators in, or tells them why not.
pub(super) async fn operators(
    State(api): State<Api>,
    ends: ConnectInfo<Ends>,
    request: Request,
    next: Next,
) -> Response {
    match api.0.access.operator(&ends, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.respond(Protocol::Ollama),
    }
}

impl Access {
    fn client(&self, ends: &Ends, headers: &HeaderMap) -> Result<(), Error> {
        if self.client_keys.is_empty() {
            let peer = ends.peer.ip();
            // This machine may do by its address what it may by the loopback.
            let is_let_in = || ends.is_here() && self.allow.permits(Ipv4Addr::LOCALHOST.into());
            return if self.allow.permits(peer) || is_let_in() { Ok(()) } else { Err(forbidden(peer)) };
        }
        match key(headers) {
            Some(key) if self.client_keys.iter().any(|known| same(known, &key)) => Ok(()),
            Some(_) => Err(Error::new(StatusCode::UNAUTHORIZED, "this key is not one of server.client_keys")),
            None => Err(Error::new(
                StatusCode::UNAUTHORIZED,
                "this router wants a key: send one of server.client_keys as `Authorization: Bearer` or `x-api-key`",
            )),
        }
    }

    fn operator(&self, ends: &Ends, headers: &HeaderMap) -> Result<(), Error> {
        match &self.admin_key {
            Some(known) if key(headers).is_some_and(|key| same(known, &key)) => Ok(()),
            Some(_) => Err(Error::new(
                StatusCode::UNAUTHORIZED,
                "this route wants server.admin_key as `Authorization: Bearer`",
            )),
            None if ends.is_here() => Ok(()),
            None => Err(Error::new(
                StatusCode::FORBIDDEN,
                "this route answers only on the router's own machine; set server.admin_key to use it from elsewhere",
            )),
        }
    }
}

fn forbidden(peer: IpAddr) -> Error {
    Error::new(
        StatusCode::FORBIDDEN,
        format!("{peer} may not use this router: add it to server.allow, or set server.client_keys and send one"),
    )
}

/// Takes the key out of whichever header the client uses.
fn key(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(key) = text("x-api-key") {
        return Some(key.trim().to_owned());
    }
    let (scheme, rest) = text(AUTHORIZATION.as_str())?.trim().split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
            pair.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

fn same(known: &Secret, given: &str) -> bool {
    known.expose().as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::config::Config;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_str(value).unwrap())])
    }

    fn access(client_keys: &[&str], admin_key: Option<&str>) -> Access {
        Access {
            allow: Config::default().server.allow,
            client_keys: client_keys.iter().map(|key| Secret::parse(key).unwrap()).collect(),
            admin_key: admin_key.map(|key| Secret::parse(key).unwrap()),
        }
    }

    const FAR: &str = "203.0.113.7";
    const NEAR: &str = "192.168.1.7";
    const HERE: &str = "::ffff:127.0.0.1";

    /// A peer of a router that listens on all addresses.
    fn at(peer: &str) -> Ends {
        Ends { peer: SocketAddr::new(peer.parse().unwrap(), 4000), bound: None }
    }

    fn client(access: &Access, peer: &str, headers: &HeaderMap) -> u16 {
        access.client(&at(peer), headers).map_or_else(|e| e.respond(Protocol::Ollama).status().as_u16(), |()| 200)
    }

    fn operator(access: &Access, peer: &str, headers: &HeaderMap) -> u16 {
        access.operator(&at(peer), headers).map_or_else(|e| e.respond(Protocol::Ollama).status().as_u16(), |()| 200)
    }

    #[test]
    fn who_comes_from_the_one_address_that_is_listened_on_is_this_machine() {
        let seen = |peer: &str, bound: &str| {
            let ends = Ends { peer: peer.parse().unwrap(), bound: bound.parse().ok() };
            let only = Access { allow: serde_json::from_str(r#"["192.168.1.0/24"]"#).unwrap(), ..access(&[], None) };
            let (open, none) = (access(&[], None), HeaderMap::new());
            [open.operator(&ends, &none), open.client(&ends, &none), only.client(&ends, &none)]
                .map(|let_in| let_in.is_ok())
        };
        let rows = [
            (seen("192.168.1.7:4000", "192.168.1.7"), [true, true, true]),
            (seen("[::ffff:192.168.1.7]:4000", "192.168.1.7"), [true, true, true]),
            (seen("203.0.113.7:4000", "203.0.113.7"), [true, true, false]),
            (seen("192.168.1.8:4000", "192.168.1.7"), [false, true, true]),
            (seen("203.0.113.8:4000", "203.0.113.7"), [false, false, false]),
            // A router that listens on all addresses knows this machine by the loopback alone.
            (seen("192.168.1.7:4000", ""), [false, true, true]),
            (seen("203.0.113.7:4000", ""), [false, false, false]),
        ];
        for (place, (seen, expected)) in rows.into_iter().enumerate() {
            assert_eq!(seen, expected, "row {place}");
        }
    }

    #[test]
    fn without_keys_only_near_peers_are_served() {
        let open = access(&[], None);
        let none = HeaderMap::new();
        assert_eq!([HERE, NEAR, FAR].map(|peer| client(&open, peer, &none)), [200, 200, 403]);
    }

    #[test]
    fn with_keys_any_peer_with_one_of_them_is_served() {
        let keyed = access(&["one", "two"], None);
        let basic = format!("Basic {}", BASE64_STANDARD.encode("user:two"));
        let cases = [
            (headers("authorization", "Bearer one"), 200),
            (headers("authorization", "bearer two"), 200),
            (headers("x-api-key", "two"), 200),
            (headers("authorization", &basic), 200),
            (headers("authorization", "Bearer three"), 401),
            (headers("authorization", "Bearer "), 401),
            (HeaderMap::new(), 401),
        ];
        for (headers, expected) in cases {
            assert_eq!(client(&keyed, FAR, &headers), expected, "{headers:?}");
            assert_eq!(client(&keyed, HERE, &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn operators_are_here_or_have_the_admin_key() {
        let none = HeaderMap::new();
        assert_eq!([HERE, NEAR].map(|peer| operator(&access(&[], None), peer, &none)), [200, 403]);
        let keyed = access(&["one"], Some("admin"));
        assert_eq!([HERE, NEAR].map(|peer| operator(&keyed, peer, &none)), [401, 401]);
        assert_eq!(operator(&keyed, NEAR, &headers("authorization", "Bearer admin")), 200);
        assert_eq!(operator(&keyed, NEAR, &headers("authorization", "Bearer one")), 401);
    }
}
