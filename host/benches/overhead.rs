//! What the router costs: the same calls straight to a stub, through it, and
//! through nginx as a plain reverse proxy, if that is installed.
//!
//! Prints times and processor time, and the differences within one run; absolute
//! figures say more about the machine. Client, stub and router share this
//! process, so what a call through the router takes more is the router's; of
//! nginx its own process is counted. Linux only (it reads `/proc`);
//! `cargo bench --bench overhead`.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark")]

use std::{
    cell::Cell,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::header::CONTENT_TYPE, response::IntoResponse as _, routing};
use bytes::Bytes;
use futures_util::stream;
use ollama_router::{
    app::App,
    config::load::{self, Override, Sources},
};
use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime};

/// Calls of each kind, after a warm-up of a tenth of them.
const CALLS: usize = 2_000;

/// Pieces of the long answer, and how many such answers are read.
const PIECES: usize = 500;
const ANSWERS: usize = 10;

/// The pause between two pieces, so that each travels by itself.
const PAUSE: Duration = Duration::from_millis(1);

fn main() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let upstream =
        serve(Router::new().route("/models", routing::get(models)).route("/chat/completions", routing::post(chat)))
            .await;
    let folder = tempfile::TempDir::new().unwrap();
    let router = start(upstream, folder.path().join("config.yaml")).await;
    let client = reqwest::Client::builder().tcp_nodelay(true).build().unwrap();

    let request = |streaming: bool, pieces: usize| {
        json!({"model": "a/m:free", "stream": streaming, "messages": [{"role": "user", "content": "x".repeat(200)}], "max_tokens": pieces,
               "options": {"num_predict": pieces}})
            .to_string()
    };
    let nginx = Nginx::start(upstream, folder.path());
    let direct = format!("http://{upstream}/chat/completions");
    let openai = format!("http://{router}/v1/chat/completions");
    let ollama = format!("http://{router}/api/chat");

    println!("{:<34} {:>10} {:>10} {:>10} {:>12}", "", "p50 us", "p99 us", "cpu us", "cpu added us");
    let base = report("short, straight", &calls(&client, &direct, &request(true, 1)).await, None);
    if let Some(nginx) = &nginx {
        report("short, nginx", &calls(&client, &nginx.url, &request(true, 1)).await, Some(base));
        nginx.report(CALLS + CALLS / 10);
    }
    report("short, OpenAI, whole", &calls(&client, &openai, &request(false, 1)).await, Some(base));
    report("short, OpenAI, streamed", &calls(&client, &openai, &request(true, 1)).await, Some(base));
    report("short, Ollama, whole", &calls(&client, &ollama, &request(false, 1)).await, Some(base));
    report("short, Ollama, streamed", &calls(&client, &ollama, &request(true, 1)).await, Some(base));

    println!("\n{:<34} {:>14} {:>18}", "", "cpu us a piece", "added us a piece");
    let base = pieces("long, straight", &client, &direct, &request(true, PIECES), None).await;
    if let Some(nginx) = &nginx {
        nginx.reset();
        pieces("long, nginx", &client, &nginx.url, &request(true, PIECES), Some(base)).await;
        nginx.report((ANSWERS + 1) * PIECES);
    }
    pieces("long, OpenAI, streamed", &client, &openai, &request(true, PIECES), Some(base)).await;
    pieces("long, Ollama, streamed", &client, &ollama, &request(true, PIECES), Some(base)).await;
}

/// nginx before the stub: unbuffered, one worker, connections kept.
struct Nginx {
    url: String,
    process: Child,
    spent: Cell<Duration>,
}

