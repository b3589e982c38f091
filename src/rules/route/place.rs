//! From where a rule's requests may come: the members `countries` and `addresses`.
//!
//! **What always holds:** a request whose country or address is not known is refused, whether the list says what is
//! allowed or what is not.

use crate::rules::{config::as_list, json::Value, proxies::Ranges};
use std::net::IpAddr;

/// The places that requests may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    countries: Option<Listed<Vec<String>>>,
    addresses: Option<Listed<Ranges>>,
}

/// A list of what is allowed, or of what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Listed<L> {
    Only(L),
    Not(L),
}

impl<L> Listed<L> {
    /// Reads a list, or `{ not = list }`.
    fn read(value: &Value, read: impl Fn(&[String]) -> Result<L, String>) -> Result<Self, String> {
        let (value, is_not) = match value.as_object() {
            None => (value, false),
            Some(table) => match table.get("not").filter(|_| table.len() == 1) {
                Some(list) => (list, true),
                None => return Err("write a list, or { not = list }".into()),
            },
        };
        let list = as_list(value).ok().filter(|list| !list.is_empty()).ok_or("write a list that is not empty")?;
        let list = read(&list)?;
        Ok(if is_not { Self::Not(list) } else { Self::Only(list) })
    }

    fn allows(&self, is_in: impl Fn(&L) -> bool) -> bool {
        match self {
            Self::Only(list) => is_in(list),
            Self::Not(list) => !is_in(list),
        }
    }
}

impl Places {
    /// Reads the two members; `None` for one that the rule does not have.
    ///
    /// # Errors
    /// Each wrong member, and what to write instead.
    pub(super) fn read(
        countries: Option<&Value>,
        addresses: Option<&Value>,
    ) -> Result<Self, Vec<(&'static str, String)>> {
        let countries = countries.map(|value| Listed::read(value, read_countries)).transpose();
        let addresses = addresses.map(|value| Listed::read(value, Ranges::read)).transpose();
        match (countries, addresses) {
            (Ok(countries), Ok(addresses)) => Ok(Self { countries, addresses }),
            (countries, addresses) => {
                let wrong = [("countries", countries.err()), ("addresses", addresses.err())];
                Err(wrong.into_iter().filter_map(|(member, text)| Some((member, text?))).collect())
            }
        }
    }

    /// Whether requests may come from everywhere.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a request from this country and address is allowed. `country` is as Cloudflare sends it.
    #[must_use]
    pub fn allow(&self, country: Option<&str>, address: Option<IpAddr>) -> bool {
        let country = country.filter(|country| is_country(country));
        let in_country = self.countries.as_ref().is_none_or(|listed| {
            country.is_some_and(|country| listed.allows(|list| list.iter().any(|known| known == country)))
        });
        let at_address = self
            .addresses
            .as_ref()
            .is_none_or(|listed| address.is_some_and(|address| listed.allows(|ranges| ranges.contain(address))));
        in_country && at_address
    }
}

/// A two-letter code (ISO 3166-1 alpha-2), or Cloudflare's `T1` for Tor. `XX` stands for an unknown one.
fn is_country(text: &str) -> bool {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_code && text != "XX") || text == "T1"
}

fn read_countries(list: &[String]) -> Result<Vec<String>, String> {
    let country = |text: &String| {
        let country = text.to_ascii_uppercase();
        if country == "UK" {
            Err("\"UK\" is no code of ISO 3166-1: write \"GB\"".into())
        } else if is_country(&country) {
            Ok(country)
        } else {
            Err(format!(
                "{text:?} is not a country: write a two-letter code of ISO 3166-1, such as \"DE\", or \"T1\" for Tor"
            ))
        }
    };
    list.iter().map(country).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_place_is_allowed_if_it_is_known_and_listed() {
        for (countries, addresses, country, address, is_allowed) in [
            (json!(["DE", "at"]), Value::Null, Some("DE"), None, true),
            (json!(["DE", "at"]), Value::Null, Some("AT"), None, true),
            (json!(["DE"]), Value::Null, Some("US"), None, false),
            (json!(["DE"]), Value::Null, Some("XX"), None, false),
            (json!(["DE"]), Value::Null, Some("de"), None, false),
            (json!(["DE"]), Value::Null, None, None, false),
            (json!({"not": ["US", "T1"]}), Value::Null, Some("DE"), None, true),
            (json!({"not": ["US", "T1"]}), Value::Null, Some("T1"), None, false),
            (json!({"not": ["US"]}), Value::Null, Some("XX"), None, false),
            (json!({"not": ["US"]}), Value::Null, None, None, false),
            (Value::Null, json!(["192.0.2.0/24", "2001:db8::/32"]), None, Some("192.0.2.7"), true),
            (Value::Null, json!(["192.0.2.0/24"]), None, Some("::ffff:192.0.2.7"), true),
            (Value::Null, json!(["2001:db8::/32"]), None, Some("2001:db8::7"), true),
            (Value::Null, json!(["192.0.2.0/24"]), None, Some("198.51.100.7"), false),
            (Value::Null, json!(["192.0.2.0/24"]), None, None, false),
            (Value::Null, json!({"not": ["192.0.2.0/24"]}), None, Some("198.51.100.7"), true),
            (Value::Null, json!({"not": ["192.0.2.0/24"]}), None, Some("192.0.2.7"), false),
            (Value::Null, json!({"not": ["192.0.2.0/24"]}), None, None, false),
            (json!(["DE"]), json!(["192.0.2.0/24"]), Some("DE"), Some("198.51.100.7"), false),
            (json!(["DE"]), json!(["192.0.2.0/24"]), Some("US"), Some("192.0.2.7"), false),
            (json!(["DE"]), json!(["192.0.2.0/24"]), Some("DE"), Some("192.0.2.7"), true),
            (Value::Null, Value::Null, None, None, true),
        ] {
            let member = |value: &'_ Value| (!value.is_null()).then(|| value.clone());
            let places = Places::read(member(&countries).as_ref(), member(&addresses).as_ref()).unwrap();
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!(places.allow(country, address), is_allowed, "{countries} {addresses} {country:?} {address:?}");
        }
    }

    #[test]
    fn lists_are_not_empty_and_name_what_there_is() {
        for wrong in
            [json!([]), json!({"not": []}), json!({"only": ["DE"]}), json!(["Germany"]), json!(["XX"]), json!(5)]
        {
            assert_eq!(Places::read(Some(&wrong), None).unwrap_err()[0].0, "countries", "{wrong}");
        }
        let both = Places::read(Some(&json!("UK")), Some(&json!("localhost"))).unwrap_err();
        assert_eq!(both.iter().map(|(member, _)| *member).collect::<Vec<_>>(), ["countries", "addresses"]);
        assert!(both[0].1.contains("GB"), "{both:?}");
        for wrong in [json!([]), json!(["x"]), json!(["0.0.0.0/0"]), json!({"not": "192.0.2.0/33"})] {
            assert_eq!(Places::read(None, Some(&wrong)).unwrap_err()[0].0, "addresses", "{wrong}");
        }
    }
}
