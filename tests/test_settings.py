"""The environment is read strictly, and keys stay out of sight."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from guardproxy.settings import LogFormat, LogLevel, Settings


def test_everything_has_a_default_that_listens_on_loopback_only() -> None:
    settings = Settings()

    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8080, 1)
    assert (settings.log_level, settings.log_format) == (LogLevel.INFO, LogFormat.JSON)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDPROXY_UPSTREAM", "https://api.example.com/v1/")
    monkeypatch.setenv("GUARDPROXY_CLASSIFIER_TIMEOUT", "0.5")

    settings = Settings()

    assert settings.upstream == "https://api.example.com/v1"
    assert settings.classifier_timeout == 0.5


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://x.example",
        "http:///v1",
        "https://user:key@x.example/v1",
        "https://x.example/v1?key=1",
        "https://x.example/v1?",
        "https://x.example/#a",
        "https://x.example:port/v1",
        "https://[x/v1",
    ],
)
def test_an_upstream_that_is_no_plain_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(upstream=url)

    assert url not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("LOG_LEVEL", "loud"),
        ("IDLE_TIMEOUT", "0"),
        ("REQUEST_TIMEOUT", "-1"),
        ("REQUEST_TIMEOUT", "inf"),
        ("SHUTDOWN_TIMEOUT", "inf"),
        ("SHUTDOWN_TIMEOUT", "1e400"),
        ("CONNECT_TIMEOUT", "Infinity"),
        ("IDLE_TIMEOUT", "nan"),
        ("CLASSIFIER_TIMEOUT", "nan"),
        ("CACHE_ENTRIES", "-1"),
        ("BUFFERED_BYTES", "1"),
    ],
)
def test_a_value_out_of_bounds_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GUARDPROXY_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


BOUNDS = {
    "port": (0, 65_535),
    "workers": (1, 256),
    "header_bytes": (1_024, None),
    "header_count": (10, None),
    "target_bytes": (256, None),
    "buffered_bytes": (1_024 * 1_024, None),
    "concurrent_requests": (1, None),
    "classifier_queue": (1, None),
    "classifier_threads": (1, None),
    "cache_entries": (0, None),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_each_bound_may_be_reached_and_not_passed(name: str) -> None:
    least, most = BOUNDS[name]

    assert getattr(Settings.model_validate({name: least}), name) == least
    with pytest.raises(ValidationError):
        Settings.model_validate({name: least - 1})
    if most is not None:
        assert getattr(Settings.model_validate({name: most}), name) == most
        with pytest.raises(ValidationError):
            Settings.model_validate({name: most + 1})


def test_the_defaults_are_the_documented_bounds() -> None:
    settings = Settings()

    assert (settings.header_bytes, settings.header_count) == (16_384, 100)
    assert (settings.target_bytes, settings.buffered_bytes) == (8_192, 268_435_456)
    assert (settings.request_timeout, settings.idle_timeout) == (600, 60)
    assert (settings.classifier_timeout, settings.classifier_queue) == (2, 512)
    assert settings.concurrent_requests == 1_000


def test_keys_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDPROXY_UPSTREAM_API_KEY", "sk-secret-1")
    monkeypatch.setenv("GUARDPROXY_CLIENT_KEYS", "sk-secret-2,sk-secret-3")

    settings = Settings()

    assert "sk-secret" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.upstream_api_key is not None
    assert settings.upstream_api_key.get_secret_value() == "sk-secret-1"


def test_client_keys_are_parted_at_commas() -> None:
    settings = Settings.model_validate({"client_keys": " a , b,,c "})

    assert settings.caller_keys == ["a", "b", "c"]
    assert Settings().caller_keys == []


@pytest.mark.parametrize("blank", ["", " ", ",", " , "])
def test_client_keys_that_hold_no_key_do_not_let_everybody_in(
    monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    monkeypatch.setenv("GUARDPROXY_UPSTREAM_API_KEY", "sk-secret-1")
    monkeypatch.setenv("GUARDPROXY_CLIENT_KEYS", blank)

    with pytest.raises(ValidationError, match="holds no key; unset it to let everybody in"):
        Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("key", ["", " ", "sk-op\n", " sk-op ", "sk op", "schlüssel", "sk-\x7f"])
def test_an_upstream_key_that_no_header_can_hold_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ValidationError, match="upstream_api_key") as refused:
        Settings.model_validate({"upstream_api_key": key})

    assert "sk-" not in str(refused.value)


@pytest.mark.parametrize("name", ["policy", "model", "host"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GUARDPROXY_{name.upper()}", value)

    with pytest.raises(ValidationError, match=f"{name}\n.*is empty; unset it"):
        Settings()


def test_the_port_that_kubernetes_puts_in_our_variable_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARDPROXY_PORT", "tcp://10.0.0.5:8080")

    with pytest.raises(ValidationError, match="enableServiceLinks: false"):
        Settings()
