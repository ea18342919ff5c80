"""Encoder and decoder: one network reads a sentence, another writes it in Chinese; attention lets it look back.

    python examples/course/translate.py                      English to Chinese, with and without attention
    python examples/course/translate.py --direction zh-en    from Chinese to English
    python examples/course/translate.py --task dates         "May three nineteen oh four" to 一九零四年五月三日
    python examples/course/translate.py --help               tells all options

The encoder, a GRU, reads the words x_1 ... x_n one by one. Its last state is all that the decoder, another GRU, starts
from; it writes y_1, y_2, ... until it writes the end symbol ".":

    h_t = GRU(x_t, h_(t-1))      s_0 = h_n      s_t = GRU(y_(t-1), s_(t-1))      p(y_t) = softmax(V s_t)

In training y_(t-1) is the right word (teacher forcing), afterwards the word that was likeliest (greedy decoding).

A long sentence hardly fits into h_n. With attention (Luong, Pham and Manning, 2015) the decoder sees all states of the
encoder, and weighs them anew for each word that it writes:

    a_t = softmax(s_t . h_1, ..., s_t . h_n)   c_t = a_t1 h_1 + ... + a_tn h_n   p(y_t) = softmax(V tanh(W [c_t, s_t]))

English counts in thousands, Chinese in ten thousands (万), and 零 stands once for skipped digits: 12,003,040 is
一千二百万三千零四十. The network is tried on numbers that it never saw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import lecture
import nn
import optim
import pygraphnn
import torch7
from optim.pictures import OTHER_FONTS, fonts

Sentence = list[str]
Pairs = list[tuple[Sentence, Sentence]]
END = "."
ONES, TENS, MONTHS, SOUNDS = (
    words.split()
    for words in (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen",
        "twenty thirty forty fifty sixty seventy eighty ninety",
        "January February March April May June July August September October November December",
        "líng yī èr sān sì wǔ liù qī bā jiǔ shí bǎi qiān wàn nián yuè rì",
    )
)
DIGITS = "零一二三四五六七八九"
PINYIN = dict(zip(DIGITS + "十百千万年月日", SOUNDS))
DATES = 100 * 12 * 28
LIMIT = 30  # no sentence is longer


def english(n: int) -> Sentence:
    """The words of a number below 1000 million."""
    for unit, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= unit:
            count, rest = divmod(n, unit)
            return [*english(count), name, *(["and"] if 0 < rest < 100 else []), *(english(rest) if rest else [])]
    return [ONES[n]] if n < 20 else [TENS[n // 10 - 2], *([ONES[n % 10]] if n % 10 else [])]


def chinese(n: int, first: bool = True) -> Sentence:
    """The characters of a number below 100 million; one 零 stands for skipped digits, 十 for a first 一十."""
    for unit, name in ((10_000, "万"), (1000, "千"), (100, "百"), (10, "十")):
        if n >= unit:
            count, rest = divmod(n, unit)
            head = [] if first and n < 20 else chinese(count, first)
            zero = ["零"] if 0 < rest < unit // 10 else []
            return [*head, name, *zero, *(chinese(rest, False) if rest else [])]
    return [DIGITS[n]]


def date(n: int) -> tuple[Sentence, Sentence]:
    """Of the twentieth century's days up to the 28th of every month, number n (from 0), in English and Chinese."""
    year, month, day = n // 28 // 12, n // 28 % 12 + 1, n % 28 + 1
    last = english(year) if year > 9 else ["oh", ONES[year]] if year else ["hundred"]
    digits = [DIGITS[int(digit)] for digit in str(1900 + year)]
    written = [*digits, "年", *chinese(month), "月", *chinese(day), "日"]
    return [MONTHS[month - 1], *english(day), "nineteen", *last], written


def sentences(options: argparse.Namespace) -> Pairs:
    """Different sentences in random order, each with its translation. Long and short numbers are equally frequent."""
    if options.task == "dates":
        pairs = [date(int(n) - 1) for n in torch7.randperm(DATES)[: options.pairs]]
    else:
        numbers: dict[int, None] = {}
        while len(numbers) < options.pairs:
            numbers[int(10 ** torch7.uniform(0, options.digits)) - 1] = None
        shuffled = np.array(list(numbers))[torch7.randperm(len(numbers)).astype(int) - 1]
        pairs = [(english(n), chinese(n)) for n in shuffled.tolist()]
    return pairs if options.direction == "en-zh" else [(b, a) for a, b in pairs]


