//! A whole answer in parts: reasoning, text, tool calls, usage, ending.
//!
//! Turns the parts into the steps of a stream in the shapes the real upstream
//! has, awkward ones included. It knows no bytes and no request: the estimate
//! of tokens is handed in. Read `reply/fault.rs` for how an answer breaks.

use serde_json::{Value, json};

use crate::sandbox::reply::Reply;
use crate::sandbox::reply::fault::{self, Fault};
use crate::sandbox::reply::step::{Step, choice};

/// The length of one fragment of a tool call's arguments, in characters.
const FRAGMENT_CHARS: usize = 8;

/// A rough rule for English text that needs no tokenizer.
const CHARS_PER_TOKEN: usize = 4;

/// How a tool call is spelled in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolForm {
    /// Name first, then the arguments in fragments.
    Fragments,
    /// As `Fragments`, but each one repeats the id and the name.
    Repeating,
    /// All in one fragment.
    Whole,
    /// All in one fragment whose id is empty.
    NoId,
    /// A call whose arguments stay the empty text.
    NoArguments,
}

/// Where the finish reason and the usage stand at the end of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// The finish chunk comes twice, the second time with the usage.
    #[default]
    FinishTwice,
    /// One finish chunk, then the usage in a chunk with `choices: []`.
    UsageAlone,
    /// One finish chunk, then the usage beside `finish_reason: null`.
    UsageUnfinished,
    /// The finish reason on the last content chunk, then the usage alone.
    FinishOnLast,
    /// One finish chunk and no usage at all.
    NoUsage,
}

#[derive(Clone, Debug, Default)]
pub(in crate::sandbox) struct Parts {
    pub(in crate::sandbox) reasoning: Vec<String>,
    pub(in crate::sandbox) text: Vec<String>,
    pub(in crate::sandbox) tools: Vec<Tool>,
    pub(in crate::sandbox) finish: Option<String>,
    pub(in crate::sandbox) usage: Option<(u64, u64)>,
    pub(in crate::sandbox) tail: Tail,
    pub(in crate::sandbox) logprobs: bool,
    pub(in crate::sandbox) fault: Option<Fault>,
}

#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Tool {
    form: ToolForm,
    name: String,
    arguments: String,
}

/// What a call costs: known when the reply is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sandbox) struct Estimate {
    pub(in crate::sandbox) prompt_tokens: u64,
    pub(in crate::sandbox) prompt_price: f64,
    pub(in crate::sandbox) completion_price: f64,
}

impl Reply {
    /// Sends `text` as reasoning before the answer, word by word.
    pub fn reasoning(mut self, text: &str) -> Self {
        let words = text.split_inclusive(' ').map(str::to_owned);
        self.parts().reasoning = words.collect();
        self
    }

    /// Calls a tool, its arguments in fragments; may be repeated.
    pub fn tool_call(self, name: &str, arguments: &Value) -> Self {
        self.tool_call_as(ToolForm::Fragments, name, arguments)
    }

    /// Calls a tool in the given form; may be repeated.
    pub fn tool_call_as(mut self, form: ToolForm, name: &str, arguments: &Value) -> Self {
        self.parts().tools.push(Tool { form, name: name.to_owned(), arguments: arguments.to_string() });
        self
    }

    /// Finishes for this reason in place of `stop` or `tool_calls`.
    pub fn finish(mut self, reason: &str) -> Self {
        self.parts().finish = Some(reason.to_owned());
        self
    }

    /// Reports these token counts in place of an estimate.
    pub fn usage(mut self, prompt_tokens: u64, completion_tokens: u64) -> Self {
        self.parts().usage = Some((prompt_tokens, completion_tokens));
        self
    }

    /// Ends the stream in the given form.
    pub fn tail(mut self, tail: Tail) -> Self {
        self.parts().tail = tail;
        self
    }

    /// Sends log probabilities with each chunk of text.
    pub fn logprobs(mut self) -> Self {
        self.parts().logprobs = true;
        self
    }
}

impl Parts {
    /// Returns the steps that send these parts, whole or broken.
    pub(in crate::sandbox) fn steps(&self, estimate: Estimate) -> Vec<Step> {
        let mut steps = self.content();
        match &self.fault {
            None => {
                self.end(&mut steps, estimate);
                steps.push(Step::Done);
            }
            Some(Fault::NoDone) => self.end(&mut steps, estimate),
            Some(Fault::ErrorAfterFinish(error)) => {
                steps.push(Step::finish(self.finish_reason()));
                steps.push(fault::error_choice(error));
                steps.push(Step::Done);
            }
            Some(Fault::ErrorChoice(error)) => steps.push(fault::error_choice(error)),
            Some(Fault::ErrorEmptyChoices(error)) => steps.push(fault::error_chunk(error)),
            Some(Fault::Malformed) => steps.extend([fault::malformed(), Step::Done]),
            Some(Fault::NoFinish) => {}
            Some(Fault::Hang) => steps.push(Step::Hang),
            Some(Fault::Cut) => steps.push(Step::Cut),
        }
        steps
    }

