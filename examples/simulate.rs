//! Two stacks, a lane each way that loses 2% of all packets, and an echo of 1 MiB, in virtual time:
//! the same figures on every machine.
//!
//! ```sh
//! cargo run --example simulate
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};

use zerotcp::device::{Impairment, Lane};
use zerotcp::stack::{Config, Event, Listen, Meta, Stack};
use zerotcp::time::Instant;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ECHO: u16 = 7;
const OCTETS: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut client = Stack::new(Config::seeded(CLIENT, 1));
    let mut server = Stack::new(Config::seeded(SERVER, 2));
    let network: Impairment = "loss=2%,delay=10ms,rate=100mbit".parse()?;
    // A seed of its own for each, or both would lose the same.
    let mut there = Lane::new(Impairment { seed: 3, ..network });
    let mut back = Lane::new(Impairment { seed: 4, ..network });

    server.listen(Listen::port(ECHO))?;
    let mut now = Instant::ZERO;
    let connection = client.connect(now, SocketAddrV4::new(SERVER, ECHO))?;
    let text: Vec<u8> = (0..OCTETS).map(|n| (n % 251) as u8).collect();
    let (mut sent, mut echoed) = (0, Vec::new());
    let mut accepted = None;
    let mut buffer = vec![0; 1 << 16];
    while echoed.len() < OCTETS {
        // What has come by now.
        while let Some(len) = there.receive(now, &mut buffer) {
            server.receive(now, &buffer[..len], Meta::default());
        }
        while let Some(len) = back.receive(now, &mut buffer) {
            client.receive(now, &buffer[..len], Meta::default());
        }
        client.handle_timeout(now);
        server.handle_timeout(now);

        // The users' turn.
        while let Some(event) = server.poll_event() {
            if let Event::Incoming(listener) = event {
                accepted = server.accept(listener);
            }
        }
        if let Some(peer) = accepted {
            let room = server.send_room(peer).min(buffer.len());
            if let Ok(len) = server.recv(peer, &mut buffer[..room]) {
                server.send(peer, &buffer[..len])?;
            }
        }
        while let Some(event) = client.poll_event() {
            if let Event::Closed(_, reason) = event {
                return Err(format!("closed: {reason:?}").into());
            }
        }
        if sent < OCTETS {
            sent += client.send(connection, &text[sent..]).unwrap_or(0);
        }
        if let Ok(len) = client.recv(connection, &mut buffer) {
            echoed.extend_from_slice(&buffer[..len]);
        }

        // What that lets go, and on to the next time at which something is due.
        while let Some(transmit) = client.poll_transmit(now, &mut buffer) {
            there.send(now, &buffer[..transmit.len]);
        }
        while let Some(transmit) = server.poll_transmit(now, &mut buffer) {
            back.send(now, &buffer[..transmit.len]);
        }
        let dues = [there.poll_timeout(), back.poll_timeout()];
        let timers = [client.poll_timeout(), server.poll_timeout()];
        let due = dues.into_iter().chain(timers).flatten().min();
        now = now.max(due.ok_or("nothing will ever happen again")?);
    }
    assert!(echoed == text, "the echo is what was sent");
    let seconds = (now - Instant::ZERO).as_secs_f64();
    let goodput = OCTETS as f64 * 8.0 / seconds / 1e6;
    let lost = there.counters().lost + back.counters().lost;
    println!("{OCTETS} octets there and back in {seconds:.3} virtual seconds: {goodput:.1} Mbit/s");
    println!("{lost} packets lost");
    Ok(())
}
