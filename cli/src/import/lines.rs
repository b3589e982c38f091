//! A file of users, read line by line: JSON lines or CSV.
//!
//! **What always holds:** every bad line is found, not the first alone; what is said of one holds nothing of its values,
//! which may be passwords.

use super::{Format, in_parallel};
use crate::{password::fault_text, record};
use std::collections::HashMap;
use tollgate::rules::{
    identity::Id,
    json::{self, Map, NotAnObject, Value},
    login::MAX_FIELD_BYTES,
    password::{self, PasswordHash},
    secret::Secret,
    store::{LogInRecord, Profile, Status},
};

/// The members of a line, the columns of a CSV file.
const MEMBERS: [&str; 6] = ["username", "id", "password", "hash", "status", "attributes"];

/// A user to be added.
pub struct Line {
    /// From 1.
    pub number: usize,
    /// In normal form.
    pub name: String,
    pub id: Option<Id>,
    pub credential: Credential,
    pub status: Status,
    pub attributes: Map<String, Value>,
}

/// What a log-in is held against.
pub enum Credential {
    /// To be hashed.
    Password(Secret<String>),
    /// In any of the spellings that the gate understands.
    Hash(String),
}

/// Why a line can't be taken.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    pub number: usize,
    /// What is wrong, and what to write instead.
    pub text: String,
}

impl BadLine {
    pub fn new(number: usize, text: impl Into<String>) -> Self {
        Self { number, text: text.into() }
    }
}

/// The users of a file and its bad lines, each in the file's order.
pub fn read(content: &[u8], format: Format) -> (Vec<Line>, Vec<BadLine>) {
    let mut reading = Reading::default();
    match format {
        Format::Jsonl => read_jsonl(content, &mut reading),
        Format::Csv => read_csv(content, &mut reading),
    }
    (reading.lines, reading.bad)
}

#[derive(Default)]
struct Reading {
    lines: Vec<Line>,
    bad: Vec<BadLine>,
    /// The first line with a name, by its key.
    names: HashMap<String, usize>,
    /// The first line with an id, by its key.
    ids: HashMap<String, usize>,
}

impl Reading {
    /// Takes a line in, unless it is bad or says what an earlier one said.
    fn take(&mut self, number: usize, line: Result<Line, String>) {
        let line = match line {
            Ok(line) => line,
            Err(text) => return self.bad.push(BadLine::new(number, text)),
        };
        let name_key = LogInRecord::key(&line.name);
        let id_key = line.id.as_ref().map(Profile::key);
        if let Some(first) = self.names.get(&name_key) {
            let text = format!("the same name as in line {first}: remove one of the two");
            return self.bad.push(BadLine::new(number, text));
        }
        if let Some(first) = id_key.as_ref().and_then(|key| self.ids.get(key)) {
            let text = format!("the same id as in line {first}: give each user one of his own");
            return self.bad.push(BadLine::new(number, text));
        }
        self.names.insert(name_key, number);
        self.ids.extend(id_key.map(|key| (key, number)));
        self.lines.push(line);
    }
}

fn read_jsonl(content: &[u8], reading: &mut Reading) {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let rows: Vec<(usize, &[u8])> = content
        .split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(at, row)| (at + 1, row.trim_ascii()))
        .filter(|(_, row)| !row.is_empty())
        .collect();
    let lines = in_parallel(rows.len(), |at| {
        let (number, row) = rows[at];
        let members = json::object(row).map_err(|fault| match fault {
            NotAnObject::NotJson => {
                "not JSON (in UTF-8, each member once): write {\"username\": …, \"hash\": …} in one line"
            }
            NotAnObject::OtherType => "not an object: write {\"username\": …, \"hash\": …}",
        });
        members.map_err(str::to_owned).and_then(|members| user(number, members))
    });
    for ((number, _), line) in rows.into_iter().zip(lines) {
        reading.take(number, line);
    }
}

fn read_csv(content: &[u8], reading: &mut Reading) {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
    let mut columns: Option<Vec<String>> = None;
    for row in reader.byte_records() {
        let Ok(row) = row else { continue };
        // The reader's lines begin where the last row ended, blank lines and all.
        let number = row.position().map_or(0, |position| {
            let start = usize::try_from(position.byte()).unwrap_or(0).min(content.len());
            let blank = content[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
            usize::try_from(position.line()).unwrap_or(0) + blank.filter(|&&byte| byte == b'\n').count()
        });
        let Some(columns) = &columns else {
            let names: Vec<String> = row.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
            let unknown = names.iter().any(|name| !MEMBERS.contains(&name.as_str()));
            if unknown || !names.iter().any(|name| name == "username") {
                let text = format!("this is the header line: write columns out of {}", MEMBERS.join(", "));
                return reading.bad.push(BadLine::new(number, text));
            }
            columns = Some(names);
            continue;
        };
        let members = if row.len() == columns.len() {
            cells(columns, &row)
        } else {
            Err(format!(
                "{} cells, and the header line has {}: is a cell with a comma in quotes?",
                row.len(),
                columns.len()
            ))
        };
        reading.take(number, members.and_then(|members| user(number, members)));
    }
}

/// A row as a JSON line would have it. An empty cell is one that is not there.
fn cells(columns: &[String], row: &csv::ByteRecord) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    for (column, cell) in columns.iter().zip(row) {
        let cell = std::str::from_utf8(cell).map_err(|_| format!("{column}: not UTF-8: save the file as UTF-8"))?;
        let value = match column.as_str() {
            _ if cell.is_empty() => continue,
            "id" => record::id_from_text(cell).to_json(),
            "attributes" => json::object(cell.as_bytes()).map(Value::Object).unwrap_or_default(),
            _ => cell.into(),
        };
        members.insert(column.clone(), value);
    }
    Ok(members)
}

