//! `zerotcp validate` as its users meet it: exit codes, what is printed where, and
//! files that are not what they seem.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use zerotcp::wire::{SeqNumber, TcpBuilder, TcpFlags};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 49152);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 2), 80);

/// A directory of this test's own, empty.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

struct Finished {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn validate(directory: &Path, arguments: &[&str]) -> Finished {
    let output = Command::new(env!("CARGO_BIN_EXE_zerotcp"))
        .arg("validate")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn header() -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0; 8]);
    file.extend(65_535u32.to_le_bytes());
    file.extend(101u32.to_le_bytes());
    file
}

/// A record of `packet`, of which only the first `captured` bytes were kept.
fn record(packet: &[u8], captured: usize) -> Vec<u8> {
    let mut record = vec![0; 8];
    record.extend((captured as u32).to_le_bytes());
    record.extend((packet.len() as u32).to_le_bytes());
    record.extend(&packet[..captured]);
    record
}

fn segment(
    from: SocketAddrV4,
    to: SocketAddrV4,
    flags: TcpFlags,
    seq: u32,
    ack: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0; 40 + payload.len()];
    let mut builder = TcpBuilder::new(from, to)
        .seq(SeqNumber(seq))
        .flags(flags)
        .window(65_535);
    if flags.ack() {
        builder = builder.ack(SeqNumber(ack));
    }
    let len = builder.write(&mut packet, payload).unwrap();
    packet.truncate(len);
    packet
}

/// A handshake and one segment with data.
fn packets() -> Vec<Vec<u8>> {
    let (syn, ack) = (TcpFlags::SYN, TcpFlags::ACK);
    vec![
        segment(CLIENT, SERVER, syn, 100, 0, b""),
        segment(SERVER, CLIENT, syn | ack, 300, 101, b""),
        segment(CLIENT, SERVER, ack, 101, 301, b""),
        segment(CLIENT, SERVER, ack, 101, 301, b"GET / HTTP/1.1\r\n\r\n"),
    ]
}

fn capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let records = packets
        .iter()
        .flat_map(|packet| record(packet, packet.len()));
    header().into_iter().chain(records).collect()
}

#[test]
fn a_sound_capture() {
    let directory = directory("sound");
    fs::write(directory.join("a.pcap"), capture(&packets())).unwrap();
    let finished = validate(&directory, &["a.pcap"]);
    assert_eq!(finished.code, Some(0));
    assert_eq!(finished.stderr, "");
    assert_eq!(
        finished.stdout,
        "a.pcap: sound\n  \
         pcap, raw-ip: 4 frames, 4 IPv4 packets, 4 TCP segments\n  \
         1 connection: 1 established\n    \
         192.0.2.1:49152 > 192.0.2.2:80: established, 4 segments from frame 1\n\
         total: 1 file, 1 sound, 0 bad, 0 unreadable: \
         4 frames, 4 IPv4 packets, 4 TCP segments, 1 connection\n"
    );
}

#[test]
fn bad_and_malformed_packets_are_named() {
    let directory = directory("bad");
    let mut packets = packets();
    let right = u16::from_be_bytes([packets[3][36], packets[3][37]]);
    packets[3][57] ^= 1; // the last byte: the lower half of a word
    packets[0][8] ^= 1; // time to live
    packets[1][32] = 4 << 4; // data offset
    fs::write(directory.join("a.pcap"), capture(&packets)).unwrap();

    let finished = validate(&directory, &["a.pcap"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(1), ""));
    for line in [
        "a.pcap: bad",
        "  malformed: tcp header length below minimum: 1",
        "  frame 2: tcp: data offset 4 words at byte 32, at least 5 needed",
    ] {
        assert!(finished.stdout.lines().any(|l| l == line), "{line}");
    }

    let finished = validate(&directory, &["a.pcap", "--format", "json"]);
    assert_eq!(finished.code, Some(1));
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let file = &report["files"][0];
    assert_eq!(file["verdict"], "bad");
    assert_eq!(file["bad_ip_checksums"], 1);
    assert_eq!(file["bad_tcp_checksums"], 2);
    assert_eq!(file["offloaded_tcp_checksums"], 0);
    assert_eq!(file["malformed"], 1);
    assert_eq!(report["total"]["bad"], 1);
    let problem = |number: usize| file["problems"][number]["reason"].as_str().unwrap();
    assert!(problem(0).starts_with("ipv4: checksum"));
    assert!(problem(2).starts_with("tcp: checksum"));
    // One bit more in the data, one less in the complement of the sum.
    let wrong = format!(
        "tcp: checksum {right:#06x} at byte 36, {:#06x} would be right",
        right - 1
    );
    assert_eq!(
        (problem(3), &file["problems"][3]["frame"]),
        (wrong.as_str(), &Value::from(4))
    );
}

