//! `zerotcp demo`: one connection, every segment of it explained.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use zerotcp::device::{Tun, TunConfig, enter_private_network};
use zerotcp::socket::{Direction, Driver, Observer};
use zerotcp::stack::{Config, Event, Listen, Quad, Stack};
use zerotcp::tcp::State;
use zerotcp::time::Instant;
use zerotcp::wire::{Ipv4Packet, SeqNumber, TcpFlags, TcpSegment};

use crate::commands::Failure;

const KERNEL: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const ZEROTCP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
/// The echo port (RFC 862).
const PORT: u16 = 7;
const MESSAGE: &[u8] = b"hello, zerotcp\n";

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(10);

const INTRODUCTION: &str = "\
One TCP connection, from the first segment to the last: a client on this machine's kernel
(192.168.0.1) sends a line to the echo port of zerotcp (192.168.0.2) and gets it back.
They are alone in a network of their own: nothing here touches the real one.

Numbers count from 0 in each direction; on the wire both start at random.
";

const NEXT: &str = "\
Next: run ./run.sh --trace (or sudo zerotcp serve --trace) in one terminal, and in another
      ping 192.168.0.2, nc 192.168.0.2 7 or curl http://192.168.0.2/";

/// Shows a connection.
pub fn run() -> Result<ExitCode, Failure> {
    // Before there is a second thread: ordinary users may not do it later.
    enter_private_network().map_err(Failure::from_display)?;
    let tun = Tun::create(&TunConfig {
        host_address: KERNEL,
        ..TunConfig::default()
    })
    .map_err(Failure::from_display)?;

    say(INTRODUCTION);
    say(&heading());
    // Ends with the process at the latest: it gives up by itself after the same time.
    let server = thread::spawn(move || echo_once(tun));
    let client = talk();
    let server = match server.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    server.and(client).map_err(|error| {
        Failure(format!(
            "the demonstration did not come to its end: {error}"
        ))
    })?;
    say(NEXT);
    Ok(ExitCode::SUCCESS)
}

