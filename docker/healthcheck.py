"""Exit 0 when the worker's admin listener says that the process is alive, 1 when it does not.

Imports neither the application nor a library: it runs every few seconds beside the worker.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask, not where to listen
SECONDS = 2.0


def alive() -> bool:
    """Ask ``/livez`` once."""
    host = os.environ.get("SLUICEGATE_ADMIN_HOST", "")
    port = int(os.environ.get("SLUICEGATE_ADMIN_LISTEN_PORT") or 9090)
    connection = HTTPConnection(ANY_ADDRESS.get(host, host), port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if alive() else 1)
