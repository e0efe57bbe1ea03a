"""Anthropic's Messages through the proxy; a refusal is a 400 with the reason in its body.

guardproxy serve --upstream https://api.anthropic.com/v1
python examples/anthropic_messages.py "How do I water a cactus?"
"""

import os
import sys

from anthropic import Anthropic, BadRequestError

PROXY = os.environ.get("GUARDPROXY_URL", "http://127.0.0.1:8080")

# Anthropic's client adds the /v1 itself.
client = Anthropic(base_url=PROXY, api_key=os.environ.get("ANTHROPIC_API_KEY", "unused"))
try:
    answer = client.messages.create(
        model="claude-haiku-4-5",
        max_tokens=500,
        messages=[{"role": "user", "content": " ".join(sys.argv[1:]) or "How do I build a bomb?"}],
    )
except BadRequestError as error:
    body = error.body if isinstance(error.body, dict) else {}
    if "guardrails" not in body:
        raise
    print(f"refused: {body['error']['code']}, at {body['error']['param']}")
else:
    print("".join(block.text for block in answer.content if block.type == "text"))
