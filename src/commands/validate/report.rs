use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::AddAssign;

use serde::{Serialize, Serializer};
use zerotcp::capture::Format;
use zerotcp::wire::{ErrorKind, Layer, LinkType, ParseError};

use super::connections::{Connections, LISTED, Tally};

/// What is said of one file.
#[derive(Debug, Serialize)]
pub struct Report {
    pub file: String,
    #[serde(serialize_with = "as_optional_text")]
    pub format: Option<Format>,
    #[serde(serialize_with = "as_texts")]
    pub link_types: Vec<LinkType>,
    #[serde(flatten)]
    pub counts: Counts,
    /// The first [`LISTED`] packets that are malformed or have a bad checksum,
    /// but for checksums left to a network card.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub problems_not_listed: u64,
    pub connections: Connections,
    /// Why the file could not be read to its end.
    pub error: Option<String>,
}

/// What can be added up.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    pub frames: u64,
    pub ipv4_packets: u64,
    pub tcp_segments: u64,
    pub fragments: u64,
    /// IPv4 packets that the snap length cut.
    pub cut: u64,
    pub bad_ip_checksums: u64,
    pub bad_tcp_checksums: u64,
    /// Those of the bad TCP checksums that hold the pseudo-header's sum.
    pub offloaded_tcp_checksums: u64,
    pub malformed: u64,
    pub malformed_by_reason: BTreeMap<Reason, u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Problem {
    pub frame: u64,
    /// With offsets from the start of the frame.
    #[serde(rename = "reason", serialize_with = "as_text")]
    pub error: ParseError,
}

/// A class of malformed packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    layer: Layer,
    kind: ErrorKind,
}

/// In order of gravity: an exit code each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Sound,
    Bad,
    Unreadable,
}

/// What is said of all files together.
#[derive(Debug, Default, Serialize)]
pub struct Total {
    pub sound: u64,
    pub bad: u64,
    pub unreadable: u64,
    /// Files in directories that are no captures.
    pub skipped: u64,
    #[serde(flatten)]
    pub counts: Counts,
    pub connections: Tally,
}

impl Report {
    pub fn new(file: String) -> Report {
        Report {
            file,
            format: None,
            link_types: Vec::new(),
            counts: Counts::default(),
            problems: Vec::new(),
            problems_not_listed: 0,
            connections: Connections::default(),
            error: None,
        }
    }

    pub fn verdict(&self) -> Verdict {
        let counts = &self.counts;
        if self.error.is_some() {
            Verdict::Unreadable
        } else if counts.bad_ip_checksums + counts.bad_tcp_checksums + counts.malformed > 0 {
            Verdict::Bad
        } else {
            Verdict::Sound
        }
    }

    /// Notes the link type of a frame.
    #[inline]
    pub fn link_type(&mut self, link_type: LinkType) {
        /// A pcapng file can have thousands, one tells as much as the other.
        const MOST: usize = 8;
        let known = &mut self.link_types;
        if known.last() != Some(&link_type) && known.len() < MOST && !known.contains(&link_type) {
            known.push(link_type);
        }
    }

    #[cold]
    pub fn malformed(&mut self, frame: u64, error: ParseError) {
        self.counts.malformed += 1;
        let reason = Reason {
            layer: error.layer,
            kind: error.kind,
        };
        *self.counts.malformed_by_reason.entry(reason).or_default() += 1;
        self.problem(frame, error);
    }

    #[cold]
    pub fn problem(&mut self, frame: u64, error: ParseError) {
        if self.problems.len() < LISTED {
            self.problems.push(Problem { frame, error });
        } else {
            self.problems_not_listed += 1;
        }
    }
}

impl Total {
    pub fn add(&mut self, report: &Report) {
        match report.verdict() {
            Verdict::Sound => self.sound += 1,
            Verdict::Bad => self.bad += 1,
            Verdict::Unreadable => self.unreadable += 1,
        }
        self.counts += &report.counts;
        self.connections += report.connections.tally();
    }

    pub fn verdict(&self) -> Verdict {
        match (self.unreadable, self.bad) {
            (0, 0) => Verdict::Sound,
            (0, _) => Verdict::Bad,
            _ => Verdict::Unreadable,
        }
    }

    /// How many files there is a verdict on.
    pub fn verdicts(&self) -> u64 {
        self.sound + self.bad + self.unreadable
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        let Counts {
            frames,
            ipv4_packets,
            tcp_segments,
            fragments,
            cut,
            bad_ip_checksums,
            bad_tcp_checksums,
            offloaded_tcp_checksums,
            malformed,
            malformed_by_reason,
        } = other;
        self.frames += frames;
        self.ipv4_packets += ipv4_packets;
        self.tcp_segments += tcp_segments;
        self.fragments += fragments;
        self.cut += cut;
        self.bad_ip_checksums += bad_ip_checksums;
        self.bad_tcp_checksums += bad_tcp_checksums;
        self.offloaded_tcp_checksums += offloaded_tcp_checksums;
        self.malformed += malformed;
        for (reason, count) in malformed_by_reason {
            *self.malformed_by_reason.entry(*reason).or_default() += count;
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Sound => "sound",
            Verdict::Bad => "bad",
            Verdict::Unreadable => "unreadable",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ErrorKind::Truncated => "too short",
            ErrorKind::Version => "wrong version",
            ErrorKind::HeaderLength => "header length below minimum",
            ErrorKind::HeaderOverrun => "header longer than packet",
            ErrorKind::TotalLength => "total length below header length",
            ErrorKind::Cut => "total length past end of frame",
            ErrorKind::OptionLength => "bad option length",
            ErrorKind::OptionOverrun => "option past the header",
            _ => "other",
        };
        write!(f, "{} {kind}", self.layer)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_texts<S: Serializer>(values: &[LinkType], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(LinkType::to_string))
}

fn as_optional_text<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_some(&value.as_ref().map(T::to_string))
}
