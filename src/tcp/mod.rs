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
//! | `input` | what an arriving segment does: RFC 9293 section 3.10.7, in its order |
//! | `ack` | what its ACK field does |
//! | `text` | what its text and FIN do |
//! | `output` | what is to be sent next |
//! | `window` | which window is offered |
//! | `timeout` | what falls due |
//! | `path` | what is known of the path: its MTU, and what ICMP says |
//! | `effects` | what a call brings about |
//! | `buffer` | the ring in which octets wait to be sent, acknowledged or read |
//! | `reassembly` | which octets have arrived ahead of their turn |
//! | `rtt` | round-trip time and retransmission timeout, RFC 6298 |
//! | `congestion` | how much may be in flight, RFC 5681 |
//! | `recovery` | fast retransmit and fast recovery, RFC 6582 |
//! | `timers` | the timers of one connection |
//! | `config` | everything with a number in it |
//! | `settings` | what the user may set on one connection |
//! | `info` | how a connection is doing |

mod ack;
mod buffer;
mod calls;
mod config;
mod congestion;
mod effects;
mod handshake;
mod info;
mod input;
mod output;
mod path;
mod reassembly;
mod recovery;
mod rtt;
mod settings;
mod state;
mod tcb;
mod text;
mod timeout;
mod timers;
mod window;

pub use config::{Config, Ecn};
pub use effects::{CloseReason, Effects, ResetReply, SegmentFate, SoftError};
pub use handshake::{Opening, PeerSyn};
pub use info::{Info, Phase, Tally};
pub use output::Outgoing;
pub use path::{PathError, PathEstimate};
pub use reassembly::SackList;
pub use settings::{Keepalive, Settings};
pub use state::State;
pub use tcb::Tcb;
