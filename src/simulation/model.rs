//! What one end should know of what it has sent and received: a naive model of a connection, which
//! is told of the segments that go out and come in, and nothing else.
//!
//! Where the connection has a scoreboard of runs that it splits and melts in place, the model
//! has a map of segments as they were last sent and a list of what was reported, counted from
//! the first number on, so that nothing wraps around. It knows what segments say and what
//! RFC 9293 section 3.10.7.4 does with them, but nothing of recovery and timers; of congestion, what
//! the network is owed.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `congestion` | how much may go out, and when the congestion window shrinks |
//! | `proportion` | how much goes out in fast recovery |
//! | `timing` | how long the retransmission timer runs |
//! | `receiver` | what has come: what is acknowledged, offered and reported |
//! | `runs` | a set of numbers |
//!
//! Both ends are taken to be honest. What the connection may do beyond the letter of the RFCs
//! stands at the rule that allows it.

use std::collections::BTreeMap;
use std::fmt;

mod congestion;
mod proportion;
mod receiver;
mod runs;
mod timing;

use self::congestion::{Congestion, Going, News};
use self::receiver::Receiver;
use self::runs::Runs;
use self::timing::Timing;
use super::broken::{Broken, ensure};
use crate::tcp::audit::{Fate, MAX_RUNS, Recovery, View};
use crate::tcp::{Config, Tcb};
use crate::time::Instant;
use crate::wire::{OptionSummary, SackBlock, SeqNumber, TcpFlags, TcpSegment};

/// What a connection says of what it has sent: from one number up to another, in order.
trait Board: Iterator<Item = (SeqNumber, SeqNumber, Fate)> + Clone {}

impl<T: Iterator<Item = (SeqNumber, SeqNumber, Fate)> + Clone> Board for T {}

/// A model of one end of one connection. Numbers are counted from ISS on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// ISS; none before the first SYN.
    iss: Option<SeqNumber>,
    /// Whether the peer has acknowledged the SYN.
    open: bool,
    una: i64,
    nxt: i64,
    wnd: i64,
    /// The right edge of the largest window that it was ever offered.
    edge: i64,
    /// SND.WL1, in the peer's own numbers, and SND.WL2.
    set_by: (SeqNumber, i64),
    /// What was sent and is not acknowledged, as it was last sent: by its first number.
    sent: BTreeMap<i64, Sent>,
    /// What the peer has reported of it.
    reported: Runs,
    /// There were so many segments in flight that the connection may have joined some.
    is_crowded: bool,
    /// When the last-sent of what has arrived was sent.
    newest: Instant,
    /// Whether any of what the last segment says has arrived was sent only once; when the first of it
    /// was first sent, and the last of it last.
    measurable: bool,
    arrived: Option<(Instant, Instant)>,
    timing: Timing,
    /// The recovery that was seen last, after how many mistaken ones.
    recovery: Option<(Recovery, u32)>,
    /// What was sent again in it, if anything was: whether any had not been lost before, as far as one
    /// can tell.
    needless: Option<bool>,
    /// What was sent again before this may be deemed lost though the window was not cut: it was closed,
    /// or that was too large for the path.
    excused: Instant,
    /// What has come.
    receiver: Option<Receiver>,
    /// What lies before this number may be deemed lost whatever has arrived: by a timeout, since
    /// a closed window did not take it, or since it was too large for the path.
    doubted: i64,
    /// The smallest segment size there was.
    mss: u16,
    congestion: Congestion,
    /// How often in a row something was sent again.
    retries: u8,
}

/// A segment, or what is left of it after another was sent over it.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// The number after it.
    end: i64,
    /// When it was sent, and when for the first time.
    at: Instant,
    first_at: Instant,
    /// Whether it was sent before.
    again: bool,
    /// Whether the network has let any of its copies through, and whether it had when the last was
    /// sent.
    gets_through: bool,
    is_needless: bool,
    /// Whether one report covered all of it.
    is_reported: bool,
}

