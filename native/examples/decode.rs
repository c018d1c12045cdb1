//! What decoding costs: `cargo run --release --example decode -- w1.otlp plan.json [rounds] [traces|logs|metrics]`.
//!
//! The first file holds requests behind their gRPC prefix (`bench/` writes such files), the second what `lift_plan()` gives. Prints CPU time
//! per span, record or point, the mean of all rounds.

use std::sync::Arc;

use _native::group::Group;
use _native::lift::Plan;
use _native::texts::Texts;
use _native::wire::Signal;

const GROUP: usize = 25_000;
const ARRIVAL: i64 = 1_790_000_100_000_000_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let file = std::fs::read(args.next().expect("file of requests")).expect("readable requests");
    let plan = std::fs::read_to_string(args.next().expect("file of the plan")).expect("readable plan");
    let rounds = args.next().map_or(50, |rounds| rounds.parse().expect("number of rounds"));
    let signal = args.next().map_or(Signal::Traces, |name| Signal::named(&name).expect("a signal"));
    let requests = requests(&file);
    let plan = Arc::new(Plan::parse(&plan).expect("valid plan"));
    let texts = Arc::new(Texts::new(64 << 20));
    let mut sum = Cost::default();
    for _ in 0..rounds {
        round(signal, &requests, &plan, &texts, &mut sum);
    }
    let per_span = |part: u64| part as f64 / sum.spans as f64;
    println!(
        "{:.0} ns each, {:.0} of it finishing columns; {:.0} B each",
        per_span(sum.total),
        per_span(sum.finishing),
        per_span(sum.bytes)
    );
}

/// CPU time in ns, spans, bytes of columns.
#[derive(Default)]
struct Cost {
    total: u64,
    finishing: u64,
    spans: u64,
    bytes: u64,
}

fn requests(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = file;
    let mut requests = Vec::new();
    while let Some((prefix, body)) = rest.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        requests.push(&body[..length]);
        rest = &body[length..];
    }
    requests
}

fn round(signal: Signal, requests: &[&[u8]], plan: &Arc<Plan>, texts: &Arc<Texts>, sum: &mut Cost) {
    let start = cpu();
    let mut waiting = requests.iter();
    while waiting.len() > 0 {
        let mut group = Group::new(plan.clone(), texts.clone());
        while group.rows() < GROUP
            && let Some(request) = waiting.next()
        {
            group.take(signal, request, ARRIVAL, "").expect("valid request");
        }
        sum.spans += group.rows() as u64;
        sum.bytes += group.bytes() as u64;
        let taken = cpu();
        group.traces().expect("finished columns");
        group.logs().expect("finished columns");
        group.metrics().expect("finished columns");
        sum.finishing += cpu() - taken;
    }
    sum.total += cpu() - start;
}

/// Nanoseconds that this thread has run; the kernel updates it every few milliseconds, so only sums of many rounds mean something.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|first| first.parse().ok()).expect("a number")
}
