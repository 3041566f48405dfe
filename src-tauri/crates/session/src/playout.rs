//! Audio received against audio heard, part by part; what to cut after an interruption.

use std::collections::VecDeque;

use protocol::{At, AudioBytes, Pcm16, PcmCarry};

use crate::SegmentId;

/// Interrupted responses whose late audio is dropped; older ones have long been answered by `response.done`.
const DEAD_KEPT: usize = 32;

/// The ledger of one link.
#[derive(Debug, Default)]
pub(crate) struct Playout {
    parts: Vec<Part>,
    dead: VecDeque<String>,
    next_segment: u32,
    generation: u32,
}

#[derive(Debug)]
struct Part {
    segment: SegmentId,
    response_id: String,
    item_id: String,
    content_index: u32,
    carry: PcmCarry,
    received: u64,
    heard: u64,
    /// Frames that an earlier speaker had; this segment counts from there.
    offset: u64,
    state: PartState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartState {
    Receiving,
    Received,
    /// Interrupted; waits for the speaker's last word on what was heard.
    Cutting,
}

/// What was heard of an interrupted part, once the speaker is silent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub item_id: String,
    pub content_index: u32,
    /// Frames at 24 kHz, no more than received.
    pub heard: u64,
    pub received: u64,
}

/// A step in what is heard.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub item_id: String,
    /// Whether this is the first sound of its response.
    pub first: bool,
    /// Whether the part has been heard to its end.
    pub finished: bool,
}

impl Playout {
    /// Returns whether received audio has still to be heard.
    pub fn is_playing(&self) -> bool {
        self.parts.iter().any(|p| p.state != PartState::Cutting && p.heard < p.received)
    }

    /// Returns whether audio of this response is dropped.
    pub fn is_dead(&self, at: &At) -> bool {
        self.dead.iter().any(|d| *d == at.response_id || *d == at.item_id)
    }

    /// Returns whether some audio of this response is here and not forgotten.
    pub fn has_of(&self, response_id: &str) -> bool {
        self.parts.iter().any(|p| p.response_id == response_id && p.received > 0)
    }

    /// Takes audio; returns what to play, nothing if its response was interrupted.
    pub fn receive(&mut self, at: &At, bytes: &AudioBytes) -> Option<(SegmentId, Pcm16)> {
        if self.is_dead(at) {
            return None;
        }
        let index = self.index(at).unwrap_or_else(|| {
            let segment = SegmentId(self.next_segment);
            self.next_segment = self.next_segment.wrapping_add(1);
            self.parts.push(Part {
                segment,
                response_id: at.response_id.clone(),
                item_id: at.item_id.clone(),
                content_index: at.content_index,
                carry: PcmCarry::default(),
                received: 0,
                heard: 0,
                offset: 0,
                state: PartState::Receiving,
            });
            self.parts.len() - 1
        });
        let part = &mut self.parts[index];
        let pcm = part.carry.decode(bytes);
        part.received += pcm.frames();
        (!pcm.0.is_empty()).then_some((part.segment, pcm))
    }

    /// A part is complete; returns its segment.
    pub fn finish(&mut self, at: &At) -> Option<SegmentId> {
        let index = self.index(at)?;
        let part = &mut self.parts[index];
        part.state = PartState::Received;
        let segment = part.segment;
        if part.heard >= part.received {
            self.parts.remove(index);
        }
        Some(segment)
    }

    /// The render callback has consumed so much of a segment in all.
    pub fn handle_heard(&mut self, segment: SegmentId, frames: u64) -> Option<Progress> {
        let index = self.parts.iter().position(|p| p.segment == segment)?;
        let part = &mut self.parts[index];
        let frames = part.offset + frames;
        let first = part.heard == 0 && frames > 0;
        part.heard = part.heard.max(frames.min(part.received));
        let finished = part.state == PartState::Received && part.heard == part.received;
        let item_id = part.item_id.clone();
        if finished {
            self.parts.remove(index);
        }
        Some(Progress { item_id, first, finished })
    }

