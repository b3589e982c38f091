"""How the application is served: bound to a free port, which it tells as workerd does."""
import json

bind = "127.0.0.1:0"
loglevel = "warning"
workers = 3
# With threads, because gunicorn's plain workers keep no connection.
threads = 8
keepalive = 60


def post_worker_init(worker):
    if worker.age == workers:  # the last one: all are forked
        port = worker.sockets[0].getsockname()[1]
        print(json.dumps({"event": "listen", "socket": "http", "port": port}), flush=True)
