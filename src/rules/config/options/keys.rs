//! Keys that sign and verify.

use super::{Family, OptionSpec};
use crate::rules::{
    config::value::{as_list, as_object},
    token::Algorithm,
};

/// Signs and verifies where neither JWT_ALGORITHM nor JWT_KEYS says otherwise.
pub(in crate::rules::config) const DEFAULT_ALGORITHM: Algorithm = Algorithm::Hs256;

pub(super) const FLASK_JWT: &[OptionSpec] = &Family::FlaskJwt.options([
    OptionSpec::optional_text("JWT_SECRET_KEY", |raw| &mut raw.jwt_secret_key)
        .kind("secret text")
        .unset("the value of SECRET_KEY")
        .secret()
        .meaning(
            "The HMAC key that signs and verifies, where JWT_ALGORITHM is one of `HS…`. At least as long as the hash: \
             32 bytes for HS256, 48 for HS384, 64 for HS512. Keep it in a secret (`npx wrangler secret put \
             JWT_SECRET_KEY`), never in `[vars]`.",
        ),
    OptionSpec::optional_text("SECRET_KEY", |raw| &mut raw.secret_key)
        .kind("secret text")
        .unset("none")
        .secret()
        .meaning("Flask's own secret: used where JWT_SECRET_KEY is not set."),
    OptionSpec::optional_text("JWT_ALGORITHM", |raw| &mut raw.algorithm)
        .kind("`HS256`, `HS384`, `HS512`, `EdDSA`, `ES256`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384` or `PS512`")
        .unset(DEFAULT_ALGORITHM.name())
        .schema(r##"{"enum": ["HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]}"##)
    .meaning(
            "The algorithm that tokens are signed with and accepted with. The `HS…` take JWT_SECRET_KEY, the others \
             JWT_PRIVATE_KEY and JWT_PUBLIC_KEY. With JWT_KEYS the keys determine it.",
        ),
]);

pub(super) const FLASK_JWT_EXTENDED: &[OptionSpec] = &Family::FlaskJwtExtended.options([
    OptionSpec::optional_text("JWT_PRIVATE_KEY", |raw| &mut raw.private_key)
        .kind("secret text: PEM or JWK")
        .unset("none")
        .secret()
        .meaning(
            "The private key that signs, where JWT_ALGORITHM is none of `HS…`: PEM (PKCS#8, PKCS#1, SEC 1), without a \
             passphrase, or a JWK. RSA has 2048 to 4096 bits. Keep it in a secret (`npx wrangler secret put \
             JWT_PRIVATE_KEY < key.pem`).",
        ),
    OptionSpec::optional_text("JWT_PUBLIC_KEY", |raw| &mut raw.public_key)
        .kind("text: PEM or JWK")
        .unset("the public half of JWT_PRIVATE_KEY")
        .private_keys()
        .meaning(
            "The public key that verifies: PEM (SPKI, PKCS#1) or a JWK. Without JWT_PRIVATE_KEY the gate verifies \
             another issuer's tokens, and JWT_AUTH_URL_RULE must be empty. No certificate, no private key.",
        ),
    OptionSpec::custom("JWT_DECODE_ALGORITHMS", |raw, value| {
        // Python's `None` is the default.
        raw.decode_algorithms = if value.is_null() { Vec::new() } else { as_list(value)? };
        Ok(())
    })
    .kind("list of algorithms")
    .unset("the value of JWT_ALGORITHM")
    .schema(r##"{"anyOf": [{"type": "array", "items": {"enum": ["HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]}}, {"type": "null"}, {"type": "string", "pattern": "^[\\s,]*((HS256|HS384|HS512|EdDSA|ES256|RS256|RS384|RS512|PS256|PS384|PS512)(\\s*,[\\s,]*(HS256|HS384|HS512|EdDSA|ES256|RS256|RS384|RS512|PS256|PS384|PS512))*)?[\\s,]*$"}, {"$ref": "#/definitions/json-list"}]}"##)
    .meaning(
        "Algorithms that are accepted beside JWT_ALGORITHM, which always is. Each has a key of its own: the `HS…` \
         JWT_SECRET_KEY, the others JWT_PUBLIC_KEY or the public half of JWT_PRIVATE_KEY; without such a key the gate \
         does not start. So `[\"EdDSA\", \"HS256\"]` keeps old tokens good while the algorithm changes.",
    ),
]);

pub(super) const TOLLGATE: &[OptionSpec] = &Family::Tollgate.options([
    OptionSpec::custom("JWT_KEYS", |raw, value| {
        // Another type is read as an empty set, which the check of the keys reports.
        raw.keys = Some(as_object(value).unwrap_or_default());
        Ok(())
    })
    .kind("JWK Set, as JSON text or table")
    .unset("none")
    .private_keys()
    .schema(r##"{"anyOf": [{"type": "object", "properties": {"keys": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["kty"]}}}, "required": ["keys"]}, {"$ref": "#/definitions/json-object"}]}"##)
    .meaning(
        "Several keys, in place of JWT_PRIVATE_KEY and JWT_PUBLIC_KEY: `{\"keys\": [{\"kty\": …, \"kid\": \
         \"2026-11\", \"alg\": \"EdDSA\", …}, …]}`. The first private key (or secret) signs, all verify; a \
         token's `kid` says which. Each of several needs a `kid`. `not_after`, in seconds like `exp`, ends a key: \
         later its tokens are refused; the key that signs has none. Keep it in a secret, unless all keys are \
         public. A set of public keys alone, as providers publish it, may have keys that can't be used here: they \
         are ignored with a warning. JWT_ALGORITHM is the algorithm of keys without `alg`.",
    ),
    OptionSpec::text("TOLLGATE_JWKS_URL", |raw| &mut raw.jwks_url)
        .kind("path, or empty for none")
        .default("/.well-known/jwks.json")
        .schema(r##"{"$ref": "#/definitions/path-or-none"}"##)
    .meaning(
            "The path of the public keys (JWK Set, RFC 7517 §5), if there are any: others verify tokens with them.",
        ),
    OptionSpec::boolean("TOLLGATE_ALLOW_SHORT_KEY", |raw| &mut raw.allow_short_key).default("false").meaning(
        "Accepts a key shorter than its hash, for the move from Flask with an old short secret. A short key can be \
         guessed from one token: change it soon.",
    ),
]);
