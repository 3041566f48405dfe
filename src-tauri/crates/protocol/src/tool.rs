use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tool {
    /// Run by the client.
    Function {
        /// What calls name.
        name: String,
        /// When and for what to call it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// JSON Schema of the arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<Value>,
    },
    /// Anything else, kept: `mcp` tools, which the server runs.
    #[serde(untagged)]
    Other(Value),
}

/// Whether and which tool is to be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolChoice {
    /// `auto`, `none` or `required`.
    Word(String),
    /// One tool. Flat here, unlike in chat completions.
    One {
        /// `function` or `mcp`.
        #[serde(rename = "type")]
        kind: String,
        /// The tool; absent for any of a server's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The MCP server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_label: Option<String>,
    },
}

impl ToolChoice {
    /// Returns the choice that leaves it to the model.
    pub fn auto() -> Self {
        Self::Word("auto".into())
    }
}
