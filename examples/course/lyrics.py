"""A network writes Chinese verse character by character, before it has read any, and after.

    python examples/course/lyrics.py                          learns from verse of its own making, prints two songs
    python examples/course/lyrics.py --first 雪花落在山岗     a song that begins with this line
    python examples/course/lyrics.py --file songs.txt         learns from your file, in UTF-8
    python examples/course/lyrics.py --temperature 0.3        keeps to what is likely; 2 is adventurous
    python examples/course/lyrics.py --help                   tells all options

An LSTM reads a text, one character x_t at a time, and gives at every step the probabilities of the next character:

    c_t, h_t = LSTM(x_t, c_(t-1), h_(t-1))        y_t = softmax(W h_t + b)

It writes by itself: draw a character from y_t, let it be x_(t+1), and so on. With a temperature T, a character is drawn
from softmax(log(y_t) / T).

A character is one of the text's symbols, such as 微, a comma or the end of a line, however many bytes UTF-8 spells it
with: three for 微. The verse has rules that nobody tells the network: which two characters make a word, what a line is
made of, that all lines of a song rhyme, and that a refrain returns.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import characters
import lecture
import pygraphnn
import torch7

WORDS = {
    "time": "清晨 黄昏 深夜 雨后 初夏 晚秋 冬日 昨天",
    "image": "微风 细雨 白云 落叶 雪花 月光 灯火 燕子 歌声 潮水 花香 雾气",
    "verb": "吹过 照着 落在 穿过 飘向 绕着 等着 梦见 忘了 想念",
    "place": "桥上 河畔 树下 船头 路旁 窗口 田野 雪地",
    "walk": "唱着歌 提着灯 赤着脚 撑着伞 背着琴 骑着马",
    "thing": "雨伞 书信 草帽 风筝 竹笛 棋盘 围巾 行李",
}
RHYMES = {
    "ang": "远方 月亮 村庄 池塘 海洋 山岗 故乡 晨光 海港 麦浪 小巷 高墙",
    "ian": "从前 春天 屋檐 炊烟 水边 琴弦 人间 明天 窗前 田园 云天 秋千",
    "ing": "星星 黎明 心情 身影 屋顶 风铃 小径 倒影 约定 风景 蜻蜓 安宁",
    "ou": "山丘 码头 河流 小楼 渡口 深秋 渔舟 以后 石榴 街头 温柔 白鸥",
}
# a verse is one of these and a word that rhymes
VERSES = ("{time}的{image}{verb}", "我在{place}想起", "有人{walk}走向", "谁把{thing}留在", "{image}{verb}")
REFRAIN = "啊，{image}，{image}"


# -- the verse to learn from


def line(pattern: str) -> str:
    """A pattern with a word in every place."""
    return re.sub(r"{(\w+)}", lambda place: lecture.choose(WORDS[place[1]].split()), pattern)


def song() -> str:
    """Twice four lines, all of one rhyme, and after both the same refrain."""
    rhyme, refrain = lecture.choose(list(RHYMES)), line(REFRAIN)
    verses = [line(lecture.choose(VERSES)) + lecture.choose(RHYMES[rhyme].split()) for _ in range(8)]
    return "\n".join([*verses[:4], refrain, *verses[4:], refrain]) + "\n"


def verse(songs: int) -> str:
    """Several songs with an empty line after each."""
    return "".join(song() + "\n" for _ in range(songs))


def rules() -> re.Pattern[str]:
    """The lines that there can be; the name of the group that matches is the rhyme, or "refrain"."""
    either = {name: f"(?:{words.replace(' ', '|')})" for name, words in WORDS.items()}
    rhymes = "|".join(f"(?P<{kind}>{words.replace(' ', '|')})" for kind, words in RHYMES.items())
    verse = f"(?:{'|'.join(VERSES)})".format(**either)
    return re.compile(f"{verse}(?:{rhymes})|(?P<refrain>{REFRAIN.format(**either)})")


RULES = rules()


# -- what the network writes


def kind(line: str) -> str | None:
    """The rhyme of a line, "refrain", or None for a line against the rules."""
    match = RULES.fullmatch(line)
    return match and match.lastgroup


def write(step: pygraphnn.gModule, alphabet: characters.Alphabet, options: argparse.Namespace) -> list[str]:
    """Songs that go on where the text ends, each to its first empty line or of options.length characters."""
    start, first = pygraphnn.initial_states(step, options.samples), options.first and options.first + "\n"
    before = options.text[-200:].strip("\n") + "\n\n"
    texts = characters.write(step, start, alphabet, before + first, options.length, options.temperature)
    return [text[len(before) :].strip("\n").partition("\n\n")[0] for text in texts]


def share(truths: Iterable[bool]) -> float:
    """How many of them are true, from 0 to 1."""
    known = list(truths)
    return sum(known) / max(1, len(known))


def agree(lists: Iterable[list[Any]]) -> float:
    """How often what follows in a list is the same again."""
    return share(a == b for each in lists for a, b in pairwise(each))


def judge(songs: list[str], text: str, ruled: bool) -> dict[str, float]:
    """What is like the text: pairs of characters and, where there are rules, lines, rhymes and refrains."""
    pairs, lines = set(pairwise(text)), set(text.split("\n"))
    found = {"pairs of characters that the text has": share(p in pairs for song in songs for p in pairwise(song))}
    if not ruled:
        return found
    kinds = [[(kind(line), line) for line in song.split("\n")] for song in songs]
    right = [[pair for pair in song if pair[0]] for song in kinds]
    found["lines that keep to the rules"] = sum(map(len, right)) / sum(map(len, kinds))
    found["... and are not in the text"] = share(line not in lines for song in right for _, line in song)
    found["verses that rhyme with the one before"] = agree([k for k, _ in song if k != "refrain"] for song in right)
    found["refrains that return"] = agree([line for k, line in song if k == "refrain"] for song in right)
    return found


# -- the program


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = lecture.parser(__doc__)
    parser.add_argument("--file", type=characters.file, metavar="FILE", help="a text to learn from, in UTF-8")
    parser.add_argument("--songs", type=lecture.whole(1), default=500, help="how many to make and learn from")
    parser.add_argument("--first", default="", metavar="LINE", help="how the written songs begin")
    parser.add_argument("--temperature", type=lecture.real(least=0), default=1.0, help="0: what is likeliest, always")
    parser.add_argument("--length", type=lecture.whole(1), default=150, help="of a song, at most, in characters")
    parser.add_argument("--samples", type=lecture.whole(1), default=20, help="songs to write and judge; one is printed")
    characters.options(parser, size=128, epochs=30, rate=0.01, batch=10, piece=80)
    options = lecture.parse(parser, words, songs=100, size=64, epochs=10, batch=8, piece=25)
    torch7.manualSeed(options.seed)
    options.ruled = options.file is None
    options.text = verse(options.songs) if options.ruled else options.file
    characters.check(parser, "--songs" if options.ruled else "--file", options.text, options.batch)
    alphabet = characters.Alphabet(options.text)
    if unknown := alphabet.unknown(options.first + "\n"):
        parser.error(f"--first: expected characters that the text has, got {', '.join(map(repr, unknown))}")
    return options


def main(words: list[str] | None = None) -> tuple[dict[str, float], dict[str, float]]:
    """Writes, trains, writes again; returns what judge finds before and after."""
    options = arguments(words)
    text, alphabet = options.text, characters.Alphabet(options.text)
    print(f"{len(text)} characters, {len(text.encode())} bytes; {len(alphabet)} different characters")
    if options.ruled:
        print(f"a song to learn from:\n\n{text.partition(chr(10) * 2)[0]}\n")
    step = pygraphnn.lstm(len(alphabet), options.size, forget_bias=1).float()
    before = write(step, alphabet, options)
    lecture.draw(step, options.output / "lyrics-graph.svg", title="One time step", states={2: 1, 3: 2})
    start = pygraphnn.initial_states(step, options.batch)
    training = characters.train(step, start, alphabet, text, options)
    losses = list(lecture.track(training, "training", characters.pieces(text, options)))
    after = write(step, alphabet, options)
    print(characters.told(losses, options.epochs))
    for when, songs in ("before", before), ("after", after):
        print(f"\na song {when} training:\n\n{songs[0]}\n")
    written = [[song.removeprefix(options.first).lstrip("\n") for song in songs] for songs in (before, after)]
    judged = [judge(songs, text, options.ruled) for songs in written]
    print(f"of {options.samples} songs{'before':>33}{'after':>9}")
    for name in judged[0]:
        print(f"{name:40}" + "".join(f"{found[name]:9.1%}" for found in judged))
    characters.draw_losses(losses, options.epochs, len(alphabet), options.output / "lyrics.png")
    return judged[0], judged[1]


if __name__ == "__main__":
    lecture.run(main)
