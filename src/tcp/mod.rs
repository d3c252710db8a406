//! One connection: the transmission control block of RFC 9293 and what works on it.
//!
//! Nothing here knows an address, a socket, a clock or a device. Time is an
//! argument, a segment comes in as a view of [`wire`](crate::wire), and what is to be
//! sent is handed out as numbers and slices, from which [`stack`](crate::stack)
//! writes a packet.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `state` | the eleven states and the table of their transitions |
//! | `tcb` | [`Tcb`]: the sequence spaces and what else a connection is |
//! | `calls` | what the user says: send, recv, shutdown, close, abort |
//! | `handshake` | how a connection opens: SYNs and what they agree on |
//! | `half_open` | what waits for the end of its handshake, without a TCB |
//! | `input` | what an arriving segment does: RFC 9293 section 3.10.7, in its order |
//! | `ack` | what its ACK field does |
//! | `text` | what its text and FIN do |
//! | `urgent` | the urgent pointer, both ways: RFC 6093 |
//! | `output` | what is to be sent next |
//! | `window` | which window is offered |
//! | `timestamps` | the clock that segments carry, and PAWS: RFC 7323 |
//! | `ecn` | marks of congestion, both ways: RFC 3168 |
//! | `timeout` | what falls due |
//! | `liveness` | how long a peer is waited for: R1, R2, user timeout, keepalive |
//! | `time_wait` | who may end TIME-WAIT early, RFC 6191 |
//! | `path` | what is known of the path: its MTU, and what ICMP says |
//! | `effects` | what a call brings about |
//! | `buffer` | the ring in which octets wait to be sent, acknowledged or read |
//! | `reassembly` | which octets have arrived ahead of their turn |
//! | `rtt` | round-trip time and retransmission timeout, RFC 6298 |
//! | [`congestion`] | how much may be in flight: NewReno, CUBIC, pacing |
//! | `loss` | what of it is lost, and recovery: SACK, RACK-TLP, PRR |
//! | `timers` | the timers of one connection |
//! | `config` | everything with a number in it |
//! | `settings` | what the user may set on one connection |
//! | `info` | how a connection is doing |

mod ack;
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
mod output;
mod path;
mod reassembly;
mod rtt;
mod settings;
mod state;
mod tcb;
mod text;
mod time_wait;
mod timeout;
mod timers;
mod timestamps;
mod urgent;
mod window;

pub use config::{Config, Ecn};
pub use effects::{CloseReason, Effects, ResetReply, SegmentFate, SoftError};
pub use half_open::HalfOpen;
pub use handshake::{Opening, PeerSyn};
pub use info::{Info, Phase, Tally};
pub use output::Outgoing;
pub use path::{PathError, PathEstimate};
pub use reassembly::SackList;
pub use settings::{Keepalive, Settings};
pub use state::State;
pub use tcb::Tcb;
