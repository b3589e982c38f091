//! A server process that ends with this process.

use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

/// A program. Dropping this ends the program and its child processes.
pub struct Server(pub Child);

impl Server {
    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // On SIGINT wrangler ends workerd; SIGKILL would leave workerd running.
        let ended = self.is_running()
            && Command::new("kill")
                .args(["-INT", &self.0.id().to_string()])
                .status()
                .is_ok_and(|status| status.success());
        let began = Instant::now();
        while ended && began.elapsed() < Duration::from_secs(10) {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
