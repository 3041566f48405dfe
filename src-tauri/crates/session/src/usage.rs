//! Tokens and what they cost. Cached tokens are a part of the input tokens, at a price of their own.

use std::collections::BTreeMap;

use protocol::{TranscriptionUsage, Usage};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The prices that ship; a user's own file takes its place.
const SHIPPED: &str = include_str!("../prices.json");

/// List prices, as of a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// The day they were read, as `2026-11-22`.
    pub as_of: String,
    /// Of models that speak, by name; a dated name such as `…-2026-01-01` has the price of the name it begins with.
    pub models: BTreeMap<String, ModelPrice>,
    /// Of models that write down the user.
    #[serde(default)]
    pub transcription: BTreeMap<String, TranscriptionPrice>,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelPrice {
    /// Text read.
    pub text_in: f64,
    /// Text read from the cache.
    pub text_cached: f64,
    /// Text written, the transcript of speech included.
    pub text_out: f64,
    /// Speech heard.
    pub audio_in: f64,
    /// Speech heard before.
    pub audio_cached: f64,
    /// Speech spoken.
    pub audio_out: f64,
    /// Pictures seen.
    pub image_in: f64,
    /// Pictures seen before.
    pub image_cached: f64,
}

/// US dollars, by the token or by the minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TranscriptionPrice {
    /// For a minute of speech.
    pub per_minute: f64,
    /// For a million tokens read.
    pub token_in: f64,
    /// For a million tokens written.
    pub token_out: f64,
}

impl Prices {
    /// Returns the prices that ship.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED).unwrap_or_default()
    }

    /// Reads a table.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }
}

/// Returns the entry with that name, or with the longest name that it begins with, up to a dash.
fn by_name<'a, T>(table: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    let fits = |key: &str| name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || is_date(rest));
    table.iter().filter(|(key, _)| fits(key)).max_by_key(|(key, _)| key.len()).map(|(_, price)| price)
}

fn is_date(rest: &str) -> bool {
    rest.strip_prefix("-20").is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
}

/// What a conversation has used, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// Answers counted.
    pub responses: u32,
    /// Tokens read, cached ones included.
    #[ts(type = "number")]
    pub input_tokens: u64,
    /// Of these, from the cache.
    #[ts(type = "number")]
    pub cached_tokens: u64,
    /// Tokens written.
    #[ts(type = "number")]
    pub output_tokens: u64,
    /// Of the last answer, in US dollars; none where the model has no price.
    pub last_usd: Option<f64>,
    /// Of all answers and transcriptions.
    pub total_usd: Option<f64>,
    /// Part of the total that went to writing down the user.
    pub transcription_usd: f64,
    /// What would have been paid more without the cache.
    pub saved_usd: Option<f64>,
    /// The day the prices were read.
    pub prices_as_of: Option<String>,
}

/// Tokens of one response by their price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    usd: f64,
    /// US dollars more without the cache.
    saved_usd: f64,
}

/// Returns what a response costs.
fn cost(usage: &Usage, price: &ModelPrice) -> Cost {
    let (input, output) = (&usage.input_token_details, &usage.output_token_details);
    let cached = input.cached_tokens_details.unwrap_or_else(|| {
        // A server that does not say what was cached has most likely cached text.
        let text_tokens = input.cached_tokens.unwrap_or(0).min(input.text_tokens);
        protocol::CachedTokens { text_tokens, ..Default::default() }
    });
    let images = input.image_tokens.unwrap_or(0);
    let kinds = [
        (input.text_tokens, cached.text_tokens, price.text_in, price.text_cached),
        (input.audio_tokens, cached.audio_tokens, price.audio_in, price.audio_cached),
        (images, cached.image_tokens, price.image_in, price.image_cached),
    ];
    let mut cost = Cost::default();
    for (all, cached, full, less) in kinds {
        let cached = cached.min(all);
        cost.usd += million(all - cached) * full + million(cached) * less;
        cost.saved_usd += million(cached) * (full - less);
    }
    cost.usd += million(output.text_tokens) * price.text_out + million(output.audio_tokens) * price.audio_out;
    cost
}

/// Returns what a transcription costs.
fn transcription_cost(usage: &TranscriptionUsage, price: &TranscriptionPrice) -> f64 {
    match usage {
        // A token of the user's audio is 100 ms (protocol: limits).
        TranscriptionUsage::Tokens { input_token_details, .. } if price.token_in == 0.0 && price.token_out == 0.0 => {
            input_token_details.audio_tokens as f64 / 600.0 * price.per_minute
        }
        TranscriptionUsage::Tokens { input_tokens, output_tokens, .. } => {
            million(*input_tokens) * price.token_in + million(*output_tokens) * price.token_out
        }
        TranscriptionUsage::Duration { seconds } => seconds.max(0.0) / 60.0 * price.per_minute,
        TranscriptionUsage::Other(_) => 0.0,
    }
}

fn million(tokens: u64) -> f64 {
    tokens as f64 / 1e6
}

