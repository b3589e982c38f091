//! Reads a file of users: JSON lines or CSV, in UTF-8 or in UTF-16 with a byte order mark.
//!
//! **What always holds:** every bad line is reported; a report holds no value, since it may be a password. Names of
//! members and columns are repeated, cut to [`MAX_NAME_CHARACTERS`], except for the first row of a CSV file with none
//! of the known columns, since that may be data.

use super::parallel::in_parallel;
use crate::{hash_kind, output::visible, password::fault_text, record};
use std::{borrow::Cow, collections::HashMap};
use tollgate::rules::{
    identity::Id,
    json::{self, Map, NotAnObject, Value},
    login::MAX_FIELD_BYTES,
    password::{self, HashFault, PasswordHash},
    secret::Secret,
    store::{LoginRecord, Profile, Status},
};

/// The form of a file.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Format {
    Jsonl,
    Csv,
}

/// The members of a line, the columns of a CSV file.
const MEMBERS: [&str; 6] = ["username", "id", "password", "hash", "status", "attributes"];
/// What separates the cells of a CSV file: commas, or what spreadsheets write where the comma is the decimal mark.
const SEPARATORS: [u8; 3] = *b",;\t";
/// Maximum length of an unknown member's name in a message.
const MAX_NAME_CHARACTERS: usize = 40;

/// A user to be added.
pub struct Line {
    /// Line number, from 1.
    pub number: usize,
    /// In normal form.
    pub name: String,
    pub id: Option<Id>,
    pub credential: Credential,
    pub status: Status,
    pub attributes: Map<String, Value>,
}

/// What a log-in is checked against.
pub enum Credential {
    /// To be hashed.
    Password(Secret<String>),
    /// In any form that the gate accepts.
    Hash(String),
}

/// Why a line can't be imported.
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

/// The content of a file; each list is in the file's order.
#[derive(Default)]
pub struct Content {
    pub lines: Vec<Line>,
    pub bad: Vec<BadLine>,
    /// Names that differ only in case from an earlier one.
    pub similar: Vec<BadLine>,
}

/// Reads a file of users.
pub fn read(content: &[u8], format: Format) -> Content {
    let mut reading = Reading::default();
    match utf8(content) {
        Err(text) => reading.content.bad.push(BadLine::new(1, text)),
        Ok(content) => match format {
            Format::Jsonl => read_jsonl(&content, &mut reading),
            Format::Csv => read_csv(&content, &mut reading),
        },
    }
    reading.content
}

/// The content without a byte order mark, decoded if it is UTF-16. Does not check that it is UTF-8.
fn utf8(content: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    let (rest, unit): (_, fn([u8; 2]) -> u16) = match content {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err("this is UTF-32: save the file as UTF-8"),
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => return Ok(rest.into()),
        _ => {
            // In UTF-16 every second byte of ASCII characters is NUL, and member names are ASCII. UTF-8 has no NUL.
            let start = &content[..content.len().min(4096)];
            let nuls = start.iter().filter(|byte| **byte == 0).count();
            let is_utf16 = nuls > start.len() / 8;
            return if is_utf16 { Err("this looks like UTF-16: save the file as UTF-8") } else { Ok(content.into()) };
        }
    };
    let (units, []) = rest.as_chunks::<2>() else { return Err(DAMAGED_UTF16) };
    let text: Result<String, _> = char::decode_utf16(units.iter().map(|bytes| unit(*bytes))).collect();
    text.map(|text| text.into_bytes().into()).map_err(|_| DAMAGED_UTF16)
}

const DAMAGED_UTF16: &str = "this is UTF-16, and damaged or truncated: save the file as UTF-8";

#[derive(Default)]
struct Reading {
    content: Content,
    /// The first line with a name, by its key.
    names: HashMap<String, usize>,
    /// The first line with a name in any capitals, by [`any_case`].
    similar: HashMap<String, usize>,
    /// The first line with an id, by its key.
    ids: HashMap<String, usize>,
}

/// A text that is the same for names that differ only in case.
pub fn any_case(name: &str) -> String {
    password::normal_form(name).to_lowercase()
}

