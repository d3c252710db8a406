//! Each rule refuses what breaks it: an end that does all right is made to do one thing wrong.

use core::time::Duration;

use super::{Model, News};
use crate::simulation::Broken;
use crate::tcp::audit::{Fate, Recovery, View};
use crate::tcp::{Config, State};
use crate::time::Instant;
use crate::wire::{SeqNumber, TcpSegment};

/// Numbers wrap around soon.
const ISS: SeqNumber = SeqNumber(0xffff_f000);
const IRS: SeqNumber = SeqNumber(0x7fff_ff00);
const MSS: u32 = 1000;

/// An end by how it sees itself. Numbers are counted from ISS and IRS on.
#[derive(Clone)]
struct End {
    model: Model,
    view: View,
    board: Vec<(u32, u32, Fate)>,
    now: Instant,
    /// Of what it sends next and of what it is told, besides ACK.
    flags: u8,
    /// What it sends does not arrive.
    is_cut_off: bool,
    config: Config,
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const ECE: u8 = 64;
const CWR: u8 = 128;

fn segment(
    numbers: (SeqNumber, SeqNumber),
    flags: u8,
    window: u16,
    blocks: &[(SeqNumber, SeqNumber)],
    len: u32,
) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[4..8].copy_from_slice(&numbers.0.0.to_be_bytes());
    bytes[8..12].copy_from_slice(&numbers.1.0.to_be_bytes());
    bytes[13] = flags;
    bytes[14..16].copy_from_slice(&window.to_be_bytes());
    if !blocks.is_empty() {
        bytes.extend([1, 1, 5, 2 + 8 * blocks.len() as u8]);
        for (left, right) in blocks {
            bytes.extend([left.0.to_be_bytes(), right.0.to_be_bytes()].concat());
        }
    }
    bytes[12] = (bytes.len() as u8 / 4) << 4;
    bytes.resize(bytes.len() + len as usize, 7);
    bytes
}

impl End {
    /// Its active open is done, with a window of ten segments.
    fn new() -> End {
        let now = Instant::from_millis(1000);
        let view = View {
            state: State::SynSent,
            iss: ISS,
            una: ISS,
            nxt: ISS + 1,
            wnd: 0,
            max_wnd: 0,
            shift: 0,
            mss: MSS as u16,
            cwnd: 10 * MSS,
            window: 10 * MSS,
            ssthresh: 1 << 30,
            cut: None,
            controller: "newreno",
            recovery: None,
            retries: 0,
            most_retries: None,
            tail_probes: 0,
            spurious: 0,
            srtt: Duration::from_millis(100),
            rttvar: Some(Duration::ZERO),
            backoff: 0,
            retransmit: None,
            pipe: 0,
            ecn: false,
            irs: IRS,
            rcv_nxt: IRS,
            rcv_edge: IRS + 1 + 20_000,
            rcv_mss: 1000,
            rcv_shift: 0,
            sack_permitted: true,
            timestamps: false,
            ts_recent: None,
            heard: now,
            probes_window: false,
        };
        let mut end = End {
            model: Model::new(),
            view,
            board: Vec::new(),
            now,
            flags: 0,
            is_cut_off: false,
            config: Config {
                max_out_of_order_runs: 2,
                ..Config::default()
            },
        };
        let syn = segment((ISS, SeqNumber(0)), SYN, 0, &[], 0);
        let syn = TcpSegment::parse_unverified(&syn).unwrap();
        end.model.sent(now, &syn, None).unwrap();
        let before = end.view;
        let view = &mut end.view;
        (view.state, view.una, view.rcv_nxt) = (State::Established, ISS + 1, IRS + 1);
        (view.wnd, view.max_wnd) = (60_000, 60_000);
        let answer = segment((IRS, ISS + 1), SYN | ACK, 60_000, &[], 0);
        end.told(&answer, &before).unwrap();
        end
    }

