//! How packets come to the host and go from it, whole and in pieces; ICMP and garbage.

use super::Siege;
use super::host::{HOST, MTU};
use super::lies::Truth;
use super::rarely;
use crate::simulation::broken::{Broken, ensure};
use crate::simulation::{Choices, Observer, Passage, check_sent, router, text};
use crate::stack::{Meta, Quad, Stack};
use crate::tcp::State;
use crate::wire::{
    BuildError, Icmpv4Builder, Icmpv4Type, IpProtocol, Ipv4Builder, Ipv4Packet, ParseError,
    SeqNumber, TcpBuilder, TcpPacket,
};

/// A packet that the world itself could not make or read.
fn unmade(error: BuildError) -> Broken {
    Broken(format!("the world made no packet: {error}"))
}

/// A packet of the host's that cannot be read.
fn unsound(error: ParseError) -> Broken {
    Broken(format!("an unsound packet: {error}"))
}

impl<C: Choices> Siege<C> {
    /// The host takes in a packet.
    fn receive(&mut self, watch: &mut dyn Observer, packet: &[u8]) {
        watch.packet(self.now, 0, Passage::Received, packet);
        self.books.note_received(TcpPacket::parse(packet).is_ok());
        self.stack.receive(self.clock(), packet, Meta::default());
    }

    /// A segment of the peer of connection `at` comes, with `len` octets of text.
    pub(super) fn arrive(
        &mut self,
        watch: &mut dyn Observer,
        at: usize,
        segment: TcpBuilder<'_>,
        len: usize,
        truth: Truth,
    ) -> Result<(), Broken> {
        let mut buffer = [0; 2000];
        // Its text follows from its number, which the builder knows.
        let header = segment.write(&mut buffer, &[]).map_err(unmade)?;
        let seq = TcpPacket::parse(&buffer[..header])
            .map_err(unsound)?
            .tcp
            .seq();
        let mut octets = [0; MTU as usize];
        let octets = &mut octets[..len];
        self.tell(at, seq, truth, octets);
        let len = segment.write(&mut buffer, octets).map_err(unmade)?;
        let packet = &buffer[..len];

        let quad = self.peers[at].quad;
        let before = self.stack.state_of(quad);
        let tcb = self.stack.tcb_of(quad);
        let view = tcb.map(|tcb| tcb.view(self.now));
        let expected = view.map(|view| view.rcv_nxt);
        self.peers[at].resets.note_view(view);
        let whole = self.is_bystander(at) || self.manners.good;
        if !whole && rarely(&mut self.choices, 5) {
            self.receive_in_pieces(watch, packet)?;
        } else {
            self.receive(watch, packet);
        }
        let after = self.stack.state_of(quad);
        let tcp = TcpPacket::parse(packet).map_err(unsound)?.tcp;
        self.peers[at].resets.note_arrival(&tcp);
        self.note_view(at);
        // RFC 5961 section 3.2.
        let is_exact = expected == Some(tcp.seq());
        let is_open = before.is_some_and(State::is_synchronized);
        ensure!(
            !tcp.flags().rst() || is_exact || !is_open || before == after,
            "a reset with number {} ends {quad}, which expects {expected:?}",
            tcp.seq()
        );
        self.peers[at].note_arrival(self.now, &tcp, before, after);
        let has_begun = match before {
            None | Some(State::SynSent) => before != after,
            Some(State::TimeWait) => after == Some(State::SynReceived),
            _ => false,
        };
        if tcp.flags().syn() && has_begun {
            for handle in &mut self.handles {
                if handle.quad == quad && self.stack.state(handle.id) == after {
                    handle.read = handle.read.or(Some(tcp.seq() + 1));
                }
            }
        }
        Ok(())
    }

    /// How the host sees connection `at`.
    fn note_view(&mut self, at: usize) {
        let tcb = self.stack.tcb_of(self.peers[at].quad);
        let view = tcb.map(|tcb| tcb.view(self.now));
        self.peers[at].resets.note_view(view);
    }

