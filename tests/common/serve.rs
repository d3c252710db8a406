//! A child that runs `zerotcp serve`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::network::PATIENCE;

/// A running `zerotcp serve`, killed at the latest when it goes out of scope.
pub struct Serve {
    child: Child,
    printed: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A `zerotcp serve` that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub printed: String,
}

impl Serve {
    /// Starts it and waits until it serves.
    pub fn start(arguments: &[&str]) -> Serve {
        let mut child = program(&["serve"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut introduction = String::new();
        while !introduction.contains("Ctrl-C") {
            let len = lines.read_line(&mut introduction).unwrap();
            assert!(len > 0, "it ended early: {introduction}");
        }
        let printed = Arc::new(Mutex::new(introduction));
        let reader = thread::spawn({
            let printed = Arc::clone(&printed);
            move || {
                for line in lines.lines().map_while(Result::ok) {
                    let mut printed = printed.lock().unwrap();
                    *printed += &line;
                    *printed += "\n";
                }
            }
        });
        Serve {
            child,
            printed,
            reader: Some(reader),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Presses Ctrl-C and waits for the end.
    pub fn stop(self) -> Ended {
        self.signal(Signal::SIGINT);
        self.wait()
    }

    /// Waits for the end, which something else has brought about.
    pub fn wait(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        self.reader.take().unwrap().join().unwrap();
        let printed = self.printed.lock().unwrap().clone();
        Ended { status, printed }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It has ended already, but for a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zerotcp"));
    command.args(arguments).stdin(Stdio::null());
    command
}
