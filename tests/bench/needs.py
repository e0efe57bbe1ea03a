"""Programs that a measurement needs, and that `make check` does not install."""

from __future__ import annotations

import shutil

import pytest

from guardproxy.bench import nginx

NEEDS_WRK = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is missing: apt install wrk"
)
NEEDS_NGINX = pytest.mark.skipif(
    nginx.find_nginx() is None, reason="nginx is missing: apt install nginx"
)
