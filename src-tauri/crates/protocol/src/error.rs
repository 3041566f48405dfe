use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The `error` object of the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApiError {
    /// Class, such as `invalid_request_error` or `server_error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable machine-readable name; servers leave it out at times.
    pub code: Option<String>,
    /// Words for a developer.
    pub message: String,
    /// Path of the field at fault.
    pub param: Option<String>,
    /// The client event that caused it, where the server says so.
    pub event_id: Option<String>,
}

impl ApiError {
    /// Returns an `invalid_request_error`: the client sent something wrong.
    pub fn invalid_request(code: &str, message: impl Into<String>) -> Self {
        Self {
            kind: "invalid_request_error".into(),
            code: Some(code.into()),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Returns a `server_error`: the server failed.
    pub fn server(code: &str, message: impl Into<String>) -> Self {
        Self { kind: "server_error".into(), ..Self::invalid_request(code, message) }
    }

    /// Returns the code, or the class where a server sends no code (speaches does).
    pub fn code_or_kind(&self) -> &str {
        self.code.as_deref().filter(|c| !c.is_empty()).unwrap_or(&self.kind)
    }

    /// Returns whether the server does not take the key.
    pub fn rejects_key(&self) -> bool {
        self.code_or_kind() == "invalid_api_key"
    }
}

impl<'de> Deserialize<'de> for ApiError {
    /// Accepts the object, or a bare string as some compatible servers send.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let value = Value::deserialize(deserializer)?;
        if let Value::String(message) = value {
            return Ok(Self { kind: "error".into(), message, ..Self::default() });
        }
        Ok(Self {
            kind: text(&value, "type").unwrap_or_default(),
            code: text(&value, "code"),
            message: text(&value, "message").unwrap_or_default(),
            param: text(&value, "param"),
            event_id: text(&value, "event_id"),
        })
    }
}

/// Why a message could not be read. The connection lives on.
#[derive(Clone, Debug, PartialEq)]
pub enum ParseError {
    /// Not JSON, or JSON that is no object with a string `type`.
    NotAnEvent(String),
    /// A known event with a field that is missing or of the wrong shape.
    Malformed { kind: String, event_id: Option<String>, message: String },
    /// A client event with a field that the protocol does not have.
    UnknownParameter { event_id: Option<String>, path: String },
}

impl ParseError {
    /// Returns the error that a server sends for this.
    pub fn to_api_error(&self) -> ApiError {
        match self {
            Self::NotAnEvent(message) => ApiError::invalid_request("invalid_event", message.clone()),
            Self::Malformed { kind, event_id, message } => {
                let code =
                    if message.contains("missing field") { "missing_required_parameter" } else { "invalid_value" };
                let param = message.split('`').nth(1).map(str::to_owned);
                ApiError {
                    event_id: event_id.clone(),
                    param,
                    ..ApiError::invalid_request(code, format!("Invalid '{kind}' event: {message}."))
                }
            }
            Self::UnknownParameter { event_id, path } => ApiError {
                event_id: event_id.clone(),
                param: Some(path.clone()),
                ..ApiError::invalid_request("unknown_parameter", format!("Unknown parameter: '{path}'."))
            },
        }
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_api_error().message)
    }
}

impl std::error::Error for ParseError {}