    /// A packet comes in fragments, in any order, one of them maybe twice or never.
    fn receive_in_pieces(&mut self, watch: &mut dyn Observer, packet: &[u8]) -> Result<(), Broken> {
        let whole = Ipv4Packet::parse(packet).map_err(unsound)?;
        let id = self.choices.below(1 << 16) as u16;
        let size = self.choices.pick(&[504, 48, 24]);
        let count = whole.payload().len().div_ceil(size);
        // A walk in strides, which is complete since these divide no count.
        let stride = self
            .choices
            .pick(&[1, 1, 67, 71, 73, 79, 83, 89, 97, 101, 103]);
        let first = self.choices.below(count as u64) as usize;
        let missing = rarely(&mut self.choices, 10).then_some(first);
        let twice = rarely(&mut self.choices, 20).then_some(first);
        // One at most comes twice: all of them would be the datagram once more.
        let again = twice.filter(|_| count > 1);
        let order = (0..count).map(|n| (first + n * stride) % count);
        for n in order.filter(|n| missing != Some(*n)).chain(again) {
            let from = n * size;
            let mut piece = [0; MTU as usize];
            let len = router::fragment(&mut piece, &whole, id, from, size).map_err(unmade)?;
            self.receive(watch, &piece[..len]);
        }
        Ok(())
    }

    /// Everything there is to send goes out, and is looked at.
    pub(super) fn drain(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let mut buffer = [0; MTU as usize];
        let mut count = 0;
        while let Some(transmit) = self.stack.poll_transmit(self.clock(), &mut buffer) {
            count += 1;
            ensure!(count < 5000, "it sends for ever");
            let packet = &buffer[..transmit.len];
            watch.packet(self.now, 0, Passage::Sent, packet);
            self.depart(watch, packet)?;
        }
        for peer in &mut self.peers {
            let (tcb, state) = (self.stack.tcb_of(peer.quad), self.stack.state_of(peer.quad));
            let half_open = (state == Some(State::SynReceived)).then_some(peer.irs);
            let view = tcb.map(|tcb| tcb.view(self.now));
            peer.resets.settle(view, half_open);
        }
        Ok(())
    }

    /// A packet of the host's goes out.
    fn depart(&mut self, watch: &mut dyn Observer, packet: &[u8]) -> Result<(), Broken> {
        let config = self.stack.config();
        let mtu = usize::from(config.mtu.max(68));
        let receive_window = config.tcp.receive_buffer as u32;
        let (ip, tcp) = check_sent(packet, HOST, mtu)?;
        self.books.note_sent(tcp.as_ref());
        let Some(tcp) = tcp else {
            return Ok(());
        };
        let packet = TcpPacket { ip, tcp };
        let at = self.peer_of(Quad::of(&packet).reversed());
        if tcp.flags().rst() {
            let peer = &self.peers[at];
            let told = peer.resets.check(&tcp);
            return told.map_err(|what| Broken(format!("{}: {what}", peer.quad)));
        }
        let state = self.stack.state_of(self.peers[at].quad);
        let opens = [None, Some(State::SynSent), Some(State::SynReceived)];
        if tcp.flags().syn() && !opens.contains(&state) {
            // A cookie that was still to go out when another came back.
            return Ok(());
        }
        let is_older = match state {
            Some(State::SynReceived) => !tcp.flags().syn(),
            Some(State::TimeWait) => self.peers[at].iss.is_none(),
            _ => false,
        };
        if is_older {
            // The one in TIME-WAIT, which stays until its successor is open.
            let empty = tcp.sequence_len() == 0;
            ensure!(empty, "text to {} in {state:?}", self.peers[at].quad);
            return Ok(());
        }
        let is_right = self.is_right() && !self.is_bystander(at);
        let peer = &mut self.peers[at];
        if is_right && peer.end.is_stray(&tcp) {
            return Ok(());
        }
        let before = (peer.nxt, peer.ack);
        peer.check(self.now, state, &tcp, receive_window)?;
        // Of one in TIME-WAIT there may have been a successor, of which the peer knows instead.
        if is_right && state != Some(State::TimeWait) {
            peer.check_right(&tcp)?;
        }
        if !tcp.flags().syn() {
            self.depth.wraps += wraps(before.0, peer.nxt) + wraps(before.1, peer.ack);
        }
        let dark = self.manners.dark > 0 || rarely(&mut self.choices, self.manners.loss);
        if dark && !self.manners.good {
            self.manners.dark = self.manners.dark.saturating_sub(1);
            watch.note(self.now, 0, format_args!("lost on its way"));
        } else {
            let peer = &mut self.peers[at];
            let is_next = tcp.sequence_len() > 0 && tcp.seq() <= peer.end.rcv;
            peer.asked |= self.manners.good && is_next;
            peer.end.hear(&tcp);
        }
        Ok(())
    }

