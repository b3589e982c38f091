//! Commands to an account's object and its replies, as the gate and the object exchange them.

use super::{Bucket, DeviceId};
use crate::rules::{
    identity::{Attributes, SeenAttributes},
    ids::{SessionId, TokenId},
    json::{Map, Value},
    revocation::Entry,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// A command to the object of an account, a name or an address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Counts an attempt at the password, if one is allowed: [`Reply::Allowed`], [`Reply::Wait`] or [`Reply::Busy`].
    #[serde(rename = "try")]
    Attempt {
        /// The ids of the device that sent the request.
        devices: Vec<DeviceId>,
    },
    /// The password of an attempt was right.
    Right {
        /// The bucket of [`Reply::Allowed`].
        #[serde(rename = "lane")]
        bucket: Bucket,
        /// Devices that have a bucket of their own from now on.
        devices: Vec<DeviceId>,
        /// The record that the log-in was for ([`crate::rules::device::RecordId`]): the number of devices is limited by
        /// record.
        #[serde(default)]
        record: String,
    },
    /// The password of an attempt was wrong. An attempt without an outcome counts as wrong after 30 seconds.
    Wrong {
        /// The bucket of [`Reply::Allowed`].
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// The password of an attempt was not checked: the attempt does not count.
    Untried {
        /// The bucket of [`Reply::Allowed`].
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// Whether a password may be tried from this address ([`crate::rules::ids::ObjectName::of_address`]). After too
    /// many failures one attempt is allowed at a time, and starts the next wait before its outcome is known.
    CheckAddress,
    /// Counts a failed attempt from this address.
    AddressFailed,
    /// Opens a session after a log-in.
    Open {
        /// [`crate::rules::store::LoginRecord::version`] of the record that the password was checked against.
        version: Timestamp,
        /// The random part of the session's id ([`SessionId::new`]).
        entropy: String,
        /// The first refresh token; `None` without rotation.
        refresh: Option<RefreshToken>,
        /// `User-Agent` of the log-in.
        user_agent: String,
        /// The country of the log-in: two letters, or empty.
        country: String,
        /// The attributes that the store shows, if claims are made of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<SeenAttributes>,
    },
    /// Spends a refresh token and returns its successor.
    Rotate {
        /// The token's session.
        session: SessionId,
        /// The token's id.
        token_id: TokenId,
        /// The successor, unless the token has one already.
        successor: RefreshToken,
        /// The attributes that the store shows, if claims are made of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<SeenAttributes>,
    },
    /// Whether a token is revoked, for example under a rule with `revocation = "strict"`.
    Check {
        /// The token's session, if it has one.
        session: Option<SessionId>,
        /// The token's id, if it has one.
        token_id: Option<TokenId>,
        /// When the session began; for a token without a session, when it was issued.
        began: Timestamp,
        /// Whether this counts as a use of the session.
        is_use: bool,
        /// The version of the attributes that the token's claims were made of, if that is to be compared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claims_version: Option<Timestamp>,
        /// The attributes that the store shows, if claims of a new token are made of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<SeenAttributes>,
    },
    /// Lists the open sessions.
    List,
    /// Ends a session.
    End {
        /// The session's id.
        session: SessionId,
    },
    /// Ends every session, and revokes every token that was issued before.
    EndAll {
        /// Whether the present password stops counting, because the user was disabled or deleted.
        retire_password: bool,
        /// The version of a log-in record that was just written: records of an earlier version stop counting.
        #[serde(default)]
        version: Option<Timestamp>,
        /// Whether the attributes are forgotten, because the user was deleted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forget_attributes: bool,
    },
    /// Changes attributes, and revokes the access tokens with claims that were made of other values. Sessions go on.
    SetAttributes {
        /// The attributes that the caller has read in KV. They count if they are newer than the object's.
        found: Attributes,
        /// The attributes to set.
        set: Map<String, Value>,
        /// The names of the attributes to remove.
        without: Vec<String>,
        /// The names of the attributes that claims are made of ([`crate::rules::json::find`]).
        claims: Vec<String>,
        /// Maximum length of their values as JSON, in bytes.
        max_claim_bytes: usize,
        /// Whether the found attributes count even if the object knows newer ones, because the user was replaced.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replaces: bool,
    },
    /// Revokes one token.
    Revoke {
        /// The token's id.
        token_id: TokenId,
        /// The token's lifetime; `None` if it is unknown, as to an operator who has only the id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        life: Option<TokenLife>,
    },
    /// Stores a new password, and ends every session.
    SetPassword {
        /// The version of the record that the old password was checked against.
        proven: Timestamp,
        /// The key of the log-in record.
        key: String,
        /// The log-in record, whose version the object sets.
        record: Map<String, Value>,
    },
    /// Stores a new hash of the same password.
    Rehash {
        /// The version that the password was checked against.
        proven: Timestamp,
        /// The key of the log-in record.
        key: String,
        /// The log-in record.
        record: Map<String, Value>,
    },
    /// The revocation log or KV has what the object sent: [`super::Account::announcements`] and
    /// [`super::Account::record`].
    Delivered {
        /// The revocations that the log has.
        revocations: Vec<Entry>,
        /// The record that KV has.
        record: Option<Pending>,
    },
    /// Drops what has expired.
    Tidy,
}

/// A refresh token: its id, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// The claim `jti`.
    pub token_id: TokenId,
    /// The randomness of this token and of the access token issued with it.
    pub seed: String,
    /// The claim `iat`.
    pub issued_at: Timestamp,
}

/// When a token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenLife {
    /// At this time, leeway included.
    Until(Timestamp),
    /// Never: it has no `exp`.
    Endless,
}

