//! A server that is measured: it is started, tells its port on its standard output, and ends with its value.

use crate::process::Meter;
use anyhow::{Context, Result, bail};
use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How many of the last lines of a server's output are kept for error texts.
const LINES: usize = 10;

/// A running server; dropping it ends the process.
pub struct Server {
    child: Child,
    /// Where it serves.
    pub address: SocketAddr,
    /// Where its Durable Objects take orders (bench/contenders/orders.mjs), if it has them.
    pub orders: Option<SocketAddr>,
    /// The time from its spawn until it told its port.
    pub listened: Duration,
    /// The CPU time and memory that it uses.
    pub meter: Meter,
    /// What it wrote last.
    pub output: Output,
    /// What its Durable Objects store; removed with it.
    objects: Option<PathBuf>,
}

impl Server {
    /// Starts a program that writes `{"event":"listen","socket":…,"port":…}` to its standard output, as workerd does
    /// with `--control-fd=1`, for the socket that is measured last. `objects` is the folder of its Durable Objects.
    ///
    /// # Errors
    /// If it ends before, with the last lines that it wrote.
    pub fn start(mut command: Command, objects: Option<PathBuf>) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{} can't be run", command.get_program().display()))?;
        let output = Output::default();
        output.read(child.stderr.take().context("no standard error")?);
        let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let (mut line, mut orders) = (String::new(), None);
        let address = loop {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                let _ = child.kill();
                bail!("it ended at once with {}:{}", child.wait()?, output.last_lines());
            }
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            match event["port"].as_u64().map(u16::try_from).transpose()? {
                Some(port) if event["socket"] == "orders" => orders = Some(([127, 0, 0, 1], port).into()),
                Some(port) => break ([127, 0, 0, 1], port).into(),
                None => output.keep(&line),
            }
        };
        let listened = began.elapsed();
        output.read(stdout);
        let meter = Meter::new(child.id());
        Ok(Self { child, address, orders, listened, meter, output, objects })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first: gunicorn then ends its workers.
        let signalled = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let deadline = Instant::now() + Duration::from_secs(if signalled.is_ok() { 5 } else { 0 });
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.objects {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The last lines that a server wrote to its standard output and error.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<VecDeque<String>>>);

impl Output {
    /// Reads everything in a thread, so that the server never waits for a full pipe.
    fn read(&self, from: impl Read + Send + 'static) {
        let output = self.clone();
        thread::spawn(move || {
            let mut from = BufReader::with_capacity(1 << 16, from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                output.keep(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
    }

    fn keep(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line.trim_end().to_owned());
    }

    /// The lines, each after a line break.
    pub fn last_lines(&self) -> String {
        // The thread may not have read yet what was written last.
        thread::sleep(Duration::from_millis(50));
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("\n    {line}")).collect()
    }
}
