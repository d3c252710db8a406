//! zerotcp, turned by the test itself.

use std::cell::RefCell;
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use zerotcp::device::Device;
use zerotcp::socket::{Driver, Observer};
use zerotcp::stack::{Config, ConnectionId, Listen, Quad, SocketError, Stack};
use zerotcp::tcp::State;
use zerotcp::time;

use crate::common::network::{KERNEL, PATIENCE, ZEROTCP};

/// Where the host listens.
pub const PORT: u16 = 7;

/// How long the host sleeps at most before it looks whether the test is satisfied.
const LOOK: Duration = Duration::from_millis(20);

/// A host of one connection on `D`, that listens on [`PORT`].
pub struct Host<D> {
    driver: Driver<D, States>,
    states: States,
    listener: zerotcp::stack::ListenerId,
    /// How long one step of a test may take.
    pub patience: Duration,
}

/// The states that connections have entered, in their order.
#[derive(Clone, Default)]
struct States(Rc<RefCell<Vec<State>>>);

impl Observer for States {
    fn state(&mut self, _now: time::Instant, _quad: Quad, _from: State, to: State) {
        self.0.borrow_mut().push(to);
    }
}

impl<D: Device + AsFd> Host<D> {
    pub fn new(device: D) -> Host<D> {
        let mut config = Config::new(ZEROTCP);
        config.report_states = true;
        // TIME-WAIT is to end within a test.
        config.tcp.msl = Duration::from_millis(100);
        let mut stack = Stack::new(config);
        let listener = stack.listen(Listen::port(PORT)).unwrap();
        let states = States::default();
        Host {
            driver: Driver::with_observer(stack, device, states.clone()),
            states,
            listener,
            patience: PATIENCE,
        }
    }

    pub fn stack(&mut self) -> &mut Stack {
        self.driver.stack_mut()
    }

    /// The states that were entered so far.
    pub fn states(&self) -> Vec<State> {
        self.states.0.borrow().clone()
    }

    pub fn into_device(self) -> D {
        self.driver.into_device()
    }

    /// Turns the crank until `done` has something to give, which it is asked after each turn.
    pub fn until<T>(&mut self, what: &str, mut done: impl FnMut(&mut Stack) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            self.driver.receive().unwrap();
            // Nobody needs them but the observer: the test asks.
            while self.driver.poll_event().is_some() {}
            let result = done(self.driver.stack_mut());
            self.driver.transmit().unwrap();
            if let Some(result) = result {
                return result;
            }
            assert!(
                start.elapsed() < self.patience,
                "waited in vain for {what}; states so far: {:?}",
                self.states()
            );
            let soon = self.driver.now() + LOOK;
            self.driver.wait(None, Some(soon)).unwrap();
        }
    }

    /// Turns the crank for a while, for what else may be on its way.
    pub fn settle(&mut self) {
        let end = Instant::now() + Duration::from_millis(100);
        self.until("time to pass", |_| (Instant::now() >= end).then_some(()));
    }

    /// Opens a connection to a port of the kernel. It is not yet established.
    pub fn connect(&mut self, port: u16) -> ConnectionId {
        let now = self.driver.now();
        let remote = SocketAddrV4::new(KERNEL, port);
        self.stack().connect(now, remote).unwrap()
    }

    /// The next connection that the kernel opens.
    pub fn accept(&mut self) -> ConnectionId {
        let listener = self.listener;
        self.until("a client", |stack| stack.accept(listener))
    }

    /// Until the connection has entered `state`, which it may have left again.
    pub fn until_entered(&mut self, state: State) {
        let states = self.states.clone();
        self.until(&state.to_string(), |_| {
            states.0.borrow().contains(&state).then_some(())
        });
    }

    /// Sends `data`, as the window lets it.
    pub fn send_all(&mut self, id: ConnectionId, data: &[u8]) {
        let mut left = data;
        self.until("room to send", |stack| {
            while !left.is_empty() {
                match stack.send(id, left) {
                    Ok(count) => left = &left[count..],
                    Err(SocketError::WouldBlock) => return None,
                    Err(error) => panic!("{error} with {} bytes left", left.len()),
                }
            }
            Some(())
        });
    }

    /// Hands what comes to `take`, to the end.
    pub fn receive_all(&mut self, id: ConnectionId, mut take: impl FnMut(&[u8])) {
        let mut buffer = vec![0; 256 * 1024];
        self.until("the end of what the kernel sends", |stack| {
            loop {
                match stack.recv(id, &mut buffer) {
                    Ok(0) => return Some(()),
                    Ok(count) => take(&buffer[..count]),
                    Err(SocketError::WouldBlock) => return None,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }

    pub fn read_to_end(&mut self, id: ConnectionId) -> Vec<u8> {
        let mut all = Vec::new();
        self.receive_all(id, |some| all.extend_from_slice(some));
        all
    }

    /// Lets go of a connection and waits until nothing is left of it.
    pub fn until_gone(&mut self, id: ConnectionId) {
        self.stack().close(id);
        self.until("the connection to be gone", |stack| {
            (stack.connection_count() == 0).then_some(())
        });
    }
}