impl Reading {
    /// Adds a line, or reports it if it is bad or repeats a name or id.
    fn take(&mut self, number: usize, line: Result<Line, String>) {
        let line = match line {
            Ok(line) => line,
            Err(text) => return self.content.bad.push(BadLine::new(number, text)),
        };
        let name_key = LoginRecord::key(&line.name);
        let id_key = line.id.as_ref().map(Profile::key);
        if let Some(first) = self.names.get(&name_key) {
            let text = format!("the same name as in line {first}: remove one of the two");
            return self.content.bad.push(BadLine::new(number, text));
        }
        if let Some(first) = id_key.as_ref().and_then(|key| self.ids.get(key)) {
            let text = format!("the same id as in line {first}: give each user a different one");
            return self.content.bad.push(BadLine::new(number, text));
        }
        let first = *self.similar.entry(any_case(&line.name)).or_insert(number);
        if first != number {
            let text = format!("the name differs only in case from line {first}: these are two users");
            self.content.similar.push(BadLine::new(number, text));
        }
        self.names.insert(name_key, number);
        self.ids.extend(id_key.map(|key| (key, number)));
        self.content.lines.push(line);
    }
}

fn read_jsonl(content: &[u8], reading: &mut Reading) {
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
                "not JSON (in UTF-8, each member once): write {\"username\": …, \"hash\": …} on one line"
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
    let separator = separator(content);
    let mut reader = csv_reader(content, separator);
    let mut columns: Option<Vec<String>> = None;
    for row in reader.byte_records() {
        let Ok(row) = row else { continue };
        // The reader's position is where the last row ended, before any blank lines.
        let number = row.position().map_or(0, |position| {
            let start = usize::try_from(position.byte()).unwrap_or(0).min(content.len());
            let blank = content[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r'));
            usize::try_from(position.line()).unwrap_or(0) + blank.filter(|&&byte| byte == b'\n').count()
        });
        let Some(columns) = &columns else {
            let names = columns_of(&row);
            if let Err(text) = check_columns(&names) {
                return reading.content.bad.push(BadLine::new(number, text));
            }
            columns = Some(names);
            continue;
        };
        // An empty row of a spreadsheet.
        if row.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        let members = if row.len() == columns.len() {
            cells(columns, &row)
        } else {
            Err(format!(
                "{} cells, but the header line has {}: write cells with a {} in quotes",
                row.len(),
                columns.len(),
                match separator {
                    b';' => "semicolon",
                    b'\t' => "tab",
                    _ => "comma",
                }
            ))
        };
        reading.take(number, members.and_then(|members| user(number, members)));
    }
}

fn csv_reader(content: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(content)
}

fn columns_of(row: &csv::ByteRecord) -> Vec<String> {
    row.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect()
}

fn is_member(name: &str) -> bool {
    MEMBERS.contains(&name)
}

/// The separator with which the header line is valid; else the one with which it has the most known columns. The comma
/// wins a tie.
fn separator(content: &[u8]) -> u8 {
    let known = |separator: &u8| {
        let row = csv_reader(content, *separator).into_byte_records().next();
        let columns = row.and_then(Result::ok).map(|row| columns_of(&row)).unwrap_or_default();
        let known = columns.iter().filter(|name| is_member(&name.to_lowercase())).count();
        (check_columns(&columns).is_ok(), known)
    };
    SEPARATORS.into_iter().rev().max_by_key(known).unwrap_or(b',')
}

/// Checks the header line. The error says what to write.
fn check_columns(names: &[String]) -> Result<(), String> {
    let all = MEMBERS.join(", ");
    if !names.iter().any(|name| is_member(&name.to_lowercase())) {
        return Err(format!("the header line is missing: write one with columns from {all}"));
    }
    if let Some(name) = names.iter().find(|name| !is_member(name)) {
        return Err(format!("column {}", unknown(name)));
    }
    if let Some(name) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
        return Err(format!("the column {name} appears twice: remove one of the two"));
    }
    if !names.iter().any(|name| name == "username") {
        return Err(format!("the header line lacks the column username: write columns from {all}"));
    }
    Ok(())
}

