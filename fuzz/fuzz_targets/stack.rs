#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerotcp_fuzz::stack::run(data));
