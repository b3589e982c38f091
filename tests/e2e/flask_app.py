"""An application on the real Flask-JWT-Extended.

In: its configuration and the requests that it gets, as JSON text. Out: its answers.
"""

import json
import sys

from flask import Flask, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
)

asked = json.loads(sys.argv[1])
app = Flask("app")
app.config.update(asked["config"])
JWTManager(app)


@app.post("/login")
def log_in():
    access, refresh = create_access_token("1", fresh=True), create_refresh_token("1")
    answer = jsonify(access_token=access, refresh_token=refresh)
    if "cookies" in app.config["JWT_TOKEN_LOCATION"]:
        set_access_cookies(answer, access)
        set_refresh_cookies(answer, refresh)
    return answer


@app.route("/protected", methods=["GET", "POST"])
@jwt_required()
def protected():
    return jsonify(logged_in_as=get_jwt_identity(), claims=get_jwt())


@app.post("/fresh")
@jwt_required(fresh=True)
def fresh():
    return jsonify(logged_in_as=get_jwt_identity())


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    return jsonify(access_token=create_access_token(get_jwt_identity(), fresh=False))


client = app.test_client(use_cookies=False)
answers = []
for method, path, headers in asked["requests"]:
    answer = client.open(path, method=method, headers=headers)
    cookies = answer.headers.getlist("Set-Cookie")
    answers.append({"status": answer.status_code, "body": answer.get_json(), "cookies": cookies})
print(json.dumps(answers))
