//! The captures in `testdata/`, through the library and the program: which TCP segments,
//! options and errors they find, against what Wireshark found and what must be said.
//!
//! Those of the files that are made by hand are made here: `BLESS=1` writes them.

mod handmade;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use zerotcp::capture::{CaptureReader, Frame};
use zerotcp::wire::{
    Checksum, ChecksumStatus, ErrorKind, EtherType, IpProtocol, Ipv4Header, ParseError, RawIpv4,
    RawTcp, TcpHeader, TcpOption, TcpPacket,
};

/// Where the program's rows are not Wireshark's, on purpose.
const OTHERWISE: [(&str, u64, &str); 7] = [
    ("corrupted.pcap", 14, NO_PORTS),
    ("corrupted.pcap", 15, SHORT_HEADER),
    ("corrupted.pcap", 16, SHORT_HEADER),
    ("cut.pcap", 6, NO_PORTS),
    ("cut.pcap", 7, NO_PORTS),
    ("cut.pcap", 12, NO_URGENT_POINTER),
    ("cut.pcap", 13, NO_URGENT_POINTER),
];
const NO_PORTS: &str = "an IPv4 header that says TCP is a row, even if the ports are cut";
const SHORT_HEADER: &str = "fields are shown although the data offset is below its minimum";
const NO_URGENT_POINTER: &str = "a checksum is judged only in a whole header";

