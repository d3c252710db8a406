//! One connection: the transmission control block of RFC 9293 and what works on it.
//!
//! Nothing here knows an address, a socket, a clock or a device. Time is an
//! argument, a segment comes in as a view of [`wire`](crate::wire), and what is to be
//! sent is handed out as numbers and slices, from which [`stack`](crate::stack)
//! writes a packet.
//!
//! A user of [`stack`](crate::stack) needs of all this only what is set and what is told:
//! [`Config`] and in it [`congestion`], [`Settings`], [`Info`], [`State`], [`CloseReason`] and
//! [`SoftError`]. The rest, from [`Tcb`] on, is for who writes a stack of their own.
//!
//! # The life of a connection
//!
//! It is in one of eleven [`State`]s, whose documentation draws how they follow each other.
//! `state` holds the transitions as a table and `tcb` the [`Tcb`], with the names of
//! RFC 9293 section 3.3.1: `snd.una`, `rcv.nxt`. What the user says is in `calls`: send, recv,
//! shutdown, close, abort; what he may set on one connection in [`Settings`], and the numbers by
//! which all are run in [`Config`]. A call says in [`Effects`] what it has brought about.
//!
//! # How it opens
//!
//! `syn` is what a SYN says, `handshake` how two of them agree: segment size, window scale, SACK,
//! timestamps, ECN. A passive open costs no TCB until its handshake is done: [`HalfOpen`]
//! remembers 64 bytes, of which a TCB is made for each segment that arrives meanwhile, so
//! that the rules for SYN-RECEIVED stand in one place. `time_wait` says which SYN may end
//! TIME-WAIT early (RFC 6191), and how a reset cannot (RFC 1337).
//!
//! # What an arriving segment does
//!
//! `input` goes through the steps of RFC 9293 section 3.10.7 in their order, with the defences
//! of RFC 5961. Before them `timestamps` drops old duplicates (PAWS, RFC 7323); `ack` does
//! what the ACK field says, `urgent` the urgent pointer (RFC 6093), `text` the text and the
//! FIN. Text goes to its place in `buffer`, a ring, even if it comes ahead of its turn, which
//! `reassembly` remembers and reports (SACK and D-SACK, RFC 2018 and 2883). `marks` echoes marks
//! of congestion and heeds those that the peer echoes, by what `ecn` remembers (RFC 3168).
//!
//! # What is sent
//!
//! `output` chooses the next segment: a probe, what is lost, what is new, or a bare
//! acknowledgment; Nagle's algorithm and silly-window avoidance are there. `window` says which
//! window is offered, and never takes one back. How much may be in flight is for
//! [`congestion`] to say: CUBIC or NewReno, with HyStart++ and pacing, or a
//! [`Controller`](congestion::Controller) of one's own. `path` remembers how large a segment may
//! be, `path_mtu` says what of that ICMP may be believed (RFC 1191, 4821, 5927).
//!
//! # What is lost
//!
//! `loss` keeps the fate and sending time of every octet in flight on a scoreboard (RFC 6675).
//! RACK finds losses by time (RFC 8985), duplicate acknowledgments where the peer has no SACK
//! (RFC 6582); PRR spreads what is sent in recovery (RFC 6937), a probe finds a lost tail (TLP),
//! and what turns out to be a mistake is undone (RFC 3522, RFC 5682, D-SACK). `rtt` measures
//! round trips and says when the retransmission timer is due (RFC 6298).
//!
//! # Time
//!
//! `timers` holds when each timer is due, `timeout` does what it is due for. `liveness` says how
//! long a peer is waited for: R1 and R2, user timeout, keepalive, connections without user.
//!
//! How a connection is doing is told by [`Info`], in the manner of Linux's `TCP_INFO`.

mod ack;
#[cfg(feature = "simulation")]
pub(crate) mod audit;
mod buffer;
mod calls;
mod config;
pub mod congestion;
mod ecn;
mod effects;
mod half_open;
mod handshake;
mod info;
mod input;
mod liveness;
mod loss;
mod marks;
mod output;
mod path;
mod path_mtu;
mod reassembly;
mod rtt;
mod settings;
mod state;
mod syn;
mod tcb;
mod text;
mod time_wait;
mod timeout;
mod timers;
mod timestamps;
mod urgent;
mod window;

pub use config::{Config, Ecn};
pub use effects::{CloseReason, Effects, ResetReply, SegmentFate};
pub use half_open::HalfOpen;
pub use info::{Info, Phase, Tally};
pub use output::Outgoing;
pub use path::{PathError, PathEstimate, SoftError};
pub use reassembly::SackList;
pub use settings::{Keepalive, Settings};
pub use state::State;
pub use syn::{Opening, PeerSyn};
pub use tcb::Tcb;
