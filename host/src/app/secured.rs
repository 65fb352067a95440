//! A listener whose connections are TLS, handshakes and all.
//!
//! A handshake is done by the task of its connection, when that first reads: no client
//! keeps another from being accepted. Who speaks plain HTTP is told so. It must not know
//! what is served; the certificate is `tls`'s.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::tls::PLAIN_HTTP;

/// How long a client may take for its handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of every client that speaks TLS: the type of a handshake record.
const TLS_RECORD: u8 = 22;

/// As much of a request in plain HTTP as is read before the connection is closed.
const MOST_UNREAD_BYTES: usize = 1 << 20;

/// Accepts connections and puts TLS around them.
pub(super) struct Secured<L> {
    listener: L,
    acceptor: TlsAcceptor,
}

/// A connection, which has done its handshake once something was read from it.
pub(super) enum Stream {
    /// Before that.
    Shaking(Shaking),
    /// After it.
    Open(Box<TlsStream<TcpStream>>),
    /// It failed, and nothing more comes.
    Closed,
}

type Shaking = Pin<Box<dyn Future<Output = io::Result<TlsStream<TcpStream>>> + Send>>;

impl<L> Secured<L> {
    /// Puts TLS around what a listener accepts.
    pub(super) fn new(listener: L, config: Arc<ServerConfig>) -> Self {
        Self { listener, acceptor: config.into() }
    }
}

impl<L: Listener<Io = TcpStream>> Listener for Secured<L> {
    type Io = Stream;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Stream, L::Addr) {
        let (stream, ends) = self.listener.accept().await;
        let peer = stream.peer_addr();
        let acceptor = self.acceptor.clone();
        let shaking = async move {
            let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, shake(stream, acceptor)).await;
            let shaken = shaken.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
            shaken.inspect_err(|error| tracing::debug!(%error, ?peer, "a TLS handshake failed"))
        };
        (Stream::Shaking(Box::pin(shaking)), ends)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

/// Does a handshake, or tells a client of plain HTTP what it has met.
async fn shake(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [TLS_RECORD];
    stream.peek(&mut first).await?;
    if first == [TLS_RECORD] {
        return acceptor.accept(stream).await;
    }
    refuse(stream).await?;
    Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"))
}

/// Answers in plain HTTP, and reads what is still coming: to close with something unread
/// would take the answer back.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let length = PLAIN_HTTP.len() + 1;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{PLAIN_HTTP}\n"
    );
    let mut unsent = answer.as_bytes();
    while !unsent.is_empty() {
        let sent = poll_fn(|context| Pin::new(&mut stream).poll_write(context, unsent)).await?;
        unsent = &unsent[sent..];
    }
    poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await?;
    let (mut buffer, mut read) = ([0; 4096], 0);
    while read < MOST_UNREAD_BYTES {
        stream.readable().await?;
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Stream {
    /// Goes on with the handshake, and gives the connection once it is done.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Self::Shaking(shaking) = self {
            *self = match ready!(shaking.as_mut().poll(context)) {
                Ok(stream) => Self::Open(Box::new(stream)),
                Err(error) => {
                    *self = Self::Closed;
                    return Poll::Ready(Err(error));
                }
            };
        }
        Poll::Ready(match self {
            Self::Open(stream) => Ok(Pin::new(&mut **stream)),
            Self::Shaking(_) | Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(context))?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(context))?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(context))?.poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        // As that of a connection that is open.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Open(stream) => Pin::new(&mut **stream).poll_flush(context),
            // Nothing was written.
            Self::Shaking(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Open(stream) => Pin::new(&mut **stream).poll_shutdown(context),
            // Who has not greeted needs no farewell.
            Self::Shaking(_) | Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
