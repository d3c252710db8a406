//! What a peer knows of its connection, and what it looks at in each segment of the host's.

use super::end::End;
use crate::simulation::broken::{Broken, ensure};
use crate::simulation::resets::Resets;
use crate::simulation::text;
use crate::stack::Quad;
use crate::tcp::State;
use crate::time::Instant;
use crate::wire::{OptionSummary, SeqNumber, TcpFlags, TcpSegment};

/// What a peer knows of one connection, the present one or the last.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) quad: Quad,
    /// The host's initial number; none before its SYN.
    pub(super) iss: Option<SeqNumber>,
    /// The number after the last one that the host has sent.
    pub(super) nxt: SeqNumber,
    /// What the host acknowledged last, and its window field.
    pub(super) ack: SeqNumber,
    pub(super) window: u16,
    /// What the host's SYN says: the shift of its windows, and whether it understands SACK.
    pub(super) scale: Option<u8>,
    pub(super) sack: bool,
    /// The host's last timestamp, if it sends any.
    pub(super) times: Option<u32>,
    /// When that came.
    heard: Instant,
    /// Whether the host has acknowledged anything of the present connection.
    pub(super) acknowledged: bool,
    /// The right edge of the largest window that the host has offered.
    pub(super) offered: Option<SeqNumber>,
    /// The peer's own initial number, as the host believed it.
    pub(super) irs: SeqNumber,
    /// What the SYN that the host believed said.
    syn_window: u16,
    shift: u8,
    /// The right edge of the largest window ever offered to the host.
    pub(super) edge: SeqNumber,
    /// What a right end remembers of it.
    pub(super) end: End,
    /// What the host may reset of it.
    pub(super) resets: Resets,
    /// Whether the host has sent it anything that moves what it acknowledges, since nothing is lost
    /// any more.
    pub(super) asked: bool,
}

impl Peer {
    pub(super) fn new(quad: Quad) -> Peer {
        Peer {
            quad,
            iss: None,
            nxt: SeqNumber(0),
            ack: SeqNumber(0),
            window: 0,
            scale: None,
            sack: false,
            times: None,
            heard: Instant::ZERO,
            acknowledged: false,
            offered: None,
            irs: SeqNumber(0),
            syn_window: 0,
            shift: 0,
            edge: SeqNumber(0),
            end: End::default(),
            resets: Resets::default(),
            asked: false,
        }
    }

    /// The shift of the host's windows, which are not scaled if the peer's are not.
    pub(super) fn host_shift(&self) -> u8 {
        let both = self.scale.filter(|_| self.end.scale.is_some());
        both.map_or(0, |shift| shift.min(14))
    }

    /// The shift of the peer's windows, which are not scaled if the host's are not.
    pub(super) fn own_shift(&self) -> u8 {
        let both = self.end.scale.filter(|_| self.scale.is_some());
        both.map_or(0, |shift| shift.min(14))
    }

    /// A segment of the peer's has come to the host, which was in the state `before` and is in
    /// `after`: what the host believes of it.
    pub(super) fn note_arrival(
        &mut self,
        now: Instant,
        tcp: &TcpSegment<'_>,
        before: Option<State>,
        after: Option<State>,
    ) {
        let flags = tcp.flags();
        if before.is_none() && after.is_some() && !flags.syn() {
            self.note_cookie(tcp);
        }
        let is_new = match before {
            None | Some(State::SynSent) => true,
            Some(State::TimeWait) => after == Some(State::SynReceived),
            _ => false,
        };
        if flags.syn() && is_new {
            let (options, _) = OptionSummary::tolerant(tcp.option_bytes());
            self.end.begin(now, tcp.seq(), tcp.window(), &options);
            if before != after {
                self.irs = tcp.seq();
                self.acknowledged = false;
                self.syn_window = tcp.window();
                self.shift = options.window_scale.unwrap_or(0).min(14);
            }
            match before {
                Some(State::SynSent) if before == after => {}
                Some(State::SynSent) => {
                    let iss = self.iss.unwrap_or_default();
                    self.edge = iss + 1 + u32::from(tcp.window());
                }
                // Its answer is to come.
                _ => self.iss = None,
            }
        }
        if let Some(iss) = self.iss
            && flags.ack()
            && (tcp.ack() - iss) <= (self.nxt - iss)
        {
            let edge = tcp.ack() + (u32::from(tcp.window()) << self.shift);
            self.edge = self.edge.max(edge);
        }
    }

    /// A cookie has come back, maybe not the last one. What its SYN said of windows is not
    /// known any more.
    fn note_cookie(&mut self, tcp: &TcpSegment<'_>) {
        self.iss = Some(tcp.ack() - 1);
        self.nxt = tcp.ack();
        (self.ack, self.acknowledged) = (tcp.seq(), true);
        self.window = u16::MAX;
        // Without a timestamp it brings none back that was agreed on.
        let (options, _) = OptionSummary::tolerant(tcp.option_bytes());
        self.times = self.times.filter(|_| options.timestamps.is_some());
        self.irs = tcp.seq() - 1;
        self.shift = 14;
        self.edge = tcp.ack();
        let sent = tcp.seq() + tcp.sequence_len();
        self.end.resume(sent, tcp.ack());
    }

