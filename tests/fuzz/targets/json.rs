//! JSON read by another parser, with everything kept that a stricter reader may object to.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A document: numbers as their digits, objects with every member, also those that come twice.
#[derive(Debug)]
pub enum Json<'a> {
    /// A number or a word, as it stands.
    Plain(&'a str),
    Text(String),
    List(Vec<Json<'a>>),
    Map(Vec<(String, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// `None` for what is no JSON, and for text that is none: half a surrogate pair.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Self::of(serde_json::from_slice::<&RawValue>(bytes).ok()?)
    }

    fn of(raw: &'a RawValue) -> Option<Self> {
        let text = raw.get();
        Some(match text.as_bytes().first()? {
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                Self::List(items.into_iter().map(Self::of).collect::<Option<_>>()?)
            }
            b'{' => {
                let Members(members) = serde_json::from_str(text).ok()?;
                let members = members.into_iter();
                let members = members.map(|(name, raw)| Some((name, Self::of(raw)?)));
                Self::Map(members.collect::<Option<_>>()?)
            }
            _ => Self::Plain(text),
        })
    }

    /// The members of this name, in order.
    pub fn all(&self, name: &str) -> Vec<&Self> {
        match self {
            Self::Map(members) => {
                let named = members.iter().filter(|(found, _)| found == name);
                named.map(|(_, value)| value).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether some object, at any depth, has a name twice.
    pub fn has_twice(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Text(_) => false,
            Self::List(items) => items.iter().any(Self::has_twice),
            Self::Map(members) => {
                let twice = |name: &String| self.all(name).len() > 1;
                let mut members = members.iter();
                members.any(|(name, value)| twice(name) || value.has_twice())
            }
        }
    }
}

/// The members of an object, whose values are not looked into.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

struct Collect;

impl<'a> Visitor<'a> for Collect {
    type Value = Members<'a>;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Members<'a>, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
