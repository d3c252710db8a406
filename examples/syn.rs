//! Builds a SYN with the options that Linux sends, and prints its bytes.
//!
//! ```sh
//! cargo run --example syn
//! cargo run --example syn -- 10.0.0.9:49152 192.0.2.1:443
//! ```

use std::env;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::ExitCode;

use zerotcp::wire::{BuildError, SeqNumber, TcpBuilder, TcpFlags, TcpOption};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 49152);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 443);

const USAGE: &str =
    "usage: syn [CLIENT SERVER], each ADDRESS:PORT: syn 10.0.0.9:49152 192.0.2.1:443";

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let ends = match args.as_slice() {
        [] => Ok((CLIENT, SERVER)),
        [arg] if arg == "-h" || arg == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [client, server] => end(client).and_then(|client| Ok((client, end(server)?))),
        _ => Err(USAGE.to_owned()),
    };
    let (client, server) = match ends {
        Ok(ends) => ends,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut buffer = [0; 1500];
    match syn(client, server, SeqNumber(0x1357_9bdf), &mut buffer) {
        Ok(len) => print(&buffer[..len]),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn end(arg: &OsStr) -> Result<SocketAddrV4, String> {
    let end = arg.to_str().and_then(|arg| arg.parse().ok());
    end.ok_or_else(|| format!("{arg:?} is no ADDRESS:PORT as 192.0.2.1:443 is"))
}

/// `iss`, the initial sequence number, is one that nobody can guess: RFC 9293 section 3.4.1.
fn syn(
    client: SocketAddrV4,
    server: SocketAddrV4,
    iss: SeqNumber,
    buffer: &mut [u8],
) -> Result<usize, BuildError> {
    TcpBuilder::new(client, server)
        .seq(iss)
        .flags(TcpFlags::SYN)
        .window(64240)
        .options(&[
            TcpOption::MaximumSegmentSize(1460),
            TcpOption::SackPermitted,
            TcpOption::Timestamps { value: 1, echo: 0 },
            TcpOption::NoOperation,
            TcpOption::WindowScale(7),
        ])
        .write(buffer, b"")
}

/// As `parse` takes it: `cargo run --example parse -- $(cargo run --example syn)`.
fn print(packet: &[u8]) {
    for byte in packet {
        print!("{byte:02x}");
    }
    println!();
}