    /// With five segments in flight.
    fn sending() -> End {
        let mut end = End::new();
        for n in 0..5 {
            end.send(1 + n * MSS, MSS).unwrap();
        }
        end
    }

    fn told(&mut self, bytes: &[u8], before: &View) -> Result<(), Broken> {
        let segment = TcpSegment::parse_unverified(bytes).unwrap();
        let (before, after) = (Some(before), Some(&self.view));
        self.model
            .told(self.now, &segment, before, after, &self.config)?;
        self.check()
    }

    fn runs(&self) -> impl Iterator<Item = (SeqNumber, SeqNumber, Fate)> + Clone + use<> {
        let runs = self.board.clone().into_iter();
        runs.map(|(from, to, fate)| (ISS + from, ISS + to, fate))
    }

    fn check(&mut self) -> Result<(), Broken> {
        let board = self.runs();
        self.model.agrees(self.now, &self.view, board)
    }

    /// Sets the fate of `from..to`, and the pipe by it.
    fn mark(&mut self, from: u32, to: u32, fate: Fate) {
        for run in &mut self.board {
            if from <= run.0 && run.1 <= to {
                run.2 = fate;
            }
        }
        let in_flight = self.board.iter().filter(|run| run.2 == Fate::InFlight);
        self.view.pipe = in_flight.map(|run| run.1 - run.0).sum();
    }

    /// Text goes out, one segment of it.
    fn send(&mut self, start: u32, len: u32) -> Result<(), Broken> {
        self.now += Duration::from_millis(1);
        if self.view.nxt < ISS + start + len {
            self.board.push((start, start + len, Fate::InFlight));
            self.view.nxt = ISS + start + len;
        }
        self.mark(start, start + len, Fate::InFlight);
        self.put((start, self.view.rcv_nxt - IRS), 9000, &[], len)
    }

    /// A segment goes out, as it is.
    fn put(
        &mut self,
        (seq, ack): (u32, u32),
        window: u16,
        blocks: &[(u32, u32)],
        len: u32,
    ) -> Result<(), Broken> {
        let blocks: Vec<_> = blocks.iter().map(|(a, b)| (IRS + *a, IRS + *b)).collect();
        let flags = ACK | self.flags;
        let bytes = segment((ISS + seq, IRS + ack), flags, window, &blocks, len);
        let segment = TcpSegment::parse_unverified(&bytes).unwrap();
        let board = self.runs();
        self.model.sent_by(self.now, &segment, &self.view, board)?;
        self.model.note_fate(&segment, !self.is_cut_off, false);
        self.check()
    }

    /// An acknowledgment of text comes, with blocks, and the window grows as in slow start.
    fn ack(&mut self, ack: u32, blocks: &[(u32, u32)]) -> Result<(), Broken> {
        self.ack_and(ack, blocks, |_| {})
    }

    /// As well, and something else changes by it.
    fn ack_and(
        &mut self,
        ack: u32,
        blocks: &[(u32, u32)],
        change: impl FnOnce(&mut End),
    ) -> Result<(), Broken> {
        self.now += Duration::from_millis(100);
        let before = self.view;
        let acked = ISS + ack - self.view.una.0;
        (self.view.una, self.view.heard) = (ISS + ack, self.now);
        if self.view.recovery.is_none() {
            self.view.window += acked.0;
            self.view.cwnd = self.view.window;
        }
        self.board.retain(|run| ack < run.1);
        for (from, to) in blocks {
            self.mark(*from, *to, Fate::Sacked);
        }
        self.mark(0, 0, Fate::Sacked);
        change(self);
        let blocks: Vec<_> = blocks.iter().map(|(a, b)| (ISS + *a, ISS + *b)).collect();
        let (rcv_nxt, flags) = (before.rcv_nxt, ACK | self.flags);
        self.told(
            &segment((rcv_nxt, ISS + ack), flags, 60_000, &blocks, 0),
            &before,
        )
    }

