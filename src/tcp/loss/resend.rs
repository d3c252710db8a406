//! What goes out again, and in which order (RFC 6675 section 4, NextSeg).

use super::Fate;
use super::episode::{Episode, Kind};
use super::undo::Frto;
use crate::tcp::output::Span;
use crate::tcp::tcb::Tcb;

impl Tcb {
    /// What was sent before and goes out again now: lost octets first (RFC 6675 section 4,
    /// NextSeg rule 1).
    pub(in crate::tcp) fn next_lost(&mut self, mss: u32) -> Option<Span> {
        if self.flight.board.lost() == 0 || self.questions_left().is_some() {
            return None;
        }
        let (start, end) = self.flight.board.first(Fate::Lost, self.snd.una, mss)?;
        // Not beyond the peer's window, which may have shrunk (SHLD-16).
        let edge = self.send_edge();
        if edge <= start {
            return None;
        }
        let mut end = end.min(edge);
        if end == self.snd.nxt && !self.ecn.holds() {
            // What follows was never sent, and fills the segment.
            let room = self.unsent().min(mss - (end - start));
            end += room.min(edge - end);
        }
        // One may always be in the network: nothing else would set recovery going again.
        let pipe = self.flight.pipe();
        let fits = pipe == 0 || pipe.saturating_add(end - start) <= self.network_window();
        if !fits && !self.flight.at_once {
            self.cwnd_limited = true;
            return None;
        }
        Some(self.span(start, end))
    }

    /// F-RTO's question goes out first. If there is nothing to ask with, or what was asked
    /// with is lost, it is off (RFC 5682 section 2.1 step 2b).
    pub(in crate::tcp) fn stop_asking(&mut self) -> bool {
        let unasked = self.questions_left() == Some(2) || self.flight.board.in_flight() == 0;
        match &mut self.flight.episode {
            Some(Episode {
                kind: Kind::Timeout { frto },
                ..
            }) if unasked && matches!(frto, Frto::Asking(_)) => {
                *frto = Frto::Off;
                true
            }
            _ => false,
        }
    }

    /// Where there is nothing lost and nothing new to send: a hole that is not deemed lost
    /// yet, or once in a recovery the end of what was sent (NextSeg rules 3 and 4).
    pub(in crate::tcp) fn next_in_doubt(&mut self, mss: u32) -> Option<Span> {
        let edge = self.send_edge();
        let flight = &mut self.flight;
        let reordering_seen = flight.rack.reordering_seen();
        let Some(Episode {
            kind:
                Kind::Fast {
                    prr,
                    highest_again,
                    rescue,
                    ..
                },
            ..
        }) = &mut flight.episode
        else {
            return None;
        };
        let in_flight = flight.board.in_flight();
        if !self.rcv.sack_permitted || in_flight == 0 || prr.window() < in_flight + mss {
            return None;
        }
        let below = flight.board.highest_sacked();
        let hole = flight.board.first(Fate::InFlight, *highest_again, mss);
        // Where segments overtake each other, patience is better (RFC 8985).
        let hole = hole.filter(|(_, end)| *end <= below && !reordering_seen);
        let (start, end) = match hole {
            Some(hole) => hole,
            None if rescue.is_some() => return None,
            // If it has been sent again already, RACK tells whether that is lost too.
            None => flight
                .board
                .last_in_flight(mss)
                .filter(|(start, _)| *highest_again <= *start)?,
        };
        if edge < end {
            return None;
        }
        if hole.is_none() {
            *rescue = Some(end);
        }
        // Both transmissions count.
        prr.spend(end - start);
        Some(self.span(start, end))
    }
}
