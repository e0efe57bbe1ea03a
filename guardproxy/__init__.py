"""guardproxy: an async guardrail proxy in front of LLM APIs.

The way of a request, and the room that does each step:

    bytes -> proxy.endpoint            HTTP in; limits, deadline, client gone
          -> dialects.*                which texts, streamed or not, inline guardrails (pure)
          -> guard.Guard.check         texts + guardrails -> Verdict
               normalize               undoes disguise (pure)
               classifiers.*           texts -> Scores: cache, windows, queue, ONNX
               policy.decide           Scores + guardrails -> results (pure)
          -> proxy.upstream            the same bytes go on
          -> proxy.relay               the answer: judged whole, or held by stream_guard (pure)

Floors are checked by import-linter (`pyproject.toml`); a room knows only those below it.
"""
