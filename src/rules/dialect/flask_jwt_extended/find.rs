//! One place at a time: the search for a token there, and for the CSRF value of a cookie
//! (docs/compat/flask-jwt-extended.md#finding-the-token and #csrf).
//!
//! **What always holds:** words are separated by spaces and tabs, not by all that Python calls white space. The CSRF
//! cookie is never read: a browser sends it with forged requests too.

use crate::rules::{
    config::{FlaskJwtExtended, Location, Names},
    cookie,
    json::{self, Value},
    login,
    rejection::{Absent, CredentialRejection},
    request::Request,
    token::{TokenType, is_truthy},
};
use futures_util::{FutureExt, stream};
use std::convert::Infallible;

/// The outcome of looking at one place.
#[derive(Debug, PartialEq)]
pub enum Sought {
    /// The outcome is known.
    Known(Searched),
    /// The body must be read first.
    InBody(InBody),
}

/// What was found in one place.
#[derive(Debug, PartialEq)]
pub enum Searched {
    /// There is a token.
    Found {
        /// The token.
        token: String,
        /// The CSRF value beside it, if one is needed.
        csrf: Option<String>,
    },
    /// No token: the next place is searched.
    Absent(Absent),
}

/// What is searched for in the body. It owns all that it needs of the request.
#[derive(Debug, PartialEq)]
pub enum InBody {
    /// A token, in a member of a JSON object.
    Token {
        /// The member's name.
        member: String,
    },
    /// The CSRF value, in a field of a form.
    Csrf {
        /// The token, which came in a cookie.
        token: String,
        /// How the form is written.
        form: Form,
        /// The field's name.
        field: String,
    },
}

impl InBody {
    /// Searches the body.
    ///
    /// # Errors
    /// The rejection that ends the whole search.
    pub fn read(self, body: &[u8]) -> Result<Searched, CredentialRejection> {
        match self {
            // A body that is not an object counts as one without the member
            // (docs/compat/flask-jwt-extended.md#json-body).
            Self::Token { member } => {
                match json::object(body).unwrap_or_default().get(&member).filter(|value| is_truthy(value)) {
                    Some(Value::String(token)) => Ok(Searched::Found { token: token.clone(), csrf: None }),
                    Some(_) => Err(CredentialRejection::NotText),
                    None => Ok(Searched::Absent(Absent::JsonMember { name: member })),
                }
            }
            Self::Csrf { token, form, field } => match form.field(body, &field).filter(|value| !value.is_empty()) {
                Some(value) => Ok(Searched::Found { token, csrf: Some(value) }),
                None => Err(CredentialRejection::CsrfMissing),
            },
        }
    }
}

/// Looks for a token in one place.
///
/// # Errors
/// The rejection that ends the whole search.
pub fn seek(
    location: Location,
    request: &Request<'_>,
    config: &FlaskJwtExtended,
    token_type: TokenType,
) -> Result<Sought, CredentialRejection> {
    let names = config.names(token_type);
    match location {
        Location::Headers => in_header(request, config),
        Location::Cookies => in_cookie(request, config, names),
        Location::QueryString => in_query(request, config),
        Location::Json => Ok(in_json(request, names)),
    }
}

fn found(token: &str) -> Sought {
    Sought::Known(Searched::Found { token: token.to_owned(), csrf: None })
}

fn absent(place: Absent) -> Sought {
    Sought::Known(Searched::Absent(place))
}

/// The token in a header (docs/compat/flask-jwt-extended.md#header).
fn in_header(request: &Request<'_>, config: &FlaskJwtExtended) -> Result<Sought, CredentialRejection> {
    let (name, scheme) = (&config.header_name, &config.header_type);
    let blanks = [' ', '\t'];
    let words = |text: &str| text.split(blanks).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let value = request.headers.get(&name.to_ascii_lowercase()).unwrap_or_default();
    let value = value.trim_matches(blanks).trim_matches(',');
    if value.trim_matches(blanks).is_empty() {
        return Ok(absent(Absent::Header { name: name.clone() }));
    }
    let bad = || CredentialRejection::BadHeader { name: name.clone(), scheme: scheme.clone() };
    if scheme.is_empty() {
        return match &words(value)[..] {
            [token] => Ok(found(token)),
            _ => Err(bad()),
        };
    }
    let mut ours = value.split(',').map(words).filter(|words| words.first().is_some_and(|first| first == scheme));
    match (ours.next(), ours.next()) {
        (Some(words), None) => match &words[..] {
            [_, token] => Ok(found(token)),
            _ => Err(bad()),
        },
        _ => Ok(absent(Absent::Scheme { name: name.clone(), scheme: scheme.clone() })),
    }
}

