//! Any text is a request in JSON, which then can be decoded, or it is refused.
#![no_main]

use _native::json::json_to_protobuf;
use _native::wire::{Signal, count_items};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let signal = Signal::ALL[usize::from(*first) % Signal::ALL.len()];
    if let Ok(message) = json_to_protobuf(signal, body) {
        assert!(count_items(signal, &message).is_ok());
    }
});
