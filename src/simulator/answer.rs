//! Answers before they are bytes: what stands in them, apart from how it is written.

use http::StatusCode;

use super::bodies::write_text;
use crate::credits::Credits;

/// An answer of an operation.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) shape: Shape,
    /// Further headers, such as `Allow` or `Location`.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The three forms of the documents (dossier section 1), and none.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// `{"data": …, "meta": {…}}`; the charge goes into `meta`.
    Envelope {
        data: String,
        /// Members of `meta` before `amount_charged`, each followed by a comma.
        meta_before: String,
        /// Members of `meta` after it, each preceded by a comma.
        meta_after: String,
        /// What to state instead of the charge just made: an old one, or 0 at submission.
        states: Option<Credits>,
    },
    /// Flat legacy members around `amount`, which counts `count` (negative) unless it is money.
    Legacy { count: i64, members: String },
    /// Written as it is.
    Plain(String),
    /// No body at all.
    Nothing,
}

impl Answer {
    /// A 200 in the envelope.
    pub(crate) fn envelope(data: String) -> Self {
        Self::new(Shape::Envelope {
            data,
            meta_before: String::new(),
            meta_after: String::new(),
            states: None,
        })
    }

    /// A 200 without a stated charge.
    pub(crate) fn plain(json: String) -> Self {
        Self::new(Shape::Plain(json))
    }

    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            status: StatusCode::OK,
            shape,
            headers: Vec::new(),
        }
    }

    /// The standard error envelope with a text.
    pub(crate) fn refusal(status: StatusCode, detail: &str) -> Self {
        let mut text = String::with_capacity(detail.len() + 2);
        write_text(detail, &mut text);
        Self::refusal_json(status, &text)
    }

    /// The standard error envelope with a `detail` that is JSON already.
    pub(crate) fn refusal_json(status: StatusCode, detail: &str) -> Self {
        let code = status.as_u16();
        let json = format!("{{\"status\":\"error\",\"status_code\":{code},\"detail\":{detail}}}");
        Self {
            status,
            shape: Shape::Plain(json),
            headers: Vec::new(),
        }
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// How the charge is put into an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writing {
    /// Text of the number, instead of the plain decimal one.
    pub(crate) charge: Option<String>,
    pub(crate) meta: MetaPlace,
    /// Fill the answer up to this many bytes.
    pub(crate) bytes_min: usize,
    /// A member put in front of all others, with its comma.
    pub(crate) first: String,
}

/// Where the stated charge stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MetaPlace {
    #[default]
    Proper,
    /// Not at all.
    Nowhere,
    /// The place is there, the charge is not.
    WithoutCharge,
    /// In a decoy before the proper place, too.
    Twice,
    /// A list instead of a map.
    List,
}

/// Writes the body of an answer that was charged `charge`.
pub(crate) fn write(shape: &Shape, charge: Credits, money_amounts: bool, how: &Writing) -> String {
    match shape {
        Shape::Nothing => String::new(),
        Shape::Plain(json) => json.clone(),
        Shape::Envelope {
            data,
            meta_before,
            meta_after,
            states,
        } => {
            let stated = states.unwrap_or(charge);
            let number = how.charge.clone().unwrap_or_else(|| stated.to_string());
            let stated_member = match how.meta {
                MetaPlace::WithoutCharge => {
                    return envelope(data, &bare(meta_before, meta_after), how);
                }
                MetaPlace::Nowhere => {
                    return filled(&format!("{{{}\"data\":{data}}}", how.first), how);
                }
                MetaPlace::List => {
                    return envelope(data, &format!("[{number}]"), how);
                }
                MetaPlace::Proper | MetaPlace::Twice => format!("\"amount_charged\":{number}"),
            };
            let meta = format!("{{{meta_before}{stated_member}{meta_after}}}");
            if how.meta == MetaPlace::Twice {
                let decoy = Writing {
                    first: "\"meta\":{\"amount_charged\":0.000001},".to_owned(),
                    ..how.clone()
                };
                return envelope(data, &meta, &decoy);
            }
            envelope(data, &meta, how)
        }
        Shape::Legacy { count, members } => {
            let plain = if money_amounts {
                Credits::ZERO.saturating_sub(charge).to_string()
            } else {
                count.to_string()
            };
            let number = how.charge.clone().unwrap_or(plain);
            let amount = match how.meta {
                MetaPlace::Proper => format!("\"amount\":{number},"),
                MetaPlace::Twice => format!("\"amount\":-0.000001,\"amount\":{number},"),
                MetaPlace::List => format!("\"amount\":[{number}],"),
                MetaPlace::Nowhere | MetaPlace::WithoutCharge => String::new(),
            };
            filled(&format!("{{{}{amount}{members}}}", how.first), how)
        }
    }
}

fn bare(before: &str, after: &str) -> String {
    let before = before.trim_end_matches(',');
    let after = after.trim_start_matches(',');
    let comma = if before.is_empty() || after.is_empty() {
        ""
    } else {
        ","
    };
    format!("{{{before}{comma}{after}}}")
}

fn envelope(data: &str, meta: &str, how: &Writing) -> String {
    let mut out = String::with_capacity(data.len() + meta.len() + how.first.len() + 24);
    out.push('{');
    out.push_str(&how.first);
    out.push_str("\"data\":");
    out.push_str(data);
    out.push_str(",\"meta\":");
    out.push_str(meta);
    out.push('}');
    filled(&out, how)
}

/// Fills an object up with a member of spaces-free text in front of its other members.
fn filled(json: &str, how: &Writing) -> String {
    const MEMBER: &str = "{\"filler\":\"\",";
    if json.len() >= how.bytes_min || !json.starts_with('{') {
        return json.to_owned();
    }
    let missing = (how.bytes_min + 1).saturating_sub(json.len() + MEMBER.len());
    // Looks like a charge to whoever searches the text instead of reading it.
    let pattern = "meta amount_charged 99.99 ";
    let text: String = pattern.chars().cycle().take(missing).collect();
    format!("{{\"filler\":\"{text}\",{}", &json[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_filled_to_the_byte() {
        let how = Writing {
            bytes_min: 1_536,
            ..Writing::default()
        };
        let answer = Answer::envelope("[]".to_owned());
        let json = write(&answer.shape, Credits::from_micros(20_000), false, &how);
        assert_eq!(json.len(), 1_536);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["meta"]["amount_charged"].to_string(), "0.02");
    }

    #[test]
    fn legacy_amounts_are_counts_or_money() {
        let shape = Shape::Legacy {
            count: -2,
            members: "\"leads\":[]".to_owned(),
        };
        let charge = Credits::from_micros(80_000);
        let counts = write(&shape, charge, false, &Writing::default());
        assert_eq!(counts, "{\"amount\":-2,\"leads\":[]}");
        let money = write(&shape, charge, true, &Writing::default());
        assert_eq!(money, "{\"amount\":-0.08,\"leads\":[]}");
    }
}
