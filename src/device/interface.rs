//! Network interfaces of this machine, configured by ioctl.
//!
//! Not through a child process `ip`: a program that has `CAP_NET_ADMIN` from its file does
//! not hand it on to the programs it starts.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use libc::c_ulong;

/// A network interface, by name, in the network namespace of the thread that named it.
/// See netdevice(7).
///
/// What needs rights needs `CAP_NET_ADMIN`. Every error says which interface
/// it is about, what was to be done to it, and what may help.
#[derive(Debug)]
pub struct Interface {
    name: String,
    /// Any IPv4 socket: the kernel takes these requests through one.
    socket: UdpSocket,
}

impl Interface {
    /// The interface of this name, which need not exist yet.
    ///
    /// # Errors
    /// The name is none that an interface can have, or there are too many open files.
    pub fn named(name: &str) -> io::Result<Interface> {
        check_name(name)?;
        // Port 0 of the loopback address would need `lo` up; the wildcard needs nothing.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        Ok(Interface {
            name: name.to_owned(),
            socket,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the interface an IPv4 address, and this machine a route through it to the
    /// addresses that share its first `prefix` bits, 0 to 32.
    ///
    /// # Errors
    /// The prefix is longer than 32 bits; the kernel's refusal.
    pub fn set_address(&self, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        if prefix > 32 {
            let problem = format!("a prefix of {prefix} bits: an IPv4 address has 32");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let mask = Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0));
        let mut request = self.request();
        request.ifr_ifru.ifru_addr = socket_address(address);
        self.ioctl(libc::SIOCSIFADDR, &mut request, "set the address of")?;
        request.ifr_ifru.ifru_netmask = socket_address(mask);
        self.ioctl(libc::SIOCSIFNETMASK, &mut request, "set the netmask of")
    }

    /// Sets the length in bytes of the longest IP packet that the interface carries.
    ///
    /// # Errors
    /// The kernel's refusal, of an MTU below 68 too (RFC 791, section 3.2).
    pub fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        let mut request = self.request();
        request.ifr_ifru.ifru_mtu = mtu.into();
        self.ioctl(libc::SIOCSIFMTU, &mut request, "set the MTU of")
    }

    /// The length in bytes of the longest IP packet that the interface carries.
    ///
    /// # Errors
    /// There is no such interface.
    #[allow(unsafe_code)]
    pub fn mtu(&self) -> io::Result<usize> {
        let mut request = self.request();
        self.ioctl(libc::SIOCGIFMTU, &mut request, "read the MTU of")?;
        // SAFETY: `request` zeroed the union as far as an integer goes, and every integer is valid.
        let mtu = unsafe { request.ifr_ifru.ifru_mtu };
        // Linux keeps MTUs between 0 and 2^31.
        Ok(usize::try_from(mtu).unwrap_or(0))
    }

    /// Sets how many packets the kernel keeps for the interface to send. A TUN
    /// interface drops what its program is not quick enough to read beyond that.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_queue_length(&self, packets: u16) -> io::Result<()> {
        let mut request = self.request();
        // The C name, ifr_qlen, stands for the same integer of the union.
        request.ifr_ifru.ifru_metric = packets.into();
        self.ioctl(libc::SIOCSIFTXQLEN, &mut request, "set the queue length of")
    }

    /// Brings the interface up, so that packets flow.
    ///
    /// # Errors
    /// The kernel's refusal.
    #[allow(unsafe_code)]
    pub fn bring_up(&self) -> io::Result<()> {
        let mut request = self.request();
        self.ioctl(libc::SIOCGIFFLAGS, &mut request, "read the flags of")?;
        // SAFETY: `request` zeroed the union as far as a short goes, and every short is valid.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
        self.ioctl(libc::SIOCSIFFLAGS, &mut request, "bring up")
    }

    /// A request about this interface, with zeros for a value.
    fn request(&self) -> libc::ifreq {
        let mut name = [0; libc::IFNAMSIZ];
        // `check_name` left room for the NUL at the end.
        for (to, from) in name.iter_mut().zip(self.name.bytes()) {
            *to = from as libc::c_char;
        }
        let value = libc::__c_anonymous_ifr_ifru {
            ifru_newname: [0; libc::IFNAMSIZ],
        };
        libc::ifreq {
            ifr_name: name,
            ifr_ifru: value,
        }
    }

    #[allow(unsafe_code)]
    fn ioctl(&self, code: c_ulong, request: &mut libc::ifreq, doing: &str) -> io::Result<()> {
        let fd = self.socket.as_raw_fd();
        // SAFETY: `fd` is open as long as `self.socket` lives, and the codes that this file passes,
        // SIOC[GS]IF*, read and write one ifreq, whose values are plain data.
        if unsafe { libc::ioctl(fd, code as libc::Ioctl, &raw mut *request) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => format!(": {}", net_admin_advice()),
            _ => String::new(),
        };
        let problem = format!("cannot {doing} {}: {error}{advice}", self.name);
        Err(io::Error::new(error.kind(), problem))
    }
}

