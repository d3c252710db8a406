//! What holds after each step, and how all ends.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::Siege;
use super::host::{HOST, PORT, fresh};
use super::lies::Truth;
use super::peer::Peer;
use super::user::Handle;
use crate::simulation::broken::{Broken, ensure};
use crate::simulation::text::octet;
use crate::simulation::{Choices, Observer};
use crate::stack::{ConnectionId, Quad};
use crate::tcp::{CloseReason, State};
use crate::wire::{SeqNumber, TcpFlags};

/// The connection that nobody attacks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bystander {
    id: ConnectionId,
    /// What its peer sends next.
    next: SeqNumber,
}

/// Where it comes from.
const BYSTANDER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 9, 9), 9999);
/// Among the peers.
const AT: usize = 0;

impl<C: Choices> Siege<C> {
    pub(super) fn is_bystander(&self, at: usize) -> bool {
        at == AT
    }

    /// The connection that is to remain unharmed begins, before all others.
    pub(super) fn open_bystander(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let at = self.peer_of(Quad {
            src: (*BYSTANDER.ip(), BYSTANDER.port()),
            dst: (HOST, PORT),
        });
        let irs = fresh(&mut self.choices);
        let syn = self.peers[at].builder().seq(irs).flags(TcpFlags::SYN);
        self.arrive(watch, at, syn.window(1000), 0, Truth::Fresh)?;
        self.drain(watch)?;
        let next = irs + 1;
        let iss = self.peers[at].iss.unwrap_or_default();
        let ack = self.peers[at].builder().seq(next).ack(iss + 1);
        self.arrive(watch, at, ack.window(1000), 0, Truth::Fresh)?;
        let accepted = self.listeners[0].and_then(|listener| self.stack.accept(listener));
        let Some(id) = accepted else {
            return Err(Broken("the bystander is not accepted".into()));
        };
        self.bystander = Some(Bystander { id, next });
        Ok(())
    }

    /// One octet comes to the bystander, is read and acknowledged.
    pub(super) fn check_bystander(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let Some(Bystander { id, next }) = self.bystander else {
            return Ok(());
        };
        let peer = &self.peers[AT];
        let iss = peer.iss.unwrap_or_default();
        let segment = peer.builder().seq(next).ack(iss + 1).window(1000);
        self.arrive(watch, AT, segment, 1, Truth::Fresh)?;
        let mut buffer = [0; 2];
        let received = self.stack.recv(id, &mut buffer);
        ensure!(received == Ok(1), "the bystander reads {received:?}");
        ensure!(buffer[0] == octet(next.0), "the bystander reads nonsense");
        self.bystander = Some(Bystander { id, next: next + 1 });
        self.pass(watch, Duration::from_millis(50))?;
        let ack = self.peers[AT].ack;
        ensure!(ack == next + 1, "the bystander is told {ack}");
        let state = self.stack.state(id);
        ensure!(
            state == Some(State::Established),
            "the bystander is in {state:?}"
        );
        Ok(())
    }

    /// Time goes by, and what falls due in it is done: at its time or late.
    pub(super) fn pass(&mut self, watch: &mut dyn Observer, time: Duration) -> Result<(), Broken> {
        /// Who waits for longer is asleep.
        const LONG: Duration = Duration::from_secs(300);

        let until = self.now + time;
        self.behind = Duration::ZERO;
        let mut looks = 0;
        while self.manners.punctual
            && time < LONG
            && let Some(next) = self.stack.poll_timeout()
            && next < until
        {
            self.now = self.now.max(next);
            self.fire(watch)?;
            looks += 1;
            ensure!(looks < 20_000, "a storm of timers");
        }
        self.now = until;
        self.fire(watch)
    }

    /// What is due now is done.
    pub(super) fn fire(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        self.stack.handle_timeout(self.now);
        let next = self.stack.poll_timeout();
        ensure!(
            next.is_none_or(|next| next > self.now),
            "a timer in the past"
        );
        self.drain(watch)
    }

    /// What holds after each step.
    pub(super) fn check(&self) -> Result<(), Broken> {
        self.stack.audit(self.clock()).map_err(Broken)?;
        self.books.check(self.stack.counters())
    }

    /// The peers fall silent and the users leave: all ends by itself. Where the peers are right, all
    /// connections come to a good end before.
    ///
    /// # Errors
    /// What does not hold.
    pub fn end(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        if self.bystander.is_none() {
            self.open_bystander(watch)?;
        }
        if self.is_right() {
            self.finish(watch)?;
        }
        self.check_bystander(watch)?;
        while !self.handles.is_empty() {
            self.close(watch, 0);
        }
        for listener in self.listeners.into_iter().flatten() {
            self.stack.unlisten(listener);
        }
        self.drain(watch)?;
        let mut looks = 0;
        let limit = self.now + Duration::from_secs(3600);
        while let Some(next) = self.stack.poll_timeout() {
            ensure!(next < limit, "timers without end");
            looks += 1;
            ensure!(looks < 10_000, "a storm of timers");
            self.now = self.now.max(next);
            self.fire(watch)?;
        }
        let count = self.stack.connection_count();
        ensure!(count == 1, "{count} connections are left, not one");
        self.check_bystander(watch)?;
        if let Some(Bystander { id, .. }) = self.bystander {
            self.stack.abort(id);
        }
        self.drain(watch)?;
        while self.stack.poll_event().is_some() {}
        self.check()?;
        self.stack.audit_empty().map_err(Broken)
    }

