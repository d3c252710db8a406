//! Which resets a host may send (RFC 9293 sections 3.5.2 and 3.10.7).

use super::Broken;
use super::broken::ensure;
use crate::tcp::audit::View;
use crate::wire::{SeqNumber, TcpSegment};

/// What one end of a connection may answer by a reset, and with which number it may end.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// What has come since the host last had nothing more to send; no resets.
    asked: Vec<Asked>,
    /// Whether something has come that nobody else knows.
    is_blind: bool,
    /// The connection, as it was at that time and after each segment since: there may have been
    /// more than one.
    views: Vec<View>,
    /// The number of the SYN for which the host was half-open.
    half_open: Option<SeqNumber>,
}

/// A segment that has come.
#[derive(Clone, Copy, Debug)]
struct Asked {
    ack: Option<SeqNumber>,
    /// Its own, if it is a SYN.
    syn: Option<SeqNumber>,
    /// The number after its last one.
    end: SeqNumber,
    window: u16,
}

impl Resets {
    /// A segment comes.
    pub(super) fn note_arrival(&mut self, tcp: &TcpSegment<'_>) {
        let flags = tcp.flags();
        if !flags.rst() {
            self.asked.push(Asked {
                ack: flags.ack().then(|| tcp.ack()),
                syn: flags.syn().then(|| tcp.seq()),
                end: tcp.seq() + tcp.sequence_len(),
                window: tcp.window(),
            });
        }
    }

    /// Something comes that may be any segment.
    pub(super) fn note_unknown(&mut self) {
        self.is_blind = true;
    }

    /// How the connection sees itself, if there is one.
    pub(super) fn note_view(&mut self, view: Option<View>) {
        self.views.extend(view);
    }

    /// All has gone out that the host had to send; `half_open` is the number of the SYN that it
    /// has answered, if it is half-open.
    pub(super) fn settle(&mut self, view: Option<View>, half_open: Option<SeqNumber>) {
        self.asked.clear();
        self.views.clear();
        self.views.extend(view);
        (self.is_blind, self.half_open) = (false, half_open);
    }

    /// A reset goes out.
    pub(super) fn check(&self, tcp: &TcpSegment<'_>) -> Result<(), Broken> {
        let (seq, flags) = (tcp.seq(), tcp.flags());
        let ack = flags.ack().then(|| tcp.ack());
        // Section 3.10.7.1: with the number that was asked for; or else with zero, and an
        // acknowledgment of what has come. Nothing answers a reset.
        let answers = |asked: &Asked| match asked.ack {
            Some(number) => ack.is_none() && seq == number,
            None => ack == Some(asked.end) && seq == SeqNumber(0),
        };
        let is_right = tcp.payload().is_empty() && !flags.syn() && !flags.fin();
        let answered = self.asked.iter().filter_map(|asked| asked.syn);
        let mut syns = answered.chain(self.half_open);
        let may = self.is_blind
            || self.asked.iter().any(answers)
            || ack.is_some_and(|ack| self.views.iter().any(|view| self.ends(view, seq, ack)))
            || ack.is_some_and(|ack| syns.any(|irs| ack == irs + 1));
        ensure!(
            is_right && may,
            "a reset with number {seq}, acknowledging {ack:?}, answers none of {:?} and does not \
             end {:?}",
            self.asked,
            self.views.last()
        );
        Ok(())
    }

    /// Whether these are the numbers of a connection that breaks off: SND.NXT, or where the peer's
    /// window ends before that (RFC 9293 appendix A.2), and RCV.NXT.
    fn ends(&self, view: &View, seq: SeqNumber, ack: SeqNumber) -> bool {
        let edge = |asked: &Asked| Some(asked.ack? + (u32::from(asked.window) << view.shift));
        let shrunk = seq == view.una + view.wnd
            || self.asked.iter().filter_map(edge).any(|edge| edge == seq);
        ack == view.rcv_nxt && (seq == view.nxt || (seq < view.nxt && shrunk))
    }
}
