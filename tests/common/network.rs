//! Networks that a test or bench has to itself: nothing it does there touches the machine's own,
//! and all of it is gone when the last thread in it ends, however that comes about.

use std::io;
use std::net::Ipv4Addr;
use std::panic;
use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use zerotcp::device::{Tun, TunConfig, enter_private_network};

/// The kernel that a test talks from.
pub const KERNEL: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
/// Whom it talks to: zerotcp, or another kernel in its place.
pub const ZEROTCP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `work` on a thread that is alone with its children in a new network namespace.
pub fn in_private_network<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let thread = thread::spawn(|| enter_private_network().map(|()| work()));
    thread
        .join()
        .unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// A TUN interface on which the kernel of this thread's namespace has `address`.
pub fn tun(address: Ipv4Addr) -> io::Result<Tun> {
    Tun::create(&TunConfig {
        host_address: address,
        ..TunConfig::default()
    })
}

/// Why there can be no private network here.
pub fn obstacle() -> Option<io::Error> {
    in_private_network(|| tun(KERNEL).err()).unwrap_or_else(Some)
}

/// What tests in a private network lack here, if anything; details go to standard error.
pub fn missing() -> Option<&'static str> {
    obstacle().map(|error| {
        eprintln!("no test network: {error}");
        "root and /dev/net/tun"
    })
}

/// A test in a network of its own; ignored if something that it needs is missing.
pub fn trial(name: &str, test: fn(), missing: Option<&str>) -> Trial {
    let name = match missing {
        None => name.to_owned(),
        Some(what) => format!("{name} [needs {what}]"),
    };
    Trial::test(name, move || Ok(in_private_network(test)?)).with_ignored_flag(missing.is_some())
}
