//! `zerotcp serve`: a host of its own on a TUN interface.

mod args;
mod chargen;
mod echo;
mod http;
mod link;
mod overlap;
mod server;
mod session;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use zerotcp::device::Tun;
use zerotcp::socket::{Driver, Observer};
use zerotcp::stack::{Config, Stack};

use super::signals::Signals;
use crate::commands::Failure;
use link::Link;
use overlap::ELSEWHERE;
use server::Server;
use trace::Trace;

pub use args::Args;

/// How long connections have to end in good order once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until a signal comes.
pub fn run(args: Args) -> Result<ExitCode, Failure> {
    args.check()?;
    overlap::check(&args)?;
    log_to_stderr();
    let signals = Signals::install().map_err(Failure::from_display)?;
    let tun = Tun::create(&args.tun_config()).map_err(|error| match error.kind() {
        // Most likely this program, which has its addresses too.
        io::ErrorKind::ResourceBusy => Failure(format!("{error}, as with --tun tun1 {ELSEWHERE}")),
        _ => Failure::from_display(error),
    })?;
    let link = link::build(tun, &args)?;

    let mut config = Config::new(args.address);
    config.networks.push(args.network());
    config.mtu = args.mtu;
    config.report_states = args.trace;
    let mut stack = Stack::new(config);
    let mut server = Server::default();
    for (listen, service) in args.services() {
        server
            .listen(&mut stack, listen, service)
            .map_err(Failure::from_display)?;
    }
    let mut driver =
        Driver::with_observer(stack, link, args.trace.then(|| Trace::new(io::stdout())));
    if args.trace {
        // One packet a turn, so that each is followed by what it led to.
        driver.set_batch(1);
    }

    say(&args.introduction());
    let served = serve(&mut driver, &mut server, &signals);
    // What there is to say is said even if the device broke.
    let counters = driver.stack().counters().to_string();
    say(&format!("\n{}", counters.trim_end()));
    served.map_err(Failure::from_display)?;
    driver
        .into_device()
        .finish()
        .map_err(Failure::from_display)?;
    Ok(ExitCode::SUCCESS)
}

/// Turns the crank until a signal comes, then ends what is open.
fn serve<O: Observer>(
    driver: &mut Driver<Box<dyn Link>, O>,
    server: &mut Server,
    signals: &Signals,
) -> io::Result<()> {
    while !signals.stop() {
        driver.wait(Some(signals.wake()), server.poll_timeout())?;
        turn(driver, server)?;
    }
    let open = driver.stack().connection_count();
    say(&format!("\nconnections open: {open}"));
    server.shut_down(driver.stack_mut());
    let end = driver.now() + DRAIN;
    while driver.stack().connection_count() > 0 && driver.now() < end {
        turn(driver, server)?;
        driver.wait(None, Some(end))?;
    }
    server.abort(driver.stack_mut());
    driver.transmit()
}

/// One turn of the crank, but for the waiting.
fn turn<O: Observer>(driver: &mut Driver<Box<dyn Link>, O>, server: &mut Server) -> io::Result<()> {
    driver.receive()?;
    server.handle_timeout(driver.now(), driver.stack_mut());
    while let Some(event) = driver.poll_event() {
        server.handle(driver.stack_mut(), event);
    }
    driver.transmit()
}

/// Prints to standard output. Whether anyone reads it is not the server's concern.
fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Sends the program's own events to standard error: warnings, or what `RUST_LOG` names
/// (`debug`, `zerotcp::stack=trace`).
fn log_to_stderr() {
    let filter = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(io::stderr))
        .with(filter)
        .init();
}