/// Says that a member or column is unknown, and suggests a similar one.
fn unknown(name: &str) -> String {
    let mut shown: String = name.chars().take(MAX_NAME_CHARACTERS).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    let plain: String = name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    // At most one character in four differs: more would suggest "username" for "name", which may be a display name.
    let is_close = |member: &&&str| strsim::osa_distance(&plain, member) <= member.len() / 4;
    let nearest = MEMBERS.iter().filter(is_close).min_by_key(|member| strsim::osa_distance(&plain, member));
    let meant = nearest.map_or_else(String::new, |member| format!("; did you mean {member}?"));
    format!("\"{}\" is unknown: write only {}{meant}", visible(&shown), MEMBERS.join(", "))
}

/// A row as the members of a JSON line. An empty cell is no member.
fn cells(columns: &[String], row: &csv::ByteRecord) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    for (column, cell) in columns.iter().zip(row) {
        let cell = std::str::from_utf8(cell).map_err(|_| format!("{column}: not UTF-8: save the file as UTF-8"))?;
        let value = match column.as_str() {
            _ if cell.is_empty() => continue,
            "id" => record::id_from_text(cell).to_json(),
            "attributes" if cell.trim() == "null" => continue,
            "attributes" => Value::Object(json::object(cell.as_bytes()).map_err(|_| NOT_ATTRIBUTES)?),
            _ => cell.into(),
        };
        members.insert(column.clone(), value);
    }
    Ok(members)
}

const NOT_ATTRIBUTES: &str =
    "attributes: not a JSON object (each member once): write {\"role\": \"admin\"}, or nothing";

