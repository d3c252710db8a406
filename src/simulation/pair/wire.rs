//! What one host has sent of one connection.

use super::user::User;
use crate::simulation::Broken;
use crate::simulation::broken::ensure;
use crate::wire::{OptionSummary, SeqNumber, TcpSegment};

/// What one host has sent of one connection, for rules that need no look into it.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    /// The numbers of its SYNs. There are several where cookies are sent.
    starts: Vec<SeqNumber>,
    /// ISS, once it has sent anything else.
    iss: Option<SeqNumber>,
    /// The number after the highest one sent.
    nxt: SeqNumber,
    /// The highest acknowledgment sent.
    ack: Option<SeqNumber>,
    /// The right edge of the largest window offered.
    edge: Option<SeqNumber>,
    /// The shift in its SYN.
    shift: Option<u8>,
    /// The connection before, with which it goes on where the SYN of another turns out to be an old
    /// duplicate, or its sender is gone (RFC 9293 section 3.6.1).
    before: Option<Box<Wire>>,
}

impl Wire {
    /// A segment goes out. Its text is `user`'s, what it acknowledges `peer`'s.
    pub(super) fn check(
        &mut self,
        segment: &TcpSegment<'_>,
        options: &OptionSummary,
        peer: &Wire,
        user: &User,
    ) -> Result<(), Broken> {
        let flags = segment.flags();
        if flags.rst() {
            return Ok(());
        }
        if flags.syn() {
            self.note_syn(segment, options);
        } else {
            self.check_text(segment, user)?;
        }
        if flags.ack() {
            self.check_ack(segment, peer)?;
        }
        Ok(())
    }

    fn note_syn(&mut self, segment: &TcpSegment<'_>, options: &OptionSummary) {
        if self.iss.is_some() {
            // Another connection, even if its cookie is the same.
            let before = Wire {
                before: None,
                ..std::mem::take(self)
            };
            self.before = Some(Box::new(before));
        }
        if !self.starts.contains(&segment.seq()) {
            self.starts.push(segment.seq());
            self.nxt = segment.seq() + 1;
        }
        self.shift = options.window_scale;
    }

    fn check_text(&mut self, segment: &TcpSegment<'_>, user: &User) -> Result<(), Broken> {
        let (seq, len) = (segment.seq(), segment.sequence_len());
        let iss = match self.iss {
            Some(iss) => iss,
            None => {
                // A keepalive probe has the number before (RFC 9293 section 3.8.4).
                let is_begin = |start: &&SeqNumber| [**start, **start + 1].contains(&seq);
                let start = self.starts.iter().find(is_begin).copied();
                let before = self.before.take().filter(|before| before.nxt == seq);
                match (start, before) {
                    (Some(start), _) => {
                        (self.iss, self.nxt) = (Some(start), start + 1);
                        start
                    }
                    (None, Some(before)) => {
                        *self = *before;
                        return self.check_text(segment, user);
                    }
                    _ => return Err(Broken(format!("{seq} follows none of its SYNs"))),
                }
            }
        };
        ensure!(seq <= self.nxt, "{seq} is sent, {} was to come", self.nxt);
        self.nxt = self.nxt.max(seq + len);
        let place = (seq - (iss + 1)) as usize;
        ensure!(
            user.is_text(place, segment.payload()),
            "what is sent from octet {place} on is not the text"
        );
        let end = place + segment.payload().len();
        ensure!(
            end <= user.sent || segment.payload().is_empty(),
            "{end} octets are sent, {} were given",
            user.sent
        );
        Ok(())
    }

    fn check_ack(&mut self, segment: &TcpSegment<'_>, peer: &Wire) -> Result<(), Broken> {
        let ack = segment.ack();
        // What is left of an earlier connection acknowledges that one's numbers.
        let known = peer.iss.is_some() || segment.flags().syn() && peer.starts.len() == 1;
        ensure!(
            !known || ack <= peer.nxt,
            "{ack} is acknowledged, {} was not sent yet",
            peer.nxt
        );
        if let Some(before) = self.ack {
            ensure!(before <= ack, "{ack} is acknowledged after {before}");
        }
        self.ack = Some(ack);
        // In SYNs windows are not scaled; elsewhere if both SYNs said so (RFC 7323 section 2.2).
        let shift = match (segment.flags().syn(), self.shift, peer.shift) {
            (false, Some(own), Some(_)) => own.min(14),
            _ => 0,
        };
        let edge = ack + (u32::from(segment.window()) << shift);
        if let Some(before) = self.edge.filter(|_| !segment.flags().syn()) {
            // SHLD-14; but for SYNs, whose window is never scaled, and for what the scale rounds away (RFC 7323 section 2.4).
            ensure!(
                before < edge + (1 << shift),
                "the window's right edge goes back from {before} to {edge}"
            );
        }
        self.edge = Some(self.edge.map_or(edge, |before| before.max(edge)));
        Ok(())
    }
}
