"""translate.py: attention reads long sentences, one state does not hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import torch7

from ...support.course import program, refuses, wrote

translate = program("translate")

NUMBERS = {
    0: ("zero", "零"),
    7: ("seven", "七"),
    10: ("ten", "十"),
    13: ("thirteen", "十三"),
    20: ("twenty", "二十"),
    99: ("ninety nine", "九十九"),
    100: ("one hundred", "一百"),
    101: ("one hundred and one", "一百零一"),
    110: ("one hundred and ten", "一百一十"),
    312: ("three hundred and twelve", "三百一十二"),
    1000: ("one thousand", "一千"),
    1005: ("one thousand and five", "一千零五"),
    1010: ("one thousand and ten", "一千零一十"),
    1050: ("one thousand and fifty", "一千零五十"),
    1500: ("one thousand five hundred", "一千五百"),
    9009: ("nine thousand and nine", "九千零九"),
    10_000: ("ten thousand", "一万"),
    10_500: ("ten thousand five hundred", "一万零五百"),
    100_010: ("one hundred thousand and ten", "十万零一十"),
    120_300: ("one hundred and twenty thousand three hundred", "十二万零三百"),
    1_005_000: ("one million five thousand", "一百万五千"),
    10_000_500: ("ten million five hundred", "一千万零五百"),
    12_003_040: ("twelve million three thousand and forty", "一千二百万三千零四十"),
}


@pytest.mark.parametrize("n", NUMBERS)
def test_numbers_in_two_languages(n: int) -> None:
    assert (" ".join(translate.english(n)), "".join(translate.chinese(n))) == NUMBERS[n]


def value(words: list[str], units: dict[str, int], digits: dict[str, int]) -> int:
    """The number that words tell: what stands before a unit is multiplied by it, the rest is added."""
    for unit in sorted(set(words) & set(units), key=lambda word: -units[word]):
        at = len(words) - 1 - words[::-1].index(unit)
        before = value(words[:at], units, digits) if at else 1
        return before * units[unit] + value(words[at + 1 :], units, digits)
    return sum(digits[word] for word in words)


def test_numbers_can_be_read_again() -> None:
    torch7.manualSeed(1)
    small = {word: n for n, word in enumerate(translate.ONES)} | {"and": 0}
    small |= {word: 10 * n for n, word in enumerate(translate.TENS, 2)}
    figures = {figure: n for n, figure in enumerate(translate.DIGITS)}
    for n in [*range(1, 1100), *(int(10 ** torch7.uniform(3, 8)) for _ in range(500))]:
        assert value(translate.english(n), {"hundred": 100, "thousand": 1000, "million": 10**6}, small) == n
        assert value(translate.chinese(n), {"十": 10, "百": 100, "千": 1000, "万": 10_000}, figures) == n


def test_dates_in_two_languages() -> None:
    told = [tuple(map(translate.join, translate.date(n))) for n in (0, 4 * 336 + 4 * 28 + 2, translate.DATES - 1)]
    assert told == [
        ("January one nineteen hundred", "一九零零年一月一日"),
        ("May three nineteen oh four", "一九零四年五月三日"),
        ("December twenty eight nineteen ninety nine", "一九九九年十二月二十八日"),
    ]


@pytest.mark.parametrize("words", ["", "--task dates", "--direction zh-en", "--digits 2 --pairs 50"])
def test_no_sentence_comes_twice(words: str) -> None:
    options = translate.arguments(words.split())
    torch7.manualSeed(1)
    pairs = translate.sentences(options)
    assert len(pairs) == options.pairs
    for side in (0, 1):
        assert len({tuple(pair[side]) for pair in pairs}) == len(pairs)
    assert ("".join(pairs[0][0]).isascii(), "".join(pairs[0][1]).isascii()) == (
        (True, False) if options.direction == "en-zh" else (False, True)
    )


def test_attention_translates_what_it_never_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shares = translate.main(["--short", "--output", str(tmp_path)])
    assert {name: len(each) for name, each in shares.items()} == {"without attention": 3, "with attention": 3}
    assert shares["with attention"][-1] > 0.5
    assert shares["with attention"][-1] > shares["without attention"][-1] + 0.3
    told = capsys.readouterr().out
    assert "480 sentences to learn from, 160 others held out" in told
    assert f"{shares['with attention'][-1]:.1%} of the held-out sentences are right" in told
    assert wrote(told, tmp_path) == {"translate-graph.svg", "translate.png", "translate-attention.png"}


def test_held_out_sentences_are_never_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[Any]] = {}

    def train(name: str, translator: Any, pairs: list[Any], held: list[Any], options: Any) -> list[float]:
        seen.update(kept=pairs, held=held)
        return [0.0]

    monkeypatch.setattr(translate, "train", train)
    translate.main(["--attention", "without", "--pairs", "40", "--digits", "4", "--output", str(tmp_path)])
    kept, held = ({" ".join(source) for source, _ in pairs} for pairs in (seen["kept"], seen["held"]))
    assert (len(kept), len(held), len(kept | held)) == (30, 10, 40)
    assert {path.name for path in tmp_path.iterdir()} == {"translate-graph.svg", "translate.png"}


@pytest.fixture(params=[False, True], ids=["without attention", "with attention"])
def untrained(request: pytest.FixtureRequest) -> tuple[Any, list[list[str]]]:
    """A translator, and sentences of different lengths."""
    torch7.manualSeed(3)
    texts = [translate.english(n) for n in (0, 312, 12_003_040)]
    languages = [translate.Language(texts), translate.Language([list("零一二三四五六七八九十百千万")])]
    return translate.Translator(*languages, 64, request.param), texts


def test_a_translation_ends(untrained: Any) -> None:
    translator, texts = untrained
    written, _ = translator(texts)
    assert all(len(text) <= translate.LIMIT and translate.END not in text for text in written)
    last = translator.decoder.findModules("nn.Linear")[0][-1]  # the scores of words
    last.weight[...], last.bias[...] = 0, np.arange(len(last.bias)) == 3
    assert translator(texts)[0] == [[translator.target.words[3]] * translate.LIMIT] * len(texts)
    last.bias[...] = np.arange(len(last.bias)) == 0
    assert translator(texts)[0] == [[]] * len(texts)


def test_neighbours_in_a_batch_change_nothing(untrained: Any) -> None:
    translator, texts = untrained
    together, weights = translator(texts)
    for i, text in enumerate(texts):
        alone, a = translator([text])
        assert alone == together[i : i + 1]
        if translator.attention:
            np.testing.assert_allclose(weights[i, : a.shape[1], : len(text)], a[0], atol=1e-5)
            np.testing.assert_allclose(weights[i].sum(1), 1, atol=1e-5)
            assert not weights[i, :, len(text) :].any()


def test_teacher_forcing_is_greedy_decoding_of_its_own_words(untrained: Any) -> None:
    translator, texts = untrained
    written, _ = translator(texts)
    x, labels = translator.example([(text, text_written[:5]) for text, text_written in zip(texts, written)])
    likely = (1 + translator.net.forward(x).argmax(1)).reshape(len(texts), -1)
    for row, text in zip(likely, written):
        told = [*text, translate.END][: likely.shape[1]]
        assert [translator.target.words[i - 1] for i in row[: len(told)]] == told
    assert len(labels) == likely.size


def test_an_example_is_filled_up_and_shifted() -> None:
    languages = [translate.Language([["a", "b"]]), translate.Language([["u", "v"]])]
    translator = translate.Translator(*languages, 64, True)
    (x, start, lengths, before, mask), labels = translator.example([(["b"], ["u", "v"]), (["a", "b", "a"], ["v"])])
    assert (x.T.tolist(), lengths.tolist(), start.shape) == ([[3, 1, 1], [2, 3, 2]], [1, 3], (2, 64))
    assert before.T.tolist() == [[1, 2, 3], [1, 3, 1]]
    assert labels.tolist() == [2, 3, 1, 3, 1, 0]
    assert mask.shape == (2, 3, 3)
    assert ((mask == 0) == [[[True, False, False]] * 3, [[True] * 3] * 3]).all()


def test_labels_of_pictures_need_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "fonts", lambda: ["sans-serif"])
    assert translate.labels(["零", "万", "two", "."]) == ["líng", "wàn", "two", "."]
    monkeypatch.setattr(translate, "fonts", lambda: ["sans-serif", "SimHei"])
    assert translate.labels(["零", "two"]) == ["零 líng", "two"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--digits 9", "--digits: expected 8 or less, got 9"),
        ("--digits 2 --pairs 51", "--pairs: expected 50 or less with these sentences, got 51"),
        ("--task dates --pairs 33601", "--pairs: expected 33600 or less with these sentences, got 33601"),
        ("--task poems", "invalid choice: 'poems'"),
        ("--direction en-fr", "invalid choice: 'en-fr'"),
        ("--attention maybe", "invalid choice: 'maybe'"),
        ("--pairs 7", "expected 8 or more, got 7"),
        ("--rate 0", "expected a number above 0, got 0"),
    ],
)
def test_options_that_make_no_sense(words: str, complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    refuses("translate", words, complaint, capsys)
