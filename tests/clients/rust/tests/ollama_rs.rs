//! ollama-rs against the router: lists, answers, streams, tools, vectors, errors.
//!
//! Needs a router in demo mode at `ROUTER_URL`; run it by `tests/clients/run.sh`.
//! What the client makes of errors is its own: before the first word it gives the
//! body as it came, without the status, and after it an error without words, having
//! printed ours to the standard error stream. What is simulated is in
//! `src/simulated.rs`.

use std::env;

use ollama_rs::{
    Ollama,
    coordinator::Coordinator,
    error::OllamaError,
    generation::{
        chat::{ChatMessage, ChatMessageResponse, MessageRole, request::ChatMessageRequest},
        embeddings::request::{EmbeddingsInput, GenerateEmbeddingsRequest},
        images::Image,
        parameters::{FormatType, JsonStructure},
        tools::Tool,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use simulated::{
    BRITTLE, BROKEN, DIMENSIONS, EMBEDDING, LARGE, PICTURE, PRIM, QUESTION, REFUSAL, THOUGHT, answer, is_near,
    is_vector, report, without_model,
};
use tokio_stream::StreamExt as _;

/// What is asked for, as a tool's parameters and as a schema.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Weather {
    city: String,
}

/// A tool that always finds the same weather.
struct Thermometer;

impl Tool for Thermometer {
    type Params = Weather;

    fn name() -> &'static str {
        "get_weather"
    }

    fn description() -> &'static str {
        "Tells the weather of a city."
    }

    async fn call(&mut self, asked: Weather) -> ollama_rs::generation::tools::Result<String> {
        Ok(format!("22 degrees in {}", asked.city))
    }
}

fn client() -> Ollama {
    Ollama::try_new(env::var("ROUTER_URL").unwrap()).unwrap()
}

fn asking(model: &str, words: &str) -> ChatMessageRequest {
    ChatMessageRequest::new(model.to_owned(), vec![ChatMessage::user(words.to_owned())])
}

fn words(error: &OllamaError) -> String {
    error.to_string()
}

/// Returns what is streamed, and whether it ended in an error.
async fn streamed(request: ChatMessageRequest) -> (Vec<ChatMessageResponse>, bool) {
    let mut stream = client().send_chat_messages_stream(request).await.unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => pieces.push(piece),
            Err(()) => return (pieces, true),
        }
    }
    (pieces, false)
}

fn content(pieces: &[ChatMessageResponse]) -> String {
    pieces.iter().map(|piece| piece.message.content.as_str()).collect()
}

#[tokio::test]
async fn every_listed_model_can_be_shown() {
    let models = client().list_local_models().await.unwrap();
    assert!(models.len() > 10 && models.iter().any(|model| model.name == LARGE));
    for model in models {
        assert!(model.size >= 1 && !model.modified_at.is_empty(), "{model:?}");
        let shown = client().show_model_info(model.name.clone()).await.unwrap();
        let architecture = shown.model_info["general.architecture"].as_str().unwrap();
        assert!(shown.model_info[&format!("{architecture}.context_length")].as_u64() >= Some(1), "{}", model.name);
        let embeds = shown.capabilities == ["embedding"];
        assert_ne!(shown.capabilities.contains(&"completion".to_owned()), embeds, "{}", model.name);
        assert_eq!(model.name == EMBEDDING, embeds);
    }
}

#[tokio::test]
async fn a_chat_is_answered_whole() {
    let whole = client().send_chat_messages(asking(LARGE, "Hello!")).await.unwrap();
    assert_eq!((&*whole.model, whole.done, &whole.message.role), (LARGE, true, &MessageRole::Assistant));
    assert_eq!(without_model(&whole.message.content), answer("Hello!"));
    let figures = whole.final_data.unwrap();
    assert!(figures.prompt_eval_count >= 1 && figures.eval_count >= 1 && figures.total_duration >= 1);
}

#[tokio::test]
async fn a_streamed_chat_is_the_same_in_pieces() {
    let (pieces, is_broken) = streamed(asking(LARGE, "Hello!")).await;
    assert!(!is_broken && pieces.len() > 10);
    assert_eq!(without_model(&content(&pieces)), answer("Hello!"));
    let last = pieces.last().unwrap();
    assert!(last.done && last.final_data.is_some());
    assert_eq!(pieces.iter().filter(|piece| piece.done).count(), 1);
}

