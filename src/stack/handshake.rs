//! How a connection with a listener begins (RFC 9293 sections 3.10.7.2 and 3.10.7.4): a SYN, an
//! answer, and nothing that is worth flooding.

use super::counters::DropReason;
use super::handle::ListenerId;
use super::input::is_marked;
use super::output::template;
use super::quad::Quad;
use super::reply::Reply;
use super::table::Owner;
use super::{Stack, output};
use crate::tcp::{CloseReason, Effects, HalfOpen, Opening, PeerSyn, State, Tcb};
use crate::time::Instant;
use crate::wire::{BuildError, OptionSummary, SegmentFields, SeqNumber, TcpPacket};

impl Stack {
    /// A SYN for a listener. `above`: our number is to lie above that of a connection in
    /// TIME-WAIT with the same quad.
    pub(super) fn receive_syn(
        &mut self,
        now: Instant,
        quad: Quad,
        listener: ListenerId,
        syn: PeerSyn,
        above: Option<SeqNumber>,
    ) -> Result<(), DropReason> {
        // A SYN alone, which may be forged, ends no TIME-WAIT.
        let full = self.table.len() >= self.config.max_connections;
        if full && self.time_waits.count() == 0 {
            return Err(DropReason::TableFull);
        }
        if !self.listeners.has_room(listener) {
            return Err(DropReason::BacklogFull);
        }
        if self.syn_cache.len() >= self.config.max_half_open {
            // What follows a connection in TIME-WAIT needs a number that no cookie gives. It is
            // no way in for a flood: each of these quads has had a peer that was there.
            if self.config.syn_cookies && above.is_none() {
                self.reply(Reply::Cookie { quad, syn });
                return Ok(());
            }
            let oldest = self.syn_cache.oldest().ok_or(DropReason::BacklogFull)?;
            self.recycle(oldest);
        }
        let mut opening = self.opening(now, quad);
        if let Some(above) = above {
            opening.iss = opening.iss.max(above);
        }
        let half_open = HalfOpen::new(opening, syn);
        self.syn_cache.insert(quad, listener, half_open);
        let from = match above {
            None => State::Listen,
            Some(_) => State::TimeWait,
        };
        self.note_accepted(quad, from);
        Ok(())
    }

    /// A segment of a connection whose handshake is not done.
    pub(super) fn receive_half_open(
        &mut self,
        now: Instant,
        index: u32,
        packet: &TcpPacket<'_>,
        options: &OptionSummary,
    ) -> Result<(), DropReason> {
        let Some(entry) = self.syn_cache.at(index) else {
            return Err(DropReason::Stray);
        };
        let (quad, listener) = (entry.quad, entry.listener);
        let config = &self.config.tcp;
        let mut tcb = entry.half_open.thaw(config);
        let effects = tcb.receive(now, config, &packet.tcp, options, is_marked(packet));
        if effects.connected {
            // Without room it is as if it had been lost: our SYN,ACK will go out again, and
            // be answered.
            self.make_room_for(listener)?;
            self.syn_cache.remove(index);
            self.establish(quad, listener, tcb, effects);
        } else {
            self.freeze(index, &tcb, effects);
        }
        DropReason::of_fate(effects.fate)
    }

    /// A segment with an acknowledgment for a listener: a cookie that comes back, or a stray.
    pub(super) fn receive_cookie(
        &mut self,
        now: Instant,
        quad: Quad,
        listener: ListenerId,
        packet: &TcpPacket<'_>,
        options: &OptionSummary,
    ) -> Result<(), DropReason> {
        let segment = &packet.tcp;
        let offset = self.isn.timestamp_offset(quad);
        let fields = SegmentFields {
            seq: segment.seq(),
            ack: segment.ack(),
            window: segment.window(),
            ..SegmentFields::default()
        };
        let syn = match segment.flags().syn() {
            true => None,
            false => self.cookies.taste(now, quad, &fields, options, offset),
        };
        let Some(syn) = syn else {
            self.refuse_stray(quad, segment, options);
            return Ok(());
        };
        self.make_room_for(listener)?;
        let config = &self.config.tcp;
        let opening = Opening {
            iss: fields.ack - 1,
            mss: self.config.mss(),
            timestamp_offset: offset,
        };
        let mut tcb = HalfOpen::answered(opening, syn, now).thaw(config);
        let effects = tcb.receive(now, config, segment, options, is_marked(packet));
        if effects.connected {
            self.counters.syn_cookies_accepted += 1;
            self.note_accepted(quad, State::Listen);
            self.establish(quad, listener, tcb, effects);
        }
        DropReason::of_fate(effects.fate)
    }

    /// Whether a connection in TIME-WAIT makes way for the one that a SYN wants to open
    /// (RFC 6191). It stays where it is until the handshake is done: the SYN may turn out to
    /// be an old duplicate (RFC 9293 section 3.6.1).
    pub(super) fn receive_in_time_wait(
        &mut self,
        now: Instant,
        quad: Quad,
        index: u32,
        packet: &TcpPacket<'_>,
        options: &OptionSummary,
    ) -> Option<Result<(), DropReason>> {
        if let Some(index) = self.syn_cache.find(quad) {
            return Some(self.receive_half_open(now, index, packet, options));
        }
        let segment = &packet.tcp;
        let flags = segment.flags();
        if !flags.syn() || flags.ack() || flags.rst() || flags.fin() {
            return None;
        }
        let listener = self.listeners.lookup(quad.dst.0, quad.dst.1)?;
        let syn = PeerSyn::of(segment, options);
        let tcb = &self.table.at(index)?.tcb;
        if !tcb.time_wait_accepts(&self.config.tcp, &syn) {
            return None;
        }
        let above = Some(tcb.following_iss());
        Some(self.receive_syn(now, quad, listener, syn, above))
    }

