from __future__ import annotations

from tokenizers import Tokenizer

from guardproxy.bench.words import Prompts, all_words, repeated_prompt
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER


def test_every_word_is_one_token_of_the_embedded_model() -> None:
    tokenizer = Tokenizer.from_file(str(EMBEDDED_FOLDER / "tokenizer.json"))
    words = all_words()
    counts = {
        word: len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) for word in words
    }

    assert len(set(words)) == len(words) > 50
    assert set(counts.values()) == {1}


def test_prompts_are_as_long_as_asked_and_never_the_same() -> None:
    prompts = Prompts(1)
    made = [prompts.new(40) for _ in range(100)]

    assert {len(prompt.split()) for prompt in made} == {40}
    assert len(set(made)) == 100


def test_the_repeated_prompt_takes_the_words_in_their_order() -> None:
    words = all_words()

    assert repeated_prompt(len(words) + 1).split() == [*words, words[0]]
