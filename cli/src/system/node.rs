//! Node answers: cli/node/tollgate.mjs. A question is `{"do": NAME, …}` in JSON, an answer `{"is": VALUE}` or
//! `{"error": TEXT}`.

use super::contract::{Finished, Permissions, Post, PostError, Program};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The two functions of Node.
#[expect(unsafe_code, reason = "another language's functions")]
mod import {
    #[link(wasm_import_module = "tollgate")]
    unsafe extern "C" {
        /// Reads a question from this memory, and returns the length of the answer.
        fn ask(question: *const u8, length: usize) -> usize;
        /// Writes the answer of the last question.
        fn take(answer: *mut u8);
    }

    pub(super) fn answer(question: &[u8]) -> Vec<u8> {
        // SAFETY: ask reads `length` bytes, and take writes as many as ask has returned.
        unsafe {
            let mut answer = vec![0; ask(question.as_ptr(), question.len())];
            take(answer.as_mut_ptr());
            answer
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer<T> {
    Is(T),
    Error(String),
}

fn ask<T: DeserializeOwned>(question: &Value) -> Result<T, String> {
    let answer = import::answer(question.to_string().as_bytes());
    match serde_json::from_slice(&answer) {
        Ok(Answer::Is(value)) => Ok(value),
        Ok(Answer::Error(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    }
}

fn ask_io<T: DeserializeOwned>(question: &Value) -> io::Result<T> {
    ask(question).map_err(io::Error::other)
}

/// WASI has no working folder: each process begins in the root.
pub(super) fn begin() -> io::Result<()> {
    let folder: PathBuf = ask_io(&json!({"do": "folder"}))?;
    std::env::set_current_dir(folder)
}

pub(super) fn hidden_line(prompt: &str) -> io::Result<String> {
    ask_io(&json!({"do": "hidden-line", "prompt": prompt}))
}

pub(super) fn run(program: Program) -> io::Result<Finished> {
    #[derive(Deserialize)]
    struct Ended {
        code: Option<i32>,
        signal: Option<String>,
        stdout: String,
        stderr: String,
    }
    let env: serde_json::Map<String, Value> =
        program.env.iter().map(|(name, value)| ((*name).to_owned(), value.to_string_lossy().into())).collect();
    let ended: Ended = ask_io(&json!({
        "do": "run",
        "path": program.path.to_string_lossy(),
        "args": program.args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>(),
        "env": env,
        "first_folder": program.first_folder,
    }))?;
    Ok(Finished {
        is_success: ended.code == Some(0),
        // In the standard library's words.
        status: match (ended.code, ended.signal) {
            (Some(code), _) => format!("exit status: {code}"),
            (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
        },
        stdout: ended.stdout.into_bytes(),
        stderr: ended.stderr.into_bytes(),
    })
}

pub(super) fn post(post: Post<'_>) -> Result<(u16, Vec<u8>), PostError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Outcome {
        Answered { status: u16, body: String },
        TimedOut,
    }
    let question = json!({
        "do": "post",
        "url": post.url.as_str(),
        "secret": post.secret.expose(),
        "body": post.body,
        "timeout": u64::try_from(post.timeout.as_millis()).unwrap_or(u64::MAX),
        "max_bytes": post.max_bytes,
        "uses_proxy": post.uses_proxy,
    });
    match ask(&question).map_err(PostError::Other)? {
        Outcome::TimedOut => Err(PostError::Timeout),
        Outcome::Answered { status, body } => Ok((status, body.into_bytes())),
    }
}

pub(super) fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    ask_io(&json!({"do": "canonicalize", "path": path}))
}

pub(super) fn user() -> Option<u32> {
    ask(&json!({"do": "user"})).ok().flatten()
}

pub(super) fn permissions(path: &Path) -> Option<Permissions> {
    ask(&json!({"do": "permissions", "path": path})).ok()
}

pub(super) fn read_own(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let content: Option<String> = ask(&json!({"do": "read-own", "path": path}))?;
    content.map(|base64| Base64::decode_vec(&base64).map_err(|error| error.to_string())).transpose()
}

pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    ask_io(&json!({"do": "replace", "path": path, "content": Base64::encode_string(content)}))
}

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> io::Result<Self> {
        ask_io(&json!({"do": "make-folder"})).map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _: io::Result<()> = ask_io(&json!({"do": "remove-folder", "path": self.0}));
    }
}