#[test]
fn problems_past_the_twentieth_are_counted_only() {
    let directory = directory("many");
    let mut packet = packets().remove(0);
    packet[32] = 0;
    let packets = vec![packet; 25];
    fs::write(directory.join("a.pcap"), capture(&packets)).unwrap();
    let finished = validate(&directory, &["a.pcap"]);
    // Each is malformed and has a bad checksum.
    assert_eq!(finished.stdout.matches("  frame ").count(), 20);
    assert!(finished.stdout.contains("\n  ... and 30 more\n"));
    assert!(
        finished
            .stdout
            .contains(": tcp header length below minimum: 25\n")
    );
}

#[test]
fn a_checksum_left_to_the_network_card_is_told_from_a_wrong_one() {
    let directory = directory("offload");
    let mut packet = packets().remove(0);
    // Addresses, protocol and length: what a card adds the segment's sum to.
    let words = [0xc000, 0x0201, 0xc000, 0x0202, 6, 20];
    let sum: u32 = words.iter().sum();
    let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
    packet[36..38].copy_from_slice(&sum.to_be_bytes());
    fs::write(directory.join("a.pcap"), capture(&[packet])).unwrap();
    let finished = validate(&directory, &["a.pcap"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stdout
            .contains("1 bad TCP checksum (1 left to the network card)")
    );
    assert!(!finished.stdout.contains("frame 1: tcp"));
}

#[test]
fn cut_packets_and_fragments_are_nothing_bad() {
    let directory = directory("cut");
    let packet = packets().remove(3);
    let mut file = header();
    for captured in [0, 1, 19, 20, 31, 39, 40, 57] {
        file.extend(record(&packet, captured));
    }
    // The same packet as the first fragment of a larger one: MF instead of DF.
    let mut fragment = packet.clone();
    let checksum = u16::from_be_bytes([fragment[10], fragment[11]]);
    assert_eq!(fragment[6], 0x40);
    fragment[6] = 0x20;
    fragment[10..12].copy_from_slice(&(checksum + 0x2000).to_be_bytes());
    file.extend(record(&fragment, fragment.len()));
    fs::write(directory.join("a.pcap"), file).unwrap();

    let finished = validate(&directory, &["a.pcap"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stdout);
    // Of a frame of which nothing was kept, it can't be said that it held IPv4.
    let summary = "9 frames, 8 IPv4 packets, 5 TCP segments, 1 fragment, 7 cut";
    assert!(finished.stdout.contains(summary), "{}", finished.stdout);
}

/// Exit code 2, one line on standard error, and what was read before.
fn assert_unreadable(name: &str, file: &[u8], error: &str, frames: u64) {
    let directory = directory(name);
    let path = format!("{name}.pcap");
    fs::write(directory.join(&path), file).unwrap();
    let finished = validate(&directory, &["--format", "json", &path]);
    assert_eq!(finished.code, Some(2));
    assert_eq!(finished.stderr, format!("zerotcp: {path}: {error}\n"));
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(report["files"][0]["verdict"], "unreadable");
    assert_eq!(report["files"][0]["error"], error);
    assert_eq!(report["total"]["frames"], frames);
}

#[test]
fn an_empty_file() {
    let error = "the file is empty, a capture begins with a header";
    assert_unreadable("empty", b"", error, 0);
}

#[test]
fn a_truncated_file() {
    let file = capture(&packets());
    assert_unreadable(
        "truncated",
        &file[..file.len() - 5],
        "the file ends after 69 bytes of at least 74 (record at byte 192, frame 4)",
        3,
    );
}

#[test]
fn a_record_of_four_gigabytes() {
    let mut file = capture(&packets()[..1]);
    file.extend([0xff; 16]);
    file.extend([0; 100]);
    assert_unreadable(
        "gigantic",
        &file,
        "record length 4294967295, 0 to 16777216 can be right (record at byte 80, frame 2)",
        1,
    );
}

#[test]
fn random_bytes() {
    let mut state = 1u32;
    let noise: Vec<u8> = (0..10_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let [a, b, c, d, ..] = noise[..] else {
        unreachable!("10,000 bytes")
    };
    let error = format!(
        "begins with {a:02x} {b:02x} {c:02x} {d:02x}, a pcap begins with \
         d4 c3 b2 a1 or a1 b2 c3 d4, a pcapng with 0a 0d 0d 0a (file header at byte 0)"
    );
    assert_unreadable("random", &noise, &error, 0);
}

#[test]
fn one_unreadable_file_does_not_hide_the_others() {
    let directory = directory("mixed");
    fs::write(directory.join("good.pcap"), capture(&packets())).unwrap();
    let finished = validate(&directory, &["missing.pcap", "good.pcap"]);
    assert_eq!(finished.code, Some(2));
    assert_eq!(finished.stderr.lines().count(), 1);
    assert!(finished.stderr.starts_with("zerotcp: missing.pcap: "));
    assert!(finished.stdout.contains("\ngood.pcap: sound\n"));
}

#[test]
fn a_directory_is_walked_in_order_and_its_other_files_skipped() {
    let directory = directory("walk");
    fs::create_dir_all(directory.join("d/b")).unwrap();
    for name in ["d/c.pcap", "d/b/x.pcap3", "d/a.dat"] {
        fs::write(directory.join(name), capture(&packets())).unwrap();
    }
    fs::write(directory.join("d/README.md"), "What these are.").unwrap();
    std::os::unix::fs::symlink("..", directory.join("d/b/around")).unwrap();

    let finished = validate(&directory, &["d"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let files: Vec<&str> = finished
        .stdout
        .lines()
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert_eq!(
        files[..3],
        ["d/a.dat: sound", "d/b/x.pcap3: sound", "d/c.pcap: sound"]
    );
    assert!(
        files[3].starts_with("total: 3 files, 3 sound, 0 bad, 0 unreadable (1 other file skipped)")
    );

    // What is not called a capture is read all the same if it is named.
    let finished = validate(&directory, &["d/README.md"]);
    assert_eq!(finished.code, Some(2));
    // A capture by name is one, whatever is in it.
    fs::write(directory.join("d/z.pcapng"), "Not what it is called.").unwrap();
    assert_eq!(validate(&directory, &["d"]).code, Some(2));

    // While it is compressed it can't be read, which is not to be overlooked.
    fs::create_dir(directory.join("packed")).unwrap();
    fs::write(directory.join("packed/a.pcap.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    let finished = validate(&directory, &["packed"]);
    assert_eq!(finished.code, Some(2));
    assert_eq!(
        finished.stderr,
        "zerotcp: packed/a.pcap.gz: compressed by gzip: unpack it with gunzip \
         (file header at byte 0)\n"
    );

    fs::create_dir(directory.join("nothing")).unwrap();
    let finished = validate(&directory, &["nothing"]);
    assert_eq!(finished.code, Some(2));
    assert_eq!(
        finished.stderr,
        "zerotcp: nothing: no capture file in this directory\n"
    );
}

#[test]
fn segments_are_rows() {
    let directory = directory("rows");
    let mut file = header();
    for packet in packets() {
        file.extend(record(&packet, packet.len().min(44)));
    }
    fs::write(directory.join("a\tb.pcap"), file).unwrap();
    let finished = validate(&directory, &["--segments", "a\tb.pcap"]);
    assert_eq!(finished.code, Some(0));
    assert_eq!(
        finished.stdout,
        "file\tframe\tip.src\ttcp.srcport\tip.dst\ttcp.dstport\tseq\tack\tflags\twindow\t\
         payload_len\tip.checksum.status\ttcp.checksum.status\tip.frag_offset\tip.mf\t\
         captured_len\tframe_len\n\
         a\\tb.pcap\t1\t192.0.2.1\t49152\t192.0.2.2\t80\t100\t0\t0x0002\t65535\t0\t1\t1\t0\t0\t40\t40\n\
         a\\tb.pcap\t2\t192.0.2.2\t80\t192.0.2.1\t49152\t300\t101\t0x0012\t65535\t0\t1\t1\t0\t0\t40\t40\n\
         a\\tb.pcap\t3\t192.0.2.1\t49152\t192.0.2.2\t80\t101\t301\t0x0010\t65535\t0\t1\t1\t0\t0\t40\t40\n\
         a\\tb.pcap\t4\t192.0.2.1\t49152\t192.0.2.2\t80\t101\t301\t0x0010\t65535\t18\t1\t2\t0\t0\t44\t58\n"
    );
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zerotcp"))
        .args(["validate", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&capture(&packets())).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.starts_with(b"-: sound\n"));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let directory = directory("pipe");
    // Far more rows than a pipe holds.
    let packets = vec![packets().remove(0); 40_000];
    fs::write(directory.join("a.pcap"), capture(&packets)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_zerotcp"))
        .args(["validate", "--segments", "a.pcap"])
        .current_dir(&directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut start = [0; 4];
    stdout.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"file");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn help_has_an_example() {
    let finished = validate(Path::new("."), &["--help"]);
    assert_eq!(finished.code, Some(0));
    assert!(finished.stdout.contains("zerotcp validate trace.pcap\n"));
}
