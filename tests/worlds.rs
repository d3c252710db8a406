//! scratch
use zerotcp::simulation::{Observer, Passage, run};
use zerotcp::time::Instant;
struct Print;
impl Observer for Print {
    fn packet(&mut self, now: Instant, host: usize, passage: Passage, packet: &[u8]) {
        let t = zerotcp::wire::TcpPacket::parse(packet);
        match t {
            Ok(t) => println!(
                "{now} {host} {passage:?} {} seq {} ack {} win {} len {} {:?}",
                t.tcp.flags(),
                t.tcp.seq(),
                t.tcp.ack(),
                t.tcp.window(),
                t.tcp.payload().len(),
                t.tcp
                    .option_summary()
                    .map(|o| (o.timestamps, t.tcp.options().count()))
            ),
            Err(e) => println!("{now} {host} {passage:?} {} bytes {e}", packet.len()),
        }
    }
    fn note(&mut self, now: Instant, host: usize, what: std::fmt::Arguments<'_>) {
        println!("{now} {host} {what}");
    }
}
#[test]
fn worlds() {
    let range = std::env::var("SEEDS").unwrap_or("0:1000".into());
    let (first, count) = range.split_once(':').unwrap();
    let (first, count): (u64, u64) = (first.parse().unwrap(), count.parse().unwrap());
    let (mut time, mut packets, mut octets, mut bad) = (0.0, 0, 0, 0);
    let start = std::time::Instant::now();
    for seed in first..first + count {
        let began = std::time::Instant::now();
        let outcome = if count == 1 {
            run(seed, &mut Print)
        } else {
            run(seed, &mut ())
        };
        if began.elapsed().as_millis() > 300 {
            println!("slow {seed} {:?} {outcome:?}", began.elapsed());
        }
        match outcome {
            Ok(s) => {
                time += s.time.as_secs_f64();
                packets += s.packets;
                octets += s.octets;
            }
            Err(e) => {
                bad += 1;
                if bad < 40 {
                    println!("{e}")
                }
            }
        }
    }
    println!(
        "{bad} bad, {packets} packets, {octets} octets, {} hours, {:?}",
        time / 3600.0,
        start.elapsed()
    );
}
