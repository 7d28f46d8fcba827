//! What comes in through the control socket.

use generect_guard::control::{Question, Reply};

pub fn run(input: &[u8]) {
    let Ok(line) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(question) = serde_json::from_str::<Question>(line) {
        let written = serde_json::to_string(&question).unwrap();
        let again: Question = serde_json::from_str(&written).unwrap();
        assert_eq!(format!("{question:?}"), format!("{again:?}"));
    }
    if let Ok(reply) = serde_json::from_str::<Reply>(line) {
        let written = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&written).unwrap(), reply);
    }
}
