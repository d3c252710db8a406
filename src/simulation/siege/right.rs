//! A peer that is as it should be: it acknowledges what it has, sends again what is missing,
//! and keeps to the host's window. What lies between it and the host loses, copies and
//! reorders.

use super::Siege;
use super::host::fresh;
use super::lies::Truth;
use super::peer::Peer;
use super::rarely;
use crate::simulation::broken::Broken;
use crate::simulation::{Choices, Observer};
use crate::tcp::State;
use crate::wire::{SackBlocks, SeqNumber, TcpBuilder, TcpFlags, TcpOption};

/// Text, a FIN or none of it.
struct Piece {
    seq: SeqNumber,
    len: u32,
    fin: bool,
}

impl<C: Choices> Siege<C> {
    /// The right end of connection `at` says what it has to say next; one that is `calm` takes all
    /// it gets, sends all it has and closes.
    pub(super) fn speak(
        &mut self,
        watch: &mut dyn Observer,
        at: usize,
        calm: bool,
    ) -> Result<(), Broken> {
        let peer = &self.peers[at];
        match self.stack.state_of(peer.quad) {
            None if calm => Ok(()),
            None => match (peer.iss, peer.end.asked) {
                (Some(_), Some(irs)) if self.choices.percent(50) => {
                    // Maybe a cookie, which is used once.
                    let peer = &mut self.peers[at];
                    (peer.ack, peer.end.sent, peer.end.asked) = (irs + 1, irs + 1, None);
                    self.speak_text(watch, at, State::SynReceived, false)
                }
                _ => {
                    let irs = fresh(&mut self.choices);
                    self.speak_syn(watch, at, irs, None)
                }
            },
            Some(State::SynSent) => {
                // Now and then both open at once.
                let both = !calm && rarely(&mut self.choices, 20);
                let ack = peer.iss.filter(|_| !both).map(|iss| iss + 1);
                let irs = fresh(&mut self.choices);
                self.speak_syn(watch, at, irs, ack)
            }
            Some(State::TimeWait) if !calm && self.choices.percent(30) => {
                let irs = self.peers[at].ack + 1 + self.choices.below(100_000) as u32;
                self.speak_syn(watch, at, irs, None)
            }
            // The host's answer to its SYN has not come yet.
            Some(_) if !peer.acknowledged => Ok(()),
            Some(state) => self.speak_text(watch, at, state, calm),
        }
    }

    /// Whether a right end owes an answer, waits for one, or has not closed.
    pub(super) fn has_more_to_say(&self, at: usize) -> bool {
        let Peer { quad, ack, end, .. } = &self.peers[at];
        let waits_for_fin = [State::Established, State::FinWait1, State::FinWait2];
        let state = self.stack.state_of(*quad);
        let open = state.is_some_and(|state| waits_for_fin.contains(&state));
        end.owes || end.sent != *ack || (open && end.fin.is_none())
    }

    fn speak_syn(
        &mut self,
        watch: &mut dyn Observer,
        at: usize,
        irs: SeqNumber,
        ack: Option<SeqNumber>,
    ) -> Result<(), Broken> {
        let choices = &mut self.choices;
        let mut options = [TcpOption::NoOperation; 4];
        options[0] = TcpOption::MaximumSegmentSize(choices.pick(&[1460, 1460, 536, 100]));
        if choices.percent(80) {
            options[1] = TcpOption::SackPermitted;
        }
        if choices.percent(80) {
            options[2] = TcpOption::WindowScale(choices.pick(&[7, 2, 0, 14]));
        }
        if choices.percent(80) {
            let value = self.manners.stamp(self.now);
            let echo = ack.and(self.peers[at].times).unwrap_or(0);
            options[3] = TcpOption::Timestamps { value, echo };
        }
        let flags = Peer::flags_of_syn(choices.percent(50));
        let window = choices.pick(&[65_535, 65_535, 1000, 0]);
        let segment = self.peers[at].builder().seq(irs).window(window);
        let segment = match ack {
            Some(ack) => segment.ack(ack).flags(TcpFlags::SYN),
            None => segment.flags(flags),
        };
        self.arrive(watch, at, segment.options(&options), 0, Truth::Fresh)
    }