/// The client, on the kernel's TCP: connects, sends a line, reads it back, closes.
fn talk() -> io::Result<()> {
    let server = SocketAddr::V4(SocketAddrV4::new(ZEROTCP, PORT));
    let mut stream = TcpStream::connect_timeout(&server, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(MESSAGE)?;
    let mut reader = BufReader::new(&stream);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line != MESSAGE {
        return Err(io::Error::other("what came back is not what was sent"));
    }
    stream.shutdown(Shutdown::Write)?;
    reader.read_to_end(&mut line)?;
    Ok(())
}

/// The server, on zerotcp: takes one connection, sends back what comes and closes after the peer.
fn echo_once(tun: Tun) -> io::Result<()> {
    let mut stack = Stack::new(Config::new(ZEROTCP));
    let listener = stack.listen(Listen::port(PORT)).map_err(io::Error::other)?;
    let mut driver = Driver::with_observer(stack, tun, Narrator::default());
    // One packet a turn: each line shows the state that its segment led to.
    driver.set_batch(1);
    let end = driver.now() + LIMIT;
    let mut had_connection = false;
    while !had_connection || driver.stack().connection_count() > 0 {
        if driver.now() >= end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        driver.wait(None, Some(end))?;
        driver.receive()?;
        while let Some(event) = driver.poll_event() {
            let stack = driver.stack_mut();
            match event {
                Event::Incoming(_) => had_connection |= stack.accept(listener).is_some(),
                Event::Readable(id) => {
                    let mut buffer = [0; 2 * MESSAGE.len()];
                    while let Ok(count @ 1..) = stack.recv(id, &mut buffer) {
                        // One line into an empty buffer: it fits.
                        let _ = stack.send(id, &buffer[..count]);
                    }
                }
                Event::PeerClosed(id) | Event::Closed(id, _) => stack.close(id),
                _ => {}
            }
        }
        driver.transmit()?;
    }
    Ok(())
}

fn heading() -> String {
    row("seconds", "from", "to", "segment", "zerotcp is then")
}

fn row(time: &str, from: &str, to: &str, segment: &str, state: &str) -> String {
    format!("{time:<9} {from:<7} -> {to:<7}  {segment:<41}  {state}")
}

/// Prints each segment of the connection and explains it.
#[derive(Debug, Default)]
struct Narrator {
    /// When the first segment came.
    start: Option<Instant>,
    /// Where the numbers start: the kernel's, and ours.
    kernel_isn: SeqNumber,
    our_isn: SeqNumber,
}

impl Observer for Narrator {
    fn packet(&mut self, now: Instant, direction: Direction, packet: &[u8], stack: &Stack) {
        // What else the kernel sends when an interface comes up is not of interest.
        let Ok(ip) = Ipv4Packet::parse(packet) else {
            return;
        };
        let Ok(segment) = ip.tcp() else {
            return;
        };
        let (src, dst) = (
            (ip.src(), segment.src_port()),
            (ip.dst(), segment.dst_port()),
        );
        let quad = match direction {
            Direction::In => Quad { src, dst },
            Direction::Out => Quad { src: dst, dst: src },
        };
        // Without a connection there is only the listener.
        let state = stack.state_of(quad).unwrap_or(match segment.flags().syn() {
            true => State::Listen,
            false => State::Closed,
        });
        let start = *self.start.get_or_insert(now);
        let text = self.describe(direction, &segment);
        let (from, to) = match direction {
            Direction::In => ("kernel", "zerotcp"),
            Direction::Out => ("zerotcp", "kernel"),
        };
        let seconds = format!("{:.6}", (now - start).as_secs_f64());
        say(&row(&seconds, from, to, &text, &state.to_string()));
        say(&format!(
            "          {}\n",
            explain(direction, segment.flags(), segment.payload(), state)
        ));
    }
}

impl Narrator {
    /// The segment with numbers that count from 0.
    fn describe(&mut self, direction: Direction, segment: &TcpSegment<'_>) -> String {
        let isn = match direction {
            Direction::In => &mut self.kernel_isn,
            Direction::Out => &mut self.our_isn,
        };
        if segment.flags().syn() {
            *isn = segment.seq();
        }
        let (seq_from, ack_from) = match direction {
            Direction::In => (self.kernel_isn, self.our_isn),
            Direction::Out => (self.our_isn, self.kernel_isn),
        };
        let mut text = format!(
            "{:<7}  seq {}",
            segment.flags().to_string(),
            segment.seq() - seq_from
        );
        if segment.flags().ack() {
            text += &format!("  ack {}", segment.ack() - ack_from);
        }
        match segment.payload().len() {
            0 => text,
            len => text + &format!("  {len} bytes"),
        }
    }
}

/// What a segment is for, in a sentence.
fn explain(direction: Direction, flags: TcpFlags, payload: &[u8], state: State) -> &'static str {
    let has_data = !payload.is_empty();
    match direction {
        _ if flags.rst() => "A reset: the connection is off, at once and without farewell.",
        Direction::In if flags.syn() => {
            "The client asks for a connection. A SYN (synchronize) says where its numbers start."
        }
        Direction::Out if flags.syn() => {
            "zerotcp accepts: a SYN of its own, and an ACK: the next number it expects is 1."
        }
        Direction::In if flags.fin() => {
            "The client has nothing more to send: its FIN takes a number too. It still listens."
        }
        Direction::Out if flags.fin() => {
            "zerotcp has sent all it had and closes its direction too."
        }
        Direction::In if has_data => {
            "The client's line. The numbers count bytes: this is where it lies."
        }
        Direction::Out if has_data => {
            "The echo. The same segment acknowledges what came: no ACK of its own is needed."
        }
        Direction::In => match state {
            State::Established => "The client acknowledges: whatever was sent to it has arrived.",
            State::Closed => {
                "The last acknowledgment. Both have closed, and the connection is gone."
            }
            _ => "The client acknowledges.",
        },
        Direction::Out => "zerotcp acknowledges: all up to this number has arrived.",
    }
}

/// Prints to standard output. Whether anyone reads it must not end the demonstration.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
