//! Reading and writing tagged events; tri-state fields.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::ParseError;

/// An event message in pieces: its `type`, its `event_id`, the whole.
pub(crate) struct Raw {
    pub kind: String,
    pub event_id: Option<String>,
    pub value: Value,
}

/// Reads `text` as far as any event goes.
pub(crate) fn raw(text: &str) -> Result<Raw, ParseError> {
    let value: Value = serde_json::from_str(text).map_err(|e| ParseError::NotAnEvent(format!("Not JSON: {e}.")))?;
    let field = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let Some(kind) = field("type") else {
        return Err(ParseError::NotAnEvent("An event is an object with a string 'type'.".into()));
    };
    Ok(Raw { kind, event_id: field("event_id"), value })
}

/// Reads a known event out of `raw`.
pub(crate) fn typed<T: DeserializeOwned>(raw: &Raw) -> Result<T, ParseError> {
    T::deserialize(&raw.value).map_err(|e| ParseError::Malformed {
        kind: raw.kind.clone(),
        event_id: raw.event_id.clone(),
        message: e.to_string(),
    })
}

/// Writes `event` with `event_id` beside its fields.
pub(crate) fn write(mut value: Value, event_id: Option<&str>) -> String {
    if let (Some(id), Some(object)) = (event_id, value.as_object_mut()) {
        object.insert("event_id".into(), id.into());
    }
    value.to_string()
}

/// Returns the path of the first field of `sent` that `understood` lost, nulls aside.
pub(crate) fn lost_field(sent: &Value, understood: &Value, path: &str) -> Option<String> {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (sent, understood) {
        (Value::Object(sent), Value::Object(understood)) => {
            sent.iter().find_map(|(key, value)| match understood.get(key) {
                Some(inner) => lost_field(value, inner, &join(key)),
                None => (!value.is_null()).then(|| join(key)),
            })
        }
        (Value::Array(sent), Value::Array(understood)) => {
            sent.iter().zip(understood).enumerate().find_map(|(i, (a, b))| lost_field(a, b, &format!("{path}[{i}]")))
        }
        _ => None,
    }
}

/// Absent, null or a value: `None`, `Some(None)`, `Some(Some(_))`.
pub(crate) mod tri_state {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::option_option, reason = "absent, null and a value are three things on this wire")]
    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(d).map(Some)
    }

    #[expect(clippy::option_option, reason = "absent, null and a value are three things on this wire")]
    pub fn serialize<T: Serialize, S: Serializer>(value: &Option<Option<T>>, s: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(s)
    }
}

/// Writes `event` with the base64 text of field `key` replaced by its decoded size in bytes.
pub(crate) fn without_audio(mut value: Value, key: &str) -> Value {
    let is_audio =
        value.get("type").and_then(Value::as_str).is_some_and(|t| t.contains("audio.delta") || t.ends_with(".append"));
    if is_audio && let Some(audio) = value.get_mut(key) {
        let text = audio.as_str().unwrap_or_default();
        let padding = text.bytes().rev().take_while(|b| *b == b'=').count();
        *audio = (text.len() / 4 * 3 - padding.min(text.len())).into();
    }
    value
}
