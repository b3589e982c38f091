"""A log-in's work with native OpenSSL as a Flask app calls it. Tells its port as workerd does."""
import base64
import hashlib
import hmac
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

SALT = base64.b64decode("2Pl5+2/O/FiIRpl9/9XfyA==")
HASH = base64.b64decode("/vKFknz6q3eff2yzrHXaYhg97CQ5yFUEdgPjc5EGjEs=")


class LogIn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        derived = hashlib.pbkdf2_hmac("sha256", body["password"].encode(), SALT, 600_000)
        self.send_response(200 if hmac.compare_digest(derived, HASH) else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), LogIn)
print(json.dumps({"event": "listen", "socket": "http", "port": server.server_port}), flush=True)
server.serve_forever()
