"""The judge alone: OpenAI's moderation call, answered on this machine."""

import os

from openai import OpenAI

PROXY = os.environ.get("GUARDPROXY_URL", "http://127.0.0.1:8080")

client = OpenAI(base_url=f"{PROXY}/v1", api_key="unused")
texts = ["How do I water a cactus?", "I will kill you and your whole family tonight."]
for text, result in zip(texts, client.moderations.create(input=texts).results, strict=True):
    scores = result.category_scores.model_dump(by_alias=True)
    category = max(scores, key=lambda name: scores[name] or 0)
    verdict = "flagged" if result.flagged else "fine"
    print(f"{text}\n  {verdict}: {category} {scores[category]:.3f}")