    fn speak_text(
        &mut self,
        watch: &mut dyn Observer,
        at: usize,
        state: State,
        calm: bool,
    ) -> Result<(), Broken> {
        let piece = self.next_piece(at, state, calm);
        let choices = &mut self.choices;
        let lost = !calm && rarely(choices, self.manners.loss);
        if lost {
            let (quad, seq) = (self.peers[at].quad, piece.seq);
            watch.note(
                self.now,
                0,
                format_args!("{quad}  lost on its way: seq {seq}"),
            );
            return Ok(());
        }
        let window: u32 = match choices.below(20) {
            _ if calm => 1 << 20,
            0..17 => 300_000,
            17 => 0,
            18 => choices.below(3000) as u32,
            _ => u32::MAX,
        };
        let peer = &mut self.peers[at];
        if !calm && rarely(choices, 1) {
            peer.end.renege();
        }
        let shift = peer.own_shift();
        let window = (window >> shift).min(u32::from(u16::MAX)) as u16;
        let stamps = peer.times.is_some() && peer.end.stamps;
        let mut room = [0; SackBlocks::MAX * SackBlocks::BLOCK_LEN];
        let mut options = [TcpOption::NoOperation; 2];
        if let Some(echo) = peer.times.filter(|_| stamps) {
            let value = self.manners.stamp(self.now);
            options[0] = TcpOption::Timestamps { value, echo };
        }
        if peer.sack && peer.end.sack {
            let (blocks, count) = peer.end.blocks(stamps);
            if let Some(blocks) = SackBlocks::write(&blocks[..count], &mut room) {
                options[1] = TcpOption::Sack(blocks);
            }
        }
        peer.end.owes = false;
        peer.end.edge = peer.end.rcv + (u32::from(window) << shift);
        let mut flags = TcpFlags::ACK;
        if piece.fin {
            flags |= TcpFlags::FIN;
        }
        if choices.percent(50) {
            flags |= TcpFlags::PSH;
        }
        if !calm && rarely(choices, 3) {
            flags |= TcpFlags::ECE;
        }
        // Congestion is told where the host is capable of ECN.
        let mark = if calm {
            0
        } else {
            choices.pick(&[0, 0, 2, 2, 3])
        };
        let segment = peer
            .builder()
            .ip(|ip| ip.ecn(mark))
            .seq(piece.seq)
            .ack(peer.end.rcv)
            .window(window)
            .flags(flags)
            .options(&options);
        let twice = !calm && rarely(choices, 3);
        self.arrive(watch, at, segment, piece.len as usize, Truth::Fresh)?;
        if twice {
            self.arrive(watch, at, segment, piece.len as usize, Truth::Fresh)?;
        }
        Ok(())
    }

    /// What comes next of what connection `at` has to say, within the host's window.
    fn next_piece(&mut self, at: usize, state: State, calm: bool) -> Piece {
        let (choices, peer) = (&mut self.choices, &mut self.peers[at]);
        let (una, shift) = (peer.ack, peer.host_shift());
        let end = &mut peer.end;
        end.sent = end.sent.max(una);
        let has_fin = [
            State::CloseWait,
            State::Closing,
            State::LastAck,
            State::TimeWait,
        ];
        if has_fin.contains(&state) {
            return Piece {
                seq: una,
                len: 0,
                fin: false,
            };
        }
        // More was taken than it sent: a probe, or what someone else sent.
        end.fin = end.fin.filter(|fin| una <= *fin);
        let past = (una - peer.irs).saturating_sub(1);
        let seq = match choices.below(100) {
            _ if calm => una,
            0..60 => end.sent,
            60..85 => una,
            85..95 => una + choices.below(u64::from(end.sent - una)) as u32,
            _ => una - choices.below(3000).min(past.into()) as u32,
        };
        let mut len = match choices.below(10) {
            _ if calm => end.sent - una,
            0..3 => 0,
            3..5 => 1 + choices.below(20) as u32,
            _ => choices.below(1400) as u32,
        };
        let edge = una + (u32::from(peer.window) << shift);
        if seq + len > edge {
            len = if seq < edge { edge - seq } else { 0 };
            // A window that is closed is probed.
            len += u32::from(seq == edge && rarely(choices, 50));
        }
        len = len.min(1400);
        if end.fin.is_none() && seq + len >= end.sent && (calm || rarely(choices, 1)) {
            end.fin = Some(seq + len);
        }
        if let Some(fin) = end.fin {
            len = if seq < fin { len.min(fin - seq) } else { 0 };
        }
        let fin = end.fin == Some(seq + len);
        end.sent = end.sent.max((seq + len + u32::from(fin)).min(edge + 1));
        Piece { seq, len, fin }
    }
}

impl Peer {
    /// A segment to the host.
    pub(super) fn builder(&self) -> TcpBuilder<'static> {
        TcpBuilder::new(self.quad.peer(), self.quad.local())
    }
}
