//! `cargo xtask size`: what the deployed module consists of, and what weighs most in it.

use crate::{
    build::{self, Flavour},
    setup,
    step::{Failure, Root},
};
use flate2::{Compression, write::GzEncoder};
use std::{collections::BTreeMap, error::Error, fs, io::Write, ops::Range};
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// How many contributors are printed.
const SHOWN: usize = 20;

/// Builds the worker, bundles it, and prints its size with the contributors that weigh most: for functions a crate, and
/// for Tollgate's own a module. What a contributor weighs with gzip is what the module loses without its bytes.
pub fn size(root: &Root, args: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = args.first() {
        return Err(Failure::new("size", format!("no option {unknown}"), "`cargo xtask size` takes no options"));
    }
    setup::set_up(root)?;
    build::deployable(root)?;
    report(root).map_err(|error| Failure::new("size", error.to_string(), "is target/deploy there, and build/?"))
}

fn report(root: &Root) -> Result<(), Box<dyn Error>> {
    let mut total = [0, 0];
    for file in fs::read_dir(root.join("target/deploy"))? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "wasm" || extension == "js") {
            let bytes = fs::read(&file)?;
            let weight = [bytes.len(), compressed(&bytes)?];
            total = [total[0] + weight[0], total[1] + weight[1]];
            println!("{:>9} {:>9}  {}", weight[0], weight[1], file.extension().unwrap_or_default().display());
        }
    }
    println!("{:>9} {:>9}  all that is uploaded ({} KiB with gzip)\n", total[0], total[1], total[1] / 1024);

    let module = build::glue(Flavour::Release, &Flavour::Release.compiled(root))?.wasm_mut().emit_wasm();
    let parts = parts(&module)?;
    // Names are left out of the deployed module, but for Tollgate's own.
    let named: Vec<Range<usize>> = parts.get(NAMES).cloned().unwrap_or_default();
    let module_without = |ranges: &[Range<usize>]| compressed(&without(&module, &[ranges, &named].concat()));
    let all = module_without(&[])?;
    let mut rows = parts
        .iter()
        .filter(|(name, _)| *name != NAMES)
        .map(|(name, ranges)| (ranges.iter().map(Range::len).sum::<usize>(), name, ranges))
        .collect::<Vec<_>>();
    rows.sort_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
    println!("    bytes      gzip  functions  of the module, without the names of functions");
    for (bytes, name, ranges) in rows.iter().take(SHOWN) {
        let gzip = all.saturating_sub(module_without(ranges)?);
        println!("{bytes:>9} {gzip:>9} {:>10}  {name}", ranges.len());
    }
    let rest = rows.iter().skip(SHOWN).map(|(bytes, ..)| bytes).sum::<usize>();
    println!("{rest:>9}                       {} others", rows.len().saturating_sub(SHOWN));
    Ok(())
}

/// The part with the names of functions.
const NAMES: &str = "(names)";

/// The bytes of each part of a module.
type Parts = BTreeMap<String, Vec<Range<usize>>>;

/// Where each part of a module is: functions by crate or module, all else by section.
fn parts(module: &[u8]) -> Result<Parts, Box<dyn Error>> {
    let (mut parts, mut bodies, mut names) = (Parts::new(), Vec::new(), BTreeMap::new());
    let mut imported = 0;
    for payload in Parser::new(0).parse_all(module) {
        let (part, range) = match payload? {
            Payload::ImportSection(imports) => {
                let range = imports.range();
                for import in imports.into_imports() {
                    imported += usize::from(matches!(import?.ty, wasmparser::TypeRef::Func(_)));
                }
                ("(imports)", range)
            }
            Payload::CodeSectionEntry(body) => {
                bodies.push(body.range());
                continue;
            }
            Payload::DataSection(data) => ("(data: texts, tables, the list of common passwords)", data.range()),
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(sections) = custom.as_known() {
                    for section in sections {
                        if let Name::Function(functions) = section? {
                            for function in functions {
                                let function = function?;
                                names.insert(function.index as usize, function.name.to_owned());
                            }
                        }
                    }
                }
                (NAMES, custom.range())
            }
            _ => continue,
        };
        parts.entry(part.to_owned()).or_default().push(range);
    }
    for (number, body) in bodies.into_iter().enumerate() {
        let name = names.get(&(number + imported)).map_or("(without a name)", String::as_str);
        parts.entry(contributor(name)).or_default().push(body);
    }
    Ok(parts)
}

/// The crate that a function's name begins with; of Tollgate's own functions the module.
fn contributor(name: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    let path = name.trim_start_matches(['<', '&', '(', '[', '*']).trim_start_matches("mut ").trim_start_matches("dyn ");
    let end = path.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(path.len());
    let segments: Vec<&str> = path[..end].split("::").collect();
    let is_module = |segment: &&&str| segment.starts_with(|c: char| c.is_ascii_lowercase());
    match segments[..] {
        ["tollgate", .., _] => {
            segments[..segments.len() - 1].iter().take(3).take_while(is_module).copied().collect::<Vec<_>>().join("::")
        }
        [name, _, ..] => name.to_owned(),
        // Functions that JavaScript calls, and implementations for a parameter.
        _ => "(others)".to_owned(),
    }
}

/// The bytes without these ranges.
fn without(bytes: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(|range| range.start);
    let (mut kept, mut at) = (Vec::with_capacity(bytes.len()), 0);
    for range in ranges {
        kept.extend_from_slice(bytes.get(at..range.start).unwrap_or_default());
        at = range.end;
    }
    kept.extend_from_slice(&bytes[at..]);
    kept
}

fn compressed(bytes: &[u8]) -> std::io::Result<usize> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::{contributor, without};

    #[test]
    fn a_function_belongs_to_its_crate_or_module() {
        for (name, owner) in [
            ("_ZN10serde_json2de8from_str17h0123456789abcdefE", "serde_json"),
            ("tollgate::rules::token::key::Key::hmac", "tollgate::rules::token"),
            ("<tollgate::rules::json::Unique as serde_core::de::Deserialize>::deserialize", "tollgate::rules::json"),
            ("<&mut serde_json::de::Deserializer<R> as serde_core::de::Deserializer>::deserialize_map", "serde_json"),
            ("tollgate::edge::settle", "tollgate::edge"),
            ("handle", "(others)"),
            ("<T as serde_core::de::Expected>::fmt", "(others)"),
        ] {
            assert_eq!(contributor(name), owner, "{name}");
        }
    }

    #[test]
    fn ranges_are_taken_out() {
        assert_eq!(without(b"0123456789", &[5..7, 0..2]), b"234789");
        assert_eq!(without(b"01", &[]), b"01");
    }
}