fn user(number: usize, mut members: Map<String, Value>) -> Result<Line, String> {
    if let Some(name) = members.keys().find(|name| !is_member(name)) {
        return Err(format!("member {}", unknown(name)));
    }
    let name = match members.remove("username") {
        Some(Value::String(name)) => name,
        Some(_) => return Err("username: write a string".into()),
        None => return Err("username: missing: write the name for log-in".into()),
    };
    record::check_name(&name).map_err(|wrong| format!("username: {wrong}"))?;
    let id = match members.remove("id") {
        None | Some(Value::Null) => None,
        Some(id) => Some(Id::from_json(&id).ok_or("id: write an integer or a string")?),
    };
    let text = |value: Option<Value>, name: &str| match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name}: write a string")),
    };
    let password = text(members.remove("password"), "password")?.map(Secret::new);
    let hash = text(members.remove("hash"), "hash")?;
    let status = match text(members.remove("status"), "status")?.as_deref() {
        None | Some("active") => Status::Active,
        Some("disabled") => Status::Disabled,
        Some(_) => return Err("status: write active or disabled".into()),
    };
    let attributes = match members.remove("attributes") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return Err(NOT_ATTRIBUTES.into()),
    };
    let credential = match (password, hash) {
        (Some(password), None) => match password.expose().len() {
            0 => return Err("password: empty: write one, or a hash".into()),
            1..=MAX_FIELD_BYTES => Credential::Password(password),
            _ => return Err(format!("password: longer than {MAX_FIELD_BYTES} bytes, the limit at log-in")),
        },
        (None, Some(hash)) => match PasswordHash::parse(&hash) {
            Ok(_) => Credential::Hash(hash),
            Err(fault) => {
                let instead = match fault {
                    HashFault::UnknownFormat => hash_kind::advice(&hash),
                    _ => "write a temporary password as \"password\"",
                };
                return Err(format!("hash: {}: {instead}", fault_text(&hash, fault)));
            }
        },
        (None, None) => return Err("neither password nor hash: write one of them".into()),
        (Some(_), Some(_)) => return Err("both password and hash: write one of them".into()),
    };
    let name = password::normal_form(&name).into_owned();
    Ok(Line { number, name, id, credential, status, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "pbkdf2_sha256$30000$hQ8sGm2DkLpR$SIQ/vgm8gDBBcK7iZPoaZj1ys5dYa0yQi1Sa2gMCcN8=";

    #[test]
    fn each_bad_line_is_reported_with_its_number() {
        for (line, part) in [
            ("{", "not JSON"),
            ("[]", "not an object"),
            (r#"{"username":"a","username":"b","password":"x"}"#, "each member once"),
            (r#"{"username":"b"}"#, "neither"),
            (r#"{"password":"b"}"#, "username: missing"),
            (r#"{"username":"","password":"b"}"#, "empty"),
            (r#"{"username":7,"password":"b"}"#, "username: write a string"),
            (r#"{"username":"b","password":""}"#, "password: empty"),
            (r#"{"username":"b","password":7}"#, "password: write a string"),
            (r#"{"username":"b","password":"x","hash":"y"}"#, "both"),
            (r#"{"username":"b","hash":"$2b$12$abc"}"#, "a bcrypt hash"),
            (r#"{"username":"b","hash":"$2b$12$abc"}"#, "temporary password"),
            (r#"{"username":"b","hash":"hunter2"}"#, "if it is a plain password"),
            (r#"{"username":"b","password":"x","id":1.5}"#, "id: write"),
            (r#"{"username":"b","password":"x","status":"gone"}"#, "status: write"),
            (r#"{"username":"b","password":"x","attributes":[]}"#, "attributes: not a JSON object"),
            (r#"{"username":"b","password":"x","name":"y"}"#, "member \"name\" is unknown"),
            (r#"{"username":"b","password":"x","\u001b[31m":"y"}"#, r#"member "\u{1b}[31m" is unknown"#),
            (r#"{"username":"a","password":"x"}"#, "same name as in line 1"),
            (r#"{"username":"b","password":"x","id":1}"#, "same id as in line 1"),
        ] {
            let content = format!("{{\"username\":\"a\",\"id\":1,\"password\":\"x\"}}\n\n{line}\n");
            let Content { lines, bad, .. } = read(content.as_bytes(), Format::Jsonl);
            assert_eq!(lines.len(), 1, "{line}");
            assert!(bad.len() == 1 && bad[0].number == 3 && bad[0].text.contains(part), "{line}: {bad:?}");
        }
    }

    #[test]
    fn csv_is_read_by_its_header_and_reported_by_line() {
        let content = format!(
            "id,username,hash,attributes\r\n7,a,{HASH},\"{{\"\"role\"\": \"\"x\"\"}}\"\r\n\r\n\"\"\"7\"\"\",\"b\nc\",{HASH},\n008,d,{HASH},\nx,e\n,f,,\n"
        );
        let Content { lines, bad, .. } = read(content.as_bytes(), Format::Csv);
        let ids: Vec<_> = lines.iter().map(|line| (line.number, line.id.clone().unwrap())).collect();
        assert_eq!(ids, [(2, Id::Int(7)), (4, Id::Text("7".into())), (6, Id::Text("008".into()))]);
        assert_eq!(lines[0].attributes["role"], "x");
        assert_eq!(bad.iter().map(|bad| bad.number).collect::<Vec<_>>(), [7, 8], "{bad:?}");
    }

    /// The report on a file with one fault, in its first line.
    fn first_fault(content: &str) -> String {
        let Content { lines, bad, .. } = read(content.as_bytes(), Format::Csv);
        assert!(lines.is_empty() && bad.len() == 1 && bad[0].number == 1, "{content}: {bad:?}");
        bad[0].text.clone()
    }

    #[test]
    fn an_invalid_header_line_is_reported_without_data() {
        for (content, part) in [
            ("name,hash\na,b\n", "column \"name\" is unknown"),
            ("user_name,hash\na,b\n", "; did you mean username?"),
            ("username;passwort\na;b\n", "; did you mean password?"),
            ("username,attribute\na,b\n", "; did you mean attributes?"),
            ("id,hash\na,b\n", "lacks the column username"),
            ("username,hash,username\na,b,c\n", "the column username appears twice"),
            ("alice,hunter2\n", "the header line is missing"),
            ("alice;hunter2\n", "the header line is missing"),
        ] {
            let text = first_fault(content);
            assert!(text.contains(part) && !text.contains("hunter2") && !text.contains("alice"), "{content}: {text}");
        }
        for content in ["name,hash\n", "email,hash\n", "user,hash\n", "pass,username\n"] {
            assert!(!first_fault(content).contains("did you mean"), "{content}");
        }
        let long = first_fault(&format!("username,{}\u{9b}\n", "x".repeat(1000)));
        assert!(long.contains("\"xxxx") && long.len() < 300, "{long}");
    }

    #[test]
    fn semicolons_and_tabs_separate_cells_if_the_header_line_says_so() {
        for separator in [",", ";", "\t"] {
            let header = ["username", "id", "password", "attributes"].join(separator);
            let row =
                ["a,b", "7", "one;two\tthree,", "{\"\"x\"\": 1}"].map(|cell| format!("\"{cell}\"")).join(separator);
            let Content { lines, bad, .. } = read(format!("{header}\n{row}\n").as_bytes(), Format::Csv);
            assert!(bad.is_empty() && lines.len() == 1, "{separator:?}: {bad:?}");
            assert_eq!((lines[0].name.as_str(), &lines[0].attributes["x"]), ("a,b", &Value::from(1)));
        }
        let Content { bad, .. } = read(b"username;password\na;b;c\n", Format::Csv);
        assert!(bad[0].text.contains("a semicolon in quotes"), "{bad:?}");
    }

    #[test]
    fn null_attributes_are_none_and_unreadable_ones_an_error() {
        for (cell, is_good) in [("null", true), (" null ", true), ("", true), ("{}", true), ("{", false), ("x", false)]
        {
            let content = format!("username,password,attributes\na,b,\"{cell}\"\n");
            let Content { lines, bad, .. } = read(content.as_bytes(), Format::Csv);
            assert_eq!((lines.len(), bad.len()), if is_good { (1, 0) } else { (0, 1) }, "{cell}");
            assert!(bad.iter().all(|bad| bad.text.starts_with("attributes: not a JSON object")), "{bad:?}");
            assert!(lines.iter().all(|line| line.attributes.is_empty()));
        }
        let line = br#"{"username":"a","password":"b","attributes":null}"#;
        assert_eq!(read(line, Format::Jsonl).lines.len(), 1);
    }

    #[test]
    fn utf_16_is_decoded_or_named() {
        let encoded = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        for (text, format) in [
            ("username\tpassword\r\nb\u{f6}b\tx\r\n\u{1f600}\ty\r\n", Format::Csv),
            (
                "{\"username\":\"b\u{f6}b\",\"password\":\"x\"}\r\n{\"username\":\"\u{1f600}\",\"password\":\"x\"}\n",
                Format::Jsonl,
            ),
        ] {
            for unit in [u16::to_le_bytes, u16::to_be_bytes] {
                let Content { lines, bad, .. } = read(&encoded(&format!("\u{feff}{text}"), unit), format);
                assert!(bad.is_empty(), "{bad:?}");
                let names: Vec<_> = lines.iter().map(|line| line.name.as_str()).collect();
                assert_eq!(names, ["b\u{f6}b", "\u{1f600}"]);
                let Content { lines, bad, .. } = read(&encoded(text, unit), format);
                assert!(lines.is_empty() && bad.len() == 1, "{bad:?}");
                assert_eq!(bad[0].text, "this looks like UTF-16: save the file as UTF-8");
            }
        }
        for damaged in [&b"\xff\xfea"[..], b"\xff\xfe\0\xd8a\0"] {
            assert_eq!(read(damaged, Format::Csv).bad[0].text, DAMAGED_UTF16);
        }
        let utf32 = b"\xff\xfe\0\0a\0\0\0";
        assert!(read(utf32, Format::Csv).bad[0].text.contains("UTF-32"));
    }

    #[test]
    fn names_that_differ_only_in_case_are_found() {
        let content = "username,password\nAnn,x\nann,x\nBob,x\nANN,x\n\u{c9}va,x\ne\u{301}va,x\n";
        let Content { lines, bad, similar } = read(content.as_bytes(), Format::Csv);
        assert!(lines.len() == 6 && bad.is_empty(), "{bad:?}");
        let found: Vec<_> = similar.iter().map(|line| (line.number, &*line.text)).collect();
        assert!(
            matches!(found[..], [(3, to_2), (5, also_to_2), (7, to_6)]
                if to_2.contains("line 2") && also_to_2.contains("line 2") && to_6.contains("line 6")),
            "{found:?}"
        );
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