/// The token in a cookie (docs/compat/flask-jwt-extended.md#cookie), and the CSRF value beside it (#csrf, steps 1
/// and 2).
fn in_cookie(request: &Request<'_>, config: &FlaskJwtExtended, names: &Names) -> Result<Sought, CredentialRejection> {
    let header = request.headers.get("cookie").unwrap_or_default();
    let Some(token) = cookie::value(&header, &names.cookie) else {
        return Ok(absent(Absent::Cookie { name: names.cookie.clone() }));
    };
    if !config.needs_csrf(request.method) {
        return Ok(Sought::Known(Searched::Found { token, csrf: None }));
    }
    let sent = request.headers.get(&names.csrf_header.to_ascii_lowercase()).unwrap_or_default();
    if !sent.is_empty() {
        return Ok(Sought::Known(Searched::Found { token, csrf: Some(sent.into_owned()) }));
    }
    if !config.csrf_check_form {
        return Err(CredentialRejection::CsrfMissing);
    }
    let content_type = request.headers.get("content-type").unwrap_or_default();
    let Some(form) = Form::of(&content_type) else { return Err(CredentialRejection::CsrfMissing) };
    Ok(Sought::InBody(InBody::Csrf { token, form, field: names.csrf_field.clone() }))
}

/// The token in the query string (docs/compat/flask-jwt-extended.md#query-string).
fn in_query(request: &Request<'_>, config: &FlaskJwtExtended) -> Result<Sought, CredentialRejection> {
    let (name, prefix) = (&config.query_name, &config.query_prefix);
    let mut parameters = form_urlencoded::parse(request.query.unwrap_or_default().as_bytes());
    match parameters.find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_empty()) {
        None => Ok(absent(Absent::QueryParameter { name: name.clone() })),
        Some(value) => match value.strip_prefix(prefix.as_str()) {
            Some(token) => Ok(found(token)),
            None => Err(CredentialRejection::BadQueryPrefix { name: name.clone(), prefix: prefix.clone() }),
        },
    }
}

/// The token in a JSON body (docs/compat/flask-jwt-extended.md#json-body).
fn in_json(request: &Request<'_>, names: &Names) -> Sought {
    if !login::is_json(request.headers.get("content-type").as_deref()) {
        return absent(Absent::JsonMediaType);
    }
    Sought::InBody(InBody::Token { member: names.json_key.clone() })
}

/// The two encodings of a form that the library reads.
#[derive(Debug, PartialEq)]
pub enum Form {
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `multipart/form-data` (RFC 7578).
    Multipart {
        /// The boundary between its parts.
        boundary: String,
    },
}