fn main() -> ExitCode {
    let trials = [
        (
            "handmade_files_are_what_their_source_makes",
            handmade as fn() -> _,
        ),
        ("segments_are_as_wireshark_has_them", segments),
        ("segments_of_the_program_are_too", program),
        ("options_are_as_wireshark_has_them", options),
        ("errors_say_what_is_wrong", errors),
        ("what_is_not_wrong_is_sound", soundness),
        ("every_file_is_described", described),
    ];
    let trials = trials.map(|(name, test)| Trial::ignorable_test(name, move || on_files(test)));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// The package as published is without the captures.
fn on_files(test: fn() -> Result<(), Failed>) -> Result<Completion, Failed> {
    if directory().is_dir() {
        test().map(|()| Completion::Completed)
    } else {
        Ok(Completion::ignored_with("there is no testdata/ here"))
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn handmade() -> Result<(), Failed> {
    for (name, made) in handmade::files() {
        let path = directory().join(name);
        if env::var_os("BLESS").is_some() {
            fs::write(&path, made)?;
        } else if fs::read(&path).map_err(|error| format!("{name}: {error}"))? != made {
            return Err(format!("{name} is another: BLESS=1 writes it anew").into());
        }
    }
    Ok(())
}

fn segments() -> Result<(), Failed> {
    let mut found = Table::new();
    each_frame(|file, frame| {
        if let Some(segment) = Segment::of(frame) {
            found.insert((file.to_owned(), frame.number), segment.row(frame));
        }
    })?;
    compare(&table("expected.tsv")?, &found)
}

fn program() -> Result<(), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_zerotcp"))
        .args(["validate", "--segments", "testdata"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    let stdout = str::from_utf8(&output.stdout)?.replace("testdata/", "");
    // Some are bad, but all can be read.
    if output.status.code() != Some(1) || !output.stderr.is_empty() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {stderr}", output.status).into());
    }
    let (mut expected, mut found) = (table("expected.tsv")?, parse_table(&stdout)?);
    for (file, frame, reason) in OTHERWISE {
        let key = (file.to_owned(), frame);
        if expected.remove(&key) == found.remove(&key) {
            return Err(format!("{key:?} is no exception any more: {reason}").into());
        }
    }
    compare(&expected, &found)
}

fn options() -> Result<(), Failed> {
    let mut found = Table::new();
    each_frame(|file, frame| {
        if let Some(packet) = strict(frame).and_then(Result::ok)
            && !packet.tcp.option_bytes().is_empty()
        {
            let row = OptionRow::of(packet.tcp.options());
            found.insert((file.to_owned(), frame.number), row.text());
        }
    })?;
    compare(&table("expected-options.tsv")?, &found)
}

fn errors() -> Result<(), Failed> {
    let expected = table("expected-errors.tsv")?;
    let mut found = Table::new();
    each_frame(|file, frame| {
        let is_broken = expected.keys().any(|(broken, _)| broken == file);
        if let Some(Err(error)) = strict(frame)
            && is_broken
        {
            found.insert((file.to_owned(), frame.number), error.to_string());
        }
    })?;
    compare(&expected, &found)
}

/// In the other files a packet is refused where Wireshark says that its checksums do not
/// fit or can't be verified, and nowhere else. Unverifiable are fragments and what is cut;
/// of what a network has damaged, chance decides which field gives it away first.
fn soundness() -> Result<(), Failed> {
    const INCOMPLETE: [ErrorKind; 3] = [ErrorKind::Cut, ErrorKind::Fragment, ErrorKind::Truncated];
    let broken = table("expected-errors.tsv")?;
    let segments = table("expected.tsv")?;
    let mut wrong = Vec::new();
    each_frame(|file, frame| {
        if broken.keys().any(|(broken, _)| broken == file) {
            return;
        }
        let Some(row) = segments.get(&(file.to_owned(), frame.number)) else {
            return;
        };
        let columns: Vec<&str> = row.split('\t').collect();
        let error = strict(frame).and_then(Result::err);
        // The statuses of the IPv4 and the TCP checksum.
        let agrees = match columns[9..11] {
            ["1", "1"] => error.is_none(),
            ["0", _] | [_, "0"] => error.is_some(),
            _ => error.is_some_and(|error| INCOMPLETE.contains(&error.kind)),
        };
        if !agrees {
            wrong.push(format!(
                "{file} {}: {error:?}, expected {row}",
                frame.number
            ));
        }
    })?;
    report(&wrong)
}

fn described() -> Result<(), Failed> {
    let readme = fs::read_to_string(directory().join("README.md"))?;
    let missing: Vec<String> = files()?
        .into_iter()
        .filter(|file| !readme.contains(&format!("`{file}`")))
        .map(|file| format!("{file} is not in the README"))
        .collect();
    report(&missing)
}

/// A frame's file and number, and the rest of its row.
type Table = BTreeMap<(String, u64), String>;

fn table(name: &str) -> Result<Table, Failed> {
    let text = fs::read_to_string(directory().join(name))?;
    parse_table(&text).map_err(|error| format!("{name}: {error}").into())
}

fn parse_table(text: &str) -> Result<Table, String> {
    let mut table = Table::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.splitn(3, '\t').collect();
        let [file, frame, rest] = columns[..] else {
            return Err(format!("too few columns: {line:?}"));
        };
        let frame = frame
            .parse()
            .map_err(|error| format!("{error}: {line:?}"))?;
        if table
            .insert((file.to_owned(), frame), rest.to_owned())
            .is_some()
        {
            return Err(format!("a second row for frame {frame} of {file}"));
        }
    }
    if table.is_empty() {
        return Err("no rows".to_owned());
    }
    Ok(table)
}

/// Row by row, and none missing or extra.
fn compare(expected: &Table, found: &Table) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for key in expected.keys().chain(found.keys()) {
        let (expected, found) = (expected.get(key), found.get(key));
        if expected != found {
            wrong.push(format!(
                "{key:?}\n  expected {expected:?}\n  found    {found:?}"
            ));
        }
    }
    wrong.sort_unstable();
    wrong.dedup();
    report(&wrong)
}

fn report(wrong: &[String]) -> Result<(), Failed> {
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// The names of the captures.
fn files() -> Result<Vec<String>, Failed> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".pcap") || name.ends_with(".pcapng") {
            files.push(name);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn each_frame(mut visit: impl FnMut(&str, &Frame<'_>)) -> Result<(), Failed> {
    for file in files()? {
        let explain = |error| format!("{file}: {error}");
        let mut capture = CaptureReader::open(directory().join(&file)).map_err(explain)?;
        while let Some(frame) = capture.next_frame().map_err(explain)? {
            visit(&file, &frame);
        }
    }
    Ok(())
}

/// The segment in an IPv4 frame as a receiver takes it, or what is wrong first: offsets
/// count from the start of the frame. `None` for frames of other protocols.
fn strict<'a>(frame: &Frame<'a>) -> Option<Result<TcpPacket<'a>, ParseError>> {
    let link = match frame.link_type.strip(frame.data) {
        Ok(link) if link.ethertype == Some(EtherType::IPV4) => link,
        Ok(_) => return None,
        Err(error) => return Some(Err(error)),
    };
    let packet = TcpPacket::parse(&frame.data[link.offset..]).and_then(|packet| {
        let summary = packet.tcp.option_summary();
        summary.map_err(|error| error.at(packet.ip.header_len()))?;
        Ok(packet)
    });
    match packet.map_err(|error| error.at(link.offset)) {
        Err(error) if error.kind == ErrorKind::Protocol => None,
        result => Some(result),
    }
}

/// A TCP segment, or the first fragment of one, as much as is there of it.
struct Segment<'a> {
    ip: RawIpv4<'a>,
    tcp: RawTcp<'a>,
    /// Header and payload without cutting, in bytes.
    len: usize,
}

