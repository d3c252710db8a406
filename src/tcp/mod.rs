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
//! | `tcb` | [`Tcb`]: the sequence spaces and the calls of the user |
//! | `input` | what an arriving segment does: RFC 9293 section 3.10.7, in its order |
//! | `output` | what is to be sent next, and what a timer does |
//! | `buffer` | the ring in which octets wait to be sent, acknowledged or read |
//! | `reassembly` | which octets have arrived ahead of their turn |
//! | `rtt` | round-trip time and retransmission timeout, RFC 6298 |
//! | [`congestion`] | how much may be in flight and when it leaves, RFCs 5681, 9438 and 9406 |
//! | `recovery` | fast retransmit and fast recovery, RFC 6582 |
//! | `timers` | the timers of one connection |
//! | `config` | everything with a number in it |

mod buffer;
mod config;
pub mod congestion;
mod input;
mod output;
mod reassembly;
mod recovery;
mod rtt;
mod state;
mod tcb;
mod timers;

pub use config::Config;
pub use output::Outgoing;
pub use reassembly::SackList;
pub use state::State;
pub use tcb::{CloseReason, Effects, ResetReply, SegmentFate, Tcb};
