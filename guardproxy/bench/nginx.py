"""nginx, where it is installed: an upstream that answers at once, and a proxy to compare with."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from guardproxy.bench.processes import HOST
from guardproxy.bench.upstream import ANSWER_WORDS, fixed_answer, whole_answer

_PLACES: Final = ("/usr/sbin", "/usr/local/sbin")
"""Where Debian puts it, outside an ordinary user's PATH."""
_CONFIGURATION: Final = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_max_body_size 8m;
  client_body_buffer_size 8m;
  {paths}
{content}
}}
"""
_ANSWERING: Final = """\
  server {{
    listen {host}:{port} backlog=1024;
    default_type application/json;
    location / {{ return 200 '{answer}'; }}
  }}
"""
_PASSING_ON: Final = """\
  upstream behind {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen {host}:{port} backlog=1024;
    location / {{
      proxy_pass http://behind;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
"""


def find_nginx() -> str | None:
    """The program, if it is installed."""
    return shutil.which("nginx") or shutil.which("nginx", path=":".join(_PLACES))


def upstream_configuration(folder: Path, words: Iterable[str], *, fixed: int, new: int) -> str:
    """An LLM API whose answer is always the same on one port, of new words on another."""
    chosen = " ".join(f"$w{place}" for place in range(ANSWER_WORDS))
    content = "".join(_choice(place, list(words)) for place in range(ANSWER_WORDS))
    content += _ANSWERING.format(host=HOST, port=fixed, answer=fixed_answer())
    content += _ANSWERING.format(host=HOST, port=new, answer=whole_answer(chosen))
    return _configuration(folder, content)


def proxy_configuration(folder: Path, upstream: str, port: int) -> str:
    """A reverse proxy to `upstream`, given as host:port, that keeps its connections."""
    return _configuration(folder, _PASSING_ON.format(host=HOST, port=port, upstream=upstream))


def command(program: str, folder: Path, configuration: str) -> list[str]:
    """How to run it with this configuration, which is written into the folder."""
    file = folder / "nginx.conf"
    file.write_text(configuration, encoding="utf-8")
    return [program, "-p", str(folder), "-c", str(file), "-e", "stderr"]


def _configuration(folder: Path, content: str) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    return _CONFIGURATION.format(folder=folder, paths=paths, content=content)


def _choice(place: int, words: list[str]) -> str:
    """A variable that is another word for every request, by a hash of the request's own id."""
    share = int(10_000 / len(words)) / 100
    choices = " ".join(f"{share}% {word};" for word in words[:-1])
    return f'  split_clients "{place}$request_id" $w{place} {{ {choices} * {words[-1]}; }}\n'