    /// The network is good from now on: what right ends and users have begun is brought to its end,
    /// and nothing is missing.
    fn finish(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        watch.note(self.now, 0, format_args!("the network is good from now on"));
        (self.manners.good, self.manners.diligent) = (true, true);
        for peer in &mut self.peers {
            peer.asked = false;
        }
        // What has ended before may have successors, of which its peer knows instead.
        self.poll_events(watch)?;
        for at in (0..self.handles.len()).rev() {
            let Handle { id, quad, .. } = self.handles[at];
            if self.stack.state(id) != self.stack.state_of(quad) {
                self.close(watch, at);
            }
        }
        let limit = self.now + Duration::from_secs(3600);
        let mut rounds = 0;
        loop {
            self.accept(watch)?;
            self.poll_events(watch)?;
            for at in (0..self.handles.len()).rev() {
                self.read_on(watch, at)?;
            }
            for at in 0..self.handles.len() {
                if !self.handles[at].shut {
                    self.shutdown(watch, at)?;
                }
            }
            let mut open = self.handles.iter().filter(|handle| handle.closed.is_none());
            let Some(first) = open.next() else {
                return self.check_finished();
            };
            let (quad, id) = (first.quad, first.id);
            rounds += 1;
            if rounds == 20_000 || limit <= self.now {
                let info = self.stack.info(id);
                let info = info.map(|info| info.to_string()).unwrap_or_default();
                return Err(Broken(format!("{quad} does not end: {info}")));
            }
            self.drain(watch)?;
            let before = self.stack.counters().packets_sent;
            for at in AT + 1..self.peers.len() {
                if self.has_more_to_say(at) {
                    let Peer { quad, ack, end, .. } = &self.peers[at];
                    // What comes from before what came last says nothing of windows.
                    let is_last = end.sent == *ack;
                    let before = self.stack.state_of(*quad).filter(|_| is_last);
                    self.speak(watch, at, true)?;
                    self.drain(watch)?;
                    self.check_goes_on(at, before)?;
                }
            }
            self.check()?;
            // Where nothing is said any more something is to fall due.
            let quiet = before == self.stack.counters().packets_sent;
            let next = self.stack.poll_timeout().filter(|_| quiet);
            let wait = next.map_or(Duration::from_millis(10), |next| next - self.now);
            self.pass(watch, wait)?;
        }
    }

    /// A peer with a large window has acknowledged all there was to a host in the state `before`:
    /// whether that goes on at once with what it has. Not always with ECN, where it may have to
    /// wait for a timer (RFC 3168 section 6.1.2).
    fn check_goes_on(&self, at: usize, before: Option<State>) -> Result<(), Broken> {
        let peer = &self.peers[at];
        let open = |handle: &&Handle| handle.quad == peer.quad && handle.closed.is_none();
        let handle = self.handles.iter().find(open);
        let Some(info) = handle.and_then(|handle| self.stack.info(handle.id)) else {
            return Ok(());
        };
        let may_send = [State::Established, State::CloseWait, State::FinWait1];
        let waits = info.unsent > 0 && info.unacknowledged == 0 && !info.ecn;
        let may_send = before.is_some_and(|state| may_send.contains(&state));
        ensure!(!waits || !may_send, "{} does not go on: {info}", peer.quad);
        Ok(())
    }

    /// Whether those that ended well have got all that was sent.
    fn check_finished(&self) -> Result<(), Broken> {
        for handle in &self.handles {
            let Some(peer) = self.peers.iter().find(|peer| peer.quad == handle.quad) else {
                continue;
            };
            let quad = handle.quad;
            match handle.closed {
                Some(CloseReason::Finished) => {
                    let iss = peer.iss.unwrap_or_default();
                    let got = peer.end.rcv - 2 - iss;
                    ensure!(got == handle.sent, "{quad} got {got} of {}", handle.sent);
                    let sent = peer.end.sent - 1;
                    ensure!(
                        handle.read == Some(sent),
                        "{quad} sent up to {sent}, {:?} is read",
                        handle.read
                    );
                }
                // Before that, or since nothing of it got through before, or since its user
                // wanted it so.
                Some(CloseReason::TimedOut | CloseReason::Unreachable)
                    if !peer.asked || handle.is_hasty => {}
                // Its user has closed it before it was open.
                Some(CloseReason::Aborted) if handle.shut && !handle.connected => {}
                Some(reason) => {
                    return Err(Broken(format!(
                        "nobody has given {quad} reason for: {reason}"
                    )));
                }
                None => return Err(Broken(format!("{quad} does not end"))),
            }
        }
        Ok(())
    }
}
