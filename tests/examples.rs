//! The examples do what they say: each is run as its own first lines tell.

use std::process::{Command, Output};

/// `cargo run`, so that the program is the one of today, whatever tests were asked for.
fn run(example: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--locked",
            "--offline",
            "--example",
            example,
            "--",
        ])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs these tests, so it can be run")
}

/// What it printed, having succeeded.
#[track_caller]
fn printed(example: &str, arguments: &[&str]) -> String {
    let output = run(example, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Its one line of complaint, having failed with `code`.
#[track_caller]
fn complaint(example: &str, arguments: &[&str], code: i32) -> String {
    let output = run(example, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn parse_shows_fields_and_names_faults() {
    let text = printed("parse", &[]);
    assert!(
        text.starts_with("192.0.2.1:51192 > 192.0.2.2:7\n"),
        "{text}"
    );
    assert!(
        text.contains("option: MaximumSegmentSize(1460)\n"),
        "{text}"
    );
    assert!(
        text.contains("ipv4: total length 60 at byte 2, but only 50"),
        "{text}"
    );
    assert!(!text.contains("flipped: sound"), "{text}");

    assert!(complaint("parse", &["45"], 1).starts_with("dropped: ipv4: 1 bytes"));
    let odd = complaint("parse", &["4500", "4"], 2);
    assert!(
        odd.starts_with("an odd number of hexadecimal digits, each byte has two; usage: parse"),
        "{odd}"
    );
    let foreign = complaint("parse", &["4é5"], 2);
    assert!(
        foreign.starts_with("'é' is not a hexadecimal digit; usage: parse"),
        "{foreign}"
    );
}

#[test]
fn syn_is_what_parse_takes() {
    let hex = printed("syn", &["10.0.0.9:49152", "192.0.2.1:443"]);
    let text = printed("parse", &[hex.trim_end()]);
    assert!(
        text.starts_with("10.0.0.9:49152 > 192.0.2.1:443\n"),
        "{text}"
    );
    assert!(
        text.contains("tcp: SYN seq 324508639 ack 0 window 64240"),
        "{text}"
    );
    assert!(text.contains("option: WindowScale(7)\n"), "{text}");

    let (first, rest) = hex.trim_end().split_at(8);
    let (second, rest) = rest.split_at(4);
    let words = [&format!("0x{first} {second}"), rest];
    assert_eq!(printed("parse", &words), text);

    assert!(complaint("syn", &["10.0.0.9"], 2).starts_with("usage: syn"));
    let bad = complaint("syn", &["10.0.0.9:49152", "192.0.2.1"], 2);
    assert!(bad.starts_with("\"192.0.2.1\" is no ADDRESS:PORT"), "{bad}");
}

#[test]
fn nat_keeps_checksums_right_and_damage_visible() {
    let text = printed("nat", &["198.51.100.7:40000"]);
    let [inside, outside, damaged] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert!(
        inside.starts_with("inside   10.0.0.9:49152 > 192.0.2.1:80  "),
        "{text}"
    );
    assert!(
        outside.starts_with("outside  198.51.100.7:40000 > 192.0.2.1:80  "),
        "{text}"
    );
    assert!(damaged.starts_with("damaged  tcp: checksum "), "{text}");

    let bad = complaint("nat", &["198.51.100.7"], 2);
    assert!(
        bad.starts_with("\"198.51.100.7\" is no ADDRESS:PORT"),
        "{bad}"
    );
    assert!(complaint("nat", &["1.2.3.4:5", "x"], 2).starts_with("usage: nat"));
}

#[test]
fn ping_is_answered_and_a_damaged_one_is_not() {
    let text = printed("ping", &[]);
    let [request, reply, damaged] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert!(
        request.starts_with("192.0.2.9 > 192.0.2.1: echo request, "),
        "{text}"
    );
    assert!(
        reply.starts_with("192.0.2.1 > 192.0.2.9: echo reply, "),
        "{text}"
    );
    assert_eq!(
        request.split_once(", ").map(|(_, echo)| echo),
        reply.split_once(", ").map(|(_, echo)| echo)
    );
    assert!(damaged.ends_with("no answer"), "{text}");

    assert!(complaint("ping", &["192.0.2.1"], 2).starts_with("usage: ping"));
}

#[test]
fn flags_are_counted() {
    // Made here: the published package is without testdata.
    let mut capture = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0".to_vec();
    let hex = printed("syn", &[]);
    let digits = hex.trim_end().as_bytes().chunks(2);
    let syn: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap())
        .collect();
    for length in [60, 60, 50] {
        capture.extend([0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, 60, 0, 0, 0]);
        capture.extend(&syn[..length.into()]);
    }
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/flags.pcap");
    std::fs::write(path, &capture).unwrap();
    let text = printed("flags", &[path]);
    let expected = "3 frames, 2 TCP segments\n       2  SYN\n       1  (refused: Cut)\n";
    assert_eq!(text, expected);

    // What a file was before it ends is told, of what can't be opened there is nothing.
    std::fs::write(path, &capture[..200]).unwrap();
    assert!(complaint("flags", &[path], 2).contains("flags.pcap: the file ends after"));
    assert!(!run("flags", &[path]).stdout.is_empty());
    assert!(complaint("flags", &["no such file"], 2).starts_with("no such file: "));
    assert!(run("flags", &["no such file"]).stdout.is_empty());
    assert!(complaint("flags", &[], 2).starts_with("usage: flags"));
}

#[test]
fn all_explain_themselves() {
    for example in ["parse", "flags", "nat", "syn", "ping"] {
        for help in ["-h", "--help"] {
            let text = printed(example, &[help]);
            assert!(text.starts_with(&format!("usage: {example}")), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[test]
fn simulate_echoes_in_virtual_time() {
    let text = printed("simulate", &[]);
    assert!(text.starts_with("1048576 octets there and back"), "{text}");
    assert_eq!(text, printed("simulate", &[]), "the same on every run");
}

#[test]
fn a_finding_of_the_fuzzer_is_replayed() {
    let zerotcp = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_zerotcp"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("it was built for this test");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), stdout)
    };
    let file = "examples/simulate.rs";
    let (code, summary) = zerotcp(&["simulate", "--input", file]);
    assert_eq!(code, Some(0), "{summary}");
    assert!(summary.starts_with("examples/simulate.rs: "), "{summary}");
    let (code, traced) = zerotcp(&["simulate", "--input", file, "--trace"]);
    assert_eq!(code, Some(0));
    assert!(traced.ends_with(&summary) && traced.lines().count() > 10);
    assert_eq!(
        zerotcp(&["simulate", "--input", file, "--seed", "1"]).0,
        Some(2)
    );
    assert_eq!(zerotcp(&["simulate", "--input", "nowhere"]).0, Some(2));
}
