//! The two things that this program talks to over HTTP, on addresses that the user gave: witnesses, and
//! a Bitcoin node.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use coordinator::witnesses::Transport;
use serde_json::{Value, json};

use crate::fail::Fail;

/// Bytes of the largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .proxy(None)
        .build();
    config.into()
}

/// HTTP to witnesses.
pub struct Http(ureq::Agent);

impl Http {
    /// With a time limit that keeps one dead witness from stopping the others.
    pub fn new() -> Self {
        Self(agent(Duration::from_secs(10)))
    }
}

impl Transport for Http {
    fn post(&self, url: &str, body: &[u8]) -> Result<(u16, Vec<u8>), String> {
        let mut response = self.0.post(url).send(body).map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let limited = response.body_mut().with_config().limit(64 * 1024);
        Ok((status, limited.read_to_vec().map_err(|e| e.to_string())?))
    }
}

/// A node's RPC.
pub struct Node {
    agent: ureq::Agent,
    url: String,
    auth: Option<String>,
}

impl Node {
    /// From `http://user:password@host:port[/wallet/name]`.
    pub fn new(url: &str) -> Result<Self, Fail> {
        let bad =
            || Fail::malformed("--node", "", "a URL like http://user:password@127.0.0.1:8332");
        let rest = url.strip_prefix("http://").ok_or_else(bad)?;
        let (auth, host) = match rest.rsplit_once('@') {
            Some((auth, host)) => (Some(format!("Basic {}", BASE64_STANDARD.encode(auth))), host),
            None => (None, rest),
        };
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self { agent: agent(Duration::from_secs(600)), url: format!("http://{host}"), auth })
    }

    /// One call; an error of the node is a failure with its message.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value, Fail> {
        let failed = |e: &dyn std::fmt::Display| Fail::failed(format!("node: {method}: {e}"));
        let body =
            json!({"jsonrpc": "1.0", "id": "countersign", "method": method, "params": params});
        let mut request = self.agent.post(&self.url).header("content-type", "application/json");
        if let Some(auth) = &self.auth {
            request = request.header("authorization", auth);
        }
        let mut response = request.send(body.to_string().as_bytes()).map_err(|e| failed(&e))?;
        let limited = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = limited.read_to_vec().map_err(|e| failed(&e))?;
        let mut answer: Value = serde_json::from_slice(&bytes)
            .map_err(|_| failed(&format!("status {}", response.status())))?;
        if let Some(error) = answer.get("error").filter(|e| !e.is_null()) {
            return Err(failed(error.get("message").unwrap_or(error)));
        }
        Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
    }
}
