//! Whatever a request is: what is masked does not come through where texts stand, and masking again changes nothing.
#![no_main]

use std::sync::LazyLock;

use _native::redact::Redact;
use _native::wire::Signal;
use libfuzzer_sys::fuzz_target;

const PLAN: &str = r#"{"signals": ["traces", "logs", "metrics"], "keys": ["*secret*"], "patterns": ["s[0-9]+k"], "replacement": "<masked>",
    "hash_key": ""}"#;
static REDACT: LazyLock<Redact> = LazyLock::new(|| Redact::parse(PLAN).expect("valid plan"));

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let signal = Signal::ALL[usize::from(*first) % Signal::ALL.len()];
    if let Ok(once) = REDACT.apply(signal, body) {
        let twice = REDACT.apply(signal, &once).expect("what was written can be read");
        assert_eq!(once, twice);
    }
});
