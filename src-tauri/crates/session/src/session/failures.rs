//! What the server cannot or will not do: which faults end the conversation, which pass, and what is said of them.

use std::time::{Duration, Instant};

use protocol::{ApiError, RateLimit, Response, ResponseStatus, StatusDetails};

use super::{RESPONSE, Session};
use crate::{LinkEnd, NoticeAction, Output, Phase, Severity};

/// What a server that asks for patience gets, where it does not say how much.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(5);
/// Longer than anybody waits in a conversation.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
const SERVER_ERROR_WAIT: Duration = Duration::from_millis(500);

/// Returns what a person is told of an error that another try would only repeat (protocol: errors); the settings help.
fn fatal(error: &ApiError) -> Option<String> {
    if error.rejects_key() {
        return Some("The server rejected the key.".to_owned());
    }
    let words = match error.code_or_kind() {
        "insufficient_quota" | "billing_hard_limit_reached" => {
            "The account has no credit left; the server answers again once it has.".to_owned()
        }
        "account_deactivated" => "The account behind the key has been closed.".to_owned(),
        "invalid_model" | "model_not_found" => format!("The server does not have this model: {}", error.message),
        "beta_api_shape_disabled" => {
            "The server no longer speaks the protocol of 2024; choose another kind of server.".to_owned()
        }
        "session_limit_reached" => "The server talks with somebody else and takes no second conversation.".to_owned(),
        _ => return None,
    };
    Some(words)
}

impl Session {
    pub(super) fn handle_error(&mut self, now: Instant, error: ApiError) {
        if let Some(words) = fatal(&error) {
            return self.refuse(now, words);
        }
        match error.code_or_kind() {
            "response_cancel_not_active" => {
                let say = self.responses.handle_nothing_to_cancel(now);
                self.say(say);
            }
            "input_audio_buffer_commit_empty" | "unsupported_content_type" => {}
            "conversation_already_has_active_response" => self.responses.handle_already_active(),
            "cannot_update_voice" => self.connection.want_renewal(),
            "session_expired" => {
                self.out.push_back(Output::Disconnect);
                self.handle_link_closed(now, LinkEnd::Expired);
            }
            // Some servers refuse a field and take the rest: `session.updated` may still come.
            _ if self.connection.phase == Phase::Configuring => self.connection.handle_refusal(now, error.message),
            // Heard ends a hair behind received on some servers; the words are cut here all the same.
            _ if error.message.contains("already shorter than") => {}
            _ => {
                self.preview.handle_refused();
                self.notify("server", Severity::Warning, error.message, NoticeAction::Dismiss);
            }
        }
    }

    pub(super) fn handle_limits(&mut self, limits: &[RateLimit]) {
        self.limit_reset = limits.iter().filter(|l| l.remaining == 0).map(reset).max();
    }

    /// Says why an answer is missing or cut, unless asking once more may mend it.
    pub(super) fn tell_failure(&mut self, now: Instant, response: &Response, wanted: bool) {
        let details = response.status_details.as_ref();
        match response.status {
            ResponseStatus::Failed => {
                let error = details.and_then(|d| d.error.clone()).unwrap_or_default();
                if let Some(words) = fatal(&error) {
                    self.refuse(now, words);
                } else if let Some(wait) = self.passing(&error).filter(|_| wanted && !self.retried) {
                    self.retried = true;
                    self.retry_at = Some(now + wait);
                } else {
                    let words = if error.message.is_empty() { "the server gave no reason." } else { &error.message };
                    let words = format!("No answer: {words}");
                    self.notify(RESPONSE, Severity::Error, words, NoticeAction::Retry);
                }
            }
            ResponseStatus::Incomplete => {
                let words = match reason(details) {
                    Some("content_filter") => "The server's filter cut the answer off.",
                    Some("max_output_tokens") => "The answer was cut off: it had grown too long.",
                    Some(_) | None => "The server cut the answer off.",
                };
                self.notify(RESPONSE, Severity::Info, words.into(), NoticeAction::Dismiss);
            }
            ResponseStatus::InProgress | ResponseStatus::Completed | ResponseStatus::Cancelled => {}
        }
    }

    fn refuse(&mut self, now: Instant, words: String) {
        self.out.push_back(Output::Disconnect);
        self.handle_link_closed(now, LinkEnd::Refused { words, helps: NoticeAction::OpenSettings });
    }

    /// Returns how long to wait before asking again, if the reason will pass.
    fn passing(&self, error: &ApiError) -> Option<Duration> {
        match error.code_or_kind() {
            "rate_limit_exceeded" | "inference_rate_limit_exceeded" => {
                Some(self.limit_reset.unwrap_or(RATE_LIMIT_WAIT).min(LONGEST_RETRY))
            }
            "server_error" => Some(SERVER_ERROR_WAIT),
            _ => None,
        }
    }
}

fn reason(details: Option<&StatusDetails>) -> Option<&str> {
    details.and_then(|d| d.reason.as_deref())
}

fn reset(limit: &RateLimit) -> Duration {
    Duration::try_from_secs_f64(limit.reset_seconds).unwrap_or(RATE_LIMIT_WAIT)
}