    /// Text comes, after which `nxt` is RCV.NXT.
    fn hear(&mut self, seq: u32, len: u32, flags: u8, nxt: u32) -> Result<(), Broken> {
        self.now += Duration::from_millis(1);
        let before = self.view;
        self.view.rcv_nxt = IRS + nxt;
        if before.rcv_nxt < IRS + seq + len {
            self.view.heard = self.now;
        }
        let una = self.view.una;
        self.told(
            &segment((IRS + seq, una), ACK | flags, 60_000, &[], len),
            &before,
        )
    }

    /// Fast recovery begins: the first segment is lost, the next three have arrived.
    fn lose(&mut self) -> Result<(), Broken> {
        self.lose_and(|_| {})
    }

    fn lose_and(&mut self, change: impl FnOnce(&mut View)) -> Result<(), Broken> {
        self.ack_and(1, &[(1001, 4001)], |end| {
            end.mark(1, 1001, Fate::Lost);
            end.view.recovery = recovery(true);
            (end.view.window, end.view.ssthresh, end.view.cwnd) = (2500, 2500, end.view.pipe);
            change(&mut end.view);
        })
    }

    /// The retransmission timer expires: all is lost.
    fn time_out(&mut self, change: impl FnOnce(&mut View)) -> Result<(), Broken> {
        self.now += Duration::from_millis(1000);
        self.mark(0, u32::MAX, Fate::Lost);
        let view = &mut self.view;
        (view.recovery, view.retries) = (recovery(false), view.retries + 1);
        (view.window, view.cwnd, view.ssthresh) = (MSS, MSS, 2500);
        change(view);
        self.check()
    }

    /// One thing that is wrong here, and what it is refused for.
    #[track_caller]
    fn refuses(&self, what: &str, wrong: impl FnOnce(&mut End) -> Result<(), Broken>) {
        let told = wrong(&mut self.clone()).map_err(|Broken(text)| text);
        let is_right = told.as_ref().is_err_and(|text| text.contains(what));
        assert!(is_right, "{what}: {told:?}");
    }
}

fn recovery(is_fast: bool) -> Option<Recovery> {
    let from = ISS + 1;
    Some(Recovery { is_fast, from })
}

#[test]
fn numbers_follow_each_other_and_stay_in_the_window() {
    let end = End::sending();
    end.refuses("is sent, SND.UNA is", |end| end.send(5002, MSS));
    end.refuses("is sent, SND.UNA is", |end| {
        end.view.cwnd = 100_000;
        end.send(5001, 56_000)
    });
    end.refuses("a segment without text", |end| {
        end.put((5002, 1), 0, &[], 0)
    });
    end.refuses("SND.UNA, SND.NXT and SND.WND", |end| {
        end.view.wnd += 1;
        end.check()
    });
    end.refuses("SND.UNA, SND.NXT and SND.WND", |end| {
        end.ack_and(1001, &[], |end| end.view.una = ISS + 1)
    });
}

#[test]
fn what_is_reported_is_known_and_not_sent_again() {
    let mut end = End::sending();
    end.refuses("is sacked, reported is", |end| {
        end.mark(2001, 3001, Fate::Sacked);
        end.check()
    });
    end.refuses("was reported as received", |end| {
        end.ack_and(1, &[(2001, 3001)], |end| {
            end.mark(2001, 3001, Fate::InFlight)
        })
    });
    end.refuses("a pipe of", |end| {
        end.view.pipe -= 1;
        end.check()
    });
    end.refuses("is deemed lost", |end| {
        end.ack_and(1, &[(2001, 3001)], |end| end.mark(3001, 4001, Fate::Lost))
    });
    end.refuses("is reported with an acknowledgment", |end| {
        end.ack(1, &[(5001, 6001)])
    });
    end.lose().unwrap();
    end.refuses("of it was received", |end| end.send(1001, MSS));
    end.refuses("has just been sent", |end| {
        end.board[0].2 = Fate::Lost;
        end.put((1, 1), 0, &[], MSS)
    });
}

