//! Servers that are measured: started, told from their output where they listen, and ended.

use crate::process::Meter;
use anyhow::{Context, Result, bail};
use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How many of the last lines of a server's output are kept.
const KEPT: usize = 10;

/// A running server; it ends with this value.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its objects take orders (bench/contenders/orders.mjs), if it has any.
    pub orders: Option<SocketAddr>,
    /// What it uses.
    pub meter: Meter,
    output: Arc<Mutex<VecDeque<String>>>,
    /// What its objects store; gone with it.
    objects: Option<PathBuf>,
}

impl Server {
    /// Starts a server that writes `{"event":"listen","port":…}` on its standard output, as workerd does under
    /// `--control-fd=1`.
    ///
    /// # Errors
    /// If it can't be started, with what it wrote.
    pub fn start(command: Command) -> Result<Self> {
        Self::start_listening(command, None)
    }

    /// The same, of one that has objects, which store in this folder and take orders at a socket of their own.
    ///
    /// # Errors
    /// If it can't be started, with what it wrote.
    pub fn start_with_objects(command: Command, folder: PathBuf) -> Result<Self> {
        Self::start_listening(command, Some(folder))
    }

    fn start_listening(mut command: Command, objects: Option<PathBuf>) -> Result<Self> {
        let (mut child, output) = spawn(&mut command)?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        let mut orders = None;
        let address = loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                let _ = child.kill();
                let status = child.wait()?;
                bail!("a server ended at once with {status}: {}", last(&output));
            }
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            // In the order of the configuration: that of the requests is the last.
            match event["port"].as_u64().map(u16::try_from).transpose()? {
                Some(port) if event["socket"] == "orders" => orders = Some(([127, 0, 0, 1], port).into()),
                Some(port) => break ([127, 0, 0, 1], port).into(),
                None => keep(&output, &line),
            }
        };
        drain(lines, &output);
        let meter = Meter::new(child.id());
        Ok(Self { child, address, orders, meter, output, objects })
    }

    /// Starts a server that was told its port.
    ///
    /// # Errors
    /// If it can't be started, with what it wrote.
    pub fn start_at(mut command: Command, port: u16) -> Result<Self> {
        let (mut child, output) = spawn(&mut command)?;
        drain(child.stdout.take().context("no standard output")?, &output);
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("a server ended at once with {status}: {}", last(&output));
            }
            if began.elapsed() > Duration::from_secs(20) {
                let _ = child.kill();
                bail!("a server does not listen after 20 s: {}", last(&output));
            }
            thread::sleep(Duration::from_millis(50));
        }
        // Its workers have been forked by then.
        thread::sleep(Duration::from_secs(1));
        let meter = Meter::new(child.id());
        Ok(Self { child, address, orders: None, meter, output, objects: None })
    }

    /// The last lines that it wrote.
    pub fn output(&self) -> String {
        last(&self.output)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked first: gunicorn then ends its workers.
        let asked = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let deadline = Instant::now() + Duration::from_secs(if asked.is_ok() { 5 } else { 0 });
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.objects {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

type Output = Arc<Mutex<VecDeque<String>>>;

fn spawn(command: &mut Command) -> Result<(Child, Output)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} can't be run", command.get_program().display()))?;
    let output = Output::default();
    drain(child.stderr.take().context("no standard error")?, &output);
    Ok((child, output))
}

/// Reads all that comes, so that the writer never waits, and keeps the end.
fn drain(from: impl Read + Send + 'static, output: &Output) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut from = BufReader::with_capacity(1 << 16, from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            keep(&output, &String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

fn keep(output: &Output, line: &str) {
    let mut output = output.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if output.len() == KEPT {
        output.pop_front();
    }
    output.push_back(line.trim_end().to_owned());
}

fn last(output: &Output) -> String {
    // What it wrote last may still be on its way.
    thread::sleep(Duration::from_millis(50));
    let output = output.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    output.iter().map(|line| format!("\n    {line}")).collect()
}