class Language:
    """The words of a language, counted from 1; the end symbol is the first."""

    def __init__(self, sentences: list[Sentence]):
        self.words = [END, *sorted({word for sentence in sentences for word in sentence})]

    def indices(self, sentences: list[Sentence], more: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Sentences side by side (T, B), filled up with end symbols, at least `more` of them; and their lengths (B)."""
        lengths = np.array([len(sentence) for sentence in sentences])
        filled = np.ones((lengths.max() + more, len(sentences)), int)
        for column, sentence in zip(filled.T, sentences):
            column[: len(sentence)] = [1 + self.words.index(word) for word in sentence]
        return filled, lengths


def inputs(*names: str) -> list[pygraphnn.Node]:
    """Named input nodes."""
    return [nn.Identity()().annotate(name=name) for name in names]


def encoder(words: int, size: int) -> pygraphnn.gModule:
    """[x (T, B), h_0 (B, size), lengths (B)] to [h_n (B, size), h_1 ... h_n (T, B, size)]."""
    x, start, lengths = inputs("x", "h_0", "lengths")
    run = pygraphnn.Unroll(pygraphnn.gru(words, size, input="lookup", output="h"))
    last, states = run([x, start, lengths]).annotate(name="read x").split(2)
    return pygraphnn.gModule([x, start, lengths], [last, states])


def decoder(words: int, size: int, attention: bool) -> pygraphnn.gModule:
    """[y before (T, B), s_0] to [s, log p(y) (B T, words)], or with attention [..., h, mask] to [..., a (B, T, n)]."""
    y, start = inputs("y before", "s_0")
    run = pygraphnn.Unroll(pygraphnn.gru(words, size, input="lookup", output="h"))
    last, states = run([y, start]).annotate(name="write y").split(2)
    s = nn.Transpose([1, 2])(states).annotate(name="s (batch first)")
    if not attention:
        scores = nn.Linear(size, words)(nn.View(-1, size)(s)).annotate(name="V s")
        return pygraphnn.gModule([y, start], [last, nn.LogSoftMax()(scores)])
    h, mask = inputs("h", "mask")
    memory = nn.Transpose([1, 2])(h).annotate(name="h (batch first)")
    products = nn.MM(False, True)([s, memory]).annotate(name="s . h")
    a = nn.Bottle(nn.SoftMax())(nn.CAddTable()([products, mask])).annotate(name="a")
    c = nn.MM()([a, memory]).annotate(name="c = a h")
    both = nn.Linear(2 * size, size)(nn.View(-1, 2 * size)(nn.JoinTable(3)([c, s]))).annotate(name="W [c, s]")
    scores = nn.Linear(size, words)(nn.Tanh()(both)).annotate(name="V tanh")
    return pygraphnn.gModule([y, start, h, mask], [last, nn.LogSoftMax()(scores), a])


class Translator:
    """An encoder and a decoder, and a network that has both for training."""

    def __init__(self, source: Language, target: Language, size: int, attention: bool):
        self.source, self.target, self.size, self.attention = source, target, size, attention
        self.encoder = encoder(len(source.words), size)
        self.decoder = decoder(len(target.words), size, attention)
        x, start, lengths, y, mask = inputs("x", "h_0", "lengths", "y before", "mask")
        code = self.encoder([x, start, lengths]).annotate(name="encoder")
        last, states = nn.SelectTable(1)(code), nn.SelectTable(2)(code) if attention else None
        written = self.decoder([y, last, states, mask] if attention else [y, last]).annotate(name="decoder")
        wanted = nn.SelectTable(2)(written).annotate(name="log p(y)")
        self.net = pygraphnn.gModule([x, start, lengths, y, *([mask] if attention else [])], [wanted]).float()

    def example(self, pairs: Pairs) -> tuple[list[np.ndarray], np.ndarray]:
        """What the network reads, teacher forcing included, and the labels (B T); label 0 is none."""
        x, lengths = self.source.indices([pair[0] for pair in pairs])
        y, ends = self.target.indices([pair[1] for pair in pairs], more=1)
        before = np.vstack([np.ones_like(y[:1]), y[:-1]])
        labels = np.where(np.arange(len(y))[:, None] <= ends, y, 0)
        start = np.zeros((len(pairs), self.size), np.float32)
        return [x, start, lengths, before, *self.mask(len(x), lengths, len(y))], labels.T.ravel()

    def mask(self, n: int, lengths: np.ndarray, steps: int) -> list[np.ndarray]:
        """What is added to the scores of attention, so that nobody looks behind the end of a sentence."""
        behind = np.where(np.arange(n) < lengths[:, None], 0, -1e4).astype(np.float32)
        return [np.repeat(behind[:, None], steps, 1)] if self.attention else []

    def __call__(self, sentences: list[Sentence]) -> tuple[list[Sentence], np.ndarray]:
        """Greedy translations, and the weights a (B, T, n) of attention. It stops after LIMIT words."""
        self.net.evaluate()
        x, lengths = self.source.indices(sentences)
        start = np.zeros((len(sentences), self.size), np.float32)
        state, memory = (part.copy() for part in self.encoder.forward([x, start, lengths]))
        looks = [memory, *self.mask(len(x), lengths, 1)] if self.attention else []
        written, weights = np.ones((1, len(sentences)), int), [np.empty((len(sentences), 0, len(x)))]
        while len(written) <= LIMIT and not (written[1:] == 1).any(0).all():
            state, likely, *a = (part.copy() for part in self.decoder.forward([written[-1:], state, *looks]))
            written = np.vstack([written, 1 + likely.argmax(1)])
            weights += a
        texts = ([self.target.words[i - 1] for i in column] + [END] for column in written[1:].T)
        return [text[: text.index(END)] for text in texts], np.concatenate(weights, 1)


def right(translator: Translator, pairs: Pairs) -> np.ndarray:
    """Which sentences are translated without a single wrong word."""
    written, _ = translator([source for source, _ in pairs])
    return np.array([text == wanted for text, (_, wanted) in zip(written, pairs)])


def train(name: str, translator: Translator, pairs: Pairs, held: Pairs, options: argparse.Namespace) -> list[float]:
    """Trains with Adam, whose steps become smaller in the second half; gives the shares of held-out sentences that are
    right, epoch by epoch."""
    criterion = nn.ClassNLLCriterion(ignoreIndex=0).float()
    training = lecture.Training(translator.net, criterion, options.rate, clip=5)
    shares = []
    for epoch in lecture.track(range(1, options.epochs + 1), name):
        training.rate = optim.exponential_decay(options.rate, epoch, 0.7, after=options.epochs / 2)
        translator.net.training()
        batches = lecture.minibatches(len(pairs), options.batch_size)
        losses = [training(*translator.example([pairs[i] for i in batch])) for batch in batches]
        shares.append(float(right(translator, held).mean()))
        if epoch % 4 == 0 or epoch == options.epochs:
            loss = sum(losses) / len(losses)
            print(f"{name}, epoch {epoch:2}: loss {loss:.4f}, {shares[-1]:.1%} of the held-out sentences are right")
    return shares


def tell(translators: dict[str, Translator], pairs: Pairs) -> None:
    """Prints some held-out sentences and what they become."""
    written = {name: translator([source for source, _ in pairs])[0] for name, translator in translators.items()}
    for i, (source, wanted) in enumerate(pairs):
        print(f"{join(source)}: {join(wanted)}")
        for name, texts in written.items():
            print(f"    {name + ':':20}{join(texts[i])}{'' if texts[i] == wanted else '   (wrong)'}")


def join(sentence: Sentence) -> str:
    """A sentence as it is written: English with spaces."""
    return ("" if set(sentence) <= set(PINYIN) else " ").join(sentence)


def labels(sentence: Sentence) -> list[str]:
    """Words for a picture: characters with pinyin, or pinyin alone where matplotlib finds no font for characters."""
    there = set(fonts()) & set(OTHER_FONTS)
    return [word if word not in PINYIN else f"{word} {PINYIN[word]}" if there else PINYIN[word] for word in sentence]


def draw_accuracy(shares: dict[str, list[float]], translators: dict[str, Translator], held: Pairs, path: Path) -> None:
    """How many held-out sentences are right: after every epoch, and in the end by their length."""
    figure = lecture.figure(10, 3.6)
    epochs, lengths = figure.subplots(1, 2, sharey=True)
    length = np.array([len(source) for source, _ in held])
    for name, values in shares.items():
        epochs.plot(range(1, len(values) + 1), values, label=name)
        fine = right(translators[name], held)
        lengths.plot(np.unique(length), [fine[length == n].mean() for n in np.unique(length)], "o-")
    epochs.set(title="held-out sentences that are right", xlabel="epoch", ylabel="share", ylim=(-0.02, 1.02))
    lengths.set(title="the same in the end, by length", xlabel="words to read")
    for axes in (epochs, lengths):
        axes.grid(alpha=0.3)
    epochs.legend(loc="lower right")
    lecture.save(figure, path)


def draw_attention(translator: Translator, pairs: Pairs, path: Path) -> None:
    """Which words of the source (across) the decoder looks at for each word that it writes (down)."""
    texts, weights = translator([source for source, _ in pairs])
    figure = lecture.figure(4.2 * len(pairs), 4.6)
    for axes, (source, _), text, a in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, texts, weights):
        rows = [*text, END][: len(a)]
        image = axes.imshow(a[: len(rows), : len(source)], "viridis", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), labels(source), rotation=60, ha="right")
        axes.set_yticks(range(len(rows)), labels(rows))
    figure.colorbar(image, ax=figure.axes, label="weight of the word read")
    lecture.save(figure, path)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--task", choices=("numbers", "dates"), default="numbers", help="what to translate")
    parser.add_argument("--direction", choices=("en-zh", "zh-en"), default="en-zh", help="from English or to English")
    parser.add_argument("--attention", choices=("both", "with", "without"), default="both", help="which to train")
    parser.add_argument("--digits", type=lecture.whole(2), default=8, help="of the longest numbers, up to 8")
    parser.add_argument("--pairs", type=lecture.whole(8), default=4000, help="sentences, a quarter of them held out")
    parser.add_argument("--size", type=lecture.whole(1), default=64, help="of the states")
    parser.add_argument("--epochs", type=lecture.whole(1), default=16, help="how often to see all sentences")
    parser.add_argument("--batch-size", type=lecture.whole(1), default=32, help="sentences in a minibatch")
    parser.add_argument("--rate", type=lecture.real(above=0), default=0.005, help="Adam's learning rate, at first")
    options = lecture.parse(parser, words, digits=4, pairs=640, epochs=3, rate=0.015)
    if options.digits > 8:
        parser.error(f"--digits: expected 8 or less, got {options.digits}")
    most = DATES if options.task == "dates" else 10**options.digits // 2
    if options.pairs > most:
        parser.error(f"--pairs: expected {most} or less with these sentences, got {options.pairs}")
    return options


def main(words: list[str] | None = None) -> dict[str, list[float]]:
    """Trains, tells and draws; returns the shares of held-out sentences that are right, epoch by epoch."""
    options = arguments(words)
    torch7.manualSeed(options.seed)
    pairs = sentences(options)
    held, kept = pairs[: len(pairs) // 4], pairs[len(pairs) // 4 :]
    source, target = (Language([pair[side] for pair in pairs]) for side in (0, 1))
    print(f"{len(kept)} sentences to learn from, {len(held)} others held out")
    translators, shares = {}, {}
    for name in ("without attention", "with attention"):
        if options.attention in ("both", name.split()[0]):
            torch7.manualSeed(options.seed)
            translators[name] = Translator(source, target, options.size, "out" not in name)
            shares[name] = train(name, translators[name], kept, held, options)
    shown = sorted(held[:40], key=lambda pair: len(pair[0]))[::7]
    tell(translators, shown)
    name, last = list(translators.items())[-1]
    last.net.forward(last.example(shown)[0])
    lecture.draw(last.net, options.output / "translate-graph.svg", title=f"Encoder and decoder {name}")
    draw_accuracy(shares, translators, held, options.output / "translate.png")
    if last.attention:
        draw_attention(last, shown[-3:], options.output / "translate-attention.png")
    return shares


if __name__ == "__main__":
    lecture.run(main)
