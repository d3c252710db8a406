//! The crank of a stack.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::device::Device;
use crate::stack::{Event, Meta, Quad, Stack};
use crate::tcp::State;
use crate::time::Instant;

/// The longest packet that IPv4 allows, in bytes: what both buffers hold.
const PACKET_MAX: usize = 65_535;

/// Packets that one turn takes in, and sends, at most. Between turns the application has
/// its say: under a flood it waits for this many packets and no longer. Large enough that
/// what a turn costs besides (two system calls, two looks at the clock) hardly counts.
const BATCH: usize = 64;

/// A stack, a device and a clock, and the crank that drives them.
///
/// A turn of the crank is [`wait`](Driver::wait), [`receive`](Driver::receive), the
/// application's own work for every [`poll_event`](Driver::poll_event), and
/// [`transmit`](Driver::transmit). The device may be wrapped as one likes
/// (`Impaired<Captured<Tun>>`). A device without a descriptor to wait on, such as
/// [`MemoryLink`](crate::device::MemoryLink), can be driven by the other three calls; where time
/// is to be virtual, drive the [`Stack`] itself. No packet costs an allocation here: there is one buffer for
/// what comes in and one for what goes out.
///
/// ```no_run
/// use std::net::Ipv4Addr;
/// use zerotcp::device::{Tun, TunConfig};
/// use zerotcp::socket::Driver;
/// use zerotcp::stack::{Config, Listen, Stack};
///
/// let mut stack = Stack::new(Config::new(Ipv4Addr::new(10, 0, 0, 2)));
/// let listener = stack.listen(Listen::port(7)).expect("the port is free");
/// let mut driver = Driver::new(stack, Tun::create(&TunConfig::default())?);
/// loop {
///     driver.wait(None, None)?;
///     driver.receive()?;
///     while let Some(event) = driver.poll_event() {
///         println!("{event:?}: act on driver.stack_mut()");
///     }
///     driver.transmit()?;
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Driver<D, O = ()> {
    stack: Stack,
    device: D,
    observer: O,
    /// The epoch of the stack's time.
    start: time::Instant,
    /// One packet on its way in.
    incoming: Box<[u8]>,
    /// One packet on its way out.
    outgoing: Box<[u8]>,
    batch: usize,
    /// A batch was full: there may be more to do, and waiting would be wrong.
    has_more: bool,
}

/// Sees every packet that passes between stack and device, for a trace.
///
/// `()` sees nothing and costs nothing; an `Option` makes it a choice at run time.
pub trait Observer {
    /// A packet passed: one that came in has been digested by `stack`, one that goes out is
    /// about to be handed to the device.
    fn packet(&mut self, now: Instant, direction: Direction, packet: &[u8], stack: &Stack) {
        let _ = (now, direction, packet, stack);
    }

    /// A connection went from one state to another. The stack reports it if
    /// [`Config::report_states`](crate::stack::Config::report_states) is set.
    fn state(&mut self, now: Instant, quad: Quad, from: State, to: State) {
        let _ = (now, quad, from, to);
    }
}

impl Observer for () {}

impl<O: Observer> Observer for Option<O> {
    fn packet(&mut self, now: Instant, direction: Direction, packet: &[u8], stack: &Stack) {
        if let Some(observer) = self {
            observer.packet(now, direction, packet, stack);
        }
    }

    fn state(&mut self, now: Instant, quad: Quad, from: State, to: State) {
        if let Some(observer) = self {
            observer.state(now, quad, from, to);
        }
    }
}

/// Which way a packet goes, as the stack sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the device into the stack.
    In,
    /// From the stack to the device.
    Out,
}

impl<D: Device> Driver<D> {
    /// Puts `stack` on `device`. The stack's MTU should be no larger than the device's.
    ///
    /// The clock starts now: this is [`Instant::ZERO`].
    pub fn new(stack: Stack, device: D) -> Driver<D> {
        Driver::with_observer(stack, device, ())
    }
}

impl<D: Device, O: Observer> Driver<D, O> {
    /// As [`new`](Driver::new), with an observer of all packets.
    pub fn with_observer(stack: Stack, device: D, observer: O) -> Driver<D, O> {
        Driver {
            stack,
            device,
            observer,
            start: time::Instant::now(),
            incoming: vec![0; PACKET_MAX].into(),
            outgoing: vec![0; PACKET_MAX].into(),
            batch: BATCH,
            has_more: false,
        }
    }

    /// Takes in, and sends, at most `packets` a turn (at least one; 64 is where it starts). With one
    /// a turn, an observer sees what each packet leads to right after it.
    pub fn set_batch(&mut self, packets: usize) {
        self.batch = packets.max(1);
    }

