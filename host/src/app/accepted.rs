//! A listener that tells who connects and on what, and has nothing held back.
//!
//! It must not know what is served, nor look into what is sent; who may use the router is
//! `api::access`'s to say.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use crate::api::access::Ends;

/// Accepts connections.
pub(super) struct Accepted {
    listener: TcpListener,
    bound: Option<IpAddr>,
}

impl Accepted {
    /// Accepts what a listener does.
    pub(super) fn new(listener: TcpListener) -> io::Result<Self> {
        let bound = Some(listener.local_addr()?.ip()).filter(|address| !address.is_unspecified());
        Ok(Self { listener, bound })
    }
}

impl Listener for Accepted {
    type Io = TcpStream;
    type Addr = Ends;

    async fn accept(&mut self) -> (TcpStream, Ends) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // Nagle's algorithm would hold small chunks back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        (stream, Ends { peer, bound: self.bound })
    }

    fn local_addr(&self) -> io::Result<Ends> {
        let peer: SocketAddr = self.listener.local_addr()?;
        Ok(Ends { peer, bound: self.bound })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_told_with_the_one_address_that_is_listened_on() {
        for (host, bound) in [("127.0.0.1", "127.0.0.1".parse().ok()), ("0.0.0.0", None)] {
            let listener = TcpListener::bind((host, 0)).await.unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
            let mut listener = Accepted::new(listener).unwrap();
            let (client, (server, ends)) = tokio::join!(TcpStream::connect(address), listener.accept());
            let expected = Ends { peer: client.unwrap().local_addr().unwrap(), bound };
            assert_eq!((ends, server.nodelay().unwrap()), (expected, true));
        }
    }
}