#[test]
fn what_is_not_acceptable_changes_nothing() {
    End::sending().refuses("not acceptable", |end| {
        let before = end.view;
        end.now += Duration::from_millis(1);
        end.view.heard = end.now;
        let text = segment((IRS + 30_000, ISS + 1), ACK, 60_000, &[], 10);
        end.told(&text, &before)
    });
    End::sending().refuses("and the peer was heard at", |end| {
        end.ack_and(1001, &[], |end| end.view.heard = Instant::ZERO)
    });
}

#[test]
fn what_was_sent_twice_measures_nothing() {
    let mut end = End::sending();
    let measure = |end: &mut End| end.view.srtt += Duration::from_millis(1);
    end.clone().ack_and(1001, &[], measure).unwrap();
    end.lose().unwrap();
    end.send(1, MSS).unwrap();
    end.refuses("sent more than once", |end| end.ack_and(1001, &[], measure));
}

#[test]
fn what_was_sent_again_and_is_lost_cuts() {
    let mut end = End::sending();
    end.view.controller = "cubic";
    end.lose_and(|view| (view.window, view.ssthresh) = (7000, 7000))
        .unwrap();
    end.send(1, MSS).unwrap();
    end.send(5001, MSS).unwrap();
    let lose = |end: &mut End| end.mark(1, 1001, Fate::Lost);
    end.refuses("again: true, is deemed lost", |end| {
        end.ack_and(1, &[(1001, 4001), (5001, 6001)], lose)
    });
    end.ack_and(1, &[(1001, 4001), (5001, 6001)], |end| {
        lose(end);
        (end.view.window, end.view.ssthresh) = (4900, 4900);
    })
    .unwrap();
}

#[test]
fn the_retransmission_timer_runs_for_one_timeout() {
    let mut end = End::new();
    end.view.rttvar = Some(Duration::from_millis(100));
    let mut check = |millis: u64, backoff: u8| {
        end.view.backoff = backoff;
        end.view.retransmit = Some(end.now + Duration::from_millis(millis));
        end.model.timing.check(end.now, &end.view, &end.config)
    };
    // SRTT is 100 ms.
    check(500, 0).unwrap();
    assert!(check(501, 0).is_err());
    assert!(check(499, 0).is_err());
    check(2000, 2).unwrap();
    check(60_000, 12).unwrap();
    // It is not set again.
    check(60_000, 0).unwrap();
}

#[test]
fn what_is_measured_lies_between_what_there_was() {
    let measure = |srtt: u64, rttvar: u64| {
        move |end: &mut End| {
            end.view.srtt = Duration::from_millis(srtt);
            end.view.rttvar = Some(Duration::from_millis(rttvar));
        }
    };
    let mut end = End::sending();
    // It was sent 105 ms ago.
    end.clone().ack_and(1001, &[], measure(104, 5)).unwrap();
    end.refuses("SRTT goes from", |end| {
        end.ack_and(1001, &[], measure(107, 5))
    });
    end.refuses("SRTT goes from", |end| {
        end.ack_and(1001, &[], measure(99, 5))
    });
    end.refuses("RTTVAR goes from", |end| {
        end.ack_and(1001, &[], measure(104, 60))
    });
    // The echo of a timestamp may be that of a later segment.
    end.ack_and(1001, &[], |end| {
        measure(99, 5)(end);
        end.view.timestamps = true;
    })
    .unwrap();
}

#[test]
fn patience_ends() {
    let mut end = End::sending();
    end.view.most_retries = Some(1);
    end.time_out(|_| {}).unwrap();
    end.refuses("retransmissions in a row", |end| end.time_out(|_| {}));
}

