//! What is to be sent next.

use super::config::Config;
use super::reassembly::SackList;
use super::state::State;
use super::tcb::{AckDue, Tcb};
use super::timers::Timer;
use crate::time::Instant;
use crate::wire::{SegmentFields, SeqNumber, TcpFlags};

/// A segment to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The fields of its header.
    pub fields: SegmentFields,
    /// On a SYN, the MSS option's value: what this end can receive, in octets of text.
    pub mss: Option<u16>,
    /// On a SYN, the window scale option's value, if there is to be one.
    pub window_scale: Option<u8>,
    /// On a SYN, whether there is to be a SACK-permitted option.
    pub sack_permitted: bool,
    /// TSval and TSecr of the timestamps option, if there is to be one.
    pub timestamps: Option<(u32, u32)>,
    /// The blocks of a SACK option, if there are any.
    pub sack: SackList,
    /// Its text, in two pieces.
    pub payload: [&'a [u8]; 2],
    /// Whether it was sent before.
    pub is_retransmission: bool,
    /// Whether routers must not fragment it (RFC 1191 section 3).
    pub dont_fragment: bool,
}

/// Which numbers a segment takes.
pub(super) struct Span {
    pub(super) seq: SeqNumber,
    /// Octets of text.
    pub(super) len: u32,
    pub(super) fin: bool,
    /// Whether it probes the peer's window, for which the persist timer runs.
    pub(super) probe: bool,
}

impl Tcb {
    /// The next segment to send at `now`, if there is one; it counts as sent.
    pub fn poll_transmit(&mut self, now: Instant, config: &Config) -> Option<Outgoing<'_>> {
        match self.state {
            State::Closed | State::Listen => None,
            State::SynSent | State::SynReceived => self.send_syn(now, config),
            _ => {
                let span = self.next_span(now, config)?;
                Some(self.send_span(now, config, span))
            }
        }
    }

    /// What may go out now.
    pub(super) fn next_span(&mut self, now: Instant, config: &Config) -> Option<Span> {
        // Before any text: what carries text is no duplicate (RFC 5681 section 2), and
        // neither is the first one that acknowledges new text.
        if self.duplicate_acks_due > 0 {
            if self.ack_due == AckDue::No {
                self.duplicate_acks_due -= 1;
            }
            return Some(self.bare_ack());
        }
        self.next_text(now, config)
            .or((self.ack_due == AckDue::Now).then(|| self.bare_ack()))
    }

    pub(super) fn bare_ack(&self) -> Span {
        Span {
            seq: self.bare_seq(),
            len: 0,
            fin: false,
            probe: false,
        }
    }

    /// Which text or FIN may go out now.
    pub(super) fn next_text(&mut self, now: Instant, config: &Config) -> Option<Span> {
        if matches!(self.state, State::FinWait2 | State::TimeWait) {
            // Our FIN is acknowledged: there is no more.
            return None;
        }
        let text_end = self.text_end();
        // Options take from the room for text.
        let options = self.sack_list().option_len();
        let mss = u32::from(self.snd.mss).saturating_sub(options).max(1);
        if core::mem::take(&mut self.retransmit_first) && self.flight() > 0 {
            let seq = self.snd.una;
            let len = self.send_buffer.len().min(mss as usize) as u32;
            let len = len.min(self.snd.nxt - seq);
            let fin = self.fin_sent && seq + len == text_end;
            return Some(Span {
                seq,
                len,
                fin,
                probe: false,
            });
        }

        let seq = self.snd.cursor;
        // The FIN's number is that of the text's end.
        let fin_goes = self.fin_queued && seq <= text_end;
        let unsent = if seq < text_end { text_end - seq } else { 0 };
        if unsent == 0 && !fin_goes {
            return None;
        }
        // How much the peer's window and the network's hold.
        let window = self.snd.wnd.min(self.congestion.window());
        let in_flight = seq - self.snd.una;
        let usable = window.saturating_sub(in_flight);
        let len = unsent.min(mss).min(usable);
        let fin = fin_goes && len == unsent && usable > len;
        // Silly-window avoidance and Nagle (RFC 9293 sections 3.8.6.2.1 and 3.7.4).
        let worth_sending = fin
            || len == mss
            || (len > 0 && seq < self.snd.nxt)
            || (len > 0 && len == unsent && (self.flight() == 0 || !self.settings(config).nagle))
            || (len > 0 && len >= self.snd.max_wnd / 2);
        let probe = core::mem::take(&mut self.probe);
        if worth_sending {
            return Some(Span {
                seq,
                len,
                fin,
                probe: false,
            });
        }
        if probe {
            // At least one octet, or the FIN (RFC 9293 section 3.8.6.1).
            return Some(Span {
                seq,
                len: unsent.min(mss).min(usable.max(1)),
                fin: unsent == 0,
                probe,
            });
        }
        // Nothing in flight will bring an acknowledgment: only a probe can.
        if in_flight == 0 && !self.timers.is_set(Timer::Persist) {
            self.timers.stop(Timer::Retransmit);
            self.set_persist_timer(now, config);
        }
        None
    }

    pub(super) fn send_span(&mut self, now: Instant, config: &Config, span: Span) -> Outgoing<'_> {
        let Span {
            seq,
            len,
            fin,
            probe,
        } = span;
        let takes = len + u32::from(fin);
        let end = seq + takes;
        let is_retransmission = takes > 0 && seq < self.snd.nxt;
        if takes > 0 {
            if is_retransmission {
                // Karn's rule (RFC 6298 section 3).
                self.timing = None;
            } else if self.timing.is_none() && !probe {
                self.timing = Some((end, now));
            }
            self.snd.nxt = self.snd.nxt.max(end);
            self.snd.cursor = self.snd.cursor.max(end);
            self.fin_sent |= fin;
            self.tally.octets_sent += u64::from(len);
            self.note_size(seq, len);
            if !probe {
                self.timers.stop(Timer::Persist);
                // RFC 6298 section 5.1.
                if !self.timers.is_set(Timer::Retransmit) {
                    let due = now + self.rto(config);
                    self.timers.set(Timer::Retransmit, due);
                }
            }
        }

        self.tally.segments_sent = self.tally.segments_sent.wrapping_add(1);
        let mut flags = TcpFlags::ACK;
        if fin {
            flags |= TcpFlags::FIN;
        }
        // The last of what the user has queued (MUST-61).
        if len > 0 && seq + len == self.text_end() {
            flags |= TcpFlags::PSH;
        }
        let window = self.window_field(config);
        self.ack_due = AckDue::No;
        self.rcv.unacknowledged = 0;
        self.timers.stop(Timer::DelayedAck);
        let sack = self.sack_list();
        Outgoing {
            fields: SegmentFields {
                seq,
                ack: self.rcv.nxt,
                flags,
                window,
                ..SegmentFields::default()
            },
            mss: None,
            window_scale: None,
            sack_permitted: false,
            timestamps: None,
            sack,
            payload: match len {
                0 => [&[], &[]],
                // What has text starts at SND.UNA or after.
                _ => self
                    .send_buffer
                    .slices((seq - self.snd.una) as usize, len as usize),
            },
            is_retransmission,
            dont_fragment: self.path.forbids_fragments(config),
        }
    }

    /// What an acknowledgment reports of the octets that came ahead of their turn, if the
    /// peer understands it (RFC 2018).
    pub(super) fn sack_list(&self) -> SackList {
        if self.rcv.sack_permitted && !self.reassembly.is_empty() {
            self.reassembly.blocks()
        } else {
            SackList::default()
        }
    }
}
