"""Files that the real Torch7 wrote: each is read as what it is, and written again byte for byte."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchfile

import torch7
from tests.support import golden
from torch7 import LuaFunction, MemoryFile, Table, TorchObject, memory, registry

ROOT = golden.ROOT / "t7"
MANIFEST = {case["name"]: case for case in golden.cases("t7/manifest.json")}
CHECKPOINTS = golden.load("t7/checkpoints/info.json")["checkpoints"]
FILES = [
    pytest.param(case, file, id=Path(file["file"]).name.removesuffix(".t7"))
    for case in MANIFEST.values()
    for file in case["files"]
]


@pytest.fixture(autouse=True)
def _no_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a file says counts here, not what the classes of nn make of it."""
    monkeypatch.setattr(registry, "_classes", {})


@pytest.fixture
def custom() -> type:
    """The class gold.Custom, which writes itself."""

    @torch7.register("gold.Custom")
    class Custom:
        def write(self, file: torch7.File) -> None:
            file.writeInt(self.n)
            file.writeDouble(self.n / 4)
            file.writeObject({"n": self.n})

        def read(self, file: torch7.File, version: int) -> None:
            self.n = file.readInt()
            assert file.readDouble() == self.n / 4
            assert file.readObject() == {"n": self.n}
            self.cache = "not written"

    return Custom


def opened(file: dict[str, Any], data: bytes) -> MemoryFile:
    """A file in memory, set as a recorded file was when it was written."""
    memory_file = MemoryFile(data)
    if file["mode"] == "binary":
        memory_file.binary().longSize(file["longSize"])
        if file["endian"] == "big":
            memory_file.bigEndianEncoding()
    return memory_file


def written(file: dict[str, Any], *values: Any) -> bytes:
    out = opened(file, b"").referenced(file["referenced"])
    for value in values:
        out.writeObject(value)
    return out.storage().tobytes()[:-1]


