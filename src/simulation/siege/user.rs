//! What the host's users call, and what they are told.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Siege;
use super::host::{ATTACKER, FIRST_PORT, listen};
use crate::simulation::broken::{Broken, ensure};
use crate::simulation::heard::Heard;
use crate::simulation::text;
use crate::simulation::{Choices, Observer};
use crate::stack::{ConnectionId, Event, Quad, SocketError};
use crate::tcp::{CloseReason, Keepalive, Settings, State};
use crate::wire::SeqNumber;

/// What a user knows of a connection.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) id: ConnectionId,
    pub(super) quad: Quad,
    /// The number of the next octet to read; none before the peer's SYN.
    pub(super) read: Option<SeqNumber>,
    /// How many octets it has sent, and wants to.
    pub(super) sent: u32,
    goal: u32,
    /// Whether it said that no more will come.
    pub(super) shut: bool,
    /// What events have said: that there is something to read, since a call found nothing;
    /// that it is open, that it is over.
    readable: bool,
    pub(super) connected: bool,
    pub(super) closed: Option<CloseReason>,
    /// A call to send took less than it was given, and no event has said that there is room.
    blocked: bool,
    /// Whether it has changed how long its peer is waited for.
    pub(super) is_hasty: bool,
}

impl<C: Choices> Siege<C> {
    fn hold(&mut self, id: ConnectionId, quad: Quad, read: Option<SeqNumber>) {
        let goal = self.choices.pick(&[0, 1000, 50_000, 1_000_000]);
        self.handles.push(Handle {
            id,
            quad,
            read,
            sent: 0,
            goal,
            shut: false,
            readable: false,
            // What was accepted is open.
            connected: read.is_some(),
            closed: None,
            blocked: false,
            is_hasty: false,
        });
    }

    /// A user opens a connection.
    pub(super) fn connect(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let port = FIRST_PORT + self.choices.below(2 * self.manners.crowd) as u16;
        let remote = SocketAddrV4::new(ATTACKER, port);
        watch.note(self.now, 0, format_args!("connect to {remote}"));
        if let Ok(id) = self.stack.connect(self.clock(), remote)
            && let Some(quad) = self.stack.quad(id)
        {
            // Whatever the quad was for is over.
            let at = self.peer_of(quad);
            self.peers[at].iss = None;
            self.hold(id, quad, None);
            self.drain(watch)?;
        }
        Ok(())
    }

    /// The users take what connections there are.
    pub(super) fn accept(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        for listener in self.listeners.into_iter().flatten() {
            while let Some(id) = self.stack.accept(listener) {
                let Some(quad) = self.stack.quad(id) else {
                    return Err(Broken("a connection without addresses".into()));
                };
                watch.note(self.now, 0, format_args!("accept {quad}"));
                let at = self.peer_of(quad);
                let read = self.peers[at].irs + 1;
                self.hold(id, quad, Some(read));
                self.write_on(watch, self.handles.len() - 1)?;
            }
        }
        Ok(())
    }

    /// A user calls.
    pub(super) fn use_handle(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        if self.handles.is_empty() {
            return Ok(());
        }
        let at = self.choices.below(self.handles.len() as u64) as usize;
        // Where peers are right connections live longer.
        let end = if self.manners.tame > 90 { 97 } else { 85 };
        match self.choices.below(100) {
            0..40 => {
                let len = self.choices.pick(&[0, 1, 10, 1460, 5000]);
                self.send(watch, at, len)
            }
            40..43 => self.set(watch, at),
            43..80 => {
                let len = self.choices.pick(&[1, 100, 5000, 100_000]);
                self.recv(watch, at, len).map(drop)
            }
            n if n < end => self.look(at),
            n if n < 98 && self.choices.percent(60) => self.shutdown(watch, at),
            n if n < 98 => {
                self.close(watch, at);
                Ok(())
            }
            98 => {
                let handle = self.let_go(at);
                watch.note(self.now, 0, format_args!("abort {}", handle.quad));
                self.stack.abort(handle.id);
                Ok(())
            }
            _ => {
                watch.note(self.now, 0, format_args!("listen anew"));
                if let Some(listener) = self.listeners[0] {
                    self.stack.unlisten(listener);
                }
                self.listeners[0] = self.stack.listen(listen()).ok();
                Ok(())
            }
        }
    }