    /// The time now, as the stack counts it.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// The stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The stack, to act on its connections. What this gives to send goes out with the next
    /// [`transmit`](Driver::transmit).
    pub fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Gives the device back. The stack and all its connections are gone.
    pub fn into_device(self) -> D {
        self.device
    }

    /// Takes in what waits at the device, up to a batch, and does what has fallen due in the
    /// device and in the stack. Never blocks.
    ///
    /// # Errors
    /// The device's.
    pub fn receive(&mut self) -> io::Result<()> {
        let now = self.now();
        self.device.handle_timeout(now)?;
        self.has_more = true;
        for _ in 0..self.batch {
            let Some(len) = self.device.receive(now, &mut self.incoming)? else {
                self.has_more = false;
                break;
            };
            let packet = &self.incoming[..len];
            self.stack.receive(now, packet, Meta::default());
            self.observer
                .packet(now, Direction::In, packet, &self.stack);
        }
        self.stack.handle_timeout(now);
        Ok(())
    }

    /// The next event for the application. Changes of state go to the observer instead.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(event) = self.stack.poll_event() {
            let Event::State { quad, from, to } = event else {
                return Some(event);
            };
            self.observer.state(self.now(), quad, from, to);
        }
        None
    }

    /// Hands what the stack has to send to the device, up to a batch. Never blocks.
    ///
    /// # Errors
    /// The device's.
    pub fn transmit(&mut self) -> io::Result<()> {
        let now = self.now();
        for _ in 0..self.batch {
            let Some(transmit) = self.stack.poll_transmit(now, &mut self.outgoing) else {
                return Ok(());
            };
            let packet = &self.outgoing[..transmit.len];
            self.observer
                .packet(now, Direction::Out, packet, &self.stack);
            self.device.transmit(now, packet)?;
        }
        self.has_more = true;
        Ok(())
    }

    /// When the next turn is due even if no packet comes: at once, where the last one left
    /// something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.has_more {
            return Some(Instant::ZERO);
        }
        let due = [self.stack.poll_timeout(), self.device.poll_timeout()];
        due.into_iter().flatten().min()
    }
}

impl<D: Device + AsFd, O: Observer> Driver<D, O> {
    /// Sleeps until a turn is due: a packet has come, a timer of the stack or the device has run
    /// out, it is `deadline`, or `wake` can be read. Says whether it was `wake`.
    ///
    /// # Errors
    /// The kernel's refusal to wait on one of the two descriptors.
    pub fn wait(
        &self,
        wake: Option<BorrowedFd<'_>>,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        let due = self.poll_timeout().into_iter().chain(deadline).min();
        let timeout = due.map(|due| due - self.now());
        wait(self.device.as_fd(), wake, timeout)
    }
}