    /// A segment goes out that is no reset, to a host in `state`: whether it may.
    pub(super) fn check(
        &mut self,
        now: Instant,
        state: Option<State>,
        tcp: &TcpSegment<'_>,
        receive_window: u32,
    ) -> Result<(), Broken> {
        let (quad, flags) = (self.quad, tcp.flags());
        let Ok(options) = tcp.option_summary() else {
            return Err(Broken(format!("malformed options to {quad}")));
        };
        if flags.syn() {
            self.note_syn(tcp, &options);
        }
        let Some(iss) = self.iss else {
            return Err(Broken(format!("no SYN before {quad}")));
        };
        ensure!(
            text::is_text(tcp.seq() - iss, tcp.payload()),
            "text that the user of {quad} did not send, at {}",
            tcp.seq() - iss
        );
        let end = tcp.seq() + tcp.sequence_len();
        if self.nxt < end {
            // But for a probe of one octet, or the FIN.
            let probe = u32::from(tcp.sequence_len() == 1);
            ensure!(end <= self.edge + probe, "beyond the window of {quad}");
            self.nxt = end;
        }
        if flags.ack() {
            // Of a connection in TIME-WAIT there may have been a successor that did not open.
            let succeeded = state == Some(State::TimeWait);
            ensure!(
                !self.acknowledged || succeeded || self.ack <= tcp.ack(),
                "an acknowledgment to {quad} taken back"
            );
            (self.ack, self.window) = (tcp.ack(), tcp.window());
            self.acknowledged = true;
            self.check_sack(&options, receive_window)?;
        }
        self.note_times(now, &options)
    }

    /// What holds besides of segments to a right end, which knows what was agreed on.
    pub(super) fn check_right(&mut self, tcp: &TcpSegment<'_>) -> Result<(), Broken> {
        let quad = self.quad;
        if !tcp.flags().ack() {
            return Ok(());
        }
        // A FIN behind the probe of a closed window is not counted yet.
        ensure!(
            tcp.ack() <= self.end.sent + 1,
            "{} is acknowledged to {quad}, {} was sent",
            tcp.ack(),
            self.end.sent
        );
        let syn = tcp.flags().syn();
        let shift = if syn { 0 } else { self.host_shift() };
        let edge = tcp.ack() + (u32::from(tcp.window()) << shift);
        // But for what a shift rounds off, the window does not shrink (SHLD-14).
        let least = self.offered.filter(|_| !syn).unwrap_or(edge);
        ensure!(
            least <= edge + ((1 << shift) - 1),
            "the window offered to {quad} shrinks from {least} to {edge}"
        );
        self.offered = Some(least.max(edge));
        Ok(())
    }

    /// The host's SYN, for the first time or again.
    fn note_syn(&mut self, tcp: &TcpSegment<'_>, options: &OptionSummary) {
        (self.scale, self.sack) = (options.window_scale, options.sack_permitted);
        // A cookie comes again with another answer to what its SYN says.
        (self.times, self.acknowledged) = (None, false);
        self.offered = None;
        if self.iss != Some(tcp.seq()) {
            self.iss = Some(tcp.seq());
            self.nxt = tcp.seq() + 1;
            self.edge = tcp.seq() + 1 + u32::from(self.syn_window);
            self.end.open(tcp.seq());
        }
    }

    /// Blocks tell of what lies in the window, but for a duplicate's (RFC 2883).
    fn check_sack(&self, options: &OptionSummary, receive_window: u32) -> Result<(), Broken> {
        let quad = self.quad;
        for (n, block) in options.sack().iter().enumerate() {
            ensure!(block.left < block.right, "an empty SACK block to {quad}");
            ensure!(
                n == 0 || self.ack < block.left,
                "a SACK block to {quad} of what is acknowledged"
            );
            ensure!(
                block.right <= self.ack + receive_window,
                "a SACK block to {quad} beyond the window"
            );
        }
        Ok(())
    }

    /// Timestamps of one connection grow (RFC 7323 section 4.1).
    fn note_times(&mut self, now: Instant, options: &OptionSummary) -> Result<(), Broken> {
        /// Half the time in which they wrap around, in milliseconds: beyond, older ones look newer.
        const HALF: u64 = 1 << 31;

        let quad = self.quad;
        let value = options.timestamps.map(|(value, _)| value);
        if let (Some(last), Some(value)) = (self.times, value)
            && now.as_millis() - self.heard.as_millis() < HALF
        {
            ensure!(
                SeqNumber(last) <= SeqNumber(value),
                "a timestamp to {quad} goes back"
            );
        }
        (self.times, self.heard) = (value, now);
        Ok(())
    }

    /// What it says of itself where it has nothing else to say.
    pub(super) fn flags_of_syn(ecn: bool) -> TcpFlags {
        match ecn {
            true => TcpFlags::SYN | TcpFlags::ECE | TcpFlags::CWR,
            false => TcpFlags::SYN,
        }
    }
}