/// An address as the C interface has it: a `sockaddr_in` seen as a plain `sockaddr`,
/// with the port (0) before the address, in network byte order.
fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr {
        sa_family: libc::AF_INET as libc::sa_family_t,
        sa_data: data,
    }
}

/// Refuses what no interface may be called, with more to say than the kernel has.
pub(super) fn check_name(name: &str) -> io::Result<()> {
    const LENGTH_MAX: usize = libc::IFNAMSIZ - 1;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let problem = if name.is_empty() {
        "an interface needs a name, such as tun0".to_owned()
    } else if let Some(wrong) = name.chars().find(|&c| !plain(c)) {
        format!("{wrong:?} in an interface's name: use letters, digits, '-', '_' and '.'")
    } else if name.len() > LENGTH_MAX {
        let length = name.len();
        format!("an interface's name of {length} characters: {LENGTH_MAX} is the most")
    } else if matches!(name, "." | "..") {
        format!("no interface may be called {name:?}")
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

/// What to do about a want of `CAP_NET_ADMIN`.
pub(super) fn net_admin_advice() -> String {
    let program = std::env::current_exe();
    let program = program
        .as_ref()
        .map_or("<program>".into(), |path| path.to_string_lossy());
    format!("needs CAP_NET_ADMIN: run as root, or `sudo setcap cap_net_admin+ep {program}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_before_the_kernel_sees_them() {
        let table = [
            ("", "an interface needs a name, such as tun0"),
            (
                "a234567890123456",
                "an interface's name of 16 characters: 15 is the most",
            ),
            (
                "a/b",
                "'/' in an interface's name: use letters, digits, '-', '_' and '.'",
            ),
            (
                "tun 0",
                "' ' in an interface's name: use letters, digits, '-', '_' and '.'",
            ),
            (
                "tun0\n",
                "'\\n' in an interface's name: use letters, digits, '-', '_' and '.'",
            ),
            (
                "tun\0",
                "'\\0' in an interface's name: use letters, digits, '-', '_' and '.'",
            ),
            (
                "tun%d",
                "'%' in an interface's name: use letters, digits, '-', '_' and '.'",
            ),
            ("..", "no interface may be called \"..\""),
        ];
        for (name, expected) in table {
            assert_eq!(check_name(name).unwrap_err().to_string(), expected);
        }
        for name in ["tun0", "a23456789012345", "my-tun_0.1", "T"] {
            check_name(name).unwrap();
        }
    }

    /// `lo` can be asked about without any rights.
    #[test]
    fn reads_the_mtu_of_an_interface() {
        let mtu = Interface::named("lo").unwrap().mtu().unwrap();
        assert!(mtu >= 68, "{mtu}");
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error_by_name() {
        let error = Interface::named("no-such-if").unwrap().mtu().unwrap_err();
        let expected = "cannot read the MTU of no-such-if: No such device (os error 19)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_address_has_at_most_32_bits() {
        let interface = Interface::named("no-such-if").unwrap();
        let error = interface.set_address(Ipv4Addr::LOCALHOST, 33).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a prefix of 33 bits: an IPv4 address has 32"
        );
    }

    #[test]
    fn an_address_is_laid_out_as_the_kernel_reads_it() {
        let laid_out = socket_address(Ipv4Addr::new(10, 0, 255, 1));
        assert_eq!(laid_out.sa_family, libc::AF_INET as libc::sa_family_t);
        let bytes = laid_out.sa_data.map(|byte| byte as u8);
        assert_eq!(bytes, [0, 0, 10, 0, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
