//! Differences that are known, and why each side may do as it does, or why Linux departs from the
//! RFC.

use zerotcp::tcp::State;

use crate::case::Case;
use crate::compare::{Aspect, Difference, Said};
use crate::host::{Call, Rest};
use crate::segment::{Ack, Seq};

/// A difference between the kernel's TCP and ours.
pub struct Known {
    pub name: &'static str,
    /// Where the rule stands, and why there are two ways.
    pub why: &'static str,
    /// From here on the hosts may differ in what does not show at once.
    pub ends: bool,
    applies: fn(&Case<'_>) -> bool,
}

pub const KNOWN: &[Known] = &[
    Known {
        name: "no ACK bit, out of the window or old",
        why: "RFC 9293 3.10.7.4 answers what is not acceptable before it looks for the ACK bit; \
              Linux drops what has none first of all",
        ends: false,
        applies: |case| {
            let flags = case.segment.flags;
            let bare = !flags.ack() && !flags.rst() && !flags.syn();
            bare && case.is_synchronized()
                && (!case.is_acceptable() || case.is_old())
                && case.only_ours_answers()
        },
    },
    Known {
        name: "SYN-RECEIVED: the ACK field comes first in Linux",
        why: "RFC 9293 3.10.7.4 looks at number, RST and SYN before; Linux answers each wrong \
              acknowledgment with a reset, and leaves the connection as it is",
        ends: false,
        applies: |case| {
            let kernel = match case.segment.flags.rst() {
                true => Said::Nothing,
                false => Said::Reset,
            };
            case.is_half_open()
                && case.segment.flags.ack()
                && case.segment.ack != Ack::Nxt(0)
                && case.shows_at_once()
                && case.kernel_did(kernel, State::SynReceived)
                && case.ours_goes_in_turn()
        },
    },
    Known {
        name: "SYN-RECEIVED: Linux resets for a SYN in the window",
        why: "RFC 9293 3.10.7.4, fourth: a passive open returns to LISTEN, without a word; Linux \
              sends a reset, too",
        ends: false,
        applies: |case| {
            case.is_half_open()
                && case.segment.flags.syn()
                && case.is_acceptable()
                && case.only(&[Aspect::Reset])
                && case.difference.ours.answer.reset.is_none()
                && case.both_in(State::Closed)
        },
    },
    Known {
        name: "SYN-RECEIVED: any reset in the window",
        why: "RFC 9293 3.10.7.4, second: RFC 5961 3.2 asks for the exact number; older Linux does so \
              from ESTABLISHED on",
        ends: false,
        applies: |case| {
            case.is_half_open()
                && case.segment.flags.rst()
                && case.is_acceptable()
                && case.segment.seq != Seq::Next(0)
                && case.kernel_did(Said::Nothing, State::Closed)
                && case.ours_did(Said::Acknowledgment, State::SynReceived)
        },
    },
    Known {
        name: "simultaneous open: the SYN once more",
        why: "RFC 9293 3.10.7.4 answers it as out of the window, as Linux does; ours sends its own \
              SYN again, which was lost if the peer's comes without an acknowledgment",
        ends: false,
        applies: |case| {
            !case.difference.history.passive
                && case.difference.before == State::SynReceived
                && case.segment.flags.syn()
                && !case.segment.flags.ack()
                && case.only(&[Aspect::Syn])
                && case.kernel_did(Said::Acknowledgment, State::SynReceived)
                && case.ours_did(Said::Syn, State::SynReceived)
        },
    },
    Known {
        name: "without the timestamp that was agreed on",
        why: "RFC 7323 3.2: SHOULD be dropped in silence; Linux takes it",
        ends: true,
        applies: |case| {
            let flags = case.segment.flags;
            case.lacks_timestamp()
                && !flags.rst()
                && !flags.syn()
                && case.shows_at_once()
                && case.kernel_has_moved()
                && case.ours_did(Said::Nothing, case.difference.before)
        },
    },
    Known {
        name: "which segment's timestamp becomes TS.Recent",
        why: "RFC 7323 5.3, R3: of any with an acceptable number. Linux leaves out those with an old \
              acknowledgment, and a SYN once more, and takes what ends at RCV.NXT; ours leaves out \
              those without acknowledgment, so that it takes more than a number in the window to set \
              the peer's clock",
        ends: false,
        applies: |case| {
            let judges = case.is_old()
                && case.only_ours_answers()
                && case.ours_did(Said::Acknowledgment, case.difference.before);
            case.difference.history.disputed && (case.only(&[Aspect::Echo]) || judges)
        },
    },
    Known {
        name: "Linux takes what ends at RCV.NXT",
        why: "RFC 9293 3.10.7.4, first: not acceptable, so that its acknowledgment is not heard; \
              Linux hears it, such as that of its FIN from a FIN that comes again",
        ends: true,
        applies: |case| {
            case.ends_at_next()
                && (case.shows_at_once() && case.kernel_has_moved() || case.kernel_has_less_room())
                && case.ours_did(Said::Acknowledgment, case.difference.before)
        },
    },
    Known {
        name: "Linux believes a reset just below RCV.NXT after a FIN",
        why: "RFC 5961 3.2: outside the window it is dropped; Linux takes it as one of a system \
              that does not count its FIN (Darwin)",
        ends: false,
        applies: |case| {
            case.segment.flags.rst()
                && case.above_next() == -1
                && case.kernel_did(Said::Nothing, State::Closed)
                && case.ours_did(Said::Nothing, case.difference.before)
                && matches!(
                    case.difference.before,
                    State::CloseWait | State::LastAck | State::Closing
                )
        },
    },
    Known {
        name: "Linux believes a reset at the end of what it has selectively acknowledged",
        why: "RFC 5961 3.2 asks for RCV.NXT; Linux thinks of a reset behind a segment that was lost",
        ends: false,
        applies: |case| {
            case.segment.flags.rst()
                && case.is_acceptable()
                && case.above_next() > 0
                && case.difference.base.character.sack
                && matches!(
                    case.difference.before,
                    State::Established | State::FinWait1 | State::FinWait2
                )
                && case.kernel_did(Said::Nothing, State::Closed)
                && case.ours_did(Said::Acknowledgment, case.difference.before)
        },
    },
    Known {
        name: "text after CLOSE: the reset's form",
        why: "RFC 9293 3.6.1 and 3.10.5 leave open whether the reset acknowledges, and RFC 1122 \
              which number it has: SEG.ACK in Linux, SND.NXT in ours",
        ends: false,
        applies: |case| {
            case.segment.len > 0
                && matches!(case.difference.before, State::FinWait1 | State::FinWait2)
                && case.only(&[Aspect::Reset])
                && case.both_in(State::Closed)
                && case.resets().is_some_and(|(kernel, ours)| {
                    let acknowledged = Some(case.difference.acknowledges);
                    let next = Some(case.difference.ours.sent as i32);
                    kernel.seq == acknowledged
                        && kernel.ack.is_none()
                        // At most: that is the window's edge where it has shrunk.
                        && (ours.seq == next || (case.difference.history.window < u16::MAX && ours.seq < next))
                        && ours.ack.is_some()
                })
        },
    },
    Known {
        name: "Linux resets for text behind the FIN",
        why: "RFC 9293 3.10.7.4, seventh: ignored; Linux takes it as text after CLOSE where the \
              segment begins below RCV.NXT",
        ends: false,
        applies: |case| {
            case.segment.len > 0
                && case.above_next() < 0
                && matches!(
                    case.difference.before,
                    State::CloseWait | State::LastAck | State::Closing
                )
                && case.kernel_did(Said::Reset, State::Closed)
                && (case.ours_did(Said::Nothing, case.difference.before)
                    || case.ours_did(Said::Acknowledgment, case.difference.before))
        },
    },
    Known {
        name: "Linux counts a second FIN",
        why: "RFC 9293 3.10.7.4, eighth: the state remains; after the FIN there is nothing, so ours \
              leaves RCV.NXT where it is",
        ends: false,
        applies: |case| {
            case.segment.flags.fin()
                && matches!(
                    case.difference.before,
                    State::CloseWait | State::LastAck | State::Closing
                )
                && case.only(&[Aspect::AckNumber])
                && case.both_in(case.difference.before)
                && case.difference.ours.acked == case.difference.base.next
                && case.difference.kernel.acked == case.difference.base.next.wrapping_add(1)
                && case.above_next() + i32::from(case.segment.len) == 0
        },
    },
    Known {
        name: "TIME-WAIT: Linux answers whatever is no bare ACK at RCV.NXT",
        why: "RFC 9293 3.10.7.4: the only thing that can arrive is the FIN again; of what else is \
              in the window, which begins after that, ours says nothing: text is to be ignored, \
              and a FIN with another number is not the peer's",
        ends: false,
        applies: |case| {
            case.difference.before == State::TimeWait
                && case.is_acceptable()
                && case.only(&[Aspect::Acknowledges])
                && case.ours_is_silent()
                && case.both_in(State::TimeWait)
        },
    },
    Known {
        name: "TIME-WAIT: a SYN with the very next number",
        why: "RFC 6191 2 wants a number above the last that was seen, which was the FIN's; Linux \
              wants one more",
        ends: false,
        applies: |case| {
            case.difference.before == State::TimeWait
                && case.segment.flags.syn()
                && case.segment.seq == Seq::Next(0)
                && case.kernel_did(Said::Acknowledgment, State::TimeWait)
                && case.ours_did(Said::Syn, State::SynReceived)
        },
    },
    Known {
        name: "TIME-WAIT outlives an ABORT in Linux",
        why: "RFC 9293 3.10.5 deletes the TCB; Linux has let go of the socket before",
        ends: false,
        applies: |case| {
            case.difference.before == State::TimeWait
                && case.is_call(&Call::Abort)
                && case.kernel_did(Said::Nothing, State::TimeWait)
                && case.ours_did(Said::Nothing, State::Closed)
        },
    },
    Known {
        name: "CLOSE with text behind a gap",
        why: "RFC 9293 3.6.1 (SHLD-3): a reset where received data is pending; Linux counts only \
              what is in order",
        ends: false,
        applies: |case| {
            case.is_call(&Call::Close)
                && case.ours_did(Said::Reset, State::Closed)
                && matches!(
                    case.difference.kernel.state,
                    State::FinWait1 | State::FinWait2
                )
                && case.difference.kernel.answer.reset.is_none()
        },
    },
    Known {
        name: "SYN-RECEIVED: Linux believes no echo but of a SYN,ACK",
        why: "RFC 7323 3.2: TSecr echoes what was last received; Linux has sent a timestamp with \
              an acknowledgment, and refuses that one",
        ends: false,
        applies: |case| {
            case.is_half_open()
                && case.difference.base.character.timestamps
                && case.is_acceptable()
                && case.segment.flags.ack()
                && case.kernel_did(Said::Acknowledgment, State::SynReceived)
                && matches!(
                    case.difference.ours.state,
                    State::Established | State::CloseWait
                )
                && case.difference.ours.answer.reset.is_none()
        },
    },
    Known {
        name: "an old pure ACK by its timestamp",
        why: "RFC 7323 5.3, R1: answered with an acknowledgment; Linux (since 6.14) says nothing to \
              one below RCV.NXT",
        ends: false,
        applies: |case| {
            case.is_old()
                && case.segment.sequence_len() == 0
                && case.segment.flags.ack()
                && case.above_next() < 0
                && !case.is_half_open()
                && case.only_ours_answers()
        },
    },
    Known {
        name: "SYN-RECEIVED: Linux applies PAWS to resets",
        why: "RFC 7323 5.2: a reset is acceptable whatever its timestamp",
        ends: false,
        applies: |case| {
            case.is_half_open()
                && case.difference.base.character.timestamps
                && (case.is_old() || case.segment.flags.ack())
                && case.segment.flags.rst()
                && case.is_acceptable()
                && case.kernel_did(Said::Nothing, State::SynReceived)
                && case.ours_goes_in_turn()
        },
    },
    Known {
        name: "simultaneous open: Linux takes an acknowledgment of nothing",
        why: "RFC 9293 3.10.7.4, fifth: SND.UNA < SEG.ACK or a reset; Linux goes over to ESTABLISHED \
              by one of SND.UNA",
        ends: false,
        applies: |case| {
            !case.difference.history.passive
                && case.difference.before == State::SynReceived
                && case.difference.acknowledges == 0
                && matches!(
                    case.difference.kernel.state,
                    State::Established | State::CloseWait
                )
                && case.difference.kernel.answer.reset.is_none()
                && case.ours_did(Said::Reset, State::SynReceived)
        },
    },
    Known {
        name: "SYN-RECEIVED after TIME-WAIT: back to TIME-WAIT",
        why: "RFC 9293 3.6.1: where the SYN turns out to be an old duplicate; Linux has forgotten",
        ends: false,
        applies: |case| {
            case.is_half_open()
                && (case.segment.flags.rst() || case.segment.flags.syn())
                && case.is_acceptable()
                && case.difference.kernel.state == State::Closed
                && case.ours_did(Said::Nothing, State::TimeWait)
        },
    },
    Known {
        name: "the number of an acknowledgment beyond a window that shrank",
        why: "RFC 9293 3.10.7.4 has SND.NXT, which the peer would not accept: both take the \
              window's edge; Linux not where scaling may have rounded it down, and in SYN-RECEIVED \
              without the SYN",
        ends: false,
        applies: |case| {
            let acknowledgments = case
                .only(&[Aspect::BareSeq])
                .then(|| case.differing_numbers());
            let resets = case.only(&[Aspect::Reset]).then(|| case.resets());
            let resets = resets.map(|pair| pair.into_iter().collect());
            let pairs: Vec<_> = acknowledgments.or(resets).unwrap_or_default();
            case.difference.history.window < u16::MAX
                && !pairs.is_empty()
                && pairs.iter().all(|(kernel, ours)| {
                    let next = Some(case.difference.kernel.sent as i32);
                    let beyond = kernel.seq == next && ours.seq < next;
                    let without_syn = kernel.seq == Some(0) && ours.seq == Some(1);
                    beyond || without_syn
                })
        },
    },
    Known {
        name: "CLOSE after both FINs, with text unread",
        why: "RFC 9293 3.10.4: 'connection closing'; Linux resets as in other states (SHLD-3), but \
              all that the peer sent has been acknowledged",
        ends: false,
        applies: |case| {
            case.is_call(&Call::Close)
                && matches!(case.difference.before, State::Closing | State::LastAck)
                && case.kernel_did(Said::Reset, State::Closed)
                && case.ours_did(Said::Nothing, case.difference.before)
        },
    },
    Known {
        name: "a FIN behind a gap after CLOSE",
        why: "RFC 9293 3.6.1 (SHLD-3): text after CLOSE is reset; Linux does so when it learns that \
              there is some, ours when it comes",
        ends: false,
        applies: |case| {
            case.segment.flags.fin()
                && case.above_next() > 0
                && case.kernel_did(Said::Reset, State::Closed)
                && case.difference.ours.said() == Said::Acknowledgment
                && matches!(
                    case.difference.ours.state,
                    State::FinWait1 | State::FinWait2
                )
        },
    },
    Known {
        name: "TIME-WAIT: Linux does not look at the acknowledgment",
        why: "RFC 5961 5.2: answered where it is beyond or too old; Linux knows SND.NXT no more",
        ends: false,
        applies: |case| {
            case.difference.before == State::TimeWait
                && case.segment.seq == Seq::Next(0)
                && case.only_ours_answers()
                && !matches!(case.segment.ack, Ack::Nxt(0) | Ack::Una(0) | Ack::Half)
                && case.both_in(State::TimeWait)
        },
    },
    Known {
        name: "without scaling Linux has a larger window than it can say",
        why: "RFC 9293 3.10.7.4, first: beyond what was offered; Linux looks at its own number, \
              which the field of 16 bits cut",
        ends: true,
        applies: |case| {
            matches!(case.segment.seq, Seq::Edge(_))
                && case.difference.base.character.window_scale.is_none()
                && case.kernel_takes()
                && case.ours_did(
                    if case.segment.flags.rst() {
                        Said::Nothing
                    } else {
                        Said::Acknowledgment
                    },
                    case.difference.before,
                )
        },
    },
    Known {
        name: "an acknowledgment from before the connection",
        why: "RFC 5961 5.2 believes nothing older than the largest window; ours believes nothing \
              below ISS + 1 either, as Linux since 6.7, which counts the SYN of an active open",
        ends: false,
        applies: |case| {
            case.is_synchronized()
                && case.segment.flags.ack()
                && case.acknowledges_what_was_before()
                && (case.kernel_takes() || case.kernel_resets_for_text())
                && case.ours_did(Said::Acknowledgment, case.difference.before)
        },
    },
    Known {
        name: "text that passes a FIN ahead of its turn",
        why: "RFC 9293 3.10.7.4 has the FIN in its turn, and ignores what comes behind; ours takes it \
              for none, as RFC 5961 does with a reset that is not exact: who guesses a number in the \
              window does not cut the text off",
        ends: true,
        applies: |case| {
            let closes = [State::CloseWait, State::Closing, State::TimeWait];
            let [kernel, ours] = [&case.difference.kernel, &case.difference.ours];
            case.difference.history.fin_ahead
                && closes.contains(&kernel.state)
                && (ours.acked.wrapping_sub(kernel.acked) as i32) > 0
                && ours.state == case.difference.before
                && case.difference.aspects.contains(&Aspect::AckNumber)
        },
    },
    Known {
        name: "two FINs ahead of their turn",
        why: "RFC 9293 3.10.7.4 knows of one; ours keeps the first, so that text passes it and the \
              other is believed when it comes again, Linux the one that follows the text",
        ends: true,
        applies: |case| {
            let closes = [State::CloseWait, State::Closing, State::TimeWait];
            let [kernel, ours] = [&case.difference.kernel, &case.difference.ours];
            case.difference.history.fin_ahead
                && closes.contains(&kernel.state)
                && case.ours_did(Said::Acknowledgment, case.difference.before)
                && kernel.acked == ours.acked.wrapping_add(1)
                && case.difference.aspects.contains(&Aspect::AckNumber)
        },
    },
    Known {
        name: "simultaneous open: options of the SYN,ACK",
        why: "RFC 7323 2.2 and 3.2, RFC 2018 2: only what the peer's SYN had; Linux sends its own SYN \
              again, with all that it offered",
        ends: false,
        applies: |case| {
            let answers = [&case.difference.kernel.answer, &case.difference.ours.answer];
            case.difference.before == State::SynSent
                && case.only(&[Aspect::Syn])
                && answers[0].syn == answers[1].syn
                && case.both_in(State::SynReceived)
        },
    },
    Known {
        name: "how often the user is told of a reset",
        why: "RFC 9293 3.10.7.4, second: the user is told; by Linux once, and not after it was told \
              of the peer's FIN, by ours whenever it asks",
        ends: false,
        applies: |case| {
            let [kernel, ours] = [&case.difference.kernel, &case.difference.ours];
            let (Some(kernel), Some(ours)) = (kernel.received(), ours.received()) else {
                return false;
            };
            case.difference.before == State::Closed
                && case.only(&[Aspect::Outcome])
                && kernel.0 == ours.0
                && kernel.1 == Rest::End
                && matches!(ours.1, Rest::Reset | Rest::Refused)
        },
    },
    Known {
        name: "simultaneous open: a reset",
        why: "RFC 9293 3.10.7.4, second: 'connection refused' where this end has opened; Linux says \
              so in SYN-SENT alone",
        ends: false,
        applies: |case| {
            let [kernel, ours] = [&case.difference.kernel, &case.difference.ours];
            !case.difference.history.passive
                && case.difference.before == State::Closed
                && case.only(&[Aspect::Outcome])
                && kernel.received() == Some((&[], Rest::Reset))
                && ours.received() == Some((&[], Rest::Refused))
        },
    },
    Known {
        name: "an acknowledgment beyond SND.NXT",
        why: "RFC 9293 3.10.7.4, fifth: answered with an acknowledgment; older Linux says nothing in \
              ESTABLISHED",
        ends: false,
        applies: |case| {
            case.difference.before == State::Established
                && matches!(case.segment.ack, Ack::Nxt(1..))
                && case.only_ours_answers()
                && case.both_in(State::Established)
        },
    },
];

/// What explains a difference.
pub fn explain(difference: &Difference) -> Option<&'static Known> {
    let case = Case::of(difference);
    KNOWN.iter().find(|known| (known.applies)(&case))
}

/// Whether only one host may have believed a segment, which may show later: when it waits behind a
/// gap, or sets a window.
pub fn is_doubtful(difference: &Difference) -> bool {
    let case = Case::of(difference);
    let (base, segment) = (&difference.base, &case.segment);
    // Its window sets nothing, but text ahead of its turn may be kept.
    let ahead = case.above_next() > 0 && segment.sequence_len() > 0;
    let before_the_beginning = segment.flags.ack()
        && ahead
        && case.is_synchronized()
        && case.acknowledges_what_was_before();
    let unscaled = base.character.window_scale.is_none() && matches!(segment.seq, Seq::Edge(_));
    let acknowledges = match segment.ack {
        Ack::Una(above) => above > 0,
        _ => true,
    };
    let news = (difference.history.sending && acknowledges) || segment.window < u16::MAX;
    case.lacks_timestamp() || before_the_beginning || unscaled || (news && case.ends_at_next())
}