    fn content(&self) -> Vec<Step> {
        let reasoning = self.reasoning.iter().map(|text| Step::reasoning(text));
        let text = self.text.iter().map(|text| self.text_step(text));
        let fragments = self.tools.iter().enumerate();
        let fragments = fragments.flat_map(|(index, tool)| tool.fragments(index));
        let tools = fragments.map(|fragment| Step::tool(&fragment));
        reasoning.chain(text).chain(tools).collect()
    }

    fn text_step(&self, text: &str) -> Step {
        let mut choice = choice(&json!({"role": "assistant", "content": text}), None);
        if self.logprobs {
            let token = json!({"token": text, "logprob": -0.25, "bytes": text.as_bytes(),
                "top_logprobs": []});
            choice["logprobs"] = json!({"content": [token], "refusal": null});
        }
        Step::Data(json!({"choices": [choice]}))
    }

    fn end(&self, steps: &mut Vec<Step>, estimate: Estimate) {
        let reason = self.finish_reason();
        let usage = self.usage_value(estimate);
        let nothing = || json!({"role": "assistant", "content": ""});
        match self.tail {
            Tail::FinishTwice => {
                let choices = [choice(&nothing(), Some(reason))];
                steps.push(Step::finish(reason));
                steps.push(Step::Data(json!({"choices": choices, "usage": usage})));
            }
            Tail::UsageAlone => {
                steps.push(Step::finish(reason));
                steps.push(Step::Data(json!({"choices": [], "usage": usage})));
            }
            Tail::UsageUnfinished => {
                let choices = [choice(&nothing(), None)];
                steps.push(Step::finish(reason));
                steps.push(Step::Data(json!({"choices": choices, "usage": usage})));
            }
            Tail::FinishOnLast => {
                match steps.last_mut() {
                    Some(Step::Data(chunk)) => {
                        chunk["choices"][0]["finish_reason"] = json!(reason);
                        chunk["choices"][0]["native_finish_reason"] = json!(reason);
                    }
                    Some(_) | None => steps.push(Step::finish(reason)),
                }
                steps.push(Step::Data(json!({"choices": [], "usage": usage})));
            }
            Tail::NoUsage => steps.push(Step::finish(reason)),
        }
    }

    fn finish_reason(&self) -> &str {
        let usual = if self.tools.is_empty() { "stop" } else { "tool_calls" };
        self.finish.as_deref().unwrap_or(usual)
    }

    fn usage_value(&self, estimate: Estimate) -> Value {
        let reasoning = tokens(&self.reasoning.concat());
        let arguments: String = self.tools.iter().map(|t| t.arguments.as_str()).collect();
        let written = reasoning + tokens(&self.text.concat()) + tokens(&arguments);
        let (prompt, completion) = self.usage.unwrap_or((estimate.prompt_tokens, written));
        let cost = price(prompt, estimate.prompt_price) + price(completion, estimate.completion_price);
        usage(prompt, completion, reasoning, cost)
    }
}

impl Tool {
    fn fragments(&self, index: usize) -> Vec<Value> {
        let id = format!("call_{index}_{}", self.name);
        let whole = |id: &str, arguments: &str| {
            json!({"index": index, "id": id, "type": "function",
                "function": {"name": self.name, "arguments": arguments}})
        };
        match self.form {
            ToolForm::Whole => vec![whole(&id, &self.arguments)],
            ToolForm::NoId => vec![whole("", &self.arguments)],
            ToolForm::NoArguments => vec![whole(&id, "")],
            ToolForm::Repeating => {
                let pieces = pieces(&self.arguments).into_iter();
                pieces.map(|piece| whole(&id, &piece)).collect()
            }
            ToolForm::Fragments => {
                let later = |piece: String| json!({"index": index, "function": {"arguments": piece}});
                let mut fragments = vec![whole(&id, "")];
                fragments.extend(pieces(&self.arguments).into_iter().map(later));
                fragments
            }
        }
    }
}

/// Estimates the tokens of a text: a quarter of its characters, rounded up.
pub(in crate::sandbox) fn tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count().div_ceil(CHARS_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// Returns the `usage` object in the shape of the recorded answers.
pub(in crate::sandbox) fn usage(prompt: u64, completion: u64, reasoning: u64, cost: f64) -> Value {
    // The real one writes a free call's cost as the integer 0.
    let cost = if cost > 0.0 { json!(cost) } else { json!(0) };
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost": cost,
        "is_byok": false,
        "prompt_tokens_details":
            {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
        "completion_tokens_details":
            {"reasoning_tokens": reasoning, "image_tokens": 0, "audio_tokens": 0},
        "cost_details": {
            "upstream_inference_cost": cost,
            "upstream_inference_prompt_cost": 0,
            "upstream_inference_completions_cost": 0,
        },
    })
}

fn price(tokens: u64, token_price: f64) -> f64 {
    // Exact up to four thousand million tokens, far more than a context holds.
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) * token_price.max(0.0)
}

fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(FRAGMENT_CHARS).map(|piece| piece.iter().collect()).collect()
}
