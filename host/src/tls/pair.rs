//! A certificate and its key, as two PEM files have them; each fault with its remedy.
//!
//! Reads files, and holds them against each other. It must never put a key into an error.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use rustls::{Error as Refusal, InconsistentKeys, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};

use crate::tls::{CERT, Error, KEY, provider};

/// The largest file, in bytes: a certificate with its issuers has some 6 KiB.
const FILE_BYTES: u64 = 256 << 10;

/// How a key begins that needs a password, in the form of today and in that of old.
const LOCKED: [&str; 2] = ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];

/// What is wrong with a file, and what to do.
type Fault = (&'static str, String);

/// Reads both, and checks that they belong together.
pub(super) fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    let chain = chain(cert)?;
    let (what, kinds) = (
        "has a private key of a kind that cannot be used",
        "use RSA with 2048 to 4096 bits, ECDSA with P-256 or P-384, or Ed25519",
    );
    let private = private_key(&text(KEY, key)?, key).map_err(of(KEY, key))?;
    let usable = provider().key_provider.load_private_key(private);
    let usable = usable.map_err(|_unparsed| of(KEY, key)((what, kinds.to_owned())))?;
    let pair = CertifiedKey::new(chain, usable);
    match pair.keys_match() {
        Ok(()) | Err(Refusal::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(Refusal::InconsistentKeys(_)) => {
            let remedy = format!(
                "name the key with which {} was made; if that holds several certificates, the router's own has to be first",
                cert.display()
            );
            Err(of(KEY, key)(("is not the key of the certificate", remedy)))
        }
        Err(_) => {
            let remedy = "copy it again, whole; it has to be X.509 of version 3".to_owned();
            Err(of(CERT, cert)(("holds a certificate that cannot be used", remedy)))
        }
    }
}

/// Reads a certificate and those of its issuers, the own one in front; never empty.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = text(CERT, file)?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = chain.map_err(|fault| of(CERT, file)(damaged(&fault)))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(of(CERT, file)(if text.contains("PRIVATE KEY-----") {
        ("holds a private key and no certificate", format!("see that {CERT} and {KEY} are not exchanged"))
    } else {
        let remedy = "name the one with `-----BEGIN CERTIFICATE-----` in it; certbot calls it fullchain.pem";
        ("holds no certificate", remedy.to_owned())
    }))
}

fn private_key(text: &str, file: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    if LOCKED.iter().any(|mark| text.contains(mark)) {
        let remedy = format!("take it off with `openssl pkey -in {} -out KEY.pem`, and name KEY.pem", file.display());
        return Err(("is protected by a password, and nobody is there to type it", remedy));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|fault| match fault {
        pem::Error::NoItemsFound if text.contains("BEGIN CERTIFICATE-----") => {
            ("holds a certificate and no private key", format!("see that {CERT} and {KEY} are not exchanged"))
        }
        pem::Error::NoItemsFound => {
            let remedy = "name the one with `-----BEGIN PRIVATE KEY-----` in it; certbot calls it privkey.pem";
            ("holds no private key", remedy.to_owned())
        }
        fault => damaged(&fault),
    })
}

/// Says that a file is not whole. The fault itself may quote a line of it.
fn damaged(fault: &pem::Error) -> Fault {
    let what = match fault {
        pem::Error::MissingSectionEnd { .. } => "is damaged: its end is missing",
        pem::Error::Base64Decode(_) => "is damaged: a letter in it is wrong",
        _ => "is damaged: a line in it is wrong",
    };
    (what, "copy it again, whole".to_owned())
}

/// Reads a whole file.
fn text(setting: &'static str, file: &Path) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|open| open.take(FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(setting, file, &error))?;
    if bytes.len() as u64 > FILE_BYTES {
        let remedy = format!("name the PEM file, which has {} KiB at most", FILE_BYTES >> 10);
        return Err(of(setting, file)(("is too large", remedy)));
    }
    String::from_utf8(bytes).map_err(|_binary| {
        let (kind, flag) = if setting == KEY { ("pkey", "") } else { ("x509", "-inform der ") };
        let remedy = format!("make it one with `openssl {kind} {flag}-in {} -out FILE.pem`", file.display());
        of(setting, file)(("is no PEM text", remedy))
    })
}

/// Says why a file cannot be read, and what to do.
fn unreadable(setting: &'static str, file: &Path, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => {
            "check the path; one that is not absolute starts at the folder of the settings file".to_owned()
        }
        io::ErrorKind::PermissionDenied => format!(
            "let the user that runs the router read it (`chgrp` and `chmod g+r {}`), and enter its folder",
            file.display()
        ),
        io::ErrorKind::IsADirectory => "name the file in this folder".to_owned(),
        _ => "see that it is a plain file".to_owned(),
    };
    Error::File { setting, file: file.to_owned(), what: format!("cannot be read ({error})"), remedy }
}

/// Returns what makes an error of a fault of this file.
fn of(setting: &'static str, file: &Path) -> impl Fn(Fault) -> Error {
    move |(what, remedy)| Error::File { setting, file: file.to_owned(), what: what.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_read_a_file_is_told_how_to_let_the_router() {
        let refused = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(
            unreadable(KEY, Path::new("/etc/key.pem"), &refused).to_string(),
            "server.tls_key: /etc/key.pem cannot be read (permission denied): let the user that runs the router read it \
             (`chgrp` and `chmod g+r /etc/key.pem`), and enter its folder"
        );
    }
}
