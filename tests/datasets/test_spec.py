"""The grammar: text to an object and back, and one line for everything that is wrong with it."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest

from datasets.errors import SuiteError
from datasets.spec import Spec, Within, build, canonical, check_ranges, labels_differ, parameters, parse, parse_list


@dataclass(frozen=True)
class Thing:
    """A thing.

    Args:
        patch: side of a patch,
            in pixels.
        low, high: ends.
    """

    name: ClassVar[str] = "thing"

    patch: Annotated[int, Within(1, 63, odd=True)] = 7
    share: Annotated[float, Within(0, 1)] = 0.5
    low: float = 0.0
    high: Annotated[int, Within(1)] | None = None
    text: str = "x"
    on: bool = False
    kind: Literal["one", "two"] = "one"
    steps: Annotated[tuple[float, int], Within(0)] = (8.0, 30)
    file: Path | None = None
    inner: Spec = field(default_factory=lambda: Spec("not for the brackets"))


@dataclass(frozen=True)
class Needy:
    """Cannot be made without being told something."""

    scene: Literal["bedroom", "church"]


def made(text: str) -> Thing:
    return build(Thing, parse(text), "thing")


def test_values_of_every_type() -> None:
    thing = made("thing[patch=5,share=0.25,low=-1e-3,high=9,text=a-b,on=true,kind=two,steps=1.5:4,file=/a/b.pth]")
    assert thing == Thing(5, 0.25, -1e-3, 9, "a-b", True, "two", (1.5, 4), Path("/a/b.pth"))
    assert isinstance(thing.steps[1], int)
    assert made("thing[high=none]") == made("thing") == made("thing[]") == made(" thing [ patch = 7 ] ") == Thing()
    assert build(Thing, parse("thing"), "thing", {"low": 3.0}) == Thing(low=3.0)


def test_only_plain_fields_are_parameters() -> None:
    known = parameters(Thing)
    assert "inner" not in known
    assert "name" not in known
    assert known["patch"].said == "side of a patch, in pixels."
    assert known["low"].said == known["high"].said == "ends."
    assert known["patch"].takes == "a whole number, odd, 1 to 63"
    assert known["high"].takes == "a whole number or none, 1 or more"
    assert known["steps"].takes == "2 numbers a:b, 0 or more"
    assert known["kind"].takes == "one, two"


def test_canonical_text_is_the_shortest_and_reads_back() -> None:
    assert canonical("thing", Thing()) == "thing"
    assert canonical("thing", made("thing[share=0.5,patch=9,low=2]")) == "thing[patch=9,low=2]"
    assert canonical("thing", Thing(low=3.0), {"low": 3.0}) == "thing"
    assert made(canonical("thing", Thing(share=0.1 + 0.2))) == Thing(share=0.1 + 0.2)


def texts(count: int) -> list[str]:
    """Awkward values: every mark of the grammar, spaces, letters of other scripts, nothing at all."""
    source = random.Random(0)
    letters = '[]",= :/.~-_' + string.ascii_letters + "αé\u202f"
    drawn = ["".join(source.choices(letters, k=source.randint(1, 12))) for _ in range(count)]
    return ["", '"', '""', "[", "]]", "a=b", "nlm[patch=5]", 'f[path="a b"]', *drawn]


def test_every_text_survives_writing_and_reading() -> None:
    for text in texts(3000):
        thing = Thing(text=text)
        written = canonical("thing", thing)
        assert made(written) == thing, (text, written)
        spec = Spec("outer", (("inner", written), ("other", text)), "alias")
        assert parse(str(spec)) == spec, (text, str(spec))
        assert parse_list(f"a,{spec},b[c={written}]")[1] == spec


def test_every_number_survives_writing_and_reading() -> None:
    source = random.Random(1)
    for _ in range(500):
        thing = Thing(low=source.uniform(-1, 1) * 10 ** source.randint(-12, 12), share=source.random())
        assert made(canonical("thing", thing)) == thing


def test_a_list_has_names_brackets_aliases_and_quotes() -> None:
    specs = parse_list('nlm, nlm[patch=5] ,,wide=nlm[search=15],pnp[denoiser=nlm[patch=5,own=1],file="a, [b].pth"]')
    assert specs == [
        Spec("nlm"),
        Spec("nlm", (("patch", "5"),)),
        Spec("nlm", (("search", "15"),), "wide"),
        Spec("pnp", (("denoiser", "nlm[patch=5,own=1]"), ("file", "a, [b].pth"))),
    ]
    assert str(specs[2]) == "wide=nlm[search=15]"
    assert specs[3].take("file") == ("a, [b].pth", Spec("pnp", (("denoiser", "nlm[patch=5,own=1]"),)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nlm[patch=5", "the bracket is not closed"),
        ("nlm patch=5]", "a closing bracket without an opening one"),
        ("nlm[patch=5][own=1]", "a closing bracket without an opening one"),
        ("nlm[patch=5]x", "nothing may follow the closing bracket"),
        ('nlm[patch="5]', "not closed"),
        ('nlm"', "the double quote is not closed"),
        ("nlm[patch]", "'patch' is not key=value"),
        ("nlm[=5]", "'=5' is not key=value"),
        ("nlm[patch=5,patch=7]", "'patch' is given twice"),
        ("[patch=5]", "the name is missing"),
        ("a=", "the name is missing"),
        ("=nlm", "write alias=name"),
        ("a=nlm,a=tv", "the alias 'a' is used twice"),
    ],
)
def test_what_cannot_be_read_is_one_line(text: str, said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        parse_list(text, "methods")
    assert said in str(caught.value)
    assert str(caught.value).startswith("methods")
    assert "\n" not in str(caught.value)


def test_one_is_asked_for_and_none_or_two_are_given() -> None:
    for text in ("a,b", "", " , "):
        with pytest.raises(SuiteError, match="give one"):
            parse(text, "method")


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("ptach=5", "unknown parameter of thing 'thing' 'ptach'. Did you mean patch? Valid: file, high,"),
        ("patch=five", "patch must be a whole number, odd, 1 to 63, not 'five'"),
        ("patch=5.5", "patch must be a whole number"),
        ("patch=4", "odd, 1 to 63, not '4'"),
        ("patch=65", "odd, 1 to 63, not '65'"),
        ("share=1.5", "share must be a number, 0 to 1, not '1.5'"),
        ("share=nan", "share must be a number"),
        ("low=inf", "low must be a number, not 'inf'"),
        ("high=0", "high must be a whole number or none, 1 or more, not '0'"),
        ("on=yes", "on must be true or false, not 'yes'"),
        ("kind=tow", "unknown value of kind in thing thing[kind=tow] 'tow'. Did you mean two? Valid: one, two"),
        ("steps=8", "steps must be 2 numbers a:b, 0 or more, not '8'"),
        ("steps=8:-1", "steps must be 2 numbers a:b, 0 or more, not '8:-1'"),
        ("steps=8:1.5", "steps must be 2 numbers a:b"),
    ],
)
def test_wrong_keys_and_values_are_one_line(inside: str, said: str) -> None:
    with pytest.raises(SuiteError) as caught:
        made(f"thing[{inside}]")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_must_be_given() -> None:
    with pytest.raises(SuiteError, match=r"thing 'needy' needs a value for scene \(bedroom, church\): write needy\["):
        build(Needy, parse("needy"), "thing")
    assert build(Needy, parse("needy[scene=church]"), "thing") == Needy("church")


def test_ranges_hold_in_python_too() -> None:
    check_ranges(Thing())
    with pytest.raises(ValueError, match="patch must be a whole number, odd, 1 to 63, not 2"):
        check_ranges(Thing(patch=2))
    with pytest.raises(ValueError, match="steps must be"):
        check_ranges(Thing(steps=(-1.0, 2)))


def test_two_rows_of_one_label_are_refused() -> None:
    labels_differ(["a", "b"], "rows")
    with pytest.raises(SuiteError, match="two rows print the same label 'a'"):
        labels_differ(["a", "b", "a"], "rows")
