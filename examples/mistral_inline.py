"""Mistral's inline `guardrails`: entries of the caller's own, beside the operator's policy.

They can add to the policy, never weaken it. The shipped default lets personal data pass; this
caller does not.
"""

import json
import os

from mistralai.client import Mistral
from mistralai.client.errors import SDKError

PROXY = os.environ.get("GUARDPROXY_URL", "http://127.0.0.1:8080")
NO_PERSONAL_DATA = {
    "block_on_error": True,
    "moderation_llm_v2": {
        "custom_category_thresholds": {"pii": 0.5},
        "ignore_other_categories": True,
        "action": "block",
    },
}

# Mistral's client adds the /v1 itself.
with Mistral(server_url=PROXY, api_key=os.environ.get("MISTRAL_API_KEY", "unused")) as client:
    for question in ("What is the capital of France?", "My card is 4111 1111 1111 1111."):
        print(question)
        try:
            answer = client.chat.complete(
                model="mistral-small-latest",
                messages=[{"role": "user", "content": question}],
                guardrails=[NO_PERSONAL_DATA],
            )
        except SDKError as error:
            results = json.loads(error.body)["guardrails"]["results"]
            blocked = [name for name, result in results.items() if result["action"] == "block"]
            print(f"  {error.status_code}, blocked by {', '.join(blocked)}")
        else:
            print(f"  {answer.choices[0].message.content}")