impl Form {
    fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Some(Self::UrlEncoded);
        }
        multer::parse_boundary(content_type).ok().map(|boundary| Self::Multipart { boundary })
    }

    /// The first field of this name that is not a file. A part without `Content-Disposition` makes the whole body
    /// unreadable, as in Werkzeug.
    fn field(&self, body: &[u8], name: &str) -> Option<String> {
        match self {
            Self::UrlEncoded => {
                form_urlencoded::parse(body).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
            }
            Self::Multipart { boundary } => {
                let whole = stream::iter([Ok::<_, Infallible>(body.to_vec())]);
                let mut parts = multer::Multipart::new(whole, boundary);
                // The whole body is in memory, so every future is ready.
                while let Some(part) = parts.next_field().now_or_never()?.ok()? {
                    if !part.headers().contains_key("content-disposition") {
                        return None;
                    }
                    if part.name() == Some(name) && part.file_name().is_none() {
                        let value = part.bytes().now_or_never()?.ok()?;
                        return String::from_utf8(value.to_vec()).ok();
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at one place, and at the body if the place needs it.
    fn look(
        location: Location,
        request: &Request<'_>,
        body: Option<&[u8]>,
        config: &FlaskJwtExtended,
        token_type: TokenType,
    ) -> Result<Sought, CredentialRejection> {
        match (seek(location, request, config, token_type)?, body) {
            (Sought::InBody(in_body), Some(body)) => in_body.read(body).map(Sought::Known),
            (sought, _) => Ok(sought),
        }
    }

    fn request<'r>(method: &'r str, headers: &'r dyn crate::rules::request::Headers) -> Request<'r> {
        Request { method, site: "", path: "/", query: None, headers }
    }

    fn header(value: &str, config: &FlaskJwtExtended) -> Result<Sought, CredentialRejection> {
        look(Location::Headers, &request("GET", &[("authorization", value)]), None, config, TokenType::Access)
    }

    #[test]
    fn a_header_is_read_to_the_letter() {
        let bearer = FlaskJwtExtended::default();
        let missing = Ok(absent(Absent::Header { name: "Authorization".into() }));
        let scheme = Ok(absent(Absent::Scheme { name: "Authorization".into(), scheme: "Bearer".into() }));
        let bad = Err(CredentialRejection::BadHeader { name: "Authorization".into(), scheme: "Bearer".into() });
        let good = Ok(found("T"));
        for (value, outcome) in [
            ("", &missing),
            (",,", &missing),
            (", ,", &missing),
            ("Bearer T", &good),
            ("Bearer  \tT", &good),
            ("Basic creds, Bearer T", &good),
            ("Bearer T,   ", &good),
            (", Bearer T", &good),
            ("Bearer T , ,", &good),
            ("Bearer T,x", &good),
            ("bearer T", &scheme),
            ("T", &scheme),
            ("BearerT", &scheme),
            ("Bearer: T", &scheme),
            ("Bearer T, Bearer U", &scheme),
            ("Bearer", &bad),
            ("Bearer,T", &bad),
            ("Bearer ,,0", &bad),
            ("Bearer a b", &bad),
        ] {
            assert_eq!(&header(value, &bearer), outcome, "{value:?}");
        }
        let plain = FlaskJwtExtended { header_type: String::new(), ..FlaskJwtExtended::default() };
        let bad = Err(CredentialRejection::BadHeader { name: "Authorization".into(), scheme: String::new() });
        for (value, outcome) in
            [("T", &good), ("T,", &good), ("a,b", &Ok(found("a,b"))), ("Bearer T", &bad), ("", &missing)]
        {
            assert_eq!(&header(value, &plain), outcome, "{value:?}");
        }
    }

    #[test]
    fn a_cookie_needs_the_csrf_value_where_something_changes() {
        let config = FlaskJwtExtended { csrf_check_form: true, ..FlaskJwtExtended::default() };
        let ask = |method: &str, csrf: &str, content_type: &str, body: Option<&[u8]>| {
            let headers = [("cookie", "access_token_cookie=T"), ("x-csrf-token", csrf), ("content-type", content_type)];
            look(Location::Cookies, &request(method, &headers), body, &config, TokenType::Access)
        };
        let with = |csrf: Option<&str>| {
            Ok(Sought::Known(Searched::Found { token: "T".into(), csrf: csrf.map(str::to_owned) }))
        };
        assert_eq!(ask("GET", "", "", None), with(None));
        assert_eq!(ask("POST", "C", "", None), with(Some("C")));
        assert_eq!(ask("POST", "", "", None), Err(CredentialRejection::CsrfMissing));
        assert_eq!(ask("DELETE", "", "application/json", None), Err(CredentialRejection::CsrfMissing));
        let urlencoded = "application/x-www-form-urlencoded; charset=utf-8";
        assert!(matches!(ask("POST", "", urlencoded, None), Ok(Sought::InBody(InBody::Csrf { .. }))));
        assert_eq!(ask("POST", "", urlencoded, Some(b"a=b&csrf_token=C%20&csrf_token=D")), with(Some("C ")));
        assert_eq!(ask("POST", "", urlencoded, Some(b"a=b")), Err(CredentialRejection::CsrfMissing));
        assert_eq!(ask("POST", "H", urlencoded, Some(b"csrf_token=C")), with(Some("H")));
        let multipart = "multipart/form-data; boundary=XX";
        let body = b"--XX\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\nC\r\n--XX--\r\n";
        assert_eq!(ask("POST", "", multipart, Some(body)), with(Some("C")));
        let named = |name: &str, more: &str| {
            format!("--XX\r\n{name}: form-data; name=\"csrf_token\"{more}\r\n\r\nF\r\n").into_bytes()
        };
        let file = [named("Content-Disposition", "; filename=\"f\""), body.to_vec()].concat();
        assert_eq!(ask("POST", "", multipart, Some(&file)), with(Some("C")));
        let nameless = [named("X", ""), body.to_vec()].concat();
        assert_eq!(ask("POST", "", multipart, Some(&nameless)), Err(CredentialRejection::CsrfMissing));
        for torn in [&body[..20], b"", b"--XX--"] {
            assert_eq!(ask("POST", "", multipart, Some(torn)), Err(CredentialRejection::CsrfMissing));
        }
    }

    #[test]
    fn head_needs_the_csrf_value_where_get_does() {
        let config = FlaskJwtExtended { csrf_methods: vec!["GET".into()], ..FlaskJwtExtended::default() };
        for (method, needed) in [("GET", true), ("HEAD", true), ("POST", false)] {
            let headers = [("cookie", "access_token_cookie=T")];
            let sought = look(Location::Cookies, &request(method, &headers), None, &config, TokenType::Access);
            assert_eq!(sought == Err(CredentialRejection::CsrfMissing), needed, "{method}");
        }
        let config = FlaskJwtExtended { csrf_methods: vec!["HEAD".into()], ..config };
        assert!(config.needs_csrf("HEAD") && !config.needs_csrf("GET"));
    }

    #[test]
    fn a_query_and_a_json_body_are_read_by_their_names() {
        let config = FlaskJwtExtended { query_prefix: "bearer ".into(), ..FlaskJwtExtended::default() };
        let query = |query: &str| {
            let request = Request { query: Some(query), ..request("GET", &[]) };
            look(Location::QueryString, &request, None, &config, TokenType::Access)
        };
        let none = Ok(absent(Absent::QueryParameter { name: "jwt".into() }));
        assert_eq!(query("jwt=bearer%20T&jwt=other"), Ok(found("T")));
        assert_eq!(query("a=b;jwt=bearer+T"), none);
        assert_eq!(query("jwt="), none);
        assert_eq!(query("JWT=bearer+T"), none);
        assert_eq!(
            query("jwt=T"),
            Err(CredentialRejection::BadQueryPrefix { name: "jwt".into(), prefix: "bearer ".into() })
        );

        let json = |content_type: &str, body: Option<&str>, token_type: TokenType| {
            let headers = [("content-type", content_type)];
            let body = body.map(str::as_bytes);
            look(Location::Json, &request("POST", &headers), body, &config, token_type)
        };
        let no_member = |name: &str| Ok(absent(Absent::JsonMember { name: name.into() }));
        assert_eq!(json("text/json", None, TokenType::Access), Ok(absent(Absent::JsonMediaType)));
        assert!(matches!(json("application/json", None, TokenType::Access), Ok(Sought::InBody(InBody::Token { .. }))));
        assert_eq!(
            json("application/vnd.x+JSON; a=b", Some(r#"{"access_token":"T"}"#), TokenType::Access),
            Ok(found("T"))
        );
        assert_eq!(
            json("application/json", Some(r#"{"access_token":"T"}"#), TokenType::Refresh),
            no_member("refresh_token")
        );
        for nothing in
            ["", "[", "null", "[]", "[1]", "\"x\"", "1", "{}", r#"{"access_token":""}"#, r#"{"access_token":0}"#]
        {
            assert_eq!(
                json("application/json", Some(nothing), TokenType::Access),
                no_member("access_token"),
                "{nothing}"
            );
        }
        for other in ["1", "{\"a\":1}", "[1]", "true"] {
            let body = format!("{{\"access_token\":{other}}}");
            assert_eq!(
                json("application/json", Some(&body), TokenType::Access),
                Err(CredentialRejection::NotText),
                "{other}"
            );
        }
    }
}
