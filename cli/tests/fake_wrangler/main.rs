//! A stand-in for wrangler in tests: `kv bulk get|put|delete` and `kv key list` on a file, so that tests need no Node.
//!
//! The file ($FAKE_WRANGLER_STORE) is a log of writes, one JSON line each, written one by one: killed at any point it
//! holds the writes so far, as KV would. Beside it, `….calls` has a line for each call.

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, read_to_string},
    io::{BufRead, BufReader, Write},
    path::Path,
};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let store = std::env::var("FAKE_WRANGLER_STORE").expect("FAKE_WRANGLER_STORE");
    if std::env::var_os("FAKE_WRANGLER_FAILS").is_some() {
        eprintln!(
            "\u{1b}[31m✘ \u{1b}[41;97m[ERROR]\u{1b}[0m \u{1b}[1mA request to the Cloudflare API failed.\u{1b}[0m"
        );
        std::process::exit(1);
    }
    assert_eq!(std::env::var("WRANGLER_LOG").as_deref(), Ok("log"), "else wrangler prints nothing, or more");
    let option = |name: &str| args.iter().position(|arg| arg == name).map(|at| args[at + 1].as_str());
    assert_eq!(option("--binding"), Some("USERS"));
    let remote = args.contains(&"--remote".to_owned());
    assert!(remote != args.contains(&"--local".to_owned()), "one of the two");
    let file = || -> Vec<Value> { serde_json::from_str(&read_to_string(&args[3]).expect("a file")).expect("a list") };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let called = match (args[1].as_str(), args[2].as_str()) {
        ("bulk", "put") => {
            let pairs = file();
            assert!(pairs.len() <= 10_000, "Cloudflare takes no more");
            write(&store, pairs.iter().map(|pair| json!([pair["key"], pair["value"]])));
            println!("Success!");
            format!("put {}", pairs.len())
        }
        ("bulk", "delete") => {
            let keys = file();
            assert!(args.contains(&"--force".to_owned()), "else wrangler asks");
            write(&store, keys.iter().map(|key| json!([key, null])));
            format!("delete {}", keys.len())
        }
        ("bulk", "get") => {
            let keys = file();
            assert!(!remote || keys.len() <= 100, "Cloudflare gives no more");
            let values = read(&store);
            let found = keys.iter().map(|key| {
                let value = values.get(&text(key)).map_or(Value::Null, |value| value.clone().into());
                (text(key), if remote { value } else { json!({"value": value}) })
            });
            println!("{:#}", Value::Object(found.collect()));
            format!("get {}", keys.len())
        }
        ("key", "list") => {
            let prefix = option("--prefix").unwrap_or_default();
            let values = read(&store);
            let keys = values.keys().filter(|key| key.starts_with(prefix)).map(|key| json!({"name": key}));
            println!("{:#}", keys.collect::<Value>());
            "list".to_owned()
        }
        other => panic!("not known here: {other:?}"),
    };
    let mut calls = OpenOptions::new().create(true).append(true).open(format!("{store}.calls")).expect("calls");
    writeln!(calls, "{called}").expect("calls");
}

fn write(store: &str, lines: impl Iterator<Item = Value>) {
    let mut file = OpenOptions::new().create(true).append(true).open(store).expect("the store");
    for line in lines {
        file.write_all(format!("{line}\n").as_bytes()).expect("room");
    }
}

fn read(store: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    if !Path::new(store).exists() {
        return values;
    }
    for line in BufReader::new(File::open(store).expect("the store")).lines() {
        match serde_json::from_str::<(String, Option<String>)>(&line.expect("UTF-8")).expect("a pair") {
            (key, Some(value)) => _ = values.insert(key, value),
            (key, None) => _ = values.remove(&key),
        }
    }
    values
}
