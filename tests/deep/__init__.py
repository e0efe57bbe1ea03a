"""Cases made of shape x split x fault, in search of one that carries a sentence past the guard.

    canary     the sentence, its disguises, and the judge that knows it
    bodies     where in a JSON body it may stand, and how JSON may be written
    requests   case of a request  -> what must not reach the upstream
    answers    case of an answer  -> what must not reach the client
    run        drives the application in this process, and says what went wrong

`make deep` runs many cases; the tests run a sample. Each case follows from its seed and its number
alone, so `python -m tests.deep --seed S --only N` repeats it.
"""
