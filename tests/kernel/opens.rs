//! zerotcp opens.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use zerotcp::stack::SocketError;
use zerotcp::tcp::State;

use crate::common::network::{KERNEL, PATIENCE, tun};
use crate::common::noise::{assert_same, noise};
use crate::host::Host;

pub fn active_open_to_a_kernel_listener() {
    let mut host = Host::new(tun(KERNEL).unwrap());
    let listener = TcpListener::bind((KERNEL, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Sends back what it got when it got all of it.
    let kernel = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut data = Vec::new();
        client.read_to_end(&mut data).unwrap();
        client.write_all(&data).unwrap();
    });

    let data = noise(300_000, 1);
    let id = host.connect(port);
    host.until_entered(State::Established);
    host.send_all(id, &data);
    host.stack().shutdown(id).unwrap();
    assert_same(&host.read_to_end(id), &data);
    host.until_entered(State::TimeWait);
    host.until_gone(id);
    kernel.join().unwrap();
    assert_eq!(
        host.states(),
        [
            State::SynSent,
            State::Established,
            State::FinWait1,
            State::FinWait2,
            State::TimeWait,
            State::Closed,
        ]
    );
}

pub fn active_open_to_a_closed_port_is_refused() {
    let mut host = Host::new(tun(KERNEL).unwrap());
    // A port that nobody listens on, since its listener has just gone.
    let port = TcpListener::bind((KERNEL, 0)).map(|listener| listener.local_addr());
    let id = host.connect(port.unwrap().unwrap().port());
    let error = host.until("the refusal", |stack| match stack.recv(id, &mut [0]) {
        Err(SocketError::WouldBlock) => None,
        other => Some(other),
    });
    assert_eq!(error, Err(SocketError::Refused));
    assert_eq!(host.states(), [State::SynSent, State::Closed]);
}
