//! How hard nmap finds it to guess sequence numbers.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use zerotcp::device::Impairment;

use crate::common::network::{KERNEL, PATIENCE, ZEROTCP, in_private_network, tun};
use crate::common::pump::Pump;
use crate::common::serve::Serve;

/// An open port and a closed one, both of which nmap wants for a fingerprint.
const PORTS: &str = "7,1";

pub fn finds_sequence_numbers_as_hard_as_those_of_linux() {
    let zerotcp = in_private_network(|| {
        let _serve = Serve::start(&[]);
        rating()
    });
    let linux = in_private_network(rating_of_linux);
    let (zerotcp, linux) = (zerotcp.unwrap(), linux.unwrap());
    eprintln!("zerotcp: {zerotcp}\nLinux:   {linux}");
    assert_eq!(in_words(&zerotcp), in_words(&linux));
}

/// The words of `Difficulty=260 (Good luck!)`: the number is another each time.
fn in_words(rating: &str) -> &str {
    let start = rating.find('(').expect("nmap says it in words too");
    &rating[start..]
}

/// The same scan of a kernel, that is reached as zerotcp is.
fn rating_of_linux() -> String {
    let ours = tun(KERNEL).unwrap();
    let (hand_over, handed_over) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let server = thread::spawn(move || {
        in_private_network(move || {
            let listener = TcpListener::bind(("0.0.0.0", 7)).unwrap();
            hand_over.send(tun(ZEROTCP).unwrap()).unwrap();
            // The kernel answers by itself.
            let _ = stopped.recv();
            drop(listener);
        })
    });
    let theirs = handed_over.recv().unwrap();
    let pump = Pump::start(ours, Impairment::default(), theirs);
    drop(TcpStream::connect_timeout(&(ZEROTCP, 7).into(), PATIENCE).unwrap());
    let rating = rating();
    drop((stop, pump));
    server.join().unwrap().unwrap();
    rating
}

/// What nmap says of the sequence numbers of whoever is at zerotcp's address.
fn rating() -> String {
    let options = "-O -v -n -Pn --max-os-tries 1 --host-timeout 30s -p";
    let output = Command::new("nmap")
        .args(options.split(' '))
        .args([PORTS, &ZEROTCP.to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let rating = text
        .lines()
        .find_map(|line| line.strip_prefix("TCP Sequence Prediction: "));
    rating
        .unwrap_or_else(|| panic!("no rating: {text}"))
        .to_owned()
}
