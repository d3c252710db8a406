//! Answers a ping: an echo request is built, answered, and both are printed.
//!
//! ```sh
//! cargo run --example ping
//! ```

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use zerotcp::wire::{Icmpv4Builder, Icmpv4Type, Ipv4Packet, ParseError};

const US: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const THEM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);

const USAGE: &str = "usage: ping, without arguments";

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    match args.as_slice() {
        [] => {}
        [arg] if arg == "-h" || arg == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    if let Err(error) = run() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run() -> Result<(), Box<dyn Error>> {
    let (mut request, mut reply) = ([0; 1500], [0; 1500]);
    let identifier_and_sequence = [0x12, 0x34, 0, 1];
    let len = Icmpv4Builder::new(THEM, US, Icmpv4Type::ECHO_REQUEST, 0)
        .rest(identifier_and_sequence)
        .write(&mut request, b"Is anybody there?")?;
    let request = &mut request[..len];
    print(request)?;

    match answer(request, &mut reply)? {
        Some(len) => print(&reply[..len])?,
        None => println!("not an echo request to us: no answer"),
    }

    request[len - 1] ^= 1;
    match answer(request, &mut reply) {
        Err(error) => println!("damaged on the way: {error}, no answer"),
        Ok(_) => println!("damaged on the way: answered"),
    }
    Ok(())
}

/// The length of the answer in `reply`, if `request` is to be answered.
fn answer(request: &[u8], reply: &mut [u8]) -> Result<Option<usize>, Box<dyn Error>> {
    let ip = Ipv4Packet::parse(request)?;
    let echo = ip.icmpv4()?;
    if ip.dst() != US || echo.kind() != Icmpv4Type::ECHO_REQUEST || echo.code() != 0 {
        return Ok(None);
    }
    let reply = Icmpv4Builder::echo_reply(US, ip.src(), &echo).write(reply, echo.body())?;
    Ok(Some(reply))
}

fn print(packet: &[u8]) -> Result<(), ParseError> {
    let ip = Ipv4Packet::parse(packet)?;
    let echo = ip.icmpv4()?;
    println!(
        "{} > {}: {}, identifier {:#06x}, sequence number {}, {:?}",
        ip.src(),
        ip.dst(),
        echo.kind(),
        echo.identifier(),
        echo.sequence(),
        String::from_utf8_lossy(echo.body()),
    );
    Ok(())
}