/// Adds up a conversation.
#[derive(Debug)]
pub(crate) struct Meter {
    prices: Prices,
    total: UsageView,
}

impl Meter {
    pub fn new(prices: Prices) -> Self {
        Self { prices, total: UsageView::default() }
    }

    /// Returns the sum so far; none before the first answer.
    pub fn view(&self) -> Option<UsageView> {
        (self.total != UsageView::default()).then(|| self.total.clone())
    }

    pub fn clear(&mut self) {
        self.total = UsageView::default();
    }

    pub fn handle_response(&mut self, model: &str, usage: &Usage) -> UsageView {
        self.total.responses += 1;
        self.total.input_tokens += usage.input_tokens;
        self.total.cached_tokens += usage.input_token_details.cached_tokens.unwrap_or(0);
        self.total.output_tokens += usage.output_tokens;
        let cost = by_name(&self.prices.models, model).map(|price| cost(usage, price));
        self.total.last_usd = cost.map(|c| c.usd);
        if let Some(cost) = cost {
            *self.total.saved_usd.get_or_insert_default() += cost.saved_usd;
            self.add(cost.usd);
        }
        self.total.clone()
    }

    pub fn handle_transcription(&mut self, model: &str, usage: &TranscriptionUsage) -> Option<UsageView> {
        let usd = transcription_cost(usage, by_name(&self.prices.transcription, model)?);
        self.total.transcription_usd += usd;
        self.add(usd);
        Some(self.total.clone())
    }

    fn add(&mut self, usd: f64) {
        *self.total.total_usd.get_or_insert_default() += usd;
        self.total.prices_as_of = Some(self.prices.as_of.clone());
    }
}

#[cfg(test)]
mod tests {
    use protocol::{CachedTokens, TokenDetails};

    use super::*;

    /// The usage object of the reference (protocol 4.6).
    fn example() -> Usage {
        Usage {
            total_tokens: 253,
            input_tokens: 132,
            output_tokens: 121,
            input_token_details: TokenDetails {
                text_tokens: 119,
                audio_tokens: 13,
                image_tokens: Some(0),
                cached_tokens: Some(64),
                cached_tokens_details: Some(CachedTokens { text_tokens: 64, ..Default::default() }),
            },
            output_token_details: TokenDetails { text_tokens: 30, audio_tokens: 91, ..Default::default() },
        }
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn cached_tokens_are_part_of_the_input_and_cheaper() {
        let price = Prices::shipped().models["gpt-realtime-2.1"];
        let cost = cost(&example(), &price);
        // (119 - 64) * 4 + 64 * 0.40 + 13 * 32 + 30 * 24 + 91 * 64, in millionths of a dollar.
        assert!(close(cost.usd, 7205.6e-6), "{}", cost.usd);
        assert!(close(cost.saved_usd, 64.0 * 3.6e-6), "{}", cost.saved_usd);
    }

    #[test]
    fn a_minute_of_speech_costs_what_the_reference_derives() {
        let prices = Prices::shipped();
        // 600 tokens a minute heard, 1200 spoken (protocol 1.6 and 1.7).
        for (model, heard, spoken) in [("gpt-realtime-2.1", 0.0192, 0.0768), ("gpt-realtime-2.1-mini", 0.006, 0.024)] {
            let tokens = |input, output| Usage {
                input_token_details: TokenDetails { audio_tokens: input, ..Default::default() },
                output_token_details: TokenDetails { audio_tokens: output, ..Default::default() },
                ..Default::default()
            };
            let price = prices.models[model];
            assert!(close(cost(&tokens(600, 0), &price).usd, heard), "{model}");
            assert!(close(cost(&tokens(0, 1200), &price).usd, spoken), "{model}");
        }
        let flagship = prices.models["gpt-realtime-2.1"];
        assert!(close(flagship.audio_in / flagship.audio_cached, 80.0), "cached audio is 80 times cheaper");
    }

    #[test]
    fn a_conversation_adds_up_and_transcription_is_billed_apart() {
        let mut meter = Meter::new(Prices::shipped());
        assert_eq!(meter.view(), None);
        meter.handle_response("gpt-realtime-2.1-2026-08-01", &example());
        let usage = TranscriptionUsage::Duration { seconds: 120.0 };
        let view = meter.handle_transcription("gpt-transcribe", &usage).unwrap();
        assert!(close(view.transcription_usd, 0.009));
        assert!(close(view.total_usd.unwrap(), 0.009 + 7205.6e-6));
        assert_eq!((view.responses, view.input_tokens, view.cached_tokens), (1, 132, 64));
        assert_eq!(view.prices_as_of.as_deref(), Some("2026-11-22"));
    }

    #[test]
    fn a_model_without_a_price_costs_nobody_knows_what() {
        let mut meter = Meter::new(Prices::shipped());
        let view = meter.handle_response("gpt-realtime-2.1-maxi", &example());
        assert_eq!((view.total_usd, view.last_usd, view.output_tokens), (None, None, 121));
        assert_eq!(meter.handle_transcription("nobody", &TranscriptionUsage::Duration { seconds: 1.0 }), None);
    }
}
