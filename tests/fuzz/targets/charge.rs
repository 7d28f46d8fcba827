//! What an answer says was charged.

use generect_guard::catalogue::{Answer, Charge, ChargeReader, Operation};
use generect_guard::credits::Credits;
use serde::de::IgnoredAny;

use super::CATALOGUE;
use super::json::Json;

/// All that the five ways of reading a charge are used by.
const OPERATIONS: [&str; 4] = [
    "search_realtime_leads",
    "legacy_leads_by_icp",
    "legacy_email_finder",
    "email_find_bulk_job",
];
/// What was held for the call.
const QUOTE: Credits = Credits::from_micros(7_000_000);
/// Longer values than this are no amounts.
const VALUE_BYTES_MAX: usize = 256;

fn read(operation: &Operation, answer: &[u8], pieces: usize) -> Answer {
    let mut reader = ChargeReader::new(operation);
    for piece in answer.chunks(pieces.max(1)) {
        reader.feed(piece);
    }
    reader.finish(CATALOGUE.prices(), QUOTE)
}

/// The same, but for the fault that is named: of two it may depend on how the answer was cut.
fn without_its_fault(mut read: Answer) -> Answer {
    if let Charge::Unreadable(why) = &mut read.charge {
        why.clear();
    }
    read
}

/// The charge of a v1 answer, found by a reader that has the whole document. `None`: it cannot tell.
fn expected(answer: &[u8]) -> Option<Result<Charge, ()>> {
    let root = Json::read(answer)?;
    let nonsense = Some(Err(()));
    let metas = root.all("meta");
    let once =
        |object: &Json<'_>, names: &[&str]| names.iter().all(|name| object.all(name).len() <= 1);
    let is_once = once(&root, &["meta", "amount", "detail"]);
    let names = ["amount_charged", "job_id", "status"];
    if !is_once || !metas.iter().all(|meta| once(meta, &names)) {
        return nonsense;
    }
    let told = metas.first().map(|meta| meta.all("amount_charged"));
    let raw = match told.as_deref() {
        None | Some([]) => return Some(Ok(Charge::Missing)),
        Some([Json::Plain("null"), ..]) => return Some(Ok(Charge::Null)),
        Some([Json::Plain(digits), ..]) => (*digits).to_owned(),
        Some([Json::Text(text), ..]) => text.clone(),
        Some(_) => return nonsense,
    };
    if raw.len() > VALUE_BYTES_MAX {
        return nonsense;
    }
    let mantissa = raw.split(['e', 'E']).next().unwrap_or_default();
    let below_zero =
        raw.starts_with('-') && mantissa.contains(|digit| ('1'..='9').contains(&digit));
    match Credits::parse_nearest(&raw) {
        Err(_) => nonsense,
        Ok(_) if below_zero => Some(Ok(Charge::Negative { raw })),
        Ok(amount) => Some(Ok(Charge::Stated { amount, raw })),
    }
}

pub fn run(input: &[u8]) {
    let Some(([which, pieces], answer)) = input.split_first_chunk::<2>() else {
        return;
    };
    let name = OPERATIONS[usize::from(*which) % OPERATIONS.len()];
    let operation = CATALOGUE
        .operation(name)
        .unwrap_or_else(|| panic!("no {name}"));
    let whole = read(operation, answer, answer.len());
    for pieces in [1, usize::from(*pieces) + 1] {
        let cut = without_its_fault(read(operation, answer, pieces));
        let whole = without_its_fault(whole.clone());
        assert_eq!(cut, whole, "in pieces of {pieces}");
    }
    let document = std::str::from_utf8(answer).map(serde_json::from_str::<IgnoredAny>);
    let is_document = matches!(document, Ok(Ok(_)));
    match &whole.charge {
        Charge::Unreadable(why) => assert!(!is_document || why.contains("nested"), "{why}"),
        charge => assert!(is_document, "{charge:?}"),
    }
    let is_unreadable = matches!(whole.charge, Charge::Unreadable(_));
    if OPERATIONS[0] != name || is_unreadable {
        return;
    }
    match expected(answer) {
        None => {}
        Some(Err(())) => assert!(matches!(whole.charge, Charge::Nonsense(_)), "{whole:?}"),
        Some(Ok(charge)) => assert_eq!(whole.charge, charge),
    }
}
