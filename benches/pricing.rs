//! What pricing adds to a call: classifying it, quoting it, reading what was charged.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use generect_guard::catalogue::{Catalogue, ChargeReader, Unbounded, quote};
use generect_guard::credits::Credits;

/// A search as clients send it.
const SEARCH: &[u8] =
    br#"{"job_titles":["Head of Operations","COO"],"seniorities":["c_suite","director"],
"locations":["Kyiv, Ukraine","Poland"],"company_industries":["Software Development"],
"company_headcounts":["51-200","201-500"],"keywords":["logistics"],"offset_by":50,
"limit_by":25,"include_full_profile":true,"exclude_names":["Example Person"]}"#;

/// An answer of at least `bytes` bytes, rows first, charge last.
fn answer(bytes: usize) -> Vec<u8> {
    let row = r#"{"id":"ACwAAAE9bk0BxY7Q","full_name":"Example Person","headline":"Head of \"Ops\" at Example","location":"Kyiv, Ukraine","skills":["planning","logistics","négociation"],"connections":500,"open":false,"company":{"name":"Example","domain":"example.org","headcount":120,"description":"We move things from one place to another, on time and in one piece."}}"#;
    let mut text = String::from(r#"{"data":{"leads":["#);
    while text.len() + 64 < bytes {
        text.push_str(row);
        text.push(',');
    }
    text.push_str(r#"null],"results_count":1240},"meta":{"amount_charged":0.5}}"#);
    text.into_bytes()
}

#[expect(
    clippy::expect_used,
    reason = "a bench without the built-in catalogue is none"
)]
fn pricing(criterion: &mut Criterion) {
    let catalogue = Catalogue::built_in().expect("the built-in catalogue is sound");
    let search = catalogue
        .operation("search_realtime_leads")
        .expect("the operation is in the catalogue");

    criterion.bench_function("classify a search", |bencher| {
        bencher.iter(|| catalogue.classify("POST", black_box("/api/v1/search/realtime/leads/")));
    });
    criterion.bench_function("classify a poll", |bencher| {
        let path = "/api/v1/phone/find/bulk/7c9e6679-7425-40de-944b-e07fc1f90ae7/";
        bencher.iter(|| catalogue.classify("GET", black_box(path)));
    });

    let mut group = criterion.benchmark_group("quote");
    group.throughput(Throughput::Bytes(SEARCH.len() as u64));
    group.bench_function("a search", |bencher| {
        bencher.iter(|| {
            quote(
                search,
                catalogue.prices(),
                black_box(SEARCH),
                Unbounded::Maximum,
            )
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("charge");
    for (name, bytes) in [("1.5 KiB", 1536), ("1 MiB", 1 << 20)] {
        let answer = answer(bytes);
        group.throughput(Throughput::Bytes(answer.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut reader = ChargeReader::new(search);
                // Pieces as large as a connection delivers them.
                for piece in black_box(&answer).chunks(16 * 1024) {
                    reader.feed(piece);
                }
                reader.finish(catalogue.prices(), Credits::ZERO)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pricing);
criterion_main!(benches);