#[test]
fn beyond_the_congestion_window_goes_what_has_a_reason() {
    const NONE: &str = "for no reason";

    // New text.
    let mut end = End::sending();
    (end.view.cwnd, end.view.window) = (5000, 5000);
    end.check().unwrap();
    end.refuses(NONE, |end| end.send(5001, 1));
    // A probe for a lost tail does, once.
    let probe = |end: &mut End| {
        end.view.tail_probes += 1;
        end.send(end.view.nxt - ISS, MSS)
    };
    probe(&mut end).unwrap();
    end.refuses("a tail is probed", probe);
    // In recovery what has arrived makes room, up to ssthresh or in proportion.
    let mut end = End::sending();
    end.lose().unwrap();
    end.refuses("a tail is probed", probe);
    end.send(1, MSS).unwrap();
    end.send(5001, 500).unwrap();
    end.refuses(NONE, |end| end.send(5501, 1));
    // A segment that is alone does. After a timeout two do by which F-RTO asks.
    let mut end = End::sending();
    end.time_out(|view| view.cwnd = 10).unwrap();
    end.send(1, MSS).unwrap();
    end.send(5001, MSS).unwrap();
    end.send(6001, MSS).unwrap();
    end.refuses(NONE, |end| end.send(7001, MSS));
}

#[test]
fn whatever_the_reason_a_few_segments_go_beyond_the_window() {
    let mut end = End::sending();
    (end.view.cwnd, end.view.window) = (5000, 5000);
    end.check().unwrap();
    end.refuses("when it was cut", |end| {
        for n in 0..5 {
            end.view.tail_probes += 1;
            end.send(5001 + n * MSS, MSS)?;
            // What is no news to the scoreboard is to the probe.
            let news = News {
                arrived: 1,
                ..News::default()
            };
            end.model
                .congestion
                .observe(end.now, &end.view, (1, 1), news)?;
        }
        Ok(())
    });
}

#[test]
fn what_goes_out_again_is_recovered_from() {
    End::sending().refuses("nothing is recovered from", |end| end.send(1, MSS));
}

#[test]
fn the_window_shrinks_where_something_is_lost() {
    const LOST: &str = "something is lost";

    let end = End::sending();
    end.clone().lose().unwrap();
    end.refuses(LOST, |end| end.lose_and(|view| view.ssthresh = 2501));
    end.refuses(LOST, |end| end.lose_and(|view| view.window = 2501));
    end.refuses(LOST, |end| {
        end.lose_and(|view| (view.window, view.ssthresh) = (10_000, 1 << 30))
    });
    let cubic = |ssthresh: u32| {
        move |view: &mut View| {
            (view.controller, view.window, view.ssthresh) = ("cubic", ssthresh, ssthresh);
        }
    };
    end.clone().lose_and(cubic(7000)).unwrap();
    end.refuses(LOST, |end| end.lose_and(cubic(7001)));
    end.clone().time_out(|_| {}).unwrap();
    end.refuses("a timeout", |end| {
        end.time_out(|view| view.window = MSS + 1)
    });
    end.refuses("a timeout", |end| {
        end.time_out(|view| view.ssthresh = 1 << 30)
    });
    // Once for what is in flight.
    let mut end = End::sending();
    let cut =
        |end: &mut End| (end.view.window, end.view.ssthresh, end.view.cwnd) = (2500, 2500, 2500);
    end.ack_and(1, &[], cut).unwrap();
    end.lose().unwrap();
}

#[test]
fn what_is_lost_after_the_last_cut_wants_another() {
    // A recovery of what was paid for.
    let mut end = End::sending();
    let cut =
        |end: &mut End| (end.view.window, end.view.ssthresh, end.view.cwnd) = (2500, 2500, 2500);
    end.ack_and(1, &[], cut).unwrap();
    end.lose().unwrap();
    end.send(1, MSS).unwrap();
    end.send(5001, 250).unwrap();
    end.send(5251, 250).unwrap();
    end.clone().ack(5001, &[(5251, 5501)]).unwrap();
    let lose = |end: &mut End| end.mark(5001, 5251, Fate::Lost);
    end.refuses("5001..5251, sent at", |end| {
        end.ack_and(5001, &[(5251, 5501)], lose)
    });
    end.ack_and(5001, &[(5251, 5501)], |end| {
        lose(end);
        (end.view.window, end.view.ssthresh, end.view.cut) = (2000, 2000, Some(ISS + 5501));
    })
    .unwrap();
}

