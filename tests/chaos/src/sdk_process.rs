//! The Node.js process with the clients that use the SDK for JavaScript: `web/sdk/test/torture`.
//!
//! Owns the process and its pipes. Orders go in and reports come out as lines of JSON, each with the
//! number of its client; `protocol.ts` beside the script defines them. What they mean is in
//! `sdk_client`.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Where the reports of each client go.
type Routes = Arc<Mutex<HashMap<u64, UnboundedSender<Value>>>>;

pub(crate) struct SdkProcess {
    orders: UnboundedSender<Value>,
    routes: Routes,
    /// Killed when this is dropped.
    _child: Child,
}

/// The process as one client sees it.
pub(crate) struct SdkLink {
    client: u32,
    orders: UnboundedSender<Value>,
    reports: UnboundedReceiver<Value>,
}

impl SdkProcess {
    /// Starts the script.
    pub(crate) fn start(script: &Path) -> Result<Self> {
        let mut child = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("node {}", script.display()))?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let (orders, queue) = mpsc::unbounded_channel();
        let routes = Routes::default();
        tokio::spawn(write(stdin, queue));
        tokio::spawn(read(stdout, Arc::clone(&routes)));
        Ok(Self {
            orders,
            routes,
            _child: child,
        })
    }

    /// A link for the client of this number.
    pub(crate) fn link(&self, client: u32) -> SdkLink {
        let (sender, reports) = mpsc::unbounded_channel();
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.insert(u64::from(client), sender);
        SdkLink {
            client,
            orders: self.orders.clone(),
            reports,
        }
    }
}

impl SdkLink {
    /// Orders something; the fields of `order` are those of `protocol.ts`, without the client.
    pub(crate) fn order(&self, mut order: Value) {
        order["client"] = json!(self.client);
        // A process that has ended is noticed by its reports.
        let _ = self.orders.send(order);
    }

    /// The next report; none when the process has ended.
    pub(crate) async fn report(&mut self) -> Option<Value> {
        self.reports.recv().await
    }
}

async fn write(mut stdin: ChildStdin, mut orders: UnboundedReceiver<Value>) {
    while let Some(order) = orders.recv().await {
        if stdin
            .write_all(format!("{order}\n").as_bytes())
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn read(stdout: ChildStdout, routes: Routes) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = serde_json::from_str::<Value>(&line) else {
            eprintln!("the process of the SDK wrote no JSON: {line}");
            continue;
        };
        let client = report["client"].as_u64().unwrap_or(u64::MAX);
        let routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = routes.get(&client) {
            // A client that is done reads no more reports.
            let _ = route.send(report);
        }
    }
    // Ends every wait for a report.
    routes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
}