    /// A user sends up to `len` octets; whether all of them found room.
    fn send(&mut self, watch: &mut dyn Observer, at: usize, len: usize) -> Result<(), Broken> {
        let urgent = rarely_urgent(&mut self.choices);
        let handle = &mut self.handles[at];
        let data = &mut self.scratch[..len];
        text::fill(1 + handle.sent, data);
        let sent = match urgent {
            true => self.stack.send_urgent(handle.id, data),
            false => self.stack.send(handle.id, data),
        };
        let quad = handle.quad;
        watch.note(
            self.now,
            0,
            format_args!("send {len} on {quad} -> {sent:?}"),
        );
        match sent {
            Ok(count) => {
                ensure!(count <= len, "{count} octets of {len} taken");
                // Bounded by the line above.
                handle.sent += count as u32;
                handle.blocked |= count < len;
            }
            Err(SocketError::WouldBlock) => handle.blocked = true,
            Err(_) => {}
        }
        Ok(())
    }

    /// A user reads into `len` octets of room; whether there may be more.
    fn recv(&mut self, watch: &mut dyn Observer, at: usize, len: usize) -> Result<bool, Broken> {
        let handle = &mut self.handles[at];
        let buffer = &mut self.scratch[..len];
        let received = self.stack.recv(handle.id, buffer);
        let quad = handle.quad;
        watch.note(
            self.now,
            0,
            format_args!("recv {len} on {quad} -> {received:?}"),
        );
        match received {
            Ok(0) => Ok(false),
            Err(SocketError::WouldBlock) => {
                handle.readable = false;
                Ok(false)
            }
            Ok(count) => {
                let Some(start) = handle.read else {
                    return Err(Broken(format!("text before the SYN of {quad}")));
                };
                ensure!(
                    text::is_text(start.0, &buffer[..count]),
                    "{count} octets read that {quad} did not send, after {start}"
                );
                handle.read = Some(start + count as u32);
                Ok(true)
            }
            Err(_) if self.choices.percent(50) => Ok(false),
            Err(_) => {
                self.close(watch, at);
                Ok(false)
            }
        }
    }

    /// A user changes settings.
    fn set(&mut self, watch: &mut dyn Observer, at: usize) -> Result<(), Broken> {
        let choices = &mut self.choices;
        let mut settings = Settings {
            nagle: choices.percent(50),
            max_retransmissions: choices.pick(&[15, 3, 255, 0]),
            dscp: choices.below(256) as u8,
            ..Settings::default()
        };
        let times = [u64::MAX, 100_000, 1_000, 1, 0].map(Duration::from_millis);
        if choices.percent(30) {
            settings.user_timeout = Some(choices.pick(&times));
        }
        if choices.percent(50) {
            settings.keepalive = Some(Keepalive {
                idle: choices.pick(&times),
                interval: choices.pick(&times),
                probes: choices.pick(&[5, 1, 255, 0]),
            });
        }
        let handle = &mut self.handles[at];
        handle.is_hasty = true;
        watch.note(
            self.now,
            0,
            format_args!("set {} {settings:?}", handle.quad),
        );
        let set = self.stack.set(handle.id, settings);
        ensure!(set.is_ok(), "no settings for {}: {set:?}", handle.quad);
        Ok(())
    }

    /// A user looks at what has come, in place, and takes some of it.
    fn look(&mut self, at: usize) -> Result<(), Broken> {
        let handle = &mut self.handles[at];
        let [first, second] = self.stack.recv_slices(handle.id);
        let Some(start) = handle.read else {
            ensure!(first.is_empty(), "text before the SYN of {}", handle.quad);
            return Ok(());
        };
        let next = start + first.len() as u32;
        ensure!(
            text::is_text(start.0, first) && text::is_text(next.0, second),
            "octets that {} did not send, after {start}",
            handle.quad
        );
        let waiting = (first.len() + second.len()) as u64;
        let count = self.choices.below(waiting + 1);
        self.stack.consume(handle.id, count as usize);
        handle.read = Some(start + count as u32);
        Ok(())
    }

    pub(super) fn shutdown(&mut self, watch: &mut dyn Observer, at: usize) -> Result<(), Broken> {
        let handle = &mut self.handles[at];
        handle.shut = true;
        let done = self.stack.shutdown(handle.id);
        watch.note(self.now, 0, format_args!("shutdown {}", handle.quad));
        ensure!(done.is_ok(), "no shutdown of {}: {done:?}", handle.quad);
        Ok(())
    }