#[test]
fn a_mark_cuts_once_a_window_and_the_peer_is_told() {
    let mut end = End::sending();
    end.view.ecn = true;
    end.flags = ECE;
    end.refuses("a mark is told of", |end| end.ack(1001, &[]));
    let cut = |window: u32, ssthresh: u32| {
        move |end: &mut End| {
            (end.view.window, end.view.ssthresh) = (window, ssthresh);
            end.view.cut = Some(end.view.nxt);
            end.view.cwnd = 9000;
        }
    };
    end.refuses("a cut is said", |end| {
        end.ack_and(1001, &[], cut(2500, 5001))
    });
    end.refuses("a cut is said", |end| {
        end.ack_and(1001, &[], cut(9000, 2500))
    });
    end.ack_and(1001, &[], cut(2500, 2500)).unwrap();
    end.ack_and(2001, &[], cut(2500, 2500)).unwrap();
    // New text tells of it, once.
    end.flags = 0;
    end.refuses("5001..6001 has CWR: false", |end| end.send(5001, MSS));
    end.flags = CWR;
    end.send(5001, MSS).unwrap();
    end.refuses("6001..7001 has CWR: true", |end| end.send(6001, MSS));
    end.flags = 0;
    end.send(6001, MSS).unwrap();
    // What was sent since may have met another.
    end.flags = ECE;
    end.ack_and(5001, &[], |end| end.view.window = 2500)
        .unwrap();
    end.refuses("a mark is told of", |end| {
        end.ack_and(6001, &[], |end| end.view.window = 2500)
    });
}

#[test]
fn what_is_undone_was_there_before() {
    let mut end = End::new();
    for n in 0..5 {
        end.is_cut_off = n == 0;
        end.send(1 + n * MSS, MSS).unwrap();
    }
    end.lose().unwrap();
    end.send(1, MSS).unwrap();
    end.refuses("all that was sent again had been lost", |end| {
        end.ack_and(5001, &[], |end| {
            (end.view.recovery, end.view.spurious) = (None, 1);
            (end.view.window, end.view.ssthresh) = (10_000, 1 << 30);
        })
    });
    let mut end = End::sending();
    end.lose().unwrap();
    end.send(1, MSS).unwrap();
    let undo = |window: u32, ssthresh: u32| {
        move |end: &mut End| {
            (end.view.recovery, end.view.spurious) = (None, 1);
            (end.view.window, end.view.ssthresh) = (window, ssthresh);
            end.view.cwnd = window;
        }
    };
    end.clone()
        .ack_and(5001, &[], undo(10_000, 1 << 30))
        .unwrap();
    end.refuses("what is undone", |end| {
        end.ack_and(5001, &[], undo(15_001, 1 << 30))
    });
    // In the midst of another recovery that one ends where it began.
    let mut end = End::sending();
    (end.view.window, end.view.ssthresh) = (10_000, 20_000);
    end.check().unwrap();
    end.lose().unwrap();
    end.send(1, MSS).unwrap();
    end.refuses("what is undone", |end| {
        end.ack_and(5001, &[], undo(10_000, 20_001))
    });
}

#[test]
fn the_window_grows_by_what_arrives() {
    let grow = |by: u32| {
        move |end: &mut End| {
            end.view.window = 10_000 + by;
            end.view.cwnd = end.view.window;
        }
    };
    let mut end = End::sending();
    end.clone().ack_and(1001, &[], grow(1000)).unwrap();
    end.refuses("the congestion window grows", |end| {
        end.ack_and(1001, &[], grow(1001))
    });
    // In congestion avoidance by half of it at most.
    end.view.ssthresh = 10_000;
    end.check().unwrap();
    end.clone().ack_and(1001, &[], grow(500)).unwrap();
    end.refuses("the congestion window grows", |end| {
        end.ack_and(1001, &[], grow(503))
    });
}

