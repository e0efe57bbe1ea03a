"""A stream: words come as they are judged, and it says why if it is cut.

A block before the first word is a 403 like any other; later the stream ends with
`finish_reason: "content_filter"`, and `guardrails` stands beside it.
"""

import os
import sys

from openai import OpenAI

PROXY = os.environ.get("GUARDPROXY_URL", "http://127.0.0.1:8080")

client = OpenAI(base_url=f"{PROXY}/v1", api_key=os.environ.get("OPENAI_API_KEY", "unused"))
question = " ".join(sys.argv[1:]) or "Tell me a short story about a baker."
stream = client.chat.completions.create(
    model="gpt-5-mini", messages=[{"role": "user", "content": question}], stream=True
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
        if choice.finish_reason == "content_filter":
            results = (chunk.model_extra or {}).get("guardrails", {}).get("results", {})
            for name, result in results.items():
                found = [key for key, it in result["decisions"].items() if it["violated"]]
                print(f"\n[cut by {name}: {', '.join(found)}]", end="")
print()
