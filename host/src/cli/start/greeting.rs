//! What the demo says once it serves: that it is one, and what to try.
//!
//! Words only. Each line can be pasted into another terminal as it is.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use crate::cli::hint::quoted;

/// Says what is simulated, and what to try; of HTTPS, how clients come to trust its certificate.
pub(super) fn print(address: SocketAddr, certificate: Option<&Path>, upstream: &str) -> io::Result<()> {
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let (port, ip) = (address.port(), address.ip());
    // Where it is reached by the usual name, and where the commands look by themselves.
    let is_usual = ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST;
    let base = if is_usual { format!("{scheme}://localhost:{port}") } else { format!("{scheme}://{address}") };
    let host = if is_usual { String::new() } else { format!(" -H {ip}") };
    let trust = certificate.map(|file| quoted(&file.display().to_string()));
    let with = |text: &dyn Fn(&str) -> String| trust.as_deref().map(text).unwrap_or_default();
    writeln!(
        anstream::stderr(),
        "
  DEMO: every model and every answer is SIMULATED. Nothing leaves this machine.
  (The simulated OpenRouter is at {upstream}.)

  Try, in another terminal:
    curl {curl}{base}/api/chat -d '{{\"model\":\"auto\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello!\"}}]}}'
    {go}OLLAMA_HOST={base} ollama list
    {python}python3 -c \"import ollama; print(ollama.Client('{base}').chat('auto', [dict(role='user', content='Hi')]).message.content)\"
    ollama-router list-models{flag}
    ollama-router status{status_flag}
{names}
  About one call in six fails on purpose: look at the header X-Router-Attempts (curl -i).
  brittle-2b:free breaks off each of its streams, prim-2b:free refuses each request.
  Stop with Ctrl-C.
",
        curl = with(&|file| format!("--cacert {file} ")),
        go = with(&|file| format!("SSL_CERT_FILE={file} ")),
        python = with(&|file| format!("SSL_CERT_FILE={file} ")),
        names = with(&|_| "  (For curl, ollama and Python the certificate has to be for the name localhost.)\n".to_owned()),
        flag = if port == 11434 { host.clone() } else { format!("{host} --port {port}") },
        status_flag = if port == 11434 { host } else { format!("{host} -p {port}") },
    )
}
