//! The options that only Flask-JWT-Extended's dialect has (docs/compat/flask-jwt-extended.md#options).

use crate::rules::{json::Value, time::Duration, token::TokenType};

/// Where a request may carry a token (`JWT_TOKEN_LOCATION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// `headers`.
    Headers,
    /// `cookies`.
    Cookies,
    /// `query_string`.
    QueryString,
    /// `json`.
    Json,
}

impl Location {
    /// Every location.
    pub const ALL: [Self; 4] = [Self::Headers, Self::Cookies, Self::QueryString, Self::Json];

    /// The name in `JWT_TOKEN_LOCATION`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Cookies => "cookies",
            Self::QueryString => "query_string",
            Self::Json => "json",
        }
    }

    /// The locations of these names, in the same order.
    ///
    /// # Errors
    /// If the list is empty or a name is unknown; says what to write instead.
    pub fn read_list(words: &[String]) -> Result<Vec<Self>, String> {
        let one = |word: &String| Self::ALL.into_iter().find(|location| location.name() == word);
        let list: Option<Vec<Self>> = words.iter().map(one).collect();
        list.filter(|list| !list.is_empty())
            .ok_or_else(|| "write one or more of \"headers\", \"cookies\", \"query_string\" and \"json\"".into())
    }
}

/// The names under which requests and cookies carry one type of token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `JWT_…_COOKIE_NAME`.
    pub cookie: String,
    /// `JWT_…_COOKIE_PATH`; empty: no such attribute.
    pub cookie_path: String,
    /// `JWT_…_CSRF_COOKIE_NAME`.
    pub csrf_cookie: String,
    /// `JWT_…_CSRF_COOKIE_PATH`; empty: no such attribute.
    pub csrf_cookie_path: String,
    /// `JWT_…_CSRF_HEADER_NAME`.
    pub csrf_header: String,
    /// `JWT_…_CSRF_FIELD_NAME`.
    pub csrf_field: String,
    /// `JWT_JSON_KEY`, `JWT_REFRESH_JSON_KEY`.
    pub json_key: String,
}

impl Names {
    const UNSET: Self = Self {
        cookie: String::new(),
        cookie_path: String::new(),
        csrf_cookie: String::new(),
        csrf_cookie_path: String::new(),
        csrf_header: String::new(),
        csrf_field: String::new(),
        json_key: String::new(),
    };
}

/// `JWT_COOKIE_SAMESITE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with requests from the same site only.
    Strict,
    /// Also sent when a link from another site is followed.
    Lax,
    /// Sent with every request.
    None,
}

impl SameSite {
    /// The value of the cookie attribute.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }

    /// By its name, in any letter case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Strict, Self::Lax, Self::None].into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }
}

/// The options of Flask-JWT-Extended's dialect, except those of decoding
/// ([`crate::rules::token::FlaskJwtExtendedPolicy`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlaskJwtExtended {
    /// `JWT_TOKEN_LOCATION`.
    pub locations: Vec<Location>,
    /// `JWT_HEADER_NAME`.
    pub header_name: String,
    /// `JWT_HEADER_TYPE`; empty for none.
    pub header_type: String,
    /// `JWT_QUERY_STRING_NAME`.
    pub query_name: String,
    /// `JWT_QUERY_STRING_VALUE_PREFIX`.
    pub query_prefix: String,
    /// For access tokens.
    pub access: Names,
    /// For refresh tokens.
    pub refresh: Names,
    /// `JWT_COOKIE_DOMAIN`; empty for none.
    pub cookie_domain: String,
    /// `JWT_COOKIE_SECURE`.
    pub cookie_secure: bool,
    /// `JWT_COOKIE_SAMESITE`.
    pub cookie_same_site: Option<SameSite>,
    /// `JWT_SESSION_COOKIE`.
    pub session_cookie: bool,
    /// `JWT_COOKIE_CSRF_PROTECT`.
    pub csrf_protect: bool,
    /// `JWT_CSRF_METHODS`.
    pub csrf_methods: Vec<String>,
    /// `JWT_CSRF_IN_COOKIES`.
    pub csrf_in_cookies: bool,
    /// `TOLLGATE_CSRF_IN_BODY`.
    pub csrf_in_body: bool,
    /// `JWT_CSRF_CHECK_FORM`.
    pub csrf_check_form: bool,
    /// `JWT_ACCESS_TOKEN_EXPIRES`; `None` for never.
    pub access_expires: Option<Duration>,
    /// `JWT_REFRESH_TOKEN_EXPIRES`; `None` for never.
    pub refresh_expires: Option<Duration>,
    /// `JWT_ENCODE_NBF`.
    pub encode_nbf: bool,
    /// `JWT_ENCODE_AUDIENCE`: a text or a list of texts.
    pub encode_audience: Option<Value>,
    /// `JWT_ENCODE_ISSUER`.
    pub encode_issuer: Option<String>,
    /// `JWT_ERROR_MESSAGE_KEY`.
    pub error_message_key: String,
    /// `TOLLGATE_REFRESH_TOKENS`.
    pub refresh_tokens: bool,
    /// `TOLLGATE_COOKIE_REFRESH_WITHIN`; zero for never.
    pub cookie_refresh_within: Duration,
}

impl FlaskJwtExtended {
    /// No option set, and no default applied.
    pub(super) const UNSET: Self = Self {
        locations: Vec::new(),
        header_name: String::new(),
        header_type: String::new(),
        query_name: String::new(),
        query_prefix: String::new(),
        access: Names::UNSET,
        refresh: Names::UNSET,
        cookie_domain: String::new(),
        cookie_secure: false,
        cookie_same_site: None,
        session_cookie: false,
        csrf_protect: false,
        csrf_methods: Vec::new(),
        csrf_in_cookies: false,
        csrf_in_body: false,
        csrf_check_form: false,
        access_expires: None,
        refresh_expires: None,
        encode_nbf: false,
        encode_audience: None,
        encode_issuer: None,
        error_message_key: String::new(),
        refresh_tokens: false,
        cookie_refresh_within: Duration::ZERO,
    };

    /// The names for refresh or for access tokens.
    #[must_use]
    pub fn names(&self, token_type: TokenType) -> &Names {
        match token_type {
            TokenType::Access => &self.access,
            TokenType::Refresh => &self.refresh,
        }
    }

    /// The lifetime of this type of token; `None` for ever.
    pub(in crate::rules) fn lifetime(&self, token_type: TokenType) -> Option<Duration> {
        match token_type {
            TokenType::Access => self.access_expires,
            TokenType::Refresh => self.refresh_expires,
        }
    }

    /// Whether tokens are read from cookies.
    #[must_use]
    pub fn uses_cookies(&self) -> bool {
        self.locations.contains(&Location::Cookies)
    }

    /// Whether the body of an answer has the new tokens. Not where only cookies are read: a page's script must not see
    /// them then.
    #[must_use]
    pub fn tokens_in_body(&self) -> bool {
        self.locations.iter().any(|location| *location != Location::Cookies)
    }

    /// Whether a request of this method needs the CSRF value beside a cookie. HEAD needs it where GET does; the real
    /// library does not check HEAD.
    #[must_use]
    pub fn needs_csrf(&self, method: &str) -> bool {
        let is_method = |known: &String| known == method || (method == "HEAD" && known == "GET");
        self.csrf_protect && self.csrf_methods.iter().any(is_method)
    }
}