    /// An ICMP message about a segment of the host's, or one that looks like it.
    pub(super) fn send_icmp(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let at = self.any_peer();
        let is_right = self.is_right();
        let (choices, peer) = (&mut self.choices, &self.peers[at]);
        let seq = match choices.below(10) {
            0 => SeqNumber(choices.below(1 << 32) as u32),
            1 => peer.nxt + choices.below(3000) as u32,
            _ => peer.nxt - choices.below(3000) as u32,
        };
        let mut quote = [0; 100];
        let quoted = TcpBuilder::new(peer.quad.local(), peer.quad.peer()).seq(seq);
        let len = quoted.write(&mut quote, &[]).map_err(unmade)?;
        let len = choices.pick(&[len, len, 28, 20, 3]);
        // What has no way to the peer ends a connection that is about to open: not where all
        // are to do well.
        let (kind, code) = match choices.below(10) {
            0..4 => (3, 4),
            4..6 => (3, choices.pick(&[0, 1, 5, 11, 12])),
            6..8 if !is_right => (3, choices.below(18)),
            8 if !is_right => (choices.below(20), choices.below(3)),
            _ => (choices.pick(&[11, 12]), choices.below(3)),
        };
        let mtu = choices.pick(&[0, 1, 68, 296, 552, 1000, 1499, 65_535u16]);
        // Both are below 256.
        let what = (Icmpv4Type(kind as u8), code as u8);
        let mut buffer = [0; 200];
        let len = router::report(&mut buffer, HOST, what, mtu, &quote[..len]).map_err(unmade)?;
        let quad = peer.quad;
        let view = |stack: &Stack| stack.tcb_of(quad).map(|tcb| tcb.view(stack.now()));
        let before = view(&self.stack);
        self.receive(watch, &buffer[..len]);
        // RFC 5927 section 4.1.
        let ignored = before.is_some_and(|view| !(view.una..view.nxt).contains(&seq));
        ensure!(
            !ignored || before == view(&self.stack),
            "an ICMP message about {seq}, which is not in flight to {quad}, changes {before:?} to {:?}",
            view(&self.stack)
        );
        Ok(())
    }

    /// Something that asks for an answer, or nothing; bits of it may be wrong, and its end missing.
    pub(super) fn send_garbage(&mut self, watch: &mut dyn Observer) -> Result<(), Broken> {
        let at = self.any_peer();
        let (choices, peer) = (&mut self.choices, &self.peers[at]);
        let mut body = [0; 100];
        let body = &mut body[..choices.below(100) as usize];
        text::fill(9, body);
        let src = peer.quad.src.0;
        let mut buffer = [0; 200];
        let written = match choices.below(4) {
            0 => {
                Icmpv4Builder::new(src, HOST, Icmpv4Type::ECHO_REQUEST, 0).write(&mut buffer, body)
            }
            1 => peer.builder().write(&mut buffer, body),
            2 => peer
                .builder()
                .ip(|ip| ip.ttl(1).options(&[7, 7, 4, 0, 0, 0, 0, 0]))
                .write(&mut buffer, body),
            _ => {
                let protocol = choices.pick(&[IpProtocol::UDP, IpProtocol(0), IpProtocol(41)]);
                Ipv4Builder::new(src, HOST, protocol).write(&mut buffer, body)
            }
        };
        let len = written.map_err(unmade)?;
        for _ in 0..choices.below(3) {
            buffer[choices.below(len as u64) as usize] ^= choices.below(256) as u8;
        }
        let cut = choices.below(len as u64 + 1) as usize;
        let len = if choices.percent(50) { len } else { cut };
        let packet = &buffer[..len];
        if let Ok(segment) = TcpPacket::parse(packet) {
            let at = self.peer_of(Quad::of(&segment));
            self.note_view(at);
            self.peers[at].resets.note_arrival(&segment.tcp);
            self.receive(watch, packet);
            self.note_view(at);
        } else {
            self.receive(watch, packet);
        }
        Ok(())
    }
}

/// How often the numbers from one to the other go past 2^31 and 2^32, as far as they grow.
fn wraps(from: SeqNumber, to: SeqNumber) -> u64 {
    let grows = from < to;
    u64::from(grows && from.0 >> 31 != to.0 >> 31)
}
