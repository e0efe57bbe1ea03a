"""`guardproxy demo`: the whole way on one machine, without an API key.

`upstream` is an example LLM API with canned answers, one of which turns harmful; `servers` puts an
app on a loopback port; `tour` asks three questions through the `openai` client; `screen` is what a
person sees; `command` puts them together.
"""

from guardproxy.demo.command import demo

__all__ = ["demo"]