fn user(number: usize, mut members: Map<String, Value>) -> Result<Line, String> {
    if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("a member that is not known here: write only {}", MEMBERS.join(", ")));
    }
    let name = match members.remove("username") {
        Some(Value::String(name)) => name,
        Some(_) => return Err("username: write a text in quotes".into()),
        None => return Err("username: missing: write the name that the user logs in with".into()),
    };
    record::check_name(&name).map_err(|instead| format!("username: {instead}"))?;
    let id = match members.remove("id") {
        None | Some(Value::Null) => None,
        Some(id) => Some(Id::from_json(&id).ok_or("id: write an integer or a text")?),
    };
    let text = |value: Option<Value>, name: &str| match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name}: write a text in quotes")),
    };
    let password = text(members.remove("password"), "password")?.map(Secret::new);
    let hash = text(members.remove("hash"), "hash")?;
    let status = match text(members.remove("status"), "status")?.as_deref() {
        None | Some("active") => Status::Active,
        Some("disabled") => Status::Disabled,
        Some(_) => return Err("status: write active or disabled".into()),
    };
    let attributes = match members.remove("attributes") {
        None => Map::new(),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return Err("attributes: write an object, {\"role\": \"admin\"}".into()),
    };
    let credential = match (password, hash) {
        (Some(password), None) => match password.expose().len() {
            0 => return Err("password: empty, which no log-in takes: write one, or a hash".into()),
            1..=MAX_FIELD_BYTES => Credential::Password(password),
            _ => return Err(format!("password: longer than {MAX_FIELD_BYTES} bytes, which no log-in takes")),
        },
        (None, Some(hash)) => match PasswordHash::parse(&hash) {
            Ok(_) => Credential::Hash(hash),
            Err(fault) => {
                let instead = "write one of those, or a new password of the user's as \"password\"";
                return Err(format!("hash: {}: {instead}", fault_text(fault)));
            }
        },
        (None, None) => return Err("neither password nor hash: write one of the two".into()),
        (Some(_), Some(_)) => return Err("both password and hash: write one of the two".into()),
    };
    let name = password::normal_form(&name).into_owned();
    Ok(Line { number, name, id, credential, status, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=";

    #[test]
    fn each_bad_line_is_told_with_its_number() {
        for (line, part) in [
            ("{", "not JSON"),
            ("[]", "not an object"),
            (r#"{"username":"a","username":"b","password":"x"}"#, "each member once"),
            (r#"{"username":"b"}"#, "neither"),
            (r#"{"password":"b"}"#, "username: missing"),
            (r#"{"username":"","password":"b"}"#, "empty"),
            (r#"{"username":7,"password":"b"}"#, "username: write a text"),
            (r#"{"username":"b","password":""}"#, "password: empty"),
            (r#"{"username":"b","password":7}"#, "password: write a text"),
            (r#"{"username":"b","password":"x","hash":"y"}"#, "both"),
            (r#"{"username":"b","hash":"$2b$12$abc"}"#, "no PBKDF2-SHA256 hash"),
            (r#"{"username":"b","password":"x","id":1.5}"#, "id: write"),
            (r#"{"username":"b","password":"x","status":"gone"}"#, "status: write"),
            (r#"{"username":"b","password":"x","attributes":[]}"#, "attributes: write"),
            (r#"{"username":"b","password":"x","name":"y"}"#, "not known"),
            (r#"{"username":"a","password":"x"}"#, "same name as in line 1"),
            (r#"{"username":"b","password":"x","id":1}"#, "same id as in line 1"),
        ] {
            let content = format!("{{\"username\":\"a\",\"id\":1,\"password\":\"x\"}}\n\n{line}\n");
            let (lines, bad) = read(content.as_bytes(), Format::Jsonl);
            assert_eq!(lines.len(), 1, "{line}");
            assert!(bad.len() == 1 && bad[0].number == 3 && bad[0].text.contains(part), "{line}: {bad:?}");
        }
    }

    #[test]
    fn csv_is_read_by_its_header_and_told_by_its_lines() {
        let content = format!(
            "id,username,hash,attributes\r\n7,a,{HASH},\"{{\"\"role\"\": \"\"x\"\"}}\"\r\n\r\n\"\"\"7\"\"\",\"b\nc\",{HASH},\n008,d,{HASH},\nx,e\n,f,,\n"
        );
        let (lines, bad) = read(content.as_bytes(), Format::Csv);
        let ids: Vec<_> = lines.iter().map(|line| (line.number, line.id.clone().unwrap())).collect();
        assert_eq!(ids, [(2, Id::Int(7)), (4, Id::Text("7".into())), (6, Id::Text("008".into()))]);
        assert_eq!(lines[0].attributes["role"], "x");
        assert_eq!(bad.iter().map(|bad| bad.number).collect::<Vec<_>>(), [7, 8], "{bad:?}");
        let (lines, bad) = read(b"name,hash\na,b\n", Format::Csv);
        assert!(lines.is_empty() && bad[0].number == 1, "{bad:?}");
    }

    #[test]
    fn no_input_is_too_strange() {
        for content in
            [&b""[..], b"\xff\xfe", b"\xef\xbb\xbf", b"\"", b"username\n\"", b"\0\n\0", b"username,id\n\xff,1\n"]
        {
            for format in [Format::Csv, Format::Jsonl] {
                read(content, format);
            }
        }
    }
}