class Comparison:
    """Compares objects with recorded descriptions; one id stands for one object, and one object for one id."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}
        self.ids: dict[int, int] = {}

    def check(self, want: Any, got: Any) -> None:
        if not isinstance(want, dict):
            assert got == want
            assert type(got) is type(want)
        elif "number" in want:
            assert got == float(want["number"]) or (math.isnan(got) and want["number"] == "nan")
        elif "hex" in want:
            assert got == bytes.fromhex(want["hex"])
        elif "ref" in want:
            assert self.identity(got) is self.known[want["ref"]]
        else:
            kind = next(k for k in ("tensor", "storage", "torch", "function", "table") if k in want)
            self.meet(want["id"], got)
            getattr(self, kind)(want, got)

    def identity(self, got: Any) -> Any:
        return memory.owner(got) if isinstance(got, torch7.Storage) else got

    def meet(self, number: int, got: Any) -> None:
        got = self.identity(got)
        assert number not in self.known
        assert id(got) not in self.ids
        self.known[number] = got
        self.ids[id(got)] = number

    def entries(self, want: list[Any], got: list[tuple[Any, Any]]) -> None:
        assert len(got) == len(want)
        for (want_key, want_value), (key, value) in zip(want, got):
            self.check(want_key, key)
            self.check(want_value, value)

    def table(self, want: dict[str, Any], got: Any) -> None:
        keys = [key for key, _ in want["table"]]
        assert type(got) is (list if keys == list(range(1, len(keys) + 1)) else Table)
        self.entries(want["table"], list(torch7.pairs(got)))

    def torch(self, want: dict[str, Any], got: Any) -> None:
        assert torch7.typename(got) == want["torch"]
        assert got.torch_version == want["version"]
        self.entries(want["fields"], sorted(vars(got).items()))

    def function(self, want: dict[str, Any], got: Any) -> None:
        assert isinstance(got, LuaFunction)
        assert got.bytecode.startswith(b"\x1bLJ")
        assert len(got.upvalues) == len(want["upvalues"])
        for want_upvalue, upvalue in zip(want["upvalues"], got.upvalues):
            assert upvalue.name == want_upvalue["name"]
            self.check(want_upvalue["value"], upvalue.value)

    def storage(self, want: dict[str, Any], got: Any) -> None:
        assert torch7.typename(got) == want["storage"]
        assert memory.owner(got).size == got.size
        self.data(want["data"], got)

    def tensor(self, want: dict[str, Any], got: Any) -> None:
        assert torch7.typename(got) == want["tensor"]
        assert got.flags.writeable
        if not want["size"]:
            assert got.shape == (0,)
            assert want["storage"] is None
            assert memory.owner(got).size == 0
            return
        assert list(got.shape) == want["size"]
        assert list(memory.strides(got)) == want["stride"]
        assert memory.offset(got) + 1 == want["storageOffset"]
        if "data" in want:
            self.data(want["data"], got)
        self.check(want["storage"], memory.storage(got).view(torch7.Storage))

    def data(self, want: list[Any], got: np.ndarray) -> None:
        expected = np.array([golden.number(x) for x in want], got.dtype)
        np.testing.assert_array_equal(np.asarray(got).ravel(), expected)
        real = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(np.asarray(got).ravel()[real]), np.signbit(expected[real]))


@pytest.mark.parametrize(("case", "file"), FILES)
def test_a_file_is_read_as_torch_reads_it(case: dict[str, Any], file: dict[str, Any], custom: type) -> None:
    with opened(file, (ROOT / file["file"]).read_bytes()) as source:
        for want in case.get("contents", [])[:-1]:
            Comparison().check(want, source.readObject())
        value = source.readObject()
        assert source.position() == source.seekEnd().position()
    if case["name"] == "class_custom_io":
        assert (type(value), vars(value)) == (custom, {"n": 6, "cache": "not written"})
    elif case["name"] == "tensor_half":
        assert value.dtype == np.float16
        assert value.tolist() == case["values"]
    elif "graph" in case:
        check_graph(case["graph"], value.protos.rnn if "rest" in case else value)
    else:
        want = case["contents"][-1] if "contents" in case else case["content"]
        Comparison().check(file.get("content_loaded", want), value)


@pytest.mark.parametrize(("case", "file"), FILES)
def test_a_file_is_written_again_byte_for_byte(case: dict[str, Any], file: dict[str, Any], custom: type) -> None:
    data = (ROOT / file["file"]).read_bytes()
    with opened(file, data) as source:
        values = [source.readObject() for _ in case.get("contents", [None])]
    assert written(file, *values) == data


@pytest.mark.parametrize(("case", "file"), FILES)
def test_load_knows_every_mode(case: dict[str, Any], file: dict[str, Any], custom: type, tmp_path: Path) -> None:
    mode = "ascii" if file["mode"] == "ascii" else f"b{8 * file['longSize']}"
    if file.get("endian") == "big":
        with pytest.raises(torch7.T7Error, match="bigEndianEncoding"):
            torch7.load(ROOT / file["file"], mode)
        return
    value = torch7.load(ROOT / file["file"], mode)
    torch7.save(tmp_path / "again.t7", value, file["mode"], referenced=file["referenced"])
    again = torch7.load(tmp_path / "again.t7", file["mode"])
    assert written(file, again) == written(file, value)
    first = (ROOT / file["file"]).read_bytes()[: len(written(file, value))]
    assert written(file, value) == first


@pytest.mark.parametrize("info", CHECKPOINTS, ids=lambda info: info["file"])
def test_checkpoints_are_read_with_one_storage_for_all_parameters(info: dict[str, Any]) -> None:
    path = ROOT / "checkpoints" / info["file"]
    checkpoint = torch7.load(path)
    assert sorted(checkpoint) == info["keys"]
    assert checkpoint.opt == info["opt"]
    assert (checkpoint.i, checkpoint.val_loss) == (info["i"], info["val_loss"])
    assert len(checkpoint.train_losses) == info["ntrain_losses"]
    assert [text for text, _ in sorted(checkpoint.vocab.items(), key=lambda entry: entry[1])] == [
        golden.decode(text) for text in info["vocab"]
    ]
    nodes = [node.data for node in checkpoint.protos.rnn.forwardnodes]
    assert [n.module and torch7.typename(n.module) for n in nodes] == [n["module"] for n in info["forwardnodes"]]
    modules = [node.module for node in nodes if node.module is not None and hasattr(node.module, "weight")]
    parameters = [p for module in modules for p in (module.weight, module.bias)]
    assert len({id(memory.owner(p)) for p in parameters}) == 1
    assert memory.owner(parameters[0]).size == info["storage_size"]
    for want, got in zip(info["parameters"], parameters, strict=True):
        assert list(got.shape) == want["size"]
        assert memory.offset(got) + 1 == want["storageOffset"]
        assert got.flat[0] == want["first"]
        np.testing.assert_allclose([got.sum(), np.linalg.norm(got)], [want["sum"], want["norm"]], rtol=1e-12)
    assert torch7.serialize(checkpoint) == path.read_bytes()


def check_graph(want: dict[str, Any], graph: Any) -> None:
    assert torch7.typename(graph) == want["class"]
    assert len(graph.forwardnodes) == len(want["forwardnodes"])
    for described, node in zip(want["forwardnodes"], graph.forwardnodes):
        data = node.data
        found = {
            "id": node.id,
            "forwardNodeId": data.forwardNodeId,
            "module": data.module and torch7.typename(data.module),
            "name": data.annotations.name,
            "description": data.annotations.description,
            "selectindex": data.selectindex,
            "nSplitOutputs": data.nSplitOutputs,
        }
        assert {k: v for k, v in found.items() if v is not None or k in described} == described
    assert_same_nodes(graph)


def assert_same_nodes(graph: Any) -> None:
    """The forward and the backward graph hold the very same tables of data, and find nodes by nodes."""
    forward = {id(node.data) for node in graph.fg.nodes.list_part()}
    assert forward == {id(node.data) for node in graph.bg.nodes.list_part()}
    for position, node in enumerate(graph.fg.nodes.list_part(), 1):
        assert graph.fg.nodes[node] == position
    mapped = [key for node in graph.forwardnodes for key, _ in torch7.pairs(node.data.mapindex)]
    tables = [key for key in mapped if isinstance(key, dict)]
    assert tables
    assert {id(table) for table in tables} <= forward


def test_the_rest_of_a_checkpoint() -> None:
    case = MANIFEST["checkpoint_like"]
    checkpoint = torch7.load(ROOT / case["files"][0]["file"])
    del checkpoint["protos"]
    Comparison().check(case["rest"], checkpoint)


def test_objects_one_after_the_other_refer_to_each_other() -> None:
    case = MANIFEST["multi"]
    with torch7.DiskFile(ROOT / case["files"][0]["file"]) as file:
        first, second, third, fourth = (file.binary().readObject() for _ in range(4))
        assert second.again is first
        Comparison().check(case["contents"][0], first)
        Comparison().check(case["contents"][1], second)
        assert third == case["contents"][2]
        Comparison().check(case["contents"][3], fourth)
        with pytest.raises(torch7.T7Error, match="end of the file"):
            file.readObject()


@pytest.mark.parametrize("name", ["nn_sequential_flattened", "tensors_sharing_storage", "tensor_twice"])
def test_a_change_shows_in_every_tensor_on_the_storage(name: str) -> None:
    value = torch7.load(ROOT / "files" / f"{name}.t7")
    arrays = list(found_arrays(value))
    for a in arrays:
        before = [b.copy() for b in arrays]
        memory.storage(a)[...] += 1
        for b, old in zip(arrays, before):
            assert (b != old).all() == (memory.owner(a) is memory.owner(b)) or b.size == 0


def found_arrays(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, dict, TorchObject)):
        for _, part in torch7.pairs(vars(value) if isinstance(value, TorchObject) else value):
            yield from found_arrays(part)


# The package torchfile knows no HalfTensors and no classes with a format of their own, and takes the key true for 1.

FOREIGN_TO_TORCHFILE = ("tensor_half", "class_custom_io", "table_mixed")
READABLE = [case for case in MANIFEST.values() if case["name"] not in FOREIGN_TO_TORCHFILE]


@pytest.mark.parametrize("case", READABLE, ids=lambda case: case["name"])
def test_another_reader_reads_what_we_write(case: dict[str, Any], tmp_path: Path) -> None:
    value = torch7.load(ROOT / case["files"][0]["file"])
    torch7.save(tmp_path / "ours.t7", value)
    SameAsTorchfile().check(value, torchfile.load(tmp_path / "ours.t7", use_list_heuristic=False))


class SameAsTorchfile:
    """Compares an object with what torchfile made of it; torchfile leaves lists as dicts and strings as bytes."""

    def __init__(self) -> None:
        self.seen: dict[int, Any] = {}

    def check(self, ours: Any, theirs: Any) -> None:
        if isinstance(ours, (list, dict, TorchObject)) and ours:
            if id(ours) in self.seen:
                assert self.seen[id(ours)] is theirs
                return
            self.seen[id(ours)] = theirs
        if isinstance(ours, TorchObject):
            assert theirs.torch_typename() == ours.torch_typename.encode()
            self.table(vars(ours), theirs._obj)
        elif isinstance(ours, LuaFunction):
            assert theirs.dumped == ours.bytecode
            self.check(ours.upvalues, theirs.upvalues)
        elif isinstance(ours, np.ndarray):
            assert theirs.dtype == ours.dtype
            np.testing.assert_array_equal(theirs, ours)
        elif isinstance(ours, (list, dict)):
            self.table(ours, theirs)
        elif isinstance(ours, str):
            assert theirs == ours.encode()
        else:
            assert theirs == ours or (ours != ours and theirs != theirs)

    def table(self, ours: Any, theirs: Any) -> None:
        assert len(theirs) == len(ours)
        for (key, a), (other_key, b) in zip(torch7.pairs(ours), theirs.items()):
            self.check(key, other_key)
            self.check(a, b)