    /// Interrupts what is heard or about to be; returns the generation of the flush if there is anything to flush.
    pub fn interrupt(&mut self, active_response: Option<&str>) -> Option<u32> {
        if let Some(id) = active_response {
            self.bury(id.to_owned());
        }
        let mut names = Vec::new();
        let mut audible = false;
        for part in self.parts.iter_mut().filter(|p| p.state != PartState::Cutting) {
            names.push(if part.response_id.is_empty() { part.item_id.clone() } else { part.response_id.clone() });
            audible |= part.heard < part.received;
            part.state = PartState::Cutting;
        }
        names.into_iter().for_each(|name| self.bury(name));
        if !audible {
            self.parts.retain(|p| p.state != PartState::Cutting || p.heard < p.received);
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        Some(self.generation)
    }

    /// The speaker is silent; returns what was cut, in order.
    pub fn handle_flushed(&mut self, generation: u32) -> Vec<Cut> {
        if generation != self.generation {
            return Vec::new();
        }
        let (cut, kept) = std::mem::take(&mut self.parts).into_iter().partition(|p| p.state == PartState::Cutting);
        self.parts = kept;
        let cut: Vec<Part> = cut;
        cut.into_iter()
            .filter(|p| p.heard < p.received)
            .map(|p| Cut { item_id: p.item_id, content_index: p.content_index, heard: p.heard, received: p.received })
            .collect()
    }

    /// The link is gone: what was received is heard to its end. Returns the segments that get no more audio.
    ///
    /// Segments and generations go on, so that late reports of the speaker keep their meaning.
    pub fn handle_loss(&mut self) -> Vec<SegmentId> {
        self.dead.clear();
        let open = self.parts.iter_mut().filter(|p| p.state == PartState::Receiving);
        let segments = open.map(|p| {
            p.state = PartState::Received;
            p.segment
        });
        let segments = segments.collect();
        self.parts.retain(|p| p.heard < p.received);
        segments
    }

    /// Nothing more of what was received will be heard; it is not cut either, for it is read. Returns what had been
    /// interrupted before and will have no last word of the speaker.
    pub fn handle_speaker_lost(&mut self) -> Vec<Cut> {
        let cut = self.handle_flushed(self.generation);
        self.parts.retain(|p| p.state == PartState::Receiving);
        for part in &mut self.parts {
            part.segment = SegmentId(self.next_segment);
            self.next_segment = self.next_segment.wrapping_add(1);
            part.heard = part.received;
            part.offset = part.received;
        }
        cut
    }

    /// Panics if the ledger contradicts itself. For tests.
    #[cfg(test)]
    pub fn verify_invariants(&self) {
        for part in &self.parts {
            assert!(part.heard <= part.received, "heard more than received: {part:?}");
        }
    }

    fn index(&self, at: &At) -> Option<usize> {
        let same = |p: &Part| p.item_id == at.item_id && p.content_index == at.content_index;
        self.parts.iter().position(|p| same(p) && p.response_id == at.response_id && p.state == PartState::Receiving)
    }

    /// Drops audio of this response, or of this item, from now on.
    pub fn bury(&mut self, name: String) {
        if !name.is_empty() && !self.dead.contains(&name) {
            self.dead.push_back(name);
            if self.dead.len() > DEAD_KEPT {
                self.dead.pop_front();
            }
        }
    }
}

/// Estimates how many characters of `text` were heard: in proportion to the audio, back to the end of a word.
///
/// Transcripts are not aligned with audio on this protocol, so this is the best a client knows by itself.
pub(crate) fn heard_chars(text: &str, heard: u64, received: u64) -> usize {
    let total = text.chars().count();
    if received == 0 || heard >= received {
        return if received == 0 { 0 } else { total };
    }
    let reached = (total as u128 * u128::from(heard) / u128::from(received)) as usize;
    let chars: Vec<char> = text.chars().collect();
    if chars.get(reached).is_none_or(|c| c.is_whitespace()) {
        return reached;
    }
    chars[..reached].iter().rposition(|c| c.is_whitespace()).unwrap_or(0)
}
