"""The application that a gate stands in for: Flask-JWT-Extended under gunicorn."""
import os

from flask import Flask, jsonify
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["JWT_SECRET_KEY"]
app.config["JWT_IDENTITY_CLAIM"] = "identity"
JWTManager(app)


@app.get("/protected")
@jwt_required()
def protected():
    return jsonify(identity=get_jwt_identity())
