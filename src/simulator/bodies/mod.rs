//! What a body says, read the way the upstream's framework (Django with DRF) reads it.
//!
//! Independent of how the guard reads: where the two disagree about a limit or a flag, the charge
//! differs from the quote, and a test sees it.

mod fields;
mod form;
mod json;
mod reader;

pub(crate) use fields::{Complaints, Fields};
pub(crate) use form::{decoded, unescaped};
pub(crate) use json::{Json, write_text};

/// Why a body could not be read at all.
#[derive(Debug, PartialEq)]
pub(crate) enum Unreadable {
    /// 400 with this detail.
    Malformed(String),
    /// 415 with this detail.
    MediaType(String),
}

/// Reads a body by its `Content-Type`. An empty body is an empty map whatever the type says.
pub(crate) fn read(content_type: Option<&str>, body: &[u8]) -> Result<Json, Unreadable> {
    if body.is_empty() {
        return Ok(Json::Map(Vec::new()));
    }
    let full = content_type.unwrap_or("text/plain");
    let mut parts = full.split(';');
    let media_type = parts.next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(form::read(body));
    }
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Unreadable::MediaType(format!(
            "Unsupported media type \"{full}\" in request."
        )));
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    let text = in_utf8(charset.as_deref(), body);
    Json::read(text.as_deref().unwrap_or(body))
        .map_err(|error| Unreadable::Malformed(format!("JSON parse error - {error}")))
}

/// The body in UTF-8 if its charset is another one that the framework would honour.
fn in_utf8(charset: Option<&str>, body: &[u8]) -> Option<Vec<u8>> {
    let text: String = match charset? {
        "latin-1" | "latin1" | "iso-8859-1" => body.iter().map(|byte| char::from(*byte)).collect(),
        "utf-16" | "utf-16-le" | "utf-16le" => {
            let units: Vec<u16> = body
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            let text = String::from_utf16_lossy(&units);
            text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
        }
        _ => return None,
    };
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides_how_a_body_is_read() {
        let body = b"limit_by=5";
        assert!(matches!(
            read(Some("application/json"), body),
            Err(Unreadable::Malformed(_))
        ));
        assert!(matches!(
            read(Some("text/plain"), b"{}"),
            Err(Unreadable::MediaType(_))
        ));
        assert!(matches!(read(None, b"{}"), Err(Unreadable::MediaType(_))));
        let form = read(Some("application/x-www-form-urlencoded; x=y"), body).unwrap();
        assert!(form.get("limit_by").is_some());
        let nothing = read(None, b"").unwrap();
        assert_eq!(nothing, Json::Map(Vec::new()));
    }

    #[test]
    fn the_charset_is_honoured() {
        let wide: Vec<u8> = "{\"limit_by\":7}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let value = read(Some("application/json; charset=utf-16"), &wide).unwrap();
        assert_eq!(value.get("limit_by"), Some(&Json::Integer("7".to_owned())));
    }
}
