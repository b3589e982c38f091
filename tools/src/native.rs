//! Plays cases against the rules, with the recorded clock.

use crate::{
    app::{App, origin},
    replay::Player,
    transcript::{Case, Exchange, Request},
};
use std::borrow::Cow;
use tollgate::rules::{
    error::Refusal,
    gate::{Ask, Decision, Gate},
    request::{self, Headers},
    time::Timestamp,
    wire::{Answer, flask_jwt},
};

/// The rules, in this process.
pub struct Native;

impl Player for Native {
    const TOLERANCE: f64 = 0.0;

    fn play<'c>(&mut self, case: &'c Case) -> Result<Result<Exchange<'c>, String>, String> {
        #[allow(clippy::cast_possible_truncation)] // whole milliseconds
        let now = Timestamp::from_millis((case.recorded_at * 1000.0) as i64);
        case.token_at(now.numeric_date().seconds())?; // the literal one counts; the specification must be understood
        let app = App::read(&case.config)?;
        let request = case.request_with(case.literal_token.as_deref().unwrap_or("{T}"));
        let ours = match app.gate() {
            Ok(gate) => answer(&app, &gate, &request, now),
            Err(_) => flask_jwt::refusal(&Refusal::Misconfigured),
        };
        Ok(Ok(Exchange { case, request, ours, now: case.recorded_at }))
    }
}

impl Headers for Request {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.joined(name).map(Cow::Owned)
    }
}

/// What the gate, with the application behind it, answers.
fn answer(app: &App, gate: &Gate, request: &Request, now: Timestamp) -> Answer {
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.path.as_str(), None),
    };
    let view = request::Request { method: &request.method, path, query, headers: request };
    let body = request.body.as_deref().unwrap_or_default().as_bytes();
    let mut decision = gate.decide(&view, now);
    let answer = loop {
        decision = match decision {
            Decision::Refuse(refused) => break gate.answer_to(&refused),
            Decision::Answer(answered) => break answered.answer,
            Decision::Identity(passage) => break gate.identity(&passage),
            Decision::Forward(passage) | Decision::Assets(passage) | Decision::Inner(passage) => {
                break origin(passage.admission().identity());
            }
            Decision::Ask(Ask::Body(question)) => question.answer(Ok(body.to_vec())),
            Decision::Ask(Ask::TokenBody(question)) => question.answer(Ok(body), &view, now),
            Decision::Ask(Ask::Random(question)) => {
                let mut random = [0; 64];
                getrandom::fill(&mut random).expect("randomness");
                question.answer(&random, now)
            }
            Decision::Ask(Ask::Authenticate(question)) => {
                let sent = question.credentials();
                let identity = app.authenticate(sent.username.expose(), sent.password.expose());
                question.answer(identity, now)
            }
            Decision::Ask(Ask::Identity(question)) => {
                let identity = app.identity(question.id());
                question.answer(identity)
            }
        };
    };
    if request.method == "HEAD" { Answer { body: String::new(), ..answer } } else { answer }
}
