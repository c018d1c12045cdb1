//! Any bytes behind a good request are taken or refused; a group in which one was refused is as before. What was taken can be sifted, and
//! what is left is taken too.
#![no_main]

use std::sync::{Arc, LazyLock};

use _native::group::Group;
use _native::lift::Plan;
use _native::sift::Sieve;
use _native::texts::Texts;
use _native::wire::Signal;
use libfuzzer_sys::fuzz_target;

const ARRIVAL: i64 = 1_790_000_000_000_000_000;
/// Written by run.sh: what the `session` processor asks for.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/plan.json");
static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let plan = std::fs::read_to_string(FILE).expect("a plan");
    Arc::new(Plan::parse(&plan).expect("valid plan"))
});

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let signal = Signal::ALL[usize::from(*first) % Signal::ALL.len()];
    let mut group = Group::new(Arc::clone(&PLAN), Arc::new(Texts::new(1 << 20)));
    for tenant in ["", "a", ""] {
        let before = group.rows();
        match group.take(signal, body, ARRIVAL, tenant) {
            Ok(taken) => {
                assert_eq!(group.rows() - before, taken.items as usize);
                sift(signal, body, taken.items as usize);
            }
            Err(_) => assert_eq!(group.rows(), before),
        }
    }
    group.traces().expect("columns of spans");
    group.logs().expect("columns of records");
    group.metrics().expect("columns of points");
});

/// Every third row of a table goes; the rest is a request with as many items.
fn sift(signal: Signal, body: &[u8], items: usize) {
    let fates: Vec<u8> = (0..items).map(|row| u8::from(row % 3 != 1)).collect();
    let mut left = 0;
    for wanted in [0, 1, 2] {
        let (fates, next, less) = (vec![&fates[..]; 5], vec![0; 5], false);
        let mut sieve = Sieve { fates, next, wanted, less };
        let sifted = sieve.apply(signal, body).expect("it was decoded");
        assert_eq!(sieve.next.iter().sum::<usize>(), items);
        let mut group = Group::new(Arc::clone(&PLAN), Arc::new(Texts::new(1 << 16)));
        let Ok(taken) = group.take(signal, &sifted, ARRIVAL, "") else {
            return;
        }; // a part may unfold to more than its bytes allow
        assert!(taken.rejected == 0 || !sieve.less);
        left += taken.items as usize;
    }
    assert_eq!(left, items);
}
