//! The whole stack under siege: the input is every decision of hostile peers, of users, of the
//! network and of the clock. What holds is said in `zerotcp::simulation`.

use zerotcp::simulation::{Bytes, Siege};

pub fn run(data: &[u8]) {
    if let Err(broken) = Siege::new(Bytes(data)).run(&mut ()) {
        panic!("{broken}");
    }
}
