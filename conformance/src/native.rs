//! Plays cases against the rules in this process, with the recorded clock.

use crate::{
    app::{App, origin},
    flask_jwt_extended,
    player::{Played, Player},
    transcript::{Case, Exchange, Library, Request},
};
use std::borrow::Cow;
use tollgate::{
    Credentials, Identity, SendUsers, UsersError, VerifiedToken,
    rules::{
        answer::Answer,
        diagnostic::Diagnostic,
        dialect::{FlaskJwt, wording},
        gate::{Decision, Gate, Principal},
        rejection::InternalRejection,
        request::{self, Headers},
        time::Timestamp,
        token::Random,
    },
    testkit::TestHost,
};

/// The rules, in this process.
pub struct Native;

impl Player for Native {
    const TOLERANCE: f64 = 0.0;

    fn play<'c>(&mut self, cases: &'c [Case]) -> Result<Vec<Played<'c>>, String> {
        cases.iter().map(|case| play(case).map(Ok).map_err(|error| format!("{}: {error}", case.name))).collect()
    }
}

fn play(case: &Case) -> Result<Exchange<'_>, String> {
    #[allow(clippy::cast_possible_truncation)] // whole milliseconds
    let now = Timestamp::from_millis((case.recorded_at * 1000.0) as i64);
    case.token_at(now.numeric_date().seconds())?; // the literal token is sent; this checks the specification
    let application = Application::of(case)?;
    let token = application.issued(case).or_else(|| case.literal_token.clone());
    let request = case.request_with(token.as_deref().unwrap_or("{T}"));
    let ours = match application.gate() {
        Ok(gate) => answer(&application, &gate, &request, now),
        Err(_) => wording::rejection(&InternalRejection::Misconfigured.into(), &FlaskJwt),
    };
    Ok(Exchange { case, request, ours, now: case.recorded_at })
}

/// The application behind the gate.
enum Application {
    FlaskJwt(App),
    FlaskJwtExtended(flask_jwt_extended::App),
}

impl Application {
    fn of(case: &Case) -> Result<Self, String> {
        Ok(match case.library {
            Library::FlaskJwt => Self::FlaskJwt(App::read(&case.config)?),
            Library::FlaskJwtExtended => {
                Self::FlaskJwtExtended(flask_jwt_extended::App::read(&case.config)?.serving(&case.request))
            }
        })
    }

    fn gate(&self) -> Result<Gate, Vec<Diagnostic>> {
        match self {
            Self::FlaskJwt(app) => app.gate(),
            Self::FlaskJwtExtended(app) => app.gate(),
        }
    }

    /// A token made here, where the recorded one can't be verified because its key is not in the file.
    fn issued(&self, case: &Case) -> Option<String> {
        match self {
            Self::FlaskJwt(_) => None,
            Self::FlaskJwtExtended(app) => app.issued(case),
        }
    }

    fn origin(&self, gate: &Gate, request: &Request, principal: &Principal, now: Timestamp) -> Answer {
        match self {
            Self::FlaskJwt(_) => origin(principal.identity()),
            Self::FlaskJwtExtended(app) => app.origin(gate, request, principal, &random(), now),
        }
    }
}

impl SendUsers for Application {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Option<Identity>, UsersError> {
        let (name, password) = (credentials.username.expose(), credentials.password.expose());
        match self {
            Self::FlaskJwt(app) => app.authenticate(name, password),
            Self::FlaskJwtExtended(app) => app.authenticate(name, password),
        }
    }

    async fn identity(&self, token: &VerifiedToken) -> Result<Option<Identity>, UsersError> {
        match self {
            Self::FlaskJwt(app) => app.identity(token.identity()),
            Self::FlaskJwtExtended(app) => app.identity(token.identity()),
        }
    }
}

fn random() -> Random {
    let mut random = [0; 96];
    getrandom::fill(&mut random).expect("randomness");
    random
}

impl Headers for Request {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.joined(name).map(Cow::Owned)
    }
}

/// The answer of the gate with the application behind it. No recorded case has sessions.
fn answer(app: &Application, gate: &Gate, request: &Request, now: Timestamp) -> Answer {
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.path.as_str(), None),
    };
    let view = request::Request { method: &request.method, site: "", path, query, headers: request };
    let host = TestHost::new(now, request.body.as_deref().unwrap_or_default().as_bytes());
    let answer = match host.decide(gate, &view, app) {
        Decision::Reject(rejected) => gate.answer_to(&rejected),
        Decision::Answer(answered) => answered.answer,
        Decision::Identity(authorized) => gate.identity(&authorized),
        Decision::Forward(authorized) | Decision::Assets(authorized) | Decision::Inner(authorized) => {
            app.origin(gate, request, authorized.principal(), now)
        }
    };
    if request.method == "HEAD" { Answer { body: String::new(), ..answer } } else { answer }
}