impl Command {
    /// The name under which the reply to a command is kept; `None` if the command may be repeated without harm.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Attempt { .. } => Some("try"),
            Self::Right { .. } => Some("right"),
            Self::Wrong { .. } => Some("wrong"),
            Self::Untried { .. } => Some("untried"),
            Self::CheckAddress => Some("check-address"),
            Self::AddressFailed => Some("address-failed"),
            Self::Open { .. } => Some("open"),
            Self::Rotate { .. } => Some("rotate"),
            Self::End { .. } => Some("end"),
            Self::EndAll { .. } => Some("end-all"),
            Self::SetAttributes { .. } => Some("set-attributes"),
            Self::Revoke { .. } => Some("revoke"),
            Self::SetPassword { .. } => Some("set-password"),
            Self::Rehash { .. } => Some("rehash"),
            Self::Check { .. } | Self::List | Self::Delivered { .. } | Self::Tidy => None,
        }
    }
}

impl Reply {
    /// Whether something was done that a repetition of the command must not do again.
    pub(super) const fn is_done(&self) -> bool {
        match self {
            Self::Done
            | Self::Allowed { .. }
            | Self::Opened { .. }
            | Self::Rotated { .. }
            | Self::Ended { reused: true }
            | Self::Changed { .. }
            | Self::AttributesSet { .. } => true,
            Self::Busy
            | Self::Wait { .. }
            | Self::Stale
            | Self::TooLong
            | Self::Ended { reused: false }
            | Self::Alive
            | Self::AliveWith { .. }
            | Self::Outdated
            | Self::Sessions { .. } => false,
        }
    }
}

/// The reply to a [`Command`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done.
    Done,
    /// The attempt is counted, and the password may be checked.
    #[serde(rename = "go")]
    Allowed {
        /// The bucket to report the outcome for: [`Command::Right`], [`Command::Wrong`] or [`Command::Untried`].
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// Too many attempts are under way: try again in a moment.
    Busy,
    /// No attempt is allowed yet.
    Wait {
        /// Seconds until the next attempt, at least 1.
        seconds: u32,
    },
    /// The session is open.
    Opened {
        /// The session's id, which has the time at which it began ([`SessionId::began`]).
        session: SessionId,
        /// The attributes, if they are newer than those of the command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<Attributes>,
    },
    /// The record that the password was checked against is out of date.
    Stale,
    /// The refresh token's successor: the offered one, or within the grace the one that was made at the first use.
    Rotated {
        /// The successor.
        successor: RefreshToken,
        /// When the session ends at the latest.
        until: Timestamp,
        /// The attributes, if they are newer than those of the command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attributes: Option<Attributes>,
    },
    /// The session is not open or was just ended, or the token is revoked.
    Ended {
        /// Whether a spent refresh token was used again, and may be stolen.
        reused: bool,
    },
    /// The token is not revoked.
    Alive,
    /// The token is not revoked, and the command's attributes are out of date.
    AliveWith {
        /// The newer ones.
        attributes: Attributes,
    },
    /// The token's claims were made of attributes that were changed since. Its session goes on.
    Outdated,
    /// The open sessions, the most recently used first.
    Sessions {
        /// A summary of each.
        sessions: Vec<SessionSummary>,
    },
    /// The attributes are stored, or were so before.
    AttributesSet {
        /// All of them, with their version.
        attributes: Attributes,
        /// Whether the last change was one of attributes that claims are made of, so that tokens were revoked.
        revokes: bool,
    },
    /// With this change the attributes would not be [storable](super::are_storable), or their claims too long.
    TooLong,
    /// The new password is stored.
    Changed {
        /// The version of the new record.
        version: Timestamp,
    },
}

/// A session, as its user and operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// The session's id.
    pub id: SessionId,
    /// When it was opened, in seconds since 1970.
    pub created: i64,
    /// When a refresh token was last used, in seconds since 1970.
    pub last_used: i64,
    /// `User-Agent` of the log-in.
    pub user_agent: String,
    /// The country of the log-in: two letters, or empty.
    pub country: String,
}

/// A log-in record on its way to KV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its key in KV.
    pub key: String,
    /// Its value in KV.
    pub text: String,
}

/// The outcome of [`crate::Users::set_password`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PasswordChange {
    /// The application does not change passwords.
    NotOffered,
    /// The old password is wrong, or the user does not exist any more.
    Wrong,
    /// The new password is too weak: why, for the person who chooses another.
    Weak(String),
    /// The account's object must store this log-in record ([`Command::SetPassword`]).
    Prepared {
        /// The version of the record that this one replaces.
        proven: Timestamp,
        /// The record's key.
        key: String,
        /// The record without its version.
        record: Map<String, Value>,
    },
    /// The application has stored it.
    Stored {
        /// [`crate::rules::identity::Identity::version`] of a log-in with the new password.
        version: Timestamp,
    },
}
