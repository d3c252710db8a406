//! The `zerotcp` program against the kernel's own TCP.
//!
//! Each test starts the program in a network namespace of its own, where nothing but it and
//! the test is, and talks to it through std's sockets. That takes root and `/dev/net/tun`;
//! where they are missing the tests that need them are reported as ignored, with the reason.

mod common;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::process::{Command, Output};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use nix::sys::signal::Signal;
use pcap_file::pcap::PcapReader;
use zerotcp::wire::{TcpFlags, TcpPacket};

use common::network::{self, PATIENCE, ZEROTCP as SERVER, trial};
use common::noise::{assert_same, noise};
use common::serve::{Serve, program};

const ECHO: u16 = 7;
const DISCARD: u16 = 9;
const CHARGEN: u16 = 19;
const HTTP: u16 = 80;

fn main() {
    let arguments = Arguments::from_args();
    let networked_needs = network::missing();
    let ping_needs = match Command::new("ping").arg("-V").output() {
        Ok(_) => networked_needs,
        Err(_) => networked_needs.or(Some("the program ping")),
    };
    let networked: &[(&str, fn())] = &[
        ("echo_returns_every_byte", echo_returns_every_byte),
        (
            "echo_goes_on_after_a_half_close",
            echo_goes_on_after_a_half_close,
        ),
        (
            "echo_waits_for_a_client_that_does_not_read",
            echo_waits_for_a_client_that_does_not_read,
        ),
        ("echo_survives_a_bad_network", echo_survives_a_bad_network),
        ("fifty_clients_at_once", fifty_clients_at_once),
        (
            "discard_takes_all_and_sends_nothing",
            discard_takes_all_and_sends_nothing,
        ),
        (
            "chargen_sends_the_pattern_until_closed",
            chargen_sends_the_pattern_until_closed,
        ),
        (
            "a_reset_ends_one_connection_only",
            a_reset_ends_one_connection_only,
        ),
        ("a_closed_port_refuses", a_closed_port_refuses),
        ("any_port_echoes", any_port_echoes),
        ("http_keeps_the_connection", http_keeps_the_connection),
        (
            "http_answers_garbage_and_closes",
            http_answers_garbage_and_closes,
        ),
        ("ctrl_c_closes_what_is_open", ctrl_c_closes_what_is_open),
        ("a_second_ctrl_c_ends_at_once", a_second_ctrl_c_ends_at_once),
        ("sigterm_ends_it_too", sigterm_ends_it_too),
        (
            "a_trace_shows_segments_and_states",
            a_trace_shows_segments_and_states,
        ),
        ("a_capture_holds_all_packets", a_capture_holds_all_packets),
        (
            "the_demonstration_explains_a_connection",
            the_demonstration_explains_a_connection,
        ),
        ("a_busy_interface_is_one_line", a_busy_interface_is_one_line),
        ("a_network_in_use_is_one_line", a_network_in_use_is_one_line),
        (
            "an_unwritable_capture_is_one_line",
            an_unwritable_capture_is_one_line,
        ),
    ];
    let mut trials: Vec<Trial> = networked
        .iter()
        .map(|&(name, test)| trial(name, test, networked_needs))
        .collect();
    trials.push(trial("ping_is_answered", ping_is_answered, ping_needs));
    trials.push(Trial::test("a_wrong_value_is_one_line", || {
        a_wrong_value_is_one_line();
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

fn connect(port: u16) -> TcpStream {
    let address = SocketAddr::V4(SocketAddrV4::new(SERVER, port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `data` and closes that direction; what comes back until the other is closed too.
fn exchange(stream: &TcpStream, data: &[u8]) -> Vec<u8> {
    let mut back = Vec::with_capacity(data.len());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = stream;
            stream.write_all(data).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut stream = stream;
        stream.read_to_end(&mut back).unwrap();
    });
    back
}

fn echo_returns_every_byte() {
    let serve = Serve::start(&[]);
    let data = noise(8 << 20, 1);
    assert_same(&exchange(&connect(ECHO), &data), &data);
    assert!(serve.stop().status.success());
}

fn echo_goes_on_after_a_half_close() {
    let _serve = Serve::start(&[]);
    let mut stream = connect(ECHO);
    let data = noise(40_000, 2);
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    thread::sleep(Duration::from_millis(100));
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert_same(&back, &data);
}

fn echo_waits_for_a_client_that_does_not_read() {
    let _serve = Serve::start(&[]);
    let mut stream = connect(ECHO);
    let data = noise(64 << 20, 3);
    // Until all buffers between here and there are full: nothing moves for a while.
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut sent = 0;
    while let Ok(count) = stream.write(&data[sent..]) {
        sent += count;
    }
    assert!(
        sent < data.len(),
        "{sent} bytes are in flight, without an end"
    );
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert_same(&back, &data[..sent]);
}

fn echo_survives_a_bad_network() {
    let serve = Serve::start(&[
        "--impair",
        "loss=2%,reorder=2%,duplicate=1%,corrupt=0.5%,delay=1ms,seed=7",
    ]);
    let data = noise(1 << 20, 4);
    assert_same(&exchange(&connect(ECHO), &data), &data);
    assert!(serve.stop().status.success());
}

fn fifty_clients_at_once() {
    const CLIENTS: u64 = 50;
    let serve = Serve::start(&[]);
    let together = Barrier::new(CLIENTS as usize);
    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            let together = &together;
            scope.spawn(move || {
                let data = noise(50_000, seed);
                together.wait();
                assert_same(&exchange(&connect(ECHO), &data), &data);
            });
        }
    });
    assert!(serve.stop().status.success());
}

fn discard_takes_all_and_sends_nothing() {
    let _serve = Serve::start(&[]);
    assert_eq!(exchange(&connect(DISCARD), &noise(1 << 20, 5)), b"");
}

fn chargen_sends_the_pattern_until_closed() {
    let _serve = Serve::start(&[]);
    let mut stream = connect(CHARGEN);
    stream.write_all(b"this is thrown away").unwrap();
    let mut start = vec![0; 1 << 20];
    stream.read_exact(&mut start).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // What was under way when it heard that we are done.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();

    let all = [start, rest].concat();
    for (number, line) in all.chunks(74).enumerate() {
        let expected: Vec<u8> = (0..72)
            .map(|column| b' ' + ((number + column) % 95) as u8)
            .chain(*b"\r\n")
            .collect();
        assert_eq!(line, &expected[..line.len()], "line {number}");
    }
}

fn a_reset_ends_one_connection_only() {
    let serve = Serve::start(&["--trace"]);
    let mut other = connect(ECHO);
    let mut stream = connect(CHARGEN);
    stream.read_exact(&mut [0; 1000]).unwrap();
    // The kernel resets a connection that is closed with data unread.
    drop(stream);
    thread::sleep(Duration::from_millis(100));
    other.write_all(b"still here").unwrap();
    let mut back = [0; 10];
    other.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"still here");
    drop(other);
    let ended = serve.stop();
    assert!(ended.status.success());
    let of_chargen = |line: &&str| line.contains("192.168.0.2:19 ");
    let trace: Vec<&str> = ended.printed.lines().filter(of_chargen).collect();
    assert!(trace.iter().any(|line| line.contains("RST")));
    assert!(trace.iter().any(|line| line.ends_with("-> CLOSED")));
}

fn a_closed_port_refuses() {
    let _serve = Serve::start(&[]);
    let refused = TcpStream::connect((SERVER, 1337)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

fn any_port_echoes() {
    let _serve = Serve::start(&["--any-port"]);
    for port in [1, 1337, 65535] {
        assert_eq!(exchange(&connect(port), b"anywhere"), b"anywhere");
    }
    // A port that has a service keeps it.
    assert_eq!(exchange(&connect(DISCARD), b"nothing"), b"");
}

/// Reads one answer: its status and its body.
fn read_answer(reader: &mut impl BufRead, has_body: bool) -> (u16, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let len = reader.read_line(&mut head).unwrap();
        assert!(len > 0, "an answer is cut off: {head:?}");
    }
    let status = head[9..12].parse().unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.unwrap().parse().unwrap();
    let mut body = vec![0; if has_body { length } else { 0 }];
    reader.read_exact(&mut body).unwrap();
    (status, body)
}

fn http_keeps_the_connection() {
    let _serve = Serve::start(&[]);
    let mut stream = connect(HTTP);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let get = "GET / HTTP/1.1\r\nHost: zerotcp\r\n\r\n";
    stream.write_all(get.as_bytes()).unwrap();
    let (status, page) = read_answer(&mut reader, true);
    assert_eq!(status, 200);
    assert!(page.starts_with(b"<!doctype html>"));

    // Several at once, one with a body, and the last one cut in two.
    let many = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /none HTTP/1.1\r\nHost: a\r\n\r\n\
         POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nGET / or not\
         GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (start, end) = many.split_at(many.len() - 10);
    stream.write_all(start.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut reader, false), (200, Vec::new()));
    assert_eq!(read_answer(&mut reader, true).0, 404);
    assert_eq!(read_answer(&mut reader, true).0, 405);
    stream.write_all(end.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut reader, true), (200, page));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

fn http_answers_garbage_and_closes() {
    let _serve = Serve::start(&[]);
    // More than it will read: what is unread must not reset the answer away.
    let garbage = noise(200_000, 6);
    let mut stream = connect(HTTP);
    stream.write_all(&garbage).unwrap();
    let mut reader = BufReader::new(&stream);
    assert_eq!(read_answer(&mut reader, true).0, 400);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

fn ping_is_answered() {
    let _serve = Serve::start(&[]);
    let output = Command::new("ping")
        .args(["-c", "5", "-i", "0.05", "-s", "1400", "192.168.0.2"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("5 received, 0% packet loss"), "{text}");
}

fn ctrl_c_closes_what_is_open() {
    let serve = Serve::start(&[]);
    let streams: Vec<TcpStream> = [ECHO, DISCARD, CHARGEN, HTTP].map(connect).into();
    let mut echo = &streams[0];
    echo.write_all(b"one").unwrap();
    echo.read_exact(&mut [0; 3]).unwrap();
    serve.signal(Signal::SIGINT);
    // Each ends in good order: an end, not an error. Then the client closes.
    for mut stream in streams {
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    let ended = serve.wait();
    assert_eq!(ended.status.code(), Some(0));
    let counters = ended.printed.split_once("Ctrl-C ends it.").unwrap().1;
    for what in ["segments", "retransmi", "connections"] {
        assert!(counters.contains(what), "{counters}");
    }
}

fn a_second_ctrl_c_ends_at_once() {
    let serve = Serve::start(&[]);
    // A client that does not close keeps the server for a second. The echo shows that the
    // server knows of it: `connect` alone returns before its last acknowledgment is there.
    let mut stream = connect(ECHO);
    stream.write_all(b"one").unwrap();
    stream.read_exact(&mut [0; 3]).unwrap();
    let start = Instant::now();
    serve.signal(Signal::SIGINT);
    thread::sleep(Duration::from_millis(200));
    let ended = serve.stop();
    assert_eq!(ended.status.code(), Some(130));
    assert!(start.elapsed() < Duration::from_millis(900));
}

fn sigterm_ends_it_too() {
    let serve = Serve::start(&[]);
    let _stream = connect(ECHO);
    serve.signal(Signal::SIGTERM);
    let ended = serve.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.printed.contains("segments"));
}

fn a_trace_shows_segments_and_states() {
    let serve = Serve::start(&["--trace"]);
    assert_eq!(exchange(&connect(ECHO), b"hello"), b"hello");
    thread::sleep(Duration::from_millis(50));
    let printed = serve.stop().printed;
    let trace: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("192.168.0.2:7 "))
        .collect();
    // In this order, with other lines in between.
    let mut rest = trace.iter();
    for expected in [
        "SYN seq",
        "-> SYN-RECEIVED",
        "SYN,ACK seq",
        "-> ESTABLISHED",
        "PSH,ACK seq",
        "-> CLOSE-WAIT",
        "-> LAST-ACK",
        "-> CLOSED",
    ] {
        assert!(
            rest.any(|line| line.contains(expected)),
            "{expected}:\n{}",
            trace.join("\n")
        );
    }
}

fn a_capture_holds_all_packets() {
    let path = std::env::temp_dir().join(format!("zerotcp-serve-{}.pcap", std::process::id()));
    let serve = Serve::start(&["--capture", path.to_str().unwrap()]);
    assert_eq!(exchange(&connect(ECHO), b"hello"), b"hello");
    assert!(serve.stop().status.success());
    let capture = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();

    let mut reader = PcapReader::new(&capture[..]).unwrap();
    // Of each direction, which flags there were.
    let mut from_us = TcpFlags::NONE;
    let mut to_us = TcpFlags::NONE;
    while let Some(packet) = reader.next_packet() {
        // The kernel sends IPv6 of its own accord, and perhaps more.
        let Ok(packet) =
            TcpPacket::parse(&packet.unwrap().data).map(|p| (p.ip.src(), p.tcp.flags()))
        else {
            continue;
        };
        match packet {
            (SERVER, flags) => from_us |= flags,
            (_, flags) => to_us |= flags,
        }
    }
    let all = TcpFlags::SYN | TcpFlags::ACK | TcpFlags::PSH | TcpFlags::FIN;
    assert_eq!((from_us, to_us), (all, all));
}

fn the_demonstration_explains_a_connection() {
    let Output { status, stdout, .. } = program(&["demo"]).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(0), "{text}");
    let mut rest = text.as_str();
    for expected in [
        "kernel  -> zerotcp  SYN      seq 0 ",
        "SYN-RECEIVED",
        "zerotcp -> kernel   SYN,ACK  seq 0  ack 1",
        "ESTABLISHED",
        "15 bytes",
        "The echo.",
        "CLOSE-WAIT",
        "LAST-ACK",
        "CLOSED",
        "Next:",
    ] {
        let at = rest.find(expected);
        rest = &rest[at.unwrap_or_else(|| panic!("{expected}:\n{text}"))..];
    }
}

/// Runs it with arguments that can't be: what it says before it ends with code 2.
fn complaint(arguments: &[&str]) -> String {
    let output = program(&["serve"]).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    // clap says below its line where help is.
    let line = text.split("\n\nFor more information").next().unwrap();
    assert!(!line.trim_end().contains('\n'), "{arguments:?}: {text}");
    line.to_owned()
}

fn a_wrong_value_is_one_line() {
    let table: [(&[&str], &str); 8] = [
        (&["--address", "nonsense"], "192.168.0.2"),
        (&["--address", "192.168.0.1"], "one of its own"),
        (&["--address", "10.0.0.2"], "two addresses of one network"),
        (&["--host-address", "192.168.0.1"], "192.168.0.1/24"),
        (&["--mtu", "67"], "from 68 to 65535"),
        (&["--echo", "0"], "from 1 to 65535"),
        (&["--echo", "80"], "--echo and --http are both port 80"),
        (&["--impair", "loss=200%"], "between 0% and 100%"),
    ];
    for (arguments, right) in table {
        let line = complaint(arguments);
        assert!(line.contains(right), "{arguments:?}: {line}");
    }
}

fn a_busy_interface_is_one_line() {
    let _serve = Serve::start(&["--tun", "busy0"]);
    let line = complaint(&["--tun", "busy0"]);
    assert!(line.contains("busy0 is in use"), "{line}");
    assert!(line.contains("--tun tun1 --host-address"), "{line}");
}

fn a_network_in_use_is_one_line() {
    let _serve = Serve::start(&[]);
    let line = complaint(&["--tun", "tun1"]);
    assert!(line.contains("the network of tun0"), "{line}");
    // Another network is free.
    let other = [
        "--tun",
        "tun1",
        "--host-address",
        "10.7.0.1/24",
        "--address",
        "10.7.0.2",
    ];
    assert!(Serve::start(&other).stop().status.success());
}

fn an_unwritable_capture_is_one_line() {
    let line = complaint(&["--capture", "/no/such/directory/capture.pcap"]);
    assert!(
        line.trim_end().ends_with(
            "cannot write /no/such/directory/capture.pcap: there is no directory /no/such/directory"
        ),
        "{line}"
    );
}