    pub(super) fn close(&mut self, watch: &mut dyn Observer, at: usize) {
        let handle = self.let_go(at);
        watch.note(self.now, 0, format_args!("close {}", handle.quad));
        self.stack.close(handle.id);
    }

    /// A handle is about to go: what its connection did counts.
    fn let_go(&mut self, at: usize) -> Handle {
        let handle = self.handles.swap_remove(at);
        if let Some(info) = self.stack.info(handle.id) {
            let (depth, tally) = (&mut self.depth, info.tally);
            depth.octets_acked += tally.octets_acked;
            depth.octets_received += tally.octets_received;
            depth.fast_retransmissions += u64::from(tally.fast_retransmissions);
            depth.timeout_retransmissions += u64::from(tally.timeout_retransmissions);
            depth.tail_probes += u64::from(tally.tail_probes);
            depth.spurious += u64::from(tally.spurious);
        }
        handle
    }

    /// Polls all events, and looks whether any is missing.
    pub(super) fn poll_events(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        while let Some(event) = self.stack.poll_event() {
            watch.note(self.now, 0, format_args!("{}", Heard(&self.stack, &event)));
            let find = |id| self.handles.iter().position(|handle| handle.id == id);
            match event {
                Event::State { from, .. } => self.left |= 1 << from as u16,
                Event::Readable(id) => {
                    if let Some(at) = find(id) {
                        self.handles[at].readable = true;
                        self.read_on(watch, at)?;
                    }
                }
                Event::Writable(id) => {
                    if let Some(at) = find(id) {
                        self.handles[at].blocked = false;
                        self.write_on(watch, at)?;
                    }
                }
                Event::Connected(id) => {
                    if let Some(at) = find(id) {
                        let handle = &mut self.handles[at];
                        ensure!(!handle.connected, "{} opened twice", handle.quad);
                        handle.connected = true;
                        self.write_on(watch, at)?;
                    }
                }
                Event::Closed(id, reason) => {
                    if let Some(at) = find(id) {
                        let handle = &mut self.handles[at];
                        ensure!(handle.closed.is_none(), "{} closed twice", handle.quad);
                        handle.closed = Some(reason);
                    }
                }
                _ => {}
            }
        }
        for handle in &self.handles {
            self.check_told(handle)?;
        }
        Ok(())
    }

    /// A diligent user reads all there is.
    pub(super) fn read_on(&mut self, watch: &mut dyn Observer, at: usize) -> Result<(), Broken> {
        let id = self.handles[at].id;
        while self.manners.diligent && self.recv(watch, at, 50_000)? {
            if self.handles.get(at).is_none_or(|handle| handle.id != id) {
                break;
            }
        }
        Ok(())
    }

    /// A diligent user goes on with what it has to send.
    fn write_on(&mut self, watch: &mut dyn Observer, at: usize) -> Result<(), Broken> {
        let handle = &self.handles[at];
        let rest = handle.goal.saturating_sub(handle.sent).min(50_000);
        if !self.manners.diligent || rest == 0 {
            return Ok(());
        }
        self.send(watch, at, rest as usize)
    }

    /// Whether all events have come that the state of a connection asks for.
    fn check_told(&self, handle: &Handle) -> Result<(), Broken> {
        let (id, quad) = (handle.id, handle.quad);
        let Some(state) = self.stack.state(id) else {
            return Err(Broken(format!("the handle of {quad} is dead")));
        };
        let waits = !self.stack.recv_slices(id)[0].is_empty();
        match state {
            State::Closed => ensure!(handle.closed.is_some(), "{quad}: not told of the end"),
            State::SynSent | State::SynReceived => {}
            _ => {
                ensure!(handle.connected, "{quad}: not told of the beginning");
                let waits = waits || self.stack.is_at_end(id);
                ensure!(!waits || handle.readable, "{quad}: not told of text");
            }
        }
        let room = self.stack.send_room(id);
        let half = self.stack.config().tcp.send_buffer.div_ceil(2);
        let has_room = room > 0 && room >= half;
        ensure!(!handle.blocked || !has_room, "{quad}: not told of room");
        Ok(())
    }
}

/// Old applications send urgent data, now and then.
fn rarely_urgent(choices: &mut impl Choices) -> bool {
    super::rarely(choices, 10)
}