/// What only an acceptable segment changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    una: SeqNumber,
    wnd: u32,
    rcv_nxt: SeqNumber,
    ts_recent: Option<u32>,
    heard: Instant,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Known {
            una,
            wnd,
            rcv_nxt,
            ts_recent,
            heard,
        } = self;
        write!(
            f,
            "SND.UNA {una}, SND.WND {wnd}, RCV.NXT {rcv_nxt}, TS.Recent {ts_recent:?}, heard at {heard}"
        )
    }
}

impl Model {
    /// Before the first segment.
    pub(crate) fn new() -> Model {
        Model::default()
    }

    /// The end hands a segment to the network at `now`; `tcb` is its connection after that,
    /// if there is one already.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        segment: &TcpSegment<'_>,
        tcb: Option<&Tcb>,
    ) -> Result<(), Broken> {
        let flags = segment.flags();
        if flags.rst() {
            // It answers what should not have come, by whatever number that had.
            return Ok(());
        }
        if flags.syn() && self.iss != Some(segment.seq()) {
            // The first one, or another connection with the same addresses and ports.
            *self = Model {
                iss: Some(segment.seq()),
                nxt: 1,
                ..Model::default()
            };
        }
        if flags.syn() {
            ensure!(
                !self.open && segment.payload().is_empty(),
                "the SYN is sent again when it was acknowledged, or with text"
            );
            return Ok(());
        }
        match tcb {
            Some(tcb) => self.sent_by(now, segment, &tcb.view(now), tcb.sent_runs()),
            None => Ok(()),
        }
    }

    /// A segment that is no SYN, by a connection with this view of itself.
    fn sent_by(
        &mut self,
        now: Instant,
        segment: &TcpSegment<'_>,
        view: &View,
        board: impl Board,
    ) -> Result<(), Broken> {
        if !self.is_of(view) {
            return Ok(());
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.check_sent(segment, view)?;
        }
        let (start, len) = (self.number(segment.seq()), segment.sequence_len());
        let end = start + i64::from(len);
        if len == 0 {
            // Appendix A.2 and section 3.8.4 of RFC 9293: no further than the peer's window, and
            // a keepalive has the number before that.
            ensure!(
                self.una - 1 <= start && start <= self.nxt,
                "a segment without text has number {start}, SND.UNA is {}, SND.NXT {}",
                self.una,
                self.nxt
            );
            return Ok(());
        }
        self.check_room(start, end, view)?;
        self.check_again(start, end, view)?;
        let going = Going {
            start,
            end,
            una: self.una,
            nxt: self.nxt,
            doubted: self.doubted,
            has_text: !segment.payload().is_empty(),
            cwr: segment.flags().contains(TcpFlags::CWR),
        };
        self.congestion.sent(going, view)?;
        self.put(start, end, now);
        // What was sent again is in flight again.
        for (from, to, fate) in self.runs(board) {
            ensure!(
                to <= start || end <= from || fate == Fate::InFlight,
                "{from}..{to} is {fate:?} when {start}..{end} has just been sent"
            );
        }
        Ok(())
    }

    /// No number is skipped, none sent that was acknowledged, and none beyond the peer's window
    /// (RFC 9293 section 3.8.6), also where that has shrunk (SHLD-16), but an octet that probes it.
    fn check_room(&self, start: i64, end: i64, view: &View) -> Result<(), Broken> {
        ensure!(
            self.una <= start && start <= self.nxt,
            "{start}..{end} is sent, SND.UNA is {}, SND.NXT {}",
            self.una,
            self.nxt
        );
        let room = self.wnd.max(i64::from(view.probes_window));
        ensure!(
            end <= self.una + room,
            "{start}..{end} is sent, SND.UNA is {}, SND.WND {}, probing: {}",
            self.una,
            self.wnd,
            view.probes_window
        );
        Ok(())
    }

    /// What the peer has reported as received is not sent again (RFC 2018 section 5.1); a window
    /// probe begins at SND.UNA whatever follows.
    fn check_again(&self, start: i64, end: i64, view: &View) -> Result<(), Broken> {
        let mut again = self.overlapping(start, end);
        let Some((from, sent)) = again.find(|(_, sent)| sent.is_reported) else {
            return Ok(());
        };
        ensure!(
            view.probes_window,
            "{start}..{end} is sent again, {from}..{} of it was received",
            sent.end
        );
        Ok(())
    }

    /// A segment was given to the end at `now`, which is set up as in `config`; how its connection saw
    /// itself before and sees itself after it, where it was there.
    pub(crate) fn told(
        &mut self,
        now: Instant,
        segment: &TcpSegment<'_>,
        before: Option<&View>,
        after: Option<&View>,
        config: &Config,
    ) -> Result<(), Broken> {
        let mss = after.or(before).map_or(0, |view| view.rcv_mss);
        let most_runs = config.out_of_order_runs(mss);
        if let Some(after) = after.filter(|after| after.state.is_synchronized())
            && !self.open
            && before.is_none_or(|before| !before.state.is_synchronized())
        {
            // Of several answers to a SYN by which nothing is kept, this one was heard.
            self.iss = Some(after.iss);
        }
        let iss = self.iss;
        let is_ours = |view: &&View| Some(view.iss) == iss;
        let Some(after) = after.filter(is_ours) else {
            return Ok(());
        };
        let before = before.filter(is_ours);
        if !self.open {
            self.told_of_syn(segment, after)?;
            self.begin_to_receive(segment, before, after, most_runs)?;
            return match self.open && after.state.is_synchronized() {
                true => self.observe(now, after, News::default()),
                false => Ok(()),
            };
        }
        let Some(before) = before else {
            return Ok(());
        };
        self.observe(now, before, News::default())?;
        let (options, _) = OptionSummary::tolerant(segment.option_bytes());
        if let Some(receiver) = &mut self.receiver {
            receiver.heard(segment, is_old(&options, before), before);
        }
        if !self.takes(segment, &options, before) {
            let known = |view: &View| Known {
                una: view.una,
                wnd: view.wnd,
                rcv_nxt: view.rcv_nxt,
                ts_recent: view.ts_recent,
                heard: view.heard,
            };
            ensure!(
                known(before) == known(after),
                "a segment that is not acceptable has changed what is known: {} before, {} after",
                known(before),
                known(after)
            );
            return Ok(());
        }
        ensure!(
            after.heard == now,
            "an acceptable segment came at {now}, and the peer was heard at {}",
            after.heard
        );
        if let Some(receiver) = &mut self.receiver
            && after.state.is_synchronized()
        {
            if before.state.receives_text() {
                receiver.take(segment, before.rcv_edge, most_runs);
            }
            receiver.check(after)?;
        }
        let ack = self.number(segment.ack());
        if ack < self.una {
            // Overtaken by another: it says nothing new.
            return Ok(());
        }
        let acked = ack - self.una;
        let reported = self.reported.count();
        let whole = self.sent.iter().filter(|(_, sent)| sent.is_reported);
        let late = reported - whole.map(|(start, sent)| sent.end - start).sum::<i64>();
        (self.measurable, self.arrived) = (false, None);
        self.acknowledge(ack);
        // RFC 9293 section 3.10.7.4, but by the acknowledgment first: the number of a
        // retransmission is low, and its window new.
        let (wl1, wl2) = self.set_by;
        if wl2 < ack || (wl2 == ack && wl1 <= segment.seq()) {
            self.set_window(segment, ack, after.shift);
        }
        if after.sack_permitted {
            for block in options.sack() {
                self.report(ack, *block)?;
            }
        }
        // Karn's rule (RFC 6298 section 3), unless timestamps tell one transmission from another.
        ensure!(
            self.measurable || after.timestamps || before.srtt == after.srtt,
            "SRTT goes from {:?} to {:?} by what was sent more than once",
            before.srtt,
            after.srtt
        );
        ensure!(
            before.backoff <= after.backoff
                || self.measurable
                || after.timestamps
                || before.spurious != after.spurious,
            "the timeout is no longer doubled, and nothing was measured"
        );
        if let Some((first, last)) = self.arrived {
            timing::check_measured(before, after, (now - last, now - first))?;
        }
        if !self.is_of(after) {
            return Ok(());
        }
        self.check_undo(before, after)?;
        let news = News {
            acked,
            arrived: acked + self.reported.count() - reported,
            late,
            is_bare: segment.sequence_len() == 0,
        };
        self.observe(now, after, news)?;
        self.timing.check(now, after, config)?;
        match segment.flags().contains(TcpFlags::ECE) {
            true => self.congestion.heard_mark(self.una, after),
            false => Ok(()),
        }
    }

    /// Whether the ACK field of a segment counts: RFC 9293 section 3.10.7.4 down to its fifth
    /// step, RFC 5961, and PAWS.
    fn takes(&self, segment: &TcpSegment<'_>, options: &OptionSummary, before: &View) -> bool {
        let flags = segment.flags();
        if !before.state.is_synchronized() || flags.rst() || flags.syn() || !flags.ack() {
            return false;
        }
        if is_old(options, before) {
            return false;
        }
        // RFC 9293 section 3.4, table 6, with RCV.NXT as zero.
        let window = i64::from(before.rcv_edge.0.wrapping_sub(before.rcv_nxt.0));
        let start = i64::from(segment.seq().0.wrapping_sub(before.rcv_nxt.0) as i32);
        let len = i64::from(segment.sequence_len());
        let acceptable = match len {
            // From beyond the window by one, or two where that was probed: its sender has
            // filled it (appendix A.2).
            0 => (0..window + 2).contains(&start),
            _ => {
                start == 0
                    || (0..window).contains(&start)
                    || (start < 0 && 0 < start + len && window > 0)
            }
        };
        // RFC 5961 section 5.2.
        let ack = self.number(segment.ack());
        acceptable && self.una - i64::from(before.max_wnd) <= ack && ack <= self.nxt
    }

    /// The handshake goes on, and may be done.
    fn told_of_syn(&mut self, segment: &TcpSegment<'_>, after: &View) -> Result<(), Broken> {
        let (una, iss) = (after.una, after.iss);
        if una == iss {
            return Ok(());
        }
        ensure!(
            una == iss + 1 && segment.flags().ack() && segment.ack() == una,
            "SND.UNA is {una} after an acknowledgment of {}, ISS is {iss}",
            segment.ack()
        );
        self.open = true;
        self.una = 1;
        // The window of a SYN is not scaled (RFC 7323 section 2.2).
        let shift = if segment.flags().syn() {
            0
        } else {
            after.shift
        };
        self.set_window(segment, 1, shift);
        Ok(())
    }

    /// The handshake is done, and maybe text has come with what did it.
    fn begin_to_receive(
        &mut self,
        segment: &TcpSegment<'_>,
        before: Option<&View>,
        after: &View,
        most_runs: usize,
    ) -> Result<(), Broken> {
        if !self.open || !after.state.is_synchronized() {
            return Ok(());
        }
        let receiver = self.receiver.insert(Receiver::new(after.irs));
        // Text of a SYN is not taken (RFC 9293 section 3.10.7.3 allows that): it comes again.
        if !segment.flags().syn() {
            let edge = before.unwrap_or(after).rcv_edge;
            receiver.take(segment, edge, most_runs);
        }
        receiver.check(after)
    }

    /// Something has happened.
    fn observe(&mut self, now: Instant, view: &View, news: News) -> Result<(), Broken> {
        // RFC 9293 section 3.8.3: R2, by what the user has set last.
        let more = self.retries < view.retries;
        ensure!(
            !more || view.most_retries.is_none_or(|most| view.retries <= most),
            "{} retransmissions in a row, at most {:?} allowed",
            view.retries,
            view.most_retries
        );
        self.retries = view.retries;
        let recovery = view.recovery.map(|recovery| (recovery, view.spurious));
        if recovery.is_some() && recovery != self.recovery {
            // What a probe has repeated counts as well. A timeout is judged by F-RTO, too, which
            // may err (RFC 5682 section 5).
            let is_needless = self.sent.values().any(|sent| sent.is_needless);
            self.needless = (is_needless || view.has_timed_out()).then_some(true);
        }
        self.recovery = recovery.or(self.recovery);
        let (una, nxt) = (self.una, self.nxt);
        self.congestion.observe(now, view, (una, nxt), news)
    }

    /// What is undone as a mistake was one: of what was sent again in fast recovery not all had been
    /// lost.
    fn check_undo(&mut self, before: &View, after: &View) -> Result<(), Broken> {
        let restores = before.spurious != after.spurious && before.window < after.window;
        ensure!(
            !restores || self.needless != Some(false),
            "a recovery is undone, and all that was sent again had been lost"
        );
        Ok(())
    }

    /// What has become of a segment that was sent: whether it gets through, and in two copies.
    pub(crate) fn note_fate(
        &mut self,
        segment: &TcpSegment<'_>,
        gets_through: bool,
        is_doubled: bool,
    ) {
        if self.iss.is_none() || segment.flags().syn() {
            return;
        }
        let start = self.number(segment.seq());
        let end = start + i64::from(segment.sequence_len());
        for (_, sent) in self.sent.range_mut(start..end) {
            sent.gets_through |= gets_through;
            if is_doubled && sent.again {
                // It is reported as what arrives again.
                self.needless = Some(true);
            }
        }
    }

    /// What the connection says of itself agrees with what it has sent and was told.
    pub(crate) fn check(&mut self, now: Instant, tcb: &Tcb, config: &Config) -> Result<(), Broken> {
        let view = tcb.view(now);
        self.agrees(now, &view, tcb.sent_runs())?;
        if self.is_of(&view) {
            self.timing.check(now, &view, config)?;
        }
        match &self.receiver {
            Some(receiver) if self.is_of(&view) => receiver.check_kept(tcb.runs_ahead()),
            _ => Ok(()),
        }
    }

    fn agrees(&mut self, now: Instant, view: &View, board: impl Board) -> Result<(), Broken> {
        if !self.is_of(view) {
            return Ok(());
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.check(view)?;
        }
        self.observe(now, view, News::default())?;
        if view.has_timed_out() || view.probes_window || view.mss < self.mss {
            self.doubted = self.nxt;
        }
        if view.probes_window || view.mss < self.mss {
            self.excused = now;
        }
        self.mss = view.mss;
        self.check_numbers(view)?;
        self.check_received(board.clone(), view)?;
        self.check_lost(board, view)
    }

    fn check_numbers(&self, view: &View) -> Result<(), Broken> {
        let found = (
            self.number(view.una),
            self.number(view.nxt),
            i64::from(view.wnd),
        );
        let right = (self.una, self.nxt, self.wnd);
        ensure!(
            found == right,
            "SND.UNA, SND.NXT and SND.WND are {found:?}, by what was sent and told {right:?}"
        );
        // But for an octet that probes; a window may shrink below what was sent (SHLD-15).
        ensure!(
            !self.open || self.nxt <= self.edge + 1,
            "SND.NXT is {}, the largest window offered ended at {}",
            self.nxt,
            self.edge
        );
        Ok(())
    }

    /// What was reported in whole segments is sacked, what was not reported is not, and the pipe is
    /// what is neither that nor lost (RFC 6675 section 4, SetPipe).
    fn check_received(&self, board: impl Board, view: &View) -> Result<(), Broken> {
        let mut in_flight = 0;
        let mut reported = self.reported.as_slice().iter();
        let mut known = reported.next();
        for (from, to, fate) in self.runs(board.clone()) {
            in_flight += (to - from) * i64::from(fate == Fate::InFlight);
            if fate != Fate::Sacked {
                continue;
            }
            while known.is_some_and(|known| known.1 <= from) {
                known = reported.next();
            }
            ensure!(
                known.is_some_and(|known| known.0 <= from && to <= known.1),
                "{from}..{to} is sacked, reported is {known:?} next"
            );
        }
        // Without SACK, duplicate acknowledgments say that something has left the network, and
        // not what.
        let pipe = i64::from(view.pipe);
        ensure!(
            pipe == in_flight || (pipe < in_flight && !view.sack_permitted),
            "a pipe of {pipe} octets, {in_flight} are in flight"
        );
        let mut runs = self.runs(board);
        let mut run = runs.next();
        for (start, sent) in self.sent.iter().filter(|(_, sent)| sent.is_reported) {
            while run.is_some_and(|run| run.1 <= *start) {
                run = runs.next();
            }
            ensure!(
                run.is_some_and(|run| run.2 == Fate::Sacked && sent.end <= run.1),
                "{start}..{}, sent at {}, was reported as received; on the scoreboard is {run:?}",
                sent.end,
                sent.at
            );
        }
        Ok(())
    }

    /// With SACK, what nothing has overtaken is not lost (RFC 8985 section 6.2 step 5). In recovery the
    /// window was cut since what is lost was sent, for the last time and for the first (RFC 5681
    /// section 4.3).
    fn check_lost(&self, board: impl Board, view: &View) -> Result<(), Broken> {
        if !view.sack_permitted {
            return Ok(());
        }
        // At the least there is nothing to be cut.
        let wants_cut = view.recovery.is_some() && view.ssthresh > 2 * u32::from(view.mss);
        let (cut_at, cut_with) = self.congestion.cut();
        for (from, to, fate) in self.runs(board) {
            if fate != Fate::Lost {
                continue;
            }
            for (start, sent) in self.overlapping(from, to) {
                let is_paid_for = match sent.again {
                    true => sent.at <= cut_at,
                    false => *start < cut_with,
                };
                ensure!(
                    is_paid_for || sent.at <= self.excused || !wants_cut,
                    "{start}..{}, sent at {}, again: {}, is deemed lost, and the window was cut at \
                     {cut_at} with SND.NXT {cut_with} to {}, ssthresh to {}",
                    sent.end,
                    sent.at,
                    sent.again,
                    view.window,
                    view.ssthresh
                );
                ensure!(
                    sent.at <= self.newest || *start < self.doubted,
                    "{from}..{to} is deemed lost, {start}..{} of it was sent at {}, and of what \
                     has arrived the last at {}",
                    sent.end,
                    sent.at,
                    self.newest
                );
            }
        }
        Ok(())
    }

    /// What was sent of `start..end`, the last first.
    fn overlapping(&self, start: i64, end: i64) -> impl Iterator<Item = (&i64, &Sent)> {
        let before_end = self.sent.range(..end).rev();
        before_end.take_while(move |(_, sent)| start < sent.end)
    }

    /// The scoreboard of the connection in our numbers.
    fn runs(&self, board: impl Board) -> impl Iterator<Item = (i64, i64, Fate)> {
        board.map(|(from, to, fate)| (self.number(from), self.number(to), fate))
    }

    /// Whether the handshake of the connection that has this view is done, and it is not over.
    fn is_of(&self, view: &View) -> bool {
        self.open && self.iss == Some(view.iss) && view.state.is_synchronized()
    }

    fn acknowledge(&mut self, ack: i64) {
        self.note_arrived(self.una, ack);
        self.split(ack);
        self.sent = self.sent.split_off(&ack);
        self.reported.drop_before(ack);
        self.una = ack;
    }

    fn set_window(&mut self, segment: &TcpSegment<'_>, ack: i64, shift: u8) {
        self.wnd = i64::from(segment.window()) << shift;
        self.edge = self.edge.max(ack + self.wnd);
        self.set_by = (segment.seq(), ack);
    }

    /// A block of an acknowledgment of `ack`. One below that is a D-SACK (RFC 2883), and one
    /// within another says nothing that the other does not.
    fn report(&mut self, ack: i64, block: SackBlock) -> Result<(), Broken> {
        let (left, right) = (self.number(block.left), self.number(block.right));
        ensure!(
            left < right && right <= self.nxt && left != ack,
            "{left}..{right} is reported with an acknowledgment of {ack}, SND.NXT is {}",
            self.nxt
        );
        if left < ack {
            return Ok(());
        }
        self.note_arrived(left, right);
        for (_, sent) in self.sent.range_mut(left..right) {
            sent.is_reported |= sent.end <= right && !self.is_crowded;
        }
        self.reported.add(left, right);
        Ok(())
    }

    fn note_arrived(&mut self, start: i64, end: i64) {
        let once = self.overlapping(start, end).any(|(_, sent)| !sent.again);
        self.measurable |= once;
        for (_, sent) in self
            .sent
            .range(..end)
            .rev()
            .take_while(|(_, sent)| start < sent.end)
        {
            let (first, last) = self.arrived.unwrap_or((sent.first_at, sent.at));
            self.arrived = Some((first.min(sent.first_at), last.max(sent.at)));
            self.newest = self.newest.max(sent.at);
        }
    }

    /// `start..end` was sent, in one segment.
    fn put(&mut self, start: i64, end: i64, at: Instant) {
        /// Half of what the scoreboard keeps apart (CVE-2019-11477).
        const MOST: usize = MAX_RUNS / 2;

        self.split(start);
        self.split(end);
        let earlier = || self.sent.range(start..end).map(|(_, sent)| sent);
        let first_at = earlier().map(|sent| sent.first_at).min().unwrap_or(at);
        let gets_through = earlier().any(|sent| sent.gets_through);
        if start < self.nxt {
            self.needless = Some(gets_through || self.needless == Some(true));
        }
        while let Some((first, _)) = self.sent.range(start..end).next() {
            let first = *first;
            self.sent.remove(&first);
        }
        // What is sent with it for the first time is a segment of its own.
        let middle = end.min(self.nxt).max(start);
        for (from, to, again) in [(start, middle, true), (middle, end, false)] {
            let sent = Sent {
                end: to,
                at,
                first_at: if again { first_at } else { at },
                again,
                gets_through: again && gets_through,
                is_needless: again && gets_through,
                is_reported: false,
            };
            if from < to {
                self.sent.insert(from, sent);
            }
        }
        self.nxt = self.nxt.max(end);
        self.is_crowded |= self.sent.len() > MOST;
    }

    /// Sees to it that nothing reaches across a number.
    fn split(&mut self, number: i64) {
        if let Some((_, sent)) = self.sent.range_mut(..number).next_back()
            && number < sent.end
        {
            let after = *sent;
            sent.end = number;
            self.sent.insert(number, after);
        }
    }

    /// A sequence number, counted from ISS on.
    fn number(&self, number: SeqNumber) -> i64 {
        let iss = self.iss.unwrap_or_default().0;
        let una = iss.wrapping_add(self.una as u32);
        self.una + i64::from(number.0.wrapping_sub(una) as i32)
    }
}

/// Whether a segment is too old for a connection, or does not say how old it is (RFC 7323 sections
/// 3.2 and 5.3).
fn is_old(options: &OptionSummary, before: &View) -> bool {
    match (options.timestamps, before.ts_recent) {
        _ if !before.timestamps => false,
        (None, _) => true,
        (Some((value, _)), Some(recent)) => (value.wrapping_sub(recent) as i32) < 0,
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests;
