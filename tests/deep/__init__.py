"""Cases made of shape x split x fault, in search of one that carries a sentence past the guard.

    canary     the sentence, its disguises, and the judge that knows it
    bodies     where in a JSON body it may stand, and how JSON may be written
    turns      it in a conversation: over parts, turns, calls of tools, results of theirs
    channels   it over the channels of an answer
    headers    it in a header
    guardrails a caller's own entries, tools' results and exempt texts, and their policies
    policies   what cases run under
    requests   case of a request  -> what must not reach the upstream
    answers    case of an answer  -> what must not reach the client
    hearing    what a client could put together from what it got
    run        drives the application in this process, and says what went wrong

`make deep` runs many cases; the tests run a sample. Each case follows from its seed and its number
alone, so `python -m tests.deep --seed S --only N` repeats it.
"""
