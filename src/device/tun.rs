//! A TUN interface: the packets of a real kernel.

use std::fs::OpenOptions;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use tun_tap::{Iface, Mode};

use crate::device::Device;
use crate::device::interface::{Interface, check_name, net_admin_advice};
use crate::time::Instant;

/// Where the kernel hands out TUN interfaces.
const DRIVER: &str = "/dev/net/tun";

/// How many packets the kernel keeps for us to read. Its own choice of 500 is less than one
/// window of a fast connection, and what is beyond it is dropped.
const QUEUE_LENGTH: u16 = 5000;

/// The smallest MTU that IPv4 works with (RFC 791, section 3.2).
const MTU_MIN: u16 = 68;

/// A TUN interface of this machine's kernel (Linux): what the kernel routes to it is
/// received here, and what is sent here reaches the kernel as if from a network.
///
/// It never blocks; wait for packets by polling its descriptor ([`AsFd`]). The interface
/// goes when it is dropped.
///
/// The kernel sends IPv6 and multicast packets of its own accord as soon as the interface is
/// up, so expect packets that are not for you.
#[derive(Debug)]
pub struct Tun {
    iface: Iface,
    mtu: usize,
    counters: TunCounters,
}

/// What a new TUN interface is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunConfig {
    /// The interface's name: 1 to 15 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The address of this machine on the interface.
    pub host_address: Ipv4Addr,
    /// How many leading bits of `host_address` are the network's, 1 to 31. The other addresses
    /// of this network are reached through the interface: all of them are the stack's.
    pub prefix: u8,
    /// The longest IP packet in bytes, at least 68.
    pub mtu: u16,
}

impl Default for TunConfig {
    /// `tun0`, 10.0.0.1/24, 1500 bytes.
    fn default() -> TunConfig {
        TunConfig {
            name: "tun0".to_owned(),
            host_address: Ipv4Addr::new(10, 0, 0, 1),
            prefix: 24,
            mtu: 1500,
        }
    }
}

/// Packets that a [`Tun`] could not send. IP lets a network drop them; these were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TunCounters {
    /// The kernel had no room.
    pub no_room: u64,
    /// The kernel saw no IP packet in it: too short, or neither version 4 nor 6.
    pub refused: u64,
}

impl Tun {
    /// Creates a TUN interface, gives it an address and brings it up.
    ///
    /// # Errors
    /// `InvalidInput` for a config that can't be; else the kernel's refusal. Each is one line
    /// that says what is wrong and what to do about it.
    pub fn create(config: &TunConfig) -> io::Result<Tun> {
        config.check()?;
        let iface = open(&config.name)?;
        let interface = Interface::named(iface.name())?;
        interface.set_mtu(config.mtu)?;
        match interface.set_queue_length(QUEUE_LENGTH) {
            // Linux lets only the machine's own root do this, not the root of a user namespace,
            // who may do all the rest. The kernel's own length does, if less well.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result?,
        }
        interface.set_address(config.host_address, config.prefix)?;
        interface.bring_up()?;
        Ok(Tun {
            iface,
            mtu: config.mtu.into(),
            counters: TunCounters::default(),
        })
    }

    /// Opens a TUN interface and leaves it as it is: one that was made beforehand
    /// (`ip tuntap add tun0 mode tun user ..`, which needs no rights to open), or a
    /// new one, to be configured by others before packets flow.
    ///
    /// # Errors
    /// As [`create`](Tun::create).
    pub fn open(name: &str) -> io::Result<Tun> {
        let iface = open(name)?;
        let mtu = Interface::named(iface.name())?.mtu()?;
        Ok(Tun {
            iface,
            mtu,
            counters: TunCounters::default(),
        })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        self.iface.name()
    }

    /// What could not be sent.
    pub fn counters(&self) -> TunCounters {
        self.counters
    }
}

impl Device for Tun {
    /// # Errors
    /// The interface was removed.
    fn receive(&mut self, _now: Instant, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.iface.recv(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(explain_broken(self.name(), error)),
        }
    }

    /// # Errors
    /// The interface is down or was removed.
    fn transmit(&mut self, _now: Instant, packet: &[u8]) -> io::Result<()> {
        let Err(error) = self.iface.send(packet) else {
            return Ok(());
        };
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => self.counters.no_room += 1,
            Some(libc::EINVAL) => self.counters.refused += 1,
            _ => return Err(explain_broken(self.name(), error)),
        }
        Ok(())
    }

    fn mtu(&self) -> usize {
        self.mtu
    }
}

impl AsFd for Tun {
    #[allow(unsafe_code)]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `iface` owns the descriptor and closes it when dropped; the borrow ends before.
        unsafe { BorrowedFd::borrow_raw(self.iface.as_raw_fd()) }
    }
}

