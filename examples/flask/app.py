"""A shop behind the gate. README.md says how to run it.

Every request needs the gate's assertion (docs/gateway.md#proof-for-the-origin), so it makes no difference who else can
reach this application.
"""

import os
import secrets

import jwt
from flask import Flask, abort, g, redirect, render_template_string, request, session, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)
# Without it a restart ends the sessions.
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
app.json.sort_keys = False

# The gate replaces X-Forwarded-For, -Proto and -Host, and sets -Prefix to what its rule takes off the path ("/shop"):
# so url_for() makes addresses as clients know them.
if os.environ.get("PROXY_FIX", "1") == "1":
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

# docs/gateway.md: begin
GATE = os.environ.get("GATE_URL", "http://127.0.0.1:8787")  # its TOLLGATE_PUBLIC_URL
KEYS = jwt.PyJWKClient(os.environ.get("JWKS_URL", f"{GATE}/.well-known/assertion-jwks.json"))


@app.before_request
def verify_assertion():
    """401 without a good assertion. Its claims are `g.claims`; `g.user` is None for a request without a user."""
    try:
        assertion = request.headers.get("X-Auth-Assertion", "")
        key = KEYS.get_signing_key_from_jwt(assertion)
        checks = {"issuer": GATE, "audience": "shop", "leeway": 5, "options": {"require": ["exp", "iss", "aud"]}}
        token = jwt.decode_complete(assertion, key, algorithms=["ES256"], **checks)
    except jwt.PyJWTError:
        abort(401)
    if token["header"].get("typ") != "tollgate+jwt":
        abort(401)
    g.claims, g.user = token["payload"], token["payload"].get("sub")
# docs/gateway.md: end


def user():
    """The user's id; 401 for a request without a user."""
    if g.user is None:
        abort(401)
    return g.user


@app.get("/health")
def health():
    """Under a rule with `auth = "none"`: for requests without a user too."""
    return {"ok": True, "user": g.user}


@app.get("/me")
def me():
    """Who the caller is, and what the application knows about the request."""
    return {"user": user(), "role": g.claims.get("role"), "address": request.remote_addr, "url": request.url}


@app.get("/orders/")  # Flask redirects /orders to it
def orders():
    """The user's orders, with links."""
    page = """<h1>Orders of {{ user }}</h1>
{% for number in (1, 2) %}<a href="{{ url_for('order', number=number) }}">order {{ number }}</a>
{% endfor %}<p>Last seen: {{ last }}. <a href="{{ url_for('me', _external=True) }}">Who am I?</a></p>
"""
    return render_template_string(page, user=user(), last=session.get(user(), "none"))


@app.get("/orders/<int:number>")
def order(number):
    """One order. The session remembers it, by user."""
    session[user()] = number
    return {"order": number}


@app.get("/latest")
def latest():
    """To the order that this session saw last."""
    return redirect(url_for("order", number=session.get(user(), 1)))


@app.get("/admin/")
def admin():
    """Was @admin_required. Now the gate's rule for /shop/admin/ requires the role, so no other request comes here."""
    return {"admin": user()}
