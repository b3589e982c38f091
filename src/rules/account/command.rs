//! What an account's object is asked, and what it replies: serialized between the gate and the object.

use super::{Bucket, DeviceId};
use crate::rules::{
    ids::{SessionId, TokenId},
    json::{Map, Value},
    revocation::Entry,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// What an account is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// May a password be tried, from one of these devices?
    #[serde(rename = "try")]
    Attempt {
        /// Those that the request shows.
        devices: Vec<DeviceId>,
    },
    /// The password that was tried under [`Reply::Allowed`] was right.
    Right {
        /// The bucket that was said there.
        #[serde(rename = "lane")]
        bucket: Bucket,
        /// These devices may try on their own from now on.
        devices: Vec<DeviceId>,
        /// The record that was proven ([`super::device::RecordId`]): how many devices are known is limited for each.
        #[serde(default)]
        record: String,
    },
    /// It was wrong. Should this not come, it counts as wrong after half a minute.
    Wrong {
        /// The bucket that was said there.
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// It was not tried after all.
    Untried {
        /// The bucket that was said there.
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// May a password be tried from this address ([`ObjectName::of_address`])? Of an address that has failed too often
    /// one attempt is allowed at a time: it takes the place of the next, whatever comes of it.
    CheckAddress,
    /// A password that was tried from this address was wrong.
    AddressFailed,
    /// Opens a session: somebody has logged in.
    Open {
        /// [`super::store::LoginRecord::version`] of the record that the password was checked against.
        version: Timestamp,
        /// The id that the session is to have, unless the account's time runs ahead: [`Reply::Opened`] says which.
        entropy: String,
        /// The first refresh token, if there are any.
        refresh: Option<RefreshToken>,
        /// `User-Agent`.
        user_agent: String,
        /// Two letters, from the runtime.
        country: String,
    },
    /// Spends a refresh token.
    Rotate {
        /// Its session.
        session: SessionId,
        /// Its id.
        token_id: TokenId,
        /// What its successor would be.
        successor: RefreshToken,
    },
    /// Is a token good? For routes with `revocation = "strict"`.
    Check {
        /// Its session, if it has one.
        session: Option<SessionId>,
        /// Its id, if it has one.
        token_id: Option<TokenId>,
        /// When its session began; of a token without one, when it was issued.
        began: Timestamp,
        /// Does its session go on by this?
        is_use: bool,
    },
    /// Which sessions are there?
    List,
    /// Ends a session.
    End {
        /// Which.
        session: SessionId,
    },
    /// Ends every session, and makes every token void that was issued before.
    EndAll {
        /// Does the password of now not count any more (the user is disabled or deleted)?
        retire_password: bool,
        /// Of the log-in record that was written before this: none of an earlier version counts.
        #[serde(default)]
        version: Option<Timestamp>,
    },
    /// Makes one token void.
    Revoke {
        /// Its id.
        token_id: TokenId,
        /// Until when it would be good; `None` if that is not known, as for an operator who has the id alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        life: Option<TokenLife>,
    },
    /// Another password: ends every session.
    SetPassword {
        /// The version that the old one was checked against, or that is known.
        proven: Timestamp,
        /// The key of the log-in record.
        key: String,
        /// The log-in record, whose version is set here.
        record: Map<String, Value>,
    },
    /// The same password, hashed anew.
    Rehash {
        /// The version that the password was checked against.
        proven: Timestamp,
        /// The key of the log-in record.
        key: String,
        /// The log-in record.
        record: Map<String, Value>,
    },
    /// Those that wait have been handed over: [`Account::announcements`] and [`Account::record`].
    Delivered {
        /// These revocations.
        revocations: Vec<Entry>,
        /// This record.
        record: Option<Pending>,
    },
    /// Time has passed.
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

/// Until when a token is good by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenLife {
    /// Until then, leeway included.
    Until(Timestamp),
    /// For ever: it has no `exp`.
    Endless,
}

impl Command {
    /// A word for a command that changes something, by which a repetition is known; `None` if it may be done again.
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
            Self::Revoke { .. } => Some("revoke"),
            Self::SetPassword { .. } => Some("set-password"),
            Self::Rehash { .. } => Some("rehash"),
            Self::Check { .. } | Self::List | Self::Delivered { .. } | Self::Tidy => None,
        }
    }
}

impl Reply {
    /// Does it say that something was done, which a repetition must not do again?
    pub(super) const fn is_done(&self) -> bool {
        match self {
            Self::Done
            | Self::Allowed { .. }
            | Self::Opened { .. }
            | Self::Rotated { .. }
            | Self::Ended { reused: true }
            | Self::Changed { .. } => true,
            Self::Busy
            | Self::Wait { .. }
            | Self::Stale
            | Self::Ended { reused: false }
            | Self::Alive
            | Self::Sessions { .. } => false,
        }
    }
}

/// What an account says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done.
    Done,
    /// Try it.
    #[serde(rename = "go")]
    Allowed {
        /// To be told with [`Command::Right`] or [`Command::Untried`].
        #[serde(rename = "lane")]
        bucket: Bucket,
    },
    /// In a moment: others are under way.
    Busy,
    /// Not before so many seconds have passed.
    Wait {
        /// At least 1.
        seconds: u32,
    },
    /// The session is open.
    Opened {
        /// Its id ([`SessionId::began`]).
        session: SessionId,
    },
    /// The record that the password was checked against is out of date.
    Stale,
    /// The refresh token's successor: made now, or the one that was made when it was spent.
    Rotated {
        /// What it is made of.
        successor: RefreshToken,
        /// When the session ends at the latest.
        until: Timestamp,
    },
    /// There is no such session any more, or this just ended it; or the token is void.
    Ended {
        /// Was a spent refresh token used again: is it stolen?
        reused: bool,
    },
    /// The token is good.
    Alive,
    /// The sessions, the latest first.
    Sessions {
        /// What is told of each.
        sessions: Vec<SessionSummary>,
    },
    /// The new password counts.
    Changed {
        /// The version of its record.
        version: Timestamp,
    },
}

/// A session, as it is told to whom it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Its id.
    pub id: SessionId,
    /// When it was opened, in seconds since 1970.
    pub created: i64,
    /// When a refresh token was last used, in seconds since 1970.
    pub last_used: i64,
    /// `User-Agent` of the log-in.
    pub user_agent: String,
    /// Where the log-in came from: two letters, or empty.
    pub country: String,
}

/// A log-in record on its way to KV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its key.
    pub key: String,
    /// Its text.
    pub text: String,
}

/// What became of a new password: [`crate::Users::set_password`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PasswordChange {
    /// Passwords are not changed here.
    NotOffered,
    /// The old one is wrong, or there is no such user any more.
    Wrong,
    /// The new one is too weak: why, for whom it is to be.
    Weak(String),
    /// It is good; the account's object is to store this log-in record ([`Command::SetPassword`]).
    Prepared {
        /// The version of the record in whose place it comes.
        proven: Timestamp,
        /// The record's key.
        key: String,
        /// The record, but for its version.
        record: Map<String, Value>,
    },
    /// The application has stored it.
    Stored {
        /// [`super::identity::Identity::version`] of whoever logs in with it.
        version: Timestamp,
    },
}
