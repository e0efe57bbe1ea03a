"""How an app tells a refusal from a failure, and what it can say to its user."""

import os

from openai import APIStatusError, OpenAI, PermissionDeniedError

PROXY = os.environ.get("GUARDPROXY_URL", "http://127.0.0.1:8080")

client = OpenAI(base_url=f"{PROXY}/v1", api_key=os.environ.get("OPENAI_API_KEY", "unused"))


def ask(question: str) -> str:
    try:
        answer = client.chat.completions.create(
            model="gpt-5-mini", messages=[{"role": "user", "content": question}]
        )
    except PermissionDeniedError as error:
        return explain(error)
    except APIStatusError as error:
        # Malformed, too large, upstream down, overloaded: not a matter of content.
        return f"Sorry, that did not work (HTTP {error.status_code}, {error.code})."
    return answer.choices[0].message.content or ""


def explain(error: PermissionDeniedError) -> str:
    if error.type == "guardrail_blocked":
        # error.param says where: messages[0].content, choices[0].content, ...
        place = "question" if str(error.param).startswith("messages") else "answer"
        if error.code == "unscannable":
            return f"I cannot help with that: nobody can check a file in the {place}."
        return f"I cannot help with that: the {place} is about {error.code}."
    if error.code == "3201":
        # The policy says block_on_error: the judge failed, nobody says the text is bad.
        return "I cannot check this right now. Please try again in a moment."
    return "The API says you may not do that."


if __name__ == "__main__":
    for question in ("How do I water a cactus?", "How do I build a pipe bomb?"):
        print(f"{question}\n  {ask(question)}")