#[test]
fn what_has_come_is_acknowledged() {
    let mut end = End::new();
    end.refuses("RCV.NXT is 12, by", |end| end.hear(1, 10, 0, 12));
    end.refuses("RCV.NXT is 1, by", |end| end.hear(1, 10, 0, 1));
    end.hear(1, 10, 0, 11).unwrap();
    end.refuses("10 is acknowledged", |end| end.put((1, 10), 0, &[], 0));
    // The end is a number, too, when all before it has come.
    end.hear(21, 10, FIN, 11).unwrap();
    end.refuses("RCV.NXT is 31, by", |end| end.hear(11, 10, 0, 31));
    end.hear(11, 10, 0, 32).unwrap();
    end.put((1, 32), 0, &[], 0).unwrap();
}

#[test]
fn what_is_offered_is_taken() {
    let mut end = End::new();
    end.refuses("the right edge of the window goes back", |end| {
        end.view.rcv_edge = end.view.rcv_edge - 1;
        end.check()
    });
    end.refuses("offered up to", |end| end.put((1, 1), 20_001, &[], 0));
    end.put((1, 1), 20_000, &[], 0).unwrap();
}

#[test]
fn what_came_ahead_of_its_turn_is_reported() {
    let report = |blocks: &'static [(u32, u32)]| move |end: &mut End| end.put((1, 1), 0, blocks, 0);
    let mut end = End::new();
    end.refuses("is reported in", report(&[(101, 201)]));
    end.hear(101, 100, 0, 1).unwrap();
    end.refuses("nothing is reported", report(&[]));
    end.hear(301, 100, 0, 1).unwrap();
    // Not of all that came, more, twice, in the wrong order.
    end.refuses("is reported in", report(&[(301, 400)]));
    end.refuses("is reported in", report(&[(301, 402)]));
    end.refuses("is reported in", report(&[(301, 401), (301, 401)]));
    end.refuses("came last", report(&[(101, 201), (301, 401)]));
    report(&[(301, 401)])(&mut end.clone()).unwrap();
    report(&[(301, 401), (101, 201)])(&mut end).unwrap();
    // There is no room for a third, but for what touches one.
    end.hear(501, 100, 0, 1).unwrap();
    end.refuses("is reported in", report(&[(501, 601), (301, 401)]));
    end.hear(201, 50, 0, 1).unwrap();
    end.refuses("is reported in", report(&[(201, 251), (101, 201)]));
    end.refuses("to who has no SACK", |end| {
        end.view.sack_permitted = false;
        report(&[(101, 251)])(end)
    });
    report(&[(101, 251)])(&mut end).unwrap();
    // What is filled goes.
    end.hear(1, 100, 0, 251).unwrap();
    end.refuses("is reported in", |end| {
        end.put((1, 251), 0, &[(101, 251)], 0)
    });
    end.put((1, 251), 0, &[(301, 401)], 0).unwrap();
}

#[test]
fn what_came_twice_is_reported_first() {
    let report =
        |blocks: &'static [(u32, u32)]| move |end: &mut End| end.put((1, 101), 0, blocks, 0);
    let mut end = End::new();
    end.hear(1, 100, 0, 101).unwrap();
    end.refuses("is reported in", report(&[(1, 101)]));
    report(&[])(&mut end).unwrap();
    end.hear(1, 50, 0, 101).unwrap();
    end.refuses("came twice", report(&[]));
    end.refuses("is reported in", report(&[(1, 101)]));
    report(&[(1, 51)])(&mut end).unwrap();
    end.refuses("is reported in", report(&[(1, 51)]));
    // Of what came ahead of its turn, with that.
    end.hear(201, 100, 0, 101).unwrap();
    end.hear(251, 50, 0, 101).unwrap();
    report(&[(251, 301), (201, 301)])(&mut end.clone()).unwrap();
    end.refuses("is reported in", report(&[(251, 300), (201, 300)]));
}
