//! Can OpenRouter be reached, and what does it say of a key? For `doctor`.
//!
//! One call of `GET /key`, which costs no quota and answers without a key too. Tells
//! what was seen and decides nothing; the reader puts it into words.

use std::time::{Duration, Instant};

use reqwest::header::DATE;

use crate::{
    openrouter::{
        Client, KEY_TIMEOUT, MAX_KEY_BYTES,
        key::{self, KeyFacts},
        network, read, refusal,
    },
    routing::{Failure, FailureKind},
};

/// What was seen of an upstream that answers.
#[derive(Debug)]
pub struct Seen {
    /// How long it took to answer.
    pub took: Duration,
    /// Its time of day as it writes it, such as `Thu, 26 Nov 2026 18:00:00 GMT`.
    pub date: Option<String>,
    /// What it says of the key, or why it does not.
    pub key: Result<KeyFacts, Failure>,
}

impl Client {
    /// Asks about the key that is sent. Fails if nobody answers.
    pub async fn probe(&self) -> Result<Seen, Failure> {
        let began = Instant::now();
        let fetch = async {
            let request = self.http.get(format!("{}/key", self.base_url)).headers(self.headers.clone());
            let response = request.send().await.map_err(|error| network(&error))?;
            let took = began.elapsed();
            let date = response.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
            let key = if response.status().is_success() {
                let body = read(response, MAX_KEY_BYTES).await?;
                let unread = || Failure::new(FailureKind::BadAnswer, "the answer tells nothing of a key");
                key::facts(&body).ok_or_else(unread)
            } else {
                Err(refusal(response).await)
            };
            Ok(Seen { took, date, key })
        };
        tokio::time::timeout(KEY_TIMEOUT, fetch).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", KEY_TIMEOUT.as_secs());
            Err(Failure::new(FailureKind::TimedOut, message))
        })
    }
}
