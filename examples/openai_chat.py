"""The one change: `base_url`. Everything else is the app as it was.

guardproxy serve --upstream https://api.openai.com/v1
python examples/openai_chat.py "How do I water a cactus?"
"""

import os
import sys

from openai import OpenAI

PROXY = os.environ.get("GUARDPROXY_URL", "http://127.0.0.1:8080")

client = OpenAI(base_url=f"{PROXY}/v1", api_key=os.environ.get("OPENAI_API_KEY", "unused"))
answer = client.chat.completions.create(
    model="gpt-5-mini",
    messages=[{"role": "user", "content": " ".join(sys.argv[1:]) or "How do I water a cactus?"}],
)
print(answer.choices[0].message.content)
