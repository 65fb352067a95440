//! A listener that tells both ends of each connection, and has nothing held back on it.
//!
//! It must not know what is served, nor look into what is sent; who may use the router is
//! `api::access`'s to say.

use std::{io, net::SocketAddr};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};

use crate::api::access::Ends;

/// Accepts connections.
pub(super) struct Accepted(pub(super) TcpListener);

impl Listener for Accepted {
    type Io = TcpStream;
    type Addr = Ends;

    async fn accept(&mut self) -> (TcpStream, Ends) {
        let (stream, peer) = Listener::accept(&mut self.0).await;
        // Nagle's algorithm would hold small chunks back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        let ends = Ends { peer, local: stream.local_addr().ok() };
        (stream, ends)
    }

    fn local_addr(&self) -> io::Result<Ends> {
        let local: SocketAddr = self.0.local_addr()?;
        Ok(Ends { peer: local, local: Some(local) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_told_with_both_ends() {
        let mut listener = Accepted(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.0.local_addr().unwrap();
        let (client, (server, ends)) = tokio::join!(TcpStream::connect(address), listener.accept());
        let expected = Ends { peer: client.unwrap().local_addr().unwrap(), local: Some(address) };
        assert_eq!((ends, server.nodelay().unwrap()), (expected, true));
    }
}