/// Sleeps until `device` or `wake` can be read, a signal came or `timeout` has passed. Says
/// whether `wake` can be read.
///
/// [`Driver::wait`] without a driver: for those who share a driver between threads and must
/// not hold a lock on it while they sleep.
///
/// # Errors
/// The kernel's refusal to wait on one of the two descriptors.
pub fn wait(
    device: BorrowedFd<'_>,
    wake: Option<BorrowedFd<'_>>,
    timeout: Option<time::Duration>,
) -> io::Result<bool> {
    let poll_in = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut both = [device, wake.unwrap_or(device)].map(poll_in);
    let fds = &mut both[..1 + usize::from(wake.is_some())];
    // ppoll for its nanoseconds: a pacing timer rounded to whole milliseconds sends in bursts.
    match ppoll(fds, timeout.map(TimeSpec::from_duration), None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(wake.is_some() && both[1].any().unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, SocketAddrV4};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;
    use crate::device::flood::Flood;
    use crate::device::{Impaired, MemoryLink};
    use crate::stack::{Config, ConnectionId, Listen, ListenerId};

    const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// What an observer saw.
    #[derive(Debug, Default)]
    struct Seen {
        packets: Vec<Direction>,
        states: Vec<State>,
    }

    impl Observer for Seen {
        fn packet(&mut self, _: Instant, direction: Direction, _: &[u8], _: &Stack) {
            self.packets.push(direction);
        }

        fn state(&mut self, _: Instant, _: Quad, _: State, to: State) {
            self.states.push(to);
        }
    }

    fn stack(address: Ipv4Addr) -> Stack {
        let mut config = Config::seeded(address, 1);
        config.report_states = true;
        Stack::new(config)
    }

    fn server() -> (Stack, ListenerId) {
        let mut stack = stack(SERVER);
        let listener = stack.listen(Listen::port(7)).unwrap();
        (stack, listener)
    }

    /// A client of the server that has said hello.
    fn client() -> (Stack, ConnectionId) {
        let mut stack = stack(CLIENT);
        let remote = SocketAddrV4::new(SERVER, 7);
        let id = stack.connect(Instant::ZERO, remote).unwrap();
        stack.send(id, b"hello").unwrap();
        (stack, id)
    }

    /// Turns both cranks until `done`, which sees the events of both.
    fn crank<A: Device, B: Device, O: Observer>(
        left: &mut Driver<A, O>,
        right: &mut Driver<B, O>,
        mut done: impl FnMut(&mut Driver<A, O>, &mut Driver<B, O>) -> bool,
    ) {
        let end = Instant::ZERO + Duration::from_secs(5);
        while !done(left, right) {
            assert!(left.now() < end, "it takes too long");
            left.receive().unwrap();
            right.receive().unwrap();
            left.transmit().unwrap();
            right.transmit().unwrap();
        }
    }

    #[test]
    fn two_drivers_carry_a_connection() {
        let (left, right) = MemoryLink::pair(1500);
        let (client, _) = client();
        let (server, listener) = server();
        let mut client = Driver::with_observer(client, left, Seen::default());
        let mut server = Driver::with_observer(server, right, Seen::default());
        crank(&mut client, &mut server, |client, server| {
            // No change of state reaches the application.
            for event in [client.poll_event(), server.poll_event()] {
                assert!(!matches!(event, Some(Event::State { .. })));
                if let Some(Event::Readable(id)) = event {
                    let mut buffer = [0; 9];
                    assert_eq!(server.stack_mut().recv(id, &mut buffer), Ok(5));
                    assert_eq!(&buffer[..5], b"hello");
                    return true;
                }
                if event == Some(Event::Incoming(listener)) {
                    server.stack_mut().accept(listener).unwrap();
                }
            }
            false
        });
        let states = [State::SynReceived, State::Established];
        assert_eq!(server.observer.states, states);
        let packets = &server.observer.packets;
        assert_eq!(packets[..3], [Direction::In, Direction::Out, Direction::In]);
    }

    #[test]
    fn a_delayed_packet_falls_due_in_time() {
        let (left, right) = MemoryLink::pair(1500);
        let (client, id) = client();
        let slow = Impaired::new(left, "delay=20ms".parse().unwrap());
        let mut client = Driver::new(client, slow);
        let mut server = Driver::new(server().0, right);
        client.receive().unwrap();
        client.transmit().unwrap();
        let due = client.poll_timeout().unwrap() - client.now();
        assert!(due <= Duration::from_millis(20), "{due:?}");
        crank(&mut client, &mut server, |client, _| {
            client.poll_event() == Some(Event::Connected(id))
        });
        // There and back.
        assert!(client.now() >= Instant::from_millis(40));
    }

    #[test]
    fn a_flood_leaves_the_application_its_turn() {
        let mut driver = Driver::with_observer(server().0, Flood, Seen::default());
        driver.receive().unwrap();
        assert_eq!(driver.observer.packets.len(), BATCH);
        // There is more: no time to sleep.
        assert_eq!(driver.poll_timeout(), Some(Instant::ZERO));
        driver.set_batch(0);
        driver.receive().unwrap();
        assert_eq!(driver.observer.packets.len(), BATCH + 1);
    }

    #[test]
    fn a_choice_of_observer_is_made_at_run_time() {
        let mut watched = Driver::with_observer(server().0, Flood, Some(Seen::default()));
        let mut unwatched = Driver::with_observer(server().0, Flood, None::<Seen>);
        watched.receive().unwrap();
        unwatched.receive().unwrap();
        assert_eq!(watched.observer.unwrap().packets.len(), BATCH);
        assert!(unwatched.observer.is_none());
    }

    #[test]
    fn waiting_ends_for_one_of_three_reasons() {
        let long = Some(Duration::from_secs(60));
        let (mut device_in, device) = UnixStream::pair().unwrap();
        let (mut wake_in, wake) = UnixStream::pair().unwrap();
        let start = time::Instant::now();

        // The time.
        let short = Duration::from_micros(300);
        assert!(!wait(device.as_fd(), Some(wake.as_fd()), Some(short)).unwrap());
        assert!(start.elapsed() >= short);
        // The device.
        device_in.write_all(b"packet").unwrap();
        assert!(!wait(device.as_fd(), Some(wake.as_fd()), long).unwrap());
        assert!(!wait(device.as_fd(), None, long).unwrap());
        // The wake-up, though the device can be read too.
        wake_in.write_all(b"!").unwrap();
        assert!(wait(device.as_fd(), Some(wake.as_fd()), long).unwrap());
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
