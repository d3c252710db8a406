//! Ends of connections, in the orders that there are.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;

use zerotcp::tcp::State;

use crate::common::network::{KERNEL, PATIENCE, ZEROTCP, tun};
use crate::common::noise::{assert_same, noise};
use crate::gate::Gate;
use crate::host::{Host, PORT};

/// The kernel's code for TIME-WAIT in `/proc/net/tcp`.
const KERNEL_TIME_WAIT: &str = "06";

pub fn simultaneous_close() {
    let mut host = Host::new(Gate::new(tun(KERNEL).unwrap()));
    let (close, closes) = mpsc::channel::<()>();
    let kernel = thread::spawn(move || {
        let mut stream = connect();
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        closes.recv().unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        stream
    });
    let id = host.accept();
    host.send_all(id, b"world");
    // Until nothing is on its way: what crosses is the FINs alone.
    host.settle();
    assert_eq!(host.stack().recv(id, &mut [0; 10]), Ok(5));
    host.stack().shutdown(id).unwrap();
    host.until_entered(State::FinWait1);
    // Ours waits at the gate for theirs.
    host.settle();
    assert_eq!(host.stack().state(id), Some(State::FinWait1));
    close.send(()).unwrap();
    host.until_entered(State::TimeWait);
    let stream = kernel.join().unwrap();
    assert!(host.states().ends_with(&[
        State::Established,
        State::FinWait1,
        State::Closing,
        State::TimeWait
    ]));
    // Only those who closed first are in TIME-WAIT: the kernel is too.
    let port = stream.local_addr().unwrap().port();
    host.settle();
    assert_eq!(kernel_state(port).as_deref(), Some(KERNEL_TIME_WAIT));
    host.until_gone(id);
    assert_eq!(host.states().last(), Some(&State::Closed));
}

pub fn half_close_kernel_first() {
    let mut host = Host::new(tun(KERNEL).unwrap());
    let (request, answer) = (noise(50_000, 1), noise(2 << 20, 2));
    let kernel = thread::spawn({
        let request = request.clone();
        move || {
            let mut stream = connect();
            stream.write_all(&request).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        }
    });
    let id = host.accept();
    assert_same(&host.read_to_end(id), &request);
    assert_eq!(host.stack().state(id), Some(State::CloseWait));
    host.send_all(id, &answer);
    host.stack().shutdown(id).unwrap();
    host.until_gone(id);
    assert_same(&kernel.join().unwrap(), &answer);
    assert!(host.states().ends_with(&[
        State::Established,
        State::CloseWait,
        State::LastAck,
        State::Closed
    ]));
}

pub fn half_close_zerotcp_first() {
    let mut host = Host::new(tun(KERNEL).unwrap());
    let (request, answer) = (noise(50_000, 3), noise(2 << 20, 4));
    let kernel = thread::spawn({
        let answer = answer.clone();
        move || {
            let mut stream = connect();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).unwrap();
            stream.write_all(&answer).unwrap();
            request
        }
    });
    let id = host.accept();
    host.send_all(id, &request);
    host.stack().shutdown(id).unwrap();
    assert_same(&host.read_to_end(id), &answer);
    host.until_entered(State::TimeWait);
    host.until_gone(id);
    assert_same(&kernel.join().unwrap(), &request);
    assert!(host.states().ends_with(&[
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::TimeWait,
        State::Closed
    ]));
}

/// A kernel's client of the host.
fn connect() -> TcpStream {
    let stream = TcpStream::connect((ZEROTCP, PORT)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The state of the kernel's socket with this local port, by its code in `/proc/net/tcp`.
fn kernel_state(port: u16) -> Option<String> {
    // The thread's, whose namespace is not that of the process.
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let local_port = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_it = fields.next()?.ends_with(&local_port);
        is_it.then(|| fields.nth(1).map(str::to_owned)).flatten()
    })
}
