"""Loaded before every Python program of the suite: names under portico.test are this machine, as a line in a hosts file would say."""

import socket

_asked = socket.getaddrinfo


def _answer(host, *more, **named):
    name = host.decode() if isinstance(host, bytes) else host
    if name and name.lower().rstrip(".").endswith("portico.test"):
        host = "127.0.0.1"
    return _asked(host, *more, **named)


socket.getaddrinfo = _answer