impl Nginx {
    /// Starts it; `None` where there is none.
    fn start(upstream: SocketAddr, folder: &Path) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "daemon off; worker_processes 1; master_process off; pid {folder}/pid; error_log /dev/null;
             events {{}}
             http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
               upstream stub {{ server {upstream}; keepalive 16; }}
               server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://stub; proxy_buffering off;
                 proxy_http_version 1.1; proxy_set_header Connection ''; }} }} }}",
            folder = folder.display(),
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let process = Command::new("nginx").arg("-c").arg(&file).stderr(Stdio::null()).spawn().ok()?;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        let url = format!("http://127.0.0.1:{port}/chat/completions");
        Some(Self { url, process, spent: Cell::new(Duration::ZERO) })
    }

    fn cpu_time(&self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.process.id())).unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }

    fn reset(&self) {
        self.spent.set(self.cpu_time());
    }

    /// Prints what nginx itself took for each of so many units.
    fn report(&self, units: usize) {
        let each = micros(self.cpu_time().saturating_sub(self.spent.get())) / units as f64;
        println!("{:<34} {each:>10.2} us of processor time of its own, each", "  nginx's process");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// One kind of call, measured.
struct Measured {
    first_byte: Vec<Duration>,
    cpu: Duration,
}

/// Makes the same call again and again, and times its first byte.
async fn calls(client: &reqwest::Client, url: &str, body: &str) -> Measured {
    for _ in 0..CALLS / 10 {
        first_byte(client, url, body).await;
    }
    let (cpu, mut times) = (cpu_time(), Vec::with_capacity(CALLS));
    for _ in 0..CALLS {
        times.push(first_byte(client, url, body).await);
    }
    times.sort();
    Measured { first_byte: times, cpu: cpu_time().saturating_sub(cpu) }
}

async fn first_byte(client: &reqwest::Client, url: &str, body: &str) -> Duration {
    let started = Instant::now();
    let mut response = client.post(url).body(body.to_owned()).send().await.unwrap();
    assert!(response.status().is_success(), "{:?}", response.status());
    response.chunk().await.unwrap().unwrap();
    let elapsed = started.elapsed();
    while response.chunk().await.unwrap().is_some() {}
    elapsed
}

fn report(name: &str, measured: &Measured, base: Option<f64>) -> f64 {
    let at = |percent: usize| micros(measured.first_byte[CALLS * percent / 100]);
    let cpu = micros(measured.cpu) / CALLS as f64;
    let added = base.map_or(String::new(), |base| format!("{:>12.1}", cpu - base));
    println!("{name:<34} {:>10.0} {:>10.0} {cpu:>10.1} {added}", at(50), at(99));
    cpu
}

/// Reads long answers, and counts processor time a piece.
async fn pieces(name: &str, client: &reqwest::Client, url: &str, body: &str, base: Option<f64>) -> f64 {
    first_byte(client, url, body).await;
    let cpu = cpu_time();
    for _ in 0..ANSWERS {
        first_byte(client, url, body).await;
    }
    let each = micros(cpu_time().saturating_sub(cpu)) / (ANSWERS * PIECES) as f64;
    let added = base.map_or(String::new(), |base| format!("{:>18.2}", each - base));
    println!("{name:<34} {each:>14.2} {added}");
    each
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Processor time of all threads of this process.
fn cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

async fn serve(router: Router) -> SocketAddr {
    use axum::serve::ListenerExt as _;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no tracker")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn start(upstream: SocketAddr, file: std::path::PathBuf) -> SocketAddr {
    let set = |key: &str, text: &str| Override { key: key.to_owned(), text: text.to_owned(), flag: "--bench" };
    let overrides = vec![
        set("openrouter.base_url", &format!("http://{upstream}")),
        set("openrouter.api_key", "sk-or-v1-bench"),
        set("failover.requests_per_minute", "0"),
    ];
    let sources = Sources { file: Some(file), environment: Vec::new(), overrides };
    let app = App::build(load::load(&sources).unwrap(), sources, true).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no tracker")]
    tokio::spawn(app.serve(listener, std::future::pending()));
    address
}

async fn models() -> String {
    json!({"data": [{"id": "a/m:free", "name": "M", "context_length": 100_000,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0", "completion": "0"}, "supported_parameters": ["tools"]}]})
    .to_string()
}

/// Streams as many pieces as `max_tokens` says.
async fn chat(body: Bytes) -> axum::response::Response {
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let count = usize::try_from(body["max_tokens"].as_u64().unwrap()).unwrap();
    let text = |finish: &str| {
        format!(
            "data: {{\"id\":\"gen-1-aaaaaaaaaaaaaaaaaaaa\",\"provider\":\"P\",\"model\":\"a/m\",\"object\":\"chat.completion.chunk\",\"created\":1,\"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":\"word \"}},\"finish_reason\":{finish},\"native_finish_reason\":{finish},\"logprobs\":null}}]}}\n\n"
        )
    };
    let (piece, last) = (Bytes::from(text("null")), Bytes::from(text("\"stop\"") + "data: [DONE]\n\n"));
    let pieces = (1..=count)
        .map(move |number| Ok::<_, std::io::Error>(if number == count { last.clone() } else { piece.clone() }));
    let paced = stream::unfold(pieces, move |mut pieces| async move {
        if count > 1 {
            tokio::time::sleep(PAUSE).await;
        }
        pieces.next().map(|piece| (piece, pieces))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced)).into_response()
}