#[tokio::test]
async fn a_model_thinks_when_asked_to() {
    let whole = client().send_chat_messages(asking(LARGE, "Hello!").think(true)).await.unwrap();
    assert_eq!(without_model(&whole.message.content), answer("Hello!"));
    assert_eq!(whole.message.thinking.as_deref(), Some(THOUGHT));
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_is_used() {
    let mut coordinator = Coordinator::new(client(), "auto".to_owned(), Vec::new()).add_tool(Thermometer);
    let told = coordinator.chat(vec![ChatMessage::user(QUESTION.to_owned())]).await.unwrap();
    assert_eq!(without_model(&told.message.content), report("22 degrees in Paris"));
}

#[tokio::test]
async fn a_tool_is_called_in_a_stream() {
    let (pieces, is_broken) = streamed(asking("auto", QUESTION).add_tool(Thermometer)).await;
    let calls: Vec<_> = pieces.iter().flat_map(|piece| &piece.message.tool_calls).collect();
    assert!(!is_broken && pieces.last().unwrap().done);
    assert_eq!((calls.len(), &*calls[0].function.name), (1, "get_weather"));
    assert_eq!(calls[0].function.arguments, json!({"city": "Paris"}));
}

#[tokio::test]
async fn a_picture_goes_to_a_model_that_sees() {
    let question = ChatMessage::user("What is this?".to_owned()).add_image(Image::from_base64(PICTURE));
    let request = ChatMessageRequest::new("auto".to_owned(), vec![question]);
    let seen = client().send_chat_messages(request).await.unwrap();
    assert_eq!(without_model(&seen.message.content), answer("What is this?"));
}

#[tokio::test]
async fn an_answer_keeps_to_a_schema() {
    let form = FormatType::StructuredJson(Box::new(JsonStructure::new::<Weather>()));
    let whole = client().send_chat_messages(asking("auto", QUESTION).format(form)).await.unwrap();
    let weather: Weather = serde_json::from_str(&whole.message.content).unwrap();
    assert_eq!(weather, Weather { city: "Paris".to_owned() });
}

#[tokio::test]
async fn texts_become_vectors_in_their_order() {
    let texts = EmbeddingsInput::from(vec!["One", "Two", "One"]);
    let request = GenerateEmbeddingsRequest::new(EMBEDDING.to_owned(), texts);
    let vectors = client().generate_embeddings(request).await.unwrap().embeddings;
    assert_eq!(vectors.len(), 3);
    assert!(is_vector(&vectors[0], DIMENSIONS) && is_near(&vectors[0], &vectors[2]));
    assert!(!is_near(&vectors[0], &vectors[1]));
    let short = GenerateEmbeddingsRequest::new(EMBEDDING.to_owned(), "One".into()).dimensions(64);
    let short = client().generate_embeddings(short).await.unwrap().embeddings;
    assert!(short.len() == 1 && is_vector(&short[0], 64));
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let chat = client().send_chat_messages(asking("no-such-model", "Hello!")).await.unwrap_err();
    let shown = client().show_model_info("no-such-model".to_owned()).await.unwrap_err();
    let body = json!({"error": "model 'no-such-model' not found"}).to_string();
    assert_eq!([words(&chat), words(&shown)], [&*body; 2]);
    let request = GenerateEmbeddingsRequest::new("no-such-model".to_owned(), "One".into());
    let vectors = client().generate_embeddings(request).await.unwrap_err();
    let body = json!({"error": "model \"no-such-model\" not found, try pulling it first"}).to_string();
    assert_eq!(words(&vectors), body);
}

#[tokio::test]
async fn an_error_before_the_first_word_is_told() {
    let told = |error: &OllamaError| serde_json::from_str::<Value>(&words(error)).unwrap()["error"].clone();
    let whole = client().send_chat_messages(asking(PRIM, "Hello!")).await.unwrap_err();
    assert_eq!(told(&whole), REFUSAL);
    let Err(stream) = client().send_chat_messages_stream(asking(PRIM, "Hello!")).await else {
        panic!("a stream began");
    };
    assert_eq!(told(&stream), REFUSAL);
}

#[tokio::test]
async fn an_error_after_the_first_words_is_seen_though_not_ours() {
    let (pieces, is_broken) = streamed(asking(BRITTLE, "Hello!")).await;
    assert_eq!((&*content(&pieces), is_broken), (BROKEN, true));
    assert!(pieces.iter().all(|piece| !piece.done));
}

#[tokio::test]
async fn a_whole_answer_that_would_break_off_comes_from_another_model() {
    let whole = client().send_chat_messages(asking(BRITTLE, "Hello!")).await.unwrap();
    assert_eq!((&*whole.model, &*without_model(&whole.message.content)), (BRITTLE, &*answer("Hello!")));
}
