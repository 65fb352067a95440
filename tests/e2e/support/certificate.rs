//! Certificates of a test's own, and clients that trust them alone.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::support::{http, models::free, program::Program, scene::Scene};

/// Where the files are in a home folder, and the settings that name them.
pub const CERT_FILE: &str = ".config/ollama-router/cert.pem";
pub const KEY_FILE: &str = ".config/ollama-router/key.pem";
pub const CONFIG: &str = ".config/ollama-router/config.yaml";
pub const SETTINGS: &str = "server:\n  tls_cert: cert.pem\n  tls_key: key.pem\n";

/// A certificate for this machine that has signed itself, and its key.
pub struct Certificate {
    /// As a PEM file has it.
    pub cert: String,
    /// The same of its private key.
    pub key: String,
}

impl Certificate {
    /// Makes one that holds for decades.
    pub fn new() -> Self {
        Self::of(2020, 2090)
    }

    /// Makes one that holds from the beginning of one year to that of another.
    pub fn of(from: i32, until: i32) -> Self {
        let mut wanted = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (wanted.not_before, wanted.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().unwrap();
        Self { cert: wanted.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    /// Returns a program whose settings name it.
    pub fn program(&self) -> Program {
        Program::new().file(CONFIG, SETTINGS).file(CERT_FILE, &self.cert).file(KEY_FILE, &self.key)
    }

    /// Returns the same before an upstream with one model.
    pub async fn scene(&self, model: &str) -> Scene {
        Scene::of(self.program(), free(&[model])).await
    }

    /// Returns a client that trusts it, and nobody else.
    pub fn client(&self) -> reqwest::Client {
        // The provider of cryptography is chosen there.
        drop(http());
        let trusted = reqwest::Certificate::from_pem(self.cert.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap()
    }
}