impl TunConfig {
    fn check(&self) -> io::Result<()> {
        check_name(&self.name)?;
        let TunConfig {
            host_address,
            prefix,
            mtu,
            ..
        } = *self;
        let problem = if !(1..=31).contains(&prefix) {
            format!("{host_address}/{prefix}: a network's prefix is from 1 to 31 bits")
        } else if mtu < MTU_MIN {
            format!("an MTU of {mtu} bytes: IPv4 needs at least {MTU_MIN}")
        } else if !is_unicast(host_address) {
            format!("{host_address}: no address that a host can have, as 10.0.0.1 is")
        } else if !is_host_in(host_address, prefix) {
            format!(
                "{host_address}/{prefix} is no host's: a network's first and last address are its own"
            )
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}

/// Whether a host can have this address: not "this network", loopback, multicast or reserved
/// (RFC 1122, section 3.2.1.3).
fn is_unicast(address: Ipv4Addr) -> bool {
    (1..=223).contains(&address.octets()[0]) && !address.is_loopback()
}

/// Whether `address` is neither its network's own nor the broadcast address. A network of two has
/// neither (RFC 3021). `prefix` is from 1 to 31.
fn is_host_in(address: Ipv4Addr, prefix: u8) -> bool {
    let host_mask = u32::MAX >> prefix;
    let host = address.to_bits() & host_mask;
    prefix == 31 || (host != 0 && host != host_mask)
}

/// Opens the interface for packets without a header before them, and without blocking.
fn open(name: &str) -> io::Result<Iface> {
    check_name(name)?;
    let iface =
        Iface::without_packet_info(name, Mode::Tun).map_err(|error| explain_open(name, error))?;
    iface.set_non_blocking()?;
    clear_offloads(&iface)?;
    Ok(iface)
}

/// Offloads outlive the program that asked for them on an interface that was made to last. Left on,
/// packets longer than the MTU and without checksums would come.
#[allow(unsafe_code)]
fn clear_offloads(iface: &Iface) -> io::Result<()> {
    // SAFETY: `iface` owns an open descriptor, and TUNSETOFFLOAD takes its argument by value.
    match unsafe { libc::ioctl(iface.as_raw_fd(), libc::TUNSETOFFLOAD, 0 as libc::c_ulong) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Says why an interface could not be opened. The error may be of the driver's file or of the
/// request made to it; opening the file once more tells which.
fn explain_open(name: &str, error: io::Error) -> io::Error {
    let problem = match OpenOptions::new().read(true).write(true).open(DRIVER) {
        Err(of_file) => match of_file.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => format!(
                "{DRIVER} is missing: load the driver with `sudo modprobe tun`, or hand the device \
                 to the container (`--device {DRIVER}`)"
            ),
            Some(libc::EACCES | libc::EPERM) => {
                format!("no permission to open {DRIVER}: run as root")
            }
            _ => format!("cannot open {DRIVER}: {of_file}"),
        },
        Ok(_) => match error.raw_os_error() {
            Some(libc::EBUSY) => {
                format!("{name} is in use by another process: choose another name")
            }
            Some(libc::EPERM) => format!("cannot open {name}: {}", net_admin_advice()),
            Some(libc::EINVAL) => {
                format!("{name} is an interface of another kind: choose another name")
            }
            _ => format!("cannot open {name}: {error}"),
        },
    };
    io::Error::new(error.kind(), problem)
}

/// Says why an interface that was open works no more.
fn explain_broken(name: &str, error: io::Error) -> io::Error {
    let problem = match error.raw_os_error() {
        Some(libc::EIO) => {
            format!("{name} is down: bring it up with `sudo ip link set {name} up`")
        }
        Some(libc::EBADFD) => format!("{name} was removed"),
        _ => format!("{name} failed: {error}"),
    };
    io::Error::new(error.kind(), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(address: [u8; 4], prefix: u8) -> TunConfig {
        TunConfig {
            host_address: address.into(),
            prefix,
            ..TunConfig::default()
        }
    }

    #[test]
    fn a_config_that_cannot_be_is_refused_before_the_kernel_sees_it() {
        let named = |name: &str| TunConfig {
            name: name.to_owned(),
            ..TunConfig::default()
        };
        let prefix = "a network's prefix is from 1 to 31 bits";
        let address = "no address that a host can have, as 10.0.0.1 is";
        let whole = "is no host's: a network's first and last address are its own";
        let table = [
            (
                named(""),
                "an interface needs a name, such as tun0".to_owned(),
            ),
            (config([10, 0, 0, 1], 0), format!("10.0.0.1/0: {prefix}")),
            (config([10, 0, 0, 1], 32), format!("10.0.0.1/32: {prefix}")),
            (
                config([10, 0, 0, 1], 255),
                format!("10.0.0.1/255: {prefix}"),
            ),
            (config([0, 0, 0, 0], 24), format!("0.0.0.0: {address}")),
            (config([127, 0, 0, 1], 24), format!("127.0.0.1: {address}")),
            (config([224, 0, 0, 1], 24), format!("224.0.0.1: {address}")),
            (
                config([255, 255, 255, 255], 24),
                format!("255.255.255.255: {address}"),
            ),
            (config([10, 0, 0, 0], 24), format!("10.0.0.0/24 {whole}")),
            (
                config([10, 0, 0, 255], 24),
                format!("10.0.0.255/24 {whole}"),
            ),
            (
                TunConfig {
                    mtu: 67,
                    ..TunConfig::default()
                },
                "an MTU of 67 bytes: IPv4 needs at least 68".to_owned(),
            ),
        ];
        for (config, expected) in table {
            let error = Tun::create(&config).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_config_that_can_be_is_not_refused() {
        TunConfig::default().check().unwrap();
        config([10, 0, 0, 0], 31).check().unwrap();
        config([10, 0, 0, 1], 31).check().unwrap();
        config([10, 0, 0, 0], 6).check().unwrap();
        config([192, 168, 0, 254], 1).check().unwrap();
        TunConfig {
            mtu: u16::MAX,
            ..TunConfig::default()
        }
        .check()
        .unwrap();
    }
}
