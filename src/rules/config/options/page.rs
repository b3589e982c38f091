//! docs/options.md.

use super::{Family, TABLE};

/// The text of docs/options.md.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Options\n\n\
         <!-- Written by `cargo xtask docs`, from the tables in src/rules/config/options/. -->\n\n\
         Options are variables of the worker: `[vars]` in wrangler.toml (`vars` in wrangler.jsonc), secrets, or \
         bindings to Secrets Store ([deploying.md](deploying.md#secrets-store)). Durations are seconds, as a \
         number or as text such as `\"90\"`, `\"250ms\"`, `\"5m\"`, `\"1h\"`, `\"7d\"`. Lists and tables may also be \
         given as JSON text, lists of words as words with commas.\n\n\
         A value that is unsafe or impossible stops the gate: all problems are logged at once \
         (`config_problem`), and every request is answered with a plain 500 until they are corrected. Any other \
         setting that cannot work, such as a cookie that browsers drop, is logged at start (`config_fault`) and fails \
         `tollgate config check`. What is legal but unwise, or an unknown `JWT_…` or `TOLLGATE_…` name, is a warning \
         (`config_warning`).\n",
    );
    for (family, title) in [
        (Family::FlaskJwt, "Flask-JWT's, under their own names"),
        (Family::FlaskJwtExtended, "Flask-JWT-Extended's, for both dialects"),
        (Family::Tollgate, "Tollgate's"),
        (Family::ExtendedOnly, "Flask-JWT-Extended's, with `TOLLGATE_WIRE = \"flask-jwt-extended\"`"),
        (
            Family::Sessions,
            "Tollgate's, for sessions (with the bindings `ACCOUNTS` and `REVOCATIONS`: docs/sessions.md)",
        ),
        (Family::NeverRead, "Documented by Flask-JWT but without effect"),
    ] {
        page += &format!("\n## {title}\n\n| option | value | default | meaning |\n|---|---|---|---|\n");
        for option in TABLE.iter().filter(|option| option.family == family) {
            page +=
                &format!("| `{}` | {} | {} | {} |\n", option.name, option.kind, code(option.default), option.meaning);
        }
    }
    page += "\n## A rule in ROUTES\n\n| member | value | default | meaning |\n|---|---|---|---|\n";
    for member in crate::rules::route::RULE_MEMBERS {
        page += &format!("| `{}` | {} | {} | {} |\n", member.name, member.kind, code(member.default), member.meaning);
    }
    page += crate::rules::route::RULE_NOTES;
    page
}

fn code(text: &str) -> String {
    if text == "–" || text.starts_with("the ") || ["none", "required"].contains(&text) {
        text.to_owned()
    } else {
        format!("`{text}`")
    }
}
