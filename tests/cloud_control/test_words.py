"""The pages' words: everything that is said in one language is said in the other."""

from __future__ import annotations

import re

from cloud_control.api.pages import WEB

SPOKEN = re.compile(r"^const (en|ko) = \{(.*?)^\};", re.DOTALL | re.MULTILINE)
ENTRY = re.compile(r'(\w+): "((?:[^"\\]|\\.)*)"')
ONLY_KOREAN = re.compile("why_")  # English reads a device's own token


def words() -> dict[str, dict[str, str]]:
    found = SPOKEN.findall((WEB / "words.js").read_text(encoding="utf-8"))
    return {language: dict(ENTRY.findall(text)) for language, text in found}


def test_both_languages_say_the_same_things() -> None:
    said = words()
    english, korean = said["en"], said["ko"]
    assert len(english) > 150
    assert set(english) - set(korean) == set()
    assert [one for one in set(korean) - set(english) if not ONLY_KOREAN.match(one)] == []
    for key, text in english.items():
        fields = set(re.findall(r"\{\w+\}", text))
        assert set(re.findall(r"\{\w+\}", korean[key])) == fields, key


def test_every_word_that_a_page_asks_for_is_there() -> None:
    english = words()["en"]
    for page in [*WEB.glob("*.html"), *WEB.glob("*.js")]:
        text = page.read_text(encoding="utf-8")
        asked = re.findall(r'data-t(?:-label|-hint)?="(\w+)"', text)
        asked += re.findall(r'\bsay\("(\w+)"', text)
        assert set(asked) - set(english) == set(), page.name