    /// What has fallen due of half-open connections.
    pub(super) fn handle_half_open_timeouts(&mut self, now: Instant) {
        while let Some(index) = self.syn_cache.expire(now) {
            let Some(entry) = self.syn_cache.at(index) else {
                continue;
            };
            let mut tcb = entry.half_open.thaw(&self.config.tcp);
            let effects = tcb.handle_timeout(now, &self.config.tcp);
            self.freeze(index, &tcb, effects);
        }
    }

    /// Writes the next segment of a half-open connection.
    pub(super) fn transmit_half_open(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<output::Transmit> {
        while let Some(index) = self.syn_cache.next_ready() {
            let Some(entry) = self.syn_cache.at(index) else {
                continue;
            };
            let mut tcb = entry.half_open.thaw(&self.config.tcp);
            let Some(outgoing) = tcb.poll_transmit(now, &self.config.tcp) else {
                continue;
            };
            let template = template(entry.quad, self.config.ttl, self.config.tcp.settings.dscp);
            let written = output::write(&template, &outgoing, buffer);
            let again = outgoing.is_retransmission;
            entry.half_open.freeze(&tcb);
            self.syn_cache.settle(index);
            match written {
                Ok(len) => return Some(self.sent_segment(len, again)),
                Err(_) => self.counters.count_drop(DropReason::TransmitTooLong),
            }
        }
        None
    }

    /// Writes a SYN,ACK of which nothing is kept.
    pub(super) fn write_cookie(
        &mut self,
        now: Instant,
        quad: Quad,
        syn: &PeerSyn,
        buffer: &mut [u8],
    ) -> Result<usize, BuildError> {
        let config = &self.config.tcp;
        let cookie = self.cookies.bake(now, quad, syn, config.timestamps);
        let offset = self.isn.timestamp_offset(quad);
        let opening = Opening {
            iss: cookie.iss,
            mss: self.config.mss(),
            timestamp_offset: offset,
        };
        // It is what a TCB would send, but for TSval.
        let mut tcb = Tcb::accept(config, opening, &cookie.syn);
        let Some(mut outgoing) = tcb.poll_transmit(now, config) else {
            return Ok(0);
        };
        outgoing.timestamps = cookie
            .timestamp
            .zip(cookie.syn.timestamp)
            .map(|(time, echo)| (time.wrapping_add(offset), echo));
        let len = output::write(
            &template(quad, self.config.ttl, self.config.tcp.settings.dscp),
            &outgoing,
            buffer,
        )?;
        self.counters.segments_sent += 1;
        self.counters.syn_cookies_sent += 1;
        Ok(len)
    }

    /// Drops the half-open connections of a listener that ends, and resets them.
    pub(super) fn abort_half_open(&mut self, listener: ListenerId) {
        for index in self.syn_cache.of_listener(listener) {
            if let Some(entry) = self.syn_cache.at(index) {
                let mut tcb = entry.half_open.thaw(&self.config.tcp);
                let effects = tcb.abort();
                self.freeze(index, &tcb, effects);
            }
        }
    }

    /// Follows up what happened to a half-open connection that is not established by it.
    fn freeze(&mut self, index: u32, tcb: &Tcb, effects: Effects) {
        let Some(entry) = self.syn_cache.at(index) else {
            return;
        };
        let quad = entry.quad;
        entry.half_open.freeze(tcb);
        self.send_reset(quad, None, &effects);
        match effects.closed {
            Some(reason) => {
                self.syn_cache.remove(index);
                self.note_half_open_gone(quad);
                self.counters.count_close(reason);
                tracing::debug!(%quad, ?reason, "gave up half-open");
            }
            None => self.syn_cache.settle(index),
        }
    }

    /// The handshake is done: from now on there is a connection.
    fn establish(&mut self, quad: Quad, listener: ListenerId, mut tcb: Tcb, effects: Effects) {
        if let Some(estimate) = self.paths.find(self.now, quad.src.0) {
            tcb.begin_path(&self.config.tcp, estimate);
        }
        if let Some(index) = self.table.find(quad)
            && let Some(entry) = self.table.at(index)
            && entry.tcb.end_time_wait().closed.is_some()
        {
            self.time_waits.note_left();
            self.note_closed(index, CloseReason::Finished);
            self.settle(index);
        }
        let template = template(quad, self.config.ttl, self.config.tcp.settings.dscp);
        let owner = Owner::Listener(listener);
        let id = self.table.insert(quad, template, tcb, owner);
        self.absorb(id.index, effects);
    }

    /// Drops a half-open connection to make room for another.
    fn recycle(&mut self, index: u32) {
        if let Some(entry) = self.syn_cache.remove(index) {
            self.counters.half_open_recycled += 1;
            self.note_half_open_gone(entry.quad);
        }
    }

    /// A half-open connection has ended.
    fn note_half_open_gone(&mut self, quad: Quad) {
        if self.config.report_states {
            // Behind one that was to follow a connection in TIME-WAIT, that is there still.
            let to = match self.table.find(quad) {
                Some(_) => State::TimeWait,
                None => State::Closed,
            };
            self.events.push_state(quad, State::SynReceived, to);
        }
    }

    /// Sees to it that there is room for one more connection, and in the listener's queue.
    fn make_room_for(&mut self, listener: ListenerId) -> Result<(), DropReason> {
        if !self.listeners.has_room(listener) {
            return Err(DropReason::BacklogFull);
        }
        if !self.make_room() {
            return Err(DropReason::TableFull);
        }
        Ok(())
    }

    fn note_accepted(&mut self, quad: Quad, from: State) {
        self.counters.connections_accepted += 1;
        if self.config.report_states {
            self.events.push_state(quad, from, State::SynReceived);
        }
    }
}
