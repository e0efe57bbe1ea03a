"""A guarded route: the way of a request, top to bottom."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from guardproxy import strict_json
from guardproxy.content import MediaPart, TextPart
from guardproxy.dialects.base import Asked, Dialect
from guardproxy.dialects.unlabelled import read_unlabelled
from guardproxy.errors import RequestError, UpstreamError
from guardproxy.guard import Guard, Guardrails
from guardproxy.policy import guardrail_body
from guardproxy.policy.active import ActivePolicy, blocks
from guardproxy.policy.config import InlineHandling, Limits
from guardproxy.policy.decide import Guardrail, resolve
from guardproxy.policy.inline import read_inline
from guardproxy.policy.scope import TOOLS, select, split_media
from guardproxy.proxy import headers as wire
from guardproxy.proxy import responses
from guardproxy.proxy.body import check_json, read_body
from guardproxy.proxy.budget import ByteAccount, ByteBudget
from guardproxy.proxy.echoes import is_echo
from guardproxy.proxy.header_texts import texts_in
from guardproxy.proxy.presence import while_present
from guardproxy.proxy.query_texts import texts_of
from guardproxy.proxy.relay import StreamPlan, StreamRelay
from guardproxy.proxy.responses import Reply, Sender
from guardproxy.proxy.stream_judge import StreamJudge
from guardproxy.proxy.trail import Trail, trail_of
from guardproxy.proxy.turnstile import Turnstile
from guardproxy.proxy.upstream import Upstream, UpstreamAnswer
from guardproxy.stream_guard import StreamGuard
from guardproxy.verdict import Direction, Verdict

# Latin 1 is what servers call their own plain error pages; what is no ASCII in one is refused.
_READ_AS_UTF8 = re.compile(
    r""";\s*charset\s*=\s*(["']?)(?:utf-?8|(?:us-)?ascii|iso-8859-1)\1\s*(?=;|\Z)""", re.ASCII
)
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the application."""

    guard: Guard
    upstream: Upstream
    budget: ByteBudget
    policy: Callable[[], ActivePolicy]
    default_thresholds: Mapping[str, float]
    upstream_key: str | None = None
    forward_guardrails: bool = False
    turnstile: Turnstile = field(default_factory=Turnstile)


class GuardedEndpoint:
    """An ASGI app for the routes of one dialect; asks the upstream at the path it was asked at.

    Args:
        dialect: reads the bodies.
        services: see `Services`.
    """

    def __init__(self, dialect: Dialect, services: Services) -> None:
        self._dialect = dialect
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        services = self._services
        exchange = GuardedExchange(
            self._dialect,
            services,
            trail=trail_of(scope),
            headers=list(scope["headers"]),
            send=send,
        )
        with services.budget.account() as account:
            if scope["method"] in _WITH_BODY:
                check_json(exchange.headers)
            body = await read_body(
                receive,
                exchange.headers,
                limit=exchange.policy.config.limits.body_bytes,
                account=account,
            )
            exchange.trail.request_bytes = len(body)
            if body and scope["method"] not in _WITH_BODY:
                raise RequestError(f"{scope['method']} takes no body here", code="unexpected_body")
            work = exchange.run(
                scope["method"], scope["path"], scope["query_string"], body, account
            )
            await while_present(scope, receive, work)


class GuardedExchange:
    """One request and its answer, under the policy that was in force when it came."""

    def __init__(
        self,
        dialect: Dialect,
        services: Services,
        *,
        trail: Trail,
        headers: wire.Headers,
        send: Send,
    ) -> None:
        self.policy = services.policy()
        self.trail = trail
        self.headers = headers
        self._dialect = dialect
        self._services = services
        self._sender = Sender(send, trail)
        self._exempt: frozenset[str] = frozenset()
        """Texts of the request that the policy exempts: see `is_echo`."""
        trail.policy = self.policy.label
        trail.render = dialect.error_body
        trail.deprecated = self.policy.uses_v1

    async def run(
        self, method: str, path: str, query: bytes, body: bytes, account: ByteAccount
    ) -> None:
        """Bytes -> texts -> verdict -> upstream -> answer -> verdict -> the same bytes."""
        asked = self._dialect.read_request(body, self.policy.config.limits)
        self._check_stored(asked)
        inline = self._inline(asked)
        headers = wire.for_upstream(self.headers, self._services.upstream_key)
        texts = (*asked.texts, *texts_of(query), *texts_in(headers))
        entries = Guardrails(self.policy.input, inline, self.policy.tool_results)
        verdict = await self._check_input(texts, asked, entries)
        if verdict.blocked:
            await self._sender.reply(
                responses.blocked(self._dialect.refusal(verdict), verdict, unsent=True)
            )
            return
        onward = self._onward(asked)
        async with self._services.upstream.send(method, path, query, headers, onward) as answer:
            _check_charset(answer)
            if await self._refuses_head(answer):
                return
            # An error is read whole whatever its label says, by us as by its caller.
            failed = answer.status >= HTTPStatus.BAD_REQUEST
            if self._dialect.is_stream(answer.content_type) and not failed:
                await self._relay(answer)
            else:
                await self._answer(answer, verdict, account)

    async def _refuses_head(self, answer: UpstreamAnswer) -> bool:
        """Judges the texts of an answer's headers, if there are any; a stream's leave first."""
        texts = texts_in(answer.for_client)
        if not texts:
            return False
        verdict = await self._check(texts, Guardrails(self.policy.output), Direction.OUTPUT, ())
        if verdict.blocked:
            await self._sender.reply(responses.blocked(self._dialect.refusal(verdict), verdict))
        return verdict.blocked

    def _check_stored(self, asked: Asked) -> None:
        """Refuses what the model would read besides the body, unless the policy allows it."""
        if asked.stored is not None and not self.policy.config.allow_stored_state:
            raise RequestError(
                "refers to text stored upstream, which cannot be judged: send it in the body, "
                "or set `allow_stored_state` in the policy",
                code="stored_state_refused",
                param=asked.stored,
            )

    def _inline(self, asked: Asked) -> tuple[Guardrail, ...]:
        """The caller's own entries: they add to the policy, they never weaken it.

        Like Mistral's they speak about the input only.
        """
        if asked.guardrails is None or self.policy.config.inline is InlineHandling.IGNORE:
            return ()
        if self.policy.config.inline is InlineHandling.REFUSE:
            raise RequestError(
                "the policy takes no guardrails from requests; leave the field out",
                status=422,
                code="guardrails_refused",
                param="guardrails",
            )
        entries = resolve(read_inline(asked.guardrails), self._services.default_thresholds)
        self.trail.deprecated |= any(entry.version == 1 for entry in entries)
        return entries

    def _onward(self, asked: Asked) -> bytes:
        """The body for the upstream: the caller's bytes, without what only we understand.

        Guardrails that were not read do not go on either: nobody knows what they hold.
        """
        read = self.policy.config.inline is InlineHandling.ADD
        if asked.guardrails_present and not (read and self._services.forward_guardrails):
            return strict_json.without_member(asked.body, "guardrails")
        return asked.body

    async def _check_input(
        self, texts: Sequence[TextPart], asked: Asked, guardrails: Guardrails
    ) -> Verdict:
        selection = select(
            texts, self.policy.config, Direction.INPUT, inline=bool(guardrails.inline)
        )
        # No answer repeats what a tool returned.
        self._exempt = frozenset(part.text for part in selection.exempt if part.role not in TOOLS)
        return await self._check(
            selection.judged,
            guardrails,
            Direction.INPUT,
            asked.media,
            exempt=selection.exempt_characters,
        )

    async def _check(
        self,
        texts: Sequence[TextPart],
        guardrails: Guardrails,
        direction: Direction,
        media: Sequence[MediaPart],
        *,
        exempt: int = 0,
    ) -> Verdict:
        split = split_media(media, self.policy.config)
        verdict = await self._services.guard.check(
            texts, guardrails, direction, media=split, exempt_characters=exempt
        )
        self.trail.saw(verdict, direction, split.allowed)
        return verdict

    async def _answer(
        self, answer: UpstreamAnswer, asked_verdict: Verdict, account: ByteAccount
    ) -> None:
        """Judges a whole answer, an error answer too, and passes it on."""
        limits = self.policy.config.limits
        body = await answer.read(limits.answer_bytes)
        account.add(len(body))
        answered = self._dialect.read_answer(body, limits)
        events = read_unlabelled(self._dialect, body, limits)
        verdict = await self._check(
            [
                part
                for part in (*answered.texts, *events.texts)
                if not is_echo(part.path, part.text, self._exempt)
            ],
            Guardrails(self.policy.output),
            Direction.OUTPUT,
            (*answered.media, *events.media),
        )
        if verdict.blocked:
            await self._sender.reply(responses.blocked(self._dialect.refusal(verdict), verdict))
            return
        if (
            asked_verdict.inline
            and answer.status == HTTPStatus.OK
            and answer.content_type == "application/json"
        ):
            body = _with_guardrails(body, asked_verdict, limits)
        await self._sender.reply(Reply(answer.status, answer.for_client, body))

    async def _relay(self, answer: UpstreamAnswer) -> None:
        """Judges an answer while it comes, and passes on what is judged."""
        self.trail.streamed = True
        with self._services.budget.account() as account:
            verdict = await self._stream_relay(answer, account).run()
        if verdict is not None:
            await self._sender.reply(responses.blocked(self._dialect.refusal(verdict), verdict))

    def _stream_relay(self, answer: UpstreamAnswer, account: ByteAccount) -> StreamRelay:
        config = self.policy.config
        return StreamRelay(
            answer=answer,
            reader=self._dialect.open_stream(config.limits),
            guard=StreamGuard(
                config.streaming.mode,
                hold_values=blocks(self.policy.output, "pii"),
                partial=self.policy.early != self.policy.output,
            ),
            judge=StreamJudge(
                self.policy,
                self._check_streamed,
                lambda verdict: self.trail.saw(verdict, Direction.OUTPUT),
            ),
            sender=self._sender,
            plan=StreamPlan(
                config.streaming.mode,
                config.limits,
                config.streaming.keep_alive_seconds,
                answer.status,
                answer.for_client,
            ),
            account=account,
            turnstile=self._services.turnstile,
            trail=self.trail,
            exempt=self._exempt,
        )

    async def _check_streamed(
        self, texts: Sequence[TextPart], guardrails: Guardrails, media: Sequence[MediaPart]
    ) -> Verdict:
        return await self._check(texts, guardrails, Direction.OUTPUT, media)


def _check_charset(answer: UpstreamAnswer) -> None:
    """Refuses a text that its reader would decode into another one than we judge.

    Readers differ in which of two they take, in `charset*=` and in what begins a parameter, so
    nothing else may speak of a charset.
    """
    kind = answer.content_kind
    if "charset" in kind and "charset" in _READ_AS_UTF8.sub("", kind):
        raise UpstreamError("the upstream answered in a charset that cannot be judged")


def _with_guardrails(body: bytes, verdict: Verdict, limits: Limits) -> bytes:
    """The answer with the scores its caller asked for, unless the upstream gave its own.

    One that is empty, or no JSON though it says so, stays as it came.
    """
    try:
        answer = strict_json.read(body, depth=limits.json_depth, members=limits.answer_bytes)
    except RequestError:
        return body
    if not isinstance(answer, dict) or answer.get("guardrails") is not None:
        return body
    bare = strict_json.without_member(body, "guardrails")
    return strict_json.with_member(bare, "guardrails", guardrail_body.passed_list(verdict))
