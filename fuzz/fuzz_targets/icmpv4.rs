#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerotcp_fuzz::icmpv4::run(data));