impl<'a> Segment<'a> {
    fn of(frame: &Frame<'a>) -> Option<Segment<'a>> {
        let link = frame.link_type.strip(frame.data).ok()?;
        if link.ethertype != Some(EtherType::IPV4) {
            return None;
        }
        let bytes = &frame.data[link.offset..];
        let ip = RawIpv4::new(bytes);
        let header_len = ip.header_len().filter(|len| *len >= Ipv4Header::LEN)?;
        let frame_len = frame.original_len as usize - link.offset;
        let total_len = match usize::from(ip.total_length()?) {
            // Left to the network card, which was to cut the segment.
            0 => frame_len,
            total_len => total_len.min(frame_len),
        };
        let len = total_len.checked_sub(header_len)?;
        let tcp = RawTcp::new(bytes.get(header_len..total_len.min(bytes.len()))?);
        let is_tcp = ip.version() == Some(4)
            && ip.protocol() == Some(IpProtocol::TCP)
            && ip.fragment_offset() == Some(0);
        // Wireshark lists a segment from its ports on.
        (is_tcp && tcp.dst_port().is_some()).then_some(Segment { ip, tcp, len })
    }

    /// The columns of `expected.tsv` from the third on. Wireshark shows nothing but the
    /// ports of a header that is cut before its window, and of one that says it is shorter
    /// than it can be nothing behind the sequence number.
    fn row(&self, frame: &Frame<'_>) -> String {
        let Segment { ip, tcp, len } = self;
        let shown = tcp.window();
        let header_len = tcp.header_len().unwrap_or(0);
        let sane = shown.filter(|_| header_len >= TcpHeader::LEN);
        let payload_len = len.checked_sub(header_len);
        let payload_len = payload_len.filter(|_| ip.is_fragment() == Some(false));
        let columns = [
            text(ip.src()),
            text(tcp.src_port()),
            text(ip.dst()),
            text(tcp.dst_port()),
            text(shown.and(tcp.seq()).map(|seq| seq.0)),
            text(sane.and(tcp.ack()).map(|ack| ack.0)),
            text(
                sane.and(tcp.flags())
                    .map(|flags| format!("{:#06x}", flags.bits())),
            ),
            text(sane),
            text(shown.and(payload_len)),
            text(Some(number(ip.checksum_status()))),
            text(sane.and(self.checksum_status()).map(number)),
            text(ip.fragment_offset()),
            text(ip.more_fragments().map(u8::from)),
            text(Some(frame.data.len())),
            text(Some(frame.original_len)),
        ];
        columns.join("\t")
    }

    /// `None` where the checksum itself is cut.
    fn checksum_status(&self) -> Option<ChecksumStatus> {
        let Segment { ip, tcp, len } = *self;
        tcp.checksum()?;
        if ip.payload_len() == Some(len) || ip.is_fragment()? {
            return Some(ip.tcp_checksum_status());
        }
        // The total length lies: the frame's is what the sender must have meant.
        let pseudo_header =
            Checksum::pseudo_header(ip.src()?, ip.dst()?, ip.protocol()?.0, 0).word32(len as u32);
        let bytes = tcp.bytes();
        Some(
            match pseudo_header.combine(Checksum::of(bytes)).is_valid() {
                _ if bytes.len() < len => ChecksumStatus::Unverifiable,
                true => ChecksumStatus::Good,
                false => ChecksumStatus::Bad,
            },
        )
    }
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// As Wireshark numbers them.
fn number(status: ChecksumStatus) -> u8 {
    match status {
        ChecksumStatus::Bad => 0,
        ChecksumStatus::Good => 1,
        ChecksumStatus::Unverifiable => 2,
    }
}

/// The columns of `expected-options.tsv` from the third on: lists are separated by commas.
#[derive(Default)]
struct OptionRow {
    kinds: Vec<String>,
    /// With kind and length bytes, of the options that have such.
    lengths: Vec<String>,
    mss: Vec<String>,
    shift: Vec<String>,
    left: Vec<String>,
    right: Vec<String>,
    value: Vec<String>,
    echo: Vec<String>,
}

impl OptionRow {
    fn of<'a>(options: impl Iterator<Item = Result<TcpOption<'a>, ParseError>>) -> OptionRow {
        let mut row = OptionRow::default();
        for option in options.map_while(Result::ok) {
            let kind = match option {
                TcpOption::NoOperation => 1,
                TcpOption::MaximumSegmentSize(size) => {
                    row.mss.push(size.to_string());
                    2
                }
                TcpOption::WindowScale(shift) => {
                    row.shift.push(shift.to_string());
                    3
                }
                TcpOption::SackPermitted => 4,
                TcpOption::Sack(blocks) => {
                    for block in blocks.iter() {
                        row.left.push(block.left.0.to_string());
                        row.right.push(block.right.0.to_string());
                    }
                    5
                }
                TcpOption::Timestamps { value, echo } => {
                    row.value.push(value.to_string());
                    row.echo.push(echo.to_string());
                    8
                }
                TcpOption::Unknown { kind, .. } => kind,
                _ => unreachable!("an option that this test does not know yet"),
            };
            row.kinds.push(kind.to_string());
            if option != TcpOption::NoOperation {
                row.lengths.push(option.len().to_string());
            }
        }
        row
    }

    fn text(&self) -> String {
        let OptionRow {
            kinds,
            lengths,
            mss,
            shift,
            left,
            right,
            value,
            echo,
        } = self;
        let columns = [kinds, lengths, mss, shift, left, right, value, echo];
        columns.map(|column| column.join(",")).join("\t")
    }
}
